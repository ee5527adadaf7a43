"""Responses that are kept: shown again, listed by their input, deleted."""

from __future__ import annotations

from dragoman.ir import NotFound
from dragoman.pipeline.call import Call
from dragoman.pipeline.caller import Caller
from dragoman.pipeline.gateway import Gateway


async def answer_kept(call: Call, caller: Caller, gateway: Gateway) -> None:
    """Raises NotFound for what is not there, or is not the key's."""
    assert call.route is not None
    raise not_found(call.route.item or "")


def not_found(id: str) -> NotFound:
    return NotFound(f"Response with id '{id}' not found.", code="response_not_found")
