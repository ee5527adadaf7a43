"""Every field of a request, in every wrong type: a BadRequest that names the field, and nothing else."""

import re
from typing import Any

import pytest

from dragoman.protocols.base import Route
from dragoman.protocols.gemini import PROTOCOL
from protocols.confusion import Whole

SCHEMA = {
    "type": "OBJECT",
    "description": "d",
    "nullable": True,
    "properties": {"a": {"type": "STRING", "enum": ["x"], "format": "enum", "minLength": "1", "pattern": "x"}},
    "required": ["a"],
    "propertyOrdering": ["a"],
    "anyOf": [{"type": "ARRAY", "items": {"type": "NUMBER", "minimum": 1, "maximum": 2}, "minItems": 1}],
}
BODY: dict[str, Any] = {
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


def alone(whole: Any, path: list[str]) -> Any:
    """The field changed, in a request that says little else."""
    top, *rest = path
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


# Numbers may be texts of numbers, and enums numbers.
WHOLE = Whole(
    PROTOCOL, Route("generate", "m", False), BODY, free=FREE, lenient=LENIENT, alone=alone, numbers_as_texts=True
)


def test_the_whole_is_a_request() -> None:
    assert WHOLE.refused(BODY) is None
    WHOLE.carried(BODY)


@pytest.mark.parametrize(("path", "held"), WHOLE.fields, ids=[path for path, _ in WHOLE.fields])
def test_absent_and_empty_fields(path: str, held: Any) -> None:
    WHOLE.may_be_absent(path, held)


@pytest.mark.parametrize(("path", "held"), WHOLE.fields, ids=[path for path, _ in WHOLE.fields])
def test_wrong_types_are_named(path: str, held: Any) -> None:
    WHOLE.names_wrong_types(path, held)
