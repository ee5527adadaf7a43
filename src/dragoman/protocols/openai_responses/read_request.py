"""A caller's request into the neutral language.

Only the members that are there are looked at: each has a small reader in a table, and a name that is not in the table is an
extra. What the answer repeats of the request (`tools`, `metadata`, …) is kept as it came, in an extra of our own.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dragoman.ir import BadRequest, Extra, Reasoning, Request, Sampling
from dragoman.protocols.openai import fields
from dragoman.protocols.openai.shapes import check
from dragoman.protocols.openai_responses import read_tools
from dragoman.protocols.openai_responses.draft import ECHO, OWNER, Draft
from dragoman.protocols.openai_responses.read_input import Conversation
from dragoman.protocols.openai_responses.shapes import REQUEST
from dragoman.wire.json import decode_object

Json = dict[str, Any]
_NO_SAMPLING = Sampling()
_NOTHING: Mapping[str, Json] = {}


def read_request(body: bytes, earlier: Sequence[Json] = (), kept: Mapping[str, Json] = _NOTHING) -> Request:
    """`earlier` are the items of the responses that this one follows, oldest first; `kept` those that `item_reference` may
    name, by their ids. Raises BadRequest with the path of the bad field."""
    given = decode_object(body)
    model = given.get("model")
    if model is None:
        raise fields.missing("model")
    if type(model) is not str:
        raise fields.refuse("model", "a string", model)
    conversation = Conversation(kept)
    draft = Draft()
    for key, value in given.items():
        if value is None:
            continue
        reader = _READERS.get(key)
        if reader is None:
            if value not in fields.EMPTY:
                draft.extras.append(Extra("", key, value, key))
        else:
            if (shape := REQUEST.get(key)) is not None:
                check(value, shape, key)
            reader(draft, value, key)
    conversation.read(given.get("input"), earlier, said=bool(draft.system))
    sampling = _NO_SAMPLING if draft.sampling is None else Sampling(**draft.sampling)
    return Request(
        model,
        tuple(conversation.messages),
        (*draft.system, *conversation.system),
        draft.tools,
        draft.tool_choice,
        draft.parallel,
        sampling,
        draft.format,
        draft.reasoning,
        draft.modalities,
        draft.stream,
        True,
        draft.user,
        draft.service_tier,
        (*conversation.extras, *draft.extras, Extra(OWNER, ECHO, draft.echo, "", harmless=True)),
    )


def echo_of(request: Request) -> Json:
    """What the caller said and wants to read again."""
    for extra in request.extras:
        if extra.name == ECHO and extra.owner == OWNER:
            told: Json = extra.value
            return told
    return {}


Reader = Callable[[Draft, Any, str], None]


def _skip(draft: Draft, value: Any, key: str) -> None:
    """Read elsewhere, or nobody's business but ours."""


def _number(draft: Draft, value: Any, key: str) -> None:
    draft.sample(key, fields.number(value, key))
    draft.echo[key] = value


def _max_tokens(draft: Draft, value: Any, key: str) -> None:
    whole = fields.integer(value, key)
    if whole < 1:
        raise BadRequest(
            f"Invalid '{key}': integer below minimum value. Expected a value >= 1, but got {whole} instead.",
            param=key,
            code="integer_below_min_value",
        )
    draft.sample(key, whole)
    draft.echo[key] = whole


def _top_logprobs(draft: Draft, value: Any, key: str) -> None:
    whole = fields.integer(value, key)
    if whole < 0:
        raise fields.invalid(key, f"expected a value >= 0, but got {whole} instead.")
    draft.sample(key, whole)
    if whole:
        draft.sample("logprobs", True)
    draft.echo[key] = whole


def _instructions(draft: Draft, value: Any, key: str) -> None:
    if type(value) is list:  # items, as the answer of a stored prompt repeats them
        found = Conversation(_NOTHING)
        found.read(value, (), path=key)
        if found.messages:
            raise fields.invalid(key, "expected a string.")
        draft.system.extend(found.system)
    elif fields.text(value, key):
        draft.system.append(read_tools.plain(value))
    draft.echo[key] = value


def _stream(draft: Draft, value: Any, key: str) -> None:
    draft.stream = fields.flag(value, key)


def _stream_options(draft: Draft, value: Any, key: str) -> None:
    for name, option in fields.table(value, key).items():
        if option not in fields.EMPTY:
            known = name == "include_obfuscation"
            owner = "openai" if known else ""
            draft.own(f"{key}.{name}", option, f"{key}.{name}", harmless=known, owner=owner)


def _tools(draft: Draft, value: Any, key: str) -> None:
    draft.tools = read_tools.read_tools(value)
    draft.echo[key] = value


def _tool_choice(draft: Draft, value: Any, key: str) -> None:
    draft.tool_choice = read_tools.read_tool_choice(value)
    if draft.tool_choice is not None:
        draft.extras += read_tools.beside_choice(value, key)
    else:
        # A vendor's own tool is to be called: there is no neutral word for it.
        draft.own(key, value, key)
    draft.echo[key] = value


