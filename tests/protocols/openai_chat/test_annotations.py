"""Citations both ways: places are those of `content`, which holds code that a vendor ran too."""

import json
from typing import Any

from dragoman.ir import (
    Candidate,
    Citation,
    CitationAdded,
    CodeCall,
    Event,
    FetchCall,
    FetchResult,
    Finish,
    Finished,
    Losses,
    Part,
    PartAdded,
    Response,
    SearchCall,
    SearchResult,
    Source,
    Text,
    TextDelta,
)
from dragoman.protocols.base import Route, Stamp
from dragoman.protocols.openai_chat import PROTOCOL

REQUEST = PROTOCOL.read_request(b'{"model":"m","messages":[{"role":"user","content":"x"}]}', Route("generate"))


def write(*parts: Part, citations: tuple[Citation, ...] = ()) -> tuple[dict[str, Any], list[bool]]:
    losses = Losses(PROTOCOL.spelling)
    response = Response("v", "m", (Candidate(0, parts, Finish("stop"), citations=citations),))
    body = PROTOCOL.write_response(response, REQUEST, Stamp("id", 1, "m"), losses)
    message: dict[str, Any] = json.loads(body)["choices"][0]["message"]
    return message, [loss.harmless for loss in losses.found]


def words(message: dict[str, Any]) -> list[tuple[str, str]]:
    cited = [one["url_citation"] for one in message["annotations"]]
    return [(message["content"][one["start_index"] : one["end_index"]], one["url"]) for one in cited]


def test_code_between_texts_moves_places() -> None:
    citations = (Citation("u1", 0, 3, "t"), Citation("u2", 4, 9), Citation("u3", 0, 9))
    message, losses = write(Text("one "), CodeCall("print(1)"), Text("zwölf"), citations=citations)
    assert words(message) == [("one", "u1"), ("zwölf", "u2"), (message["content"], "u3")] and losses == []


def test_a_search_is_told_by_its_citations() -> None:
    search = (SearchCall(("q",)), SearchResult((Source("u"),)))
    message, losses = write(*search, Text("a"), citations=(Citation("u", 0, 1),))
    assert words(message) == [("a", "u")] and losses == [True]
    message, losses = write(*search, Text("a"))
    assert "annotations" not in message and losses == [False]
    message, losses = write(FetchCall("u"), FetchResult(Source("u")), Text("a"))
    assert losses == [True]


def test_read_and_written_again() -> None:
    kept: list[Any] = [{"type": "file_citation", "file_citation": {"file_id": "f"}}, 7]
    cited = {"type": "url_citation", "url_citation": {"start_index": 0, "end_index": 1, "url": "u", "title": "t"}}
    kept += [{**cited, "url_citation": {"url": 5}}, {"type": "url_citation", "url_citation": {"url": "u"}}]
    body = {"choices": [{"message": {"content": "ab", "annotations": [cited, *kept]}, "finish_reason": "stop"}]}
    candidate = PROTOCOL.read_response(json.dumps(body).encode()).candidates[0]
    assert candidate.citations == (Citation("u", 0, 1, "t"),)
    losses = Losses(PROTOCOL.spelling)
    written = PROTOCOL.write_response(Response("v", "m", (candidate,)), REQUEST, Stamp("id", 1, "m"), losses)
    assert json.loads(written)["choices"][0]["message"]["annotations"] == [cited, *kept]
    assert losses.found == []


def test_a_stream_tells_its_citations_together() -> None:
    asked = (
        b'{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"type":"code_interpreter"}],"stream":true}'
    )
    request = PROTOCOL.read_request(asked, Route("generate"))
    writer = PROTOCOL.stream_writer(request, Stamp("id", 1, "m"), Route("generate", None, True))
    events: list[Event] = [
        PartAdded(0, SearchCall(("q",))),
        PartAdded(0, SearchResult((Source("u1"),))),
        TextDelta(0, "one "),
        PartAdded(0, CodeCall("print(1)")),
        TextDelta(0, "zwölf"),
        CitationAdded(0, Citation("u1", 0, 3)),
        CitationAdded(0, Citation("u2", 4, 9)),
        Finished(0, Finish("stop")),
    ]
    written = b"".join(writer.write([event]) for event in events) + writer.end()
    chunks = [json.loads(line[6:]) for line in written.split(b"\n\n") if line.startswith(b"data: {")]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    content = "".join(delta.get("content") or "" for delta in deltas)
    (annotations,) = [delta["annotations"] for delta in deltas if "annotations" in delta]
    assert words({"content": content, "annotations": annotations}) == [("one", "u1"), ("zwölf", "u2")]
    assert [loss.harmless for loss in writer.losses.found] == [True]
    reader = PROTOCOL.stream_reader()
    again = [event for event in [*reader.feed(written), *reader.end()] if isinstance(event, CitationAdded)]
    assert [event.citation.url for event in again] == ["u1", "u2"]
