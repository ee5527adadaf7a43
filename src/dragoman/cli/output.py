"""What verbs print: data on stdout as one JSON object or an aligned table, talk and errors on stderr."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Sequence
from typing import IO, Any

import click

_STEERING = {code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}


class Failed(click.ClickException):
    """What went wrong, and how to mend it: a line each. Ends with exit status 1."""

    def __init__(self, what: str, mend: str = "") -> None:
        super().__init__(what)
        self.mend = mend

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"Error: {printable(self.message)}", err=True)
        if self.mend:
            click.echo(printable(self.mend), err=True)


def print_json(value: Any) -> None:
    """One JSON object on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_line(value: Any) -> None:
    """One JSON object on a line of stdout, at once."""
    click.echo(json.dumps(value, ensure_ascii=False))


def say(line: str) -> None:
    """A line for the reader, on stderr."""
    click.echo(printable(line), err=True)


def printable(text: str) -> str:
    """`text` without what steers a terminal: models and vendors write some of what is shown."""
    return text.translate(_STEERING)


def one_line(text: str) -> str:
    return " ".join(printable(text).split())


def colours(stream: IO[Any]) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def bold(text: str) -> str:
    return f"\x1b[1m{text}\x1b[0m" if colours(sys.stdout) else text


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """On a terminal a table that fits its width; elsewhere plain columns, two spaces apart."""
    cells = [[one_line("" if cell is None else str(cell)) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _print_rich(columns, cells)
        return
    for line in aligned([[column.upper() for column in columns], *cells]):
        click.echo(line)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows as lines with every column as wide as its widest cell; nothing behind the last one."""
    wide = [max(width(row[n]) for row in rows) for n in range(len(rows[0]))]
    return ["  ".join(cell + " " * (wide[n] - width(cell)) for n, cell in enumerate(row)).rstrip() for row in rows]


def width(text: str) -> int:
    """How many columns of a terminal `text` takes; Chinese takes two a character."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else not unicodedata.combining(c) for c in text)


def _print_rich(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for n, column in enumerate(columns):
        table.add_column(column, style="bold" if n == 0 else "", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
