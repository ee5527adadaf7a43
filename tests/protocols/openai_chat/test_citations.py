"""Grounding as annotations: places in characters, whatever Google's numbers are."""

from typing import Any

import pytest

from dragoman.ir import Extra, Losses
from dragoman.protocols.openai_chat.citations import annotations_of, is_grounding
from dragoman.protocols.openai_chat.spelling import SPELLING

PATH = "candidates[0].groundingMetadata"
PAGE = {"web": {"uri": "https://e.com", "title": "E"}}


def cited(content: str, chunks: Any, *supports: Any, **rest: Any) -> tuple[list[tuple[str, str]], list[bool]]:
    """The words and the page of each citation; whether each loss is harmless."""
    losses = Losses(SPELLING)
    meta = {"groundingChunks": chunks, "groundingSupports": list(supports), **rest}
    found = [
        one["url_citation"] for one in annotations_of(Extra("gemini", "groundingMetadata", meta, PATH), content, losses)
    ]
    assert all(loss.path == PATH for loss in losses.found)
    told = [(content[one["start_index"] : one["end_index"]], one["url"]) for one in found]
    return told, [loss.harmless for loss in losses.found]


def support(start: Any, end: Any, words: Any, *numbers: Any) -> Any:
    return {"segment": {"startIndex": start, "endIndex": end, "text": words}, "groundingChunkIndices": list(numbers)}


def test_bytes_become_characters() -> None:
    assert cited("é 🗼 tower", [PAGE], support(3, 7, "🗼", 0)) == ([("🗼", "https://e.com")], [])


@pytest.mark.parametrize("numbers", [(0, 5), (90, 95), (5, 2), ("a", None)])
def test_words_decide_where_numbers_do_not_fit(numbers: Any) -> None:
    assert cited("so the tower", [PAGE], support(*numbers, "tower", 0)) == ([("tower", "https://e.com")], [])


@pytest.mark.parametrize(
    "odd",
    [
        None,
        [],
        {},
        {"segment": {}},
        {"segment": {"text": "b"}},
        support(0, 1, "b", 0),
        support(0, 1, "a", 7, "x", -1, True),
    ],
)
def test_what_cannot_be_placed(odd: Any) -> None:
    assert cited("a", [PAGE], odd) == ([], [False])
    assert cited("a", None, odd) == ([], [])


def test_sources_of_other_kinds() -> None:
    chunks = [{"retrievedContext": {"uri": "gs://b/c", "title": "c"}}, {"maps": {"uri": "https://m"}}, {"web": {}}, 7]
    told, losses = cited("a", chunks, support(0, 1, "a", 0, 1, 2, 3))
    assert told == [("a", "gs://b/c"), ("a", "https://m")] and losses == [True]


def test_a_search_without_sources_is_a_hint() -> None:
    assert cited("a", [], webSearchQueries=["q"]) == ([], [True])
    assert not is_grounding(Extra("gemini", "groundingMetadata", "odd", PATH))
