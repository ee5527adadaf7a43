"""The same protocol on both sides: bytes pass but for the model's name and reasoning that the vendor cannot read."""

import json
from typing import Any

import pytest

from dragoman.catalog.profile import profile_for
from dragoman.ir import BadRequest, Losses, Signature, UpstreamError, UpstreamRefused
from dragoman.protocols.base import Peek, Route
from dragoman.protocols.openai_responses import PROTOCOL
from dragoman.protocols.openai_responses.history import Asked, asked, listed_items, resolved, response_of, with_items
from dragoman.wire.envelope import seal
from protocols.golden import GOLDEN

ROUTE = Route("generate")
COUNT = Route("count_tokens", stream=False)
PROFILE = profile_for("openai-responses", "gpt-4o")
TAIL = "0123456789abcdefghjkmnpqrs"


def forward(body: bytes, model: str = "m", route: Route = ROUTE) -> bytes:
    return PROTOCOL.forward(body, PROTOCOL.peek(body, route), route, model, PROFILE).body


def test_peek() -> None:
    assert PROTOCOL.peek(b'{"model":"m","input":7}', ROUTE) == Peek("m", False, True)
    assert PROTOCOL.peek(b'{"stream":true,"model":"m"}', ROUTE) == Peek("m", True, True)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (b"{", None),
        (b"[]", None),
        (b'{"model":"m","x":"\xff"}', None),
        (b'{"x":' * 100000, None),
        (b"{}", "model"),
        (b'{"model":7}', "model"),
        (b'{"model":"m","stream":"yes"}', "stream"),
        (b'{"model":"m","model":"n"}', "model"),
    ],
)
def test_peek_refuses(body: bytes, param: str | None) -> None:
    with pytest.raises(BadRequest) as caught:
        PROTOCOL.peek(body, ROUTE)
    assert caught.value.param == param


@pytest.mark.parametrize(
    "body",
    [
        b' {"model" : "m",\n "input":"\\u4f60", "frobnicate": 1e3, "store":false, "background":true}\n',
        b'{"model":"m","input":[{"type":"reasoning","id":"rs_68","summary":[],"encrypted_content":"gAAA"}]}',
        b'{"model":"m","input":"say \\"dg1. to me"}',
    ],
)
def test_untouched(body: bytes) -> None:
    assert forward(body) == body


def test_the_model_alone_changes() -> None:
    body = b'{"metadata":{"model":"m"}, "model":"m","input":"x"}'
    assert forward(body, "other") == b'{"metadata":{"model":"m"}, "model":"other","input":"x"}'


def test_paths() -> None:
    body = b'{"model":"m","input":"x","stream":true}'
    sent = PROTOCOL.forward(body, PROTOCOL.peek(body, ROUTE), ROUTE, "m", PROFILE)
    assert (sent.path, sent.stream) == ("/responses", True)
    sent = PROTOCOL.forward(body, PROTOCOL.peek(body, COUNT), COUNT, "m", PROFILE)
    assert (sent.path, sent.stream) == ("/responses/input_tokens", False)


def reasoning(id: str, proof: str | None = None) -> dict[str, Any]:
    return {"type": "reasoning", "id": id, "summary": [], **({} if proof is None else {"encrypted_content": proof})}


def test_reasoning_that_the_vendor_cannot_read() -> None:
    hello = {"role": "user", "content": "Hi"}
    own = reasoning("rs_68a", "gAAA")
    given = [
        hello,
        reasoning(f"rs_{TAIL}_0"),
        reasoning(f"rs_after_{TAIL}_1", seal(Signature("gemini", "R0VN"))),
        reasoning(f"rs_{TAIL}_2", seal(Signature("anthropic", "Q0w="))),
        reasoning(f"rs_{TAIL}_3", seal(Signature("openai", "gBBB", "rs_68b"))),
        own,
    ]
    body = json.dumps({"model": "m", "input": given, "frob": 1}).encode()
    sent = PROTOCOL.forward(body, PROTOCOL.peek(body, ROUTE), ROUTE, "m", PROFILE)
    read = [hello, reasoning("rs_68b", "gBBB"), own]
    assert json.loads(sent.body) == {"model": "m", "input": read, "frob": 1}
    assert [(loss.path, loss.harmless) for loss in sent.losses] == [("input", True)]
    body = json.dumps({"model": "m", "input": [given[4]]}).encode()
    sent = PROTOCOL.forward(body, PROTOCOL.peek(body, ROUTE), ROUTE, "m", PROFILE)
    assert json.loads(sent.body)["input"] == [reasoning("rs_68b", "gBBB")]
    assert sent.losses == ()


