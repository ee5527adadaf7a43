"""What one of OpenAI's models cannot do, refused by the field that asks for it, before its vendor would."""

from dragoman.catalog.profile import Profile
from dragoman.ir import BadRequest, Losses, ToolChoice

_FORMATS = {"json_object": "json", "json_schema": "schema"}
_TOLD = {"json": "JSON", "schema": "a JSON schema"}


def takes_functions(count: int, choice: ToolChoice | None, model: str, profile: Profile, losses: Losses) -> bool:
    """Whether so many functions are sent: not where they are not to be called. Raises BadRequest."""
    if count and not profile.tools:
        if choice is not None and choice.mode == "none":
            losses.add("tools", "The model takes no tools; they were not to be called.", harmless=True)
            return False
        raise no_functions(model, losses.path("tools"))
    if profile.most_tools is not None and count > profile.most_tools:
        raise BadRequest(
            f"The model '{model}' takes at most {profile.most_tools} tools, not {count}.",
            param=losses.path("tools"),
            code="array_above_max_length",
        )
    return True


def check_format(kind: object, profile: Profile, path: str) -> None:
    """`kind` is the neutral language's word for a format or OpenAI's. Raises BadRequest."""
    if not isinstance(kind, str):
        return
    wanted = _FORMATS.get(kind, kind)
    if wanted in _TOLD and wanted not in profile.formats:
        raise BadRequest(
            f"This model cannot be held to {_TOLD[wanted]}. Leave the format out, or ask a model that can.",
            param=path,
            code="unsupported_value",
        )


def no_functions(model: str, path: str) -> BadRequest:
    return BadRequest(
        f"The model '{model}' takes no function tools. Leave '{path}' out, or ask a model that takes them.",
        param=path,
        code="unsupported_parameter",
    )


def no_pictures(model: str, path: str) -> BadRequest:
    return BadRequest(
        f"'{path}' is a picture, which the model '{model}' does not take.", param=path, code="unsupported_value"
    )
