"""Which paths are Gemini's, and what they ask for. Google's OpenAI-compatible paths (`/v1beta/openai/…`) are not ours."""

from dragoman.ir import BadRequest, NotFound
from dragoman.protocols.base import Operation, Route

_METHODS: dict[str, tuple[Operation, bool]] = {
    "generateContent": ("generate", False),
    "streamGenerateContent": ("generate", True),
    "countTokens": ("count_tokens", False),
}
_LATER = frozenset({"embedContent", "batchEmbedContents", "predict", "predictLongRunning", "batchGenerateContent"})
# google-genai 3.x calls /v1 by default, older ones /v1beta (probed with 3.4.0 and 2.34.0, 2026-11).
_PREFIXES = tuple(
    f"/{version}/{kind}/" for version in ("v1beta", "v1", "v1alpha") for kind in ("models", "tunedModels")
)


def match(path: str, query: bytes) -> Route | None:
    """The route of `/v1beta/models/{model}:{method}`. The model may hold slashes; the method follows the last colon."""
    if not path.startswith(_PREFIXES):
        return None
    _, _, kind, rest = path.split("/", 3)
    model, colon, method = rest.rpartition(":")
    if not colon:
        return None
    model = model.strip("/").removeprefix("models/")
    if kind == "tunedModels" and model:
        model = f"tunedModels/{model}"
    known = _METHODS.get(method)
    if known is None:
        if method in _LATER:
            raise NotFound(f"The method {method} is not offered yet.", status=404, code="unimplemented")
        raise NotFound(
            f"There is no method {method!r}. Call generateContent, streamGenerateContent or countTokens.",
            code="unknown_method",
        )
    if not model:
        raise BadRequest(
            f"The path names no model. Call /v1beta/models/MODEL:{method}.", code="missing_model", param="model"
        )
    operation, stream = known
    return Route(operation, model, stream, stream and not _asks_for_events(query))


def _asks_for_events(query: bytes) -> bool:
    # Google's front end reads `$alt` too, its system parameter.
    return any(item.lower() in (b"alt=sse", b"$alt=sse", b"%24alt=sse") for item in query.split(b"&"))
