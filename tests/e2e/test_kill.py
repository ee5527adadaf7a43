"""`kill -9` under load, of every process at once and of single workers: no answer without its entry, no entry twice, every count
right."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import pytest

from e2e.gateway import Gateway, provider, running, wait_until
from e2e.ledger import entries_of, sums_of
from e2e.processes import workers
from e2e.slaughter import Account, check_counts, insist, load, vendor
from e2e.vendor import serving

# `make kill` does it fifty times for each case, and has a case more.
KILLS = int(os.environ.get("DRAGOMAN_KILLS", "0"))
CALLERS = 8
# Workers of one gateway that are killed one by one before all of it is: a worker that dies five times in a row soon after its
# start is not started again.
SINGLE = 3
CONFIG = """
log: {{format: json, level: warning}}
providers:
{providers}
models:
  via-openai: {{targets: [{{provider: openai, model: gpt-4o}}]}}
"""


class Slaughter:
    def __init__(self, data: Path, config: str, workers: int) -> None:
        self.account = Account()
        self.kills = 0
        self._data, self._config, self._workers = data, config, workers
        self._chance = random.Random(workers)

    def gateway_lives_and_dies(self, singly: int) -> None:
        """`singly` of its workers are killed before it is."""
        gateway = Gateway(self._data, config=self._config, arguments=("--workers", str(self._workers)))
        gateway.wait_ready()
        with load(gateway, self.account, [insist] * CALLERS, first=1000 * self.kills) as more:
            try:
                for _ in range(singly):
                    more(self._chance.randrange(20, 400))
                    os.kill(self._chance.choice(wait_until(lambda: workers(gateway.process.pid))), signal.SIGKILL)
                    self.kills += 1
                more(self._chance.randrange(20, 400))
            finally:
                os.killpg(gateway.process.pid, signal.SIGKILL)
                self.kills += 1
        gateway.process.wait(10)
        gateway.close()


@pytest.mark.parametrize(
    ("database", "count", "singly"),
    [("sqlite", 1, 0), ("sqlite", 2, SINGLE), ("postgresql", 1, SINGLE), ("postgresql", 2, 0)],
    ids=["sqlite-1-all", "sqlite-2-singly", "postgresql-1-singly", "postgresql-2-all"],
)
def test_no_answer_without_its_entry(
    tmp_path: Path, request: pytest.FixtureRequest, database: str, count: int, singly: int
) -> None:
    kills = KILLS or (2 if singly else 1)
    if not KILLS and (database, count) == ("postgresql", 1):
        pytest.skip("`make kill` does this one")
    address = request.getfixturevalue("postgres_url") if database == "postgresql" else "sqlite"
    with serving(vendor) as openai:
        config = CONFIG.format(providers=provider("openai", "openai-chat", f"{openai.base_url}/v1", "gpt-*"))
        config += f"database: {address}\n"
        slaughter = Slaughter(tmp_path, config, count)
        while slaughter.kills < kills:
            slaughter.gateway_lives_and_dies(min(singly, kills - slaughter.kills - 1))
        # What the last one left is in the database after a start, and no journal is left.
        with running(tmp_path, config=config):
            assert sums_of(tmp_path, address)["requests"] >= len(slaughter.account.answered)
    assert not list((tmp_path / "journal").iterdir())
    entries = entries_of(tmp_path, address)
    answered = slaughter.account.answered
    assert answered.keys() <= entries.keys(), sorted(answered.keys() - entries.keys())
    # What is beside the answered ones are those that were being answered, at most one a caller and kill.
    assert len(entries) - len(answered) <= CALLERS * slaughter.kills
    check_counts(slaughter.account, entries, sums_of(tmp_path, address))
    print(f"{slaughter.kills} kills, {len(answered)} answers, {len(entries)} entries, none missing, none twice")
