"""Reads what an answer rests on: `groundingMetadata`, `citationMetadata` and `urlContextMetadata` of a candidate.

Searches and pages read become parts, words that rest on a page become citations. Google counts its segments in bytes of UTF-8
(docstring of Segment, google-genai 3.4.0), the neutral language in characters of all the text. What has no neutral word
(`searchEntryPoint`, sources without a URI, …) stays an extra of Gemini's, so that nothing is told twice and nothing is lost.
"""

from collections.abc import Sequence
from typing import Any

from dragoman.ir import Citation, Extra, FetchCall, FetchResult, SearchCall, SearchResult, Source
from dragoman.protocols.gemini.fields import EMPTY, Object

# What a source may be: a page, a document of the caller's own, a place.
SOURCES = ("web", "retrievedContext", "maps")
NAMES = frozenset({"groundingMetadata", "citationMetadata", "urlContextMetadata"})
STATUS = "URL_RETRIEVAL_STATUS_"
# Of a source's own words, those that a citation or source has fields for.
_SAID = frozenset({"uri", "title"})

Deeds = tuple[SearchCall | SearchResult | FetchCall | FetchResult, ...]


class Grounding:
    """What one candidate rests on. `texts` are its text parts by their number in `content.parts`."""

    __slots__ = ("_joined", "_path", "_texts", "citations", "deeds", "extras")

    def __init__(self, candidate: Object, texts: Sequence[tuple[int, str]], path: str) -> None:
        self._path = path
        self._texts: dict[int, tuple[int, str]] = {}
        at = 0
        for number, text in texts:
            self._texts[number] = (at, text)
            at += len(text)
        self._joined = "".join([text for _, text in texts])
        self.citations: list[Citation] = []
        self.deeds: Deeds = ()
        self.extras: list[Extra] = []
        for name, read in (
            ("urlContextMetadata", self._fetches),
            ("groundingMetadata", self._grounding),
            ("citationMetadata", self._sources),
        ):
            held = candidate.get(name)
            if held in EMPTY:
                continue
            if isinstance(held, dict):
                read(dict(held))
            else:
                self._left(name, held)

    def _left(self, name: str, value: Any, *, harmless: bool = False) -> None:
        if value not in EMPTY:
            self.extras.append(Extra("gemini", name, value, f"{self._path}.{name}", harmless))

    def _fetches(self, meta: Object) -> None:
        left: list[Any] = []
        for one in _listed(meta.pop("urlMetadata", None)):
            url = one.get("retrievedUrl") if isinstance(one, dict) else None
            if not isinstance(url, str):
                left.append(one)
                continue
            status = one.get("urlRetrievalStatus")
            word = status.removeprefix(STATUS).lower() if isinstance(status, str) else "success"
            error = None if word in ("success", "unspecified") else word
            self.deeds += (FetchCall(url), FetchResult(Source(url), error=error))
        if left:
            meta["urlMetadata"] = left
        self._left("urlContextMetadata", meta)

    def _grounding(self, meta: Object) -> None:
        chunks = _listed(meta.pop("groundingChunks", None))
        sources = [_source(chunk) for chunk in chunks]
        cited: set[int] = set()
        unplaced: list[tuple[Object, list[int]]] = []
        for support in _listed(meta.pop("groundingSupports", None)):
            if not isinstance(support, dict):
                continue
            place = self._place(support.get("segment"))
            scores = support.get("confidenceScores")
            missed: list[int] = []
            for at, number in enumerate(_listed(support.get("groundingChunkIndices"))):
                if type(number) is not int or not 0 <= number < len(chunks):
                    continue
                source = sources[number]
                if place is None or source is None:
                    missed.append(number)
                    continue
                cited.add(number)
                score = scores[at] if isinstance(scores, list) and at < len(scores) else None
                self.citations.append(_citation(source, chunks[number], place, score))
            if missed:
                unplaced.append((support, missed))
        queries = meta.pop("webSearchQueries", None)
        told = [query for query in _listed(queries) if isinstance(query, str)]
        searched = [number for number, chunk in enumerate(chunks) if sources[number] and "web" in chunk]
        if told or searched:
            found = {source.url: source for number in searched if (source := sources[number]) is not None}
            self.deeds += (SearchCall(tuple(told)), SearchResult(tuple(found.values())))
            cited.update(searched)
        rest = [number for number in range(len(chunks)) if number not in cited]
        needed = sorted({number for _, missed in unplaced for number in missed} | set(rest))
        if needed:
            places = {number: at for at, number in enumerate(needed)}
            meta["groundingChunks"] = [chunks[number] for number in needed]
            if unplaced:
                meta["groundingSupports"] = [
                    {**support, "groundingChunkIndices": [places[number] for number in missed]}
                    for support, missed in unplaced
                ]
        self._left("groundingMetadata", meta, harmless="groundingChunks" not in meta)

    def _sources(self, meta: Object) -> None:
        """`citationSources` at Google AI, `citations` at Vertex: words that stand so in a work."""
        left: list[Any] = []
        for name in ("citationSources", "citations"):
            for one in _listed(meta.pop(name, None)):
                url = one.get("uri") if isinstance(one, dict) else None
                place = self._place(one)
                if place is None or not isinstance(url, str) or not url:
                    left.append(one)
                    continue
                title = one.get("title")
                extra = Extra("gemini", "citationSource", one, f"{self._path}.citationMetadata", harmless=True)
                self.citations.append(Citation(url, *place, title if isinstance(title, str) else "", extras=(extra,)))
        if left:
            meta["citationSources"] = left
        self._left("citationMetadata", meta)

    def _place(self, segment: Any) -> tuple[int, int] | None:
        """Where the segment stands, in characters; its words decide where its numbers do not fit."""
        if not isinstance(segment, dict):
            return None
        start, end, words = segment.get("startIndex", 0), segment.get("endIndex"), segment.get("text")
        part = self._texts.get(segment.get("partIndex", -1)) if type(segment.get("partIndex", -1)) is int else None
        if type(start) is int and type(end) is int and 0 <= start < end:
            # A stream's parts are pieces of one text, and Google's numbers are the text's.
            for offset, text in (part, (0, self._joined)) if part is not None else ((0, self._joined),):
                told = text.encode("utf-8", "surrogatepass")
                cut = told[start:end].decode("utf-8", "replace")
                if end <= len(told) and (cut == words or not isinstance(words, str)):
                    begin = offset + len(told[:start].decode("utf-8", "replace"))
                    return begin, begin + len(cut)
        if not isinstance(words, str) or not words:
            return None
        at = self._joined.find(words)
        return None if at < 0 else (at, at + len(words))


def _source(chunk: Any) -> Source | None:
    for name in SOURCES:
        held = chunk.get(name) if isinstance(chunk, dict) else None
        if isinstance(held, dict) and isinstance(held.get("uri"), str) and held["uri"]:
            title = held.get("title")
            told = held.keys() <= _SAID and name == "web" and len(chunk) == 1
            extras = () if told else (Extra("gemini", "groundingChunk", chunk, "", harmless=True),)
            return Source(held["uri"], title if isinstance(title, str) else "", extras)
    return None


def _citation(source: Source, chunk: Object, place: tuple[int, int], score: Any) -> Citation:
    document = chunk.get("retrievedContext")
    quoted = document.get("text") if isinstance(document, dict) else None
    extras = source.extras
    if type(score) in (int, float):
        extras += (Extra("gemini", "confidenceScore", score, "", harmless=True),)
    return Citation(source.url, *place, source.title, quoted if isinstance(quoted, str) else "", extras)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
