"""The URLs of Messages. Anthropic's clients add `?beta=true` where their beta interface is used; it asks for nothing more."""

from dragoman.protocols.base import Route

_ROUTES = {
    "/v1/messages": Route("generate"),
    "/v1/messages/count_tokens": Route("count_tokens", stream=False),
}


def match(path: str, query: bytes) -> Route | None:
    """The route of a POST path, or None where it is not Messages' own."""
    return _ROUTES.get(path) or _ROUTES.get(path.rstrip("/"))
