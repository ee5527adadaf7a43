"""The URLs of Responses: making one, counting its input, and what is asked of one that is kept."""

from dragoman.protocols.base import Route

_GENERATE = Route("generate")
_COUNT = Route("count_tokens", stream=False)
# Google serves OpenAI's protocols under /v1beta/openai/.
_ROOTS = ("/v1/responses", "/v1beta/openai/responses", "/responses")


def match(path: str, query: bytes) -> Route | None:
    """The route of a POST path, or None where it is not Responses' own."""
    item = _below(path)
    if item is None:
        return None
    if item == "":
        return _GENERATE
    if item == "input_tokens":
        return _COUNT
    name, slash, rest = item.partition("/")
    if slash and name and rest == "cancel":
        return Route("cancel_response", item=name)
    return None


def match_kept(method: str, path: str) -> Route | None:
    """The route of a GET or DELETE of a kept response; None where there is none."""
    item = _below(path)
    if not item or item == "input_tokens":
        return None
    name, slash, rest = item.partition("/")
    if not slash:
        if method == "DELETE":
            return Route("delete_response", item=name)
        return Route("get_response", item=name) if method in ("GET", "HEAD") else None
    if rest == "input_items" and name and method in ("GET", "HEAD"):
        return Route("list_input_items", item=name)
    return None


def _below(path: str) -> str | None:
    """What stands behind the root; `""` for the root itself."""
    for root in _ROOTS:
        if path.startswith(root):
            rest = path[len(root) :].rstrip("/")
            if not rest:
                return ""
            if rest[0] == "/":
                return rest[1:]
    return None
