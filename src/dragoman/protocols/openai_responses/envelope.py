"""The `response` object around the items: what it says of itself, and what it repeats of the request."""

from typing import Any

from dragoman.ir import DragomanError, Request
from dragoman.protocols.base import Stamp
from dragoman.protocols.openai.errors import error_object
from dragoman.protocols.openai_responses.read_request import echo_of

Json = dict[str, Any]
PREFIX = "resp_"


def envelope_of(request: Request, stamp: Stamp, tier: str | None) -> Json:
    """A response that has begun. What the caller did not say is told as what holds without it, or as null."""
    said = echo_of(request)
    envelope: Json = {
        "id": stamp.id,
        "object": "response",
        "created_at": stamp.created,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": said.get("instructions"),
        "max_output_tokens": said.get("max_output_tokens"),
        "max_tool_calls": said.get("max_tool_calls"),
        "metadata": said.get("metadata") or {},
        "model": stamp.model,
        "output": [],
        "parallel_tool_calls": said.get("parallel_tool_calls", True),
        "previous_response_id": said.get("previous_response_id"),
        "prompt_cache_key": said.get("prompt_cache_key"),
        "reasoning": said.get("reasoning") or {"effort": None, "summary": None},
        "safety_identifier": said.get("safety_identifier"),
        "service_tier": "default" if tier == "standard" else tier,
        "store": said.get("store", True),
        "temperature": said.get("temperature"),
        "text": {"format": {"type": "text"}, **(said.get("text") or {})},
        "tool_choice": said.get("tool_choice", "auto"),
        "tools": said.get("tools") or [],
        "top_logprobs": said.get("top_logprobs", 0),
        "top_p": said.get("top_p"),
        "truncation": said.get("truncation", "disabled"),
        "usage": None,
        "user": said.get("user"),
    }
    if not (envelope["text"].get("format")):
        envelope["text"]["format"] = {"type": "text"}
    return envelope


def failure_of(error: DragomanError) -> Json:
    """`error` of a failed response: a code is a must here."""
    told = error_object(error)
    return {"code": told["code"] or "server_error", "message": told["message"]}
