"""What vendors signed is kept with the call, goes back to its maker in its old place, and to nobody else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.carry import Inward, Kept, Signatures, carries, history_calls, outward
from dragoman.carry.outward import SKIP
from dragoman.ir import (
    Candidate,
    Event,
    Finish,
    Finished,
    FunctionTool,
    Losses,
    Message,
    Part,
    Request,
    Response,
    Signature,
    Spelling,
    Text,
    TextDelta,
    Thought,
    ThoughtDelta,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    ToolResult,
)
from dragoman.protocols.known import PROTOCOLS

CHAT = PROTOCOLS["openai-chat"].tool_names
G = Signature("gemini", "R0VN")
A = Signature("anthropic", "Q0xB")
A2 = Signature("anthropic", "Q0xBMg")
R = Signature("openai", "gAAA", "rs_1")
ASK = Message("user", (Text("x"),), "messages[0]")


def kept_of(*parts: Part) -> dict[str, Kept | None]:
    """What is kept of an answer, whole and streamed alike."""
    inward = Inward(None, set(), provider="p", seed="s")
    inward.response(Response("i", "m", (Candidate(0, parts),)))
    streamed = Inward(None, set(), provider="p", seed="s")
    events: list[Event] = []
    calls = 0
    for part in parts:
        match part:
            case Text():
                events += [TextDelta(0, part.text[:1]), TextDelta(0, part.text[1:], part.signature)]
            case Thought(redacted=str()):
                events.append(ThoughtDelta(0, "", None, part.redacted))
            case Thought():
                events += [ThoughtDelta(0, letter, raw=part.raw) for letter in part.text]
                if part.signature is not None:
                    events.append(ThoughtDelta(0, "", part.signature))
            case ToolCall():
                events.append(ToolCallStarted(0, calls, part.id, part.name, part.signature))
                events.append(ToolCallDelta(0, calls, part.arguments))
                calls += 1
    for event in events:
        assert streamed.events([event])[0].__class__ is event.__class__
    assert not streamed.ended
    streamed.events([Finished(0, Finish("tool_calls"))])
    assert streamed.ended
    assert streamed.kept == inward.kept
    return inward.kept


def back(kept: Mapping[str, Kept | None], *messages: Message, **more: bool) -> tuple[list[tuple[Part, ...]], Losses]:
    """The parts of each turn as they go out."""
    losses = Losses(Spelling({}, ".content[{}]"))
    request, _, _ = outward(Request(model="m", messages=messages), CHAT, kept.get, losses, **more)
    for message in request.messages:
        for number in range(len(message.parts)):
            assert losses.part_path(message, number)
    return [message.parts for message in request.messages], losses


# --- the four makers' ways


def test_gemini_signs_the_first_call_of_a_step() -> None:
    kept = kept_of(ToolCall("a", "f", signature=G), ToolCall("b", "g"))
    assert kept == {"a": Kept("gemini", "p", G), "b": None}
    (_, parts), _ = back(kept, ASK, Message("assistant", (ToolCall("a", "f"), ToolCall("b", "g"))))
    assert parts == (ToolCall("a", "f", signature=G), ToolCall("b", "g"))


def test_gemini_signs_the_text_before_a_call() -> None:
    kept = kept_of(Text("Let me see.", G), ToolCall("a", "f"))
    (_, parts), _ = back(kept, ASK, Message("assistant", (Text("Let me see."), ToolCall("a", "f"))))
    assert parts == (Text("Let me see.", G), ToolCall("a", "f"))
    # The text is gone: there is nothing that the signature could be of.
    (_, parts), _ = back(kept, ASK, Message("assistant", (ToolCall("a", "f"),)))
    assert parts == (ToolCall("a", "f"),)


def test_claudes_thoughts_stand_before_text_and_calls_again() -> None:
    thoughts = (Thought("hmm", A), Thought("", redacted="EncR"))
    kept = kept_of(*thoughts, Text("Ok."), ToolCall("a", "f"), ToolCall("b", "g"))
    turn = Message("assistant", (Text("Ok."), ToolCall("a", "f"), ToolCall("b", "g")), "messages[1]")
    (_, parts), losses = back(kept, ASK, turn)
    assert parts == (*thoughts, *turn.parts)
    # What was at a place is still told to be there.
    request, _, _ = outward(Request(model="m", messages=(ASK, turn)), CHAT, kept.get, losses)
    assert request.messages[1].places == (
        *("messages[1].content[1]",) * 2,
        *(f"messages[1].content[{number}]" for number in range(3)),
    )


def test_thoughts_between_text_and_call_stay_between() -> None:
    parts = (
        Thought("one", A), Text("Ok."), Thought("two", A2), ToolCall("a", "f"),
        Thought("three", A), ToolCall("b", "g"),
    )  # fmt: skip
    kept = kept_of(*parts)
    plain = tuple(part for part in parts if not isinstance(part, Thought))
    assert back(kept, ASK, Message("assistant", plain))[0][1] == parts


def test_what_the_caller_has_of_the_thoughts_gives_way_to_the_vendors_own() -> None:
    kept = kept_of(Thought("one", A), Text("Ok."), Thought("two", A2), ToolCall("a", "f"))
    turn = Message("assistant", (Thought("onetwo"), Text("Ok."), ToolCall("a", "f")))
    assert back(kept, ASK, turn)[0][1] == (Thought("one", A), Text("Ok."), Thought("two", A2), ToolCall("a", "f"))


def test_a_thought_in_a_turn_of_its_own() -> None:
    kept = kept_of(Thought("one", A), Text("Ok."), ToolCall("a", "f"))
    turns = [Message("assistant", (part,)) for part in (Thought("one"), Text("Ok."), ToolCall("a", "f"))]
    assert back(kept, ASK, *turns)[0][1:] == [(Thought("one", A),), (Text("Ok."),), (ToolCall("a", "f"),)]


def test_openais_reasoning_goes_back_with_its_id_to_the_account_that_sealed_it() -> None:
    kept = kept_of(Thought("sum", R), ToolCall("a", "f"))
    (_, parts), _ = back(kept, ASK, Message("assistant", (ToolCall("a", "f"),)))
    assert parts == (Thought("sum", R), ToolCall("a", "f"))
    assert kept["a"] is not None
    assert kept["a"].good_for("openai", "p")
    assert not kept["a"].good_for("openai", "another account")
    assert not kept["a"].good_for("anthropic", "p")


def test_raw_reasoning_before_its_signed_summary() -> None:
    kept = kept_of(Thought("raw", raw=True), Thought("sum", R), ToolCall("a", "f"))
    assert kept["a"] == Kept("openai", "p", before=(Thought("sum", R),))
    kept = kept_of(Thought("raw", R, raw=True), ToolCall("a", "f"))
    assert kept["a"] == Kept("openai", "p", before=(Thought("raw", R, raw=True),))


def test_what_nobody_signed_is_not_kept() -> None:
    assert kept_of(Thought("hmm"), Text("x"), ToolCall("a", "f")) == {"a": None}


def test_redacted_thoughts_alone_are_claudes() -> None:
    kept = kept_of(Thought("", redacted="EncR"), ToolCall("a", "f"))
    assert kept["a"] == Kept("anthropic", "p", before=(Thought("", redacted="EncR"),))


def test_what_the_caller_gave_back_itself_is_left_as_it_is() -> None:
    kept = kept_of(Thought("one", A), ToolCall("a", "f"))
    own = (Thought("mine", A2), ToolCall("a", "f"))
    assert back(kept, ASK, Message("assistant", own))[0][1] == own
    kept = kept_of(ToolCall("a", "f", signature=G))
    own = (ToolCall("a", "f", signature=Signature("gemini", "mine")),)
    assert back(kept, ASK, Message("assistant", own))[0][1] == own


def test_a_turn_that_nothing_is_known_of_is_the_same_object() -> None:
    messages = (
        ASK,
        Message("assistant", (Thought("t"), ToolCall("a", "f"))),
        Message("user", (ToolResult("a", "", "1"),)),
    )
    out, _, given = outward(Request(model="m", messages=messages), CHAT, {}.get, Losses(Spelling({}, "")))
    assert all(new is old for new, old in zip(out.messages, messages, strict=True))
    assert given == {"a"}


_thoughts = st.lists(
    st.sampled_from([Thought("one", A), Thought("two", A2), Thought("", redacted="EncR")]), max_size=2
).map(tuple)
_steps = st.lists(st.tuples(_thoughts, st.booleans(), _thoughts), min_size=1, max_size=5)


@given(_steps)
def test_a_step_of_any_shape_is_as_it_was(shapes: list[tuple[tuple[Thought, ...], bool, tuple[Thought, ...]]]) -> None:
    parts: list[Part] = []
    for number, (before, text, behind) in enumerate(shapes):
        parts += [*before, *((Text(f"t{number}"), *behind) if text else ()), ToolCall(f"c{number}", "f")]
    told = tuple(part for part in parts if not isinstance(part, Thought))
    assert back(kept_of(*parts), ASK, Message("assistant", told))[0][1] == tuple(parts)
    # And where the caller's protocol makes a turn of each part.
    turns = [Message("assistant", (part,)) for part in told]
    assert [part for turn in back(kept_of(*parts), ASK, *turns)[0][1:] for part in turn] == parts


# --- the last resort


def test_an_unsigned_step_of_the_current_turn_is_told_to_the_vendor_and_the_caller() -> None:
    step = Message("assistant", (Text("x"), ToolCall("a", "f"), ToolCall("b", "f")), "messages[1]")
    results = Message("user", (ToolResult("a", "", "1"), ToolResult("b", "", "2")))
    turns, losses = back({}, ASK, step, results, step, results, signed_calls=True)
    signed = [part.signature.data if part.signature else None for part in (*turns[1], *turns[3])]  # type: ignore[union-attr]
    assert signed == [None, SKIP, None] * 2
    assert [(loss.path, loss.harmless) for loss in losses.found] == [("messages[1].content[1]", False)] * 2


@pytest.mark.parametrize(
    ("turns", "signed"),
    [
        ((ASK, Message("assistant", (ToolCall("a", "f", signature=G), ToolCall("b", "f")))), [G, None]),
        ((ASK, Message("assistant", (ToolCall("a", "f"),)), Message("user", (ToolResult("a", "", "1"),)), ASK), [None]),
        (
            (
                ASK,
                Message("assistant", (ToolCall("a", "f", signature=G),)),
                Message("assistant", (ToolCall("b", "f"),)),
            ),
            [G, None],
        ),
        ((ASK, Message("assistant", (ToolCall("a", "f", signature=A),))), [Signature("gemini", SKIP)]),
    ],
    ids=["parallel", "an earlier turn", "one step in two turns", "a foreign one"],
)
def test_and_no_other(turns: tuple[Message, ...], signed: list[Signature | None]) -> None:
    out, _ = back({}, *turns, signed_calls=True)
    assert [part.signature for parts in out for part in parts if isinstance(part, ToolCall)] == signed


# --- memory and shelf


class Shelf:
    """Kept in a dict; `asked` are the calls looked up."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], bytes] = {}
        self.asked: list[list[str]] = []
        self.works = True

    async def put_signatures(self, owner: str, blobs: Mapping[str, bytes]) -> bool:
        self.held.update({(owner, call): blob for call, blob in blobs.items()})
        return True

    async def get_signatures(self, owner: str, calls: Sequence[str]) -> dict[str, bytes] | None:
        self.asked.append(list(calls))
        if not self.works:
            return None
        return {call: self.held[owner, call] for call in calls if (owner, call) in self.held}


