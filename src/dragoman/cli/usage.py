"""`dragoman usage`: what was used and what it cost, from the database of the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from dragoman.cli.options import config_option, data_option, json_option, load_or_exit
from dragoman.cli.output import print_json, print_table, say

_GROUPS = ("day", "key", "model", "provider")


@click.command("usage")
@click.option("--by", type=click.Choice(_GROUPS), default="day", help="What to sum by; else day.")
@click.option("--key", metavar="KEY", help="Of the key with this id or name.")
@click.option("--since", metavar="DAY", help="From this day on, 2027-01-31; days are those of UTC.")
@click.option("--until", metavar="DAY", help="To before this day.")
@config_option
@data_option
@json_option
def command(
    by: Literal["day", "key", "model", "provider"],
    key: str | None,
    since: str | None,
    until: str | None,
    config: Path | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """Tell what was used and what it cost: sums by day, key, model or provider, and in all.

    \b
    dragoman usage
    dragoman usage --by key --since 2027-01-01 --json
    """
    loaded = load_or_exit(config, data)

    from dragoman.admin.entries import total_of, usage_shown
    from dragoman.admin.ledger import told
    from dragoman.cli.database import key_id, key_names, opened_book

    first, last = _day("--since", since), _day("--until", until)
    with opened_book(loaded) as book:
        rows = book.usage(by, first, last, None if key is None else key_id(loaded, key))
    found = [usage_shown(by, row) for row in told(by, rows)]
    if by == "key":
        names = key_names(loaded, [row["key"] for row in found])
        found = [{"key": row["key"], "key_name": names.get(row["key"]), **row} for row in found]
    total = total_of(rows)
    if as_json:
        print_json({"usage": found, "total": total})
        return
    named = ("key", "key_name") if by == "key" else (by,)
    print_table(
        (*(name.replace("key_name", "name") for name in named), *_COLUMNS),
        [(*(row[name] or "-" for name in named), *_cells(row)) for row in found]
        + [("total", *("" for _ in named[1:]), *_cells(total))],
    )
    if total["unpriced"]:
        say(f"The price of {_requests(total['unpriced'])} was not known: their cost is in no sum.")
    if total["estimated"]:
        say(f"The tokens of {_requests(total['estimated'])} are our own estimate.")


_COLUMNS = ("requests", "errors", "in", "cached", "out", "reasoning", "cost usd")


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        f"{row['requests']:,}",
        f"{row['errors']:,}",
        f"{row['input_tokens']:,}",
        f"{row['cached_input_tokens']:,}",
        f"{row['output_tokens']:,}",
        f"{row['reasoning_tokens']:,}",
        f"{row['cost_usd'] or 'unknown'}{'+?' if row['unpriced'] and row['cost_usd'] else ''}",
    )


def _requests(count: int) -> str:
    return "1 request" if count == 1 else f"{count:,} requests"


def _day(option: str, text: str | None) -> int | None:
    from dragoman.admin.asked import read_day

    try:
        return None if text is None else read_day(text)
    except ValueError as error:
        raise click.UsageError(f"{option} {error}") from None
