"""The commented file that `dragoman init` writes."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from dragoman.config.presets import LOCAL_MODEL, PRESETS, Preset

_REFERENCE = re.compile(r"\$\{.+\}")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Answers:
    """What was asked: for each provider wanted a reference to its key, or the key itself."""

    host: str = "127.0.0.1"
    port: int = 8000
    keys: dict[str, str] = field(default_factory=dict)


def is_reference(key: str) -> bool:
    """Whether a key is `${…}` and not the secret itself."""
    return _REFERENCE.fullmatch(key) is not None


def variables_in(answers: Answers) -> list[str]:
    """Variables that must be set for the file to load."""
    found = [_VARIABLE.fullmatch(key) for key in answers.keys.values()]
    return [match[1] for match in found if match is not None]


def starter(answers: Answers) -> str:
    """The file's text."""
    providers = "\n".join(_provider(preset, answers.keys.get(preset.name)) for preset in PRESETS)
    return f"""\
# Dragoman's configuration. Every setting: dragoman config explain
# Check it after a change: dragoman config check. A running server takes it over by itself.
# ${{NAME}} is an environment variable, ${{NAME:-default}} has a default, ${{file:PATH}} is a file's content.

server:
  host: {_quoted(answers.host)}
  port: {answers.port}
  workers: 1               # data-plane processes

data: ./data               # SQLite file, journals, pulled models; relative to this file

# Vendors with their keys. A caller may ask for any model that fits `models`, or for provider/model.
providers:
{providers}
  local: {{protocols: [local], models: [{LOCAL_MODEL}]}}    # the built-in model, no key needed

# Names of your own: several targets, order and weights.
# models:
#   fast:
#     targets:
#       - {{provider: google, model: gemini-2.5-flash, weight: 3}}
#       - {{provider: openai, model: gpt-5.4-mini, priority: 2}}    # when all of priority 1 fail
#     aliases: [quick]

# Callers' keys, each with the models it may use. A new one: openssl rand -hex 32
# keys:
#   - name: ci
#     key: "${{CI_KEY}}"
#     models: ["gemini-*"]
"""


def _provider(preset: Preset, key: str | None) -> str:
    shown = key if key is not None else f"${{{preset.variables[0]}}}"
    text = shown if is_reference(shown) else shown.replace("${", "$${")
    models = ", ".join(_quoted(pattern) for pattern in preset.models)
    lines = [
        f"{preset.name}:",
        f"  protocols: [{', '.join(preset.protocols)}]",
        f"  base_url: {preset.base_url}",
        f"  api_key: {_quoted(text)}",
        f"  models: [{models}]",
    ]
    mark = "  " if key is not None else "  # "
    return "\n".join(mark + line for line in lines)


def _quoted(text: str) -> str:
    return json.dumps(text)


def write_starter(path: Path, answers: Answers, *, replace: bool) -> None:
    """Write the file or leave everything as it was. Raises FileExistsError unless `replace`.

    A file that holds a key in the clear is readable by its owner alone.
    """
    open_key = any(not is_reference(key) for key in answers.keys.values())
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_name(f".{path.name}.{os.getpid()}") if replace else path

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags, 0o600 if open_key else 0o644)

    with open(written, "x", encoding="utf-8", opener=opener) as out:
        try:
            out.write(starter(answers))
            out.flush()
            if replace:
                os.replace(written, path)
        except OSError:
            written.unlink(missing_ok=True)
            raise
