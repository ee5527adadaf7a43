"""Whether a stream's chunk says anything, or only that an answer begins: with a role, or an empty text."""

from typing import Any

_EMPTY: tuple[Any, ...] = (None, "", [], {})


def says(choices: Any) -> bool:
    """Of a chunk's `choices`; what is no list of them says nothing."""
    return type(choices) is list and any(map(_says, choices))


def _says(choice: Any) -> bool:
    if type(choice) is not dict:
        return False
    if choice.get("finish_reason"):
        return True
    delta = choice.get("delta")
    return type(delta) is dict and any(delta[name] not in _EMPTY for name in delta if name != "role")
