"""What translation costs by itself, for every pair of protocols: pure CPU, so it is timed in this process, without sockets.

The yardstick is the same exchange where both sides speak the caller's protocol and nothing is translated.
"""

from __future__ import annotations

import json
import timeit
from collections.abc import Callable
from dataclasses import dataclass

from bench import payloads
from bench.figures import Results, Row
from dragoman.catalog.profile import profile_for
from dragoman.ir import Losses
from dragoman.protocols.base import Route, Stamp, WireProtocol
from dragoman.protocols.known import PROTOCOLS

ONE_SHOT_MOST = 32.0  # µs over the untranslated path
STREAM_MOST = 200.0
# A history ten times as long may cost ten times as much, and a little for the noise.
GROWTH_MOST = 13.0

_REPEATS = 15


@dataclass(frozen=True)
class Exchange:
    """A model, and what is said with it in its protocol: about 1 KB `asked` and `answered`, `streamed` in pieces as they come in;
    `long` makes a request of so many turns."""

    model: str
    asked: bytes
    asked_streaming: bytes
    answered: bytes
    streamed: list[bytes]
    long: Callable[[int], bytes]


def _exchanges() -> dict[str, Exchange]:
    chat, gemini, claude = payloads.CHAT_MODEL, payloads.GEMINI_MODEL, payloads.ANTHROPIC_MODEL
    return {
        "gemini": Exchange(
            gemini,
            payloads.gemini_request(),
            payloads.gemini_request(),
            payloads.gemini_answer(),
            payloads.in_writes(payloads.gemini_events()),
            _long_gemini,
        ),
        "openai-chat": Exchange(
            chat,
            payloads.chat_request(chat),
            payloads.chat_request(chat, stream=True),
            payloads.chat_answer(),
            payloads.in_writes(payloads.chat_events()),
            _long_chat,
        ),
        "openai-responses": Exchange(
            chat,
            payloads.responses_request(chat),
            payloads.responses_request(chat, stream=True),
            payloads.responses_answer(),
            payloads.in_writes(payloads.responses_events()),
            _long_responses,
        ),
        "anthropic": Exchange(
            claude,
            payloads.anthropic_request(claude),
            payloads.anthropic_request(claude, stream=True),
            payloads.anthropic_answer(),
            payloads.in_writes(payloads.anthropic_events()),
            _long_anthropic,
        ),
    }


def run(results: Results, say: Callable[[str], None]) -> None:
    """Adds a row for each of the twelve cross pairs, and one for the cost of long histories."""
    exchanges = _exchanges()
    for caller in exchanges:
        own, own_stream = _time(untranslated(caller, exchanges)), _time(untranslated_stream(caller, exchanges))
        for vendor in exchanges:
            if vendor == caller:
                continue
            say(f"translation, {caller} to {vendor}")
            whole = _time(translated(caller, vendor, exchanges)) - own
            stream = _time(translated_stream(caller, vendor, exchanges)) - own_stream
            results.rows.append(
                Row(
                    f"pairs, {caller} to {vendor}",
                    f"translation alone, {caller} caller, {vendor} model",
                    f"1 KB {whole:.0f} µs, 100 events {stream:.0f} µs",
                    f"untranslated {own:.0f} µs, {own_stream:.0f} µs",
                    "",
                    f"≤ {ONE_SHOT_MOST:.0f} µs and ≤ {STREAM_MOST:.0f} µs over",
                    whole <= ONE_SHOT_MOST and stream <= STREAM_MOST,
                )
            )
    say("translation, a history of 1 MB")
    _history(results, exchanges)


def _history(results: Results, exchanges: dict[str, Exchange]) -> None:
    worst = (0.0, "", 0.0)
    for caller in exchanges:
        for vendor in exchanges:
            if vendor != caller:
                short, long = (_time(asked(caller, vendor, exchanges, turns), 3) for turns in (100, 1000))
                worst = max(worst, (long / short, f"{caller} to {vendor}", long))
    growth, pair, took = worst
    results.rows.append(
        Row(
            "pairs, history",
            f"a history of 1 MB translated, beside one of 0.1 MB (the worst pair: {pair})",
            f"{took / 1000:.1f} ms",
            "",
            f"{growth:.1f} ×",
            f"≤ {GROWTH_MOST:.0f} ×",
            growth <= GROWTH_MOST,
        )
    )


def _time(work: Callable[[], object], number: int = 100) -> float:
    """Microseconds, the best of several: what disturbs only ever adds."""
    work()
    return min(timeit.repeat(work, number=number, repeat=_REPEATS)) / number * 1e6


