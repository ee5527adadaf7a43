"""The shapes of what is handed on as it came (types of openai 3.54.0)."""

from typing import Any

from dragoman.protocols.openai.shapes import Shape, check, text_or


def _allowed(value: Any, path: str) -> None:
    """MCP's: names, or what tells which."""
    check(value, ("text",) if type(value) is list else {"read_only": "flag", "tool_names": ("text",)}, path)


REQUEST: dict[str, Shape] = {
    "safety_identifier": "text",
    "prompt_cache_key": "text",
    "prompt_cache_retention": "text",
    "prompt_cache_options": "any",
    "moderation": "any",
    "max_tool_calls": "integer",
    "metadata": {"*": "text"},
    "context_management": ({"type": "text", "compact_threshold": "integer"},),
    "stream_options": {"include_obfuscation": "flag"},
    "reasoning": {"context": "text", "mode": "text"},
}
FUNCTION: dict[str, Shape] = {
    "defer_loading": "flag",
    "async": "flag",
    "allowed_callers": ("text",),
    "output_schema": "any",
}
CUSTOM: dict[str, Shape] = {**FUNCTION, "format": {"type": "text", "syntax": "text", "definition": "text"}}
# Of tools that the vendor runs, by their neutral names.
BUILTINS: dict[str, Shape] = {
    "web_search": {
        "filters": {"allowed_domains": ("text",), "blocked_domains": ("text",)},
        "user_location": {"type": "text", "city": "text", "country": "text", "region": "text", "timezone": "text"},
        "search_context_size": "text",
        "external_web_access": "flag",
    },
    "code_execution": {
        "container": text_or(
            {"type": "text", "file_ids": ("text",), "memory_limit": "text", "network_policy": "any"},
            "a string or an object",
        )
    },
    "image_generation": {
        "action": "text",
        "background": "text",
        "complexity": "text",
        "frame_count": "integer",
        "frame_duration_ms": "integer",
        "input_fidelity": "text",
        "input_image_mask": {"file_id": "text", "image_url": "text"},
        "model": "text",
        "moderation": "text",
        "output_compression": "integer",
        "output_format": "text",
        "partial_images": "integer",
        "quality": "text",
        "size": "text",
        "svg": "any",
    },
    "file_search": {
        "vector_store_ids": ("text",),
        "max_num_results": "integer",
        "ranking_options": {"ranker": "text", "score_threshold": "number"},
        "filters": "any",
    },
    "computer": {"environment": "text", "display_width": "integer", "display_height": "integer"},
    "mcp": {
        "server_label": "text",
        "server_url": "text",
        "server_description": "text",
        "connector_id": "text",
        "authorization": "text",
        "headers": {"*": "text"},
        "allowed_tools": _allowed,
        "defer_loading": "flag",
        "tunnel_id": "text",
    },
}
# What is not read of items, yet may not be of any type.
ITEM: dict[str, Shape] = {"id": "text", "container_id": "text", "name": "text"}
THOUGHT: Shape = ({"type": "text", "text": "text"},)
SEARCH: Shape = {"type": "text", "sources": ({"type": "text"},)}
OUTPUTS: Shape = ({"type": "text"},)
