"""Conversations with tools, by clients that drop what they do not know, with vendors that refuse what lacks a signature."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from dragoman.carry.names import names_for
from dragoman.ir import FunctionTool, Request
from dragoman.protocols.known import PROTOCOLS
from e2e.forgetful import TIME, WEATHER, Chat, Forgetful, Messages, Responses
from e2e.gateway import Gateway, provider, running
from e2e.strict import ANSWER, StrictClaude, StrictCompatible, StrictGemini, StrictOpenAI
from e2e.vendor import serving

KEY = "dgm_other_key_of_the_tests"
CONFIG = """
providers:
{providers}
keys:
  - {{name: other, key: {key}}}
log: {{format: json}}
"""


def at_vendor(protocol: str = "gemini") -> tuple[str, str]:
    """The names as vendors get them."""
    names = names_for(
        Request("m", (), tools=(FunctionTool(WEATHER), FunctionTool(TIME))), PROTOCOLS[protocol].tool_names
    )
    assert names is not None
    return names.at_vendor.get(WEATHER, WEATHER), names.at_vendor[TIME]


@contextmanager
def behind(data: Path, vendor: StrictGemini) -> Iterator[Gateway]:
    with serving(vendor) as served:
        entry = provider("vendor", "gemini", served.base_url, "gemini-*")
        with running(data, config=CONFIG.format(providers=entry, key=KEY)) as gateway:
            yield gateway


def talk(gateway: Gateway, stream: bool) -> Chat:
    return Chat(gateway.base_url, gateway.key, "gemini-3-pro-preview", stream=stream)


CLIENTS: dict[str, type[Forgetful]] = {"chat": Chat, "responses": Responses, "messages": Messages}
# Gemini 3 behind Google's own Chat endpoint has the same law.
STRICT: dict[str, tuple[str, str, Callable[[], Any]]] = {
    "gemini": ("gemini", "gemini-3-pro-preview", lambda: StrictGemini(*at_vendor("gemini"), with_ids=True)),
    "gemini-by-chat": ("openai-chat", "gemini-3-pro-preview", lambda: StrictCompatible(*at_vendor("openai-chat"))),
    "claude": ("anthropic", "claude-opus-4-6", lambda: StrictClaude(*at_vendor("anthropic"))),
    "claude-redacted": ("anthropic", "claude-opus-4-6", lambda: StrictClaude(*at_vendor("anthropic"), redacted=True)),
    "openai": ("openai-responses", "gpt-5.4", lambda: StrictOpenAI(*at_vendor("openai-responses"))),
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("with_ids", [False, True], ids=["without ids", "with ids"])
def test_gemini_3_accepts_what_a_forgetful_client_sends_back(tmp_path: Path, stream: bool, with_ids: bool) -> None:
    vendor = StrictGemini(*at_vendor(), with_ids=with_ids, text_first=stream)
    with behind(tmp_path, vendor) as gateway:
        chat = talk(gateway, stream)
        assert chat.talk("What is the weather in Paris and Oslo?") == ANSWER
        assert chat.talk("And now?") == ANSWER
        assert chat.losses == [None] * 6
        assert len(set(chat.ids)) == 6
        assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,40}", id) for id in chat.ids)
        other = talk(gateway, stream)
        assert other.talk("What is the weather in Paris and Oslo?") == ANSWER
        assert not set(other.ids) & set(chat.ids)
    assert vendor.refused == []
    assert vendor.skipped == 0


def test_a_kill_a_restart_and_another_worker_make_no_difference(tmp_path: Path) -> None:
    vendor = StrictGemini(*at_vendor())
    with serving(vendor) as served:
        config = CONFIG.format(providers=provider("vendor", "gemini", served.base_url, "gemini-*"), key=KEY)
        with running(tmp_path, config=config) as gateway:
            chat = talk(gateway, stream=True)
            chat.ask("What is the weather in Paris and Oslo?")
            assert chat.step() is None
            os.killpg(gateway.process.pid, signal.SIGKILL)
        key = gateway.key
        with running(tmp_path, config=config, key=key, arguments=("--workers", "2")) as gateway:
            for _ in range(2):
                # A connection each, so that either worker may have it.
                chat.aim(gateway.base_url, key)
                text = chat.step()
            assert text == ANSWER
            for _ in range(6):
                again = talk(gateway, stream=False)
                again.ask("What is the weather in Paris and Oslo?")
                for _ in range(3):
                    again.aim(gateway.base_url, key)
                    text = again.step()
                assert text == ANSWER
                assert again.losses == [None] * 3
    assert (vendor.refused, vendor.skipped) == ([], 0)
    database = tmp_path / "dragoman.db"
    assert stat.S_IMODE(database.stat().st_mode) == 0o600
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT DISTINCT owner FROM signatures").fetchall() == [("root",)]


def test_another_keys_signatures_are_not_its_own(tmp_path: Path) -> None:
    """The last resort keeps the conversation going, and is told."""
    vendor = StrictGemini(*at_vendor())
    with behind(tmp_path, vendor) as gateway:
        chat = talk(gateway, stream=False)
        chat.ask("What is the weather in Paris and Oslo?")
        chat.step()
        chat.aim(gateway.base_url, KEY)
        chat.step()
        assert chat.losses == [None, "messages[1].tool_calls[0]"]
        assert chat.step() == ANSWER
        assert chat.losses[2] == "messages[1].tool_calls[0]"
    assert vendor.refused == []
    assert vendor.skipped == 2


def test_a_database_that_is_gone_fails_no_request(tmp_path: Path) -> None:
    vendor = StrictGemini(*at_vendor())
    with behind(tmp_path, vendor) as gateway:
        with closing(sqlite3.connect(tmp_path / "dragoman.db", isolation_level=None)) as holder:
            holder.execute("BEGIN EXCLUSIVE")
            chat = talk(gateway, stream=True)
            assert chat.talk("What is the weather in Paris and Oslo?") == ANSWER
            holder.execute("ROLLBACK")
        gateway.wait_for_log(lambda line: "database" in line and line["level"] == "error")
        told = [line for line in gateway.log if "database" in line and line["level"] == "error"]
        assert len(told) == 1
    assert (vendor.refused, vendor.skipped) == ([], 0)


# The same protocol is passed on as it is: there a client answers for its history itself.
_OWN = {"chat": "openai-chat", "responses": "openai-responses", "messages": "anthropic"}
PAIRS = [
    (client, vendor) for client in CLIENTS for vendor, (protocol, *_) in STRICT.items() if _OWN[client] != protocol
]


@pytest.fixture(scope="module")
def all_vendors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, dict[str, Any]]]:
    """A gateway before all of them, by name."""
    simulated = {name: make() for name, (_, _, make) in STRICT.items()}
    with ExitStack() as stack:
        entries = ""
        for name, (protocol, _, _) in STRICT.items():
            base_url = stack.enter_context(serving(simulated[name])).base_url
            entries += provider(name, protocol, base_url + ("/v1" if protocol.startswith("openai") else ""), "none")
        config = CONFIG.format(providers=entries, key=KEY)
        yield stack.enter_context(running(tmp_path_factory.mktemp("strict"), config=config)), simulated


@pytest.mark.parametrize(("client", "vendor"), PAIRS)
def test_every_vendor_accepts_what_every_forgetful_client_sends_back(
    all_vendors: tuple[Gateway, dict[str, Any]], client: str, vendor: str
) -> None:
    gateway, simulated = all_vendors
    for stream in (False, True):
        chat = CLIENTS[client](gateway.base_url, gateway.key, f"{vendor}/{STRICT[vendor][1]}", stream=stream)
        assert chat.talk("What is the weather in Paris and Oslo?") == ANSWER
        assert chat.talk("And now?") == ANSWER
        assert len(set(chat.ids)) == 6
    assert simulated[vendor].refused == []
    assert getattr(simulated[vendor], "skipped", 0) == 0


def test_a_conversation_moves_to_another_vendor(tmp_path: Path) -> None:
    """What one vendor signed is not shown to the next; that one's own law is kept all the same."""
    gemini, claude, openai = (STRICT[name][2]() for name in ("gemini", "claude", "openai"))
    with serving(gemini) as first, serving(claude) as second, serving(openai) as third:
        entries = (
            provider("google", "gemini", first.base_url, "gemini-*")
            + provider("anthropic", "anthropic", second.base_url, "claude-*")
            + provider("openai", "openai-responses", f"{third.base_url}/v1", "gpt-*")
        )
        with running(tmp_path, config=CONFIG.format(providers=entries, key=KEY)) as gateway:
            chat = talk(gateway, stream=True)
            for model in ("gemini-3-pro-preview", "gpt-5.4", "gemini-3-pro-preview"):
                chat.model = model
                assert chat.talk("What is the weather in Paris and Oslo?") == ANSWER
            # In the middle of a turn: Gemini is told to do without, and so is the caller.
            chat.model = "gpt-5.4"
            chat.ask("Once more.")
            assert chat.step() is None
            assert set(chat.losses) == {None}
            chat.model = "gemini-3-pro-preview"
            assert chat.step() is None
            assert chat.losses[-1] is not None
            assert chat.step() == ANSWER
        for vendor in (first, second, third):
            assert all(foreign not in seen.body.decode() for seen in vendor.seen for foreign in ("dg1.",))
        assert all("encrypted_content" not in seen.body.decode() for seen in first.seen)
        assert all("thoughtSignature" not in seen.body.decode() for seen in third.seen)
    assert (gemini.refused, claude.refused, openai.refused) == ([], [], [])
    assert gemini.skipped == 2


