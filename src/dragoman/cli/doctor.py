"""`dragoman doctor`: is everything here that serving needs, and if not, what to do."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dragoman.cli.options import config_option, data_option, json_option, offline_option
from dragoman.cli.output import aligned, colours, one_line, print_json

if TYPE_CHECKING:
    from dragoman.cli.checks import Finding

_COLOURS = {"ok": "32", "warn": "33", "fail": "31"}


@click.command("doctor")
@offline_option
@config_option
@data_option
@json_option
def command(offline: bool, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Check that all that serving needs is here, and say how to mend what is not.

    \b
    dragoman doctor
    dragoman doctor --offline --json

    Looked at are Python, the configuration, the data directory, the database, the port, the root key, the built-in model's
    engine and file, the providers' keys and whether they answer, the clock, and the limit on open files. Exit status 1 when
    something fails; warnings do not count.
    """
    findings = _examine(config, data, offline)
    failed = sum(finding.status == "fail" for finding in findings)
    if as_json:
        print_json({"ok": not failed, "checks": [finding.as_dict() for finding in findings]})
    else:
        _print(findings)
        warned = sum(finding.status == "warn" for finding in findings)
        click.echo(f"{len(findings)} checks: {failed} failed, {warned} to look at.", err=True)
    if failed:
        raise SystemExit(1)


def _examine(config: Path | None, data: Path | None, offline: bool) -> list[Finding]:
    from dragoman.cli import checks
    from dragoman.cli.serve import load_with
    from dragoman.config import ConfigError

    found = [checks.python()]
    try:
        loaded = load_with(config, {"data": data}, os.environ)
    except ConfigError as error:
        found += [
            checks.Finding(
                "configuration", "fail", str(problem).removesuffix(f" {problem.mend}").rstrip("."), problem.mend
            )
            for problem in error.problems
        ]
        return [*found, checks.clock([]), checks.open_files()]
    settings = loaded.settings
    found += checks.configuration(loaded)
    found += [
        checks.data_directory(settings),
        checks.database(settings),
        checks.port(settings),
        checks.root_key(settings, os.environ),
        checks.engine(settings),
        checks.model_file(settings),
        *checks.provider_keys(loaded),
    ]
    probes = [] if offline else asyncio.run(checks.reach(loaded))
    return [*found, *checks.reached(probes), checks.clock(probes), checks.open_files()]


def _print(findings: list[Finding]) -> None:
    lines = aligned([(finding.status, finding.check, one_line(finding.message)) for finding in findings])
    for finding, line in zip(findings, lines, strict=True):
        if colours(sys.stdout):
            status = finding.status
            line = f"\x1b[{_COLOURS[status]}m{status}\x1b[0m{line[len(status) :]}"
        click.echo(line)
        if finding.mend and finding.status != "ok":
            click.echo(f"      {one_line(finding.mend)}")
