"""`dragoman providers`: list the providers there are, and ask each whether it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dragoman.cli.options import (
    config_option,
    data_option,
    json_option,
    load_or_exit,
    verbose_option,
)
from dragoman.cli.output import Failed, print_json, print_table, say

if TYPE_CHECKING:
    from dragoman.admin.probe import Probe
    from dragoman.config import Loaded


@click.group("providers")
def command() -> None:
    """List the providers there are; test whether they answer.

    \b
    dragoman providers list
    dragoman providers test google
    """


@command.command("list", short_help="List the providers.")
@config_option
@json_option
def list_command(config: Path | None, as_json: bool) -> None:
    """List the providers: protocols, address, how many keys (never the keys), models.

    \b
    dragoman providers list
    dragoman providers list --json
    """
    loaded = load_or_exit(config)

    from dragoman.config import redacted

    shown = redacted(loaded.settings)["providers"]
    rows = [
        {
            "name": name,
            "protocols": list(provider.protocols),
            "base_url": shown[name]["base_url"],
            "keys": len(provider.credentials),
            "models": list(provider.models),
            "transport": provider.transport,
        }
        for name, provider in loaded.settings.providers.items()
    ]
    if as_json:
        print_json({"providers": rows, "demo": loaded.demo})
        return
    print_table(
        ("name", "protocols", "base_url", "keys", "models"),
        [
            (
                row["name"],
                ", ".join(row["protocols"]),
                row["base_url"] or "(built in)",
                row["keys"],
                ", ".join(row["models"]) or "(by NAME/MODEL only)",
            )
            for row in rows
        ],
    )
    if loaded.demo:
        say(
            "No vendor's key is set. Set GEMINI_API_KEY, OPENAI_API_KEY, ANTHROPIC_API_KEY or ARK_API_KEY, or run: dragoman init"
        )


@command.command("test", short_help="Ask each provider whether it answers.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@config_option
@data_option
@json_option
@verbose_option
def test_command(names: Sequence[str], config: Path | None, data: Path | None, as_json: bool, verbose: bool) -> None:
    """Ask each provider (or those named) for its list of models; the built-in model for one token.

    \b
    dragoman providers test
    dragoman providers test google openai --json

    Every key of a provider's is tried. Exit status 1 when one of them fails.
    """
    loaded = load_or_exit(config, data)
    known = loaded.settings.providers
    for name in names:
        if name not in known:
            raise Failed(f"There is no provider {name!r}.", f"There is: {', '.join(known)}.")
    probes = asyncio.run(_probe_all(loaded, list(dict.fromkeys(names)) or list(known), verbose))
    if as_json:
        print_json({"ok": all(probe.ok for probe in probes), "providers": [probe.as_dict() for probe in probes]})
    else:
        print_table(
            ("name", "result", "status", "latency", "found"),
            [
                (
                    probe.provider,
                    "ok" if probe.ok else "failed",
                    probe.status or "-",
                    "-" if probe.latency_ms is None else f"{probe.latency_ms:.0f} ms",
                    _models(len(probe.models)) if probe.ok else probe.error,
                )
                for probe in probes
            ],
        )
        for probe in probes:
            if probe.mend:
                say(f"{probe.provider}: {probe.mend}")
    if not all(probe.ok for probe in probes):
        raise SystemExit(1)


def _models(count: int) -> str:
    return "1 model" if count == 1 else f"{count} models"


async def _probe_all(loaded: Loaded, names: list[str], verbose: bool) -> list[Probe]:
    from dragoman.admin.probe import probe
    from dragoman.cli.inprocess import gateway_here

    async with gateway_here(loaded, verbose=verbose) as here:
        return await asyncio.gather(*(probe(here.gateway, loaded, name) for name in names))
