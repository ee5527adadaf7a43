"""Options that several verbs share, and the configuration they lead to. Heavy imports wait until a verb runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dragoman.config import Loaded

config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Configuration file; else $DRAGOMAN_CONFIG, else ./dragoman.yaml.",
)
data_option = click.option(
    "--data", type=click.Path(path_type=Path), metavar="DIR", help="Data directory, instead of the configured one."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
verbose_option = click.option("-v", "--verbose", is_flag=True, help="Show the log on stderr.")
offline_option = click.option("--offline", is_flag=True, help="Ask no provider anything.")


def load_or_exit(config: Path | None, data: Path | None = None) -> Loaded:
    """The configuration in effect; a bad one prints every problem and ends with exit status 3."""
    from dragoman.cli.config import refuse
    from dragoman.cli.serve import load_with
    from dragoman.config import ConfigError

    try:
        return load_with(config, {"data": data}, os.environ)
    except ConfigError as error:
        refuse(error)
