"""`dragoman config`: check, show and explain the configuration, and print its JSON Schema."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, NoReturn

import click
import yaml

from dragoman.config import ConfigError, Loaded, Problem, load, redacted

BAD_CONFIGURATION = 3

config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The file to read, instead of $DRAGOMAN_CONFIG or ./dragoman.yaml.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group("config", help="Check, show and explain the configuration.")
def command() -> None:
    """The group of verbs."""


@command.command("check")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@config_option
@json_option
@click.option("--strict", is_flag=True, help="Warnings fail as well.")
def check_command(file: Path | None, config_path: Path | None, as_json: bool, strict: bool) -> None:
    """Check FILE without starting anything. Exit code 0 when it can be used, 3 when not."""
    if file is not None and config_path is not None and file != config_path:
        raise click.UsageError("name the file once, as FILE or by --config")
    path = file or config_path
    loaded: Loaded | None = None
    problems: list[Problem] = []
    try:
        loaded = load(path, os.environ)
    except ConfigError as error:
        problems = error.problems
    warnings = loaded.warnings if loaded is not None else []
    good = not problems and not (strict and warnings)
    if as_json:
        answer = {
            "ok": good,
            "file": str(loaded.path) if loaded is not None and loaded.path is not None else None,
            "demo": loaded.demo if loaded is not None else None,
            "problems": [problem.as_dict() for problem in problems],
            "warnings": [warning.as_dict() for warning in warnings],
        }
        if loaded is None:
            answer["file"] = problems[0].file
        print_json(answer)
    else:
        print_problems(problems, sys.stdout)
        print_problems(warnings, sys.stdout, "warning")
        click.echo(_verdict(loaded, len(problems), len(warnings), good), err=True)
    if not good:
        raise SystemExit(BAD_CONFIGURATION)


def _verdict(loaded: Loaded | None, problems: int, warnings: int, good: bool) -> str:
    counted = [_count(problems, "problem")] if problems else []
    counted += [_count(warnings, "warning")] if warnings else []
    if not good:
        return f"{' and '.join(counted)}: this configuration cannot be used."
    assert loaded is not None
    name = str(loaded.path) if loaded.path is not None else "No file; the built-in defaults"
    note = f" with {counted[0]}" if counted else ""
    demo = " No vendor key is set, so the built-in model answers." if loaded.demo else ""
    return f"{name}: good{note}.{demo}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@command.command("show")
@config_option
@json_option
def show_command(config_path: Path | None, as_json: bool) -> None:
    """Print the settings in effect, defaults included and secrets covered."""
    loaded = _load_or_exit(config_path)
    shown = redacted(loaded.settings)
    if as_json:
        print_json(shown)
        return
    click.echo(f"# {loaded.path or 'built-in defaults and environment'}", err=True)
    click.echo(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=100), nl=False)


@command.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of the file, for editors that check YAML."""
    from dragoman.config.schema import json_schema

    print_json(json_schema())


@command.command("explain")
@click.argument("path", required=False)
@config_option
@json_option
def explain_command(path: str | None, config_path: Path | None, as_json: bool) -> None:
    """Tell what a setting means, its default, its value and where the value comes from.

    Without PATH, list every setting. In a path, NAME stands for a name of your own.
    """
    from dragoman.config.explanation import every_explanation, explain, unknown

    loaded: Loaded | None = None
    broken: ConfigError | None = None
    try:
        loaded = load(config_path, os.environ)
    except ConfigError as error:
        broken = error
    if path is None:
        rows = every_explanation()
        if as_json:
            print_json({"settings": rows})
        else:
            wide = max(len(row["path"]) for row in rows)
            for row in rows:
                click.echo(f"{row['path']:<{wide}}  {_one_line(row)}")
    else:
        found = explain(path, loaded)
        if found is None:
            raise click.UsageError(f"there is no setting {path!r}. {unknown(path, loaded)}")
        if as_json:
            print_json(found)
        else:
            _print_explanation(found)
    if broken is not None:
        click.echo("The configuration cannot be read, so no values are shown:", err=True)
        print_problems(broken.problems, sys.stderr)
        raise SystemExit(BAD_CONFIGURATION)


def _one_line(row: dict[str, Any]) -> str:
    default = "required" if row["required"] else f"default {_text(row['default'])}" if row["default"] else ""
    return "; ".join(part for part in (row["type"], default) if part)


def _print_explanation(found: dict[str, Any]) -> None:
    click.echo(click.style(found["path"], bold=True))
    click.echo(f"  {found['doc']}")
    click.echo(f"  type:     {found['type']}{' (required)' if found['required'] else ''}")
    if found["default"] is not None:
        click.echo(f"  default:  {_text(found['default'])}")
    for example in found["examples"]:
        click.echo(f"  example:  {_text(example)}")
    for value in found["values"]:
        label = "value:   " if value["path"] == found["path"] else value["path"] + ":"
        shown = "" if isinstance(value["value"], dict) else f"{_text(value['value'])}  "
        click.echo(f"  {label} {shown}[{value['origin']}]")
    if found["holds"]:
        click.echo("  holds:")
        for name in found["holds"]:
            click.echo(f"    {name}")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _load_or_exit(path: Path | None) -> Loaded:
    try:
        return load(path, os.environ)
    except ConfigError as error:
        refuse(error)


def refuse(error: ConfigError) -> NoReturn:
    """Print every problem and end with the code for a bad configuration."""
    print_problems(error.problems, sys.stderr)
    raise SystemExit(BAD_CONFIGURATION)


def print_problems(problems: Sequence[Problem], stream: IO[str], label: str = "") -> None:
    """A line for each problem; on a terminal the line of the file as well, with a caret."""
    terminal = stream.isatty()
    for problem in problems:
        text = f"{problem} [{label}]" if label else str(problem)
        click.secho(text, file=stream, bold=terminal)
        if terminal and problem.excerpt:
            click.echo(f"    {problem.excerpt}", file=stream)
            click.secho(f"    {' ' * (problem.col - 1)}^", file=stream, fg="yellow" if label else "red")


def print_json(value: Any) -> None:
    """One JSON object on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
