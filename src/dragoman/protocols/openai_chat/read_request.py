"""A caller's request into the neutral language.

Only the members that are there are looked at: each has a small reader in a table, and a name that is not in the table is an
extra. Google's own options come in an OpenAI body as a literal `extra_body` member (curl, and the Python of Google's
documentation) or as `google` at the top (the Python SDK's `extra_body={"google": …}`); both are read.
"""

from collections.abc import Callable
from typing import Any

from dragoman.ir import BadRequest, BuiltinTool, Extra, Reasoning, Request, Sampling
from dragoman.protocols.openai import fields
from dragoman.protocols.openai.shapes import check
from dragoman.protocols.openai_chat import read_tools
from dragoman.protocols.openai_chat.draft import LEGACY, Draft
from dragoman.protocols.openai_chat.extra_body import AT_THE_TOP
from dragoman.protocols.openai_chat.read_google import read_google, read_image_config
from dragoman.protocols.openai_chat.read_messages import Conversation
from dragoman.protocols.openai_chat.shapes import REQUEST, WEB_SEARCH
from dragoman.wire.json import decode_object

_NO_SAMPLING = Sampling()


def read_request(body: bytes) -> Request:
    """Raises BadRequest with the path of the bad field."""
    given = decode_object(body)
    model = given.pop("model", None)
    if model is None:
        raise fields.missing("model")
    if type(model) is not str:
        raise fields.refuse("model", "a string", model)
    conversation = Conversation()
    conversation.read(given.pop("messages", None))
    draft = Draft()
    for key, value in given.items():
        if value is None:
            continue
        reader = _READERS.get(key)
        if reader is None:
            if value not in fields.EMPTY:
                draft.extras.append(Extra("", key, value, key))
        else:
            reader(draft, value, key)
    sampling = Sampling(**draft.sampling) if draft.sampling else _NO_SAMPLING
    return Request(
        model,
        tuple(conversation.messages),
        tuple(conversation.system),
        draft.tools,
        draft.tool_choice,
        draft.parallel,
        sampling,
        draft.format,
        _reasoning(draft),
        draft.modalities,
        draft.stream,
        draft.include_usage,
        draft.user,
        draft.service_tier,
        (*conversation.extras, *draft.extras),
        draft.places,
    )


def _reasoning(draft: Draft) -> Reasoning | None:
    """A budget or level of Google's wins over `reasoning_effort` (Google refuses the pair); `include_thoughts` joins either."""
    budget, effort = draft.budget, draft.explicit
    if budget is None and effort is None:
        effort = draft.effort
        if effort is None:
            effort = draft.ark_thinking
            if effort is not None:
                draft.place("reasoning.effort", "thinking.type")
    if budget is not None:
        effort = None
    if effort is None and budget is None and draft.include_thoughts is None:
        return None
    return Reasoning(effort, budget, draft.include_thoughts)


Reader = Callable[[Draft, Any, str], None]


def _skip(draft: Draft, value: Any, key: str) -> None:
    """Read elsewhere."""


def _number(name: str) -> Reader:
    def read(draft: Draft, value: Any, key: str) -> None:
        draft.sampling[name] = value if value.__class__ is float else fields.number(value, key)

    return read


def _integer(name: str, least: int | None = None) -> Reader:
    def read(draft: Draft, value: Any, key: str) -> None:
        whole = fields.integer(value, key)
        if least is not None and whole < least:
            raise BadRequest(
                f"Invalid '{key}': integer below minimum value. Expected a value >= {least}, but got {whole} instead.",
                param=key,
                code="integer_below_min_value",
            )
        draft.sampling[name] = whole

    return read


def _max_tokens(draft: Draft, value: Any, key: str) -> None:
    """`max_tokens` is deprecated in favour of `max_completion_tokens`, which wins where both are there."""
    whole: int = value if value.__class__ is int else fields.integer(value, key)
    if whole < 1:
        raise fields.invalid(key, f"expected a value >= 1, but got {whole} instead.")
    if key.endswith("max_completion_tokens") or "max_output_tokens" not in draft.sampling:
        draft.sampling["max_output_tokens"] = whole
        draft.place("max_output_tokens", key)


