"""Google's own options in an OpenAI body (ai.google.dev/gemini-api/docs/openai): thinking, cached content, safety, pictures."""

from typing import Any

from dragoman.ir import Extra
from dragoman.protocols.openai import fields
from dragoman.protocols.openai.shapes import check
from dragoman.protocols.openai_chat import read_tools
from dragoman.protocols.openai_chat.draft import Draft
from dragoman.protocols.openai_chat.shapes import GOOGLE, IMAGE_CONFIG


def read_image_config(draft: Draft, value: Any, key: str) -> None:
    check(value, IMAGE_CONFIG, key)
    config = {_camel(name): part for name, part in fields.table(value, key).items()}
    draft.extras.append(Extra("gemini", "generationConfig.imageConfig", config, key))


def read_google(draft: Draft, value: Any, key: str) -> None:
    for name, option in fields.table(value, key).items():
        path = f"{key}.{name}"
        if option in fields.EMPTY:
            continue
        match name:
            case "thinking_config" | "thinkingConfig":
                _thinking_config(draft, fields.table(option, path), path)
            case "image_config" | "imageConfig":
                read_image_config(draft, option, path)
            case "thought_tag_marker" | "thoughtTagMarker":
                # Google's compatible layer writes thoughts inside `content` between such tags; ours have their own member.
                draft.extras.append(Extra("", name, option, path, harmless=True))
            case _:
                check(option, GOOGLE.get(name), path)
                draft.extras.append(Extra("gemini", _camel(name), option, path))


def _thinking_config(draft: Draft, config: dict[str, Any], path: str) -> None:
    for name, option in config.items():
        if option in fields.EMPTY:
            continue
        match name:
            case "include_thoughts" | "includeThoughts":
                draft.include_thoughts = fields.flag(option, f"{path}.{name}")
                draft.place("reasoning.include_thoughts", f"{path}.{name}")
            case "thinking_budget" | "thinkingBudget":
                draft.budget = fields.integer(option, f"{path}.{name}")
                draft.place("reasoning.budget", f"{path}.{name}")
            case "thinking_level" | "thinkingLevel":
                draft.explicit = read_tools.read_effort(option, f"{path}.{name}")
                draft.place("reasoning.effort", f"{path}.{name}")
            case _:
                draft.extras.append(Extra("", name, option, f"{path}.{name}"))


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word[:1].upper() + word[1:] for word in rest)
