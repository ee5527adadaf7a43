"""Gemini on both sides: bytes go on untouched, and are watched."""

import json
from typing import Any

import pytest

from dragoman.catalog.profile import profile_for
from dragoman.ir import BadRequest, UpstreamBroken, UpstreamRefused
from dragoman.protocols.base import Operation, Outgoing, Peek, Route
from dragoman.protocols.gemini import PROTOCOL


def forward(body: bytes, operation: Operation = "generate", stream: bool = False, array: bool = False) -> Outgoing:
    route = Route(operation, "public", stream, array)
    peek = PROTOCOL.peek(body, route)
    assert peek == Peek("public", stream)
    return PROTOCOL.forward(body, peek, route, "vendors-own", profile_for("gemini", "vendors-own"))


@pytest.mark.parametrize(
    "body",
    [
        b'{ "contents" : [ {"parts":[{"text":"a \\"type\\": \\"function\\" \\u00e9"}]} ], "frobnicate": 1.50 }',
        b'{"tools":[{"functionDeclarations":[{"name":"web_search","parameters":{"type":"OBJECT"}}]},{"google_search":{}}]}',
        b'{"generationConfig":{"imageConfig":{"imageSize":"2K"}}}',
        b'{"tools":"function","type":"function","generationConfig":{"imageConfig":"imageSize"}}',
    ],
)
def test_untouched(body: bytes) -> None:
    assert forward(body).body == body


@pytest.mark.parametrize(
    ("operation", "stream", "array", "path"),
    [
        ("generate", False, False, ":generateContent"),
        ("generate", True, False, ":streamGenerateContent?alt=sse"),
        ("generate", True, True, ":streamGenerateContent"),
        ("count_tokens", False, False, ":countTokens"),
    ],
)
def test_paths(operation: Operation, stream: bool, array: bool, path: str) -> None:
    assert forward(b"{}", operation, stream, array).path == "/v1beta/models/vendors-own" + path


def test_openais_tools_are_mended() -> None:
    schema = {"type": "object", "properties": {"q": {"type": "string"}}}
    body = {
        "contents": [],
        "tools": [
            {"type": "function", "function": {"name": "web_search"}},
            {"type": "function", "function": {"name": "f", "description": "d", "parameters": schema, "strict": True}},
            {"type": "function", "function": {"name": "web_search", "parameters": schema}},
            {"type": "web_search_preview"},
            {"codeExecution": {}},
        ],
    }
    assert json.loads(forward(json.dumps(body).encode()).body)["tools"] == [
        {"googleSearch": {}},
        {"codeExecution": {}},
        {
            "functionDeclarations": [
                {"name": "f", "description": "d", "parametersJsonSchema": schema},
                {"name": "web_search", "parametersJsonSchema": schema},
            ]
        },
    ]


@pytest.mark.parametrize(
    "config",
    [
        {"generationConfig": {"imageConfig": {"imageSize": "2k"}}},
        {"generation_config": {"image_config": {"image_size": "4k"}}},
    ],
)
def test_image_sizes_are_mended(config: dict[str, object]) -> None:
    body = forward(json.dumps({"contents": [], **config}).encode()).body
    assert json.loads(body) == json.loads(json.dumps({"contents": [], **config}).replace('k"', 'K"'))


@pytest.mark.parametrize("body", [b"", b"[]", b'"x"', b"{", b'{"a":1}x', b"\xff", b"[" * 100_000, b'{"a":' * 100_000])
def test_what_is_no_object(body: bytes) -> None:
    with pytest.raises(BadRequest):
        PROTOCOL.peek(body, Route("generate", "m", False))


def test_usage_from_the_side() -> None:
    usage = PROTOCOL.read_usage(b'{"candidates":[{}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":4}}')
    assert usage is not None
    assert (usage.input, usage.output) == (3, 4)
    assert PROTOCOL.read_usage(b'{"candidates":[{}]}') is None
    assert PROTOCOL.read_usage(b'{"totalTokens":3}') is None
    with pytest.raises(UpstreamRefused):
        PROTOCOL.read_usage(b'{"error":{"code":500,"message":"x"}}')
    for garbage in (b"", b"<html>", b"{}", b"[]", b'{"ok":true}'):
        with pytest.raises(UpstreamBroken):
            PROTOCOL.read_usage(garbage)


def test_the_tap_of_an_array() -> None:
    data = b'[{"candidates":[{"content":{"parts":[{"text":"]}"}]}}]}\n,\r\n{"candidates":[{"finishReason":"STOP"}],'
    data += b'"usageMetadata":{"promptTokenCount":3}}\n]\n'
    route = Route("generate", "m", True, True)
    for size in (1, 5, len(data)):
        tap = PROTOCOL.tap(Peek("m", True), route)
        out = b"".join(tap.feed(data[at : at + size]) for at in range(0, len(data), size)) + tap.end()
        assert out == data
        assert tap.finished
        assert tap.started
        assert tap.usage is not None
        assert tap.usage.input == 3


