"""What a worker is given: by its settings, its supervisor's directory and what was seen last."""

from __future__ import annotations

from pathlib import Path
from time import monotonic, time

from dragoman.config.settings import Settings
from dragoman.limits import Grant, LocalMeter, SharedTable
from dragoman.sharing import TABLE, Seen, SharedMeter, machine_of, meter_of
from limits.rules import ask, key


def test_without_a_shared_store_the_meter_is_this_machines_own(tmp_path: Path) -> None:
    SharedTable.create(tmp_path / TABLE, workers=2).close()
    meter = meter_of(Settings(), tmp_path, 1)
    assert isinstance(meter, LocalMeter)
    assert isinstance(meter.reserve((key(requests=1),), ask(), monotonic(), time()), Grant)


async def test_with_one_it_has_the_shares_of_the_machines_that_were_seen_last(tmp_path: Path) -> None:
    SharedTable.create(tmp_path / TABLE, workers=2).close()
    settings = Settings(data=tmp_path / "data", shared="valkey://127.0.0.1:9")
    settings.data.mkdir()
    assert Seen(settings.data).machines() == 1
    Seen(settings.data).remember(3)
    meter = meter_of(settings, tmp_path, 1)
    assert isinstance(meter, SharedMeter)
    answers = [meter.reserve((key(requests=9),), ask(), monotonic(), time()) for _ in range(9)]
    assert sum(isinstance(answer, Grant) for answer in answers) == 3


def test_all_workers_of_a_machine_bear_its_name(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assert machine_of(tmp_path) == machine_of(tmp_path) != machine_of(tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["machine"]
