"""Turns of the neutral language into `messages` for a vendor.

OpenAI's law (platform.openai.com/docs/guides/function-calling, 2026): an assistant message with `tool_calls` must be followed
by one `tool` message for each id before any other message; `tool` messages hold text only, so media in a result goes into
the user's message that follows.
"""

import hashlib
from typing import Any

from dragoman.catalog.profile import Profile
from dragoman.ir import (
    BadRequest,
    CodeCall,
    CodeResult,
    Extra,
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
from dragoman.ir.turns import has_result, paired
from dragoman.protocols.openai_chat.write_parts import write_media
from dragoman.wire.json import NotJson, decode

Json = dict[str, Any]
_JOINED = ("content", "reasoning_content", "refusal")
_NO_PLACE = "The model's protocol has no such member."
_UNSIGNED = "A signature goes back to its maker only."


def write_messages(request: Request, profile: Profile, losses: Losses, custom: frozenset[str]) -> list[Json]:
    """`custom` names the tools that take free text in place of JSON arguments."""
    written: list[Json] = []
    if request.system:
        role = "developer" if profile.developer_role and profile.thinking == "effort" else "system"
        written.append({"role": role, "content": _system(request.system, losses)})
    scribe = _Scribe(profile, losses, custom)
    for turn, message in enumerate(paired(request.messages, losses)):
        if message.role == "assistant":
            if written and written[-1]["role"] == "assistant" and not scribe.after:
                more = scribe.assistant(message, turn)
                if message.name and written[-1].get("name", message.name) != message.name:
                    losses.add_path(f"{message.origin}.name", "The turn is one with the one before it.", harmless=True)
                _join(written[-1], more)
                continue
            written.extend(scribe.after)
            scribe.after = []
            scribe.forget()
            written.append(scribe.assistant(message, turn))
        else:
            written.extend(scribe.other(message))
    written.extend(scribe.after)
    return written


def _system(parts: tuple[Text, ...], losses: Losses) -> str | list[Json]:
    for part in parts:
        losses.add_extras(part.extras, "openai", _NO_PLACE)
    if len(parts) == 1:
        return parts[0].text
    return [{"type": "text", "text": part.text} for part in parts]


def _join(turn: Json, more: Json) -> None:
    """Adds a turn of the assistant's to the one right before it.

    Google's own client sends each chunk of a stream back as a turn of its own, so the calls and the empty text of the last
    chunk come apart; between calls and their results, though, OpenAI's API takes nothing (google-genai 3.4, 2026-11).
    """
    for name, value in more.items():
        held = turn.get(name)
        if held is None:
            turn[name] = value
        elif type(held) is type(value) and (type(value) is list or name in _JOINED):
            turn[name] = held + value
    if turn.get("tool_calls") and not turn["content"]:
        turn["content"] = None


class _Scribe:
    """Writes turn by turn; `after` holds what must wait until the results of the last calls are written."""

    __slots__ = ("_custom", "_losses", "_profile", "_waiting", "after")

    def __init__(self, profile: Profile, losses: Losses, custom: frozenset[str]) -> None:
        self._profile = profile
        self._losses = losses
        self._custom = custom
        self._waiting: list[tuple[str, str]] = []  # (id as written, name) of calls without a result so far
        self.after: list[Json] = []

    def forget(self) -> None:
        """A new turn of the assistant's: what has no result by now will have none."""
        self._waiting = []

    def other(self, message: Message) -> list[Json]:
        """A user's or a system's turn: its results now; the rest now too or, while calls wait for results, later."""
        results: list[Json] = []
        content: list[Json] = []
        for number, part in enumerate(message.parts):
            if type(part) is Text:
                if part.signature is not None or part.extras:
                    self._text_losses(part, message, number)
                content.append(self._own({"type": "text", "text": part.text}, part.extras))
            elif type(part) is ToolResult:
                results.append(self._result(part))
                content.extend(self._media(shown, message, number) for shown in part.media)
                self._losses.add_extras(part.extras, "openai", _NO_PLACE)
                if part.is_error:
                    told = "That a result is an error is told by its words alone."
                    self._losses.add_part(message, number, told, harmless=True)
            elif type(part) is Media:
                content.append(self._media(part, message, number))
            else:
                content.extend(self._odd(part, message, number))
        if content:
            turn: Json = {"role": message.role, "content": _plain(content)}
            if message.name:
                turn["name"] = message.name
            self.after.append(turn)
        if not self._waiting:
            results.extend(self.after)
            self.after = []
        return results

    def _media(self, part: Media, message: Message, number: int) -> Json:
        self._losses.add_extras(part.extras, "openai", _NO_PLACE)
        if part.signature is not None:
            self._losses.add_part(message, number, _UNSIGNED, harmless=True)
        written = write_media(part, self._profile, self._losses, self._losses.part_path(message, number))
        return self._own(written, part.extras)

    def _own(self, written: Json, extras: tuple[Extra, ...]) -> Json:
        """Puts back what only OpenAI's own API takes on a part."""
        for extra in extras:
            if extra.owner == "openai":
                if self._profile.family == "openai":
                    written[extra.name] = extra.value
                else:
                    self._losses.add_path(extra.path, _NO_PLACE, harmless=extra.harmless)
        return written

    def assistant(self, message: Message, turn: int) -> Json:
        said: list[str] = []
        thoughts: list[str] = []
        calls: list[Json] = []
        refusal: str | None = None
        earlier = 0
        written: Json = {"role": "assistant", "content": None}
        for number, part in enumerate(message.parts):
            match part:
                case Text():
                    said.append(part.text)
                    if part.signature is not None or part.extras:
                        self._text_losses(part, message, number)
                        self._sign(written, part.signature)
                case ToolCall():
                    calls.append(self._call(part, message, number, turn))
                case Thought():
                    earlier = number if not thoughts else earlier
                    thoughts.append(part.text)
                    if part.redacted is not None:
                        self._losses.add_part(
                            message, number, "Encrypted thoughts go to their maker only.", harmless=True
                        )
                case Refusal():
                    refusal = (refusal or "") + part.text
                case CodeCall() | CodeResult():
                    said.append(fenced(part))
                case Media():
                    self._shown(written, part, message, number)
                case Opaque(owner="openai", value=dict() as value) if part.what.startswith("message."):
                    written.update(value)
                case _:
                    said.extend(piece["text"] for piece in self._odd(part, message, number) if "text" in piece)
        if refusal is not None:
            if self._profile.family == "openai":
                written["refusal"] = refusal
            else:
                said.append(refusal)
        if said and (any(said) or not calls):
            written["content"] = "".join(said)
        elif not calls and refusal is None and "audio" not in written:
            written["content"] = ""
        if thoughts:
            # OpenAI's own API refuses the member; Ark's, DeepSeek's and Kimi's models want it back within a turn of calls.
            if calls and self._profile.family in ("ark", "other"):
                written["reasoning_content"] = "".join(thoughts)
            else:
                self._losses.add_part(
                    message, earlier, "Earlier thoughts are not sent back to this model.", harmless=True
                )
        if calls:
            written["tool_calls"] = calls
        if message.name:
            written["name"] = message.name
        return written

    def _call(self, part: ToolCall, message: Message, number: int, turn: int) -> Json:
        id = part.id or minted_id(f"{turn}.{number}.{part.name}.{part.arguments}")
        self._waiting.append((id, part.name))
        self._losses.add_extras(part.extras, "openai", _NO_PLACE)
        if part.name in self._custom:
            return {"id": id, "type": "custom", "custom": {"name": part.name, "input": custom_input(part.arguments)}}
        call: Json = {
            "id": id,
            "type": "function",
            "function": {"name": part.name, "arguments": part.arguments or "{}"},
        }
        if part.signature is not None and not self._sign(call, part.signature):
            self._losses.add_part(message, number, _UNSIGNED, harmless=True)
        return call

    def _result(self, part: ToolResult) -> Json:
        """A result's message. Without an id it answers the first waiting call of its name, else the first at all."""
        id = part.call_id
        at = next(
            (n for n, (known, name) in enumerate(self._waiting) if (known == id if id else name == part.name)), -1
        )
        if at < 0 and not id and self._waiting:
            at = 0
        if at >= 0:
            id = self._waiting.pop(at)[0]
        return {"role": "tool", "tool_call_id": id or minted_id(f"result.{part.name}"), "content": part.content}

    def _sign(self, holder: Json, signature: Signature | None) -> bool:
        if signature is None or signature.maker != "gemini" or self._profile.family != "gemini":
            return False
        holder["extra_content"] = {"google": {"thought_signature": signature.data}}
        return True

    def _text_losses(self, part: Text, message: Message, number: int) -> None:
        if part.signature is not None and self._profile.family != part.signature.maker:
            self._losses.add_part(message, number, _UNSIGNED, harmless=True)
        if part.extras:
            self._losses.add_extras(part.extras, "openai", _NO_PLACE)

    def _shown(self, written: Json, part: Media, message: Message, number: int) -> None:
        if part.thought:
            self._losses.add_part(message, number, "A draft of a picture is not sent back.", harmless=True)
        elif part.kind == "image" and self._profile.family == "gemini":
            image = write_media(part, self._profile, self._losses, self._losses.part_path(message, number))
            self._sign(image, part.signature)
            written.setdefault("images", []).append(image)
        else:
            self._losses.add_part(message, number, "The model takes no media in an assistant's turn.")

    def _odd(self, part: Any, message: Message, number: int) -> list[Json]:
        """Parts that seldom stand where they stand."""
        match part:
            case Opaque(owner="openai", value=dict() as value):
                return [value]
            case Refusal() | Thought():
                return [{"type": "text", "text": part.text}]
            case CodeCall() | CodeResult():
                return [{"type": "text", "text": fenced(part)}]
            case SearchCall() | FetchCall():
                if not has_result(message.parts, number):  # else told with it
                    what = "search" if type(part) is SearchCall else "reading of a page"
                    self._losses.add_part(
                        message, number, f"The model is not told of an earlier {what}.", harmless=True
                    )
                return []
            case SearchResult() | FetchResult():
                what = "search" if type(part) is SearchResult else "reading of a page"
                self._losses.add_part(
                    message, number, f"The model is not told of an earlier {what}; what it gave is left out."
                )
                return []
            case Opaque():
                self._losses.add_part(message, number, f"Only its own vendor understands {part.what}.")
                return []
            case ToolCall():
                raise BadRequest(
                    "A tool call stands in a turn that is not the assistant's.",
                    param=self._losses.part_path(message, number),
                )
            case ToolResult():
                raise BadRequest(
                    "A tool result stands in the assistant's own turn.", param=self._losses.part_path(message, number)
                )
        return []


def fenced(part: CodeCall | CodeResult) -> str:
    """Code that a vendor ran, and what it gave, as text."""
    if type(part) is CodeCall:
        return f"\n```{part.language.lower()}\n{part.code.rstrip()}\n```\n"
    assert type(part) is CodeResult
    return f"\n```output\n{part.output.rstrip()}\n```\n"


def minted_id(seed: str) -> str:
    """A call's id where the vendor gave none: the same for the same call, so that a conversation sent again is the same."""
    return "call_" + hashlib.blake2b(seed.encode("utf-8", "replace"), digest_size=12).hexdigest()


def custom_input(arguments: str) -> str:
    """The free text of a custom tool's call, from the JSON object that carries it elsewhere."""
    try:
        value = decode(arguments.encode())
    except NotJson:
        return arguments
    if type(value) is dict and type(value.get("input")) is str:
        return str(value["input"])
    return arguments


def custom_names(request: Request) -> frozenset[str]:
    """The request's tools that take free text."""
    if not request.tools:
        return frozenset()
    return frozenset(
        tool.name
        for tool in request.tools
        if type(tool) is FunctionTool
        and any(extra.owner == "openai" and extra.name == "custom" for extra in tool.extras)
    )


def _plain(content: list[Json]) -> str | list[Json]:
    if len(content) == 1 and len(content[0]) == 2 and content[0]["type"] == "text":
        return str(content[0]["text"])
    return content
