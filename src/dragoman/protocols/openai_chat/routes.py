"""The URLs of Chat Completions. Google serves it under `/v1beta/openai/` (ai.google.dev/gemini-api/docs/openai)."""

from dragoman.protocols.base import Route

_GENERATE = Route("generate")
_PATHS = frozenset({"/v1/chat/completions", "/v1beta/openai/chat/completions", "/chat/completions"})


def match(path: str, query: bytes) -> Route | None:
    """The route of a POST path, or None where it is not Chat Completions' own."""
    if path in _PATHS or path.rstrip("/") in _PATHS:
        return _GENERATE
    return None
