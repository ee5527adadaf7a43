"""`dragoman try`: one request through the pipeline without a server, to see what becomes of it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dragoman.cli.options import (
    config_option,
    data_option,
    json_option,
    load_or_exit,
    verbose_option,
)
from dragoman.cli.output import Failed, bold, one_line, printable, say

if TYPE_CHECKING:
    from dragoman.cli.exchange import Answer
    from dragoman.cli.inprocess import Here
    from dragoman.cli.preview import Preview, Trial
    from dragoman.config import Loaded


@click.command("try")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option(
    "--as",
    "protocol",
    type=click.Choice(["gemini", "openai-chat", "openai-responses", "anthropic"]),
    help="The body's protocol, where its members do not tell.",
)
@click.option("--model", metavar="NAME", help="The model, instead of the body's own; a Gemini body needs it.")
@click.option("--stream", is_flag=True, help="Ask for a streamed answer.")
@click.option("--send", is_flag=True, help="Really send it, and print the answer that the caller would get.")
@config_option
@data_option
@json_option
@verbose_option
def command(
    file: Path,
    protocol: str | None,
    model: str | None,
    stream: bool,
    send: bool,
    config: Path | None,
    data: Path | None,
    as_json: bool,
    verbose: bool,
) -> None:
    """Take one request through the pipeline: print its target, the upstream call and all that is lost.

    \b
    dragoman try request.json
    dragoman try request.json --model gpt-5.4-mini --send

    FILE holds the body of one request as JSON; `-` is standard input. Nothing is sent without --send.
    """
    text, name = _read(file)
    loaded = load_or_exit(config, data)

    from dragoman.cli.preview import trial_of

    trial = trial_of(text, name, protocol, model, stream)
    status = asyncio.run(_run(loaded, trial, send, as_json, verbose))
    if status >= 400:
        raise SystemExit(1)


def _read(file: Path) -> tuple[bytes, str]:
    if str(file) == "-":
        return sys.stdin.buffer.read(), "Standard input"
    try:
        return file.read_bytes(), str(file)
    except OSError as error:
        raise Failed(f"{file} cannot be read: {error.strerror}.", "Name a file with the body of one request.") from None


async def _run(loaded: Loaded, trial: Trial, send: bool, as_json: bool, verbose: bool) -> int:
    from dragoman.cli.inprocess import gateway_here
    from dragoman.cli.output import print_json
    from dragoman.cli.preview import preview
    from dragoman.ir import DragomanError

    async with gateway_here(loaded, verbose=verbose) as looking:
        try:
            seen = await preview(looking.gateway, trial)
        except DragomanError as error:
            at = f"At {error.param}: correct it in the body." if error.param and error.param != "model" else ""
            models = "See what there is: dragoman models list" if error.code == "model_not_found" else ""
            raise Failed(error.message, models or at or "The caller would get this as an error.") from None
    if not as_json:
        _print_preview(seen)
    if not send:
        if as_json:
            print_json(seen.as_dict())
        return 200
    # A gateway of its own, so that looking at the request has not moved the balance between targets.
    async with gateway_here(loaded, verbose=verbose) as here:
        return await _send(here, trial, seen, as_json)


async def _send(here: Here, trial: Trial, seen: Preview, as_json: bool) -> int:
    from dragoman.cli.output import print_json

    async with here.post(trial.path, trial.body, query=trial.query) as answer:
        if as_json:
            body = (await answer.read()).decode(errors="replace")
            print_json(
                {**seen.as_dict(), "answer": {**_head(answer), "body": body if answer.streams else _parsed(body)}}
            )
        else:
            await _print_answer(answer)
        return answer.status


def _head(answer: Answer) -> dict[str, Any]:
    return {
        "status": answer.status,
        "target": answer.target,
        "losses": answer.losses,
        "request_id": answer.request_id,
    }


def _parsed(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body


def _print_preview(seen: Preview) -> None:
    spoken = f"{seen.protocol}, passed on as it came" if seen.untouched else f"{seen.protocol} to {seen.spoken}"
    click.echo(f"{bold('model')}     {one_line(seen.model)}")
    click.echo(f"{bold('target')}    {one_line(seen.target)}")
    if seen.also:
        click.echo(f"{bold('then')}      {one_line(', '.join(seen.also))}")
        click.echo(f"{bold('plan')}      {one_line('; '.join(seen.plan))}")
    click.echo(f"{bold('protocol')}  {spoken}")
    click.echo(f"{bold('upstream')}  POST {one_line(seen.url)}")
    click.echo(f"{bold('body')}")
    click.echo(printable(json.dumps(seen.body, indent=2, ensure_ascii=False)))
    if not seen.losses:
        click.echo(f"{bold('losses')}    none")
        return
    click.echo(bold("losses"))
    for loss in seen.losses:
        click.echo(f"  {one_line(loss.path)}: {one_line(loss.why)}{' (harmless)' if loss.harmless else ''}")


async def _print_answer(answer: Answer) -> None:
    click.echo(f"{bold('answer')}    {answer.status} from {answer.target or 'the gateway itself'}")
    if answer.streams:
        async for piece in answer.pieces:
            click.echo(printable(piece.decode(errors="replace")), nl=False)
    else:
        body = _parsed((await answer.read()).decode(errors="replace"))
        click.echo(printable(body if isinstance(body, str) else json.dumps(body, indent=2, ensure_ascii=False)))
    if answer.status >= 400:
        say("The request failed; the caller would see the answer above.")
