"""Calls and results in the order that the strictest vendors want."""

from hypothesis import given
from hypothesis import strategies as st

from dragoman.ir import Losses, Media, Message, Part, Spelling, Text, ToolCall, ToolResult
from dragoman.ir.turns import NO_RESULT, paired

Role = str
ASK = Message("user", (Text("?"),), "m[0]")


def told(*messages: Message) -> tuple[tuple[Message, ...], list[tuple[str, bool]]]:
    losses = Losses(Spelling({}, ".p[{}]"))
    ordered = paired(messages, losses)
    return ordered, [(loss.path, loss.harmless) for loss in losses.found]


def calls(*ids: str, origin: str = "m[1]") -> Message:
    return Message("assistant", tuple(ToolCall(ident, f"f{ident}") for ident in ids), origin)


def user(*parts: Part, origin: str = "m[2]") -> Message:
    return Message("user", parts, origin)


def test_what_is_in_order_stays_what_it_is() -> None:
    messages = (ASK, calls("1", "2"), user(ToolResult("1", "", "a"), ToolResult("2", "", "b"), Text("and")), ASK)
    ordered, losses = told(*messages)
    assert all(now is was for now, was in zip(ordered, messages, strict=True)) and losses == []
    assert told(ASK, calls("1"))[0][1] is not None and told(ASK, calls("1"))[1] == []


def test_results_of_several_turns_and_out_of_order() -> None:
    late = user(Text("by the way"), ToolResult("2", "", "b"), origin="m[2]")
    ordered, losses = told(ASK, calls("1", "2"), late, user(ToolResult("1", "f1", "a"), origin="m[3]"), ASK)
    assert losses == []
    assert [message.parts for message in ordered[2:]] == [
        (ToolResult("1", "f1", "a"), ToolResult("2", "", "b")),
        (Text("by the way"),),
        ASK.parts,
    ]
    assert ordered[2].places == ("m[3].p[0]", "m[2].p[1]") and ordered[3].places == ("m[2].p[0]",)


def test_ids_that_do_not_fit_go_by_name() -> None:
    ordered, losses = told(calls("", "x"), user(ToolResult("other", "fx", "a"), ToolResult("", "f", "b")))
    assert losses == []
    assert ordered[1].parts == (ToolResult("", "f", "b"), ToolResult("x", "fx", "a"))


def test_a_call_without_a_result() -> None:
    ordered, losses = told(calls("1", "2"), user(ToolResult("2", "", "b"), Text("go on")))
    assert ordered[1].parts == (ToolResult("1", "f1", NO_RESULT, is_error=True), ToolResult("2", "", "b"))
    assert ordered[2].parts == (Text("go on"),)
    assert losses == [("m[1].p[0]", False)]


def test_a_result_without_a_call_is_text() -> None:
    picture = Media("image/png", data="aGk=")
    twice = user(ToolResult("1", "", "a"), ToolResult("1", "", "again", media=(picture,)))
    ordered, losses = told(calls("1"), twice)
    assert [message.parts for message in ordered[1:]] == [
        (ToolResult("1", "", "a"),),
        (Text("Result of 1: again"), picture),
    ]
    assert losses == [("m[2].p[1]", False)]
    ordered, losses = told(user(ToolResult("", "g", "a")))
    assert ordered[0].parts == (Text("Result of g: a"),) and losses == [("m[2].p[0]", False)]


def test_ids_used_again_in_a_later_turn() -> None:
    first = (calls("1", "2"), user(ToolResult("2", "", "b"), ToolResult("1", "", "a")))
    ordered, losses = told(*first, calls("2", "1"), user(ToolResult("1", "", "c"), ToolResult("2", "", "d")))
    assert losses == []
    assert [part.content for message in ordered for part in message.parts if isinstance(part, ToolResult)] == [
        "a", "b", "d", "c",
    ]  # fmt: skip


_IDS = st.sampled_from(["", "1", "2", "3"])
_PARTS = st.one_of(
    st.builds(Text, st.sampled_from("ab")),
    st.builds(ToolResult, _IDS, st.sampled_from(["", "f", "g"]), st.just("r")),
)
_MESSAGES = st.lists(
    st.one_of(
        st.builds(Message, st.just("user"), st.lists(_PARTS, min_size=1, max_size=3).map(tuple), st.just("m")),
        st.builds(
            Message,
            st.just("assistant"),
            st.lists(st.builds(ToolCall, _IDS, st.sampled_from("fg")), min_size=1, max_size=3).map(tuple),
            st.just("m"),
        ),
    ),
    max_size=8,
).map(tuple)


@given(_MESSAGES)
def test_any_conversation_fits_the_strictest(messages: tuple[Message, ...]) -> None:
    losses = Losses(Spelling({}, ".p[{}]"))
    ordered = paired(messages, losses)
    open_calls: list[str] = []
    for number, message in enumerate(ordered):
        results = [part.call_id for part in message.parts if isinstance(part, ToolResult)]
        if message.role == "assistant":
            open_calls += [part.id for part in message.parts if isinstance(part, ToolCall)]
            continue
        assert results == (open_calls if number else [])
        assert all(isinstance(part, ToolResult) for part in message.parts[: len(results)])
        open_calls = []
    again = Losses(Spelling({}, ".p[{}]"))
    assert [message.parts for message in paired(ordered, again)] == [message.parts for message in ordered]
    assert again.found == []
    kept = sum(isinstance(part, ToolCall | Text | ToolResult) for message in messages for part in message.parts)
    invented = sum(
        part.content == NO_RESULT for message in ordered for part in message.parts if isinstance(part, ToolResult)
    )
    assert sum(len(message.parts) for message in ordered) == kept + invented
