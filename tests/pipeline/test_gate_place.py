"""Who holds a place at the built-in model, and which gate there is."""

from __future__ import annotations

import asyncio
import os

from dragoman.config import Settings
from dragoman.ir import Overloaded
from dragoman.observe import logs
from dragoman.observe.metrics import Tally
from dragoman.pipeline.gateway import Gateway, admitted
from dragoman.pipeline.snapshot import Snapshot, snapshot_of
from dragoman.providers.endpoint import Endpoint


class Engine:
    """Comes up when it is told to."""

    def __init__(self) -> None:
        self.up: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def endpoint(self, template: Endpoint) -> Endpoint:
        await asyncio.shield(self.up)
        return template


def snapshot(parallel: int = 1) -> Snapshot:
    providers = {"local": {"protocols": ["local"], "models": ["smollm2-135m"]}}
    settings = {"local": {"parallel": parallel, "queue": 1}, "providers": providers}
    return snapshot_of(Settings.model_validate(settings), demo=False, root_key=None)


async def test_a_place_is_taken_once_the_model_runs() -> None:
    log = logs.configure("json", "info", os.open(os.devnull, os.O_WRONLY))
    engine = Engine()
    gateway = Gateway(snapshot(), tally=Tally(), logs=log, engine=engine)
    template = gateway.snapshot.endpoints["local"]

    async def ask() -> int:
        async with admitted(gateway, template):
            return gateway.gate.under_way

    asking = [asyncio.create_task(ask()) for _ in range(4)]
    await asyncio.sleep(0)
    assert (gateway.gate.under_way, gateway.gate.waiting) == (0, 0)
    engine.up.set_exception(Overloaded("The built-in model does not run.", retry_after=3.0))
    told = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(one) for one in told] == [Overloaded] * 4
    engine.up = asyncio.get_running_loop().create_future()
    engine.up.set_result(None)
    assert await ask() == 1
    assert gateway.gate.under_way == 0
    await gateway.aclose()
    log.close()


async def test_a_reload_keeps_the_gate_with_those_who_are_in_it() -> None:
    log = logs.configure("json", "info", os.open(os.devnull, os.O_WRONLY))
    gateway = Gateway(snapshot(), tally=Tally(), logs=log, engine=Engine())
    gate = gateway.gate
    for parallel in (1, 8):
        gateway.swap(snapshot(parallel))
        assert gateway.gate is gate
    await gateway.aclose()
    log.close()
