"""Why an answer ended, in Chat Completions' five words (`stop`, `length`, `tool_calls`, `content_filter`, `function_call`)."""

from dragoman.ir import Finish
from dragoman.ir.response import FinishReason

_READ: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    # Seen from servers that imitate OpenAI: TGI, DeepSeek, Mistral, vLLM.
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop_sequence",
    "max_tokens": "length",
    "model_length": "context_window",
    "refusal": "refusal",
}
_WRITTEN: dict[FinishReason, str] = {
    "stop": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "context_window": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "content_filter",
}


def read_finish(word: str, *, called: bool = False) -> Finish:
    """`called`: whether the turn held tool calls; then a natural end is an end for calling (Ark and others say `stop`)."""
    reason = _READ.get(word, "other")
    if called and reason == "stop":
        reason = "tool_calls"
    return Finish(reason, word)


def write_finish(finish: Finish | None, *, called: bool) -> tuple[str, str | None]:
    """OpenAI's word, and the vendor's own where OpenAI has no word that says it."""
    if finish is None:
        return ("tool_calls" if called else "stop"), None
    word = _WRITTEN.get(finish.reason)
    native = None if word else (finish.native or finish.reason)
    if called and (word is None or word == "stop"):
        return "tool_calls", native
    return word or "stop", native
