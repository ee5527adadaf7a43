"""Citations as Chat Completions' `annotations`: which characters of `content` rest on which page.

`content` may hold more than the neutral language's text (code that a vendor ran stands between fences in it), so that places
are moved by as much as precedes them.
"""

from collections.abc import Sequence
from typing import Any

from dragoman.ir import Citation, Extra, FetchCall, FetchResult, Losses, SearchCall, SearchResult

Json = dict[str, Any]
Deed = SearchCall | SearchResult | FetchCall | FetchResult
_NO_PLACE = "Chat Completions has no such member."
_URL_CITATION = frozenset({"type", "url_citation"})
_CITED = frozenset({"url", "title", "start_index", "end_index"})


def read_annotations(value: Any, path: str) -> tuple[tuple[Citation, ...], tuple[Extra, ...]]:
    """A message's citations, and what of its annotations is none."""
    citations: list[Citation] = []
    rest: list[Any] = []
    for item in value if type(value) is list else ():
        read = _citation(item)
        if read is None:
            rest.append(item)
        else:
            citations.append(read)
    extras = (Extra("openai", "annotations", rest, path, harmless=True),) if rest else ()
    return tuple(citations), extras


def _citation(item: Any) -> Citation | None:
    cited = item.get("url_citation") if type(item) is dict and item.keys() <= _URL_CITATION else None
    if type(cited) is not dict or not cited.keys() <= _CITED:
        return None
    url, start, end, title = (cited.get(name) for name in ("url", "start_index", "end_index", "title"))
    if type(url) is not str or not url or type(start) is not int or type(end) is not int or not 0 <= start <= end:
        return None
    return Citation(url, start, end, title if type(title) is str else "")


class Shifts:
    """How far `content` runs ahead of the neutral text, place by place."""

    __slots__ = ("_moves", "text")

    def __init__(self) -> None:
        self.text = 0
        self._moves: list[tuple[int, int]] = []  # (place in the text, characters put in before it)

    def said(self, text: str) -> None:
        self.text += len(text)

    def inserted(self, length: int) -> None:
        self._moves.append((self.text, length))

    def start(self, place: int) -> int:
        return place + sum(length for at, length in self._moves if at <= place)

    def end(self, place: int) -> int:
        return place + sum(length for at, length in self._moves if at < place)


def annotation(citation: Citation, shifts: Shifts) -> Json:
    cited = {
        "start_index": shifts.start(citation.start),
        "end_index": shifts.end(citation.end),
        "url": citation.url,
        "title": citation.title,
    }
    return {"type": "url_citation", "url_citation": cited}


def write_annotations(citations: Sequence[Citation], shifts: Shifts, path: str, losses: Losses) -> list[Json]:
    for citation in citations:
        losses.add_extras(citation.extras, "openai", _NO_PLACE)
        if citation.quoted:
            losses.add_path(path, "Chat Completions does not quote the pages that it cites.", harmless=True)
    return [annotation(citation, shifts) for citation in citations]


def tell_deeds(deeds: Sequence[Deed], cited: bool, path: str, losses: Losses) -> None:
    """Of searches and pages read only citations have a place; it is a loss that matters where there are none."""
    for deed in deeds:
        losses.add_extras(deed.extras, "openai", _NO_PLACE)
    if not cited and any(isinstance(deed, SearchResult) and deed.sources for deed in deeds):
        losses.add_path(path, "Sources that no words of the answer rest on have no place.")
    elif deeds:
        losses.add_path(path, "Of searches and pages that were read only citations have a place.", harmless=True)
