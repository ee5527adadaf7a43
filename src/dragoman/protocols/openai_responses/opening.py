"""Whether a stream's event says anything, or only that something begins: an item or a part that is still empty."""

from typing import Any

# Neither has a place in OpenAI's reference (2026-11); the first comes in long silences, the second from imitations.
_SIGNS_OF_LIFE = frozenset({"keepalive", "ping"})
# An item of reasoning is announced with its seal, which then changes (recorded 2026).
_EMPTY_AT_FIRST = frozenset({"message", "reasoning"})


def says(event: dict[str, Any]) -> bool:
    """Of an event without a `response`; those that have one are its life cycle."""
    kind = event.get("type")
    if type(kind) is not str or kind in _SIGNS_OF_LIFE or kind.startswith("response.queued"):
        return False
    if kind.endswith(".delta"):
        return event.get("delta") not in (None, "")
    if kind == "response.output_item.added":
        item = event.get("item")
        if type(item) is not dict or item.get("type") not in _EMPTY_AT_FIRST:
            return True
        return bool(item.get("content") or item.get("summary"))
    if kind in ("response.content_part.added", "response.reasoning_summary_part.added"):
        part = event.get("part")
        return type(part) is not dict or bool(part.get("text") or part.get("refusal"))
    return True
