"""The same protocol on both sides: bytes as they came, but for the model's name and what another vendor made."""

import json
from typing import Any

import pytest

from dragoman.catalog.profile import profile_for
from dragoman.ir import BadRequest, Signature, UpstreamRefused
from dragoman.protocols.anthropic import PROTOCOL
from dragoman.protocols.base import Peek, Route
from dragoman.wire.envelope import seal

ROUTE = Route("generate")
COUNT = Route("count_tokens")
SEALED = seal(Signature("gemini", "c2ln"))


def forwarded(body: bytes, model: str, route: Route = ROUTE) -> tuple[str, bytes]:
    out = PROTOCOL.forward(body, PROTOCOL.peek(body, route), route, model, profile_for("anthropic", model))
    return out.path, out.body


def lost(body: bytes) -> list[tuple[str, bool]]:
    out = PROTOCOL.forward(body, PROTOCOL.peek(body, ROUTE), ROUTE, "m", profile_for("anthropic", "m"))
    return [(loss.path, loss.harmless) for loss in out.losses]


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"claude-x","max_tokens":1,"messages":[]}',
        b'  {"messages" : [{"role":"user","content":"model"}] ,\n "model" : "claude-x", "frob": 1e3, "x": 1.00 }\n',
        '{"model":"claude-x","messages":[{"role":"user","content":"Grüße \\u00fc 世界"}]}'.encode(),
        b'{"messages":[{"role":"user","content":[{"type":"tool_use","input":{"model":"claude-x"}}]}],"model":"claude-x"}',
    ],
)
def test_untouched(body: bytes) -> None:
    assert forwarded(body, "claude-x") == ("/v1/messages", body)
    _, renamed = forwarded(body, "claude-y")
    # One name is changed, and nothing else.
    assert len(renamed) == len(body) and sum(one != other for one, other in zip(renamed, body, strict=True)) == 1
    assert json.loads(renamed) == {**json.loads(body), "model": "claude-y"}


def test_an_escaped_name_is_replaced_too() -> None:
    _, renamed = forwarded(b'{"model":"cl\\u0061ude-x","messages":[]}', "claude-y")
    assert json.loads(renamed) == {"model": "claude-y", "messages": []}


def test_count() -> None:
    body = b'{"model":"claude-x","messages":[],"stream":true}'
    assert forwarded(body, "claude-x", COUNT) == ("/v1/messages/count_tokens", body)
    assert PROTOCOL.peek(body, COUNT).stream is False
    assert PROTOCOL.peek(body, ROUTE).stream is True


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (b"[]", None),
        (b"{", None),
        (b'{"model":"a","x":"\xff"}', None),
        (b'{"messages":[]}', "model"),
        (b'{"model":5}', "model"),
        (b'{"model":"a","stream":"yes"}', "stream"),
        (b'{"model":"a","model":"b"}', "model"),
        (b'{"model":"a","mod\\u0065l":"b"}', "model"),
        (b"[" * 100_000, None),
    ],
)
def test_refused(body: bytes, param: str | None) -> None:
    with pytest.raises(BadRequest) as caught:
        PROTOCOL.peek(body, ROUTE)
    assert caught.value.param == param


def conversation(*content: Any, last: Any = "Go on", **more: Any) -> bytes:
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": content}]
    messages.append({"role": "user", "content": last})
    return json.dumps({"model": "m", "messages": messages, **more}).encode()


CALL = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
RESULT = [{"type": "tool_result", "tool_use_id": "t", "content": "1"}]
TEXT = {"type": "text", "text": "Hello"}
THINKING = {"type": "thinking", "thinking": "Hm", "signature": "RXNpZw=="}


