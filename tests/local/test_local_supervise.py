"""The child's life: start, death, restart, stop; with the real model where it matters."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from dragoman.local import supervise
from dragoman.local.pull import Progress, PullFailed
from dragoman.local.supervise import LocalModel, LocalModelFailed, State


@asynccontextmanager
async def running(
    model: Path | Callable[[Progress], Path], seen: list[State] | None = None
) -> AsyncIterator[LocalModel]:
    note = seen.append if seen is not None else None
    local = LocalModel(model, parallel=1, context=256, threads=2, on_state=note)
    try:
        yield local
    finally:
        await local.stop()


async def answers(local: LocalModel, **headers: str) -> int:
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
    async with (
        aiohttp.ClientSession(local.base_url) as session,
        session.post("/v1/chat/completions", json=body, headers=headers) as answer,
    ):
        return answer.status


async def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def leaves(local: LocalModel, state: State) -> None:
    async with asyncio.timeout(5):
        while local.state is state:
            await local._changed.wait()


async def test_starts_once_for_all_dies_comes_back_and_stops(local_model_file: Path) -> None:
    seen: list[State] = []
    async with running(local_model_file, seen) as local:
        first, second = await asyncio.gather(local.ensure(30), local.ensure(30))
        assert first == second == local.base_url
        assert seen == [State.STARTING, State.READY]
        assert await answers(local, Authorization=f"Bearer {local.api_key}") == 200
        assert await answers(local) == 401

        key, pid = local.api_key, local.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await leaves(local, State.READY)
        assert await local.ready(10) == first
        assert (local.api_key, local.restarts) == (key, 1)
        assert "signal 9" in (local.reason or "")
        assert await answers(local, Authorization=f"Bearer {key}") == 200

        pid = local.pid
        assert pid is not None
        await local.stop()
        assert local.state is State.STOPPED
        assert not await alive(pid)
    assert seen == [State.STARTING, State.READY, State.STARTING, State.READY, State.STOPPED]


async def test_a_taken_port_gets_another_and_a_new_key(local_model_file: Path) -> None:
    async with running(local_model_file) as local:
        with socket.create_server(("127.0.0.1", 0)) as other:
            local._port = other.getsockname()[1]
            key = local.api_key
            base_url = await local.ensure(30)
            assert not base_url.endswith(f":{other.getsockname()[1]}")
            assert local.api_key != key


async def test_gives_up_loudly_and_keeps_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "_QUICK_FAILURES", 2)
    rubbish = tmp_path / "rubbish.gguf"
    rubbish.write_bytes(b"not a model")
    async with running(rubbish) as local:
        with pytest.raises(LocalModelFailed, match="could not load"):
            await local.ensure(30)
        assert local.state is State.FAILED
        assert local.restarts == 1
        # Within the cool-down nothing is started, the reason is told at once.
        with pytest.raises(LocalModelFailed, match="could not load"):
            await local.ensure(30)
        assert local.restarts == 1
        monkeypatch.setattr(supervise, "_COOL_DOWN", 0.0)
        with pytest.raises(LocalModelFailed, match="could not load"):
            await local.ensure(30)


async def test_recovers_on_the_next_demand(
    tmp_path: Path, local_model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "_COOL_DOWN", 0.0)
    late = tmp_path / "late.gguf"
    async with running(late) as local:
        with pytest.raises(LocalModelFailed, match="dragoman models pull"):
            await local.ensure(30)
        late.symlink_to(local_model_file)
        await local.ensure(30)


async def test_fetches_the_file_first(local_model_file: Path) -> None:
    seen: list[State] = []
    progress: list[tuple[int, int] | None] = []

    def fetch(tell: Progress) -> Path:
        tell(1, 2)
        progress.append(local.pulled)
        return local_model_file

    async with running(fetch, seen) as local:
        await local.ensure(30)
        assert seen[:3] == [State.STARTING, State.PULLING, State.STARTING]
        assert progress == [(1, 2)]


async def test_a_failed_fetch_is_the_reason() -> None:
    def fetch(tell: Progress) -> Path:
        raise PullFailed("no network today")

    async with running(fetch) as local:
        with pytest.raises(LocalModelFailed, match="no network today"):
            await local.ensure(30)


async def test_stopping_ends_a_fetch() -> None:
    began, ended = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def fetch(tell: Progress) -> Path:
        loop.call_soon_threadsafe(began.set)
        try:
            while True:
                tell(0, 1)
        finally:
            ended.set()

    async with running(fetch) as local:
        await local.start()
        await began.wait()
        await local.stop()
        assert ended.is_set()
        assert local.state is State.STOPPED


async def test_waiting_for_what_was_never_started() -> None:
    with pytest.raises(LocalModelFailed):
        await LocalModel(Path("x")).ready(1)


PARENT = """
import asyncio, sys
from pathlib import Path
from dragoman.local.supervise import LocalModel

async def main():
    local = LocalModel(Path(sys.argv[1]), parallel=1, context=256)
    await local.ensure(30)
    print(local.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="pidfd")
def test_the_child_dies_with_its_parent(local_model_file: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, str(local_model_file)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        try:
            parent.kill()
            ended = select.poll()
            ended.register(child, select.POLLIN)
            assert ended.poll(5000), "the child lives on"
        finally:
            os.close(child)


def test_the_child_leaves_when_stdin_closes(local_model_file: Path) -> None:
    command = (sys.executable, "-m", "dragoman.local.child", "--parent", str(os.getpid()))
    with subprocess.Popen(
        (*command, "--context", "256", "--model", str(local_model_file)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        process.stdin.close()
        assert process.wait(5) == 0


def test_the_child_leaves_promptly_on_sigterm(local_model_file: Path) -> None:
    command = (sys.executable, "-m", "dragoman.local.child", "--context", "256")
    with subprocess.Popen((*command, "--model", str(local_model_file)), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.terminate()
        assert process.wait(2) == -signal.SIGTERM