def _stop(draft: Draft, value: Any, key: str) -> None:
    if type(value) is str:
        draft.sampling["stop"] = (value,)
        return
    if type(value) is not list:
        raise fields.refuse(key, "a string or an array of strings", value)
    draft.sampling["stop"] = tuple(fields.text(word, f"{key}[{number}]") for number, word in enumerate(value))


def _logprobs(draft: Draft, value: Any, key: str) -> None:
    draft.sampling["logprobs"] = fields.flag(value, key)


def _logit_bias(draft: Draft, value: Any, key: str) -> None:
    biases = fields.table(value, key)
    draft.sampling["logit_bias"] = {token: fields.number(bias, f"{key}.{token}") for token, bias in biases.items()}


def _stream(draft: Draft, value: Any, key: str) -> None:
    draft.stream = fields.flag(value, key)


def _stream_options(draft: Draft, value: Any, key: str) -> None:
    for name, option in fields.table(value, key).items():
        if name == "include_usage":
            draft.include_usage = option is not None and fields.flag(option, f"{key}.{name}")
        elif option not in fields.EMPTY:
            owner = "openai" if name == "include_obfuscation" else ""
            if owner:
                fields.flag(option, f"{key}.{name}")
            draft.extras.append(Extra(owner, f"{key}.{name}", option, f"{key}.{name}", harmless=bool(owner)))


def _tools(draft: Draft, value: Any, key: str) -> None:
    draft.tools = (*read_tools.read_tools(value, key), *draft.tools)


def _functions(draft: Draft, value: Any, key: str) -> None:
    """The legacy form. That the caller spoke it is kept as an extra, since it is answered in its own form."""
    draft.tools = (*draft.tools, *read_tools.read_functions(value, key))
    draft.extras.append(Extra("openai", LEGACY, True, "", harmless=True))


def _function_call(draft: Draft, value: Any, key: str) -> None:
    choice = read_tools.read_tool_choice(value, key)
    draft.extras += read_tools.beside_choice(value, key)
    if draft.tool_choice is None:
        draft.tool_choice = choice
        draft.place("tool_choice", key)


def _tool_choice(draft: Draft, value: Any, key: str) -> None:
    draft.tool_choice = read_tools.read_tool_choice(value, key)
    draft.extras += read_tools.beside_choice(value, key)
    draft.place("tool_choice", key)


def _parallel(draft: Draft, value: Any, key: str) -> None:
    draft.parallel = fields.flag(value, key)


def _web_search(draft: Draft, value: Any, key: str) -> None:
    check(value, WEB_SEARCH, key)
    draft.tools = (*draft.tools, BuiltinTool("web_search", fields.table(value, key) or None, key))


def _format(draft: Draft, value: Any, key: str) -> None:
    draft.format = read_tools.read_format(value, key)
    draft.extras += read_tools.beside_format(value, key)


def _effort(draft: Draft, value: Any, key: str) -> None:
    draft.effort = read_tools.read_effort(value, key)
    if draft.explicit is None:
        draft.place("reasoning.effort", key)


def _openrouter_reasoning(draft: Draft, value: Any, key: str) -> None:
    """OpenRouter's `reasoning: {effort | max_tokens}` (openrouter.ai/docs, reasoning tokens)."""
    holder = fields.table(value, key)
    if holder.get("effort") is not None:
        effort = read_tools.read_effort(holder["effort"], f"{key}.effort")
        if draft.effort is None:
            draft.effort = effort
            if draft.explicit is None:
                draft.place("reasoning.effort", f"{key}.effort")
    elif holder.get("max_tokens") is not None:
        draft.budget = fields.integer(holder["max_tokens"], f"{key}.max_tokens")
        draft.place("reasoning.budget", f"{key}.max_tokens")


