"""The mode of function calling that a request from another protocol gets, and what is lost of `strict`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dragoman.catalog.profile import profile_for
from dragoman.ir import FunctionTool, Losses, Message, OutputFormat, Request, Text, ToolChoice
from dragoman.protocols.gemini import PROTOCOL

ASK = Message("user", (Text("x"),), "messages[0]")
STRICT = FunctionTool("a", strict=True, origin="tools[0].function")
LOOSE = FunctionTool("b", origin="tools[1].function")


def calling(model: str, *tools: FunctionTool, **rest: Any) -> tuple[Any, list[str], list[tuple[str, bool]]]:
    """functionCallingConfig, the names declared, and the losses."""
    losses = Losses(PROTOCOL.spelling)
    request = Request("m", (ASK,), tools=tools, **rest)
    out = json.loads(PROTOCOL.write_request(request, model, profile_for("gemini", model), losses).body)
    declared = [one["name"] for one in out["tools"][0]["functionDeclarations"]]
    config = out.get("toolConfig", {}).get("functionCallingConfig")
    return config, declared, [(loss.path, loss.harmless) for loss in losses.found]


@pytest.mark.parametrize("model", ["gemini-2.5-flash", "gemini-2.5-pro", "gemini-3-pro-preview", "gemini-4"])
@pytest.mark.parametrize("choice", [None, ToolChoice("auto")])
def test_strict_tools_are_validated(model: str, choice: ToolChoice | None) -> None:
    assert calling(model, STRICT, tool_choice=choice) == ({"mode": "VALIDATED"}, ["a"], [])


@pytest.mark.parametrize("model", ["gemini-2.0-flash", "gemini-1.5-pro"])
def test_models_that_do_not_validate(model: str) -> None:
    assert calling(model, STRICT) == (None, ["a"], [("tools[0].function.strict", True)])
    lost = [("toolConfig.functionCallingConfig", True)]
    assert calling(model, LOOSE, tool_choice=ToolChoice("validated")) == ({"mode": "AUTO"}, ["b"], lost)


def test_one_loose_tool_keeps_all_loose() -> None:
    assert calling("gemini-2.5-flash", STRICT, LOOSE) == (None, ["a", "b"], [("tools[0].function.strict", True)])


@pytest.mark.parametrize("mode", ["any", "none"])
def test_forced_calls_fit_their_schemas_anyway(mode: Any) -> None:
    expected = ({"mode": mode.upper()}, ["a", "b"], [])
    assert calling("gemini-2.0-flash", STRICT, LOOSE, tool_choice=ToolChoice(mode)) == expected


def test_a_json_answer_beside_calls_is_not_validated() -> None:
    config, _, losses = calling("gemini-3-pro-preview", STRICT, format=OutputFormat("json"))
    assert (config, losses) == (None, [("tools[0].function.strict", True)])


def test_a_choice_among_some_functions() -> None:
    some = ToolChoice("auto", ("b",))
    named = {"mode": "VALIDATED", "allowedFunctionNames": ["b"]}
    assert calling("gemini-2.5-flash", STRICT, LOOSE, tool_choice=some) == (named, ["a", "b"], [])
    # Where names go with ANY only, the others are not declared.
    assert calling("gemini-2.0-flash", STRICT, LOOSE, tool_choice=some) == ({"mode": "AUTO"}, ["b"], [])
