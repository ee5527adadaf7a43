"""The shapes of the fields that only Gemini knows, which are handed on as they came: wrong types are refused by their path all
the same, as Google would (types of google-genai 3.4.0). Names that are not told here are not looked at.
"""

from typing import Any

from dragoman.protocols.gemini.fields import (
    Object,
    array,
    below,
    boolean,
    camel,
    integer,
    invalid,
    number,
    plain_object,
    text,
)

# `text`, `flag`, `number`, `whole`, `word` (an enum, which may come as a number), `any` object; a tuple is a list of its only
# shape; a dict tells an object's members, `*` all of them.
Shape = Any

_VOICE: Shape = {"prebuiltVoiceConfig": {"voiceName": "text"}, "replicatedVoiceConfig": {"mimeType": "text"}}
CONFIG: dict[str, Shape] = {
    "speechConfig": {
        "voiceConfig": _VOICE,
        "languageCode": "text",
        "multiSpeakerVoiceConfig": {"speakerVoiceConfigs": ({"speaker": "text", "voiceConfig": _VOICE},)},
    },
    "imageConfig": {
        "aspectRatio": "text",
        "imageSize": "text",
        "personGeneration": "word",
        "imageOutputOptions": "any",
    },
    "mediaResolution": "word",
    "enableEnhancedCivicAnswers": "flag",
    "responseFormat": ({"text": "any", "image": "any", "audio": "any"},),
    "audioTimestamp": "flag",
    "routingConfig": {
        "autoMode": {"modelRoutingPreference": "word"},
        "manualMode": {"modelName": "text"},
    },
    "modelSelectionConfig": {"featureSelectionPreference": "word"},
}
REQUEST: dict[str, Shape] = {
    "safetySettings": ({"category": "word", "threshold": "word", "method": "word"},),
    "cachedContent": "text",
    "continuationToken": "text",
    "labels": {"*": "text"},
    "store": "flag",
}
TOOLS: dict[str, Shape] = {
    "googleSearch": {
        "searchTypes": {"webSearch": "any", "imageSearch": "any"},
        "timeRangeFilter": {"startTime": "text", "endTime": "text"},
        "excludeDomains": ("text",),
        "blockingConfidence": "word",
    },
    "googleSearchRetrieval": {"dynamicRetrievalConfig": {"mode": "word", "dynamicThreshold": "number"}},
    "fileSearch": {"fileSearchStoreNames": ("text",), "topK": "whole", "metadataFilter": "text"},
    "googleMaps": {"authConfig": "any", "enableWidget": "flag"},
    "computerUse": {"environment": "word", "excludedPredefinedFunctions": ("text",)},
    "mcpServers": ({"name": "text", "streamableHttpTransport": {"url": "text", "headers": {"*": "text"}}},),
}
TOOL_CONFIG: dict[str, Shape] = {
    "retrievalConfig": {"latLng": {"latitude": "number", "longitude": "number"}, "languageCode": "text"},
    "includeServerSideToolInvocations": "flag",
}
PART: dict[str, Shape] = {
    "mediaResolution": {"level": "word", "numTokens": "whole"},
    "partMetadata": "any",
    "willContinue": "flag",
    "scheduling": "word",
}
_LEAVES = {"text": text, "flag": boolean, "number": number, "whole": integer, "any": plain_object}


def check(value: Any, shape: Shape, path: str) -> None:
    """Raises BadRequest with the path of what is not of its shape."""
    if value is None:
        return
    if shape.__class__ is str:
        if shape == "word":
            if value.__class__ is not str and value.__class__ is not int:
                raise invalid(path, "one of its words is wanted")
        else:
            _LEAVES[shape](value, path)
    elif shape.__class__ is tuple:
        for number_, item in enumerate(array(value, path)):
            check(item, shape[0], f"{path}[{number_}]")
    else:
        _members(plain_object(value, path), shape, path)


def _members(value: Object, shape: dict[str, Shape], path: str) -> None:
    every = shape.get("*")
    for key, held in value.items():
        name = key if every is not None or key in shape else camel(key)
        known = every or shape.get(name)
        if known is not None:
            check(held, known, below(path, name))