def _ark_thinking(draft: Draft, value: Any, key: str) -> None:
    """Ark's `thinking: {type: enabled | disabled | auto}`; a `budget_tokens` beside it is Anthropic's."""
    holder = fields.table(value, key)
    match holder.get("type"):
        case "disabled":
            draft.ark_thinking = "none"
        case "enabled" | "auto":
            if (budget := holder.get("budget_tokens")) is not None:
                draft.budget = fields.integer(budget, f"{key}.budget_tokens")
                draft.place("reasoning.budget", f"{key}.budget_tokens")
            elif draft.budget is None:
                draft.extras.append(Extra("openai", "thinking", holder, key, harmless=True))
        case _:
            raise fields.invalid(f"{key}.type", "supported values are: 'enabled', 'disabled' and 'auto'.")


def _modalities(draft: Draft, value: Any, key: str) -> None:
    named = fields.array(value, key)
    draft.modalities = tuple(fields.text(word, f"{key}[{number}]").lower() for number, word in enumerate(named))


def _user(draft: Draft, value: Any, key: str) -> None:
    draft.user = fields.text(value, key)


def _service_tier(draft: Draft, value: Any, key: str) -> None:
    draft.service_tier = fields.text(value, key)


def _own(*, harmless: bool) -> Reader:
    """A member that only OpenAI's family understands."""

    def read(draft: Draft, value: Any, key: str) -> None:
        if value not in fields.EMPTY:
            name = key.removeprefix("extra_body.")
            check(value, REQUEST[name], key)
            draft.extras.append(Extra("openai", name, value, key, harmless))

    return read


def _extra_body(draft: Draft, value: Any, key: str) -> None:
    for name, option in fields.table(value, key).items():
        if option in fields.EMPTY:
            continue
        if name == "google":
            read_google(draft, option, f"{key}.google")
        elif name == "extra_body":  # the Python of Google's documentation, through a client that nests it once more
            nested = fields.table(option, f"{key}.extra_body")
            for inner, held in nested.items():
                if held in fields.EMPTY:
                    continue
                if inner == "google":
                    read_google(draft, held, f"{key}.extra_body.google")
                else:
                    draft.extras.append(Extra("", inner, held, f"{key}.extra_body.{inner}"))
        elif name in AT_THE_TOP:
            draft.extras.append(Extra("", name, option, f"{key}.{name}"))
        elif (reader := _READERS.get(name)) is not None:
            reader(draft, option, f"{key}.{name}")
        else:
            draft.extras.append(Extra("", name, option, f"{key}.{name}"))


_HINT = _own(harmless=True)
_MEANT = _own(harmless=False)
_READERS: dict[str, Reader] = {
    "model": _skip,
    "messages": _skip,
    "temperature": _number("temperature"),
    "top_p": _number("top_p"),
    "top_k": _integer("top_k"),
    "max_tokens": _max_tokens,
    "max_completion_tokens": _max_tokens,
    "stop": _stop,
    "seed": _integer("seed"),
    "presence_penalty": _number("presence_penalty"),
    "frequency_penalty": _number("frequency_penalty"),
    "n": _integer("candidate_count", 1),
    "logprobs": _logprobs,
    "top_logprobs": _integer("top_logprobs", 0),
    "logit_bias": _logit_bias,
    "stream": _stream,
    "stream_options": _stream_options,
    "tools": _tools,
    "functions": _functions,
    "function_call": _function_call,
    "tool_choice": _tool_choice,
    "parallel_tool_calls": _parallel,
    "web_search_options": _web_search,
    "response_format": _format,
    "reasoning_effort": _effort,
    "reasoning": _openrouter_reasoning,
    "thinking": _ark_thinking,
    "modalities": _modalities,
    "user": _user,
    "service_tier": _service_tier,
    "extra_body": _extra_body,
    "google": read_google,
    "image_config": read_image_config,
    # OpenAI's own, and what becomes of the answer without them: the same, or not.
    "safety_identifier": _HINT,
    "metadata": _HINT,
    "store": _HINT,
    "prediction": _HINT,
    "prompt_cache_key": _HINT,
    "prompt_cache_retention": _HINT,
    "prompt_cache_options": _HINT,
    "audio": _MEANT,
    "verbosity": _MEANT,
    "moderation": _MEANT,
}
