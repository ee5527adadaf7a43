"""A body for a vendor of the same protocol, refused where it asks for what the model cannot do. Only few models lack anything."""

from collections.abc import Iterator
from typing import Any

from dragoman.catalog.profile import Profile
from dragoman.protocols.openai.capabilities import check_format, no_functions, no_pictures
from dragoman.wire.body import members
from dragoman.wire.json import decode

Json = dict[str, Any]


def check(body: bytes, model: str, profile: Profile) -> None:
    """Raises BadRequest with the path of what the model cannot do."""
    if not profile.sees and b'"input_image"' in body:
        for path, part in _parts(_member(body, "input")):
            if part.get("type") == "input_image":
                raise no_pictures(model, path)
    if not profile.tools and b'"function"' in body and _member(body, "tool_choice") != "none":
        tools = _member(body, "tools")
        if any(type(tool) is dict and tool.get("type") == "function" for tool in _listed(tools)):
            raise no_functions(model, "tools")
    if len(profile.formats) < 2 and b'"json_' in body:
        text = _member(body, "text")
        form = text.get("format") if type(text) is dict else None
        if type(form) is dict:
            check_format(form.get("type"), profile, "text.format")


def _member(body: bytes, name: str) -> Any:
    raw = members(body).get(name)
    return None if raw is None else decode(bytes(raw))


def _listed(value: Any) -> list[Any]:
    return value if type(value) is list else []


def _parts(items: Any) -> Iterator[tuple[str, Json]]:
    for number, item in enumerate(_listed(items)):
        for name in ("content", "output") if type(item) is dict else ():
            for at, part in enumerate(_listed(item.get(name))):
                if type(part) is dict:
                    yield f"input[{number}].{name}[{at}]", part
