from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dragoman.limits import LocalMeter, SharedTable, Table


@pytest.fixture(params=["memory", "shared"])
def meter(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LocalMeter]:
    if request.param == "memory":
        table = Table(64)
    else:
        SharedTable.create(tmp_path / "limits", workers=3, slots=64).close()
        table = SharedTable.open(tmp_path / "limits", worker=1)
    yield LocalMeter(table)
    table.close()
