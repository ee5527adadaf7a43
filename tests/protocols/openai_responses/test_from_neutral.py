"""What the neutral language can say that no vendor of this protocol says: signatures of others, late citations, blocks."""

import json
from typing import Any

import pytest

from dragoman.catalog.profile import profile_for
from dragoman.ir import (
    BadRequest,
    Block,
    Blocked,
    BuiltinTool,
    Candidate,
    Citation,
    CitationAdded,
    CodeCall,
    CodeResult,
    Event,
    Failed,
    FetchCall,
    FetchResult,
    Finish,
    Finished,
    Losses,
    Media,
    Message,
    Opaque,
    OutputFormat,
    Overloaded,
    PartAdded,
    Reasoning,
    RefusalDelta,
    Request,
    Response,
    Sampling,
    SearchCall,
    SearchResult,
    Signature,
    Source,
    Started,
    Text,
    TextDelta,
    Thought,
    ThoughtDelta,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    ToolResult,
    Usage,
    UsageReported,
)
from dragoman.protocols.base import Route, Stamp
from dragoman.protocols.openai_responses import PROTOCOL
from dragoman.wire.envelope import seal, unseal

ROUTE = Route("generate")
STAMP = Stamp("resp_0123456789abcdefghjkmnpqrs", 1, "m")
GEMINI = Signature("gemini", "R0VN")
CLAUDE = Signature("anthropic", "Q0xB")
OPENAI = Signature("openai", "gAAA", "rs_68")
ASKED = PROTOCOL.read_request(b'{"model":"m","input":"Hi","tools":[{"type":"custom","name":"sql"}]}', ROUTE)
STOP = Finish("stop")


def whole(*parts: Any, finish: Finish | None = STOP, **more: Any) -> tuple[dict[str, Any], Losses]:
    losses = Losses(PROTOCOL.spelling)
    block = more.pop("block", None)
    candidates = () if block is not None else (Candidate(0, parts, finish, **more),)
    response = Response("v", "m", candidates, Usage(3, 4), block)
    return json.loads(PROTOCOL.write_response(response, ASKED, STAMP, losses)), losses


def streamed(*events: Event) -> tuple[list[dict[str, Any]], Losses]:
    """The stream's events, the same however they are handed in."""
    one = PROTOCOL.stream_writer(ASKED, STAMP, ROUTE)
    at_once = one.write([Started("v", "m"), *events]) + one.end()
    writer = PROTOCOL.stream_writer(ASKED, STAMP, ROUTE)
    out = b"".join(writer.write([event]) for event in (Started("v", "m"), *events)) + writer.end()
    assert at_once == out
    assert writer.write([TextDelta(0, "late")]) == writer.end() == b""
    told = [json.loads(event.partition(b"data: ")[2]) for event in out.split(b"\n\n")[:-1]]
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    begun: dict[int, str] = {}
    done: dict[int, Any] = {}
    for event in told:
        if event["type"] == "response.output_item.added":
            assert event["output_index"] == len(begun)
            begun[event["output_index"]] = event["item"]["id"]
            assert len(event["item"]["id"]) <= 40
        elif event["type"] == "response.output_item.done":
            assert begun[event["output_index"]] == event["item"]["id"]
            done[event["output_index"]] = event["item"]
        elif "item_id" in event:
            assert begun[event["output_index"]] == event["item_id"]
    last = told[-1]["response"]
    if last["status"] != "failed":
        assert [done[at] for at in range(len(begun))] == last["output"]
    return told, writer.losses


def output(*events: Event) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = streamed(*events)[0][-1]["response"]["output"]
    return found


def back(items: list[dict[str, Any]]) -> tuple[Any, ...]:
    """What a caller's next request says of them."""
    body = json.dumps({"model": "m", "input": [{"role": "user", "content": "Hi"}, *items]}).encode()
    return PROTOCOL.read_request(body, ROUTE).messages[1].parts


