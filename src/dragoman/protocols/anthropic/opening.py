"""Whether a stream's event says anything, or only that something begins: a block of text or of thinking that is still empty."""

from typing import Any

_BEGINS = frozenset({"message_start", "content_block_stop", "ping"})


def says(event: dict[str, Any]) -> bool:
    kind = event.get("type")
    if type(kind) is not str or kind in _BEGINS:
        return False
    told = event.get("content_block" if kind == "content_block_start" else "delta")
    if type(told) is not dict:
        return True
    match told.get("type"):
        case "text" | "text_delta":
            return bool(told.get("text") or told.get("citations"))
        case "thinking" | "thinking_delta":
            return bool(told.get("thinking"))
    return True