def test_what_a_body_asks_for() -> None:
    assert asked(b'{"model":"m","input":"x"}').keeps
    assert not asked(b'{"model":"m","input":"x","store":false}').keeps
    assert asked(b'{"model":"m","previous_response_id":"resp_1"}').previous == "resp_1"
    assert asked(b'{"model":"m","previous_response_id":null}').previous is None
    assert asked(b'{"model":"m","previous_response_id":7,"input":[{"id":7}]}').previous is None
    body = b'{"input":["x",{"type":"item_reference","id":"msg_1"},{ "id" : "rs_1" },{"id":"x","role":"user"}]}'
    assert asked(body).references == (("msg_1", "input[1].id"), ("rs_1", "input[2].id"))
    assert asked(b'{"conversation":"conv_1"}').conversation == "conv_1"
    assert asked(b'{"conversation":{"id":"conv_1"}}').conversation == "conv_1"
    assert asked(b'{"conversation":{"id":7}}').conversation is None


def test_a_name_is_seen_however_it_is_written() -> None:
    assert asked(rb'{"previous\u005fresponse_id":"resp_1"}').previous == "resp_1"
    assert asked(rb'{"input":[{"type":"item\u005freference","id":"msg_1"}]}').references == (("msg_1", "input[0].id"),)
    assert asked(rb'{"input":[{"i\u0064":"msg_1"}]}').references == (("msg_1", "input[0].id"),)
    assert asked(rb'{"convers\u0061tion":"conv_1"}').conversation == "conv_1"
    assert asked(
        b'{"input":[{"type":"item_reference"},{"id":"msg_1", "status":"completed"}, {"type":"item_reference"}]}'
    ) == (Asked(references=(("msg_1", "input[1].id"),)))


def test_what_was_asked_for_is_put_in_its_place() -> None:
    names: list[dict[str, object]] = [
        {"type": "item_reference", "id": "msg_1"},
        {"id": "msg_1"},
        {"id": "msg_1", "status": "completed"},
    ]
    assert len(asked(json.dumps({"input": names}).encode()).references) == len(names)
    assert resolved(names, {"msg_1": {"role": "user"}}) == [{"role": "user"}] * len(names)


@pytest.mark.parametrize(
    ("item", "looked_up"),
    [
        ({"type": "reasoning", "summary": []}, True),
        ({"type": "reasoning", "summary": [], "encrypted_content": None, "content": []}, True),
        ({"type": "reasoning", "summary": [], "encrypted_content": "gA=="}, False),
        ({"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm."}]}, False),
        ({"type": "image_generation_call"}, True),
        ({"type": "image_generation_call", "result": ""}, True),
        ({"type": "image_generation_call", "result": "iVBO"}, False),
        ({"type": "message", "role": "assistant", "content": []}, False),
    ],
)
def test_an_item_without_its_substance_is_looked_up(item: dict[str, object], looked_up: bool) -> None:
    body = json.dumps({"input": [{"type": "reasoning", "id": 7}, {**item, "id": "x_1"}]}).encode()
    assert asked(body).looked_up == ((("x_1", "input[1].id"),) if looked_up else ())
    assert not asked(body).references


@pytest.mark.parametrize(
    ("item", "response"),
    [
        (f"msg_{TAIL}_0", f"resp_{TAIL}"),
        (f"rs_after_{TAIL}_12", f"resp_{TAIL}"),
        (f"msg_{TAIL}_in3", f"resp_{TAIL}"),
        ("msg_68a1", None),
        (f"msg_{TAIL}", None),
    ],
)
def test_an_items_response(item: str, response: str | None) -> None:
    assert response_of(item) == response


