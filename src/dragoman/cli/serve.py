"""`dragoman serve`."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dragoman.config import ConfigError, Loaded, load
from dragoman.config.presets import LOCAL_MODEL

if TYPE_CHECKING:
    from dragoman.local.supervise import LocalModel
    from dragoman.server.supervisor import Supervisor


def load_with(config: Path | None, overrides: Mapping[str, object], environment: Mapping[str, str]) -> Loaded:
    """The configuration with the command line's own settings on top. Raises ConfigError."""
    from dataclasses import replace

    loaded = load(config, environment)
    settings = loaded.settings
    server = {name: value for name, value in overrides.items() if name != "data" and value is not None}
    changed: dict[str, object] = {}
    if server:
        changed["server"] = settings.server.model_copy(update=server)
    if overrides.get("data") is not None:
        changed["data"] = overrides["data"]
    return replace(loaded, settings=settings.model_copy(update=changed)) if changed else loaded


@click.command()
@click.option(
    "--config", type=click.Path(path_type=Path), help="Configuration file; else $DRAGOMAN_CONFIG, else ./dragoman.yaml."
)
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one.")
@click.option("--workers", type=click.IntRange(1, 256), help="Data-plane processes.")
@click.option("--data", type=click.Path(path_type=Path), help="Data directory.")
def command(config: Path | None, host: str | None, port: int | None, workers: int | None, data: Path | None) -> None:
    """Serve until told to stop.

    \b
    dragoman serve
    dragoman serve --config dragoman.yaml --port 9000 --workers 2
    """
    from dragoman.server.bind import BindError
    from dragoman.server.premises import StartFailed
    from dragoman.server.supervisor import supervise

    overrides = {"host": host, "port": port, "workers": workers, "data": data}
    environment = dict(os.environ)
    try:
        loaded = load_with(config, overrides, environment)
    except ConfigError as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        sys.exit(3)
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)

    try:
        asyncio.run(supervise(lambda: load_with(config, overrides, environment), loaded, environment, greet))
    except (BindError, StartFailed) as error:
        click.echo(f"dragoman: {error}", err=True)
        sys.exit(1)


async def greet(supervisor: Supervisor) -> None:
    """Tells the operator where we are and how to ask, once a pasted request would be answered."""
    from dragoman.cli.likely_model import likely_model

    loaded = supervisor.loaded
    settings = supervisor.settings
    url = base_url(settings.server.host, supervisor.port, tls=settings.server.tls is not None)
    key = supervisor.key
    model = likely_model(settings) or "MODEL"
    fetching = loaded.demo and supervisor.local is not None
    _say(f"Dragoman listens on {url}{'; the built-in model is on its way.' if fetching else ''}")
    if key.made is not None:
        await _show_key(supervisor, key.made)
        key = supervisor.key
    elif supervisor.shares_database and key.given is None:
        await _share_key(supervisor)
    if loaded.demo and supervisor.local is not None:
        await _watch_local(supervisor.local)
        model = LOCAL_MODEL
    _say("")
    _say(f"  Gateway   {url}/v1   (OpenAI SDKs)   {url}   (Google's SDKs)")
    _say(f"  Models    {url}/v1/models")
    if not loaded.demo:
        vendors = ", ".join(name for name, provider in settings.providers.items() if "local" not in provider.protocols)
        _say(f"  Providers {vendors or 'none but the built-in model'}")
    else:
        _say(
            "  No vendor's key is set, so the built-in model answers under every name (set GEMINI_API_KEY, OPENAI_API_KEY,"
        )
        _say("  ANTHROPIC_API_KEY or ARK_API_KEY, or write a dragoman.yaml with `dragoman init`).")
    _say("")
    _say("Try it:")
    _say("")
    credential = key.made or (supervisor.trial_key if loaded.demo else None) or "$DRAGOMAN_ROOT_KEY"
    if credential == "$DRAGOMAN_ROOT_KEY" and key.given is None:
        _say("  (with the root key that the first start showed in DRAGOMAN_ROOT_KEY)")
    _say(curl(url, credential, model, insecure=settings.server.tls is not None))
    _say("")


async def _show_key(supervisor: Supervisor, made: str) -> None:
    """First shown and only then kept: a start that does not come this far leaves no key behind that nobody has seen."""
    from dragoman.server.root_key import key_file

    if supervisor.shares_database:
        trouble = await _share_key(supervisor)
        if supervisor.key.made is None:
            _say("  The root key is the one that another machine on this database has just shown.")
            return
        _say("")
        _say(f"  Root key (shown this once, keep it): {made}")
        _say(trouble or "  If it is ever lost, set DRAGOMAN_ROOT_KEY to one of your own.")
        return
    file = key_file(supervisor.settings.data)
    _say("")
    _say(f"  Root key (shown this once, keep it): {made}")
    try:
        supervisor.keep_key()
    except OSError as error:
        _say(f"  It holds until the next start only, for {file} cannot be written: {error.strerror or error}.")
    else:
        _say(f"  If it is ever lost, remove {file}: the next start makes a new one.")


async def _share_key(supervisor: Supervisor) -> str:
    """Machines on one database have one root key; what to say where that cannot be."""
    from dragoman.store import StoreRefused

    try:
        await supervisor.agree_on_key()
    except StoreRefused as error:
        return f"  It holds until the next start only. {error}"
    return ""


def base_url(host: str, port: int, *, tls: bool) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"{'https' if tls else 'http'}://{shown}:{port}"


def curl(url: str, credential: str, model: str, *, insecure: bool = False) -> str:
    body = (
        f'{{"model": "{model}", "stream": true, "messages": [{{"role": "user", "content": "Why is the sky blue?"}}]}}'
    )
    return (
        f"curl {'-k ' if insecure else ''}-N {url}/v1/chat/completions \\\n"
        f'  -H "Authorization: Bearer {credential}" \\\n'
        f'  -H "Content-Type: application/json" \\\n'
        f"  -d {shlex.quote(body)}"
    )


def _say(line: str) -> None:
    # What the operator asked for, on stdout; the log goes to stderr.
    click.echo(line)


async def _watch_local(local: LocalModel) -> None:
    """Until the built-in model answers or has failed; a bar while it is fetched."""
    from dragoman.cli.progress import Bar
    from dragoman.local.supervise import State

    bar = Bar("  fetching the model")
    while local.state not in (State.READY, State.FAILED):
        if local.pulled is not None:
            bar(*local.pulled)
        await asyncio.sleep(0.05)
    bar.close()
    if local.state is State.FAILED:
        _say(f"The built-in model does not run: {local.reason}")
