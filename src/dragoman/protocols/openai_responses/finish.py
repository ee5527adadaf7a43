"""Why an answer ended: a response's `status` and `incomplete_details`."""

from typing import Any

from dragoman.ir import Block, Finish
from dragoman.ir.response import FinishReason

Json = dict[str, Any]
_INCOMPLETE: dict[FinishReason, str] = {
    "length": "max_output_tokens",
    "context_window": "max_output_tokens",
    "content_filter": "content_filter",
    "refusal": "content_filter",
}
_SAID = frozenset({"stop", "stop_sequence", "tool_calls"})


def read_finish(response: Json, *, called: bool) -> Finish:
    """`called`: whether the answer holds calls of the caller's functions."""
    if response.get("status") == "incomplete":
        details = response.get("incomplete_details")
        word = details.get("reason") if type(details) is dict else None
        native = word if type(word) is str else "incomplete"
        message = details.get("message") if type(details) is dict else None
        told = message if type(message) is str else None
        if native == "max_output_tokens":
            return Finish("length", native, told)
        if native == "content_filter":
            return Finish("content_filter", native, told)
        return Finish("other", native, told)
    return Finish("tool_calls" if called else "stop", "completed")


def write_finish(finish: Finish | None, block: Block | None) -> Json:
    """The members of a response that tell its end; the vendor's own word where there is none of OpenAI's that says it."""
    if finish is None and block is not None:
        details = {"reason": "content_filter"}
        if block.message:
            details["message"] = block.message
        return {
            "status": "incomplete",
            "incomplete_details": details,
            "native_finish_reason": block.native or block.reason,
        }
    if finish is None:
        return {"status": "completed", "incomplete_details": None}
    word = _INCOMPLETE.get(finish.reason)
    if word is not None:
        details = {"reason": word}
        if finish.message:
            details["message"] = finish.message
        return {"status": "incomplete", "incomplete_details": details}
    told: Json = {"status": "completed", "incomplete_details": None}
    if finish.reason not in _SAID:
        told["native_finish_reason"] = finish.native or finish.reason
    return told
