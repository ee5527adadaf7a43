"""Read: the body, bounded in size and time, and what routing and limits must know of it."""

from __future__ import annotations

from dragoman.pipeline.admit import check_type
from dragoman.pipeline.call import Call
from dragoman.pipeline.caller import Caller


async def read(call: Call, caller: Caller) -> None:
    """Sets `body`, `peek` and what is in it. Raises UnsupportedMediaType, TooLarge, RequestTimeout, BadRequest."""
    assert call.protocol is not None and call.route is not None
    check_type(caller)
    call.strict = caller.headers.get(b"x-dragoman-strict", b"").lower() == b"true"
    if call.protocol.passed_headers:
        given = caller.headers
        call.passed = [(name, given[name]) for name in call.protocol.passed_headers if name in given]
    call.body = await caller.body(call.snapshot.max_body, call.snapshot.body_timeout)
    call.peek = call.protocol.peek(call.body, call.route)
    call.model = call.peek.model
    call.stream = call.peek.stream
