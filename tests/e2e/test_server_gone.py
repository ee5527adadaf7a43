"""PostgreSQL is killed and started again under load: every caller is answered meanwhile, and the ledger is whole afterwards."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from e2e.gateway import provider, running, wait_until
from e2e.ledger import entries_of, sums_of
from e2e.slaughter import Account, ask_on, used, vendor
from e2e.vendor import serving
from postgres import PostgresServer
from soak import soak

pytestmark = soak

CALLERS = 6
MORE = 120
# `make kill` does it fifty times.
RESTARTS = int(os.environ.get("DRAGOMAN_KILLS", "2"))
CONFIG = """
database: {database}
log: {{format: json, level: warning}}
server: {{workers: 2}}
providers:
{providers}
models:
  via-openai: {{targets: [{{provider: openai, model: gpt-4o}}]}}
"""


def test_a_server_that_is_killed_under_load(postgres_server: PostgresServer, tmp_path: Path) -> None:
    database = postgres_server.new_database()
    account = Account()
    with serving(vendor) as openai:
        providers = provider("openai", "openai-chat", f"{openai.base_url}/v1", "gpt-*")
        with running(tmp_path, config=CONFIG.format(database=database, providers=providers)) as gateway:
            stop = threading.Event()
            callers = [threading.Thread(target=ask_on, args=(gateway, account, stop, n)) for n in range(CALLERS)]
            for caller in callers:
                caller.start()

            def more_answers() -> None:
                wanted = len(account.answered) + MORE
                wait_until(lambda: len(account.answered) >= wanted, "more answers")

            try:
                for _ in range(RESTARTS):
                    more_answers()
                    postgres_server.stop()
                    try:
                        more_answers()
                    finally:
                        postgres_server.start()
                more_answers()
            finally:
                stop.set()
                for caller in callers:
                    caller.join(30)
            assert len(account.answered) == account.asked, "nobody was refused or left without an answer"
    entries = entries_of(tmp_path, database)
    assert entries.keys() == account.answered.keys()
    for name, question in account.answered.items():
        entry = entries[name]
        assert (entry["input_tokens"], entry["output_tokens"], entry["status"]) == (*used(question), 200)
    sums = sums_of(tmp_path, database)
    assert sums["requests"] == len(entries)
    for field in ("input_tokens", "output_tokens"):
        assert sums[field] == sum(entry[field] for entry in entries.values())
    print(f"{RESTARTS} restarts, {len(account.answered)} requests, all answered, all entered")