KEPT = Kept("anthropic", "p", None, (Thought("t", A), Thought("", redacted="x")), (Thought("u", A2, raw=True),), None)


async def test_another_worker_finds_it_on_the_shelf() -> None:
    shelf = Shelf()
    here, there = Signatures(shelf), Signatures(shelf)
    await here.keep("team", {"a": KEPT, "b": None})
    assert here.of("team", "a") == KEPT
    assert there.of("team", "a") is None
    await there.fetch("team", ["a", "b", "c"])
    assert there.of("team", "a") == KEPT
    assert there.of("team", "b") is None
    assert there.of("other", "a") is None


async def test_the_shelf_is_asked_once() -> None:
    shelf = Shelf()
    signatures = Signatures(shelf)
    await signatures.keep("team", {"a": KEPT, "b": None})
    await signatures.fetch("team", ["a", "b"])
    assert shelf.asked == []
    await signatures.fetch("team", ["a", "c"])
    await signatures.fetch("team", ["a", "c"])
    await signatures.fetch("other", ["a"])
    assert shelf.asked == [["c"], ["a"]]


async def test_a_shelf_that_does_not_answer_is_asked_again() -> None:
    shelf = Shelf()
    shelf.works = False
    signatures = Signatures(shelf)
    await signatures.fetch("team", ["a"])
    shelf.works = True
    shelf.held["team", "a"] = b"another version's"
    await signatures.fetch("team", ["a"])
    assert shelf.asked == [["a"], ["a"]]
    assert signatures.of("team", "a") is None