SIGNED = [
    (
        (ToolCall("c", "f", '{"a":1}', GEMINI),),
        [ToolCallStarted(0, 0, "c", "f", GEMINI), ToolCallDelta(0, 0, '{"a":1}')],
    ),
    ((Text("Hello", GEMINI),), [TextDelta(0, "Hello", GEMINI)]),
    ((Text("Hello"), Text("", GEMINI)), [TextDelta(0, "Hel"), TextDelta(0, "lo"), TextDelta(0, "", GEMINI)]),
    ((Text("", GEMINI),), [TextDelta(0, "", GEMINI)]),
    (
        (Text("Hello"), Text("", GEMINI), ToolCall("c", "f", "{}")),
        [TextDelta(0, "Hello"), TextDelta(0, "", GEMINI), ToolCallStarted(0, 0, "c", "f")],
    ),
    (
        (Thought("Hm.", CLAUDE), ToolCall("c", "f", "{}"), ToolCall("d", "g", "{}")),
        [
            ThoughtDelta(0, "Hm"),
            ThoughtDelta(0, "."),
            ThoughtDelta(0, "", CLAUDE),
            ToolCallStarted(0, 0, "c", "f"),
            ToolCallStarted(0, 1, "d", "g"),
        ],
    ),
    ((Thought("", CLAUDE), Text("x")), [ThoughtDelta(0, "", CLAUDE), TextDelta(0, "x")]),
    ((Thought("", redacted="UkVE"), Text("x")), [ThoughtDelta(0, "", redacted="UkVE"), TextDelta(0, "x")]),
    ((Thought("Hm.", OPENAI), Text("x")), [ThoughtDelta(0, "Hm."), ThoughtDelta(0, "", OPENAI), TextDelta(0, "x")]),
    ((Thought("Raw.", raw=True), Text("x")), [ThoughtDelta(0, "Raw.", raw=True), TextDelta(0, "x")]),
    ((Thought("A."), Text("x"), Thought("B."), Text("y")), None),
    (
        (Thought("Hm."), ToolCall("c", "f", "{}", GEMINI)),
        [ThoughtDelta(0, "Hm."), ToolCallStarted(0, 0, "c", "f", GEMINI)],
    ),
    (
        (Media("image/png", "iVBORw0KGgo=", signature=GEMINI), Text("There")),
        [PartAdded(0, Media("image/png", "iVBORw0KGgo=", signature=GEMINI)), TextDelta(0, "There")],
    ),
]


@pytest.mark.parametrize(("parts", "events"), SIGNED)
def test_signatures_survive_the_caller(parts: tuple[Any, ...], events: list[Event] | None) -> None:
    items = whole(*parts)[0]["output"]
    assert back(items) == parts
    if events is not None:
        assert back(output(*events, Finished(0, STOP))) == parts


def test_a_seal_says_whose_it_is() -> None:
    (item, _) = whole(ToolCall("c", "f", "{}", GEMINI))[0]["output"]
    assert (item["type"], item["summary"]) == ("reasoning", [])
    assert unseal(item["encrypted_content"]) == GEMINI
    (item, _) = whole(Thought("Hm.", OPENAI), Text("x"))[0]["output"]
    assert (item["id"], item["encrypted_content"]) == ("rs_68", "gAAA")


def test_ids() -> None:
    told, _ = whole(Text("a"), ToolCall("", "f"), Text("b"), CodeCall("1"))
    ids = [item["id"] for item in told["output"]]
    assert [id.partition("_")[0] for id in ids] == ["msg", "fc", "msg", "ci"]
    assert len(set(ids)) == 4 and max(map(len, ids)) <= 40
    assert told["output"][1]["call_id"].startswith("call_")


@pytest.mark.parametrize(
    ("finish", "status", "details", "native"),
    [
        (None, "completed", None, None),
        (STOP, "completed", None, None),
        (Finish("stop_sequence", stop_sequence="x"), "completed", None, None),
        (Finish("tool_calls"), "completed", None, None),
        (Finish("length"), "incomplete", {"reason": "max_output_tokens"}, None),
        (Finish("context_window"), "incomplete", {"reason": "max_output_tokens"}, None),
        (Finish("content_filter", "SAFETY"), "incomplete", {"reason": "content_filter"}, None),
        (Finish("malformed_call", "MALFORMED_FUNCTION_CALL"), "completed", None, "MALFORMED_FUNCTION_CALL"),
        (Finish("pause", "pause_turn"), "completed", None, "pause_turn"),
        (Finish("other"), "completed", None, "other"),
    ],
)
def test_ends(finish: Finish | None, status: str, details: Any, native: str | None) -> None:
    ending = [] if finish is None else [Finished(0, finish)]
    told = streamed(TextDelta(0, "x"), *ending, UsageReported(Usage(3, 4)))[0][-1]
    assert told["type"] == f"response.{status}"
    for response in (whole(Text("x"), finish=finish)[0], told["response"]):
        assert (response["status"], response["incomplete_details"]) == (status, details)
        assert response.get("native_finish_reason") == native
        assert response["output"][0]["status"] == status
        assert response["usage"]["total_tokens"] == 7


