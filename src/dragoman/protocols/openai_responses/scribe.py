"""Writes a candidate's output items, in one piece or as they grow.

What an answer says in a row becomes a row of items: a message's text, a reasoning, a call. A vendor's signature has no field of
its own here: it travels as the `encrypted_content` of a reasoning item without a summary, before the item that it is of (or,
where a stream tells it only behind a text, after that, with an id that says so), in a tagged envelope.
"""

from collections.abc import Callable
from typing import Any

from dragoman.ir import (
    Citation,
    CodeCall,
    CodeResult,
    Deed,
    Extra,
    FetchCall,
    FetchResult,
    FunctionTool,
    Losses,
    Media,
    Opaque,
    Refusal,
    Request,
    SearchCall,
    SearchResult,
    Signature,
    Text,
    Thought,
    TokenLogprob,
    ToolCall,
)
from dragoman.protocols.base import Stamp
from dragoman.protocols.openai_responses.deeds import NO_PLACE, answers, begun_deed, deed_item
from dragoman.protocols.openai_responses.draft import OWNER
from dragoman.protocols.openai_responses.envelope import PREFIX
from dragoman.protocols.openai_responses.growing import Growing, GrowingCall, Words
from dragoman.protocols.openai_responses.items import AFTER, write_image
from dragoman.protocols.openai_responses.words import custom_input, write_logprobs
from dragoman.wire.envelope import seal

Json = dict[str, Any]
Tell = Callable[[str, Json], None]
_DRAFT = "A draft of the picture is not part of the answer."


def _silent(kind: str, event: Json) -> None:
    """Nobody listens: the items are wanted whole."""


