"""`dragoman init`: a few questions, then a commented dragoman.yaml that is already checked."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from dragoman.cli.config import print_json
from dragoman.config import ConfigError
from dragoman.config.loading import load_text
from dragoman.config.presets import PRESETS, Preset
from dragoman.config.starter import Answers, is_reference, starter, variables_in, write_starter

_NAMES = [preset.name for preset in PRESETS]


@click.command("init")
@click.option(
    "--provider",
    "chosen",
    multiple=True,
    type=click.Choice([*_NAMES, "local"]),
    help="A provider to set up; may be repeated. `local` is always there.",
)
@click.option(
    "--key",
    "given",
    multiple=True,
    metavar="PROVIDER=KEY",
    help="A provider's key: a reference such as '${MY_KEY}' or '${file:/run/secrets/key}', or the key itself.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 8000 if not asked.")
@click.option(
    "--config",
    "--output",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("dragoman.yaml"),
    show_default=True,
    help="The file to write.",
)
@click.option("--yes", is_flag=True, help="Ask nothing: take the flags, and defaults for the rest.")
@click.option("--force", is_flag=True, help="Replace a file that is already there.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    chosen: Sequence[str],
    given: Sequence[str],
    host: str,
    port: int | None,
    target: Path,
    yes: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Write a commented dragoman.yaml. Every answer is also a flag.

    \b
    dragoman init
    dragoman init --yes --provider google --key google='${MY_GEMINI_KEY}' --port 9000
    """
    if (target.exists() or target.is_symlink()) and not force:
        raise click.ClickException(
            f"{target} is already there. Replace it with --force, or name another with --config."
        )
    keys = _keys(given)
    names = [name for name in _NAMES if name in chosen or name in keys]
    if not names and not chosen:
        names = _found() if yes else _ask_providers()
    if not yes:
        for preset in PRESETS:
            if preset.name in names and preset.name not in keys:
                keys[preset.name] = _ask_key(preset)
    for preset in PRESETS:
        if preset.name in names:
            keys.setdefault(preset.name, f"${{{preset.key_variable(os.environ) or preset.variables[0]}}}")
    if port is None:
        port = 8000 if yes else click.prompt("Port", type=click.IntRange(0, 65535), default=8000, err=True)
    answers = Answers(host=host, port=port, keys={name: keys[name] for name in names})
    unset = [name for name in variables_in(answers) if not os.environ.get(name)]
    try:
        # Variables that are still to be set are taken as set.
        load_text(starter(answers), target, {**os.environ, **dict.fromkeys(unset, "to-be-set")})
    except ConfigError as error:
        faults = "; ".join(f"{problem.path} {problem.message}. {problem.mend}" for problem in error.problems)
        raise click.UsageError(faults) from None
    try:
        write_starter(target, answers, replace=force)
    except FileExistsError:
        raise click.ClickException(f"{target} has just appeared. Replace it with --force.") from None
    except OSError as error:
        raise click.ClickException(f"{target} cannot be written ({error.strerror}).") from None
    _finish(target, answers, unset, as_json)


def _finish(target: Path, answers: Answers, unset: list[str], as_json: bool) -> None:
    """Say where the file is and what to do next."""
    serve = "dragoman serve" if target == Path("dragoman.yaml") else f"dragoman serve --config {target}"
    if as_json:
        print_json({"path": str(target), "providers": [*answers.keys, "local"], "unset": unset, "next": serve})
    else:
        click.echo(str(target))
    click.echo(f"Wrote {target}.", err=True)
    for name in unset:
        click.echo(f"Before you start, set {name}:  export {name}=...", err=True)
    if any(not is_reference(key) for key in answers.keys.values()):
        click.echo("It holds a key in the clear, so only you may read it. Do not commit it.", err=True)
    click.echo(f"Next:  {serve}", err=True)


def _keys(given: Sequence[str]) -> dict[str, str]:
    keys = {}
    for item in given:
        name, equals, key = item.partition("=")
        if not equals or name not in _NAMES or not key.strip():
            # The item itself may hold a key, so it is not repeated.
            raise click.UsageError(f"--key wants PROVIDER=KEY with PROVIDER one of {', '.join(_NAMES)}")
        keys[name] = key.strip()
    return keys


def _found() -> list[str]:
    return [preset.name for preset in PRESETS if preset.key_variable(os.environ)]


def _ask_providers() -> list[str]:
    click.echo("Which providers? The built-in model is always there.", err=True)
    names = []
    for preset in PRESETS:
        variable = preset.key_variable(os.environ)
        note = f" ({variable} is set)" if variable else ""
        if click.confirm(f"  {preset.title}{note}", default=variable is not None, err=True):
            names.append(preset.name)
    return names


def _ask_key(preset: Preset) -> str:
    variable = preset.key_variable(os.environ) or preset.variables[0]
    question = f"Key for {preset.title} (Enter: read it from ${{{variable}}}; what you type is not shown)"
    answer: str = click.prompt(question, default="", show_default=False, hide_input=True, err=True)
    return answer.strip() or f"${{{variable}}}"
