"""Output items while they grow, one class a kind: what is told when a piece comes, and when they end.

Which of them is open, and what comes after what, is the scribe's. `tell` hears of each step as an event without its type and
number.
"""

from collections.abc import Callable
from typing import Any

from dragoman.ir import Citation, Signature
from dragoman.protocols.openai_responses.words import custom_input

Json = dict[str, Any]
Tell = Callable[[str, Json], None]


class Words:
    """A message's content part that grows."""

    __slots__ = ("base", "number", "part", "pieces", "sent")

    def __init__(self, part: Json, number: int, base: int) -> None:
        self.part = part
        self.number = number
        self.base = base  # characters of the answer's text before it
        self.pieces: list[str] = []
        self.sent = False

    def cite(self, citation: Citation) -> Json:
        """The annotation that says so, which is the part's last now; its indexes are of the part."""
        length = sum(map(len, self.pieces)) if not self.sent else len(self.part["text"])
        cited = {
            "type": "url_citation",
            "start_index": citation.start - self.base,
            "end_index": min(citation.end - self.base, length),
            "url": citation.url,
            "title": citation.title,
        }
        self.part["annotations"].append(cited)
        return cited


class Message:
    """`words` are the content part that is open."""

    __slots__ = ("after", "index", "item", "words")

    def __init__(self, index: int, item: Json) -> None:
        self.index = index
        self.item = item
        self.words: Words | None = None
        self.after: Signature | None = None  # of the text, to be told behind it

    def open(self, kind: str, base: int, tell: Tell) -> Words:
        """The open part of that kind; another one that is open ends."""
        words = self.words
        if words is not None:
            if words.part["type"] == kind:
                return words
            self._end_words(tell)
        part: Json = {"type": kind, "refusal": ""}
        if kind == "output_text":
            part = {"type": kind, "text": "", "annotations": [], "logprobs": []}
        words = self.words = Words(part, len(self.item["content"]), base)
        tell("response.content_part.added", {**place_of(self), "content_index": words.number, "part": part})
        return words

    def end(self, tell: Tell, *, whole: bool) -> None:
        self._end_words(tell)
        self.item["status"] = "completed" if whole else "incomplete"

    def _end_words(self, tell: Tell) -> None:
        words = self.words
        if words is None:
            return
        self.words = None
        words.sent = True
        told = "".join(words.pieces)
        place = {**place_of(self), "content_index": words.number}
        if words.part["type"] == "output_text":
            words.part["text"] = told
            tell("response.output_text.done", {**place, "text": told, "logprobs": words.part["logprobs"]})
        else:
            words.part["refusal"] = told
            tell("response.refusal.done", {**place, "refusal": told})
        self.item["content"].append(words.part)
        tell("response.content_part.done", {**place, "part": words.part})


class Reasoning:
    """`shown` are the pieces of its summary, `raw` those of the thoughts themselves."""

    __slots__ = ("index", "item", "raw", "shown")

    def __init__(self, index: int, item: Json) -> None:
        self.index = index
        self.item = item
        self.shown: list[str] | None = None
        self.raw: list[str] | None = None

    def think(self, text: str, raw: bool, tell: Tell) -> None:
        place = place_of(self)
        if raw:
            if self.raw is None:
                self.raw = []
                part = {"type": "reasoning_text", "text": ""}
                tell("response.content_part.added", {**place, "content_index": 0, "part": part})
            self.raw.append(text)
            tell("response.reasoning_text.delta", {**place, "content_index": 0, "delta": text})
            return
        if self.shown is None:
            self.shown = []
            part = {"type": "summary_text", "text": ""}
            tell("response.reasoning_summary_part.added", {**place, "summary_index": 0, "part": part})
        self.shown.append(text)
        tell("response.reasoning_summary_text.delta", {**place, "summary_index": 0, "delta": text})

    def end(self, tell: Tell) -> None:
        place = place_of(self)
        if self.raw is not None:
            told = "".join(self.raw)
            part = {"type": "reasoning_text", "text": told}
            self.item["content"] = [part]
            tell("response.reasoning_text.done", {**place, "content_index": 0, "text": told})
            tell("response.content_part.done", {**place, "content_index": 0, "part": part})
        if self.shown is not None:
            told = "".join(self.shown)
            part = {"type": "summary_text", "text": told}
            self.item["summary"] = [part]
            tell("response.reasoning_summary_text.done", {**place, "summary_index": 0, "text": told})
            tell("response.reasoning_summary_part.done", {**place, "summary_index": 0, "part": part})


class Call:
    """A call of a caller's tool; calls grow side by side."""

    __slots__ = ("_custom", "_pieces", "index", "item")

    def __init__(self, index: int, item: Json) -> None:
        self.index = index
        self.item = item
        self._custom = item["type"] == "custom_tool_call"
        self._pieces: list[str] = []

    def add(self, arguments: str, tell: Tell) -> None:
        self._pieces.append(arguments)
        if not self._custom:  # its text stands inside JSON, and can be told when that is whole
            tell("response.function_call_arguments.delta", {**place_of(self), "delta": arguments})

    def end(self, tell: Tell, *, whole: bool) -> None:
        item, place = self.item, place_of(self)
        told = "".join(self._pieces)
        if self._custom:
            item["input"] = told = custom_input(told)
            tell("response.custom_tool_call_input.delta", {**place, "delta": told})
            tell("response.custom_tool_call_input.done", {**place, "input": told})
        else:
            if not told and whole:  # a call without arguments is "{}", never ""
                told = "{}"
                tell("response.function_call_arguments.delta", {**place, "delta": told})
            item["arguments"] = told
            item["status"] = "completed" if whole else "incomplete"
            tell("response.function_call_arguments.done", {**place, "name": item["name"], "arguments": told})
        tell("response.output_item.done", {"output_index": self.index, "item": item})


def place_of(growing: Message | Reasoning | Call) -> Json:
    return {"item_id": growing.item["id"], "output_index": growing.index}