def test_a_refusal() -> None:
    refused = Finish("refusal", message="Not that.")
    for response in (whole(finish=refused)[0], streamed(Finished(0, refused))[0][-1]["response"]):
        assert (response["status"], response["incomplete_details"]["reason"]) == ("incomplete", "content_filter")
        assert response["output"][0]["content"] == [{"type": "refusal", "refusal": "Not that."}]
    # What was said already is not said twice.
    told = output(TextDelta(0, "Well. "), RefusalDelta(0, "No."), Finished(0, refused))
    assert [part["type"] for part in told[0]["content"]] == ["output_text", "refusal"]


def test_a_blocked_prompt() -> None:
    block = Block("safety", "SAFETY", "no")
    for response in (whole(block=block)[0], streamed(Blocked(block))[0][-1]["response"]):
        assert response["status"] == "incomplete"
        assert response["incomplete_details"] == {"reason": "content_filter", "message": "no"}
        assert (response["output"], response["native_finish_reason"]) == ([], "SAFETY")


def test_citations() -> None:
    cited = Citation("https://e.com", 7, 12, "E")
    expected = {"type": "url_citation", "start_index": 1, "end_index": 6, "url": "https://e.com", "title": "E"}
    told, losses = whole(Text("Hello "), ToolCall("c", "f"), Text(" world"), citations=(cited,))
    assert told["output"][2]["content"][0]["annotations"] == [expected]
    assert not losses.found
    events, losses = streamed(
        TextDelta(0, "Hello "), ToolCallStarted(0, 0, "c", "f"), TextDelta(0, " world"), CitationAdded(0, cited)
    )
    (added,) = [event for event in events if event["type"] == "response.output_text.annotation.added"]
    assert (added["annotation"], added["output_index"], added["annotation_index"]) == (expected, 2, 0)
    assert events[-1]["response"]["output"][2]["content"][0]["annotations"] == [expected]
    assert not losses.found
    # Of words that were told and closed nothing more can be said.
    _, losses = streamed(TextDelta(0, "Hello"), ToolCallStarted(0, 0, "c", "f"), CitationAdded(0, Citation("u", 0, 5)))
    assert [loss.path for loss in losses.found] == ["output"]


def test_deeds() -> None:
    parts = (
        CodeCall("print(1)"),
        CodeResult("1\n"),
        CodeResult("alone", "timeout"),
        SearchCall(("a", "b")),
        SearchResult((Source("https://e.com", "E"),)),
        FetchCall("https://e.com"),
        FetchResult(Source("https://e.com"), content="words"),
        SearchCall(("c",)),
        Opaque("gemini", {}, "hologram"),
    )
    told, losses = whole(*parts)
    items = told["output"]
    assert [(item["type"], item["status"]) for item in items] == [
        ("code_interpreter_call", "completed"),
        ("code_interpreter_call", "failed"),
        ("web_search_call", "completed"),
        ("web_search_call", "completed"),
        ("web_search_call", "completed"),
    ]
    assert items[0]["outputs"] == [{"type": "logs", "logs": "1\n"}]
    assert (items[1]["code"], items[1]["outputs"]) == (None, [{"type": "logs", "logs": "alone"}])
    assert items[2]["action"] == {
        "type": "search",
        "query": "a",
        "queries": ["a", "b"],
        "sources": [{"type": "url", "url": "https://e.com"}],
    }
    assert items[3]["action"] == {"type": "open_page", "url": "https://e.com"}
    assert [loss.harmless for loss in losses.found] == [True, False]
    assert output(*(PartAdded(0, part) for part in parts)) == items


