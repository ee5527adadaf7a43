"""Writes what an answer rests on as `groundingMetadata`, `citationMetadata` and `urlContextMetadata` of a candidate.

A citation's place is written in bytes of UTF-8, within the text part that it begins in.
"""

from collections.abc import Sequence

from dragoman.ir import Citation, Extra, FetchResult, Losses, Part, SearchCall, SearchResult, Source
from dragoman.protocols.gemini.fields import Object
from dragoman.protocols.gemini.read_grounding import STATUS

_NO_FIELD = "Gemini's answers have no such field"
_STATUSES = frozenset({"error", "paywall", "unsafe"})


class Rests:
    """What a candidate's parts and citations tell of its sources; `path` is the candidate's own."""

    __slots__ = ("_cited", "_fetches", "_losses", "_path", "_queries", "_sources")

    def __init__(self, losses: Losses, path: str) -> None:
        self._losses = losses
        self._path = path
        self._queries: list[str] = []
        self._sources: list[Source] = []
        self._fetches: list[Object] = []
        self._cited: list[Citation] = []

    def part(self, part: Part) -> None:
        """Takes a search's or a fetch's part; a call of a fetch is told by its result."""
        match part:
            case SearchCall():
                self._queries += part.queries
                self._losses.add_extras(part.extras, "gemini", _NO_FIELD)
            case SearchResult():
                self._sources += part.sources
                self._losses.add_extras(part.extras, "gemini", _NO_FIELD)
                for source in part.sources:
                    self._losses.add_extras(source.extras, "gemini", _NO_FIELD)
                if part.error is not None:
                    self._lost("groundingMetadata", "Gemini does not tell why a search found nothing")
            case FetchResult():
                self._losses.add_extras(part.extras, "gemini", _NO_FIELD)
                if part.content is not None:
                    self._lost("urlContextMetadata", "Gemini does not show what stood on a page that was read")
                word = "success" if part.error is None else part.error if part.error in _STATUSES else "error"
                self._fetches.append({"retrievedUrl": part.source.url, "urlRetrievalStatus": f"{STATUS}{word.upper()}"})

    def citations(self, citations: Sequence[Citation]) -> None:
        self._cited += citations
        for citation in citations:
            self._losses.add_extras(citation.extras, "gemini", _NO_FIELD)
            if citation.quoted and _own(citation.extras, "groundingChunk") is None:
                self._lost("groundingMetadata", "Gemini does not quote the pages that it cites")

    def _lost(self, name: str, why: str) -> None:
        self._losses.add_path(f"{self._path}.{name}", why, harmless=True)

    def fields(self, texts: Sequence[tuple[int, str]], extras: Sequence[Extra] = ()) -> Object:
        """The candidate's members. `texts` are its text parts by their number among the parts, a stream's all in one;
        `extras` are what of the members was kept as it came."""
        told: Object = {}
        if not (self._cited or self._sources or self._queries or self._fetches or extras):
            return told
        if grounding := self._grounding(texts):
            told["groundingMetadata"] = grounding
        if works := self._works():
            told["citationMetadata"] = {"citationSources": works}
        if self._fetches:
            told["urlContextMetadata"] = {"urlMetadata": self._fetches}
        for extra in extras:
            if extra.name in LISTS and isinstance(extra.value, dict):
                told[extra.name] = _joined(told.get(extra.name, {}), extra.value)
        return told

    def _grounding(self, texts: Sequence[tuple[int, str]]) -> Object:
        titles = {citation.url: citation.title for citation in self._cited if citation.title}
        chunks = [_chunk(source, titles.get(source.url, "")) for source in self._sources]
        numbers = {source.url: number for number, source in reversed(list(enumerate(self._sources)))}
        supports: dict[tuple[int, int], Object] = {}
        for citation in self._cited:
            if _own(citation.extras, "citationSource") is not None:
                continue
            if citation.url not in numbers:
                numbers[citation.url] = len(chunks)
                chunks.append(_chunk(Source(citation.url, citation.title, citation.extras), ""))
            support = supports.get((citation.start, citation.end))
            if support is None:
                segment = _segment(citation.start, citation.end, texts)
                support = supports[citation.start, citation.end] = {"segment": segment, "groundingChunkIndices": []}
            if numbers[citation.url] in support["groundingChunkIndices"]:
                continue
            support["groundingChunkIndices"].append(numbers[citation.url])
            score = _own(citation.extras, "confidenceScore")
            if score is not None:
                support.setdefault("confidenceScores", []).append(score.value)
        grounding: Object = {}
        if self._queries:
            grounding["webSearchQueries"] = self._queries
        if chunks:
            grounding["groundingChunks"] = chunks
        if supports:
            grounding["groundingSupports"] = list(supports.values())
        return grounding

    def _works(self) -> list[Object]:
        works: list[Object] = []
        for citation in self._cited:
            own = _own(citation.extras, "citationSource")
            if own is not None and isinstance(own.value, dict):
                works.append(own.value)
        return works


# The lists of each object; a support names its sources by their number in the other.
LISTS = {
    "groundingMetadata": ("groundingChunks", "groundingSupports"),
    "citationMetadata": ("citationSources",),
    "urlContextMetadata": ("urlMetadata",),
}


def _joined(told: Object, kept: Object) -> Object:
    joined = {**kept, **told}
    before = len(told.get("groundingChunks", ()))
    for name in ("groundingChunks", "groundingSupports", "citationSources", "urlMetadata"):
        more = kept.get(name)
        if not isinstance(more, list):
            continue
        if name == "groundingSupports":
            more = [_renumbered(support, before) for support in more]
        joined[name] = [*told.get(name, ()), *more]
    return joined


def _renumbered(support: object, by: int) -> object:
    if not isinstance(support, dict) or not isinstance(support.get("groundingChunkIndices"), list):
        return support
    numbers = [number + by if type(number) is int else number for number in support["groundingChunkIndices"]]
    return {**support, "groundingChunkIndices": numbers}


def _chunk(source: Source, title: str) -> Object:
    """`title` is what citations call the page, where the search itself did not say."""
    own = _own(source.extras, "groundingChunk")
    if own is not None and isinstance(own.value, dict):
        return own.value
    title = source.title or title
    return {"web": {"uri": source.url, "title": title} if title else {"uri": source.url}}


def _own(extras: Sequence[Extra], name: str) -> Extra | None:
    return next((extra for extra in extras if extra.owner == "gemini" and extra.name == name), None)


def _segment(start: int, end: int, texts: Sequence[tuple[int, str]]) -> Object:
    at = 0
    for number, text in texts:
        if start < at + len(text):
            begin, words = start - at, text[start - at : end - at]
            segment: Object = {"partIndex": number} if number else {}
            before = len(text[:begin].encode("utf-8", "replace"))
            if before:
                segment["startIndex"] = before
            segment["endIndex"] = before + len(words.encode("utf-8", "replace"))
            segment["text"] = words
            return segment
        at += len(text)
    return {"startIndex": start, "endIndex": end}
