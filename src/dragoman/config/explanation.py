"""What `config explain` tells of a setting: its row in the reference, and its values with their origins."""

from __future__ import annotations

import re
from typing import Any

from dragoman.config.loading import Loaded, every_path
from dragoman.config.reading import SettingPath, spell
from dragoman.config.reference import Setting, every_setting, pattern_of, setting_for
from dragoman.config.settings import redacted
from dragoman.config.wording import closest

_STEP = re.compile(r'\["([^"]*)"\]|\[(\d+)\]|\[\]|([^.\[\]]+)')


def every_explanation() -> list[dict[str, Any]]:
    """A row for each setting, without values."""
    return [_row(setting) for setting in every_setting()]


def explain(text: str, loaded: Loaded | None) -> dict[str, Any] | None:
    """All that is known of the setting that `text` names, or None when there is none.

    `text` is a path as problems spell it, or one with NAME and [] for every one of a kind.
    """
    paths = {_plain(spell(path)): path for path in every_path(loaded.settings)} if loaded is not None else {}
    setting: Setting | None
    if (exact := paths.get(_plain(text))) is not None:
        setting, places = setting_for(exact) or setting_for(exact[:-1]), [exact]
    else:
        rows = {row.path: row for row in every_setting()}
        setting = rows.get(text) or setting_for(parse_path(text))
        places = [path for path in paths.values() if pattern_of(path) == text]
    if setting is None:
        # A whole entry, such as providers.google: told by the section it is an entry of.
        setting = setting_for(parse_path(text)[:-1]) if exact is None else setting_for(exact[:-1])
        if setting is None or setting.type not in ("mapping by name", "list of mappings") or exact is None:
            return None
    shown = redacted(loaded.settings) if loaded is not None else {}
    origins = loaded.origins if loaded is not None else {}
    pattern = pattern_of(places[0]) if places else setting.path
    return {
        **_row(setting),
        "path": spell(places[0]) if exact is not None else text,
        "setting": setting.path,
        "values": [
            {"path": spell(path), "value": _at(shown, path), "origin": origins.get(spell(path), "default")}
            for path in places
        ],
        "holds": [row.path for row in every_setting() if _is_below(row.path, pattern)],
    }


def unknown(text: str, loaded: Loaded | None) -> str:
    """The nearest path that exists, as advice."""
    known = [row.path for row in every_setting()]
    if loaded is not None:
        known += [spell(path) for path in every_path(loaded.settings)]
    guess = closest(text, known)
    return f"Did you mean {guess}?" if guess else "List them all with: dragoman config explain"


def parse_path(text: str) -> SettingPath:
    """`models.fast.targets[0].provider` as steps; an index may also be written as `.0`."""
    steps: list[str | int] = []
    for found in _STEP.finditer(text):
        quoted, index, bare = found.groups()
        if found[0] == "[]":
            steps.append(0)
        elif index is not None or (bare is not None and bare.isdecimal()):
            steps.append(int((index or bare)[:9]))
        else:
            steps.append(quoted if quoted is not None else bare)
    return tuple(steps)


def _plain(text: str) -> str:
    """One spelling for all ways to write a path."""
    return re.sub(r'\["?|"?\]', ".", text).replace("..", ".").strip(".")


def _is_below(path: str, pattern: str) -> bool:
    return path.startswith((f"{pattern}.", f"{pattern}[]."))


def _at(value: Any, path: SettingPath) -> Any:
    for step in path:
        value = value[step]
    return value


def _row(setting: Setting) -> dict[str, Any]:
    return {
        "path": setting.path,
        "type": setting.type,
        "required": setting.required,
        "default": setting.default,
        "doc": setting.doc,
        "examples": list(setting.examples),
    }