async def test_ids_that_nobody_was_given_are_not_looked_up() -> None:
    """Callers may write what they like for an id, and what is known of each is held in memory."""
    shelf = Shelf()
    signatures = Signatures(shelf)
    await signatures.fetch("team", ["x" * 100_000, "a b", "a"])
    assert shelf.asked == [["a"]]


async def test_what_is_kept_while_the_shelf_is_asked_is_not_forgotten() -> None:
    class Slow(Shelf):
        async def get_signatures(self, owner: str, calls: Sequence[str]) -> dict[str, bytes] | None:
            await signatures.keep("team", {"a": KEPT})
            return {}

    signatures = Signatures(Slow())
    await signatures.fetch("team", ["a"])
    assert signatures.of("team", "a") == KEPT


async def test_memory_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dragoman.carry.signatures._MOST", 3)
    signatures = Signatures()
    for call in "abcd":
        await signatures.keep("team", {call: Kept("gemini", "p", G)})
    assert [signatures.of("team", call) is not None for call in "abcd"] == [False, True, True, True]
    await signatures.keep("team", {"b": Kept("gemini", "p", Signature("gemini", "new"))})
    await signatures.keep("team", {"e": None})
    assert [signatures.of("team", call) is not None for call in "bcd"] == [True, False, True]
    monkeypatch.setattr("dragoman.carry.signatures._MOST_BYTES", 1000)
    big = Kept("gemini", "p", Signature("gemini", "x" * 900))
    await signatures.keep("team", {"f": big})
    await signatures.keep("team", {"g": big})
    assert signatures.of("team", "f") is None
    assert signatures.of("team", "g") == big


# --- nothing to do


def test_a_request_without_tools_and_calls_is_left_alone() -> None:
    assert not carries(Request(model="m", messages=(ASK, Message("assistant", (Thought("t", A), Text("x"))))))
    assert carries(Request(model="m", messages=(ASK,), tools=(FunctionTool("f"),)))
    assert carries(Request(model="m", messages=(ASK, Message("user", (ToolResult("a", "", ""),)))))
    calls = Request(model="m", messages=(Message("assistant", (ToolCall("a", "f"), ToolCall("", "g"))),))
    assert carries(calls)
    assert history_calls(calls) == ["a"]


def test_cost_grows_linearly() -> None:
    """Counted in parts looked at, by the calls asked for."""
    asked: list[str] = []

    def recall(id: str) -> None:
        asked.append(id)

    turns = tuple(
        turn
        for number in range(2000)
        for turn in (
            Message("assistant", (Thought("t"), Text("x"), ToolCall(f"c{number}", "f"))),
            Message("user", (ToolResult(f"c{number}", "", "r"),)),
        )
    )
    outward(Request(model="m", messages=turns), CHAT, recall, Losses(Spelling({}, "")))
    assert len(asked) == 2000
