"""Which protocol and operation a URL names, and in whose shape it is refused."""

from __future__ import annotations

from typing import Any

import pytest

from dragoman.ir import DragomanError, MethodNotAllowed, NotFound, UnsupportedMediaType
from dragoman.pipeline import admit as room
from dragoman.pipeline.admit import admit, check_type


class Asks:
    """A caller as `admit` sees it."""

    def __init__(self, method: str, target: str, **headers: str) -> None:
        self.method = method
        self.path, _, query = target.partition("?")
        self.query = query.encode()
        self.headers = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}


class Found:
    protocol: Any = None
    route: Any = None


def ask(*what: Any, **headers: str) -> Found:
    found = Found()
    admit(found, Asks(*what, **headers))  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize(
    ("target", "headers", "protocol"),
    [
        ("/v1/models", {}, "openai-chat"),
        ("/v1/models", {"x_goog_api_key": "k"}, "gemini"),
        ("/v1/models?key=k", {}, "gemini"),
        ("/v1/models?monkey=k", {}, "openai-chat"),
        ("/v1beta/models", {}, "gemini"),
        ("/v1alpha/models/gemini-2.5-flash", {}, "gemini"),
        ("/v1beta/openai/models", {}, "openai-chat"),
    ],
)
def test_the_lists_are_told_apart(target: str, headers: dict[str, str], protocol: str) -> None:
    for method in ("GET", "HEAD"):
        assert ask(method, target, **headers).protocol.name == protocol


def test_a_path_that_is_posted_to_is_no_model() -> None:
    with pytest.raises(MethodNotAllowed) as refused:
        ask("GET", "/v1/models/gpt-4o:generateContent")
    assert refused.value.allow == ("POST",)
    assert ask("GET", "/v1/models/llama3:8b").route.model == "llama3:8b"


def test_what_is_remembered_has_bounds() -> None:
    room._known.clear()
    for n in range(5000):
        ask("POST", f"/v1beta/models/m{n}:generateContent")
    assert len(room._known) == 4096
    room._known.clear()
    ask("POST", f"/v1beta/models/{'m' * 1000}:generateContent")
    ask("POST", f"/v1/chat/completions?x={'m' * 1000}")
    assert not room._known


@pytest.mark.parametrize(
    ("method", "target", "error"),
    [
        ("POST", "/v1/nothing", NotFound),
        ("POST", "/v1/models/llama3:8b", NotFound),
        ("GET", "/v1/nothing", NotFound),
        ("POST", "/v1beta/models", MethodNotAllowed),
        ("BREW", "/v1/chat/completions", MethodNotAllowed),
    ],
)
def test_refusals(method: str, target: str, error: type[DragomanError]) -> None:
    with pytest.raises(error):
        ask(method, target)


@pytest.mark.parametrize("kind", ["text/html", "application/jsonp", "json", "multipart/form-data"])
def test_types_that_are_no_json(kind: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        check_type(Asks("POST", "/", content_type=kind))  # type: ignore[arg-type]


@pytest.mark.parametrize("root", ["/v1/responses", "/v1beta/openai/responses"])
@pytest.mark.parametrize(
    ("method", "rest", "operation", "item"),
    [
        ("POST", "", "generate", None),
        ("POST", "/", "generate", None),
        ("POST", "/input_tokens", "count_tokens", None),
        ("POST", "/resp_1/cancel", "cancel_response", "resp_1"),
        ("GET", "/resp_1", "get_response", "resp_1"),
        ("HEAD", "/resp_1", "get_response", "resp_1"),
        ("DELETE", "/resp_1", "delete_response", "resp_1"),
        ("GET", "/resp_1/input_items", "list_input_items", "resp_1"),
    ],
)
def test_responses(root: str, method: str, rest: str, operation: str, item: str | None) -> None:
    found = ask(method, root + rest)
    assert (found.protocol.name, found.route.operation, found.route.item) == ("openai-responses", operation, item)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/v1/responses", ("POST",)),
        ("GET", "/v1/responses/input_tokens", ("POST",)),
        ("PUT", "/v1/responses/resp_1", ("GET", "HEAD", "DELETE")),
        ("POST", "/v1/responses/resp_1/input_items", ("GET", "HEAD")),
    ],
)
def test_responses_asked_with_the_wrong_method(method: str, path: str, allow: tuple[str, ...]) -> None:
    with pytest.raises(MethodNotAllowed) as refused:
        ask(method, path)
    assert refused.value.allow == allow


def test_what_only_begins_like_responses_is_not() -> None:
    with pytest.raises(NotFound):
        ask("POST", "/v1/responsesx")
