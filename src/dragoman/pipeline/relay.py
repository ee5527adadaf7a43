"""Relay: the vendor's answer on its way to the caller, byte for byte where both speak the same protocol, else translated."""

from __future__ import annotations

import asyncio
from math import inf
from time import monotonic, perf_counter

from dragoman.ir import (
    DragomanError,
    Event,
    Failed,
    Losses,
    Response,
    Started,
    Text,
    UpstreamBroken,
    UsageReported,
)
from dragoman.pipeline.attempt import upstream_error
from dragoman.pipeline.call import Call
from dragoman.pipeline.caller import Caller
from dragoman.pipeline.carrying import unpack, unpack_events
from dragoman.pipeline.closing import CLOSING, shutting_down
from dragoman.pipeline.commit import Opening
from dragoman.pipeline.conceal import conceal
from dragoman.pipeline.estimate import characters
from dragoman.pipeline.gateway import Gateway
from dragoman.pipeline.pulse import Pulse
from dragoman.pipeline.record import record
from dragoman.pipeline.step import Step
from dragoman.pipeline.substance import check_answer, check_first_events
from dragoman.protocols.base import Headers, Stamp, StreamWriter
from dragoman.upstream.base import IncomingResponse
from dragoman.upstream.errors import TransportError
from dragoman.wire import json

_MAX_ANSWER = 256 * 1024 * 1024
_JSON = b"application/json"
_EVENTS = b"text/event-stream"


async def relay(call: Call, caller: Caller, gateway: Gateway, step: Step, response: IncomingResponse) -> None:
    """Gives the whole answer to the caller. Raises UpstreamError, after which `caller.started` says whether any of it left."""
    pulse = Pulse(call, caller) if call.stream else None
    try:
        if not call.stream:
            await _relay_whole(call, caller, gateway, step, response)
        elif step.same:
            await _relay_stream_untouched(call, caller, gateway, step, response)
        else:
            await _relay_stream_translated(call, caller, gateway, step, response)
    finally:
        response.close()
        if pulse is not None:
            pulse.end()


async def _chunk(call: Call, step: Step, response: IncomingResponse, opening: Opening) -> bytes | None:
    """None where what is held has waited long enough for more."""
    began = perf_counter()
    try:
        if opening.until is not inf:
            return await response.chunk_within(opening.until - monotonic())
        return await response.chunk()
    except TransportError as error:
        raise upstream_error(error, call, step) from None
    except asyncio.CancelledError as cancelled:
        if cancelled.args == CLOSING:
            raise shutting_down() from None
        raise
    finally:
        call.upstream += perf_counter() - began


async def _whole(call: Call, step: Step, response: IncomingResponse) -> bytes:
    began = perf_counter()
    try:
        return await response.read(_MAX_ANSWER)
    except TransportError as error:
        raise upstream_error(error, call, step) from None
    finally:
        call.upstream += perf_counter() - began


async def _relay_whole(call: Call, caller: Caller, gateway: Gateway, step: Step, response: IncomingResponse) -> None:
    body = call.answer = await _whole(call, step, response)
    if (kind := content_type(response)) != _JSON:
        _expect(kind, (_JSON,), step)
    neutral = None
    if step.same:
        call.usage = step.protocol.read_usage(body)
        answer = body
    else:
        neutral = step.protocol.read_response(body)
        call.usage = neutral.usage
        check_answer(neutral, step.target.provider)
        if call.inward is not None:
            neutral = await unpack(call, call.inward, neutral)
        assert call.protocol is not None and call.request is not None
        losses = Losses(call.protocol.spelling)
        answer = call.protocol.write_response(neutral, call.request, stamp(call, neutral.model), losses)
        call.keep(losses)
    if call.state is not None:
        await call.state.keep(call, answer)
    if wants_output_text(call, caller):
        answer = _with_output_text(answer, step.protocol.read_response(body))
    if call.usage is None and call.route is not None and call.route.operation == "generate":
        call.heard.characters = characters(neutral if neutral is not None else step.protocol.read_response(body))
    call.status = 200
    call.first_byte = perf_counter()
    record(call, gateway)
    await caller.answer(200, [(b"content-type", _JSON), *call.headers()], answer)


