"""Whether a chunk says anything: Google's first may hold a role alone, or an empty text."""

from typing import Any


def says(chunk: Any) -> bool:
    """Of a chunk that ends nothing."""
    candidates = chunk.get("candidates") if type(chunk) is dict else None
    return type(candidates) is list and any(map(_says, candidates))


def _says(candidate: Any) -> bool:
    content = candidate.get("content") if type(candidate) is dict else None
    parts = content.get("parts") if type(content) is dict else None
    if type(parts) is not list:
        return False
    return any(type(part) is dict and any(part[name] for name in part if name != "thought") for part in parts)
