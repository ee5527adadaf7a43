"""PostgreSQL is killed and started again under load: every caller is answered meanwhile, and the ledger is whole afterwards."""

from __future__ import annotations

import os
from pathlib import Path

from e2e.gateway import provider, running
from e2e.slaughter import Account, ask_on, check_all_answered_and_entered, load, vendor
from e2e.vendor import serving
from postgres import PostgresServer
from soak import soak

pytestmark = soak

CALLERS = [ask_on] * 6
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
        with (
            running(tmp_path, config=CONFIG.format(database=database, providers=providers)) as gateway,
            load(gateway, account, CALLERS) as more,
        ):
            for _ in range(RESTARTS):
                more(MORE)
                postgres_server.stop()
                try:
                    more(MORE)
                finally:
                    postgres_server.start()
            more(MORE)
    check_all_answered_and_entered(account, tmp_path, database)
    print(f"{RESTARTS} restarts, {len(account.answered)} requests, all answered, all entered")
