"""Call ids that every vendor takes, the same in every replay."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.carry import Inward, outward
from dragoman.carry.ids import MINTED, AnswerIds, HistoryIds
from dragoman.ir import (
    Candidate,
    Losses,
    Message,
    Request,
    Response,
    Spelling,
    Text,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    ToolResult,
)
from dragoman.protocols.gemini import read_parts
from dragoman.protocols.known import PROTOCOLS

CHAT = PROTOCOLS["openai-chat"].tool_names
LEGAL = re.compile(r"[A-Za-z0-9_-]{1,40}")
FOREIGN = ["", "a", "call 1", "functions.f:0", "x" * 41, "toolu_01Ab", "é", "x" * 40]


def sent(*messages: Message) -> Request:
    request = Request(model="m", messages=messages)
    out, _, _ = outward(request, CHAT, None, Losses(Spelling({}, "[{}]")))
    again, _, _ = outward(request, CHAT, None, Losses(Spelling({}, "[{}]")))
    assert out == again
    return out


def pairs(request: Request) -> list[tuple[str, str]]:
    """(id, name) of calls and (id, content) of results, in order."""
    return [
        (part.id, part.name) if isinstance(part, ToolCall) else (part.call_id, part.content)
        for message in request.messages
        for part in message.parts
        if isinstance(part, ToolCall | ToolResult)
    ]


def asks(*calls: tuple[str, str]) -> Message:
    return Message("assistant", tuple(ToolCall(id, name) for id, name in calls))


def gives(*results: tuple[str, str, str]) -> Message:
    return Message("user", tuple(ToolResult(id, name, content) for id, name, content in results))


def test_google_and_we_agree_what_a_minted_id_begins_with() -> None:
    assert read_parts.MINTED == MINTED


def test_legal_ones_stay() -> None:
    ids = ("call_abc", "toolu_01Ab", "x" * 40, "-_9")
    out = sent(asks(*((id, "f") for id in ids)), gives(*((id, "", id) for id in ids)))
    assert [id for id, _ in pairs(out)] == [*ids, *ids]


@pytest.mark.parametrize("id", ["functions.f:0", "x" * 41, "call 1", "é", "a\n"])
def test_others_become_a_hash_of_themselves_on_both_sides(id: str) -> None:
    first, second = pairs(sent(Message("user", (Text("x"),)), asks((id, "f")), gives((id, "", "r"))))
    assert first[0] == second[0]
    assert LEGAL.fullmatch(first[0])
    # The same id gives the same in a longer conversation: history is mapped the same in each turn.
    assert pairs(sent(asks(("before", "g")), gives(("before", "", "r")), asks((id, "f"))))[-1][0] == first[0]


def test_ids_that_come_again_are_told_apart() -> None:
    """Some servers count their calls anew in each answer."""
    out = pairs(
        sent(
            asks(("call_0", "f"), ("call_1", "g")),
            gives(("call_0", "", "f1"), ("call_1", "", "g1")),
            asks(("call_0", "h"), ("call_1", "f")),
            gives(("call_1", "", "f2"), ("call_0", "", "h2")),
        )
    )
    calls = dict([*out[:2], *out[4:6]])
    assert len(calls) == 4
    answered = {content[0]: calls[id] for id, content in (*out[2:4], *out[6:])}
    assert answered == {"f": "f", "g": "g", "h": "h"}
    assert [id for id, _ in out[:4]] == ["call_0", "call_1", "call_0", "call_1"]


def test_one_id_twice_in_a_turn_is_answered_in_order() -> None:
    out = pairs(sent(asks(("f", "f"), ("f", "f")), gives(("f", "", "1"), ("f", "", "2"))))
    assert out[0][0] != out[1][0]
    assert [id for id, _ in out[2:]] == [id for id, _ in out[:2]]


def test_calls_without_ids_are_answered_by_name() -> None:
    out = pairs(sent(asks(("", "f"), ("", "g")), gives(("", "g", "of g"), ("", "f", "of f"))))
    assert len({out[0][0], out[1][0]}) == 2
    assert out[2][0] == out[1][0]
    assert out[3][0] == out[0][0]


def test_a_result_of_nothing_keeps_an_id() -> None:
    ((id, _),) = pairs(sent(gives(("no such call", "", "x"))))
    assert LEGAL.fullmatch(id)


@given(
    st.lists(st.lists(st.tuples(st.sampled_from(FOREIGN), st.sampled_from("fg")), min_size=1, max_size=4), max_size=5)
)
def test_every_id_is_legal_and_each_call_has_its_own(steps: list[list[tuple[str, str]]]) -> None:
    messages = []
    for step in steps:
        messages += [asks(*step), gives(*((id, name, f"{id}/{name}") for id, name in step))]
    out = sent(*messages)
    calls = [part for message in out.messages for part in message.parts if isinstance(part, ToolCall)]
    results = [part for message in out.messages for part in message.parts if isinstance(part, ToolResult)]
    assert all(LEGAL.fullmatch(call.id) for call in calls)
    assert len({call.id for call in calls}) == len(calls)
    assert [result.call_id for result in results] == [call.id for call in calls]


# --- the answer's


def test_the_vendors_own_ids_are_handed_on() -> None:
    assert AnswerIds(set(), "s").call("toolu_01") == "toolu_01"


def test_an_id_that_the_conversation_has_is_not_handed_out_again() -> None:
    ids = AnswerIds({"call_0"}, "req_1")
    first, second, third = ids.call("call_0"), ids.call("call_1"), ids.call("call_1")
    assert second == "call_1"
    assert len({"call_0", first, second, third}) == 4
    assert all(LEGAL.fullmatch(id) for id in (first, third))


def test_minted_ones_are_the_answers_own() -> None:
    """Signatures are kept under them: another conversation with the same call must have another id."""
    one, other = AnswerIds(set(), "req_1").call(""), AnswerIds(set(), "req_2").call("")
    assert one != other
    assert one == AnswerIds(set(), "req_1").call("")
    assert one.startswith(MINTED)


def test_whole_and_streamed() -> None:
    given_ids = ("", "weird id", "fine", "fine")
    answer = Response("i", "m", (Candidate(0, (Text("x"), *(ToolCall(id, "f") for id in given_ids))),))
    (candidate,) = Inward(None, {"old"}, provider="p", seed="s").response(answer).candidates
    whole = [part.id for part in candidate.parts if isinstance(part, ToolCall)]
    inward = Inward(None, {"old"}, provider="p", seed="s")
    streamed = []
    for number, id in enumerate(given_ids):
        events = inward.events([ToolCallStarted(0, number, id, "f"), ToolCallDelta(0, number, "{}")])
        assert isinstance(events[0], ToolCallStarted)
        streamed.append(events[0].id)
    assert whole == streamed
    assert len(set(whole)) == 4
    assert whole[2] == "fine"


def test_what_is_handed_out_comes_back_as_it_is() -> None:
    handed = [AnswerIds(set(), "s").call(id) for id in FOREIGN]
    ids = HistoryIds()
    assert [ids.call(ToolCall(id, "f"), 0, number) for number, id in enumerate(handed)] == handed
