"""What a request names of kept responses has a bound, in bytes and in number."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dragoman.ir import BadRequest
from dragoman.pipeline.state import State, chain_of, input_of
from dragoman.store import Store, StoredResponse, location_of
from dragoman.store.migrate import migrate
from dragoman.wire.json import encode

NOW = int(time.time())
LIMIT = 10_000
NEXT = b'{"model":"m","input":"And?","previous_response_id":"resp_%d"}'


def target(provider: str) -> Any:
    return SimpleNamespace(target=SimpleNamespace(provider=provider))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    location = location_of("sqlite", tmp_path)
    migrate(location)
    opened = Store.open(location)
    yield opened
    await opened.aclose()


async def put(store: Store, number: int, size: int, *, native: bool = False) -> None:
    """The response of that number in a chain, of `size` bytes of text."""
    id = f"resp_{number}"
    message = {"id": f"msg_{number}", "type": "message", "role": "assistant", "content": "x" * size}
    kept: dict[str, Any] = {"previous": f"resp_{number - 1}" if number else None, "native": native, "items": []}
    told = {"id": id, "status": "completed", "output": [message]}
    row = StoredResponse(id, "team", NOW, NOW + 86_400, "openai", "m", encode(kept), encode(told))
    assert await store.put_response(row, [message["id"]] if native else [])


async def test_a_chain_within_its_bounds(store: Store) -> None:
    for number in range(4):
        await put(store, number, 1000)
    found = await chain_of(store, "team", "resp_3", LIMIT)
    assert found is not None
    assert ([link.id for link in found[0]], found[1]) == ([f"resp_{number}" for number in range(4)], None)


async def test_a_chain_has_a_bound_in_bytes(store: Store) -> None:
    for number in range(20):
        await put(store, number, 1000)
    state = State(store, "team", NEXT % 19, LIMIT)
    await state.recall()
    for use in (lambda: state.request(NEXT % 19), lambda: state.body(NEXT % 19, target("other"))):
        with pytest.raises(BadRequest, match=f"'resp_19' is longer than {LIMIT} bytes") as refused:
            use()
        assert (refused.value.param, refused.value.code) == ("previous_response_id", "conversation_too_long")
    with pytest.raises(BadRequest, match=r"server\.max_body"):
        await input_of(store, "team", "resp_19", LIMIT)
    links, _ = await chain_of(store, "team", "resp_19", LIMIT) or ([], None)
    assert len(links) < 11, "no more is read than shows it"


async def test_whoever_made_it_goes_on_however_long_it_is(store: Store) -> None:
    for number in range(20):
        await put(store, number, 1000, native=True)
    body = NEXT % 19
    state = State(store, "team", body, LIMIT)
    await state.recall()
    assert state.body(body, target("openai")) == body
    with pytest.raises(BadRequest, match="longer than"):
        state.body(body, target("other"))


async def test_a_chain_has_a_bound_in_number(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dragoman.pipeline.state._LONGEST_CHAIN", 3)
    for number in range(4):
        await put(store, number, 1)
    found = await chain_of(store, "team", "resp_2", LIMIT)
    assert found is not None and found[1] is None
    with pytest.raises(BadRequest, match="'resp_3' is longer than 3 responses"):
        await input_of(store, "team", "resp_3", LIMIT)


async def test_one_item_named_many_times_has_a_bound(store: Store) -> None:
    await put(store, 0, 1000, native=True)
    for times, good in ((9, True), (10, False)):
        body = encode({"model": "m", "input": [{"type": "item_reference", "id": "msg_0"}] * times})
        state = State(store, "team", body, LIMIT)
        if good:
            await state.recall()
            continue
        with pytest.raises(BadRequest, match="longer than") as refused:
            await state.recall()
        assert refused.value.param == "input[9].id"
