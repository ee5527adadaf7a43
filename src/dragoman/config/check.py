"""Checks across sections: references that lead nowhere, names taken twice, patterns that match nothing.

They work on the plain data, not on the finished settings, so that they still speak when some other
part of the file is wrong; whatever has the wrong type is left to the models.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from dragoman.config.presets import LOCAL_MODEL, PRESETS
from dragoman.config.problem import Problem
from dragoman.config.reading import Reading, SettingPath
from dragoman.config.wording import closest, listing

# Fewer characters than this can be guessed by who may try for long.
LEAST_KEY = 16

# What log lines call the keys that are not the file's.
_OWN_NAMES = ("root", "trial")


def dangling(reading: Reading) -> list[Problem]:
    """Errors: what a section says of another is not true."""
    providers, models, keys = _sections(reading.data)
    return [
        *_targets(reading, providers, models),
        *_built_in(reading, providers, models),
        *_names(reading, models),
        *_keys(reading, keys),
    ]


def doubtful(reading: Reading) -> list[Problem]:
    """Warnings: allowed, and probably not meant."""
    providers, models, keys = _sections(reading.data)
    return [
        *_nothing(reading, providers),
        *_addresses(reading, providers),
        *_keyless(reading, providers),
        *_narrow(reading, providers),
        *_double_targets(reading, models),
        *_idle_patterns(reading, providers, models, keys),
        *_short_keys(reading, keys),
    ]


def _sections(data: Any) -> tuple[dict[str, Any], dict[str, Any], list[Any]]:
    data = data if isinstance(data, dict) else {}
    providers, models, keys = (data.get(name) for name in ("providers", "models", "keys"))
    return (
        providers if isinstance(providers, dict) else {},
        models if isinstance(models, dict) else {},
        keys if isinstance(keys, list) else [],
    )


def _list(section: Any, name: str) -> list[Any]:
    found = section.get(name) if isinstance(section, dict) else None
    return found if isinstance(found, list) else []


def _strings(section: Any, name: str) -> list[tuple[int, str]]:
    return [(index, item) for index, item in enumerate(_list(section, name)) if isinstance(item, str)]


def _targets(reading: Reading, providers: dict[str, Any], models: dict[str, Any]) -> Iterator[Problem]:
    for name, model in models.items():
        for index, target in enumerate(_list(model, "targets")):
            provider = target.get("provider") if isinstance(target, dict) else None
            if not isinstance(provider, str) or provider in providers:
                continue
            guess = closest(provider, providers)
            mend = f"Did you mean {guess}?" if guess else f"There are: {listing(providers)}."
            if not providers:
                mend = "Add it to providers."
            path = ("models", name, "targets", index, "provider")
            yield reading.problem(path, "there is no provider of this name", mend)


def _built_in(reading: Reading, providers: dict[str, Any], models: dict[str, Any]) -> Iterator[Problem]:
    """A `local` provider has the models that are built in and no other."""
    local = {
        name for name, provider in providers.items() if "local" in (text for _, text in _strings(provider, "protocols"))
    }
    asked: list[tuple[SettingPath, str]] = []
    for name in local:
        asked += [(("providers", name, "models", index), text) for index, text in _strings(providers[name], "models")]
    for name, model in models.items():
        for index, target in enumerate(_list(model, "targets")):
            if isinstance(target, dict) and target.get("provider") in local and isinstance(target.get("model"), str):
                asked.append((("models", name, "targets", index, "model"), target["model"]))
    for path, text in asked:
        if not overlap(text[:200], LOCAL_MODEL):
            yield reading.problem(path, "is no built-in model", f"There is: {LOCAL_MODEL}.")


def _names(reading: Reading, models: dict[str, Any]) -> Iterator[Problem]:
    owners: dict[str, str] = {}
    for name, model in models.items():
        for index, alias in _strings(model, "aliases"):
            path = ("models", name, "aliases", index)
            if alias == name:
                yield reading.problem(path, "is the model's own name", "Remove it.")
            elif alias in models:
                yield reading.problem(path, "is the name of another model", "Choose another alias.")
            elif alias in owners:
                other = "this model" if owners[alias] == name else "another model"
                yield reading.problem(path, f"is already an alias of {other}", "Remove one of the two.")
            else:
                owners[alias] = name


def _keys(reading: Reading, keys: list[Any]) -> Iterator[Problem]:
    for field, message in (("name", "another key has this name"), ("key", "another key has the same value")):
        seen: set[str] = set()
        for index, key in enumerate(keys):
            value = key.get(field) if isinstance(key, dict) else None
            if not isinstance(value, str):
                continue
            if value in seen:
                yield reading.problem(("keys", index, field), message, "Each must be its own.")
            seen.add(value)
    for index, key in enumerate(keys):
        if isinstance(key, dict) and key.get("name") in _OWN_NAMES:
            yield reading.problem(
                ("keys", index, "name"), "is what one of the gateway's own keys is called", "Choose another name."
            )


def _short_keys(reading: Reading, keys: list[Any]) -> Iterator[Problem]:
    for index, key in enumerate(keys):
        value = key.get("key") if isinstance(key, dict) else None
        if isinstance(value, str) and 0 < len(value) < LEAST_KEY:
            yield reading.problem(
                ("keys", index, "key"),
                f"is shorter than {LEAST_KEY} characters, so it can be guessed",
                "Make another, e.g. by openssl rand -hex 32.",
            )


def _nothing(reading: Reading, providers: dict[str, Any]) -> Iterator[Problem]:
    if not providers and isinstance(reading.data, dict) and reading.data.get("providers") == {}:
        yield reading.problem(("providers",), "has no entry, so nothing can answer", "Add one, or remove the section.")


def _addresses(reading: Reading, providers: dict[str, Any]) -> Iterator[Problem]:
    """An OpenAI-shaped provider without an address: the key of some other vendor would go to OpenAI."""
    known = {preset.name for preset in PRESETS}
    for name, provider in providers.items():
        if not isinstance(provider, dict) or provider.get("base_url") is not None:
            continue
        speaks = {protocol for _, protocol in _strings(provider, "protocols")}
        if name not in known and "openai" not in name and speaks & {"openai-chat", "openai-responses"}:
            yield reading.problem(
                ("providers", name),
                "has no base_url, so its requests and key go to api.openai.com",
                "Add base_url if another vendor is meant.",
            )


def _keyless(reading: Reading, providers: dict[str, Any]) -> Iterator[Problem]:
    """A vendor's own address without any credential; a server of one's own may well want none."""
    vendors = {None, *(preset.base_url for preset in PRESETS)}
    for name, provider in providers.items():
        if not isinstance(provider, dict) or "local" in (speaks for _, speaks in _strings(provider, "protocols")):
            continue
        if any(provider.get(field) for field in ("api_key", "api_keys", "headers")):
            continue
        if isinstance(url := provider.get("base_url"), (str, type(None))) and url in vendors:
            yield reading.problem(("providers", name), "has no api_key, so the vendor will refuse", "Add api_key.")


def _narrow(reading: Reading, providers: dict[str, Any]) -> Iterator[Problem]:
    """A bound that is no whole place for each worker."""
    server = reading.data.get("server") if isinstance(reading.data, dict) else None
    workers = server.get("workers") if isinstance(server, dict) else None
    for name, provider in providers.items():
        bound = provider.get("max_concurrent_requests") if isinstance(provider, dict) else None
        if isinstance(bound, int) and isinstance(workers, int) and bound < workers:
            path = ("providers", name, "max_concurrent_requests")
            yield reading.problem(
                path,
                f"is less than server.workers, and each worker has a place: it holds as {workers}",
                "Raise it.",
            )


def _double_targets(reading: Reading, models: dict[str, Any]) -> Iterator[Problem]:
    for name, model in models.items():
        seen = set()
        for index, target in enumerate(_list(model, "targets")):
            if not isinstance(target, dict):
                continue
            pair = (target.get("provider"), target.get("model"))
            if not all(isinstance(part, str) for part in pair):
                continue
            if pair in seen:
                path = ("models", name, "targets", index)
                yield reading.problem(path, "is the same target as one above", "Remove it.")
            seen.add(pair)


def _idle_patterns(
    reading: Reading, providers: dict[str, Any], models: dict[str, Any], keys: list[Any]
) -> Iterator[Problem]:
    offered = list(models)
    for model in models.values():
        offered += [alias for _, alias in _strings(model, "aliases")]
    for name, provider in providers.items():
        offered.append(f"{name}/*")
        offered += [pattern for _, pattern in _strings(provider, "models")]
    for index, key in enumerate(keys):
        for position, pattern in _strings(key, "models"):
            wanted = pattern.removeprefix("models/")
            if len(wanted) > 200 or any(overlap(wanted, other) for other in offered if len(other) <= 200):
                continue
            path = ("keys", index, "models", position)
            guess = closest(wanted, offered)
            mend = f"Did you mean {guess}?" if guess else "Check it against models and providers."
            yield reading.problem(path, "matches no model", mend)


def overlap(left: str, right: str) -> bool:
    """Whether some name fits both patterns. A `[…]` set counts as any one character."""
    a, b = _steps(left), _steps(right)

    @cache
    def meet(i: int, j: int) -> bool:
        if i == len(a) or j == len(b):
            return all(step == "*" for step in a[i:]) and all(step == "*" for step in b[j:])
        if a[i] == "*" or b[j] == "*":
            return (a[i] == "*" and meet(i + 1, j)) or (b[j] == "*" and meet(i, j + 1)) or _advance(i, j)
        return (a[i] == b[j] or "?" in (a[i], b[j])) and meet(i + 1, j + 1)

    def _advance(i: int, j: int) -> bool:
        if a[i] == "*" and b[j] == "*":
            return False
        return meet(i, j + 1) if a[i] == "*" else meet(i + 1, j)

    return meet(0, 0)


def _steps(pattern: str) -> list[str]:
    steps: list[str] = []
    at = 0
    while at < len(pattern):
        character = pattern[at]
        close = pattern.find("]", at + 2) if character == "[" else -1
        if close > 0:
            steps.append("?")
            at = close
        elif character != "*" or not steps or steps[-1] != "*":
            steps.append(character)
        at += 1
    return steps
