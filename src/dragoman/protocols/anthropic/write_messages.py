"""Turns of the neutral language into `messages` for a vendor.

Anthropic's laws (platform.claude.com/docs/en/api/messages, and 400s that were recorded): the first turn is the user's; turns of
one role are one turn; every `tool_use` has its `tool_result` in the next turn, before anything else in it; no text is empty; a
`thinking` block goes back as it came or not at all.
"""

import hashlib
from typing import Any

from dragoman.catalog.profile import Profile
from dragoman.ir import (
    BadRequest,
    CodeCall,
    CodeResult,
    Deed,
    FetchResult,
    Losses,
    Media,
    Message,
    Opaque,
    Refusal,
    Request,
    Text,
    Thought,
    ToolCall,
    ToolResult,
)
from dragoman.ir.turns import NO_RESULT, paired
from dragoman.protocols.anthropic import deeds, proofs
from dragoman.protocols.anthropic.write_parts import put_extras, write_media
from dragoman.wire.json import NotJson, decode

Json = dict[str, Any]
THINKING = ("thinking", "redacted_thinking")
_UNSIGNED = "A signature goes back to its maker only."
_BEGINNING = "[The conversation begins with the assistant's words.]"
_SHOWN = "[What the assistant showed:]"
_BLANK = "[The user says nothing.]"


def write_messages(request: Request, profile: Profile, losses: Losses) -> tuple[list[Json], list[Json]]:
    """The system text's blocks, and the turns; at least one."""
    system: list[Json] = []
    for text in request.system:
        _text(system, text, losses)
    scribe = _Scribe(profile, losses, system)
    for number, message in enumerate(paired(request.messages, losses)):
        scribe.take(message, number)
    turns = scribe.finish()
    if turns and turns[-1]["role"] == "assistant" and request.messages[-1].role != "assistant":
        # Left out, it would make of the assistant's turn before it the beginning of the answer that is asked for.
        losses.add_path(request.messages[-1].origin, "Claude takes no blank text; words say that it is.", harmless=True)
        turns.append({"role": "user", "content": [{"type": "text", "text": _BLANK}]})
    if not turns:
        if not system:
            raise BadRequest(
                "There is nothing to answer: every turn is empty.", param=losses.path("messages"), code="missing_field"
            )
        return [], [{"role": "user", "content": system}]
    return system, turns


def _text(blocks: list[Json], part: Text, losses: Losses) -> None:
    """400 "text content blocks must contain non-whitespace text": blank text joins the text before it, or is left out."""
    if not part.text or part.text.isspace():
        if blocks and blocks[-1]["type"] == "text" and part.text:
            blocks[-1] = {**blocks[-1], "text": blocks[-1]["text"] + part.text}
        return
    block: Json = {"type": "text", "text": part.text}
    if part.extras:
        put_extras(block, part.extras, losses)
        if _cites_foreign(block.get("citations")):
            del block["citations"]
    blocks.append(block)


def _cites_foreign(citations: Any) -> bool:
    """Whether pages are cited that another vendor found, which Anthropic cannot know."""
    return type(citations) is list and any(
        type(citation) is dict and proofs.is_foreign(citation.get("encrypted_index", "-")) for citation in citations
    )


