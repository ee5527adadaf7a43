"""`dragoman requests`: the ledger's entries, read from the database of the configuration, whether a gateway runs on it or not."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dragoman.cli.options import config_option, data_option, json_option, load_or_exit
from dragoman.cli.output import Failed, bold, one_line, print_json, print_line, print_table, say

if TYPE_CHECKING:
    from dragoman.admin.book import Book
    from dragoman.config import Loaded
    from dragoman.store.ledger_queries import Filter

_LOOK_SECONDS = 0.5
# A request is on the ledger when it ends, so one that took long comes behind others that began after it: so many are looked at.
_LOOKED_AT = 1000


def _choosing(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say which entries."""
    for option in reversed(
        (
            click.option("--key", metavar="KEY", help="Of the key with this id or name."),
            click.option("--model", metavar="NAME", help="Of the model with this public name."),
            click.option("--provider", metavar="NAME", help="That this provider answered."),
            click.option("--status", metavar="STATUS", help="With this status, 429, or of this class, 4xx."),
        )
    ):
        command = option(command)
    return command


@click.group("requests")
def command() -> None:
    """List and show requests on the ledger; follow them as they come.

    \b
    dragoman requests list --key ci --since 1h
    dragoman requests tail
    """


@command.command("list", short_help="List requests, the newest first.")
@_choosing
@click.option(
    "--since", metavar="WHEN", help='That came at this time or later: a date and time, or how long ago: "1h".'
)
@click.option("--until", metavar="WHEN", help="That came before this time.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, metavar="N", help="The most to list; else 50.")
@click.option("--cursor", metavar="CURSOR", help="Go on where an earlier list ended.")
@config_option
@data_option
@json_option
def list_command(
    key: str | None,
    model: str | None,
    provider: str | None,
    status: str | None,
    since: str | None,
    until: str | None,
    limit: int,
    cursor: str | None,
    config: Path | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """List requests on the ledger, the newest first.

    \b
    dragoman requests list --limit 20
    dragoman requests list --key ci --status 4xx --since 24h --json
    """
    loaded = load_or_exit(config, data)

    from dragoman.admin.book import REQUEST_ID
    from dragoman.admin.entries import entry_shown
    from dragoman.cli.database import opened_book

    if cursor is not None and not REQUEST_ID.fullmatch(cursor):
        raise click.UsageError(f"--cursor {cursor!r} is none that a list gave.")
    with opened_book(loaded) as book:
        wanted = _wanted(loaded, key, model, provider, status, since, until)
        rows, following = book.entries(wanted, cursor, limit)
    found = list(map(entry_shown, rows))
    if as_json:
        print_json({"requests": found, "next_cursor": following})
        return
    print_table(_COLUMNS, list(map(_cells, found)))
    if following is not None:
        say(f"There are more: dragoman requests list --cursor {following}")


@command.command("show", short_help="Show one request and the arithmetic of its cost.")
@click.argument("request_id", metavar="REQUEST_ID")
@config_option
@data_option
@json_option
def show_command(request_id: str, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Show all that the ledger has of one request, and its cost line by line.

    \b
    dragoman requests show req_01m83523878ynhm6w7gfk7f6k1
    dragoman requests show req_01m83523878ynhm6w7gfk7f6k1 --json

    Its id is in the answer's x-request-id, in the log, and in `dragoman requests list`.
    """
    loaded = load_or_exit(config, data)

    from dragoman.admin.entries import entry_in_full
    from dragoman.cli.database import opened_book

    with opened_book(loaded) as book:
        row = book.entry(request_id)
    if row is None:
        raise Failed(f"There is no request {request_id!r} on the ledger.", "List them: dragoman requests list")
    found = entry_in_full(row)
    if as_json:
        print_json(found)
    else:
        _print_entry(found)


@command.command("tail", short_help="Show the last requests, and others as they come.")
@_choosing
@click.option(
    "-n", "--lines", type=click.IntRange(0, 1000), default=10, metavar="N", help="How many of the last; else 10."
)
@config_option
@data_option
@json_option
def tail_command(
    key: str | None,
    model: str | None,
    provider: str | None,
    status: str | None,
    lines: int,
    config: Path | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """Show the last requests, and others when they end, until interrupted by Ctrl-C.

    \b
    dragoman requests tail
    dragoman requests tail --status 5xx --lines 0 --json

    With --json a line is one object.
    """
    loaded = load_or_exit(config, data)

    from dragoman.admin.entries import entry_shown
    from dragoman.cli.database import opened_book

    with opened_book(loaded) as book:
        wanted = _wanted(loaded, key, model, provider, status, None, None)
        newest = _Newest(book, wanted)
        first = newest.look()
        if not as_json:
            click.echo(
                "  ".join(name.upper().ljust(width) for name, width in zip(_COLUMNS, _WIDTHS, strict=True)).rstrip()
            )
        shown = first[len(first) - lines :] if lines else []
        while True:
            for row in shown:
                found = entry_shown(row)
                if as_json:
                    print_line(found)
                else:
                    cells = zip(_cells(found), _WIDTHS, strict=True)
                    click.echo("  ".join(one_line(cell).ljust(width) for cell, width in cells).rstrip())
            time.sleep(_LOOK_SECONDS)
            shown = newest.look()


class _Newest:
    """The entries that were not there at the look before."""

    def __init__(self, book: Book, wanted: Filter) -> None:
        self._book = book
        self._wanted = wanted
        self._seen: set[str] = set()

    def look(self) -> list[Any]:
        """The oldest first."""
        rows, _ = self._book.entries(self._wanted, None, _LOOKED_AT)
        new = [row for row in reversed(rows) if row["request_id"] not in self._seen]
        self._seen = {row["request_id"] for row in rows}
        return new


def _wanted(
    loaded: Loaded,
    key: str | None,
    model: str | None,
    provider: str | None,
    status: str | None,
    since: str | None,
    until: str | None,
) -> Filter:
    from dragoman.admin.asked import read_status
    from dragoman.admin.book import entries_wanted
    from dragoman.cli.database import key_id

    try:
        number = None if status is None else read_status(status)
    except ValueError as error:
        raise click.UsageError(f"--status {error}") from None
    return entries_wanted(
        key=None if key is None else key_id(loaded, key),
        model=model,
        provider=provider,
        status=number,
        since=None if since is None else _moment("--since", since),
        until=None if until is None else _moment("--until", until),
    )


def _moment(option: str, text: str) -> float:
    from pydantic_core import PydanticCustomError

    from dragoman.admin.asked import read_moment
    from dragoman.config.units import read_duration

    try:
        if text[-1:] in "smhd" and text[:1].isdigit():
            return time.time() - read_duration(text)
        return read_moment(text)
    except (PydanticCustomError, ValueError):
        raise click.UsageError(
            f'{option} {text!r} is not a time. Write one such as "2027-01-31T12:00:00Z" or, for how long ago, "24h".'
        ) from None


_COLUMNS = ("request", "started", "status", "key", "model", "target", "in", "out", "cost usd", "ms")
_WIDTHS = (30, 19, 6, 28, 24, 30, 7, 6, 11, 7)


def _cells(found: dict[str, Any]) -> tuple[str, ...]:
    return (
        found["request_id"],
        found["started_at"][:19].replace("T", " "),
        f"{found['status']}{'*' if found['error'] and found['status'] < 400 else ''}",
        found["key_id"],
        found["model"] or "-",
        f"{found['provider']}/{found['target_model']}" if found["provider"] else "-",
        _count(found["input_tokens"], found["estimated"]),
        _count(found["output_tokens"], found["estimated"]),
        found["cost_usd"] or "unknown",
        f"{found['duration_ms']:.0f}",
    )


def _count(tokens: int | None, estimated: bool) -> str:
    return "-" if tokens is None else f"{'~' if estimated else ''}{tokens}"


def _print_entry(found: dict[str, Any]) -> None:
    beside = ("price", "arithmetic", "losses")
    rows = [(name, _told(value)) for name, value in found.items() if name not in beside]
    rows.append(("losses", ", ".join(found["losses"]) or "-"))
    print_table(("field", "value"), rows)
    click.echo("")
    if found["arithmetic"] is None:
        if found["cost_usd"] is None:
            click.echo("The price was not known: set models.NAME.price to have such requests' cost counted.")
        else:
            click.echo("Nothing was used that costs anything.")
        return
    click.echo(bold(f"US dollars a million tokens, by {found['price']['source'] or 'no name'}"))
    if found["arithmetic"]:
        print_table(
            ("unit", "quantity", "usd per million", "usd"),
            [
                (line["unit"].replace("_", " "), f"{line['quantity']:,}", line["usd_per_million"], line["usd"])
                for line in found["arithmetic"]
            ],
        )
    click.echo(f"cost  {found['cost_usd']} USD{' (by our own estimate of the tokens)' if found['estimated'] else ''}")
    if found["price"]["beside"]:
        say(f"Charged besides, and not counted here: {', '.join(found['price']['beside'])}.")


def _told(value: Any) -> str:
    if value is None or value == "":
        return "-"
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)