async def _relay_stream_untouched(
    call: Call, caller: Caller, gateway: Gateway, step: Step, response: IncomingResponse
) -> None:
    assert call.peek is not None and call.route is not None
    await _check_stream(call, step, response)
    tap = step.protocol.tap(call.peek, call.route)
    opening = Opening()
    try:
        while (data := await _chunk(call, step, response, opening)) != b"":
            if data is None:
                out = opening.end()
            else:
                if call.route.array and not opening.begun and data.lstrip()[:1] not in (b"[", b""):
                    await _no_array(call, step, response, data)
                out = tap.feed(data)
                if call.state is not None:
                    await call.state.keep_streamed(call, tap)
                if tap.failed is not None:
                    if not caller.started:
                        raise tap.failed
                    out = call.snapshot.redactor(out)
                    _note(call, tap.failed)
                if not opening.over:
                    # A JSON array that is no answer is only known by what is in it, too.
                    out = opening.end() + out if tap.started else out and opening.hold(out, monotonic())
            if out:
                call.heard.add(out)
            if tap.ended or tap.failed is not None:
                call.usage = tap.usage
                _record_stream(call, gateway)
            if out:
                await _pass_on(call, caller, content_type(response), out)
        out = opening.end() + tap.end()
        if call.state is not None:
            await call.state.keep_streamed(call, tap)
        if not caller.started:
            if tap.failed is not None:
                raise tap.failed
            if not tap.finished:
                raise _incomplete(step)
        if out:
            call.heard.add(out)
            await _pass_on(call, caller, content_type(response), out)
        if not tap.finished and tap.failed is None:
            raise _incomplete(step)
    except DragomanError as error:
        if not caller.started:
            raise
        _note(call, error)
        call.usage = tap.usage
        record(call, gateway)
        await caller.write(tap.fail(error))
    finally:
        call.usage = tap.usage
    record(call, gateway)
    await caller.finish()


def _incomplete(step: Step) -> UpstreamBroken:
    return UpstreamBroken(f"The provider {step.target.provider!r} ended the stream before the answer was complete.")


async def _relay_stream_translated(
    call: Call, caller: Caller, gateway: Gateway, step: Step, response: IncomingResponse
) -> None:
    await _check_stream(call, step, response)
    reader = step.protocol.stream_reader()
    writer: StreamWriter | None = None
    opening = Opening()
    ended = False
    try:
        while not ended:
            data = await _chunk(call, step, response, opening)
            if data is None:
                # Where the caller's protocol has no word yet for what has come, it learns at least that the answer begins.
                assert writer is not None and call.protocol is not None
                held = opening.end()
                await _pass_on(call, caller, writer.content_type, held)
                if not held:
                    caller.nudge(call.protocol.sign_of_life)
                continue
            ended = not data
            events = reader.end() if ended else reader.feed(data)
            if not events:
                continue
            failed = _watch(call, events)
            if failed is not None:
                if not caller.started:
                    raise failed
                _note(call, failed)
            says_something = opening.over or check_first_events(events, step.target.provider)
            if call.inward is not None:
                events = await unpack_events(call, call.inward, events)
            if writer is None:
                writer = _writer(call, events, step)
            out = writer.write(events)
            if not opening.over:
                out = opening.end() + out if says_something else opening.hold(out, monotonic())
            if out:
                call.heard.add(out)
            if failed is not None:
                _keep_losses(call, writer)
                record(call, gateway)
            if out:
                await _pass_on(call, caller, writer.content_type, out)
            if failed is not None:
                await caller.finish()
                return
        if writer is None:
            raise UpstreamBroken(f"The provider {step.target.provider!r} sent an empty stream.")
        out = opening.end() + writer.end()
        if call.state is not None:
            await call.state.keep_streamed(call, writer)
        _keep_losses(call, writer)
        _record_stream(call, gateway)
        if out:
            await _pass_on(call, caller, writer.content_type, out)
    except DragomanError as error:
        if not caller.started or writer is None:
            raise
        _note(call, error)
        call.usage = reader.usage or call.usage
        _keep_losses(call, writer)
        record(call, gateway)
        await caller.write(writer.fail(error))
    finally:
        call.usage = call.usage if ended else reader.usage or call.usage
        if writer is not None:
            _keep_losses(call, writer)
    await caller.finish()


