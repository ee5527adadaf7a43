"""How far a download is, on stderr: a bar on a terminal, else one plain line; nothing for what is over in a second."""

from __future__ import annotations

import sys
from time import monotonic

import click

_PATIENCE = 1.0
_CELLS = 30


class Bar:
    """Called with (bytes done, bytes in all), from any thread. `close` clears the bar."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._began = monotonic()
        self._terminal = sys.stderr.isatty()
        self._shown = False

    def __call__(self, done: int, total: int) -> None:
        if monotonic() - self._began < _PATIENCE:
            return
        if self._terminal:
            share = done / total if total else 0.0
            bar = "#" * int(share * _CELLS)
            click.echo(
                f"\r\x1b[K{self._what} [{bar:<{_CELLS}}] {done / 1e6:.0f} of {total / 1e6:.0f} MB", err=True, nl=False
            )
        elif not self._shown:
            click.echo(f"{self._what} ({total / 1e6:.0f} MB) ...", err=True)
        self._shown = True

    def close(self) -> None:
        if self._terminal and self._shown:
            click.echo("\r\x1b[K", err=True, nl=False)
        self._shown = False
