"""What an answer rests on: read as citations and searches, and written as Google tells them."""

import json
from typing import Any

import pytest

from dragoman.ir import (
    Candidate,
    Citation,
    CitationAdded,
    CodeCall,
    Extra,
    FetchCall,
    FetchResult,
    Finish,
    Finished,
    Losses,
    PartAdded,
    Response,
    SearchCall,
    SearchResult,
    Source,
    Text,
    TextDelta,
)
from dragoman.protocols.base import Route, Stamp
from dragoman.protocols.gemini import PROTOCOL

PAGE = {"web": {"uri": "https://e.com", "title": "E"}}
REQUEST = PROTOCOL.read_request(b'{"contents":[{"parts":[{"text":"x"}]}]}', Route("generate", "m", False))


def read(*texts: str, **meta: Any) -> Candidate:
    parts = [{"text": text} for text in texts]
    body = {"candidates": [{"content": {"parts": parts, "role": "model"}, "finishReason": "STOP", **meta}]}
    return PROTOCOL.read_response(json.dumps(body).encode()).candidates[0]


def write(candidate: Candidate) -> tuple[dict[str, Any], list[str]]:
    losses = Losses(PROTOCOL.spelling)
    body = PROTOCOL.write_response(Response("v", "m", (candidate,)), REQUEST, Stamp("id", 1, "m"), losses)
    told: dict[str, Any] = json.loads(body)["candidates"][0]
    return told, [loss.path for loss in losses.found]


def grounded(*texts: str, chunks: Any = (PAGE,), supports: Any = (), **rest: Any) -> Candidate:
    return read(*texts, groundingMetadata={"groundingChunks": chunks, "groundingSupports": supports, **rest})


def support(start: Any, end: Any, words: Any, *numbers: Any, **segment: Any) -> Any:
    told = {"startIndex": start, "endIndex": end, "text": words, **segment}
    return {"segment": told, "groundingChunkIndices": list(numbers)}


def cited(candidate: Candidate) -> list[tuple[str, str]]:
    said = "".join(part.text for part in candidate.parts if isinstance(part, Text))
    return [(said[one.start : one.end], one.url) for one in candidate.citations]


def test_bytes_become_characters() -> None:
    candidate = grounded("é 🗼 tower", supports=[support(3, 7, "🗼", 0)])
    assert cited(candidate) == [("🗼", "https://e.com")] and candidate.extras == ()


@pytest.mark.parametrize("numbers", [(0, 5), (90, 95), (5, 2), ("a", None)])
def test_words_decide_where_numbers_do_not_fit(numbers: Any) -> None:
    assert cited(grounded("so the tower", supports=[support(*numbers, "tower", 0)])) == [("tower", "https://e.com")]


def test_numbers_are_those_of_the_part() -> None:
    candidate = grounded("so", " the tower", supports=[support(5, 10, "tower", 0, partIndex=1)])
    assert cited(candidate) == [("tower", "https://e.com")]
    assert write(candidate)[0]["groundingMetadata"]["groundingSupports"] == [support(5, 10, "tower", 0, partIndex=1)]


@pytest.mark.parametrize(
    "odd",
    [None, [], {}, {"segment": {}}, {"segment": {"text": "b"}}, support(0, 1, "b", 0), support(0, 1, "a", 7, "x", -1)],
)
def test_what_cannot_be_placed_cites_nothing(odd: Any) -> None:
    assert grounded("a", supports=[odd]).citations == ()
    assert grounded("a", chunks=None, supports=[odd]).citations == ()


def test_a_support_without_a_place_is_kept() -> None:
    candidate = grounded("a", supports=[support(0, 1, "b", 0)])
    assert write(candidate)[0]["groundingMetadata"]["groundingSupports"] == [support(0, 1, "b", 1)]


def test_sources_of_other_kinds() -> None:
    chunks = [{"retrievedContext": {"uri": "gs://b/c", "title": "c", "text": "said"}}, {"maps": {"uri": "https://m"}}]
    candidate = grounded("a", chunks=[*chunks, {"web": {}}, 7], supports=[support(0, 1, "a", 0, 1, 2, 3)])
    assert cited(candidate) == [("a", "gs://b/c"), ("a", "https://m")]
    assert [one.quoted for one in candidate.citations] == ["said", ""]
    assert not any(isinstance(part, SearchCall) for part in candidate.parts)
    told = write(candidate)[0]["groundingMetadata"]
    assert told["groundingChunks"] == [*chunks, {"web": {}}, 7]


def test_searches_stand_before_the_text_that_rests_on_them() -> None:
    candidate = grounded("a", webSearchQueries=["q", "r"], searchEntryPoint={"renderedContent": "<b>"})
    assert candidate.parts[:2] == (SearchCall(("q", "r")), SearchResult((Source("https://e.com", "E"),)))
    (kept,) = candidate.extras
    assert kept.value == {"searchEntryPoint": {"renderedContent": "<b>"}} and kept.harmless
    told, losses = write(candidate)
    assert losses == []
    assert told["groundingMetadata"] == {
        "webSearchQueries": ["q", "r"],
        "groundingChunks": [PAGE],
        "searchEntryPoint": {"renderedContent": "<b>"},
    }


