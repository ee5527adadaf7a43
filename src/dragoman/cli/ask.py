"""`dragoman ask`: one question, the answer's text as it comes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
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
from dragoman.cli.output import Failed

if TYPE_CHECKING:
    from dragoman.cli.question import Question


@click.command("ask")
@click.argument("words", nargs=-1, metavar="[MODEL] PROMPT")
@click.option("--system", metavar="TEXT", help="What the model is to be or do: the system instruction.")
@click.option("--max-tokens", type=click.IntRange(1), metavar="N", help="The longest answer, in tokens.")
@click.option("--temperature", type=click.FloatRange(0.0, 2.0), metavar="T", help="0 for sober, up to 2 for wild.")
@click.option(
    "--url", envvar="DRAGOMAN_URL", metavar="URL", help="Ask the gateway at this address; else $DRAGOMAN_URL."
)
@click.option(
    "--token", envvar="DRAGOMAN_TOKEN", metavar="KEY", help="A key of that gateway's; better in $DRAGOMAN_TOKEN."
)
@config_option
@data_option
@json_option
@verbose_option
@click.pass_context
def command(
    ctx: click.Context,
    words: Sequence[str],
    system: str | None,
    max_tokens: int | None,
    temperature: float | None,
    url: str | None,
    token: str | None,
    config: Path | None,
    data: Path | None,
    as_json: bool,
    verbose: bool,
) -> None:
    """Ask a model; the answer's text streams to stdout.

    \b
    dragoman ask "Why is the sky blue?"
    git diff | dragoman ask gemini-2.5-flash --system "Review this patch." -

    PROMPT `-`, or none at all, is read from standard input. Without MODEL, the first model of your own is asked, else the
    first that a provider offers; without any vendor's key, the built-in one. No server and no key of the gateway's are needed:
    the request goes through the pipeline in this process, on the configuration found here. With --url it goes to a gateway
    that runs elsewhere.
    """
    if url is not None and (config is not None or data is not None):
        if ctx.get_parameter_source("url") is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError("--url asks a gateway elsewhere, which has its own configuration and data.")
        url = None
    model, prompt = _model_and_prompt(words)

    from dragoman.cli import question as asking

    question = asking.Question(prompt, model, system, max_tokens, temperature)
    if url is not None:
        asyncio.run(_ask_there(question, url, token, as_json))
    else:
        asyncio.run(_ask_here(question, config, data, as_json, verbose))


def _model_and_prompt(words: Sequence[str]) -> tuple[str | None, str]:
    if len(words) > 2:
        raise click.UsageError(f"that is {len(words)} words where a model and a prompt are wanted. Quote the prompt.")
    if not words and sys.stdin.isatty():
        raise click.UsageError("a prompt is missing. Try: dragoman ask 'Why is the sky blue?'")
    model = words[0] if len(words) == 2 else None
    prompt = words[-1] if words else "-"
    if prompt == "-":
        raw = sys.stdin.buffer.read()
        try:
            prompt = raw.decode()
        except UnicodeDecodeError as error:
            raise Failed(
                f"What stands on standard input is not UTF-8 (at byte {error.start}).",
                "Only text can be asked; convert it first, e.g. with iconv.",
            ) from None
    for given in (model or "", prompt):
        try:
            given.encode()
        except UnicodeEncodeError:
            raise click.UsageError("the arguments are not valid UTF-8") from None
    if not prompt.strip():
        raise click.UsageError("the prompt is empty")
    return model, prompt


async def _ask_there(question: Question, url: str, token: str | None, as_json: bool) -> None:
    from dragoman.cli.remote import error_message, gateway_there, mend_for

    async with gateway_there(url, token) as there:
        body = question.body(question.model or await there.first_model())
        async with there.post("/v1/chat/completions", body) as answer:
            if answer.status != 200:
                text = (await answer.read()).decode(errors="replace")
                raise Failed(error_message(text, answer.status), mend_for(answer.status))
            await _show(answer, as_json, "Look at the gateway's own log for the request.")


async def _ask_here(question: Question, config: Path | None, data: Path | None, as_json: bool, verbose: bool) -> None:
    loaded = load_or_exit(config, data)

    from dragoman.cli.default_model import default_model
    from dragoman.cli.inprocess import gateway_here
    from dragoman.cli.question import mend_for
    from dragoman.cli.remote import error_message

    async with gateway_here(loaded, verbose=verbose) as here:
        body = question.body(question.model or await default_model(here, loaded.settings))
        async with here.post("/v1/chat/completions", body) as answer:
            if answer.status != 200:
                text = (await answer.read()).decode(errors="replace")
                raise Failed(error_message(text, answer.status), mend_for(text, answer))
            await _show(answer, as_json, mend_for("", answer))


async def _show(answer: Any, as_json: bool, mend: str) -> None:
    from dragoman.cli.output import print_json, say
    from dragoman.cli.question import Reply

    reply = Reply(answer)
    terminal = sys.stdout.isatty()
    try:
        async for text in reply.texts():
            if not as_json:
                _put(text, terminal)
    finally:
        # Whatever comes behind, an error or the shell's prompt, begins on a line of its own.
        if reply.text and not as_json and not reply.text.endswith("\n"):
            _put("\n", terminal)
    if reply.error is not None:
        raise Failed(reply.error, mend)
    if not reply.text and (why := reply.silence()):
        raise Failed(why, "Word it differently, or ask another model: dragoman models list")
    if as_json:
        print_json(reply.summary())
        return
    if answer.losses:
        say(f"({answer.target} could not be told: {', '.join(answer.losses)}.)")
    if reply.finish == "length":
        say("(The answer was cut off at its greatest length; see --max-tokens.)")


def _put(text: str, terminal: bool) -> None:
    from dragoman.cli.output import printable

    sys.stdout.write(printable(text) if terminal else text)
    sys.stdout.flush()