def test_items_in_place_of_names() -> None:
    body = b'{"model":"m","previous_response_id":"resp_1","input":[{"id":"a"},{"role":"user","content":"x"}],"n":1e2}'
    earlier = [{"role": "user", "content": "first"}]
    kept = {"a": {"type": "message", "role": "assistant", "content": []}}
    told = json.loads(with_items(body, earlier, kept))
    assert told == {"model": "m", "input": [*earlier, kept["a"], {"role": "user", "content": "x"}], "n": 100}
    assert json.loads(with_items(body, (), kept, keep_previous=True))["previous_response_id"] == "resp_1"
    told = json.loads(with_items(b'{"input":"x\\n\\"y\\""}', earlier, {}))
    assert told["input"] == [*earlier, {"type": "message", "role": "user", "content": 'x\n"y"'}]


def test_listed_items() -> None:
    given = [{"role": "user", "content": "x"}, {"type": "function_call_output", "call_id": "c", "output": "1"}]
    assert listed_items(given, f"resp_{TAIL}") == [
        {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "x"}],
            "id": f"msg_{TAIL}_in0",
            "status": "completed",
        },
        {"type": "function_call_output", "call_id": "c", "output": "1", "id": f"fco_{TAIL}_in1"},
    ]


# --- the stream from the side


@pytest.mark.parametrize(
    "name", ["text", "recorded_14_7", "text_crlf_no_event_lines", "comments_and_done_mark", "length"]
)
def test_tap(name: str) -> None:
    data = (GOLDEN / "openai_responses" / "streams" / f"{name}.sse").read_bytes()
    for size in (len(data), 1, 7):
        tap = PROTOCOL.tap(Peek("m", True), ROUTE)
        passed = b"".join(tap.feed(data[at : at + size]) for at in range(0, len(data), size)) + tap.end()
        assert passed.rstrip() == data.rstrip()
        assert tap.finished and tap.started and tap.failed is None
        assert tap.usage is not None and tap.usage.output in (9, 18)
        assert json.loads(tap.answer)["status"] in ("completed", "incomplete")  # type: ignore[attr-defined]


def test_tap_of_an_unfinished_stream() -> None:
    data = (GOLDEN / "openai_responses" / "streams" / "bad_cut.sse").read_bytes()
    tap = PROTOCOL.tap(Peek("m", True), ROUTE)
    assert tap.feed(data) + tap.end() == data
    assert (tap.started, tap.finished, tap.failed) == (True, False, None)
    told = [json.loads(event.split(b"data: ")[1]) for event in tap.fail(UpstreamError("broke")).split(b"\n\n")[:-1]]
    assert [event["type"] for event in told] == ["error", "response.failed"]
    assert told[0]["error"]["message"] == told[1]["response"]["error"]["message"] == "broke"
    assert told[1]["response"]["id"] == "resp_1"
    assert told[1]["sequence_number"] == told[0]["sequence_number"] + 1


@pytest.mark.parametrize(("name", "status"), [("error_nested", 500), ("error_flat", 429), ("failed", 500)])
def test_tap_of_a_failure(name: str, status: int) -> None:
    data = (GOLDEN / "openai_responses" / "streams" / f"{name}.sse").read_bytes()
    tap = PROTOCOL.tap(Peek("m", True), ROUTE)
    assert tap.feed(data) == data
    assert isinstance(tap.failed, UpstreamRefused)
    assert (tap.failed.status, tap.finished) == (status, False)


# --- counting


def test_count() -> None:
    request = PROTOCOL.read_request(b'{"model":"x","input":"Hi","instructions":"Be kind.","temperature":1}', COUNT)
    asked_for = PROTOCOL.write_count_request(request, "m", PROFILE, Losses(PROTOCOL.spelling))
    assert asked_for is not None
    assert asked_for.path == "/responses/input_tokens"
    assert json.loads(asked_for.body) == {
        "model": "m",
        "instructions": "Be kind.",
        "input": [{"role": "user", "content": "Hi"}],
    }
    assert PROTOCOL.read_count(PROTOCOL.write_count(31)) == 31
    with pytest.raises(UpstreamError):
        PROTOCOL.read_count(b'{"input_tokens":"many"}')
    assert PROTOCOL.read_usage(PROTOCOL.write_count(31)) is None
