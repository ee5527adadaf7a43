"""The admin process as the supervisor keeps it, where the system does not let it be started."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from dragoman.server import administration
from dragoman.server.administration import Administration

PATIENCE = 30.0


def kept(directory: Path, changes: list[str | None]) -> Administration:
    def changed() -> None:
        changes.append(found.address)

    found = Administration(directory, greeting=dict, hear=lambda message: None, on_change=changed)
    return found


async def test_without_a_place_for_its_socket_there_is_none(tmp_path: Path) -> None:
    changes: list[str | None] = []
    async with asyncio.timeout(PATIENCE):
        await kept(tmp_path / "nowhere", changes).keep()
    assert changes == []


async def test_one_that_cannot_be_started_is_tried_again_and_one_that_dies_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = asyncio.subprocess.create_subprocess_exec
    tries = 0
    enough = asyncio.Event()

    async def exec_(*words: str, **named: Any) -> Any:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise BlockingIOError("no more processes")
        if tries == 4:
            enough.set()
        # It is greeted with nothing that it understands, and dies of it.
        return await started(*words, **named, stderr=asyncio.subprocess.DEVNULL)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", exec_)
    monkeypatch.setattr(administration, "_LONGEST_PAUSE", 0.01)
    changes: list[str | None] = []
    found = kept(tmp_path, changes)
    async with asyncio.timeout(PATIENCE):
        keeping = asyncio.create_task(found.keep())
        await enough.wait()
        await found.end()
        await keeping
    assert changes == []
