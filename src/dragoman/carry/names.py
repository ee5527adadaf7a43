"""Tool names as a vendor's protocol allows them, and back.

A name that may not go as it is loses its illegal characters (each becomes `_`) and what is too much of it; where two would
become one, and where a name is shortened, a hash of the whole name tells them apart. What comes out is legal everywhere:
`[A-Za-z_][A-Za-z0-9_-]{0,63}`. The same request always gives the same names, so nothing need be kept between exchanges.
"""

import re
from collections.abc import Iterable
from hashlib import sha256

from msgspec import Struct
from msgspec.structs import replace

from dragoman.ir import Extra, FunctionTool, Message, Request, Tool, ToolCall, ToolChoice, ToolResult

_LONGEST = 64
_HASH = 8
_ILLEGAL = re.compile(r"[^A-Za-z0-9_-]")
_SAYS_SOMETHING = re.compile(r"[A-Za-z0-9]")


class Names(Struct, frozen=True):
    """Only those that differ, in both directions."""

    at_vendor: dict[str, str]
    at_caller: dict[str, str]


def names_for(request: Request, legal: re.Pattern[str]) -> Names | None:
    """The names of `request` that its vendor would refuse; None where there are none."""
    fits = legal.fullmatch
    known = _names_in(request)
    bad = [name for name in known if not fits(name)]
    if not bad:
        return None
    taken = {name for name in known if fits(name)}
    at_vendor: dict[str, str] = {}
    for name in bad:
        written = _legalised(name)
        if written in taken:
            written = _shortened(written, name)
        taken.add(written)
        at_vendor[name] = written
    return Names(at_vendor, {written: name for name, written in at_vendor.items()})


def _names_in(request: Request) -> Iterable[str]:
    """Every name once, the declared ones first: what is added to the history later must not change them."""
    found = dict.fromkeys(tool.name for tool in request.tools if tool.__class__ is FunctionTool)
    if request.tool_choice is not None:
        found.update(dict.fromkeys(request.tool_choice.allowed))
    for message in request.messages:
        for part in message.parts:
            if part.__class__ is ToolCall or (part.__class__ is ToolResult and part.name):
                found[part.name] = None
    return found


def _legalised(name: str) -> str:
    written = _ILLEGAL.sub("_", name)
    if not _SAYS_SOMETHING.search(written):
        return f"tool_{_hash(name)}"
    if not (written[0].isalpha() or written[0] == "_"):
        written = f"_{written}"
    return written if len(written) <= _LONGEST else _shortened(written, name)


def _shortened(written: str, name: str) -> str:
    return f"{written[: _LONGEST - _HASH - 1]}_{_hash(name)}"


def _hash(name: str) -> str:
    return sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH]


def renamed_tools(tools: tuple[Tool, ...], at_vendor: dict[str, str]) -> tuple[Tool, ...]:
    return tuple(
        [
            replace(tool, name=at_vendor[tool.name], extras=tuple(_renamed(extra, at_vendor) for extra in tool.extras))
            if isinstance(tool, FunctionTool) and tool.name in at_vendor
            else tool
            for tool in tools
        ]
    )


def _renamed(extra: Extra, at_vendor: dict[str, str]) -> Extra:
    """A free-text tool of OpenAI's holds its whole declaration beside the neutral one."""
    value = extra.value
    if extra.name != "custom" or not isinstance(value, dict) or value.get("name") not in at_vendor:
        return extra
    return replace(extra, value={**value, "name": at_vendor[value["name"]]})


def renamed_choice(choice: ToolChoice | None, at_vendor: dict[str, str]) -> ToolChoice | None:
    if choice is None or at_vendor.keys().isdisjoint(choice.allowed):
        return choice
    return replace(choice, allowed=tuple(at_vendor.get(name, name) for name in choice.allowed))


def renamed_turn(message: Message, at_vendor: dict[str, str]) -> Message:
    """`message` with its calls and results under the vendor's names; the same one where nothing changes."""
    changed = False
    parts = list(message.parts)
    for number, part in enumerate(parts):
        if isinstance(part, ToolCall | ToolResult) and part.name in at_vendor:
            parts[number] = replace(part, name=at_vendor[part.name])
            changed = True
    return replace(message, parts=tuple(parts)) if changed else message
