"""What clients for JavaScript throw when a request is refused, or an answer fails on the way, before every kind of upstream."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.canned_anthropic import anthropic_events
from e2e.canned_responses import response, responses_events
from e2e.fixtures import Relayed
from e2e.gateway import Gateway
from e2e.vendor import Answer, Vendor, gemini_events, openai_events, reply, stream
from sdk.callers import CALLERS, UPSTREAMS, Callers, Failed, calling, vendor_of

MESSAGE = "Not now, says the vendor."
SHORT = "Grüß"


@pytest.fixture(scope="module")
def node(node_modules: Path, _scripted: tuple[Gateway, Relayed]) -> Iterator[Callers]:
    with calling(_scripted[0]) as callers:
        yield callers


@pytest.fixture(params=CALLERS)
def caller(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=UPSTREAMS)
def upstream(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def vendor(vendors: Relayed, upstream: str) -> Vendor:
    return vendor_of(vendors, upstream)


def kind_of(caller: str, status: int) -> str:
    """The class that the client has for the status."""
    if caller.startswith("ai-"):
        return "APICallError"
    if caller == "genai":
        return "ApiError"
    usual = {
        400: "BadRequestError",
        401: "AuthenticationError",
        403: "PermissionDeniedError",
        404: "NotFoundError",
        429: "RateLimitError",
    }
    return usual.get(status, "InternalServerError")


def kind_in_stream(caller: str) -> str:
    return "StreamProviderError" if caller.startswith("ai-") else "ApiError" if caller == "genai" else "APIError"


# Each vendor's own words for an HTTP status.
GOOGLES = {400: "INVALID_ARGUMENT", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE"}
ANTHROPICS = {
    400: "invalid_request_error",
    404: "not_found_error",
    429: "rate_limit_error",
    500: "api_error",
    503: "overloaded_error",
}
OPENAIS = {400: "invalid_request_error", 404: "invalid_request_error", 429: "rate_limit_exceeded"}


def refusal(upstream: str, status: int) -> Answer:
    match upstream:
        case "gemini":
            return reply({"error": {"code": status, "message": MESSAGE, "status": GOOGLES[status]}}, status)
        case "anthropic":
            error = {"type": "error", "error": {"type": ANTHROPICS[status], "message": MESSAGE}}
            return reply(error, 529 if status == 503 else status)
        case _:
            error = {"message": MESSAGE, "type": OPENAIS.get(status, "server_error"), "param": None, "code": None}
            return reply({"error": error}, status)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_refusals(node: Callers, caller: str, upstream: str, vendor: Vendor, status: int, stream: bool) -> None:
    vendor.will(refusal(upstream, status))
    with pytest.raises(Failed) as caught:
        node(caller, "streamed" if stream else "text", model=UPSTREAMS[upstream])
    error = caught.value
    # Anthropic has a status of its own for a vendor that has no room.
    own = {503: 529} if CALLERS[caller] == "anthropic" else {}
    assert error.status == own.get(status, status)
    assert kind_of(caller, status) in error.kinds
    assert MESSAGE in error.message
    assert len(vendor.seen) == 1


def test_a_refused_vendors_key_is_not_the_callers(node: Callers, caller: str, upstream: str, vendor: Vendor) -> None:
    vendor.will(reply({"error": {"code": 401, "message": "bad key", "type": "authentication_error"}}, 401))
    with pytest.raises(Failed) as caught:
        node(caller, "text", model=UPSTREAMS[upstream])
    assert caught.value.status == 502
    assert kind_of(caller, 502) in caught.value.kinds


def test_a_wrong_key(node: Callers, relay: Gateway, caller: str) -> None:
    with pytest.raises(Failed) as caught:
        node(caller, "text", model="via-gemini", key="wrong")
    assert caught.value.status == 401
    assert kind_of(caller, 401) in caught.value.kinds


def test_an_unknown_model(node: Callers, relay: Gateway, caller: str) -> None:
    with pytest.raises(Failed, match="via-gemimi") as caught:
        node(caller, "text", model="via-gemimi")
    assert caught.value.status == 404
    assert kind_of(caller, 404) in caught.value.kinds


@pytest.mark.parametrize("caller", [name for name in CALLERS if not name.startswith("ai-")])
def test_a_malformed_request(node: Callers, caller: str, upstream: str, vendor: Vendor) -> None:
    """Refused with the field's path by the gateway; by the vendor where that speaks the caller's protocol."""
    own = CALLERS[caller] == upstream
    if own:
        vendor.will(refusal(upstream, 400))
    with pytest.raises(Failed, match=MESSAGE if own else r"\btext\b") as caught:
        node(caller, "wrong", model=UPSTREAMS[upstream])
    assert caught.value.status == 400
    assert kind_of(caller, 400) in caught.value.kinds
    assert len(vendor.seen) == own


# --- an answer that fails after it has begun


def opening(upstream: str) -> tuple[bytes, ...]:
    match upstream:
        case "gemini":
            content = {"role": "model", "parts": [{"text": SHORT}]}
            return gemini_events(
                {"candidates": [{"content": content, "index": 0}], "modelVersion": "m", "responseId": "r"}
            )
        case "openai-chat":
            choice = {"index": 0, "delta": {"role": "assistant", "content": SHORT}, "finish_reason": None}
            chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
            return openai_events(chunk, done=False)
        case "openai-responses":
            first = response({"model": "m"}, [], "in_progress")
            part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
            item = {"id": "msg_1", "type": "message", "status": "in_progress", "role": "assistant", "content": []}
            place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
            return responses_events(
                {"type": "response.created", "response": first},
                {"type": "response.output_item.added", "output_index": 0, "item": item},
                {"type": "response.content_part.added", **place, "part": part},
                {"type": "response.output_text.delta", **place, "delta": SHORT, "logprobs": []},
            )
        case _:
            usage = {"input_tokens": 1, "output_tokens": 1}
            message = {
                "id": "m", "type": "message", "role": "assistant", "model": "m", "content": [],
                "stop_reason": None, "stop_sequence": None, "usage": usage,
            }  # fmt: skip
            return anthropic_events(
                {"type": "message_start", "message": message},
                {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
                {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": SHORT}},
            )


def failure(upstream: str) -> tuple[bytes, ...]:
    """How each vendor says inside a stream that it goes no further."""
    match upstream:
        case "gemini":
            return gemini_events({"error": {"code": 503, "message": MESSAGE, "status": "UNAVAILABLE"}})
        case "openai-chat":
            error = {"message": MESSAGE, "type": "server_error", "param": None, "code": None}
            return openai_events({"error": error}, done=False)
        case "openai-responses":
            failed = response({"model": "m"}, [], "failed") | {"error": {"code": "server_error", "message": MESSAGE}}
            return responses_events({"type": "response.failed", "response": failed})
        case _:
            return anthropic_events({"type": "error", "error": {"type": "overloaded_error", "message": MESSAGE}})


@pytest.mark.parametrize("cut", [False, True], ids=["told", "cut"])
def test_failures_in_a_stream(node: Callers, caller: str, upstream: str, vendor: Vendor, cut: bool) -> None:
    """The client has the first piece, then throws; never is half an answer taken for a whole one."""
    begun = threading.Event()
    vendor.will(stream(*opening(upstream), begun, *(() if cut else failure(upstream)), finish=not cut))
    with pytest.raises(Failed, match="broke off" if cut else MESSAGE) as caught:
        node(caller, "streamed", begun, model=UPSTREAMS[upstream])
    assert begun.is_set()
    assert kind_in_stream(caller) in caught.value.kinds
