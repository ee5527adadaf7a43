"""Citations: Anthropic hangs them on a text block, whose every word rests on them; neutral ones name characters of the answer."""

from itertools import pairwise
from typing import Any

from dragoman.ir import Citation, Extra
from dragoman.protocols.anthropic import proofs

Json = dict[str, Any]


def read_citations(value: Any, start: int, end: int) -> tuple[list[Citation], list[Json]]:
    """The citations of a block that tells characters `start` to `end`, and those of documents, which have no address."""
    found: list[Citation] = []
    rest: list[Json] = []
    for item in value if type(value) is list else ():
        if type(item) is not dict:
            continue
        url = item.get("url", item.get("source"))
        if type(url) is not str:
            rest.append(item)
            continue
        index = item.get("encrypted_index")
        extras: tuple[Extra, ...] = ()
        if type(index) is str and not proofs.is_foreign(index):
            extras = (Extra("anthropic", "encrypted_index", index, "", harmless=True),)
        found.append(Citation(url, start, end, _word(item.get("title")), _word(item.get("cited_text")), extras))
    return found, rest


def write_citation(citation: Citation) -> Json:
    index = next((extra.value for extra in citation.extras if extra.name == "encrypted_index"), proofs.UNSIGNED)
    return {
        "type": "web_search_result_location",
        "url": citation.url,
        "title": citation.title or None,
        "cited_text": citation.quoted,
        "encrypted_index": index,
    }


def split_text(text: str, begin: int, citations: tuple[Citation, ...]) -> list[tuple[str, list[Citation]]]:
    """A text that begins at character `begin` of the answer, cut where what it rests on changes."""
    inside = [one for one in citations if one.start < begin + len(text) and one.end > begin]
    if not inside:
        return [(text, [])]
    cuts = {0, len(text)}
    for one in inside:
        cuts.add(max(0, one.start - begin))
        cuts.add(min(len(text), one.end - begin))
    edges = sorted(cuts)
    pieces: list[tuple[str, list[Citation]]] = []
    for left, right in pairwise(edges):
        resting = [one for one in inside if one.start - begin <= left and one.end - begin >= right]
        pieces.append((text[left:right], resting))
    return pieces


def _word(value: Any) -> str:
    return value if type(value) is str else ""