def test_calls_in_pieces() -> None:
    items = output(
        ToolCallStarted(0, 0, "a", "f"),
        ToolCallStarted(0, 1, "b", "sql"),
        ToolCallDelta(0, 0, '{"x"'),
        ToolCallDelta(0, 1, '{"input":"sel'),
        ToolCallDelta(0, 0, ":1}"),
        ToolCallDelta(0, 1, 'ect 1"}'),
        ToolCallDelta(0, 7, "nobody's"),
        ToolCallStarted(0, 2, "c", "g"),
        Finished(0, Finish("tool_calls")),
    )
    assert [item.get("arguments", item.get("input")) for item in items] == ['{"x":1}', "select 1", "{}"]
    assert [item["type"] for item in items] == ["function_call", "custom_tool_call", "function_call"]
    cut = output(ToolCallStarted(0, 0, "a", "f"), ToolCallDelta(0, 0, '{"x"'), Finished(0, Finish("length")))
    assert (cut[0]["arguments"], cut[0]["status"]) == ('{"x"', "incomplete")


def test_a_second_answer_has_no_place() -> None:
    _, losses = streamed(TextDelta(0, "a"), TextDelta(1, "b"), Finished(0, STOP), Finished(1, STOP))
    assert {loss.path for loss in losses.found} == {"output[1]"}


def test_failing() -> None:
    events, _ = streamed(ThoughtDelta(0, "Hm"), Failed(Overloaded("Full.", retry_after=1.0)))
    assert [event["type"] for event in events[-2:]] == ["error", "response.failed"]
    assert events[-2]["error"] == {
        "message": "Full.", "type": "server_error", "param": None, "code": "service_unavailable",
    }  # fmt: skip
    failed = events[-1]["response"]
    assert (failed["status"], failed["error"]["message"]) == ("failed", "Full.")
    assert failed["output"][0]["summary"] == [{"type": "summary_text", "text": "Hm"}]


def test_nothing_is_told_before_the_answer_says_something() -> None:
    writer = PROTOCOL.stream_writer(ASKED, STAMP, ROUTE)
    assert writer.write([Started("v", "m", service_tier="standard"), UsageReported(Usage(1, 0))]) == b""
    first = writer.write([TextDelta(0, "x")])
    assert json.loads(first.split(b"\n\n")[0].partition(b"data: ")[2])["response"]["service_tier"] == "default"


# --- towards a vendor


def ask(*messages: Message, model: str = "gpt-5.4", **more: Any) -> tuple[dict[str, Any], Losses]:
    losses = Losses(PROTOCOL.spelling)
    request = Request(model, messages or (Message("user", (Text("Hi"),)),), **more)
    out = PROTOCOL.write_request(request, model, profile_for("openai-responses", model), losses)
    return json.loads(out.body), losses


