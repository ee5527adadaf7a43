"""Every setting there is, one row each, taken from the models: for `explain`, the schema's tests and the docs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dragoman.config.kinds import Kind
from dragoman.config.reading import SettingPath
from dragoman.config.settings import Settings, redacted
from dragoman.config.wording import strip


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. In `path`, NAME stands for a name of the user's own and `[]` for each item of a list."""

    path: str
    type: str
    default: Any
    required: bool
    doc: str
    examples: tuple[Any, ...]
    speakable: bool


@cache
def every_setting() -> tuple[Setting, ...]:
    """All settings in the order of the models, sections before what they hold."""
    return tuple(_walk(Settings, ""))


def setting_for(path: SettingPath) -> Setting | None:
    """The row for a concrete path such as `("keys", 0, "limits")`."""
    return _rows().get(pattern_of(path))


def pattern_of(path: SettingPath) -> str:
    """`providers.NAME.timeouts.connect` for any provider's; `[]` for any index."""
    text = ""
    for depth, step in enumerate(path):
        if isinstance(step, int):
            text += "[]"
        else:
            name = "NAME" if path[:depth] in _named(path) else step
            text += f".{name}" if text else name
    return text


def _named(path: SettingPath) -> tuple[SettingPath, ...]:
    """The mappings above `path` whose keys are names of the user's own."""
    return (("providers",), ("models",), ("providers", *path[1:2], "headers"))


def speakable(path: SettingPath) -> bool:
    """Whether the value at a path may be shown: known settings that hold no credential."""
    text = pattern_of(path)
    row = _rows().get(text) or _rows().get(text.removesuffix("[]"))
    return row is not None and row.speakable


@cache
def _rows() -> dict[str, Setting]:
    return {row.path: row for row in every_setting()}


def _walk(model: type[BaseModel], prefix: str) -> Iterator[Setting]:
    for name, info in model.model_fields.items():
        path = f"{prefix}.{name}" if prefix else name
        word, hidden = _type(info)
        yield Setting(
            path=path,
            type=word,
            default=None if info.is_required() else _shown_default(model, name, info),
            required=info.is_required(),
            doc=info.description or "",
            examples=tuple(info.examples or ()),
            speakable=not hidden,
        )
        inner = strip(info.annotation)
        if get_origin(inner) is dict:
            below = strip(get_args(inner)[1])
            if _is_model(below):
                yield from _walk(below, f"{path}.NAME")
            else:
                yield Setting(f"{path}.NAME", "secret", None, False, "One header.", (), False)
        elif get_origin(inner) is tuple and _is_model(strip(get_args(inner)[0])):
            yield from _walk(strip(get_args(inner)[0]), f"{path}[]")
        elif _is_model(inner):
            yield from _walk(inner, path)


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _shown_default(model: type[BaseModel], name: str, info: FieldInfo) -> Any:
    value = info.get_default(call_default_factory=False)
    if info.default_factory is not None or value in ((), {}):
        return None  # a section: the defaults of what it holds stand there
    if model is Settings:
        return redacted(Settings())[name]
    # Durations and sizes are shown with their units, so the model itself has to write them.
    shown = model.model_construct().model_dump(mode="json", include={name})
    return shown[name]


def _type(info: FieldInfo) -> tuple[str, bool]:
    """The word for a field's type, and whether its values must stay hidden."""
    kinds = [*info.metadata, *_kinds(info.annotation)]
    own = next((kind for kind in kinds if isinstance(kind, Kind)), None)
    inner = strip(info.annotation)
    origin = get_origin(inner)
    if origin is Literal:
        return " | ".join(get_args(inner)), False
    if origin is tuple:
        item = get_args(inner)[0]
        if _is_model(strip(item)):
            return "list of mappings", False
        if get_origin(strip(item)) is Literal:
            return f"list of {' | '.join(get_args(strip(item)))}", False
        kind = next(iter(_kinds(item)))
        return f"list of {kind.word}s", not kind.speakable
    if origin is dict:
        return "mapping by name", False
    if _is_model(inner):
        return "mapping", False
    assert own is not None, f"{info} has no Kind"
    return own.word, not own.speakable


def _kinds(annotation: Any) -> Iterator[Kind]:
    if get_origin(annotation) is Annotated:
        yield from (part for part in annotation.__metadata__ if isinstance(part, Kind))
    for part in get_args(annotation):
        if not isinstance(part, (str, int)):
            yield from _kinds(part)