@pytest.mark.parametrize(
    "foreign",
    [
        {"type": "thinking", "thinking": "Hm", "signature": "dg1.none"},
        {"type": "thinking", "thinking": "Hm", "signature": SEALED},
        {"type": "redacted_thinking", "data": SEALED},
        {"type": "server_tool_use", "id": "srvtoolu_dgx0", "name": "web_search", "input": {"query": "q"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_dgx0", "content": []},
    ],
)
def test_what_another_vendor_made_does_not_reach_anthropic(foreign: Any) -> None:
    _, body = forwarded(conversation(THINKING, foreign, TEXT, frob=1), "m")
    told = json.loads(body)
    assert told["messages"][1]["content"] == [THINKING, TEXT]
    assert told["frob"] == 1
    assert len(json.loads(forwarded(conversation(foreign), "m")[1])["messages"]) == 2


def test_citations_of_another_vendor() -> None:
    own = {"type": "web_search_result_location", "url": "u", "encrypted_index": "Eo8"}
    theirs = {**own, "encrypted_index": "dg1.none"}
    document = {"type": "char_location", "document_index": 0}
    _, body = forwarded(
        conversation({**TEXT, "citations": [own, theirs, document]}, {**TEXT, "citations": [theirs]}), "m"
    )
    assert json.loads(body)["messages"][1]["content"] == [{**TEXT, "citations": [own, document]}, TEXT]
    assert lost(conversation(THINKING, {**TEXT, "citations": [theirs]})) == [("messages.1.content.1.citations", True)]


def test_a_page_that_another_vendor_read_is_missed() -> None:
    found = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_dgx0", "content": []}
    read = {"type": "web_fetch_tool_result", "tool_use_id": "srvtoolu_dgx1", "content": {}}
    assert lost(conversation(found, read, TEXT)) == [("messages.1.content.0", True), ("messages.1.content.1", False)]


def test_thinking_stops_where_the_last_step_was_anothers() -> None:
    foreign = {"type": "redacted_thinking", "data": SEALED}
    thinking = {"type": "enabled", "budget_tokens": 2000}
    _, body = forwarded(conversation(foreign, CALL, last=RESULT, thinking=thinking), "m")
    assert json.loads(body)["thinking"] == {"type": "disabled"}
    told = lost(conversation(foreign, CALL, last=RESULT, thinking=thinking))
    assert told == [("messages.1.content.0", True), ("thinking.budget_tokens", False)]
    for other in ({"type": "adaptive"}, {"type": "disabled"}):  # these ask of no step that it begin with a thought
        body = conversation(foreign, CALL, last=RESULT, thinking=other)
        assert json.loads(forwarded(body, "m")[1])["thinking"] == other
        assert lost(body) == [("messages.1.content.0", True)]
    assert lost(conversation(foreign, CALL, last=RESULT)) == [("messages.1.content.0", True)]
    _, body = forwarded(conversation(foreign, TEXT, thinking=thinking), "m")
    assert json.loads(body)["thinking"] == thinking


THINK = {"type": "enabled", "budget_tokens": 2000}


@pytest.mark.parametrize(
    ("content", "last", "thinking", "goes_without"),
    [
        ([CALL], RESULT, THINK, True),
        ([TEXT, CALL], [*RESULT, TEXT], THINK, True),
        ([THINKING, CALL], RESULT, THINK, False),
        ([CALL], "Go on", THINK, False),
        ([TEXT], "Go on", THINK, False),
        ([CALL], RESULT, {"type": "adaptive"}, False),
        ([CALL], [{"type": 7}], THINK, False),
        ([7], RESULT, THINK, False),
    ],
)
def test_a_turn_that_another_vendor_began(content: Any, last: Any, thinking: Any, goes_without: bool) -> None:
    body = conversation(*content, last=last, thinking=thinking)
    out = PROTOCOL.forward(body, PROTOCOL.peek(body, ROUTE), ROUTE, "m", profile_for("anthropic", "m"))
    if not goes_without:
        assert (out.body, out.losses) == (body, ())
        return
    assert json.loads(out.body) == {**json.loads(body), "thinking": {"type": "disabled"}}
    assert [loss.path for loss in out.losses] == ["thinking.budget_tokens"]


def test_a_turn_that_claude_began_goes_on_thinking() -> None:
    asked = json.loads(conversation(THINKING, CALL, last=RESULT, thinking=THINK))
    again = {**CALL, "id": "u"}
    asked["messages"] += [
        {"role": "assistant", "content": [again]},
        {"role": "user", "content": [{**RESULT[0], "tool_use_id": "u"}]},
    ]
    body = json.dumps(asked).encode()
    assert forwarded(body, "m")[1] == body


def test_words_that_only_look_like_our_marks_stay() -> None:
    body = conversation({"type": "text", "text": '"dg1.x'}, last='say "dg1.none"')
    assert forwarded(body, "m")[1] == body


def event(told: dict[str, Any]) -> bytes:
    return f"event: {told['type']}\ndata: {json.dumps(told)}\n\n".encode()


def test_tap() -> None:
    tap = PROTOCOL.tap(Peek("m", True, True), ROUTE)
    begun = {"type": "message_start", "message": {"usage": {"input_tokens": 3, "cache_read_input_tokens": 4}}}
    start = event(begun)
    assert tap.feed(start[:40]) == b""
    assert tap.feed(start[40:]) == start
    assert (tap.started, tap.finished) == (False, False)
    assert tap.usage is not None and tap.usage.input == 7
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    assert tap.feed(event(block)) and tap.feed(event({"type": "ping"})) and not tap.started
    piece = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}
    assert tap.feed(event(piece)) and tap.started
    end = event({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}})
    assert tap.feed(end) == end
    assert (tap.finished, tap.usage.input, tap.usage.output, tap.usage.cached_input) == (True, 7, 9, 4)


def test_tap_sees_an_error() -> None:
    tap = PROTOCOL.tap(Peek("m", True, True), ROUTE)
    told = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'
    assert tap.feed(told) == told
    assert isinstance(tap.failed, UpstreamRefused)
    assert (tap.failed.status, tap.failed.message) == (529, "Overloaded")


def test_tap_keeps_a_cut_event_back() -> None:
    tap = PROTOCOL.tap(Peek("m", True, True), ROUTE)
    assert tap.feed(b'event: message_delta\ndata: {"type":"mess') == b""
    assert tap.end() == b""
    assert not tap.finished
    assert tap.fail(UpstreamRefused("gone", status=502)).startswith(b"event: error\n")