class _Scribe:
    """Writes turn by turn. Of the user's turn under way, `results` go first; `waiting` are the calls that have none yet."""

    __slots__ = ("_ids", "_losses", "_profile", "_rest", "_results", "_shown", "_system", "_waiting", "_written")

    def __init__(self, profile: Profile, losses: Losses, system: list[Json]) -> None:
        self._profile = profile
        self._losses = losses
        self._system = system
        self._written: list[Json] = []
        self._results: list[Json] = []
        self._rest: list[Json] = []
        self._shown: list[Json] = []  # what the assistant showed, which only a user's turn can hold
        self._waiting: list[tuple[str, ToolCall, str]] = []  # (id as written, call, where the caller wrote it)
        self._ids: set[str] = set()

    def take(self, message: Message, number: int) -> None:
        if message.name:
            self._losses.add_path(f"{message.origin}.name", "Anthropic's turns have no names.", harmless=True)
        if message.role == "assistant":
            self._assistant(message, number)
        elif message.role == "system":
            self._system_turn(message)
        else:
            for at, part in enumerate(message.parts):
                self._other(part, message, at, self._rest)

    def finish(self) -> list[Json]:
        self._close()
        if self._waiting:
            self._answer_missing()
            self._close()
        return self._written

    def _system_turn(self, message: Message) -> None:
        if not self._written and not self._rest and not self._results:
            for at, part in enumerate(message.parts):
                self._other(part, message, at, self._system)
        elif self._profile.system_turns:
            told: list[Json] = []
            for at, part in enumerate(message.parts):
                self._other(part, message, at, told)
            if told:
                self._close()
                self._written.append({"role": "system", "content": told})
        else:
            # Order is meaning: what is said in mid-conversation is not moved to its beginning.
            for at, part in enumerate(message.parts):
                if type(part) is Text and part.text.strip():
                    part = Text(f"<system-reminder>\n{part.text}\n</system-reminder>", part.signature, part.extras)
                self._other(part, message, at, self._rest)

    def _close(self) -> None:
        """Ends the user's turn under way, if there is any."""
        if not self._results and not self._rest and not (self._shown and self._written):
            return
        if self._shown:
            self._rest[:0] = [{"type": "text", "text": _SHOWN}, *self._shown]
        content = [*self._results, *self._rest]
        if self._written and self._written[-1]["role"] == "user":
            self._written[-1]["content"] += content
        else:
            self._written.append({"role": "user", "content": content})
        self._results, self._rest, self._shown = [], [], []

    def _answer_missing(self) -> None:
        """The conversation ends with calls: 400 "`tool_use` ids were found without `tool_result` blocks immediately after"."""
        for id, call, path in self._waiting:
            self._losses.add_path(path, f"The call of {call.name!r} has no result; an error is sent in its place.")
            self._results.append({"type": "tool_result", "tool_use_id": id, "content": NO_RESULT, "is_error": True})
        self._waiting = []

    def _assistant(self, message: Message, number: int) -> None:
        if self._results or self._rest:
            self._close()
        last = self._written[-1] if self._written else None
        content: list[Json] = last["content"] if last is not None and last["role"] == "assistant" else []
        ids = deeds.Ids(f"h{number}")
        for at, part in enumerate(message.parts):
            match part:
                case ToolCall():
                    content.append(self._call(part, message, at, number))
                case Thought():
                    self._thought(part, message, at, content)
                case Media():
                    if part.thought:
                        self._losses.add_part(message, at, "A draft of a picture is not sent back.", harmless=True)
                    else:
                        self._shown.append(write_media(part, self._losses, self._losses.part_path(message, at)))
                case Text():
                    self._plain(part, message, at, content)
                case Refusal():
                    _text(content, Text(part.text), self._losses)
                case Opaque(owner="anthropic", value=dict() as value):
                    content.append(value)
                case ToolResult():
                    raise BadRequest(
                        "A tool result stands in the assistant's own turn.", param=self._losses.part_path(message, at)
                    )
                case Opaque():
                    self._losses.add_part(message, at, f"Only its own vendor understands {part.what}.")
                case _:
                    self._deed(part, message, at, content, ids)
        if content and content is not (last or {}).get("content"):
            if not self._written:
                self._losses.add_path(
                    message.origin, "A user's turn is put before it, which Claude begins with.", harmless=True
                )
                self._written.append({"role": "user", "content": [{"type": "text", "text": _BEGINNING}]})
            self._written.append({"role": "assistant", "content": content})

    def _deed(self, part: Deed, message: Message, at: int, content: list[Json], ids: deeds.Ids) -> None:
        if deeds.is_native(part):
            content.append(deeds.write_deed(part, ids))
        elif isinstance(part, CodeCall | CodeResult):
            _text(content, Text(deeds.text_of(part)), self._losses)
        else:
            lost = not isinstance(part, FetchResult) or not part.content
            self._losses.add_part(message, at, "What another vendor found is not sent to this one.", harmless=lost)

    def _thought(self, part: Thought, message: Message, at: int, content: list[Json]) -> None:
        signature, data = part.signature, proofs.redacted_in(part)
        if data is not None and not proofs.is_foreign(data):
            content.append({"type": "redacted_thinking", "data": data})
        elif signature is None or signature.maker != "anthropic":
            self._losses.add_part(message, at, "Thoughts that Claude did not sign are not sent to it.", harmless=True)
        else:
            content.append({"type": "thinking", "thinking": part.text, "signature": signature.data})

    def _plain(self, part: Text, message: Message, at: int, content: list[Json]) -> None:
        if part.signature is not None:
            self._losses.add_part(message, at, _UNSIGNED, harmless=True)
        _text(content, part, self._losses)

    def _call(self, part: ToolCall, message: Message, at: int, number: int) -> Json:
        path = self._losses.part_path(message, at)
        try:
            given = decode(part.arguments.encode("utf-8", "surrogatepass")) if part.arguments.strip() else {}
        except NotJson:
            given = None
        if type(given) is not dict:
            given = {"_raw": part.arguments}
            self._losses.add_path(path, "The arguments are no JSON object; they are sent as text in one.")
        id = part.id or minted_id(f"{number}.{at}.{part.name}.{part.arguments}")
        free, again = id, 1
        while free in self._ids:  # 400 "`tool_use` ids must be unique"
            again += 1
            free = f"{id}_{again}"
        self._ids.add(free)
        self._waiting.append((free, part, path))
        if part.signature is not None:
            self._losses.add_part(message, at, _UNSIGNED, harmless=True)
        block: Json = {"type": "tool_use", "id": free, "name": part.name, "input": given}
        put_extras(block, part.extras, self._losses)
        return block

    def _other(self, part: Any, message: Message, at: int, content: list[Json]) -> None:
        """A part of a turn that is not the assistant's."""
        match part:
            case Text():
                self._plain(part, message, at, content)
            case ToolResult():
                self._result(part, message, at)
            case Media():
                if part.signature is not None:
                    self._losses.add_part(message, at, _UNSIGNED, harmless=True)
                content.append(write_media(part, self._losses, self._losses.part_path(message, at)))
            case Refusal() | Thought():
                _text(content, Text(part.text), self._losses)
            case Opaque(owner="anthropic", value=dict() as value):
                content.append(value)
            case Opaque():
                self._losses.add_part(message, at, f"Only its own vendor understands {part.what}.")
            case ToolCall():
                raise BadRequest(
                    "A tool call stands in a turn that is not the assistant's.",
                    param=self._losses.part_path(message, at),
                )
            case _:
                _text(content, Text(deeds.text_of(part)), self._losses)

    def _result(self, part: ToolResult, message: Message, at: int) -> None:
        path = self._losses.part_path(message, at)
        shown = [write_media(one, self._losses, path) for one in part.media]
        # Results stand in their calls' order by now, which tells calls without ids of their own apart.
        found = next((n for n, (_, call, _) in enumerate(self._waiting) if call.id == part.call_id), -1)
        if found < 0:
            raise BadRequest("A result stands where there is no call.", param=path)
        id = self._waiting.pop(found)[0]
        block: Json = {"type": "tool_result", "tool_use_id": id}
        held: list[Json] = []
        extras = []
        for extra in part.extras:
            if extra.owner == "anthropic" and extra.name == "tool_reference":
                held.append(extra.value)
            else:
                extras.append(extra)
        if shown or held:
            texts: list[Json] = []
            _text(texts, Text(part.content), self._losses)
            block["content"] = [*texts, *shown, *held]
        elif part.content:
            block["content"] = part.content
        if part.is_error:
            block["is_error"] = True
        put_extras(block, tuple(extras), self._losses)
        self._results.append(block)


def minted_id(seed: str) -> str:
    """A call's id where the vendor gave none: the same for the same call, so that a conversation sent again is the same."""
    return "toolu_" + hashlib.blake2b(seed.encode("utf-8", "replace"), digest_size=12).hexdigest()