def _watch(call: Call, events: list[Event]) -> DragomanError | None:
    failed = None
    for event in events:
        kind = type(event)
        if kind is UsageReported:
            call.usage = event.usage  # type: ignore[union-attr]
        elif kind is Failed:
            failed = event.error  # type: ignore[union-attr]
    return failed


def _writer(call: Call, events: list[Event], step: Step) -> StreamWriter:
    assert call.protocol is not None and call.request is not None and call.route is not None
    first = events[0]
    model = first.model if isinstance(first, Started) else ""
    return call.protocol.stream_writer(call.request, stamp(call, model or step.target.model), call.route)


async def _pass_on(call: Call, caller: Caller, kind: bytes, out: bytes) -> None:
    if not caller.started:
        call.status = 200
        call.first_byte = perf_counter()
        headers: Headers = [
            (b"content-type", kind),
            (b"cache-control", b"no-cache"),
            (b"x-accel-buffering", b"no"),  # nginx in front of us must not hold events back
            *call.headers(),
        ]
        await caller.start(200, headers)
    await caller.write(out)


def _keep_losses(call: Call, writer: StreamWriter) -> None:
    if writer.losses.found:
        call.keep_once(writer.losses)
        writer.losses.found.clear()


def _record_stream(call: Call, gateway: Gateway) -> None:
    """Before the end of the stream is passed on, which may be all of it."""
    if call.first_byte is None:
        call.status = 200
        call.first_byte = perf_counter()
    record(call, gateway)


def _note(call: Call, error: DragomanError) -> None:
    """The answer ends with an error of which the caller has begun to read the answer."""
    conceal(error, call.snapshot.redactor)
    call.error = error.code or "upstream_error"


def stamp(call: Call, model: str) -> Stamp:
    """The model's name is the vendor's own word for what answered, so that nobody takes one model for another."""
    assert call.protocol is not None
    answer = call.protocol.id_prefix + call.id.removeprefix("req_")
    return Stamp(answer, int(call.when), model or (call.step.target.model if call.step else call.model))


def content_type(response: IncomingResponse) -> bytes:
    for name, value in response.headers:
        if name == b"content-type":
            return value
    return _JSON


async def _no_array(call: Call, step: Step, response: IncomingResponse, begun: bytes) -> None:
    """Something else where the vendor was to stream an array: perhaps an error, which stands alone."""
    step.protocol.read_usage(begun + await _whole(call, step, response))
    raise UpstreamBroken(f"The provider {step.target.provider!r} sent something other than a stream.")


async def _check_stream(call: Call, step: Step, response: IncomingResponse) -> None:
    """A 200 that is no stream is an error in disguise, or no answer of the vendor's API at all."""
    assert call.route is not None
    bare = content_type(response).partition(b";")[0].strip().lower()
    if bare == _EVENTS or (call.route.array and step.same and bare == _JSON):
        return
    if bare == _JSON:
        step.protocol.read_response(await _whole(call, step, response))
    _expect(bare, (_EVENTS,), step)


def _expect(kind: bytes, wanted: tuple[bytes, ...], step: Step) -> None:
    bare = kind.partition(b";")[0].strip().lower()
    if bare not in wanted:
        raise UpstreamBroken(
            f"The provider {step.target.provider!r} answered with {bare.decode('latin-1')!r} "
            f"in place of {wanted[0].decode()!r}; is its base_url right?"
        )


def wants_output_text(call: Call, caller: Caller) -> bool:
    if call.route is None or call.route.operation != "generate":
        return False
    if call.state is not None:  # an answer of Responses has an `output` of its own
        return False
    extras = caller.headers.get(b"x-dragoman-extras")
    return extras is not None and b"output_text" in extras


def _with_output_text(answer: bytes, response: Response) -> bytes:
    """`"output": {"text": …}` put behind the normal answer's last field."""
    texts = (
        [part.text for part in response.candidates[0].parts if isinstance(part, Text)] if response.candidates else []
    )
    end = answer.rindex(b"}")
    return answer[:end].rstrip() + b',"output":' + json.encode({"text": "".join(texts)}) + answer[end:]
