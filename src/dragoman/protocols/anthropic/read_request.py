"""A caller's request into the neutral language. Only the members that are there are looked at; a name without a reader is an
extra."""

from collections.abc import Callable
from typing import Any

from dragoman.ir import BadRequest, Extra, OutputFormat, Reasoning, Request, Sampling, Text, Tool, ToolChoice
from dragoman.ir.request import Effort
from dragoman.protocols.anthropic import fields, read_tools
from dragoman.protocols.anthropic.read_messages import read_messages
from dragoman.protocols.anthropic.read_parts import extras_of
from dragoman.protocols.base import Route
from dragoman.wire.json import decode_object

_NO_SAMPLING = Sampling()
_CHOICE = frozenset({"type", "name", "disable_parallel_tool_use"})
_THINKING = frozenset({"type", "budget_tokens", "display"})
_FORMAT = frozenset({"type", "schema", "name"})


class _Draft:
    """What has been read so far; class attributes are what holds where nothing was said."""

    system: tuple[Text, ...] = ()
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel: bool | None = None
    format: OutputFormat | None = None
    effort: Effort | None = None
    budget: int | None = None
    stopped: bool = False
    include_thoughts: bool | None = None
    stream: bool = False
    user: str | None = None
    service_tier: str | None = None

    def __init__(self) -> None:
        self.extras: list[Extra] = []
        self.sampling: dict[str, Any] = {}
        self.places: dict[str, str] = {}


def read_request(body: bytes, route: Route) -> Request:
    """Raises BadRequest with the path of the bad field."""
    given = decode_object(body, dotted=True)
    if given.get("model") is None:
        raise fields.missing("model")
    model = fields.text(given["model"], "model")
    if given.get("max_tokens") is None and route.operation == "generate":
        raise fields.missing("max_tokens")
    draft = _Draft()
    messages = read_messages(given.get("messages"), draft.extras)
    for key, value in given.items():
        if value is None:
            continue
        reader = _READERS.get(key)
        if reader is not None:
            reader(draft, value, key)
        elif value not in fields.EMPTY:
            draft.extras.append(Extra("", key, value, key))
    return Request(
        model,
        messages,
        draft.system,
        draft.tools,
        draft.tool_choice,
        draft.parallel,
        Sampling(**draft.sampling) if draft.sampling else _NO_SAMPLING,
        draft.format,
        _reasoning(draft),
        (),
        draft.stream,
        True,
        draft.user,
        draft.service_tier,
        tuple(draft.extras),
        draft.places or None,
    )


def _reasoning(draft: _Draft) -> Reasoning | None:
    """An effort steers adaptive thinking and wins over a budget, which it does not stand beside; thinking that is switched off
    stays off."""
    if draft.stopped:
        draft.places["reasoning.effort"] = "thinking.type"
        if draft.effort is not None:
            why = Extra("anthropic", "output_config.effort", draft.effort, "output_config.effort", harmless=True)
            draft.extras.append(why)
        return Reasoning("none")
    if draft.effort is not None:
        if draft.budget is not None and draft.budget > 0:
            own = Extra("anthropic", "output_config.effort", draft.effort, "output_config.effort", harmless=True)
            draft.extras.append(own)
            return Reasoning(None, draft.budget, draft.include_thoughts)
        return Reasoning(draft.effort, None, draft.include_thoughts)
    if draft.budget is None:
        return None
    return Reasoning(None, draft.budget, draft.include_thoughts)


Reader = Callable[[_Draft, Any, str], None]


def _skip(draft: _Draft, value: Any, key: str) -> None:
    """Read elsewhere."""


def _system(draft: _Draft, value: Any, key: str) -> None:
    if type(value) is str:
        draft.system = (Text(value),) if value else ()
        return
    if type(value) is not list:
        raise fields.refuse(key, "a string or an array of text blocks", value)
    texts: list[Text] = []
    for at, item in enumerate(value):
        path = f"{key}.{at}"
        block = fields.table(item, path)
        if fields.member(block, "type", path) != "text":
            raise fields.invalid(f"{path}.type", "a system text is made of text blocks.")
        texts.append(Text(fields.member(block, "text", path), None, extras_of(block, "text", path)))
    draft.system = tuple(texts)


def _number(name: str) -> Reader:
    def read(draft: _Draft, value: Any, key: str) -> None:
        draft.sampling[name] = fields.number(value, key)

    return read


def _top_k(draft: _Draft, value: Any, key: str) -> None:
    draft.sampling["top_k"] = fields.integer(value, key, 0)


def _max_tokens(draft: _Draft, value: Any, key: str) -> None:
    most = fields.integer(value, key, 0)
    if most == 0:
        raise fields.invalid(
            key, "an answer of no tokens, which only warms a cache, can be asked of Anthropic's models only."
        )
    draft.sampling["max_output_tokens"] = most


