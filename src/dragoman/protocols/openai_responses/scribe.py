"""Writes a candidate's output items, in one piece or as they grow.

What an answer says in a row becomes a row of items: a message's text, a reasoning, a call. A vendor's signature has no field of
its own here: it travels as the `encrypted_content` of a reasoning item without a summary, before the item that it is of (or,
where a stream tells it only behind a text, after that, with an id that says so), in a tagged envelope.

How an item of each kind grows is left to `growing` and `deeds`.
"""

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
    Request,
    SearchCall,
    SearchResult,
    Signature,
    Thought,
    TokenLogprob,
)
from dragoman.protocols.base import Stamp
from dragoman.protocols.openai_responses.deeds import NO_PLACE, answers, deed_item, tell_deed
from dragoman.protocols.openai_responses.draft import OWNER
from dragoman.protocols.openai_responses.envelope import PREFIX
from dragoman.protocols.openai_responses.growing import Call, Message, Reasoning, Tell, Words, place_of
from dragoman.protocols.openai_responses.items import AFTER, write_image
from dragoman.protocols.openai_responses.words import write_logprobs
from dragoman.wire.envelope import seal

Json = dict[str, Any]
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
        self._calls: dict[int, Call] = {}
        self._deed: Deed | None = None  # a call of the vendor's own tool whose result may follow
        self._texts: list[Words] = []
        self.losses = losses
        self.items: list[Json] = []
        self.open: Message | Reasoning | None = None
        self.chars = 0

    # --- what an answer may say

    def text(self, text: str, signature: Signature | None = None) -> None:
        message = self.open
        if not text and signature is not None:
            if type(message) is Message:
                message.after = signature
            else:
                self._sealed(signature, AFTER)
            return
        if type(message) is not Message:
            if signature is not None:
                self._sealed(signature)
                signature = None
            message = self._message()
        words = message.open("output_text", self.chars, self._tell)
        if not words.pieces:
            self._texts.append(words)
        words.pieces.append(text)
        self.chars += len(text)
        self._tell(
            "response.output_text.delta",
            {**place_of(message), "content_index": words.number, "delta": text, "logprobs": []},
        )
        if signature is not None:
            message.after = signature

    def refusal(self, text: str) -> None:
        message = self.open
        if type(message) is not Message:
            message = self._message()
        words = message.open("refusal", self.chars, self._tell)
        words.pieces.append(text)
        self._tell("response.refusal.delta", {**place_of(message), "content_index": words.number, "delta": text})

    def thought(self, thought: Thought) -> None:
        if thought.redacted is not None:
            self._sealed(Signature("anthropic", thought.redacted, "redacted"))
            return
        signature = thought.signature
        reasoning = self.open
        if type(reasoning) is not Reasoning:
            if not thought.text and signature is None:
                return
            self.close()
            native = signature.id if signature is not None and signature.maker == "openai" else ""
            reasoning = Reasoning(
                len(self.items), {"id": native or self._id("rs_"), "type": "reasoning", "summary": []}
            )
            self._begin(reasoning)
        if thought.text:
            reasoning.think(thought.text, thought.raw, self._tell)
        if signature is not None:
            own = signature.maker == "openai" and signature.id == reasoning.item["id"]
            reasoning.item["encrypted_content"] = signature.data if own else seal(signature)
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
        call = self._calls[number] = Call(index, item)
        self._added(call)

    def arguments(self, number: int, arguments: str) -> None:
        call = self._calls.get(number)
        if call is None or not arguments:  # fragments of a call that never began
            return
        call.add(arguments, self._tell)

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
                self._deed_done(write_image(part, self._id("ig_")), "image_generation_call", "generating")
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
            if words.sent and self._streams:
                break
            cited = words.cite(citation)
            message = self.open
            if type(message) is Message and message.words is words:
                place = {**place_of(message), "content_index": words.number}
                number = len(words.part["annotations"]) - 1
                self._tell(
                    "response.output_text.annotation.added",
                    {**place, "annotation_index": number, "annotation": cited},
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
            call.end(self._tell, whole=whole)
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
        if isinstance(growing, Message):
            growing.end(self._tell, whole=whole)
        else:
            growing.end(self._tell)
        self._tell("response.output_item.done", {"output_index": growing.index, "item": growing.item})
        if isinstance(growing, Message) and growing.after is not None:
            self._sealed(growing.after, AFTER)

    def _id(self, prefix: str) -> str:
        return f"{prefix}{self._tail}_{len(self.items)}"

    def _message(self) -> Message:
        self.close()
        item = {"id": self._id("msg_"), "type": "message", "status": "in_progress", "role": "assistant", "content": []}
        message = Message(len(self.items), item)
        self._begin(message)
        return message

    def _begin(self, growing: Message | Reasoning) -> None:
        self.open = growing
        self._added(growing)

    def _added(self, growing: Message | Reasoning | Call) -> None:
        self.items.append(growing.item)
        self._tell("response.output_item.added", {"output_index": growing.index, "item": growing.item})

    def _sealed(self, signature: Signature, prefix: str = "rs_") -> None:
        """A reasoning item that says nothing and carries a signature."""
        self.close()
        item = {"id": self._id(prefix), "type": "reasoning", "summary": [], "encrypted_content": seal(signature)}
        if signature.maker == "openai" and signature.id:
            item["id"], item["encrypted_content"] = signature.id, signature.data
        self._whole(item)

    def _whole(self, item: Json) -> None:
        """An item that comes at once."""
        index = len(self.items)
        self.items.append(item)
        self._tell("response.output_item.added", {"output_index": index, "item": item})
        self._tell("response.output_item.done", {"output_index": index, "item": item})

    def _deed_done(self, item: Json, kind: str, doing: str) -> None:
        self.items.append(item)
        tell_deed(len(self.items) - 1, item, kind, doing, self._tell)

    def _finish_deed(self, deed: Deed | None, result: Any) -> None:
        self._deed_done(*deed_item(deed, result, self._id, self.losses))
