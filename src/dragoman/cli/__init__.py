"""The command line: a file a verb, each imported only when it is asked for, so that `dragoman serve` starts at once."""

from __future__ import annotations

import importlib
import sys

import click

from dragoman import __version__

# Verb -> module; the module's `command` is the verb.
VERBS = {
    "serve": "serve",
    "ask": "ask",
    "init": "init",
    "config": "config",
    "models": "models",
    "providers": "providers",
    "try": "try_",
    "doctor": "doctor",
}


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"dragoman.cli.{VERBS[cmd_name]}").command
        return command


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="dragoman")
def dragoman() -> None:
    """One base URL and one key in front of every model vendor.

    \b
    dragoman serve                  serve on http://127.0.0.1:8000
    dragoman ask "Why is the sky blue?"
    """


def main() -> None:
    """The `dragoman` command. Exit status: 0 good, 2 usage, 3 bad configuration, 1 anything else."""
    sys.exit(dragoman())
