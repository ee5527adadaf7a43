"""The shelf on a real Valkey: what is put there is there until its time, all of it within its bound, and a Valkey that does not
answer stalls nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from dragoman.sharing import address_of
from dragoman.sharing.courier import PREFIX
from dragoman.sharing.shelf import Shelf
from valkey_server import ValkeyServer

ROOM = 1 << 20
# Nothing here takes so long; it only keeps what hangs from hanging the run.
PATIENCE = 30.0


class Told:
    def __init__(self) -> None:
        self.whys: list[str | None] = []


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def shelf(valkey: ValkeyServer, told: Told) -> AsyncIterator[Shelf]:
    shelf = Shelf(address_of(valkey.url), told.whys.append)
    yield shelf
    await shelf.close()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await condition():
            await asyncio.sleep(0.005)


async def put(shelf: Shelf, name: bytes, value: bytes, ttl: float = 600.0, room: int = ROOM) -> None:
    """Until it is there: on a busy machine it may take a second try."""

    async def there() -> bool:
        if await shelf.get(name) == value:
            return True
        shelf.put(name, value, ttl, room)
        return False

    await until(there)


def figure(answer: bytes) -> int:
    """A number as Valkey tells it, itself or in quotes."""
    return int(answer.split(b"\r\n")[1] if answer.startswith(b"$") else answer[1:])


async def test_what_was_put_there_is_there(shelf: Shelf, told: Told) -> None:
    assert await shelf.get(b"\x00name") is None
    await put(shelf, b"\x00name", b"\xff" * 1000)
    await put(shelf, b"other", b"")
    assert None not in told.whys[:1]


async def test_until_its_time(shelf: Shelf, valkey: ValkeyServer) -> None:
    await put(shelf, b"a", b"x", ttl=100.0)
    left = figure(valkey.ask(f"PTTL {PREFIX}cache:{b'a'.hex()}"))
    assert 0 < left <= 100_000
    shelf.put(b"over", b"x", -1.0, ROOM)
    await put(shelf, b"b", b"x")
    assert await shelf.get(b"over") is None


async def test_all_of_it_has_a_bound_and_what_ends_soonest_goes_first(shelf: Shelf, valkey: ValkeyServer) -> None:
    for number in range(10):
        await put(shelf, b"%d" % number, bytes(1000), 1000.0 - number, room=5 * 1256)
    found = [await shelf.get(b"%d" % number) is not None for number in range(9)]
    # The last must come in; of the others the four that end last have stayed.
    assert found == [True] * 4 + [False] * 5
    assert figure(valkey.ask(f"GET {PREFIX}cache:bytes")) == 5 * 1256
    assert figure(valkey.ask(f"ZCARD {PREFIX}cache:index").replace(b":", b"+")) == 5
    assert figure(valkey.ask(f"HLEN {PREFIX}cache:sizes").replace(b":", b"+")) == 5


async def test_the_same_name_again_takes_no_more(shelf: Shelf, valkey: ValkeyServer) -> None:
    for size in (100, 300, 200):
        await put(shelf, b"a", bytes(size))
    assert figure(valkey.ask(f"GET {PREFIX}cache:bytes")) == 456


async def test_what_is_larger_than_all_the_room_is_not_put_there(shelf: Shelf) -> None:
    await put(shelf, b"small", b"x")
    shelf.put(b"large", bytes(ROOM), 600.0, ROOM)
    await put(shelf, b"next", b"x")
    assert await shelf.get(b"large") is None
    assert await shelf.get(b"small") == b"x"


async def test_what_is_over_makes_room(shelf: Shelf, valkey: ValkeyServer) -> None:
    await put(shelf, b"a", b"x", ttl=0.5)

    async def gone() -> bool:
        return await shelf.get(b"a") is None

    await until(gone)
    # Several tries may have been wanted; what matters is that nothing of the first is left.
    await put(shelf, b"b", b"x")
    await put(shelf, b"c", b"x")
    assert figure(valkey.ask(f"GET {PREFIX}cache:bytes")) == 2 * 257


async def test_one_that_does_not_answer_stalls_nobody_and_is_found_again(
    shelf: Shelf, valkey: ValkeyServer, told: Told
) -> None:
    await put(shelf, b"a", b"x")
    valkey.hang()
    try:
        async with asyncio.timeout(PATIENCE):
            for _ in range(100):
                assert await shelf.get(b"a") is None
                shelf.put(b"a", b"y", 600.0, ROOM)
    finally:
        valkey.go_on()
    assert told.whys and told.whys[-1]
    await put(shelf, b"a", b"z")
    assert told.whys[-1] is None


async def test_one_that_is_gone_is_found_again(shelf: Shelf, valkey: ValkeyServer, told: Told) -> None:
    await put(shelf, b"a", b"x")
    valkey.kill()

    async def failed() -> bool:
        return await shelf.get(b"a") is None and told.whys[-1:] not in ([], [None])

    await until(failed)
    valkey.start()
    assert await shelf.get(b"a") is None
    await put(shelf, b"a", b"x")


async def test_a_wrong_password_is_a_shelf_that_is_not_there(valkey: ValkeyServer, told: Told) -> None:
    shelf = Shelf(address_of(f"valkey://:wrong@127.0.0.1:{valkey.port}/0"), told.whys.append)
    assert await shelf.get(b"a") is None
    assert told.whys and "wrong" not in f"{told.whys[0]}".replace("invalid username-password", "")
    await shelf.close()