# --- the vendors themselves: what they would refuse


def _gemini_history(change: Callable[[list[Any]], None]) -> tuple[StrictGemini, list[Any]]:
    vendor = StrictGemini("f", "g")
    tools = [{"functionDeclarations": [{"name": "f"}, {"name": "g"}]}]
    contents: list[Any] = [{"role": "user", "parts": [{"text": "x"}]}]
    for _ in range(2):
        parts = vendor._answer({"contents": contents, "tools": tools})
        contents.append({"role": "model", "parts": parts})
        results = [{"functionResponse": {"name": part["functionCall"]["name"], "response": {}}} for part in parts]
        contents.append({"role": "user", "parts": results})
    change(contents)
    return vendor, vendor._answer({"contents": contents, "tools": tools})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c[1]["parts"][0].pop("thoughtSignature"), "missing a thought_signature"),
        (lambda c: c[3]["parts"][0].pop("thoughtSignature"), "position 2"),
        (lambda c: c[1]["parts"][1].update(thoughtSignature=c[1]["parts"][0]["thoughtSignature"]), "not valid"),
        (lambda c: c[3]["parts"][0].update(thoughtSignature=c[1]["parts"][0]["thoughtSignature"]), "not valid"),
        (lambda c: c[1]["parts"][0]["functionCall"].update(args={"town": "Rome"}), "not valid"),
        (lambda c: c[1]["parts"].reverse(), "missing a thought_signature"),
        (lambda c: c[2]["parts"].pop(), "function responses must equal"),
        (lambda c: c[1]["parts"][0]["functionCall"].update(id="1"), "id must be its call's"),
        (lambda c: c[1]["parts"][0].update(thoughtSignature="Q2xhdWRl"), "not valid"),
    ],
)
def test_the_simulated_gemini_refuses(change: Callable[[list[Any]], None], words: str) -> None:
    with pytest.raises(Exception, match=words):
        _gemini_history(change)


def test_the_simulated_gemini_takes_its_own() -> None:
    _, parts = _gemini_history(lambda contents: None)
    assert parts[0]["text"]
    # Earlier turns are not looked at.
    vendor, _ = _gemini_history(lambda contents: None)
    plain = [
        {"role": "user", "parts": [{"text": "x"}]},
        {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]},
        {"role": "user", "parts": [{"text": "y"}]},
    ]
    assert vendor._answer({"contents": plain, "tools": [{"functionDeclarations": [{"name": "f"}, {"name": "g"}]}]})
