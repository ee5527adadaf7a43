"""Whatever comes in, only the errors that callers may see come out."""

import contextlib
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.catalog.profile import profile_for
from dragoman.ir import BadRequest, Losses, UpstreamBroken, UpstreamRefused
from dragoman.protocols.base import Peek, Route, Stamp
from dragoman.protocols.gemini import PROTOCOL
from protocols.confusion import nonsense

_NAMES = st.sampled_from(
    [
        "contents",
        "parts",
        "role",
        "text",
        "inlineData",
        "inline_data",
        "mimeType",
        "data",
        "fileData",
        "fileUri",
        "functionCall",
        "name",
        "args",
        "id",
        "functionResponse",
        "response",
        "output",
        "error",
        "thought",
        "thoughtSignature",
        "videoMetadata",
        "mediaResolution",
        "systemInstruction",
        "tools",
        "functionDeclarations",
        "parameters",
        "type",
        "properties",
        "items",
        "anyOf",
        "function",
        "googleSearch",
        "toolConfig",
        "functionCallingConfig",
        "mode",
        "generationConfig",
        "topK",
        "stopSequences",
        "responseSchema",
        "responseMimeType",
        "thinkingConfig",
        "thinkingBudget",
        "thinkingLevel",
        "responseModalities",
        "imageConfig",
        "imageSize",
        "safetySettings",
        "candidates",
        "content",
        "finishReason",
        "index",
        "usageMetadata",
        "promptTokenCount",
        "promptTokensDetails",
        "modality",
        "logprobsResult",
        "chosenCandidates",
        "token",
        "logProbability",
        "topCandidates",
        "promptFeedback",
        "blockReason",
        "responseId",
        "modelVersion",
        "executableCode",
        "details",
        "retryDelay",
        "code",
        "message",
        "status",
    ]
)
_VALUES = nonsense(_NAMES, max_leaves=25)
_PARTS = st.lists(st.dictionaries(_NAMES, _VALUES, min_size=1, max_size=2), min_size=1, max_size=3)
_BODIES = st.one_of(
    st.dictionaries(_NAMES, _VALUES, max_size=6),
    st.fixed_dictionaries(
        {"contents": st.lists(st.fixed_dictionaries({"parts": _PARTS}), min_size=1, max_size=3)},
        optional={"generationConfig": _VALUES, "tools": st.lists(_VALUES, max_size=3), "systemInstruction": _VALUES},
    ),
)
_ROUTES = st.sampled_from(
    [Route("generate", "m", False), Route("generate", "m", True), Route("count_tokens", "m", False)]
)
STAMP = Stamp("id", 1, "m")


@given(_BODIES, _ROUTES, st.sampled_from(["gemini-2.5-flash", "gemini-3-pro-preview", "gemini-2.0-flash"]))
@settings(max_examples=300, deadline=None)
def test_any_request_is_carried_or_a_bad_request(body: Any, route: Route, model: str) -> None:
    data = json.dumps(body).encode()
    with contextlib.suppress(BadRequest):
        request = PROTOCOL.read_request(data, route)
        PROTOCOL.write_request(request, model, profile_for("gemini", model), Losses(PROTOCOL.spelling))
    with contextlib.suppress(BadRequest):
        PROTOCOL.forward(data, PROTOCOL.peek(data, route), route, model, profile_for("gemini", model))


@given(st.binary(max_size=200), _ROUTES)
@settings(max_examples=100, deadline=None)
def test_any_bytes_as_a_request(data: bytes, route: Route) -> None:
    for read in (PROTOCOL.read_request, PROTOCOL.peek):
        with contextlib.suppress(BadRequest):
            read(data, route)


_CHUNKS = st.one_of(
    st.dictionaries(_NAMES, _VALUES, max_size=4),
    st.fixed_dictionaries(
        {
            "candidates": st.lists(
                st.fixed_dictionaries({"content": st.fixed_dictionaries({"parts": _PARTS})}), max_size=2
            )
        },
        optional={"usageMetadata": _VALUES, "promptFeedback": _VALUES, "error": _VALUES},
    ),
    _VALUES,
)


@given(st.one_of(st.binary(max_size=200), _CHUNKS.map(lambda value: json.dumps(value).encode())), st.integers(200, 599))
@settings(max_examples=300, deadline=None)
def test_any_answer(body: bytes, status: int) -> None:
    for read in (PROTOCOL.read_response, PROTOCOL.read_usage):
        with contextlib.suppress(UpstreamBroken, UpstreamRefused):
            read(body)
    error = PROTOCOL.read_error(status, [(b"retry-after", body[:5])], body)
    assert error.message
    json.loads(PROTOCOL.write_error(error, None)[2])


@given(
    st.lists(
        st.one_of(st.binary(max_size=60), _CHUNKS.map(lambda value: b"data: " + json.dumps(value).encode())), max_size=6
    ),
    st.sampled_from([b"\r\n\r\n", b"\n\n", b"\r\r", b""]),
    st.integers(1, 50),
    st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_any_stream(chunks: list[bytes], newline: bytes, size: int, array: bool) -> None:
    data = newline.join([*chunks, b""])
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    route = Route("generate", "m", True, array)
    reader = PROTOCOL.stream_reader()
    writer = PROTOCOL.stream_writer(None, STAMP, route)  # type: ignore[arg-type]
    tap = PROTOCOL.tap(Peek("m", True), route)
    written = b""
    try:
        for piece in pieces:
            written += writer.write(reader.feed(piece))
        written += writer.write(reader.end()) + writer.end()
    except (UpstreamBroken, UpstreamRefused) as error:
        written += writer.fail(error)
    if array:
        assert isinstance(json.loads(written), list)
    else:
        for event in written.split(b"\r\n\r\n")[:-1]:
            json.loads(event.removeprefix(b"data: "))
    with contextlib.suppress(UpstreamBroken):
        for piece in pieces:
            tap.feed(piece)
        tap.end()
    assert tap.usage is None or tap.usage.input >= 0
