"""Function names that Gemini refuses go there and back."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dragoman.catalog.profile import profile_for
from dragoman.ir import FunctionTool, Losses, Message, Request, Text, ToolCall, ToolChoice, ToolResult
from dragoman.protocols.gemini import PROTOCOL
from dragoman.protocols.gemini.names import from_wire, to_wire


@pytest.mark.parametrize("name", ["f", "_f", "a.b:c-d", "get_x", "_x", "_xyz_", "ns__tool"])
def test_legal_names_stay(name: str) -> None:
    assert to_wire(name) == name


@example("_x00é")  # the é's own escape must not complete another
@given(st.text(st.sampled_from("a_x1.- é/0f"), min_size=1, max_size=12))
def test_there_and_back(name: str) -> None:
    written = to_wire(name)
    assert from_wire(written) == name
    assert written[0].isascii()
    assert written[0].isalpha() or written[0] == "_"
    assert all(letter.isascii() and (letter.isalnum() or letter in "_.:-") for letter in written)


def test_everywhere() -> None:
    request = Request(
        model="m",
        messages=(
            Message("user", (Text("x"),)),
            Message("assistant", (ToolCall("c", "1st tool"),)),
            Message("user", (ToolResult("c", "", "ok"),)),
        ),
        tools=(FunctionTool("1st tool"),),
        tool_choice=ToolChoice("any", ("1st tool",)),
    )
    model = "gemini-2.5-flash"
    out = PROTOCOL.write_request(request, model, profile_for("gemini", model), Losses(PROTOCOL.spelling))
    assert out.body.count(b'"_x31_st_x20_tool"') == 4
    answer = {"candidates": [{"content": {"parts": [{"functionCall": {"name": "_x31_st_x20_tool"}}]}}]}
    (candidate,) = PROTOCOL.read_response(json.dumps(answer).encode()).candidates
    assert candidate.parts == (ToolCall("", "1st tool"),)
