"""`dragoman keys`: callers' keys, made and changed in the database of the configuration, whether a gateway runs on it or not."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dragoman.cli.database import opened_keys
from dragoman.cli.options import config_option, data_option, json_option, load_or_exit
from dragoman.cli.output import Failed, print_json, print_table, say

if TYPE_CHECKING:
    from dragoman.config import FileKey, Loaded

_IN_FORCE = "A gateway that runs on this database knows it within a second."
_OF_FILE = "file:"


@click.group("keys")
def command() -> None:
    """Make, list, rotate and revoke callers' keys.

    \b
    dragoman keys create ci --models "gemini-*,fast" --budget 10 --window month
    dragoman keys list

    The keys of the configuration file are listed too; they are changed there.
    """


@command.command("create", short_help="Make a key; its secret is printed, this once.")
@click.argument("name", required=False)
@click.option("--name", "named", metavar="NAME", help="Whose key it is, or what for; the same as the argument.")
@click.option(
    "--models", multiple=True, metavar="PATTERNS", help='Models it may use: "gemini-*,fast"; may be repeated.'
)
@click.option("--requests-per-minute", type=click.IntRange(min=1), metavar="N", help="Requests started in a minute.")
@click.option("--tokens-per-minute", type=click.IntRange(min=1), metavar="N", help="Tokens in and out in a minute.")
@click.option("--concurrent-requests", type=click.IntRange(min=1), metavar="N", help="Requests open at the same time.")
@click.option("--budget", metavar="USD", help='US dollars it may spend, such as "10.00".')
@click.option("--window", type=click.Choice(["day", "month", "total"]), help="What the budget is for; else month.")
@click.option("--expires", metavar="WHEN", help='A date and time, or how long from now: "30d".')
@click.option("--metadata", multiple=True, metavar="NAME=VALUE", help="A note of your own; may be repeated.")
@config_option
@data_option
@json_option
def create_command(
    name: str | None,
    named: str | None,
    models: Sequence[str],
    requests_per_minute: int | None,
    tokens_per_minute: int | None,
    concurrent_requests: int | None,
    budget: str | None,
    window: str | None,
    expires: str | None,
    metadata: Sequence[str],
    config: Path | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """Make a key and print its secret, the only time that it is shown.

    \b
    dragoman keys create ci
    dragoman keys create --name team --models "gpt-*" --requests-per-minute 60 --expires 90d

    Without --models it may use every model; without limits and a budget nothing holds it.
    """
    if name is not None and named is not None and name != named:
        raise click.UsageError(f"Two names are given: {name!r} and {named!r}.")
    if window is not None and budget is None:
        raise click.UsageError("--window says what a budget is for: give --budget too.")
    fields: dict[str, Any] = {
        "name": name if name is not None else named,
        "models": [part.strip() for text in models for part in text.split(",") if part.strip()] if models else None,
        "limits": {
            "requests_per_minute": requests_per_minute,
            "tokens_per_minute": tokens_per_minute,
            "concurrent_requests": concurrent_requests,
        },
        "budget": None if budget is None else {"usd": budget, "window": window or "month"},
        "expires_at": None if expires is None else _moment(expires),
        "metadata": dict(_pair(text) for text in metadata),
    }
    if fields["name"] is None:
        raise click.UsageError("Say whose key it is, or what for: dragoman keys create NAME")
    from dragoman.admin.keys_shown import key_shown

    with opened_keys(load_or_exit(config, data)) as keys:
        made = keys.create(fields, _actor())
    _show_secret(key_shown(made.key), made.secret, as_json, f"The key {made.key.name!r} is made: {made.key.id}.")


@command.command("list", short_help="List the keys.")
@click.option("--active", is_flag=True, help="Leave out those that are revoked.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, metavar="N", help="The most to list; else 100.")
@click.option("--cursor", metavar="CURSOR", help="Go on where an earlier list ended.")
@config_option
@data_option
@json_option
def list_command(
    active: bool, limit: int, cursor: str | None, config: Path | None, data: Path | None, as_json: bool
) -> None:
    """List the keys, the file's first and then the newest; never a secret.

    \b
    dragoman keys list
    dragoman keys list --active --json
    """
    loaded = load_or_exit(config, data)

    from dragoman.admin.keys_shown import file_key_shown, key_shown

    with opened_keys(loaded) as keys:
        page = keys.list(cursor, limit, revoked=not active)
    rows = [file_key_shown(key) for key in loaded.settings.keys] if cursor is None else []
    rows += [key_shown(key) for key in page.keys]
    if as_json:
        print_json({"keys": rows, "next_cursor": page.next_cursor})
        return
    print_table(
        ("id", "name", "secret", "status", "models", "limits", "budget", "expires"),
        [
            (
                row["id"],
                row["name"],
                f"…{row['ending']}" if row["ending"] else "(in the file)",
                row["status"],
                ", ".join(row["models"]),
                _limits(row) or "-",
                _budget(row) or "-",
                row["expires_at"] or "-",
            )
            for row in rows
        ],
    )
    if page.next_cursor is not None:
        say(f"There are more: dragoman keys list --cursor {page.next_cursor}")


@command.command("show", short_help="Show one key.")
@click.argument("key")
@config_option
@data_option
@json_option
def show_command(key: str, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Show all that is known of a key, by its id or its name; never its secret.

    \b
    dragoman keys show ci
    dragoman keys show key_01a2062283c3337911253a92 --json
    """
    loaded = load_or_exit(config, data)

    from dragoman.admin.keys_shown import file_key_shown, key_shown

    filed = _of_file(loaded, key)
    if filed is not None:
        row = file_key_shown(filed)
    else:
        with opened_keys(loaded) as keys:
            row = key_shown(keys.find(key))
    if as_json:
        print_json(row)
        return
    shown = {
        **row,
        "ending": f"…{row['ending']}" if row["ending"] else None,
        "models": ", ".join(row["models"]),
        "limits": _limits(row),
        "budget": _budget(row),
        "metadata": ", ".join(f"{name}={value}" for name, value in row["metadata"].items()),
    }
    print_table(("field", "value"), [(name, value or "-") for name, value in shown.items()])