def test_pages_that_were_read() -> None:
    status = "URL_RETRIEVAL_STATUS_"
    pages = [
        {"retrievedUrl": "https://a", "urlRetrievalStatus": status + "SUCCESS"},
        {"retrievedUrl": "https://b", "urlRetrievalStatus": status + "PAYWALL"},
    ]
    candidate = read("a", urlContextMetadata={"urlMetadata": pages})
    assert candidate.parts[:4] == (
        FetchCall("https://a"),
        FetchResult(Source("https://a")),
        FetchCall("https://b"),
        FetchResult(Source("https://b"), error="paywall"),
    )
    assert write(candidate)[0]["urlContextMetadata"] == {"urlMetadata": pages}


def test_works_that_are_recited() -> None:
    works = [{"startIndex": 3, "endIndex": 7, "uri": "https://w", "license": "mit"}, {"license": "x"}]
    candidate = read("é 🗼 tower", citationMetadata={"citationSources": works})
    assert cited(candidate) == [("🗼", "https://w")]
    assert write(candidate)[0]["citationMetadata"] == {"citationSources": works}


def test_a_foreign_answer() -> None:
    foreign = Extra("anthropic", "encrypted_index", "e", "content[1].citations[0].encrypted_index", harmless=True)
    parts = (
        SearchCall(("q",), "s1"),
        SearchResult((Source("https://e.com", "E"),), "s1"),
        Text("I think: "),
        CodeCall("1"),
        Text("the 🗼 is high"),
    )
    citations = (
        Citation("https://e.com", 13, 14, "E", extras=(foreign,)),
        Citation("https://n.com", 13, 14, quoted="it is"),
    )
    told, losses = write(Candidate(0, parts, Finish("stop"), citations=citations))
    assert [list(part) for part in told["content"]["parts"]] == [["text"], ["executableCode"], ["text"]]
    assert told["groundingMetadata"] == {
        "webSearchQueries": ["q"],
        "groundingChunks": [PAGE, {"web": {"uri": "https://n.com"}}],
        "groundingSupports": [
            {
                "segment": {"partIndex": 2, "startIndex": 4, "endIndex": 8, "text": "🗼"},
                "groundingChunkIndices": [0, 1],
            }
        ],
    }
    assert losses == ["content[1].citations[0].encrypted_index", "candidates[0].groundingMetadata"]


@pytest.mark.parametrize("name", ["groundingMetadata", "citationMetadata", "urlContextMetadata"])
@pytest.mark.parametrize("odd", [1, "x", [1], {"groundingChunks": 1}, {"urlMetadata": [{}]}, {"citations": [None]}])
def test_odd_ones_are_kept(name: str, odd: Any) -> None:
    assert read("a", **{name: odd}).citations == ()


def test_a_stream_rests_on_pages_once_it_is_whole() -> None:
    def chunk(text: str, **rest: Any) -> bytes:
        candidate = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0, **rest}
        return b"data: " + json.dumps({"candidates": [candidate]}).encode() + b"\r\n\r\n"

    meta = {"webSearchQueries": ["q"], "groundingChunks": [PAGE]}
    data = (
        chunk("é 🗼")
        + chunk(" and a", groundingMetadata={"searchEntryPoint": {"renderedContent": "<b>"}})
        + chunk(" tower", groundingMetadata=meta)
        + chunk(
            "",
            finishReason="STOP",
            groundingMetadata={"groundingSupports": [support(3, 7, "🗼", 0), support(14, 19, "tower", 0)]},
        )
    )
    reader = PROTOCOL.stream_reader()
    events = [*reader.feed(data), *reader.end()]
    assert [event.part for event in events if isinstance(event, PartAdded)] == [
        SearchCall(("q",)),
        SearchResult((Source("https://e.com", "E"),)),
    ]
    said = "".join(event.text for event in events if isinstance(event, TextDelta))
    cited = [event.citation for event in events if isinstance(event, CitationAdded)]
    assert [said[one.start : one.end] for one in cited] == ["🗼", "tower"]
    assert isinstance(events[-1], Finished)
    writer = PROTOCOL.stream_writer(REQUEST, Stamp("id", 1, "m"), Route("generate", "m", True))
    last = json.loads((writer.write(events) + writer.end()).split(b"\r\n\r\n")[-2][6:])["candidates"][0]
    assert last["groundingMetadata"] == {
        **meta,
        "groundingSupports": [support(3, 7, "🗼", 0), support(14, 19, "tower", 0)],
        "searchEntryPoint": {"renderedContent": "<b>"},
    }
    assert writer.losses.found == []
