"""Every field of a request, in every wrong type: a BadRequest that names the field, and nothing else."""

import re
from typing import Any

import pytest

from dragoman.protocols.base import Route
from dragoman.protocols.openai_responses import PROTOCOL
from protocols.confusion import Whole

BREAK = {"mode": "explicit"}
IMAGE = "data:image/png;base64,iVBORw0KGgo="
BODY: dict[str, Any] = {
    "model": "m",
    "instructions": "i",
    "input": [
        {"role": "developer", "content": [{"type": "input_text", "text": "s", "prompt_cache_breakpoint": BREAK}]},
        {
            "type": "message",
            "role": "user",
            "status": "completed",
            "id": "msg_1",
            "content": [
                {"type": "input_text", "text": "Hi"},
                {"type": "input_image", "image_url": IMAGE, "detail": "low"},
                {"type": "input_image", "file_id": "file-1", "detail": "auto"},
                {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk=", "detail": "low"},
                {"type": "input_file", "file_url": "https://e.com/a.pdf"},
                {"type": "input_file", "file_id": "file-1"},
                {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
            ],
        },
        {
            "type": "reasoning", "id": "rs_1", "status": "completed",
            "summary": [{"type": "summary_text", "text": "s"}],
            "content": [{"type": "reasoning_text", "text": "r"}],
            "encrypted_content": "gAAA",
        },
        {
            "type": "message", "role": "assistant", "id": "msg_2", "status": "completed", "phase": "final_answer",
            "content": [
                {"type": "output_text", "text": "a", "annotations": [], "logprobs": []},
                {"type": "refusal", "refusal": "r"},
            ],
        },
        {"type": "function_call", "id": "fc_1", "call_id": "1", "name": "f", "arguments": "{}", "status": "completed"},
        {"type": "custom_tool_call", "id": "ctc_1", "call_id": "2", "name": "c", "input": "x"},
        {
            "type": "web_search_call", "id": "ws_1", "status": "completed",
            "action": {
                "type": "search", "query": "q", "queries": ["q"], "sources": [{"type": "url", "url": "https://e.com"}],
            },
        },
        {
            "type": "code_interpreter_call", "id": "ci_1", "status": "completed", "container_id": "x", "code": "1",
            "outputs": [{"type": "logs", "logs": "1"}, {"type": "image", "url": IMAGE}],
        },
        {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "iVBORw0KGgo=", "output_format": "png"},
        {"type": "function_call_output", "id": "fco_1", "call_id": "1", "output": [{"type": "input_text", "text": "r"}]},
        {"type": "custom_tool_call_output", "call_id": "2", "output": "r", "name": "c"},
        {"role": "user", "content": "go on"},
    ],
    "temperature": 1, "top_p": 0.5, "max_output_tokens": 5, "top_logprobs": 1,
    "stream": True, "stream_options": {"include_obfuscation": False},
    "tools": [
        {
            "type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True,
            "defer_loading": True, "allowed_callers": ["direct"], "output_schema": {"type": "object"},
        },
        {"type": "custom", "name": "c", "description": "d", "format": {"type": "grammar", "syntax": "lark", "definition": "x"}},
        {
            "type": "web_search",
            "filters": {"allowed_domains": ["e.com"]},
            "user_location": {"type": "approximate", "city": "c", "country": "DE", "region": "r", "timezone": "t"},
            "search_context_size": "low",
            "external_web_access": True,
        },
        {"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["f"], "memory_limit": "1g"}},
        {
            "type": "image_generation", "size": "auto", "quality": "low", "background": "auto", "output_format": "png",
            "output_compression": 5, "partial_images": 1, "moderation": "auto", "input_fidelity": "low", "model": "m",
            "input_image_mask": {"file_id": "f"}, "action": "auto",
        },
        {"type": "file_search", "vector_store_ids": ["v"], "max_num_results": 3, "ranking_options": {"ranker": "auto"}},
        {
            "type": "mcp", "server_label": "l", "server_url": "https://e.com", "server_description": "d",
            "allowed_tools": ["t"], "headers": {"a": "b"}, "require_approval": "never", "authorization": "x",
        },
        {"type": "computer_use_preview", "environment": "browser", "display_width": 800, "display_height": 600},
    ],
    "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
    "parallel_tool_calls": True,
    "max_tool_calls": 3,
    "text": {
        "format": {"type": "json_schema", "name": "n", "description": "d", "schema": {"type": "object"}, "strict": True},
        "verbosity": "low",
    },
    "reasoning": {"effort": "low", "summary": "auto", "context": "auto", "mode": "standard"},
    "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
    "user": "u", "service_tier": "flex", "safety_identifier": "s", "metadata": {"a": "b"}, "store": True,
    "prompt_cache_key": "k", "prompt_cache_retention": "24h", "prompt_cache_options": {"mode": "implicit"},
    "moderation": {"model": "m"}, "truncation": "auto", "previous_response_id": "resp_1", "background": False,
    "context_management": [{"type": "compaction", "compact_threshold": 1000}],
}  # fmt: skip
# What the caller's own functions and schemas hold, and hints.
FREE = ("parameters", "schema", "output_schema", "prompt_cache_breakpoint", "moderation", "prompt_cache_options")
# A text in place of items or parts; arguments as the object itself; a container's or a choice's name; what no model reads.
LENIENT = re.compile(
    r"^input$|^input\[\d+]$|content(\[\d])?$|output(\[0])?$|arguments$|container$|^tool_choice$|require_approval$"
    r"|allowed_tools$|^instructions$|annotations$|logprobs$|phase$|\.status$"
)
WHOLE = Whole(PROTOCOL, Route("generate"), BODY, free=FREE, lenient=LENIENT)


def test_the_whole_is_a_request() -> None:
    assert WHOLE.refused(BODY) is None
    WHOLE.carried(BODY)


@pytest.mark.parametrize(("path", "held"), WHOLE.fields, ids=[path for path, _ in WHOLE.fields])
def test_absent_and_empty_fields(path: str, held: Any) -> None:
    WHOLE.may_be_absent(path, held)


@pytest.mark.parametrize(("path", "held"), WHOLE.fields, ids=[path for path, _ in WHOLE.fields])
def test_wrong_types_are_named(path: str, held: Any) -> None:
    WHOLE.names_wrong_types(path, held)
