"""Every field of a request, in every wrong type: a BadRequest that names the field, and nothing else."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from dragoman.catalog.profile import profile_for
from dragoman.ir import BadRequest, Losses
from dragoman.protocols.base import Route
from dragoman.protocols.gemini import PROTOCOL
from dragoman.protocols.known import PROTOCOLS

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


VENDORS = [("gemini", "gemini-2.5-flash"), ("gemini", "gemini-3-pro-preview"), ("gemini", "gemini-2.0-flash")]
VENDORS += [
    ("openai-chat", "gpt-4o"),
    ("openai-chat", "gpt-5-search-api"),
    ("openai-chat", "doubao-x"),
    ("local", "smollm2"),
]
VENDORS += [("anthropic", "claude-opus-4-6"), ("openai-responses", "gpt-5.2")]


def carried(body: Any) -> None:
    """What was read goes to any vendor, or is refused by a field's path."""
    request = PROTOCOL.read_request(json.dumps(body).encode(), ROUTE)
    unnamed: list[tuple[str, str]] = []
    for protocol, model in VENDORS:
        spoken = PROTOCOLS["openai-chat" if protocol == "local" else protocol]
        try:
            spoken.write_request(request, model, profile_for(protocol, model), Losses(PROTOCOL.spelling))
        except BadRequest as error:
            unnamed += [] if error.param else [(protocol, error.message)]
    assert unnamed == []


def alone(path: str, value: Any) -> Any:
    """The field changed, in a request that says little else: what one refuses does not hide what another does with it."""
    whole = put(WHOLE, path, value)
    top, *rest = re.findall(r"[^.\[\]]+", path)
    kept = whole[top]
    if top == "generationConfig" and rest:
        kept = {rest[0]: kept[rest[0]]} | (
            {"responseMimeType": "application/json"} if rest[0] == "responseSchema" else {}
        )
    elif top == "tools" and rest:
        kept = [kept[int(rest[0])]]
    elif top == "contents" and len(rest) > 2:
        content = kept[int(rest[0])]
        kept = [{**content, "parts": [content["parts"][int(rest[2])]]}]
    return {"contents": [{"parts": [{"text": "Hi"}]}], top: kept}


FIELDS = [(path, held) for path, held in leaves(WHOLE) if not any(f"{word}." in f"{path}." for word in FREE)]


def test_the_whole_is_a_request() -> None:
    assert refused(WHOLE) is None
    carried(WHOLE)


@pytest.mark.parametrize(("path", "held"), FIELDS, ids=[path for path, _ in FIELDS])
def test_absent_and_empty_fields(path: str, held: Any) -> None:
    if refused(alone(path, held)) is None:
        carried(alone(path, held))
    for empty in (None, type(held)()):
        body = put(WHOLE, path, empty)
        error = refused(body)
        if error is None:
            carried(body)
            if refused(alone(path, empty)) is None:
                carried(alone(path, empty))
        else:
            assert error.param, error.message


@pytest.mark.parametrize(("path", "held"), FIELDS, ids=[path for path, _ in FIELDS])
def test_wrong_types_are_named(path: str, held: Any) -> None:
    for wrong in WRONG:
        if kind(wrong) == kind(held):
            continue
        error = refused(put(WHOLE, path, wrong))
        if error is None:
            carried(put(WHOLE, path, wrong))
            if refused(alone(path, wrong)) is None:
                carried(alone(path, wrong))
            # Numbers may be texts of numbers, enums numbers, and what says nothing is as good as absent.
            assert (
                LENIENT.search(path)
                or wrong in ([], {})
                or (kind(held), kind(wrong)) in (("str", "number"), ("number", "str"))
            ), wrong
            continue
        assert error.param, (wrong, error.message)
        assert error.param.startswith(path) or path.startswith(error.param), (wrong, error.param)
