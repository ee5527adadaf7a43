"""Ten million entries in a SQLite file, as months of use leave them: made by SQLite itself, for a gateway would take an hour."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from dragoman.observe.ids import id_from

ROWS = 10_000_000
BYTES_A_ROW = 400  # with its spans, in so many colours of traffic that hardly two entries share one
DAYS = 30
FIRST_DAY = 20_700
KEYS, MODELS = 50, 8
# Asked for among all the others, one in so many.
RARE = 100_000
RARE_KEY, RARE_MODEL = "key_rare", "rare"

_SYMBOLS = "0123456789abcdefghjkmnpqrstvwxyz"

_ID = (
    "'req_' || "
    + " || ".join(f"substr('{_SYMBOLS}', 1 + ((ms >> {shift}) & 31), 1)" for shift in range(45, -1, -5))
    + " || printf('%016d', n)"
)

_ENTRIES = f"""
WITH RECURSIVE
  counted(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM counted WHERE n + 1 < :end),
  timed AS (SELECT n, :began + n / :a_day * 86400000 + n % :a_day * :step AS ms, (n * 7919) % 1000 AS chance FROM counted)
INSERT INTO entries
SELECT {_ID}, ms * 1000,
  CASE WHEN n % {RARE} = 1 THEN '{RARE_KEY}' ELSE printf('key_%022d', (n * 31) % {KEYS}) END,
  'chat',
  CASE WHEN n % {RARE} = 2 THEN '{RARE_MODEL}' ELSE 'model-' || ((n / 3) % {MODELS}) END,
  CASE (n / 3) % {MODELS} WHEN 0 THEN 'google' WHEN 1 THEN 'anthropic' ELSE 'openai' END,
  'target', 'generate',
  CASE WHEN chance = 0 THEN 500 WHEN chance < 10 THEN 429 ELSE 200 END,
  CASE WHEN chance < 10 THEN 'rate_limit_exceeded' END,
  0, 1, NULL, 10 + n % 1000, NULL, NULL, n % 300, NULL, 1500 * (n % 1000), '0123456789abcdef', NULL, 0, 1.5, 812.25, 0
FROM timed
"""

_SPANS = """
INSERT INTO spans
SELECT DISTINCT substr(request_id, 1, 11), key_id, model, provider, status FROM entries WHERE request_id >= :first
ON CONFLICT DO NOTHING
"""

_USAGE = """
INSERT INTO usage
SELECT started_at / 86400000000, key_id, model, provider, count(*), sum(status >= 400), sum(input_tokens), 0, 0,
  sum(output_tokens), 0, sum(cost_nanos), 0, 0
FROM entries WHERE request_id >= :first GROUP BY 1, 2, 3, 4
"""


def fill(path: Path, rows: int) -> None:
    """A database that is migrated and empty, day by day. Whoever dies at it begins anew."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-200000", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
        a_day = rows // DAYS
        for day in range(DAYS):
            began = FIRST_DAY * 86_400_000
            connection.execute(
                _ENTRIES,
                {
                    "first": day * a_day,
                    "end": (day + 1) * a_day,
                    "began": began,
                    "a_day": a_day,
                    "step": 86_400_000 // a_day,
                },
            )
            first = {"first": id_from((FIRST_DAY + day) * 86_400.0)}
            connection.execute(_SPANS, first)
            connection.execute(_USAGE, first)
        connection.execute("PRAGMA journal_mode=WAL")
