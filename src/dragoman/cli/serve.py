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

if TYPE_CHECKING:
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
    from dragoman.server.supervisor import StartFailed, Supervisor, supervise

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

    async def run() -> int:
        supervisor = Supervisor(lambda: load_with(config, overrides, environment), loaded, environment)
        return await supervise(supervisor, greet)

    try:
        status = asyncio.run(run())
    except (BindError, StartFailed) as error:
        click.echo(f"dragoman: {error}", err=True)
        sys.exit(1)
    sys.exit(status)


async def greet(supervisor: Supervisor) -> None:
    """Tells the operator where we are and how to ask, once a pasted request would be answered."""
    loaded = supervisor._loaded
    settings = supervisor.settings
    url = base_url(settings.server.host, supervisor.port, tls=settings.server.tls is not None)
    key = supervisor.key
    assert key is not None
    say = Talk()
    model = next((name for name in settings.models), None) or "MODEL"
    if loaded.demo and supervisor.local is not None:
        say(f"Dragoman listens on {url}; the built-in model is on its way.")
        await _watch_local(supervisor, say)
        model = "smollm2-135m"
    else:
        say(f"Dragoman listens on {url}")
    if key.made is not None:
        say("")
        say(f"  Root key (shown this once, keep it): {key.made}")
    say("")
    say(f"  Gateway   {url}/v1   (OpenAI SDKs)   {url}   (Google's SDKs)")
    say(f"  Models    {url}/v1/models")
    if not loaded.demo:
        vendors = ", ".join(name for name, provider in settings.providers.items() if "local" not in provider.protocols)
        say(f"  Providers {vendors or 'none but the built-in model'}")
        if model == "MODEL":
            model = await _a_model(settings)
    else:
        say(
            "  No vendor's key is set, so the built-in model answers under every name (set GEMINI_API_KEY, OPENAI_API_KEY"
        )
        say("  or ARK_API_KEY, or write a dragoman.yaml with `dragoman init`).")
    say("")
    say("Try it:")
    say("")
    credential = key.made or (supervisor.trial_key if loaded.demo else None) or "$DRAGOMAN_ROOT_KEY"
    if credential == "$DRAGOMAN_ROOT_KEY" and key.given is None:
        say("  (with the root key that the first start showed in DRAGOMAN_ROOT_KEY)")
    say(curl(url, credential, model, insecure=settings.server.tls is not None))
    say("")


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


async def _a_model(settings: object) -> str:
    """A name that a request may use without asking the vendor: the first that is no pattern."""
    from dragoman.catalog.directory import is_pattern

    examples = {
        "gemini-*": "gemini-2.5-flash",
        "gpt-*": "gpt-5.4-mini",
        "claude-*": "claude-opus-4-6",
        "doubao-*": "doubao-seed-1-8-251228",
    }
    for provider in settings.providers.values():  # type: ignore[attr-defined]
        if "local" in provider.protocols:
            continue
        for pattern in provider.models:
            if not is_pattern(pattern):
                return str(pattern)
            if pattern in examples:
                return examples[pattern]
    return "smollm2-135m"


class Talk:
    """Lines for the operator, on stderr; a bar where that is a terminal."""

    def __init__(self) -> None:
        self.terminal = sys.stderr.isatty()

    def __call__(self, line: str) -> None:
        click.echo(line, err=True)

    def bar(self, text: str) -> None:
        if self.terminal:
            click.echo(f"\r\x1b[K{text}", err=True, nl=False)

    def clear(self) -> None:
        if self.terminal:
            click.echo("\r\x1b[K", err=True, nl=False)


async def _watch_local(supervisor: Supervisor, say: Talk) -> None:
    """Until the built-in model answers or has failed; a bar meanwhile, or a line for each quarter of the download."""
    from dragoman.local.supervise import State

    local = supervisor.local
    assert local is not None
    told = -1
    while local.state not in (State.READY, State.FAILED):
        if local.pulled is not None and local.pulled[1]:
            done, total = local.pulled
            say.bar(f"  fetching the model: {done / 1e6:.0f} of {total / 1e6:.0f} MB")
            quarter = done * 4 // total
            if not say.terminal and quarter > told:
                told = quarter
                say(f"  fetching the model: {quarter * 25} %")
        elif local.state is State.STARTING:
            say.bar("  loading the model")
        await asyncio.sleep(0.05)
    say.clear()
    if local.state is State.FAILED:
        say(f"The built-in model does not run: {local.reason}")
