"""The same protocol on both sides: bytes pass but for the model's name, the asking for counts, and the known mends."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.catalog.profile import Profile, profile_for
from dragoman.ir import BadRequest, FunctionTool
from dragoman.protocols.base import Peek, Route
from dragoman.protocols.openai_chat import PROTOCOL
from protocols.golden import GOLDEN

ROUTE = Route("generate")
OPENAI = profile_for("openai-chat", "gpt-4o")
ARK = profile_for("openai-chat", "doubao-seed-1-8-251228")


def forward(body: bytes, model: str, profile: Profile = OPENAI) -> bytes:
    return PROTOCOL.forward(body, PROTOCOL.peek(body, ROUTE), ROUTE, model, profile).body


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1beta/openai/chat/completions", "/chat/completions"])
def test_routes(path: str) -> None:
    assert PROTOCOL.match(path, b"") == ROUTE


@pytest.mark.parametrize("path", ["/v1/completions", "/v1/responses", "/v1/chat", "/v1/chat/completions/x", "/"])
def test_foreign_routes(path: str) -> None:
    assert PROTOCOL.match(path, b"") is None


def test_peek() -> None:
    assert PROTOCOL.peek(b'{"model":"m","messages":"whatever"}', ROUTE) == Peek("m", False, False)
    assert PROTOCOL.peek(b'{"stream":true,"model":"m"}', ROUTE) == Peek("m", True, False)
    assert PROTOCOL.peek(b'{"stream":true,"stream_options":{"include_usage":true},"model":"m"}', ROUTE) == Peek(
        "m", True, True
    )


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (b"{", None),
        (b"[]", None),
        (b"\xff{}", None),
        (b'{"model":"m","x":"\xff"}', None),
        (b"[" * 100000, None),
        (b'{"x":' * 100000, None),
        (b'{"model":"m"} trailing', None),
        (b"{}", "model"),
        (b'{"model":null}', "model"),
        (b'{"model":7}', "model"),
        (b'{"model":"m","stream":"yes"}', "stream"),
        (b'{"model":"m","stream_options":[]}', "stream_options"),
        (b'{"model":"m","stream_options":{"include_usage":1}}', "stream_options.include_usage"),
    ],
)
def test_peek_refuses(body: bytes, param: str | None) -> None:
    with pytest.raises(BadRequest) as caught:
        PROTOCOL.peek(body, ROUTE)
    assert caught.value.param == param


def test_untouched() -> None:
    body = b' {"model" : "m",\n "messages":[{"role":"user","content":"\\u4f60"}], "frobnicate": 1e3}\n'
    assert forward(body, "m") == body


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"model":"m","a":1}', b'{"model":"other","a":1}'),
        (b'{ "a" : 1 , "model" : "m" }', b'{ "a" : 1 , "model" : "other" }'),
        (b'{"metadata":{"model":"m"},"model":"m"}', b'{"metadata":{"model":"m"},"model":"other"}'),
        (b'{"model":"m","metadata":{"model":"m"}}', b'{"model":"other","metadata":{"model":"m"}}'),
        (b'{"a":"\\"model\\":\\"m\\"","model":"m"}', b'{"a":"\\"model\\":\\"m\\"","model":"other"}'),
        (b'{"x\\"model":"m","model":"m"}', b'{"x\\"model":"m","model":"other"}'),
        (b'{"mod\\u0065l":"m","a":{"model":"m"}}', b'{"model":"other","a":{"model":"m"}}'),
        (b'{"model":"\\u006d"}', b'{"model":"other"}'),
    ],
)
def test_model_is_spliced(body: bytes, expected: bytes) -> None:
    assert forward(body, "other") == expected


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"a","model":"b"}',
        b'{"model":"a","model":"a"}',
        b'{"model":"a","n":1,"mod\\u0065l":"b"}',
        b'{"\\u006dodel":"a","x":{"model":1},"mode\\u006C":"b"}',
        b' {"model" : "a", "messages":[{"model":"x"}],\n"model"\t:"b"}',
    ],
)
def test_a_model_that_is_named_twice_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest, match="twice") as refused:
        PROTOCOL.peek(body, ROUTE)
    assert (refused.value.code, refused.value.param) == ("duplicate_field", "model")


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"a","metadata":{"model":"b","model":"c"}}',
        b'{"tools":[{"model":"x"}],"n":%s,"x":-1.5e999,"model":"a"}' % (b"1" * 5000),
        b'{"model":"a","user":"\\u0065 \\u00e9 \\"model\\":\\"b\\""}',
        '{"model":"a","x":"\u2028","y":{"model":"ü"}}'.encode(),
    ],
)
def test_a_model_that_is_named_once_is_good(body: bytes) -> None:
    assert PROTOCOL.peek(body, ROUTE).model == "a"


def test_what_only_the_second_look_finds_is_refused_too() -> None:
    for tail in (b'"\\q"', b'"\x00"', b'"\\ud800"'):
        body = b'{"model":"a","model":"a","x":' + tail + b"}"
        with pytest.raises(BadRequest):
            PROTOCOL.peek(body, ROUTE)


def test_usage_is_asked_for() -> None:
    assert forward(b' {"stream":true,"model":"m"}', "m") == (
        b' {"stream_options":{"include_usage":true},"stream":true,"model":"m"}'
    )
    told = json.loads(
        forward(
            b'{"model":"m","stream":true,"stream_options":{"include_usage":false,"include_obfuscation":false}}', "m"
        )
    )
    assert told["stream_options"] == {"include_usage": True, "include_obfuscation": False}
    assert json.loads(forward(b'{"model":"m","stream":true,"stream_options":null}', "m"))["stream_options"] == {
        "include_usage": True
    }
    asked = b'{"model":"m","stream":true,"stream_options":{"include_usage":true}}'
    assert forward(asked, "m") == asked


def test_mends() -> None:
    body = b'{"model":"m","messages":[{"role":"developer","content":"x"}],"reasoning_effort":"none"}'
    assert forward(body, "m", OPENAI) == body
    told = json.loads(forward(body, "m", ARK))
    assert told["messages"] == [{"role": "system", "content": "x"}]
    assert told["thinking"] == {"type": "disabled"}
    assert "reasoning_effort" not in told
    said = b'{"model":"m","messages":[{"role":"user","content":"developer"}],"reasoning_effort":"low"}'
    assert forward(said, "m", ARK) == said


def test_extra_body_is_lifted() -> None:
    body = b'{"model":"m","extra_body":{"google":{"thinking_config":{"include_thoughts":true}},"top_k":3},"n":1}'
    assert json.loads(forward(body, "m")) == {"model": "m", "n": 1, "top_k": 3}
    assert forward(body, "m", profile_for("openai-chat", "gemini-2.5-flash")) == body


def test_what_is_not_lifted_of_an_extra_body_is_told() -> None:
    nested = {
        "stream": True,
        "model": "other",
        "top_k": 3,
        "n": None,
        "google": {
            "thinking_config": {"include_thoughts": True, "thinking_budget": 512},
            "thinkingConfig": "high",
            "labels": {"a": "b"},
        },
        "extra_body": {"google": {"thinking_config": {"thinking_level": "low"}}, "seed": 1, "odd": None},
    }
    body = json.dumps({"model": "m", "top_k": 2, "messages": [], "extra_body": nested}).encode()
    out = PROTOCOL.forward(body, PROTOCOL.peek(body, ROUTE), ROUTE, "m", OPENAI)
    # What stands in an `extra_body` is what OpenAI's SDKs would have put in the place of the rest.
    assert json.loads(out.body) == {"model": "m", "messages": [], "top_k": 3, "google": {"labels": {"a": "b"}}}
    assert not out.stream
    assert [(loss.path, loss.harmless) for loss in out.losses] == [
        ("extra_body.stream", False),
        ("extra_body.model", False),
        ("extra_body.google.thinking_config.include_thoughts", True),
        ("extra_body.google.thinking_config.thinking_budget", False),
        ("extra_body.google.thinkingConfig", False),
        ("extra_body.extra_body.google.thinking_config.thinking_level", False),
        ("extra_body.extra_body.seed", False),
    ]


@pytest.mark.parametrize("value", ["x", 1, True, []])
def test_an_extra_body_is_an_object(value: Any) -> None:
    body = json.dumps({"model": "m", "extra_body": value}).encode()
    with pytest.raises(BadRequest) as caught:
        PROTOCOL.forward(body, PROTOCOL.peek(body, ROUTE), ROUTE, "m", OPENAI)
    assert caught.value.param == "extra_body"


def test_what_a_request_is_stands_at_the_top() -> None:
    nested = {"stream": True, "stream_options": {"include_usage": True}, "model": "other", "extra_body": {"top_k": 3}}
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "extra_body": nested}
    request = PROTOCOL.read_request(json.dumps(body).encode(), ROUTE)
    assert not request.stream
    assert not request.include_usage
    assert [(extra.owner, extra.path) for extra in request.extras] == [
        ("", "extra_body.stream"),
        ("", "extra_body.stream_options"),
        ("", "extra_body.model"),
        ("", "extra_body.extra_body.top_k"),
    ]


@pytest.mark.parametrize(
    ("name", "value", "param"),
    [
        ("temperature", "x", "temperature"),
        ("max_tokens", 0, "max_tokens"),
        ("n", 0, "n"),
        ("stop", [7], "stop[0]"),
        ("tools", [{"type": "function", "function": {}}], "tools[0].function.name"),
        ("functions", [7], "functions[0]"),
        ("tool_choice", {"type": "function", "function": {}}, "tool_choice.function.name"),
        ("function_call", 7, "function_call"),
        ("response_format", {"type": "json_schema"}, "response_format.json_schema"),
        ("reasoning", {"effort": "x"}, "reasoning.effort"),
        ("thinking", {"type": "x"}, "thinking.type"),
        ("metadata", 7, "metadata"),
        ("image_config", 7, "image_config"),
    ],
)
def test_what_is_wrong_in_an_extra_body_is_named_there(name: str, value: Any, param: str) -> None:
    for nested in ({}, {"extra_body": {name: value}}):
        body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **(nested or {name: value})}
        with pytest.raises(BadRequest) as caught:
            PROTOCOL.read_request(json.dumps(body).encode(), ROUTE)
        assert caught.value.param == ("extra_body." if nested else "") + param
        assert f"'{caught.value.param}'" in caught.value.message


def test_what_stands_in_an_extra_body_is_read_as_at_the_top() -> None:
    more = {
        "max_tokens": 5,
        "max_completion_tokens": 6,
        "thinking": {"type": "enabled"},
        "verbosity": "low",
        "tools": [{"type": "function", "function": {"name": "f"}}],
    }
    said = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    top, nested = (
        PROTOCOL.read_request(json.dumps(body).encode(), ROUTE)
        for body in ({**said, **more}, {**said, "extra_body": more})
    )
    assert nested.sampling == top.sampling
    assert [tool.name for tool in nested.tools if isinstance(tool, FunctionTool)] == ["f"]
    assert [(one.owner, one.name, one.value) for one in nested.extras] == [
        (one.owner, one.name, one.value) for one in top.extras
    ]


def test_googles_signatures_go_to_google_alone() -> None:
    google = {"google": {"thought_signature": "c2ln"}}
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages: list[Any] = [
        {"role": "user", "content": "extra_content"},
        {
            "role": "assistant",
            "content": "x",
            "extra_content": google,
            "tool_calls": [{**call, "extra_content": google}],
        },
        {"role": "tool", "tool_call_id": "c", "content": "1"},
        {"role": "assistant", "content": [{"type": "text", "text": "y", "extra_content": {**google, "a": 1}}]},
        7,
    ]
    body = json.dumps({"model": "m", "n": 1, "messages": messages}).encode()
    out = PROTOCOL.forward(body, PROTOCOL.peek(body, ROUTE), ROUTE, "m", OPENAI)
    assert json.loads(out.body) == {
        "model": "m",
        "n": 1,
        "messages": [
            messages[0],
            {"role": "assistant", "content": "x", "tool_calls": [call]},
            messages[2],
            {"role": "assistant", "content": [{"type": "text", "text": "y", "extra_content": {"a": 1}}]},
            7,
        ],
    }
    assert [(loss.path, loss.harmless) for loss in out.losses] == [
        ("messages[1].extra_content.google", True),
        ("messages[1].tool_calls[0].extra_content.google", True),
        ("messages[3].content[0].extra_content.google", True),
    ]
    assert forward(body, "m", profile_for("openai-chat", "gemini-2.5-flash")) == body
    said = b'{"model":"m","messages":[{"role":"user","content":"\\"extra_content\\""}],"extra_content":{"google":1}}'
    assert forward(said, "m") == said


@pytest.mark.parametrize("messages", [None, 7, {}, [[]], [None, {"extra_content": 7, "tool_calls": {"a": 1}}]])
def test_odd_histories_with_signatures_pass(messages: Any) -> None:
    body = json.dumps({"model": "m", "messages": messages, "extra_content": {"google": 1}}).encode()
    assert forward(body, "m") == body


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=8) | st.sampled_from(["model", "m"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["model", 'x"model', "a", "messages"]) | st.text(max_size=4), inner, max_size=3
        )
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(st.sampled_from(["a", "messages", 'y\\"model"', "é"]), json_values, max_size=4),
    st.sampled_from(["m", "a/b:c", "模型", 'q"uote']),
    st.booleans(),
    st.booleans(),
)
def test_splice_changes_the_model_only(members: dict[str, Any], old: str, first: bool, spaced: bool) -> None:
    whole = {"model": old, **members} if first else {**members, "model": old}
    body = json.dumps(whole, ensure_ascii=spaced, separators=None if spaced else (",", ":")).encode("utf-8", "replace")
    assert json.loads(forward(body, "the-new-one")) == {**json.loads(body), "model": "the-new-one"}


STREAM = (GOLDEN / "openai_chat" / "streams" / "recorded_answer.sse").read_bytes()


@pytest.mark.parametrize("size", [1, 7, 100, 100000])
def test_tap_passes_all(size: int) -> None:
    tap = PROTOCOL.tap(Peek("m", True, True), ROUTE)
    out = b"".join(tap.feed(STREAM[at : at + size]) for at in range(0, len(STREAM), size)) + tap.end()
    assert out == STREAM
    assert tap.started
    assert tap.finished
    assert tap.failed is None
    assert tap.usage is not None
    assert (tap.usage.input, tap.usage.output) == (78, 9)


@pytest.mark.parametrize("size", [1, 7, 100, 100000])
def test_tap_keeps_counts_nobody_asked_for(size: int) -> None:
    tap = PROTOCOL.tap(Peek("m", True, False), ROUTE)
    out = b"".join(tap.feed(STREAM[at : at + size]) for at in range(0, len(STREAM), size)) + tap.end()
    events = STREAM.split(b"\n\n")
    assert out == b"\n\n".join(event for event in events if b'"choices":[]' not in event)
    assert tap.usage is not None


def test_tap_of_an_error() -> None:
    tap = PROTOCOL.tap(Peek("m", True, False), ROUTE)
    body = (GOLDEN / "openai_chat" / "streams" / "error_inside.sse").read_bytes()
    assert tap.feed(body) + tap.end() == body
    assert tap.failed is not None
    assert tap.failed.message == "The server is overloaded"
    assert not tap.finished


def test_tap_of_a_cut_stream() -> None:
    tap = PROTOCOL.tap(Peek("m", True, False), ROUTE)
    tap.feed((GOLDEN / "openai_chat" / "streams" / "bad_cut.sse").read_bytes())
    assert tap.end() == b""
    assert tap.started
    assert not tap.finished
    assert tap.fail(BadRequest("no")).startswith(b'data: {"error":')


def test_tap_without_output() -> None:
    tap = PROTOCOL.tap(Peek("m", True, False), ROUTE)
    assert tap.feed(b": keep-alive\n\n") == b": keep-alive\n\n"
    assert not tap.started


def test_tap_of_counts_beside_content() -> None:
    tap = PROTOCOL.tap(Peek("m", True, False), ROUTE)
    body = (GOLDEN / "openai_chat" / "streams" / "crlf_comments.sse").read_bytes()
    assert tap.feed(body) + tap.end() == body
    assert tap.usage is not None
    assert tap.finished


def test_pictures_for_a_model_that_sees_none() -> None:
    said = b'{"model":"m","messages":[{"role":"user","content":"what is \\"image_url\\"?"},'
    shown = (
        said + b'{"role":"user","content":[{"type":"text","text":"x"},{"type":"image_url","image_url":{"url":"u"}}]}]}'
    )
    told = said[:-1] + b'],"metadata":{"type":"image_url"}}'
    blind = profile_for("local", "smollm2-135m")
    assert forward(shown, "m") == shown and forward(told, "m", blind) == told
    with pytest.raises(BadRequest) as caught:
        forward(shown, "m", blind)
    assert caught.value.param == "messages[1].content[1]"


def test_calls_without_a_signature() -> None:
    """Gemini 3 wants one on the first call of each step of the current turn."""
    profile = profile_for("openai-chat", "gemini-3-pro-preview")

    def called(*signatures: str | None) -> Any:
        calls: list[Any] = [{"id": f"c{at}", "type": "function", "function": {"name": "f"}} for at in range(2)]
        for call, signature in zip(calls, signatures, strict=False):
            if signature is not None:
                call["extra_content"] = {"google": {"thought_signature": signature}}
        return {"role": "assistant", "tool_calls": calls}

    user, result = {"role": "user", "content": "é"}, {"role": "tool", "tool_call_id": "c0", "content": "x"}
    whole = {"model": "gemini-3-pro-preview", "messages": [user, called(), result, user, called("s"), result], "n": 1}
    body = json.dumps(whole, ensure_ascii=False).encode()
    peeked = PROTOCOL.peek(body, ROUTE)
    outgoing = PROTOCOL.forward(body, peeked, ROUTE, "gemini-3-pro-preview", profile)
    assert (outgoing.body, outgoing.losses) == (body, ())

    body = json.dumps({**whole, "messages": [*whole["messages"], called(), result]}, ensure_ascii=False).encode()
    outgoing = PROTOCOL.forward(body, peeked, ROUTE, "gemini-3-pro-preview", profile)
    signed = [*whole["messages"], called("skip_thought_signature_validator"), result]
    assert json.loads(outgoing.body) == {**whole, "messages": signed}
    assert [loss.path for loss in outgoing.losses] == ["messages[6].tool_calls[0]"]
    for other in ("gemini-2.5-flash", "gpt-5.4"):
        told = PROTOCOL.forward(body, peeked, ROUTE, other, profile_for("openai-chat", other)).losses
        assert all(loss.harmless for loss in told)


@pytest.mark.parametrize("calls", [5, [5], [None], [{"extra_content": 5}], [{"extra_content": {"google": []}}], []])
def test_odd_calls_are_the_vendors_to_refuse(calls: Any) -> None:
    body = json.dumps(
        {"model": "gemini-3-pro-preview", "messages": [{"role": "assistant", "tool_calls": calls}]}
    ).encode()
    profile = profile_for("openai-chat", "gemini-3-pro-preview")
    assert PROTOCOL.forward(body, PROTOCOL.peek(body, ROUTE), ROUTE, "gemini-3-pro-preview", profile).body == body
