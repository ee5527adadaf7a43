"""Google's grounding (`groundingMetadata`) as Chat Completions' `annotations`: which words rest on which page.

Google counts its segments in bytes of UTF-8 (docstring of Segment, google-genai 3.4.0), OpenAI in characters.
"""

from typing import Any

from dragoman.ir import Extra, Losses

Json = dict[str, Any]
_NAME = "groundingMetadata"
# What a source may be: a page, a document of the caller's own, a place.
_SOURCES = ("web", "retrievedContext", "maps")


def is_grounding(extra: Extra) -> bool:
    return extra.owner == "gemini" and extra.name == _NAME and isinstance(extra.value, dict)


def annotations_of(extra: Extra, content: str, losses: Losses) -> list[Json]:
    """The annotations of a message whose text is `content`. Sources that no words rest on have no place: a loss."""
    chunks = _listed(extra.value.get("groundingChunks"))
    found: list[Json] = []
    told: set[int] = set()
    for support in _listed(extra.value.get("groundingSupports")):
        place = _place(support.get("segment"), content)
        numbers = support.get("groundingChunkIndices")
        for number in numbers if place is not None and isinstance(numbers, list) else ():
            source = _source(chunks[number]) if type(number) is int and 0 <= number < len(chunks) else None
            if place is None or source is None:
                continue
            told.add(number)
            cited = {"start_index": place[0], "end_index": place[1], **source}
            found.append({"type": "url_citation", "url_citation": cited})
    rest = [number for number in range(len(chunks)) if number not in told]
    if rest:
        losses.add_path(extra.path, "Sources that no words of the answer rest on have no place.", harmless=bool(told))
    elif extra.value.keys() - {"groundingChunks", "groundingSupports"}:
        losses.add_path(extra.path, "Of the search only its citations have a place.", harmless=True)
    return found


def _place(segment: Any, content: str) -> tuple[int, int] | None:
    """Where the segment stands, in characters; its words decide where its numbers do not fit (other parts precede its own)."""
    if not isinstance(segment, dict):
        return None
    start, end, words = segment.get("startIndex", 0), segment.get("endIndex"), segment.get("text")
    if type(start) is int and type(end) is int and 0 <= start < end:
        told = content.encode("utf-8", "surrogatepass")
        cut = told[start:end].decode("utf-8", "replace")
        if end <= len(told) and (cut == words or not isinstance(words, str)):
            begin = len(told[:start].decode("utf-8", "replace"))
            return begin, begin + len(cut)
    if not isinstance(words, str) or not words:
        return None
    at = content.find(words)
    return None if at < 0 else (at, at + len(words))


def _source(chunk: Json) -> Json | None:
    for name in _SOURCES:
        held = chunk.get(name)
        if isinstance(held, dict) and isinstance(held.get("uri"), str):
            title = held.get("title")
            return {"url": held["uri"], "title": title if isinstance(title, str) else ""}
    return None


def _listed(value: Any) -> list[Json]:
    # What is no object keeps its place, for others are named by theirs.
    return [item if isinstance(item, dict) else {} for item in value] if isinstance(value, list) else []