def _parallel(draft: Draft, value: Any, key: str) -> None:
    draft.parallel = fields.flag(value, key)
    draft.echo[key] = value


def _text(draft: Draft, value: Any, key: str) -> None:
    for name, option in fields.table(value, key).items():
        if option is None:
            continue
        if name == "format":
            draft.format = read_tools.read_format(option)
            draft.extras += read_tools.beside_format(option, f"{key}.format")
        elif name == "verbosity":
            draft.own(name, fields.text(option, f"{key}.{name}"), f"{key}.{name}", owner="openai")
        elif option not in fields.EMPTY:
            draft.own(f"{key}.{name}", option, f"{key}.{name}", owner="")
    draft.echo[key] = value


def _reasoning(draft: Draft, value: Any, key: str) -> None:
    effort = None
    shown: bool | None = None
    for name, option in fields.table(value, key).items():
        if option is None:
            continue
        path = f"{key}.{name}"
        if name == "effort":
            effort = read_tools.read_effort(option, path)
        elif name in ("summary", "generate_summary"):
            word = fields.text(option, path)
            if word not in ("auto", "concise", "detailed"):
                raise fields.invalid(path, f"'{word}'. Supported values are: 'concise', 'detailed' and 'auto'.")
            shown = True
            if word != "auto":
                draft.own("reasoning.summary", word, path, harmless=True)
        elif option not in fields.EMPTY:
            draft.own(path, option, path, owner=OWNER if name in ("context", "mode") else "")
    if effort is not None or shown is not None:
        draft.reasoning = Reasoning(effort, None, shown)
    draft.echo[key] = value


def _include(draft: Draft, value: Any, key: str) -> None:
    """What stands in the answer beside the usual. Of all vendors' answers we show what there is."""
    for number, word in enumerate(fields.array(value, key)):
        path = f"{key}[{number}]"
        if fields.text(word, path) == "message.output_text.logprobs":
            draft.sample("logprobs", True)
        else:
            draft.own(key, word, path, harmless=True)


def _user(draft: Draft, value: Any, key: str) -> None:
    draft.user = fields.text(value, key)
    draft.echo[key] = value


def _service_tier(draft: Draft, value: Any, key: str) -> None:
    draft.service_tier = fields.text(value, key)


def _store(draft: Draft, value: Any, key: str) -> None:
    """Kept here, whatever vendor answers."""
    draft.echo[key] = fields.flag(value, key)


def _previous(draft: Draft, value: Any, key: str) -> None:
    """By now its items stand before the input."""
    draft.echo[key] = fields.text(value, key)


def _background(draft: Draft, value: Any, key: str) -> None:
    if fields.flag(value, key):
        raise BadRequest(
            "This model's answers cannot be made in the background. Leave 'background' out.",
            param=key,
            code="unsupported_parameter",
        )


def _held_elsewhere(draft: Draft, value: Any, key: str) -> None:
    """Names words that only OpenAI holds."""
    if value in fields.EMPTY:
        return
    raise BadRequest(
        f"'{key}' names what only OpenAI holds, and this model cannot read it. Send the words themselves in 'input'.",
        param=key,
        code="unsupported_parameter",
    )


def _truncation(draft: Draft, value: Any, key: str) -> None:
    if fields.text(value, key) != "disabled":
        draft.own(key, value, key)
    draft.echo[key] = value


def _metadata(draft: Draft, value: Any, key: str) -> None:
    """Kept with the response and repeated in it; Chat Completions takes it with `store` only."""
    if fields.table(value, key):
        draft.own(key, value, key, harmless=True)
    draft.echo[key] = value


def _shared(*, harmless: bool) -> Reader:
    """A member that Chat Completions knows too."""

    def read(draft: Draft, value: Any, key: str) -> None:
        if value not in fields.EMPTY:
            draft.own(key, value, key, harmless=harmless, owner="openai")
        draft.echo[key] = value

    return read


def _own(draft: Draft, value: Any, key: str) -> None:
    if value not in fields.EMPTY:
        draft.own(key, value, key)
    draft.echo[key] = value


_HINT = _shared(harmless=True)
_READERS: dict[str, Reader] = {
    "model": _skip,
    "input": _skip,
    "instructions": _instructions,
    "temperature": _number,
    "top_p": _number,
    "max_output_tokens": _max_tokens,
    "top_logprobs": _top_logprobs,
    "stream": _stream,
    "stream_options": _stream_options,
    "tools": _tools,
    "tool_choice": _tool_choice,
    "parallel_tool_calls": _parallel,
    "text": _text,
    "reasoning": _reasoning,
    "include": _include,
    "user": _user,
    "service_tier": _service_tier,
    "store": _store,
    "previous_response_id": _previous,
    "background": _background,
    "conversation": _held_elsewhere,
    "prompt": _held_elsewhere,
    "truncation": _truncation,
    "metadata": _metadata,
    "safety_identifier": _HINT,
    "prompt_cache_key": _HINT,
    "prompt_cache_retention": _HINT,
    "prompt_cache_options": _HINT,
    "moderation": _shared(harmless=False),
    "max_tool_calls": _own,
    "context_management": _own,
}