def _stop(draft: _Draft, value: Any, key: str) -> None:
    words = [fields.text(word, f"{key}.{at}") for at, word in enumerate(fields.array(value, key))]
    if words:
        draft.sampling["stop"] = tuple(words)


def _stream(draft: _Draft, value: Any, key: str) -> None:
    draft.stream = fields.flag(value, key)


def _tools(draft: _Draft, value: Any, key: str) -> None:
    draft.tools = read_tools.read_tools(value)


def _tool_choice(draft: _Draft, value: Any, key: str) -> None:
    draft.tool_choice, draft.parallel = read_tools.read_choice(value)
    draft.extras += fields.unknown(value, _CHOICE, key)


def _thinking(draft: _Draft, value: Any, key: str) -> None:
    """`display` tells whether the thoughts are shown; where it is left out they are."""
    thinking = fields.table(value, key)
    kind = fields.member(thinking, "type", key)
    display = fields.optional_text(thinking, "display", key)
    if kind != "between_tools":
        draft.extras += fields.unknown(thinking, _THINKING, key)
    match kind:
        case "disabled":
            draft.stopped = True
            return
        case "enabled":
            if thinking.get("budget_tokens") is None:
                raise fields.missing(f"{key}.budget_tokens")
            draft.budget = fields.integer(thinking["budget_tokens"], f"{key}.budget_tokens", 1)
        case "adaptive":
            draft.budget = -1
            draft.places["reasoning.budget"] = f"{key}.type"
        case "between_tools":
            draft.extras.append(Extra("anthropic", key, thinking, key))
            return
        case _:
            raise fields.invalid(f"{key}.type", f"{kind!r}; thinking is 'enabled', 'adaptive' or 'disabled'.")
    if display not in (None, "summarized", "omitted"):
        raise fields.invalid(f"{key}.display", f"{display!r}; it is 'summarized' or 'omitted'.")
    draft.include_thoughts = display != "omitted"


def _output_config(draft: _Draft, value: Any, key: str) -> None:
    for name, member in fields.table(value, key).items():
        path = f"{key}.{name}"
        if member is None:
            continue
        if name == "effort":
            draft.effort = read_tools.read_effort(member, path)
        elif name == "format":
            draft.format = read_tools.read_format(member, path)
            draft.extras += fields.unknown(member, _FORMAT, path)
        elif member not in fields.EMPTY:
            draft.extras.append(Extra("", path, member, path))


def _output_format(draft: _Draft, value: Any, key: str) -> None:
    """The format's place before it was `output_config.format`."""
    if draft.format is None:
        draft.format = read_tools.read_format(value, key)
        draft.extras += fields.unknown(value, _FORMAT, key)
        draft.places["format"] = key


def _metadata(draft: _Draft, value: Any, key: str) -> None:
    for name, member in fields.table(value, key).items():
        path = f"{key}.{name}"
        if name == "user_id":
            draft.user = None if member is None else fields.text(member, path)
        elif member not in fields.EMPTY:
            draft.extras.append(Extra("", path, member, path, harmless=True))


def _service_tier(draft: _Draft, value: Any, key: str) -> None:
    word = fields.text(value, key)
    draft.service_tier = "default" if word == "standard_only" else word


def _thread(draft: _Draft, value: Any, key: str) -> None:
    """A conversation that Anthropic keeps between turns. Refused in Anthropic's own words, which make its SDKs' tool runners
    (anthropic 2.12.0, @anthropic-ai/sdk 1.12.0) send the whole history instead; without it a next turn would be torn off."""
    fields.table(value, key)
    raise BadRequest(
        "thread: only Anthropic keeps a conversation between turns, and another vendor's model answers here. Send the whole "
        "conversation, without `thread`.",
        param=key,
        code="thread_unsupported_request",
        details=[{"error_code": "thread_unsupported_request"}],
    )


def _own(*, harmless: bool) -> Reader:
    """A member that only Anthropic understands."""

    def read(draft: _Draft, value: Any, key: str) -> None:
        if value not in fields.EMPTY:
            draft.extras.append(Extra("anthropic", key, value, key, harmless))

    return read


_READERS: dict[str, Reader] = {
    "model": _skip,
    "messages": _skip,
    "system": _system,
    "max_tokens": _max_tokens,
    "temperature": _number("temperature"),
    "top_p": _number("top_p"),
    "top_k": _top_k,
    "stop_sequences": _stop,
    "stream": _stream,
    "tools": _tools,
    "tool_choice": _tool_choice,
    "thinking": _thinking,
    "output_config": _output_config,
    "output_format": _output_format,
    "metadata": _metadata,
    "service_tier": _service_tier,
    "thread": _thread,
    # Anthropic's own, and what becomes of the answer without them: the same, or not.
    "cache_control": _own(harmless=True),
    "speed": _own(harmless=True),
    "diagnostics": _own(harmless=True),
    "container": _own(harmless=False),
    "context_management": _own(harmless=False),
    "inference_geo": _own(harmless=False),
    "mcp_servers": _own(harmless=False),
}
