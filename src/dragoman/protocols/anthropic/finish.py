"""Why an answer ended, in Anthropic's words (`end_turn`, `max_tokens`, `stop_sequence`, `tool_use`, `pause_turn`, `refusal`,
`model_context_window_exceeded`)."""

from typing import Any

from dragoman.ir import Finish
from dragoman.ir.response import FinishReason

_READ: dict[str, FinishReason] = {
    "end_turn": "stop",
    "max_tokens": "length",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool_calls",
    "pause_turn": "pause",
    "refusal": "refusal",
    "model_context_window_exceeded": "context_window",
}
_WRITTEN: dict[FinishReason, str] = {
    "stop": "end_turn",
    "stop_sequence": "stop_sequence",
    "length": "max_tokens",
    "context_window": "model_context_window_exceeded",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    "refusal": "refusal",
    "pause": "pause_turn",
}


def read_finish(delta: dict[str, Any], *, called: bool) -> Finish:
    """From the members that a message and a `message_delta` share. `called`: whether the turn calls the caller's functions; a
    forced call that stands in for a JSON answer is none."""
    word = delta.get("stop_reason")
    word = word if type(word) is str else ""
    reason = _READ.get(word, "other") if word else "stop"
    if reason == "tool_calls" and not called:
        reason = "stop"
    elif reason == "stop" and called:
        reason = "tool_calls"
    sequence = delta.get("stop_sequence")
    details = delta.get("stop_details")
    told = details.get("explanation") if type(details) is dict else None
    return Finish(
        reason,
        native=word or None,
        message=told if type(told) is str and told else None,
        stop_sequence=sequence if type(sequence) is str else None,
    )


def write_finish(finish: Finish | None, *, called: bool, refused: str = "") -> dict[str, Any]:
    """`stop_reason` and what stands beside it; the vendor's own word where Anthropic has none that says it. `refused` is what the
    model said by way of refusing, where its vendor tells that apart."""
    if refused and not called and (finish is None or finish.reason == "stop"):
        finish = Finish("refusal", message=refused)
    if finish is None:
        return {"stop_reason": "tool_use" if called else "end_turn", "stop_sequence": None}
    word = _WRITTEN.get(finish.reason)
    told: dict[str, Any] = {"stop_reason": word or "end_turn", "stop_sequence": finish.stop_sequence}
    if called and word in (None, "end_turn"):
        told["stop_reason"] = "tool_use"
    if finish.reason == "stop_sequence" and finish.stop_sequence is None:
        told["stop_reason"] = "end_turn"  # a client reads the string that was hit beside the word
    if word == "refusal":
        told["stop_details"] = {"type": "refusal", "category": None, "explanation": finish.message}
    if word is None or finish.reason == "content_filter":
        told["native_finish_reason"] = finish.native or finish.reason
    return told