def test_reasoning_goes_to_its_maker_before_what_it_led_to() -> None:
    history = (
        Message("user", (Text("Hi"),)),
        Message("assistant", (Thought("Hm.", OPENAI), Thought("Hm.", CLAUDE), ToolCall("c", "f"))),
        Message("user", (ToolResult("c", "f", "1"),)),
        Message("assistant", (Text("Yes", OPENAI), ToolCall("d", "g", "{}", OPENAI), Thought("So.", OPENAI))),
        Message("user", (ToolResult("d", "g", "2"),)),
    )
    body, losses = ask(*history)
    kinds = [item.get("type", item.get("role")) for item in body["input"]]
    assert kinds == [
        "user", "reasoning", "function_call", "function_call_output",
        "reasoning", "assistant", "reasoning", "function_call", "function_call_output",
    ]  # fmt: skip
    assert body["input"][1] == {
        "type": "reasoning",
        "id": "rs_68",
        "summary": [{"type": "summary_text", "text": "Hm."}],
        "encrypted_content": "gAAA",
    }
    assert body["include"] == ["reasoning.encrypted_content"]
    assert [loss.harmless for loss in losses.found] == [True, True]


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"sampling": Sampling(stop=("x",))}, "stop"),
        ({"sampling": Sampling(candidate_count=2)}, "candidate_count"),
        ({"modalities": ("audio",)}, "modalities"),
        ({"tools": (BuiltinTool("url_context", None, "tools[0]"),)}, "tools[0]"),
        ({"tools": (BuiltinTool("file_search", {"fileSearchStoreNames": ["x"]}, "tools[0]"),)}, "tools[0]"),
    ],
)
def test_what_cannot_be_asked(more: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        ask(**more)
    assert refused.value.param == param


def test_what_has_no_place() -> None:
    sampling = Sampling(seed=1, top_k=3, presence_penalty=0.0, frequency_penalty=0.5, logit_bias={"1": 2.0})
    body, losses = ask(sampling=sampling, model="gpt-4o")
    assert [loss.path for loss in losses.found] == ["top_k", "seed", "frequency_penalty", "logit_bias"]
    assert body.keys() == {"model", "input", "store"}


def test_results_without_ids() -> None:
    body, _ = ask(
        Message("user", (Text("Hi"),)),
        Message("assistant", (ToolCall("", "f"), ToolCall("", "g"))),
        Message("user", (ToolResult("", "g", "2"), ToolResult("", "f", "1"))),
    )
    calls = {item["name"]: item["call_id"] for item in body["input"] if item.get("type") == "function_call"}
    results = {item["call_id"]: item["output"] for item in body["input"] if item.get("type") == "function_call_output"}
    assert results == {calls["f"]: "1", calls["g"]: "2"}


def test_every_call_has_its_output_and_every_output_its_call() -> None:
    body, losses = ask(
        Message("user", (Text("Hi"),), "input[0]"),
        Message("assistant", (ToolCall("a", "f"), ToolCall("b", "f")), "input[1]"),
        Message("user", (ToolResult("b", "", "2"), ToolResult("z", "", "3"), Text("More")), "input[3]"),
    )
    assert body["input"][3:] == [
        {"type": "function_call_output", "call_id": "a", "output": "No result was given."},
        {"type": "function_call_output", "call_id": "b", "output": "2"},
        {"role": "user", "content": [
            {"type": "input_text", "text": "Result of z: 3"},
            {"type": "input_text", "text": "More"},
        ]},
    ]  # fmt: skip
    assert len(losses.found) == 2 and not any(loss.harmless for loss in losses.found)


def test_thinking() -> None:
    assert ask(reasoning=Reasoning(budget=2000, include_thoughts=True))[0]["reasoning"] == {
        "effort": "medium",
        "summary": "auto",
    }
    assert "reasoning" not in ask(reasoning=Reasoning(budget=-1))[0]
    body, losses = ask(reasoning=Reasoning(effort="high"), model="gpt-4o")
    assert "reasoning" not in body and [loss.path for loss in losses.found] == ["reasoning.effort"]


def test_json_must_be_in_the_input() -> None:
    body, _ = ask(system=(Text("Speak JSON."),), format=OutputFormat("json"))
    assert body["input"][0] == {"role": "developer", "content": "Answer in JSON."}
    body, _ = ask(Message("user", (Text("Some json"),)), format=OutputFormat("json"))
    assert len(body["input"]) == 1


def test_a_callers_seal_is_not_the_vendors() -> None:
    """An envelope that came in an answer goes to its maker opened."""
    item = {"type": "reasoning", "id": "rs_x", "summary": [], "encrypted_content": seal(OPENAI)}
    parts = back([item, {"role": "assistant", "content": "x"}])
    assert parts == (Thought("", OPENAI), Text("x"))


def test_an_answer_in_several_turns() -> None:
    """As Google's client for JavaScript sends back what was streamed to it: a turn for each piece."""
    made = Signature("openai", "gAAAA", id="rs_1")
    turns = (
        Message("user", (Text("Hi"),)),
        Message("assistant", (Thought("I look.", made),)),
        Message("assistant", ()),
        Message("assistant", (ToolCall("c1", "f", "{}"),)),
        Message("assistant", (ToolCall("c2", "f", "{}"),)),
        Message("assistant", (Text(""),)),
        Message("tool", (ToolResult("c2", "f", "2"), ToolResult("c1", "f", "1"))),
        Message("assistant", (Thought("Nothing.", made),)),
        Message("user", (Text("So?"),)),
    )
    losses = Losses(PROTOCOL.spelling)
    profile = profile_for("openai-responses", "gpt-5.4")
    outgoing = PROTOCOL.write_request(Request("m", turns), "gpt-5.4", profile, losses)
    items = json.loads(outgoing.body)["input"]
    assert [item.get("type", item.get("role")) for item in items] == [
        "user", "reasoning", "function_call", "function_call", "function_call_output", "function_call_output", "user"
    ]  # fmt: skip
    assert [item["call_id"] for item in items[2:6]] == ["c1", "c2", "c1", "c2"]
    assert [loss.why for loss in losses.found] == ["Reasoning that led to nothing is not sent back."]
