"""Every field of a request, in every wrong type: a BadRequest that names the field, and nothing else."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from dragoman.ir import BadRequest
from dragoman.protocols.base import Route
from dragoman.protocols.gemini import PROTOCOL

ROUTE = Route("generate", "m", False)
SCHEMA = {
    "type": "OBJECT",
    "description": "d",
    "nullable": True,
    "properties": {"a": {"type": "STRING", "enum": ["x"], "format": "enum", "minLength": "1", "pattern": "x"}},
    "required": ["a"],
    "propertyOrdering": ["a"],
    "anyOf": [{"type": "ARRAY", "items": {"type": "NUMBER", "minimum": 1, "maximum": 2}, "minItems": 1}],
}
WHOLE: dict[str, Any] = {
    "contents": [
        {
            "role": "user",
            "parts": [
                {"text": "Hi"},
                {
                    "inlineData": {"mimeType": "image/png", "data": "aGk=", "displayName": "n"},
                    "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"},
                },
                {
                    "fileData": {"mimeType": "video/mp4", "fileUri": "https://e.com/v.mp4"},
                    "videoMetadata": {"startOffset": "1s", "endOffset": "2s", "fps": 1},
                },
            ],
        },
        {
            "role": "model",
            "parts": [
                {"text": "t", "thought": True, "thoughtSignature": "c2ln"},
                {"functionCall": {"id": "1", "name": "f", "args": {"a": 1}}},
                {"executableCode": {"language": "PYTHON", "code": "1", "id": "c"}},
                {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1", "id": "c"}},
                {"toolCall": {"id": "1", "toolType": "GOOGLE_SEARCH_WEB", "args": {"q": 1}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {
                    "functionResponse": {
                        "id": "1", "name": "f", "response": {"output": 1}, "willContinue": False, "scheduling": "SILENT",
                        "parts": [{"inlineData": {"mimeType": "image/png", "data": "aGk="}}],
                    }
                },
            ],
        },
    ],
    "systemInstruction": {"role": "user", "parts": [{"text": "s"}]},
    "tools": [
        {
            "functionDeclarations": [
                {"name": "f", "description": "d", "parameters": SCHEMA, "response": SCHEMA, "behavior": "BLOCKING"},
                {"name": "g", "parametersJsonSchema": {"type": "object"}, "responseJsonSchema": {"type": "object"}},
            ],
        },
        {"googleSearch": {"searchTypes": {"webSearch": {}}}, "codeExecution": {}},
        {"mcpServers": [{"name": "m"}]},
        {"type": "function", "function": {"name": "h", "description": "d", "parameters": {"type": "object"}, "strict": True}},
        {"type": "web_search"},
    ],
    "toolConfig": {
        "functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"], "streamFunctionCallArguments": False},
        "retrievalConfig": {"languageCode": "en", "latLng": {"latitude": 1, "longitude": 2}},
        "includeServerSideToolInvocations": True,
    },
    "generationConfig": {
        "temperature": 1, "topP": 0.5, "topK": 40, "maxOutputTokens": 5, "stopSequences": ["a"], "seed": 1, "candidateCount": 1,
        "presencePenalty": 1, "frequencyPenalty": 1, "responseLogprobs": True, "logprobs": 1,
        "responseMimeType": "application/json", "responseSchema": SCHEMA,
        "thinkingConfig": {"includeThoughts": True, "thinkingBudget": 1},
        "responseModalities": ["TEXT"],
        "speechConfig": {
            "voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}, "languageCode": "en-US",
            "multiSpeakerVoiceConfig": {"speakerVoiceConfigs": [{"speaker": "A", "voiceConfig": {}}]},
        },
        "imageConfig": {"aspectRatio": "1:1", "imageSize": "2K"},
        "mediaResolution": "MEDIA_RESOLUTION_LOW", "enableEnhancedCivicAnswers": True, "audioTimestamp": True,
        "routingConfig": {"manualMode": {"modelName": "x"}}, "modelSelectionConfig": {"featureSelectionPreference": "BALANCED"},
        "responseFormat": [{"text": {}}],
    },
    "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
    "cachedContent": "cachedContents/x",
    "serviceTier": "flex",
    "continuationToken": "YQ==",
    "labels": {"a": "b"},
    "store": True,
}  # fmt: skip
WRONG: tuple[Any, ...] = (True, 7, 0.5, "x", [], [7], ["x"], {}, {"x": 7}, [{"x": 7}])
# What the caller's own functions and schemas hold is theirs; a word of an unknown language or behaviour is the vendor's.
FREE = (
    "args",
    "response.output",
    "parametersJsonSchema",
    "responseJsonSchema",
    "enum",
    "toolCall",
    "function.parameters",
    "toolType",
)
# What callers of plain JSON Schema write into a Schema, and plain texts where a Content is wanted.
LENIENT = re.compile(
    r"^systemInstruction(\.parts\[0])?$|(parameters|response|responseSchema)(\.(properties\.a|anyOf\[0]|items))*\.(type|items|required|enum\[0])$"
)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each field with its path, objects and lists too."""
    if path:
        yield path, value
    if isinstance(value, dict):
        for name, held in value.items():
            yield from leaves(held, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for number, held in enumerate(value):
            yield from leaves(held, f"{path}[{number}]")


def put(body: Any, path: str, value: Any) -> Any:
    changed = json.loads(json.dumps(body))
    *outer, last = path.replace("]", "").replace("[", ".").split(".")
    held = changed
    for word in outer:
        held = held[int(word) if word.isdecimal() else word]
    held[int(last) if last.isdecimal() else last] = value
    return changed


def kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else type(value).__name__


def refused(body: Any) -> BadRequest | None:
    try:
        PROTOCOL.read_request(json.dumps(body).encode(), ROUTE)
    except BadRequest as error:
        return error
    return None


FIELDS = [(path, held) for path, held in leaves(WHOLE) if not any(f"{word}." in f"{path}." for word in FREE)]


def test_the_whole_is_a_request() -> None:
    assert refused(WHOLE) is None


@pytest.mark.parametrize(("path", "held"), FIELDS, ids=[path for path, _ in FIELDS])
def test_wrong_types_are_named(path: str, held: Any) -> None:
    for wrong in WRONG:
        if kind(wrong) == kind(held):
            continue
        error = refused(put(WHOLE, path, wrong))
        if error is None:
            # Numbers may be texts of numbers, enums numbers, and what says nothing is as good as absent.
            assert (
                LENIENT.search(path)
                or wrong in ([], {})
                or (kind(held), kind(wrong)) in (("str", "number"), ("number", "str"))
            ), wrong
            continue
        assert error.param, (wrong, error.message)
        assert error.param.startswith(path) or path.startswith(error.param), (wrong, error.param)
