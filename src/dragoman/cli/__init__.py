"""The command line: a file a verb, each imported only when it is asked for, so that `dragoman serve` starts at once."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from dragoman import __version__

INTERRUPTED = 130

# Verb -> module, whose `command` is the verb, and the line that `dragoman --help` has for it without importing the module.
VERBS = {
    "serve": ("serve", "Serve until told to stop."),
    "ask": ("ask", "Ask a model; the answer's text streams to stdout."),
    "init": ("init", "Write a commented dragoman.yaml."),
    "config": ("config", "Check, show and explain the configuration."),
    "keys": ("keys", "Make, list, change and revoke callers' keys."),
    "requests": ("requests", "List and show requests on the ledger; follow them as they come."),
    "usage": ("usage", "Tell what was used and what it cost."),
    "db": ("db", "Migrate, back up and verify the database."),
    "models": ("models", "List and show the models there are; pull the built-in one."),
    "providers": ("providers", "List the providers there are; test whether they answer."),
    "try": ("try_", "Take one request through the pipeline and see what becomes of it."),
    "doctor": ("doctor", "Check that all that serving needs is here."),
}


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"dragoman.cli.{VERBS[cmd_name][0]}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        word = args[0]
        if word not in VERBS and not word.startswith("-") and not ctx.resilient_parsing:
            import difflib

            close = difflib.get_close_matches(word, VERBS, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"There are: {', '.join(VERBS)}."
            ctx.fail(f"there is no verb {word[:80]!r}. {hint}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            # As a shell has it: 128 and the signal's number. There is nothing to say to who pressed the keys.
            raise SystemExit(INTERRUPTED) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(verb, line) for verb, (_, line) in VERBS.items()])


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="dragoman")
def dragoman() -> None:
    """One base URL and one key in front of every model vendor.

    \b
    dragoman serve                  serve on http://127.0.0.1:8000
    dragoman ask "Why is the sky blue?"
    """


def main() -> None:
    """The `dragoman` command. Exit status: 0 good, 2 usage, 3 bad configuration, 130 interrupted, 1 anything else."""
    sys.exit(dragoman())
