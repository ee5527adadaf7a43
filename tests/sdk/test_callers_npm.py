"""The vendors' and Vercel's clients for JavaScript, unmodified, before every kind of upstream: what each saw, and what the
vendor was asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.canned import HELLO, PIECES, PNG, THOUGHT
from e2e.fixtures import Relayed
from e2e.gateway import Gateway
from e2e.vendor import Vendor
from sdk import callers as asked
from sdk.callers import CALLERS, REASONING, UPSTREAMS, VENDORS_OWN, Callers, Failed, calling, vendor_of

SYSTEM = "Be brief. 简短。"
CITY = {"city": "city 上海"}
EXCHANGED = [("get_weather", CITY, "18 degrees in city 上海"), ("get_time", {}, "12:00")]
PLACE = {"city": "city 上海", "celsius": 18, "kind": "town", "people": [{"name": "name 上海", "age": 18.5}]}
FINISHED = {"openai-chat": "stop", "openai-responses": "completed", "anthropic": "end_turn", "gemini": "STOP"}
STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@pytest.fixture(scope="module")
def node(node_modules: Path, _scripted: tuple[Gateway, Relayed]) -> Iterator[Callers]:
    with calling(_scripted[0]) as callers:
        yield callers


@pytest.fixture(params=CALLERS)
def caller(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=UPSTREAMS)
def upstream(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def vendor(vendors: Relayed, upstream: str) -> Vendor:
    return vendor_of(vendors, upstream)


@pytest.fixture
def model(upstream: str) -> str:
    return UPSTREAMS[upstream]


def finished(caller: str) -> str:
    return "stop" if caller.startswith("ai-") else FINISHED[CALLERS[caller]]


def test_text(node: Callers, caller: str, model: str, upstream: str, vendor: Vendor) -> None:
    seen = node(caller, "text", model=model)
    # Vercel's client for Google tells the name that it asked for.
    told = model if caller == "ai-google" else VENDORS_OWN[upstream]
    assert seen == {"text": HELLO, "model": told, "finish": finished(caller), "usage": [12, 7]}
    assert asked.turns_of(upstream, vendor.last) == [("user", "Hi")]


def test_streamed_text(node: Callers, caller: str, model: str) -> None:
    seen = node(caller, "streamed", model=model)
    assert (seen["pieces"], seen["finish"], seen["usage"]) == (PIECES, finished(caller), [12, 7])
    assert not seen.get("thoughts")
    if "numbers" in seen:
        assert seen["numbers"] == list(range(len(seen["numbers"])))


def test_system_and_limits(node: Callers, caller: str, model: str, upstream: str, vendor: Vendor) -> None:
    assert node(caller, "system", model=model)["text"] == HELLO
    assert asked.system_of(upstream, vendor.last) == SYSTEM
    # A model that reasons takes no temperature; to a caller of the same protocol its vendor says so itself.
    warm = upstream != "openai-responses" or CALLERS[caller] == upstream
    assert asked.limits_of(upstream, vendor.last) == (0.5 if warm else None, 300)


def test_several_turns(node: Callers, caller: str, model: str, upstream: str, vendor: Vendor) -> None:
    assert node(caller, "turns", model=model)["text"] == HELLO
    assert asked.turns_of(upstream, vendor.last) == [("user", "Hi"), ("model", "Hello."), ("user", "And?")]


@STREAMED
@pytest.mark.parametrize("count", [1, 2], ids=["one call", "parallel calls"])
@pytest.mark.parametrize("effort", [None, "low"], ids=["", "thinking"])
def test_tools(
    node: Callers, caller: str, upstream: str, vendor: Vendor, stream: bool, count: int, effort: str | None
) -> None:
    """By the client's own loop where it has one. Thoughts and signatures of the first turn are back in the second, or the
    vendor would refuse it."""
    model = (REASONING if effort else UPSTREAMS)[upstream]
    seen = node(caller, "tools", model=model, count=count, stream=stream, effort=effort)
    assert seen == {"text": HELLO, "calls": [[name, given] for name, given, _ in EXCHANGED[:count]]}
    # Anthropic's client asks the vendor to keep the conversation, is refused, and sends the history by itself.
    turns = [turn for turn in vendor.seen if "thread" not in turn.json]
    assert len(turns) == 2
    assert asked.exchanged(upstream, vendor.last) == EXCHANGED[:count]
    for turn in turns:
        declared = asked.tools_of(upstream, turn)
        assert list(declared) == ["get_weather", "get_time"][:count]
        assert {name: kind["type"].lower() for name, kind in declared["get_weather"]["properties"].items()} == {
            "city": "string"
        }
        assert declared["get_weather"]["required"] == ["city"]
        assert effort is None or asked.reasons(upstream, turn)


@STREAMED
@pytest.mark.parametrize("effort", [None, "low"], ids=["", "thinking"])
@pytest.mark.parametrize(
    ("upstream", "given"),
    [
        (upstream, {"caller": caller, "kept": caller == "openai-responses"})
        for caller in ("openai-responses", "ai-openai-responses")
        for upstream in UPSTREAMS
        # What a vendor of the same protocol keeps is its own affair.
        if (caller, upstream) != ("openai-responses", "openai-responses")
    ],
    ids=lambda value: value if isinstance(value, str) else value["caller"],
)
def test_histories_in_responses(
    node: Callers, upstream: str, vendor: Vendor, stream: bool, effort: str | None, given: dict[str, Any]
) -> None:
    """The other of two ways: kept by the gateway, or sent again with every turn."""
    seen = node(case="tools", model=REASONING[upstream], count=2, stream=stream, effort=effort, **given)
    assert seen == {"text": HELLO, "calls": [[name, taken] for name, taken, _ in EXCHANGED]}
    assert asked.exchanged(upstream, vendor.last) == EXCHANGED


def test_forced_function(node: Callers, caller: str, model: str, upstream: str, vendor: Vendor) -> None:
    node(caller, "forced", model=model)
    assert asked.forced_of(upstream, vendor.last) == "get_time"


def test_image(node: Callers, caller: str, model: str, upstream: str, vendor: Vendor) -> None:
    assert node(caller, "image", model=model)["text"] == HELLO
    assert asked.picture_of(upstream, vendor.last) == ("image/png", PNG)
    assert [text for _, text in asked.turns_of(upstream, vendor.last)] == ["What is this?"]


@STREAMED
def test_schema(node: Callers, caller: str, model: str, upstream: str, vendor: Vendor, stream: bool) -> None:
    assert node(caller, "schema", model=model, stream=stream)["value"] == PLACE
    if (
        caller == "ai-anthropic"
    ):  # to a model that it does not know by name it gives one function, json, and forces a call
        told = asked.tools_of(upstream, vendor.last)["json"]
        assert asked.forced_of(upstream, vendor.last) == "any"
    else:
        told = asked.schema_of(upstream, vendor.last)
    assert set(told["properties"]) == set(PLACE)


@STREAMED
def test_thoughts(node: Callers, caller: str, upstream: str, vendor: Vendor, stream: bool) -> None:
    seen = node(caller, "thoughts", model=REASONING[upstream], stream=stream)
    # Vercel's client for Chat knows no thoughts there.
    assert seen["text"] == HELLO
    assert (seen.get("thoughts") or "") == ("" if caller == "ai-openai-chat" else THOUGHT)
    assert asked.reasons(upstream, vendor.last)


@pytest.mark.parametrize("caller", [name for name in CALLERS if not name.startswith("ai-")])
def test_models(node: Callers, relay: Gateway, caller: str, model: str) -> None:
    seen = node(caller, "models", model=model)
    assert set(UPSTREAMS.values()) <= set(seen["names"])
    assert seen["one"] == model


@pytest.mark.parametrize("caller", ["openai-responses", "anthropic", "genai"])
def test_count(node: Callers, caller: str, model: str, upstream: str, vendors: Relayed) -> None:
    if upstream == "openai-chat":  # there is no such call there
        with pytest.raises(Failed, match="cannot count tokens") as caught:
            node(caller, "count", model=model)
        assert caught.value.status == (400 if caller == "anthropic" else 501)
        return
    assert node(caller, "count", model=model)["tokens"] == 31


def test_stored_responses(node: Callers, relay: Gateway, model: str) -> None:
    seen = node("openai-responses", "stored", model=model)
    assert seen == {"text": HELLO, "items": [["user", "Hi"]], "gone": [True, 404]}
