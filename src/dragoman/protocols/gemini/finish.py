"""Why an answer ended, in Gemini's words and in the neutral ones (enums of google-genai 3.4.0)."""

from dragoman.ir import Block, Finish
from dragoman.ir.response import FinishReason

_READ: dict[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "MALFORMED_FUNCTION_CALL": "malformed_call",
    "UNEXPECTED_TOOL_CALL": "malformed_call",
    "TOO_MANY_TOOL_CALLS": "malformed_call",
    "MALFORMED_RESPONSE": "malformed_call",
    "MISSING_THOUGHT_SIGNATURE": "malformed_call",
    "NO_IMAGE": "no_media",
    "IMAGE_OTHER": "no_media",
    "CONTINUATION": "pause",
    "OTHER": "other",
    "ESCALATION": "other",
    "PUP_LIMITED_DISABLED": "other",
}

_WRITE: dict[str, str] = {
    "stop": "STOP",
    "stop_sequence": "STOP",
    "tool_calls": "STOP",
    "length": "MAX_TOKENS",
    "context_window": "MAX_TOKENS",
    "content_filter": "SAFETY",
    "malformed_call": "MALFORMED_FUNCTION_CALL",
    "no_media": "NO_IMAGE",
    "other": "OTHER",
}

_BLOCKS = frozenset({"SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY", "MODEL_ARMOR", "JAILBREAK"})


def read_finish(native: str, message: str | None, called: bool) -> Finish | None:
    """`called` says that the turn called a function: Gemini still says STOP then. None for "not finished yet"."""
    if native == "FINISH_REASON_UNSPECIFIED":
        return None
    reason = _READ.get(native, "other")
    if called and reason == "stop":
        reason = "tool_calls"
    return Finish(reason, native, message)


def write_finish(finish: Finish, refused_in_words: bool) -> tuple[str, str | None]:
    """finishReason and finishMessage. `refused_in_words`: the answer's text already says that the model declines."""
    if finish.native in _READ:  # Gemini's own word comes back as it was
        return finish.native, finish.message
    if finish.reason == "refusal":
        return ("STOP", None) if refused_in_words else ("SAFETY", finish.message)
    if finish.reason == "pause":  # no word of Gemini's says that more would have come
        return "STOP", finish.message or f"The answer was paused before its end: {finish.native or finish.reason}"
    return _WRITE[finish.reason], finish.message


def read_block(native: str, message: str | None) -> Block:
    return Block(native.lower(), native, message)


def write_block(block: Block) -> dict[str, str]:
    """The `promptFeedback` of a refused prompt."""
    word = block.native if block.native in _BLOCKS else block.reason.upper()
    feedback = {"blockReason": word if word in _BLOCKS else "OTHER"}
    if block.message:
        feedback["blockReasonMessage"] = block.message
    return feedback
