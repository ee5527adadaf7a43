"""Turns of the neutral language into `input` items for a vendor.

OpenAI's law (recorded): a call must have its output, and an output its call (400 "No tool output found for function call
call_…"); a `reasoning` item must be followed by the item that it led to: 400 "Item 'rs_…' of type 'reasoning' was provided
without its required following item." So reasoning goes back only where it is the vendor's own, and only before something else
that the assistant said or did.
"""

import hashlib
from typing import Any

from dragoman.catalog.profile import Profile
from dragoman.ir import (
    BadRequest,
    CodeCall,
    CodeResult,
    FetchCall,
    FetchResult,
    FunctionTool,
    Losses,
    Media,
    Message,
    Opaque,
    Refusal,
    Request,
    SearchCall,
    SearchResult,
    Signature,
    Text,
    Thought,
    ToolCall,
    ToolResult,
)
from dragoman.ir.turns import paired
from dragoman.protocols.openai_responses.draft import OWNER
from dragoman.protocols.openai_responses.items import write_image
from dragoman.protocols.openai_responses.words import custom_input
from dragoman.protocols.openai_responses.write_parts import write_media

Json = dict[str, Any]
_NO_PLACE = "The model's protocol has no such member."
_UNSIGNED = "A signature goes back to its maker only."


def write_input(request: Request, profile: Profile, losses: Losses) -> list[Json]:
    custom = frozenset(
        tool.name
        for tool in request.tools
        if type(tool) is FunctionTool and any(extra.name == "custom" for extra in tool.extras)
    )
    scribe = _Scribe(profile, losses, custom)
    for turn, message in enumerate(paired(request.messages, losses)):
        if message.role == "assistant":
            scribe.assistant(message, turn)
        else:
            scribe.other(message)
    scribe.end_answer()
    return scribe.items