@command.command("rotate", short_help="Give a key a new secret.")
@click.argument("key")
@click.option("--grace", metavar="TIME", default="24h", help="How long the former secret opens too; else 24h.")
@config_option
@data_option
@json_option
def rotate_command(key: str, grace: str, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Give a key a new secret and print it, the only time that it is shown.

    \b
    dragoman keys rotate ci
    dragoman keys rotate ci --grace 0s

    The secret until now opens until the grace time is over; with 0s it ends at once. Id, limits and what was spent stay.
    """
    seconds = _seconds(grace, "--grace")
    loaded = load_or_exit(config, data)

    from dragoman.admin.keys_shown import key_shown

    _refuse_file(loaded, key)
    with opened_keys(loaded) as keys:
        made = keys.rotate(keys.find(key).id, _actor(), seconds)
    row = key_shown(made.key)
    until = (
        f"The former secret opens until {row['previous_valid_until']}." if seconds else "The former secret is ended."
    )
    _show_secret(row, made.secret, as_json, f"The key {made.key.name!r} ({made.key.id}) has a new secret. {until}")


@command.command("revoke", short_help="End a key for good.")
@click.argument("key")
@config_option
@data_option
@json_option
def revoke_command(key: str, config: Path | None, data: Path | None, as_json: bool) -> None:
    """End a key for good, a former secret in its grace time too. It stays in the list.

    \b
    dragoman keys revoke ci
    dragoman keys revoke key_01a2062283c3337911253a92
    """
    loaded = load_or_exit(config, data)

    from dragoman.admin.keys_shown import key_shown

    _refuse_file(loaded, key)
    with opened_keys(loaded) as keys:
        ended = keys.revoke(keys.find(key).id, _actor())
    if as_json:
        print_json(key_shown(ended))
    say(f"The key {ended.name!r} ({ended.id}) is revoked. {_IN_FORCE}")


def _of_file(loaded: Loaded, text: str) -> FileKey | None:
    name = text.removeprefix(_OF_FILE)
    return next((key for key in loaded.settings.keys if key.name == name), None)


def _refuse_file(loaded: Loaded, text: str) -> None:
    if text.startswith(_OF_FILE) or _of_file(loaded, text) is not None:
        raise Failed(f"The key {text!r} is kept in the configuration file.", f"Change it there: {loaded.path}")


def _show_secret(row: dict[str, Any], secret: str, as_json: bool, words: str) -> None:
    """Data on stdout: the secret, and nothing that a script would have to cut away."""
    say(words)
    say(f"Its secret is shown this once, keep it. {_IN_FORCE}")
    if as_json:
        print_json({"id": row["id"], "key": secret, **row})
    else:
        click.echo(secret)


def _limits(row: dict[str, Any]) -> str:
    words = {"requests_per_minute": "requests/min", "tokens_per_minute": "tokens/min", "concurrent_requests": "at once"}
    return ", ".join(f"{limit} {words[name]}" for name, limit in row["limits"].items() if limit is not None)


def _budget(row: dict[str, Any]) -> str:
    budget = row["budget"]
    if budget is None:
        return ""
    return f"{budget['usd']} USD {'in total' if budget['window'] == 'total' else 'a ' + budget['window']}"


def _pair(text: str) -> tuple[str, str]:
    name, is_pair, value = text.partition("=")
    if not is_pair or not name:
        raise click.UsageError(f"--metadata {text!r} is not of the form NAME=VALUE.")
    return name, value


def _moment(text: str) -> str:
    """A date as it is, or a time from now."""
    if not text[:1].isdigit() or "-" in text:
        return text
    at = int(time.time()) + _seconds(text, "--expires")
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError):
        raise click.UsageError(f"--expires {text!r} is too far away.") from None


def _seconds(text: str, option: str) -> int:
    from pydantic_core import PydanticCustomError

    from dragoman.config.units import read_duration

    if text in ("0", "0s"):
        return 0
    try:
        return int(read_duration(text))
    except (PydanticCustomError, ValueError):
        raise click.UsageError(f'{option} {text!r} is not a time. Write one such as "90s", "12h" or "30d".') from None


def _actor() -> str:
    """For the audit."""
    import getpass

    try:
        return f"cli:{getpass.getuser()}"
    except (OSError, KeyError):
        return "cli"