def _route(protocol: WireProtocol, model: str, *, stream: bool) -> Route:
    return Route("generate", model, stream) if protocol.name == "gemini" else Route("generate")


def untranslated(caller: str, exchanges: dict[str, Exchange]) -> Callable[[], object]:
    protocol, said = PROTOCOLS[caller], exchanges[caller]
    route = _route(protocol, said.model, stream=False)
    profile = profile_for(caller, said.model)

    def work() -> object:
        peeked = protocol.peek(said.asked, route)
        protocol.forward(said.asked, peeked, route, said.model, profile)
        return protocol.read_usage(said.answered)

    return work


def translated(caller: str, vendor: str, exchanges: dict[str, Exchange]) -> Callable[[], bytes]:
    ours, theirs = PROTOCOLS[caller], PROTOCOLS[vendor]
    said, answer = exchanges[caller], exchanges[vendor]
    route = _route(ours, said.model, stream=False)
    profile = profile_for(vendor, answer.model)

    def work() -> bytes:
        ours.peek(said.asked, route)
        request = ours.read_request(said.asked, route)
        theirs.write_request(request, answer.model, profile, Losses(ours.spelling))
        response = theirs.read_response(answer.answered)
        return ours.write_response(response, request, Stamp("x", 1, answer.model), Losses(ours.spelling))

    return work


def untranslated_stream(caller: str, exchanges: dict[str, Exchange]) -> Callable[[], object]:
    protocol, said = PROTOCOLS[caller], exchanges[caller]
    route = _route(protocol, said.model, stream=True)
    profile = profile_for(caller, said.model)

    def work() -> object:
        peeked = protocol.peek(said.asked_streaming, route)
        protocol.forward(said.asked_streaming, peeked, route, said.model, profile)
        tap = protocol.tap(peeked, route)
        for piece in said.streamed:
            tap.feed(piece)
        return tap.end()

    return work


def translated_stream(caller: str, vendor: str, exchanges: dict[str, Exchange]) -> Callable[[], bytes]:
    ours, theirs = PROTOCOLS[caller], PROTOCOLS[vendor]
    said, answer = exchanges[caller], exchanges[vendor]
    route = _route(ours, said.model, stream=True)
    profile = profile_for(vendor, answer.model)

    def work() -> bytes:
        ours.peek(said.asked_streaming, route)
        request = ours.read_request(said.asked_streaming, route)
        theirs.write_request(request, answer.model, profile, Losses(ours.spelling))
        reader, writer = theirs.stream_reader(), ours.stream_writer(request, Stamp("x", 1, answer.model), route)
        out = [writer.write(reader.feed(piece)) for piece in answer.streamed]
        out += (writer.write(reader.end()), writer.end())
        return b"".join(out)

    return work


def asked(caller: str, vendor: str, exchanges: dict[str, Exchange], turns: int) -> Callable[[], object]:
    """Only the request, of so many turns of about 1 KB."""
    ours, theirs = PROTOCOLS[caller], PROTOCOLS[vendor]
    said, answer = exchanges[caller], exchanges[vendor]
    body = said.long(turns)
    route = _route(ours, said.model, stream=False)
    profile = profile_for(vendor, answer.model)

    def work() -> object:
        request = ours.read_request(body, route)
        return theirs.write_request(request, answer.model, profile, Losses(ours.spelling))

    return work


def _long(turns: int, user: str, assistant: str, turn: Callable[[str, str], object]) -> list[object]:
    return [turn(assistant if number % 2 else user, payloads.prose(960)) for number in range(turns - turns % 2 + 1)]


def _long_chat(turns: int) -> bytes:
    said = _long(turns, "user", "assistant", lambda role, text: {"role": role, "content": text})
    return json.dumps({"model": payloads.CHAT_MODEL, "messages": said}).encode()


def _long_gemini(turns: int) -> bytes:
    said = _long(turns, "user", "model", lambda role, text: {"role": role, "parts": [{"text": text}]})
    return json.dumps({"contents": said}).encode()


def _long_responses(turns: int) -> bytes:
    said = _long(turns, "user", "assistant", lambda role, text: {"role": role, "content": text})
    return json.dumps({"model": payloads.CHAT_MODEL, "input": said}).encode()


def _long_anthropic(turns: int) -> bytes:
    said = _long(turns, "user", "assistant", lambda role, text: {"role": role, "content": text})
    return json.dumps({"model": payloads.ANTHROPIC_MODEL, "max_tokens": 512, "messages": said}).encode()