class _Scribe:
    __slots__ = (
        "_custom",
        "_free",
        "_losses",
        "_profile",
        "_reasoned",
        "_reasoning",
        "_speaking",
        "_start",
        "_waiting",
        "items",
    )

    def __init__(self, profile: Profile, losses: Losses, custom: frozenset[str]) -> None:
        self._profile = profile
        self._losses = losses
        self._custom = custom
        self._waiting: list[tuple[str, str]] = []  # (id as written, name) of calls without a result so far
        self._free: set[str] = set()  # ids of calls that take free text
        self._reasoning: list[Json] = []  # what led to the item that is to come
        self._reasoned: tuple[Message, int] | None = None  # where the last of it stood
        self._speaking = False  # inside an answer, which may be several turns of the assistant's
        self._start = 0  # of its items
        self.items: list[Json] = []

    # --- the user and the system

    def other(self, message: Message) -> None:
        self.end_answer()
        content: list[Json] = []
        results: list[Json] = []
        for number, part in enumerate(message.parts):
            match part:
                case Text():
                    if part.signature is not None:
                        self._losses.add_part(message, number, _UNSIGNED, harmless=True)
                    content.append(self._own({"type": "input_text", "text": part.text}, part.extras))
                case ToolResult():
                    results.append(self._result(part, message, number))
                case Media():
                    content.append(self._media(part, message, number))
                case Refusal() | Thought():
                    content.append({"type": "input_text", "text": part.text})
                case Opaque(owner="openai-responses", value=dict() as value):
                    results.append(value)
                case CodeCall() | CodeResult():
                    content.append({"type": "input_text", "text": fenced(part)})
                case Opaque():
                    self._losses.add_part(message, number, f"Only its own vendor understands {part.what}.")
                case ToolCall():
                    raise BadRequest(
                        "A tool call stands in a turn that is not the assistant's.",
                        param=self._losses.part_path(message, number),
                    )
                case _:
                    self._losses.add_part(message, number, _NO_PLACE)
        self.items.extend(results)
        if content:
            role = message.role
            if role == "system" and self._profile.developer_role:
                role = "developer"  # type: ignore[assignment]
            self.items.append({"role": role, "content": _plain(content)})
        if message.name:
            self._unnamed(message)

    def _unnamed(self, message: Message) -> None:
        self._losses.add_path(f"{message.origin}.name", "The model's protocol knows no names.", harmless=True)

    def _media(self, part: Media, message: Message, number: int) -> Json:
        if part.signature is not None:
            self._losses.add_part(message, number, _UNSIGNED, harmless=True)
        path = self._losses.part_path(message, number)
        return self._own(write_media(part, self._profile, self._losses, path), part.extras)

    def _own(self, written: Json, extras: tuple[Any, ...]) -> Json:
        """Puts back what only OpenAI's own API takes on a part."""
        for extra in extras:
            if extra.owner == "openai" and extra.name == "prompt_cache_breakpoint" and self._profile.family == "openai":
                written[extra.name] = extra.value
            else:
                self._losses.add_path(extra.path, _NO_PLACE, harmless=extra.harmless)
        return written

    def _result(self, part: ToolResult, message: Message, number: int) -> Json:
        """A result's item. Without an id it answers the first waiting call of its name, else the first at all."""
        id = part.call_id
        at = next(
            (n for n, (known, name) in enumerate(self._waiting) if (known == id if id else name == part.name)), -1
        )
        if at < 0 and not id and self._waiting:
            at = 0
        if at >= 0:
            id = self._waiting.pop(at)[0]
        self._losses.add_extras(part.extras, OWNER, _NO_PLACE)
        output: str | list[Json] = part.content
        if part.media:
            shown = [self._media(media, message, number) for media in part.media]
            said = [{"type": "input_text", "text": part.content}] if part.content else []
            output = [*said, *shown]
        kind = "custom_tool_call_output" if id in self._free else "function_call_output"
        return {"type": kind, "call_id": id or minted_id(f"result.{part.name}"), "output": output}

    # --- the assistant

    def assistant(self, message: Message, turn: int) -> None:
        said: list[Json] = []
        if message.name:
            self._unnamed(message)
        if not self._speaking:
            self._speaking = True
            self._start = len(self.items)
            self._waiting = []  # what has no result by now will have none
        for number, part in enumerate(message.parts):
            match part:
                case Text():
                    self._losses.add_extras(part.extras, OWNER, _NO_PLACE)
                    if part.signature is not None and self._led(part.signature, message, number):
                        said = self._say(said)
                    if part.text or part.signature is None:
                        said.append({"type": "output_text", "text": part.text})
                case Refusal():
                    said.append({"type": "refusal", "refusal": part.text})
                case CodeCall() | CodeResult():
                    if part.signature is not None:
                        self._led(part.signature, message, number)
                    said.append({"type": "output_text", "text": fenced(part)})
                case Thought():
                    said = self._say(said)
                    self._thought(part, message, number)
                case ToolCall():
                    said = self._say(said)
                    if part.signature is not None:
                        self._led(part.signature, message, number)
                    self._put(self._call(part, f"{turn}.{number}"))
                case Media():
                    said = self._say(said)
                    self._shown(part, message, number)
                case Opaque(owner="openai-responses", value=dict() as value):
                    said = self._say(said)
                    self._put(value)
                case SearchCall() | SearchResult() | FetchCall() | FetchResult():
                    why = "What another vendor searched or read for itself is not told again."
                    self._losses.add_part(message, number, why, harmless=True)
                case Opaque():
                    self._losses.add_part(message, number, f"Only its own vendor understands {part.what}.")
                case ToolResult():
                    raise BadRequest(
                        "A tool result stands in the assistant's own turn.",
                        param=self._losses.part_path(message, number),
                    )
        self._say(said)

    def end_answer(self) -> None:
        """Behind the last of the assistant's turns in a row."""
        self._speaking = False
        if self._reasoning and self._reasoned is not None:
            self._reasoning = []
            self._losses.add_part(*self._reasoned, "Reasoning that led to nothing is not sent back.", harmless=True)

    def _say(self, said: list[Json]) -> list[Json]:
        """The assistant's words so far as an item. An empty list for those to come."""
        if said:
            words = [piece["text"] for piece in said if piece["type"] == "output_text"]
            content = "".join(words) if len(words) == len(said) else _joined(said)
            # Streams of Gemini's end with a text of no words, which its client sends back as a turn.
            if content or len(self.items) == self._start:
                self._put({"role": "assistant", "content": content})
        return []

    def _put(self, item: Json) -> None:
        """An item of the assistant's, behind the reasoning that led to it."""
        if self._reasoning:
            self.items.extend(self._reasoning)
            self._reasoning = []
        self.items.append(item)

    def _thought(self, part: Thought, message: Message, number: int) -> None:
        if part.signature is not None and part.signature.maker == "openai":
            self._led(part.signature, message, number, part.text)
        elif part.redacted is not None:
            self._losses.add_part(message, number, "Encrypted thoughts go to their maker only.", harmless=True)
        else:
            self._losses.add_part(message, number, "Earlier thoughts are not sent back to this model.", harmless=True)

    def _led(self, signature: Signature, message: Message, number: int, summary: str = "") -> bool:
        """Whether the signature is the vendor's own: then its reasoning goes before what comes next."""
        if signature.maker != "openai" or not signature.id or self._profile.family not in ("openai", "other"):
            self._losses.add_part(message, number, _UNSIGNED, harmless=True)
            return False
        told = [{"type": "summary_text", "text": summary}] if summary else []
        item = {"type": "reasoning", "id": signature.id, "summary": told, "encrypted_content": signature.data}
        self._reasoning.append(item)
        self._reasoned = message, number
        return True

    def _call(self, part: ToolCall, seed: str) -> Json:
        id = part.id or minted_id(f"{seed}.{part.name}.{part.arguments}")
        self._waiting.append((id, part.name))
        self._losses.add_extras(part.extras, OWNER, _NO_PLACE)
        if part.name in self._custom:
            self._free.add(id)
            return {
                "type": "custom_tool_call", "call_id": id, "name": part.name, "input": custom_input(part.arguments),
            }  # fmt: skip
        return {"type": "function_call", "call_id": id, "name": part.name, "arguments": part.arguments or "{}"}

    def _shown(self, part: Media, message: Message, number: int) -> None:
        if part.thought:
            self._losses.add_part(message, number, "A draft of a picture is not sent back.", harmless=True)
        elif part.kind == "image" and part.data is not None:
            if part.signature is not None:
                self._led(part.signature, message, number)
            self._put(write_image(part, minted_id(part.data, "ig_")))
        else:
            self._losses.add_part(message, number, "The model takes no such media in an assistant's turn.")


def fenced(part: CodeCall | CodeResult) -> str:
    """Code that a vendor ran, and what it gave, as text."""
    if type(part) is CodeCall:
        return f"\n```{part.language.lower()}\n{part.code.rstrip()}\n```\n"
    assert type(part) is CodeResult
    return f"\n```output\n{part.output.rstrip()}\n```\n"


def minted_id(seed: str, prefix: str = "call_") -> str:
    """A call's id where the vendor gave none: the same for the same call, so that a conversation sent again is the same."""
    return prefix + hashlib.blake2b(seed.encode("utf-8", "replace"), digest_size=12).hexdigest()


def _plain(content: list[Json]) -> str | list[Json]:
    if len(content) == 1 and content[0]["type"] == "input_text" and len(content[0]) == 2:
        return str(content[0]["text"])
    return content


def _joined(said: list[Json]) -> list[Json]:
    """Words in a row as one part."""
    parts: list[Json] = []
    for piece in said:
        if parts and piece["type"] == "output_text" == parts[-1]["type"]:
            parts[-1] = {"type": "output_text", "text": parts[-1]["text"] + piece["text"]}
        else:
            parts.append(piece)
    return parts