@pytest.mark.parametrize("fed", [b"", b"[", b'[{"candidates":[]}', b'[{"candidates":[]},\r\n', b'[{"a":1},{"b":'])
def test_a_broken_array_ends_as_an_array(fed: bytes) -> None:
    tap = PROTOCOL.tap(Peek("m", True), Route("generate", "m", True, True))
    written = tap.feed(fed) + tap.end() + tap.fail(UpstreamBroken("cut"))
    assert json.loads(written)[-1]["error"]["message"] == "cut"


def test_a_broken_stream_ends_with_an_error_event() -> None:
    tap = PROTOCOL.tap(Peek("m", True), Route("generate", "m", True))
    written = tap.feed(b'data: {"candidates":[]}\r\n\r\ndata: {"cand') + tap.end() + tap.fail(UpstreamBroken("cut"))
    events = written.split(b"\r\n\r\n")
    assert events[0] == b'data: {"candidates":[]}'
    assert json.loads(events[1].removeprefix(b"data: "))["error"]["code"] == 502
    assert events[2:] == [b""]
    assert not tap.finished


@pytest.mark.parametrize("key", ["generateContentRequest", "generate_content_request"])
def test_the_model_inside_a_count_is_the_paths(key: str) -> None:
    body = json.dumps({key: {"model": "models/quick", "contents": [{"parts": [{"text": "x"}]}]}}).encode()
    route = Route("count_tokens", model="quick", stream=False)
    out = PROTOCOL.forward(
        body, PROTOCOL.peek(body, route), route, "gemini-2.5-flash", profile_for("gemini", "gemini-2.5-flash")
    )
    assert json.loads(out.body)[key]["model"] == "models/gemini-2.5-flash"
    same = body.replace(b"quick", b"gemini-2.5-flash")
    assert (
        PROTOCOL.forward(
            same, PROTOCOL.peek(same, route), route, "gemini-2.5-flash", profile_for("gemini", "gemini-2.5-flash")
        ).body
        == same
    )


ASKED = {"role": "user", "parts": [{"text": "Weather?"}]}
CALL = {"functionCall": {"name": "f", "args": {"town": "Oslo"}}}
SIGNED = {**CALL, "thoughtSignature": "R0VN"}
RESULT = {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"output": "rain"}}}]}
SKIP = "skip_thought_signature_validator"


@pytest.mark.parametrize(
    ("contents", "lacking"),
    [
        ([ASKED, {"role": "model", "parts": [CALL, CALL]}, RESULT], [(1, 0)]),
        (
            [
                ASKED,
                {"role": "model", "parts": [{"text": "I see"}, CALL]},
                RESULT,
                {"role": "model", "parts": [SIGNED, CALL]},
                RESULT,
                {"role": "model", "parts": [CALL]},
                RESULT,
            ],
            [(1, 1), (5, 0)],
        ),
        ([ASKED, {"role": "model", "parts": [SIGNED, CALL]}, RESULT], []),
        ([ASKED, {"role": "model", "parts": [SIGNED]}, {"role": "model", "parts": [CALL]}, RESULT], []),
        ([ASKED, {"role": "model", "parts": [{"function_call": {}, "thought_signature": "R0VN"}]}, RESULT], []),
        ([ASKED, {"role": "model", "parts": [CALL]}, RESULT, ASKED], []),
        ([ASKED, {"role": "model", "parts": [{**CALL, "thoughtSignature": 7}]}, RESULT], []),
        ([ASKED, {"role": "model", "parts": 7}, RESULT], []),
    ],
)
def test_calls_that_gemini_did_not_make(contents: list[Any], lacking: list[tuple[int, int]]) -> None:
    route = Route("generate", "gemini-3-pro-preview")
    body = json.dumps({"contents": contents, "tools": [{"googleSearch": {}}], "x": 1.50}).encode()

    def forwarded(model: str) -> Outgoing:
        return PROTOCOL.forward(body, PROTOCOL.peek(body, route), route, model, profile_for("gemini", model))

    out = forwarded("gemini-3-pro-preview")
    wanted = json.loads(json.dumps(contents))
    for turn, number in lacking:
        wanted[turn]["parts"][number]["thoughtSignature"] = SKIP
    assert json.loads(out.body) == {"contents": wanted, "tools": [{"googleSearch": {}}], "x": 1.5}
    assert [loss.path for loss in out.losses] == [f"contents[{turn}].parts[{number}]" for turn, number in lacking]
    assert lacking or out.body == body
    assert forwarded("gemini-2.5-flash").body == body
