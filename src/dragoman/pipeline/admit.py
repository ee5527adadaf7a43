"""Admit: which protocol and operation does the URL name?"""

from __future__ import annotations

from dragoman.ir import MethodNotAllowed, NotFound, UnsupportedMediaType
from dragoman.pipeline.call import Call
from dragoman.pipeline.caller import Caller
from dragoman.protocols.base import Route, WireProtocol
from dragoman.protocols.known import PROTOCOLS
from dragoman.protocols.openai_responses.routes import match_kept

_GEMINI = PROTOCOLS["gemini"]
_OPENAI = PROTOCOLS["openai-chat"]
_ANTHROPIC = PROTOCOLS["anthropic"]
_RESPONSES = PROTOCOLS["openai-responses"]
_MODEL_LISTS = ("/v1/models", "/v1beta/models", "/v1alpha/models", "/v1beta/openai/models", "/models")

_known: dict[tuple[str, bytes], tuple[WireProtocol, Route]] = {}


def admit(call: Call, caller: Caller) -> None:
    """Sets `protocol` and `route`. Raises NotFound, MethodNotAllowed."""
    found = _known.get((caller.path, caller.query)) if caller.method == "POST" else None
    if found is None:
        call.protocol = _speaker(caller)
        if caller.method == "POST":
            found = _match_post(caller)
            if found is not None and len(_known) < 4096 and len(caller.path) + len(caller.query) < 256:
                _known[(caller.path, caller.query)] = found
        elif (kept := match_kept(caller.method, caller.path)) is not None:
            found = _RESPONSES, kept
        elif caller.method in ("GET", "HEAD") and not _match_post_quietly(caller):
            found = _match_get(call.protocol, caller.path)
        if found is None:
            raise _nothing_here(caller)
    call.protocol, call.route = found


def _match_post(caller: Caller) -> tuple[WireProtocol, Route] | None:
    for protocol in PROTOCOLS.values():
        route = protocol.match(caller.path, caller.query)
        if route is not None:
            return protocol, route
    return None


def _match_get(protocol: WireProtocol, path: str) -> tuple[WireProtocol, Route] | None:
    path = path.rstrip("/") or "/"
    if path in _MODEL_LISTS:
        return protocol, Route("list_models")
    for prefix in _MODEL_LISTS:
        if path.startswith(prefix + "/") and prefix != "/models":
            return protocol, Route("get_model", model=path[len(prefix) + 1 :])
    return None


def _speaker(caller: Caller) -> WireProtocol:
    """Whose shape an answer has where the path alone does not tell: three protocols ask for /v1/models."""
    path = caller.path
    if path.startswith("/v1beta/openai/"):
        return _OPENAI
    if path.startswith(("/v1beta/", "/v1alpha/")) or ":" in path.rpartition("/")[2]:
        return _GEMINI
    if path.startswith("/v1/messages") or b"anthropic-version" in caller.headers or b"x-api-key" in caller.headers:
        return _ANTHROPIC
    if b"x-goog-api-key" in caller.headers or (b"key=" in caller.query and _has_key(caller.query)):
        return _GEMINI
    return _OPENAI


def _has_key(query: bytes) -> bool:
    return any(part.startswith(b"key=") for part in query.split(b"&"))


def check_type(caller: Caller) -> None:
    """Raises UnsupportedMediaType for a body that says it is no JSON."""
    kind = caller.headers.get(b"content-type", b"application/json")
    if kind == b"application/json":
        return
    bare = kind.partition(b";")[0].strip().lower()
    if bare == b"application/json" or bare.endswith(b"+json") or not bare:
        return
    raise UnsupportedMediaType(
        f"Content-Type is {bare.decode('latin-1')!r}; send JSON with 'Content-Type: application/json'."
    )


def _nothing_here(caller: Caller) -> NotFound | MethodNotAllowed:
    path = caller.path
    if match_kept("GET", path) is not None:
        allow = ("GET", "HEAD") if path.rstrip("/").endswith("/input_items") else ("GET", "HEAD", "DELETE")
        return MethodNotAllowed(f"{path} is not asked with {caller.method}.", allow=allow)
    if caller.method != "POST" and (_match_post_quietly(caller)):
        return MethodNotAllowed(f"{path} is asked with POST, not {caller.method}.", allow=("POST",))
    if _match_get(_OPENAI, path) is not None:
        return MethodNotAllowed(f"{path} is asked with GET, not {caller.method}.", allow=("GET", "HEAD"))
    return NotFound(
        f"There is nothing at {caller.method} {path}. Try POST /v1/chat/completions, POST /v1/responses, "
        "POST /v1/messages, POST /v1beta/models/{model}:generateContent or GET /v1/models.",
        code="unknown_url",
    )


def _match_post_quietly(caller: Caller) -> bool:
    try:
        return _match_post(caller) is not None
    except NotFound:
        return False