class Scribe:
    """`tell` hears of every step as an event without its type and number; `items` holds what has been begun, in order."""

    __slots__ = (
        "_calls",
        "_custom",
        "_deed",
        "_streams",
        "_tail",
        "_tell",
        "_texts",
        "chars",
        "items",
        "losses",
        "open",
    )

    def __init__(self, request: Request, stamp: Stamp, losses: Losses, tell: Tell | None = None) -> None:
        self._tail = stamp.id.removeprefix(PREFIX)
        self._streams = tell is not None
        self._tell = tell or _silent
        self._custom = frozenset(
            tool.name
            for tool in request.tools
            if type(tool) is FunctionTool and any(extra.name == "custom" for extra in tool.extras)
        )
        self._calls: dict[int, GrowingCall] = {}
        self._deed: Deed | None = None  # a call of the vendor's own tool whose result may follow
        self._texts: list[Words] = []
        self.losses = losses
        self.items: list[Json] = []
        self.open: Growing | None = None
        self.chars = 0

    # --- what an answer may say

    def text(self, text: str, signature: Signature | None = None) -> None:
        growing = self.open
        if not text and signature is not None:
            if growing is not None and growing.item["type"] == "message":
                growing.after = signature
            else:
                self._sealed(signature, AFTER)
            return
        if growing is None or growing.item["type"] != "message":
            if signature is not None:
                self._sealed(signature)
                signature = None
            growing = self._message()
        words = self._words(growing, "output_text")
        words.pieces.append(text)
        self.chars += len(text)
        self._tell(
            "response.output_text.delta",
            {**_place(growing), "content_index": words.number, "delta": text, "logprobs": []},
        )
        if signature is not None:
            growing.after = signature

    def refusal(self, text: str) -> None:
        growing = self.open
        if growing is None or growing.item["type"] != "message":
            growing = self._message()
        words = self._words(growing, "refusal")
        words.pieces.append(text)
        self._tell("response.refusal.delta", {**_place(growing), "content_index": words.number, "delta": text})

    def thought(self, thought: Thought) -> None:
        if thought.redacted is not None:
            self._sealed(Signature("anthropic", thought.redacted, "redacted"))
            return
        signature = thought.signature
        growing = self.open
        if growing is None or growing.item["type"] != "reasoning":
            if not thought.text and signature is None:
                return
            self.close()
            native = signature.id if signature is not None and signature.maker == "openai" else ""
            growing = self._begin({"id": native or self._id("rs_"), "type": "reasoning", "summary": []})
        if thought.text:
            self._think(growing, thought.text, thought.raw)
        if signature is not None:
            own = signature.maker == "openai" and signature.id == growing.item["id"]
            growing.item["encrypted_content"] = signature.data if own else seal(signature)
            self.close()

    def call(self, number: int, id: str, name: str, signature: Signature | None) -> None:
        """A call begins; its arguments follow."""
        self.close()
        if signature is not None:
            self._sealed(signature)
        custom = name in self._custom
        index = len(self.items)
        item: Json = {
            "id": self._id("ctc_" if custom else "fc_"),
            "type": "custom_tool_call" if custom else "function_call",
            "status": "in_progress",
            "call_id": id or f"call_{self._tail}_{index}",
            "name": name,
            "input" if custom else "arguments": "",
        }
        if custom:
            del item["status"]
        self.items.append(item)
        self._calls[number] = GrowingCall(index, item, custom)
        self._tell("response.output_item.added", {"output_index": index, "item": item})

    def arguments(self, number: int, arguments: str) -> None:
        call = self._calls.get(number)
        if call is None or not arguments:  # fragments of a call that never began
            return
        call.arguments.append(arguments)
        if not call.custom:  # its text stands inside JSON, and can be told when that is whole
            place = {"item_id": call.item["id"], "output_index": call.index}
            self._tell("response.function_call_arguments.delta", {**place, "delta": arguments})

    def part(self, part: Media | Deed | Opaque) -> None:
        deed = self._deed
        if deed is not None and answers(part, deed):
            self._deed = None
            self._finish_deed(deed, part)
            return
        if isinstance(part, Media) and part.thought:
            # Gemini 3's picture models show drafts of a picture before it; callers take every picture for an answer.
            self.losses.add_path(f"output[{len(self.items)}]", _DRAFT, harmless=True)
            return
        self.close()
        signature = getattr(part, "signature", None)
        if signature is not None:
            self._sealed(signature)
        at = f"output[{len(self.items)}]"
        match part:
            case Media(kind="image", data=str()):
                self._whole(write_image(part, self._id("ig_")), "image_generation_call", "generating")
            case Media():
                self.losses.add_path(at, f"Responses have no place for {part.mime or 'a file'} in an answer.")
            case Opaque(owner="openai-responses", value=dict() as value):
                self._whole(value)
            case Opaque():
                self.losses.add_path(at, f"Responses have no place for {part.what}.")
            case CodeCall() | SearchCall() | FetchCall():
                self._deed = part
            case CodeResult() | SearchResult() | FetchResult():
                self._finish_deed(None, part)

    def citation(self, citation: Citation) -> None:
        """Words that rest on a page; indexes are of the content part they stand in."""
        for words in reversed(self._texts):
            if words.base > citation.start:
                continue
            length = sum(map(len, words.pieces)) if not words.sent else len(words.part["text"])
            if words.sent and self._streams:
                break
            cited = {
                "type": "url_citation",
                "start_index": citation.start - words.base,
                "end_index": min(citation.end - words.base, length),
                "url": citation.url,
                "title": citation.title,
            }
            annotations: list[Json] = words.part["annotations"]
            annotations.append(cited)
            growing = self.open
            if growing is not None and growing.words is words:
                self._tell(
                    "response.output_text.annotation.added",
                    {
                        **_place(growing),
                        "content_index": words.number,
                        "annotation_index": len(annotations) - 1,
                        "annotation": cited,
                    },
                )
            self.losses.add_extras(citation.extras, OWNER, NO_PLACE)
            return
        self.losses.add_path("output", f"The words that rest on {citation.url} had been told already.")

    def extras(self, extras: tuple[Extra, ...]) -> None:
        """What only this protocol knows of its own is told again; the rest has no place."""
        for extra in extras:
            if extra.owner == OWNER and extra.name == "annotations" and self._texts and not self._streams:
                self._texts[-1].part["annotations"].append(extra.value)
            else:
                self.losses.add_path(extra.path, NO_PLACE, harmless=extra.harmless)

    def logprobs(self, logprobs: tuple[TokenLogprob, ...]) -> None:
        if self._texts:
            self._texts[-1].part["logprobs"] += write_logprobs(logprobs)

    def end(self, *, whole: bool = True) -> None:
        """Closes what is open; not `whole` where the answer was cut."""
        self.close(whole=whole)
        for call in self._calls.values():
            self._end_call(call, whole)
        self._calls.clear()

    def abandon(self) -> list[Json]:
        """The items of an answer that broke, as far as they came; nothing more is told of them."""
        self._tell = _silent
        self.end(whole=False)
        return self.items

    # --- how items begin and end

    def close(self, *, whole: bool = True) -> None:
        """Ends the message, reasoning or call of a vendor's tool that is open."""
        if self._deed is not None:
            deed, self._deed = self._deed, None
            self._finish_deed(deed, None)
        growing = self.open
        if growing is None:
            return
        self.open = None
        item = growing.item
        if item["type"] == "message":
            self._end_words(growing)
            item["status"] = "completed" if whole else "incomplete"
        else:
            self._end_thoughts(growing)
        self._tell("response.output_item.done", {"output_index": growing.index, "item": item})
        if growing.after is not None:
            self._sealed(growing.after, AFTER)

    def _id(self, prefix: str) -> str:
        return f"{prefix}{self._tail}_{len(self.items)}"

    def _begin(self, item: Json) -> Growing:
        growing = self.open = Growing(len(self.items), item)
        self.items.append(item)
        self._tell("response.output_item.added", {"output_index": growing.index, "item": item})
        return growing

    def _message(self) -> Growing:
        self.close()
        return self._begin(
            {"id": self._id("msg_"), "type": "message", "status": "in_progress", "role": "assistant", "content": []}
        )

    def _words(self, growing: Growing, kind: str) -> Words:
        """The message's open part of that kind; another one that is open ends."""
        words = growing.words
        if words is not None:
            if words.part["type"] == kind:
                return words
            self._end_words(growing)
        part: Json = {"type": kind, "refusal": ""}
        if kind == "output_text":
            part = {"type": kind, "text": "", "annotations": [], "logprobs": []}
        words = growing.words = Words(part, len(growing.item["content"]), self.chars)
        if kind == "output_text":
            self._texts.append(words)
        self._tell("response.content_part.added", {**_place(growing), "content_index": words.number, "part": part})
        return words

    def _end_words(self, growing: Growing) -> None:
        words = growing.words
        if words is None:
            return
        growing.words = None
        words.sent = True
        told = "".join(words.pieces)
        place = {**_place(growing), "content_index": words.number}
        if words.part["type"] == "output_text":
            words.part["text"] = told
            self._tell("response.output_text.done", {**place, "text": told, "logprobs": words.part["logprobs"]})
        else:
            words.part["refusal"] = told
            self._tell("response.refusal.done", {**place, "refusal": told})
        growing.item["content"].append(words.part)
        self._tell("response.content_part.done", {**place, "part": words.part})

    def _think(self, growing: Growing, text: str, raw: bool) -> None:
        place = _place(growing)
        if raw:
            if growing.raw is None:
                growing.raw = []
                part = {"type": "reasoning_text", "text": ""}
                self._tell("response.content_part.added", {**place, "content_index": 0, "part": part})
            growing.raw.append(text)
            self._tell("response.reasoning_text.delta", {**place, "content_index": 0, "delta": text})
            return
        if growing.shown is None:
            growing.shown = []
            part = {"type": "summary_text", "text": ""}
            self._tell("response.reasoning_summary_part.added", {**place, "summary_index": 0, "part": part})
        growing.shown.append(text)
        self._tell("response.reasoning_summary_text.delta", {**place, "summary_index": 0, "delta": text})

    def _end_thoughts(self, growing: Growing) -> None:
        place = _place(growing)
        if growing.raw is not None:
            told = "".join(growing.raw)
            part = {"type": "reasoning_text", "text": told}
            growing.item["content"] = [part]
            self._tell("response.reasoning_text.done", {**place, "content_index": 0, "text": told})
            self._tell("response.content_part.done", {**place, "content_index": 0, "part": part})
        if growing.shown is not None:
            told = "".join(growing.shown)
            part = {"type": "summary_text", "text": told}
            growing.item["summary"] = [part]
            self._tell("response.reasoning_summary_text.done", {**place, "summary_index": 0, "text": told})
            self._tell("response.reasoning_summary_part.done", {**place, "summary_index": 0, "part": part})

    def _sealed(self, signature: Signature, prefix: str = "rs_") -> None:
        """A reasoning item that says nothing and carries a signature."""
        self.close()
        item = {"id": self._id(prefix), "type": "reasoning", "summary": [], "encrypted_content": seal(signature)}
        if signature.maker == "openai" and signature.id:
            item["id"], item["encrypted_content"] = signature.id, signature.data
        self._whole(item)

    def _whole(self, item: Json, kind: str | None = None, doing: str = "") -> None:
        """An item that comes at once; `kind` names the events of a vendor's tool at work, `doing` the one between."""
        index = len(self.items)
        self.items.append(item)
        begun = item if kind is None else begun_deed(item)
        self._tell("response.output_item.added", {"output_index": index, "item": begun})
        if kind is not None:
            place = {"item_id": item["id"], "output_index": index}
            self._tell(f"response.{kind}.in_progress", place)
            if kind == "code_interpreter_call":
                code = item["code"] or ""
                self._tell("response.code_interpreter_call_code.delta", {**place, "delta": code})
                self._tell("response.code_interpreter_call_code.done", {**place, "code": code})
            self._tell(f"response.{kind}.{doing}", place)
            self._tell(f"response.{kind}.completed", place)
        self._tell("response.output_item.done", {"output_index": index, "item": item})

    def _finish_deed(self, deed: Deed | None, result: Any) -> None:
        self._whole(*deed_item(deed, result, self._id, self.losses))

    def _end_call(self, call: GrowingCall, whole: bool) -> None:
        item = call.item
        place = {"item_id": item["id"], "output_index": call.index}
        told = "".join(call.arguments)
        if call.custom:
            item["input"] = told = custom_input(told)
            self._tell("response.custom_tool_call_input.delta", {**place, "delta": told})
            self._tell("response.custom_tool_call_input.done", {**place, "input": told})
        else:
            if not told and whole:  # a call without arguments is "{}", never ""
                told = "{}"
                self._tell("response.function_call_arguments.delta", {**place, "delta": told})
            item["arguments"] = told
            item["status"] = "completed" if whole else "incomplete"
            self._tell("response.function_call_arguments.done", {**place, "name": item["name"], "arguments": told})
        self._tell("response.output_item.done", {"output_index": call.index, "item": item})


def add_part(scribe: Scribe, part: Any, number: int) -> None:
    """A part of an answer that is there whole."""
    match part:
        case Text():
            scribe.text(part.text, part.signature)
        case Thought():
            scribe.thought(part)
        case Refusal():
            scribe.refusal(part.text)
        case ToolCall():
            scribe.call(number, part.id, part.name, part.signature)
            scribe.arguments(number, part.arguments)
        case _:
            scribe.part(part)


def _place(growing: Growing) -> Json:
    return {"item_id": growing.item["id"], "output_index": growing.index}
