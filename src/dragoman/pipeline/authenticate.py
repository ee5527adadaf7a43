"""Authenticate: whose key is it? Any of the four carriers will do on any path; the first one found counts."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from dragoman.ir import Forbidden, Unauthenticated
from dragoman.pipeline.call import Call
from dragoman.pipeline.caller import Caller
from dragoman.pipeline.key import digest, end_text, expired


def authenticate(call: Call, caller: Caller) -> None:
    """Sets `key`. Raises Unauthenticated, which names the header that the refused key came in."""
    carrier, secret = credential(caller.headers, caller.query)
    if not secret:
        raise Unauthenticated(
            "No API key in the request. Send one as 'Authorization: Bearer KEY' "
            "(x-goog-api-key, x-api-key and ?key= do as well)."
        )
    key = call.snapshot.keys.get(digest(secret))
    if key is None:
        raise Unauthenticated(
            f"The API key in {carrier} is not one of this gateway's. Use a key that the gateway's operator gave you, "
            "not a model vendor's."
        )
    if expired(key, call.when):
        raise Unauthenticated(f"The API key in {carrier} {end_text(key)}")
    call.key = key


def credential(headers: dict[bytes, bytes], query: bytes = b"") -> tuple[str, bytes]:
    """Where the caller's key is, in words, and the key; ("", b"") where there is none. Without a `query`, its `key` is something
    else."""
    bearer = headers.get(b"authorization")
    if bearer:
        scheme, _, secret = bearer.strip().partition(b" ")
        if scheme.lower() == b"bearer":
            return "the Authorization header", secret.strip()
    for name in (b"x-goog-api-key", b"x-api-key"):
        secret = headers.get(name, b"").strip()
        if secret:
            return f"the {name.decode()} header", secret
        if name == b"x-goog-api-key" and b"key=" in query:
            for part in query.split(b"&"):
                if part.startswith(b"key=") and part[4:]:
                    return "the key= parameter", unquote_to_bytes(part[4:])
    if bearer:
        return "the Authorization header", bearer.strip()
    return "", b""


def authorise(call: Call) -> None:
    """Whether the key may use the model asked for. Raises Forbidden, which names the models that it may use."""
    key, resolved = call.key, call.resolved
    if key is None or resolved is None or key.root or key.may_use(resolved.name, call.model):
        return
    raise Forbidden(
        f"The key {key.name!r} may not use the model {call.model!r}. It may use: {', '.join(key.models)}.",
        code="model_not_allowed",
    )
