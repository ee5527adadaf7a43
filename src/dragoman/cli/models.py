"""`dragoman models`: list and show the models there are, pull the built-in one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from dragoman.cli.options import (
    config_option,
    data_option,
    json_option,
    load_or_exit,
    offline_option,
)
from dragoman.cli.output import Failed, bold, one_line, print_json, print_table, say


@click.group("models")
def command() -> None:
    """List and show the models there are; pull the built-in one.

    \b
    dragoman models list
    dragoman models pull
    """


@command.command("list", short_help="List the names that callers may use.")
@offline_option
@config_option
@json_option
def list_command(offline: bool, config: Path | None, as_json: bool) -> None:
    """List the names that callers may use: your own, aliases, what the providers list, patterns.

    \b
    dragoman models list
    dragoman models list --offline --json

    KIND is `own` (from `models:`), `alias`, `listed` (a plain name of a provider's, or on its own list), or `pattern`
    (every name that fits it is passed on).
    """
    loaded = load_or_exit(config)

    from dragoman.admin.catalogue import every_row
    from dragoman.cli.inprocess import gateway_here

    async def run() -> tuple[Any, list[str]]:
        async with gateway_here(loaded) as here:
            return await every_row(here.gateway, offline=offline)

    rows, silent = asyncio.run(run())
    if as_json:
        print_json({"models": [row.as_dict() for row in rows], "demo": loaded.demo, "unlisted_providers": silent})
    else:
        table = [(row.name, row.provider, f"alias of {row.alias_of}" if row.alias_of else row.kind) for row in rows]
        print_table(("name", "provider", "kind"), table)
    for name in silent:
        say(f"{name}: its own list of models cannot be had just now; see why: dragoman providers test {name}")
    if loaded.demo:
        say("No vendor's key is set, so the built-in model answers under every other name too.")


@command.command("show", short_help="Show where a model's name leads.")
@click.argument("name")
@config_option
@json_option
def show_command(name: str, config: Path | None, as_json: bool) -> None:
    """Show where a model's name leads: targets, how each is spoken to, context window, price, aliases, and why.

    \b
    dragoman models show fast
    dragoman models show google/gemini-2.5-pro --json
    """
    loaded = load_or_exit(config)

    from dragoman.admin.catalogue import entry
    from dragoman.pipeline.snapshot import snapshot_of

    snapshot = snapshot_of(loaded.settings, demo=loaded.demo, root_key=None)
    directory = snapshot.directory
    resolved = directory.resolve(name)
    if resolved is None:
        near = " or ".join(repr(known) for known in directory.nearest(name))
        raise Failed(
            f"The model {name!r} does not exist here.",
            f"Did you mean {near}? " * bool(near) + "See what there is: dragoman models list",
        )
    found = entry(loaded, snapshot, name, resolved)
    if as_json:
        print_json(found)
    else:
        _print_entry(found)


def _print_entry(found: dict[str, Any]) -> None:
    from dragoman.admin.catalogue import profile_words
    from dragoman.admin.price_words import price_lines

    click.echo(bold(one_line(found["name"])))
    if found["description"]:
        click.echo(f"  {one_line(found['description'])}")
    click.echo(f"  source:   {found['source']}")
    if found["aliases"]:
        click.echo(f"  aliases:  {', '.join(found['aliases'])}")
    click.echo("  targets:")
    for target in found["targets"]:
        click.echo(
            f"    {one_line(target['provider'] + '/' + target['model'])}  "
            f"weight {target['weight']}, priority {target['priority']}, {_spoken(target)}"
        )
        click.echo(f"      {profile_words(target['profile'])}")
        if target["context_window"]:
            click.echo(f"      context window {target['context_window']:,} tokens")
        for line in price_lines(target["price"]):
            click.echo(f"      {line}")


def _spoken(target: dict[str, Any]) -> str:
    if target["protocol"] is None:
        return f"not to be had: this version does not speak {' or '.join(target['protocols'])} yet"
    return f"spoken to in {target['protocol']}"


@command.command("pull", short_help="Fetch the built-in model.")
@click.argument("name", default="smollm2-135m")
@config_option
@data_option
@json_option
def pull_command(name: str, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Fetch the built-in model NAME (smollm2-135m) into the data directory and print where it is.

    \b
    dragoman models pull
    dragoman models pull smollm2-135m --data /var/lib/dragoman

    A file that is there already is checked by its SHA-256 and kept.
    """
    directory = load_or_exit(config, data).settings.data

    from dragoman.cli.progress import Bar
    from dragoman.local.pull import CATALOGUE, PullFailed, is_pulled, pull

    if name not in CATALOGUE:
        raise Failed(f"There is no built-in model {name!r}.", f"There is: {', '.join(CATALOGUE)}.")
    there = is_pulled(name, directory)
    bar = Bar(f"Fetching {name}")
    try:
        path = pull(name, directory, bar, verify=True)
    except PullFailed as error:
        bar.close()
        what, _, rest = str(error).partition("\n")
        raise Failed(what, rest or "See what is wrong here: dragoman doctor") from None
    except KeyboardInterrupt:
        bar.close()
        say("Stopped; nothing was left half done.")
        raise
    bar.close()
    model = CATALOGUE[name]
    if as_json:
        print_json(
            {
                "name": name,
                "path": str(path),
                "size": model.size,
                "sha256": model.sha256,
                "licence": model.licence,
                "already_there": there,
            }
        )
    else:
        click.echo(str(path))
