"""Names that a vendor refuses go there changed, and come back as the caller had them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.carry import Inward, outward
from dragoman.carry.names import names_for
from dragoman.ir import (
    Candidate,
    Extra,
    FunctionTool,
    Losses,
    Message,
    Request,
    Response,
    Spelling,
    Text,
    ToolCall,
    ToolCallStarted,
    ToolChoice,
    ToolResult,
)
from dragoman.protocols.known import PROTOCOLS

CHAT = PROTOCOLS["openai-chat"].tool_names
GEMINI = PROTOCOLS["gemini"].tool_names
# The narrowest of all protocols' rules.
EVERYWHERE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


def declaring(*names: str, **more: object) -> Request:
    return Request(model="m", messages=(), tools=tuple(FunctionTool(name) for name in names), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("protocol", sorted(PROTOCOLS))
def test_what_is_legal_everywhere_stays(protocol: str) -> None:
    names = ("f", "_f", "get_weather", "a-b", "A" * 64)
    assert names_for(declaring(*names), PROTOCOLS[protocol].tool_names) is None


@pytest.mark.parametrize(
    ("name", "at_chat", "at_gemini"),
    [
        ("ns.tool:v1", "ns_tool_v1", None),
        ("1st tool", "_1st_tool", "_1st_tool"),
        ("1st", None, "_1st"),
        ("-x", None, "_-x"),
        ("mcp/server/get", "mcp_server_get", "mcp_server_get"),
        ("查询天气", "tool_22cf3c76", "tool_22cf3c76"),
        ("get_天气", "get___", "get___"),
        ("f\n", "f_", "f_"),
    ],
)
def test_what_becomes_of_a_name(name: str, at_chat: str | None, at_gemini: str | None) -> None:
    for legal, expected in ((CHAT, at_chat), (GEMINI, at_gemini)):
        names = names_for(declaring(name), legal)
        assert (names.at_vendor if names else {}) == ({name: expected} if expected else {})


def test_a_long_name_keeps_its_beginning() -> None:
    first, second = "mcp__server__" + "x" * 80 + "1", "mcp__server__" + "x" * 80 + "2"
    names = names_for(declaring(first, second), CHAT)
    assert names is not None
    short = names.at_vendor[first]
    assert len(short) == 64
    assert short.startswith("mcp__server__xxx")
    assert names.at_vendor[second] != short


def test_two_never_become_one() -> None:
    names = names_for(declaring("a.b", "a/b", "a_b", "a b"), CHAT)
    assert names is not None
    written = [names.at_vendor.get(name, name) for name in ("a.b", "a/b", "a_b", "a b")]
    assert len(set(written)) == 4
    assert written[2] == "a_b"


def test_what_comes_later_does_not_change_what_was_there() -> None:
    before = names_for(declaring("a.b"), CHAT)
    history = (Message("assistant", (ToolCall("c", "a/b"),)),)
    after = names_for(declaring("a.b").__class__(model="m", messages=history, tools=(FunctionTool("a.b"),)), CHAT)
    assert before is not None
    assert after is not None
    assert after.at_vendor["a.b"] == before.at_vendor["a.b"]


@given(st.lists(st.text(min_size=1, max_size=90), min_size=1, max_size=8), st.sampled_from([CHAT, GEMINI]))
def test_all_come_back(given_names: list[str], legal: re.Pattern[str]) -> None:
    names = names_for(declaring(*given_names), legal)
    at_vendor = {name: name if names is None else names.at_vendor.get(name, name) for name in given_names}
    assert all(legal.fullmatch(written) for written in at_vendor.values())
    assert len(set(at_vendor.values())) == len(at_vendor)
    if names is not None:
        assert all(EVERYWHERE.fullmatch(written) for written in names.at_caller)
        assert {written: names.at_caller.get(written, written) for written in at_vendor.values()} == {
            written: name for name, written in at_vendor.items()
        }


def test_everywhere_in_a_request() -> None:
    request = Request(
        model="m",
        messages=(
            Message("user", (Text("x"),)),
            Message("assistant", (ToolCall("c", "a.b"), ToolCall("d", "plain"))),
            Message("user", (ToolResult("c", "a.b", "ok"), ToolResult("d", "plain", "ok"))),
        ),
        tools=(
            FunctionTool("a.b", extras=(Extra("openai", "custom", {"name": "a.b", "format": 1}, "tools[0]"),)),
            FunctionTool("plain"),
        ),
        tool_choice=ToolChoice("any", ("plain", "a.b")),
    )
    sent, names, _ = outward(request, CHAT, None, Losses(Spelling({}, "[{}]")))
    assert [tool.name for tool in sent.tools if isinstance(tool, FunctionTool)] == ["a_b", "plain"]
    assert sent.tools[0].extras[0].value == {"name": "a_b", "format": 1}  # type: ignore[union-attr]
    assert sent.tool_choice == ToolChoice("any", ("plain", "a_b"))
    assert [part.name for message in sent.messages[1:] for part in message.parts] == ["a_b", "plain"] * 2  # type: ignore[union-attr]
    assert sent.tools[1] is request.tools[1]

    inward = Inward(names, set(), provider="p", seed="s")
    answer = Response("i", "m", (Candidate(0, (ToolCall("x", "a_b"), ToolCall("y", "plain"), ToolCall("z", "new"))),))
    (candidate,) = inward.response(answer).candidates
    assert [part.name for part in candidate.parts] == ["a.b", "plain", "new"]  # type: ignore[union-attr]
    (event,) = inward.events([ToolCallStarted(0, 0, "w", "a_b")])
    assert event == ToolCallStarted(0, 0, "w", "a.b")
