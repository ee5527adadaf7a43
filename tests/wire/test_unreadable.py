"""A body that is no JSON is refused in words that lead to the place, in each protocol's way of writing it."""

import json
from typing import Any

import pytest

from dragoman.ir import BadRequest
from dragoman.protocols.base import Route
from dragoman.protocols.known import PROTOCOLS
from dragoman.wire.json import decode_object
from dragoman.wire.unreadable import refusal_of

HUGE = b"9" * 5000


@pytest.mark.parametrize(
    ("body", "param", "why"),
    [
        (b'{"a":1e400}', "a", "out of range"),
        (b'{"a":{"b":[1,-1e999]}}', "a.b[1]", "out of range"),
        (b'{"a":%b}' % HUGE, "a", "out of range"),
        (b'{"a":["x","\\ud800"]}', "a[1]", "\\ud800 is half of a surrogate pair"),
        (b'{"a":"\\udc00x"}', "a", "\\udc00 is half of a surrogate pair"),
        (b'{"a":"\\ud83d\\u0041"}', "a", "\\ud83d is half of a surrogate pair"),
        (b'{"a":{"\\ud800":1}}', "a", "in a member's name"),
        (b'{"\\ud800":1}', None, "in a member's name"),
        (b'{"a":NaN}', "a", "NaN is no number"),
        (b'{"a":-Infinity}', "a", "-Infinity is no number"),
        (b'{"a":"\xff"}', None, "the byte 0xff at 6 belongs to no UTF-8 character"),
        ('{"a":"ü'.encode() + b"\xed\xa0\x80" + b'"}', None, "the byte 0xed at 8 "),
        (b'{"a":1', None, "truncated"),
        (b"\n ", None, "empty"),
        (b'{"%b":1e400}' % (b"k" * 5000), "k" * 199 + "…", "out of range"),
    ],
)
def test_said_where(body: bytes, param: str | None, why: str) -> None:
    with pytest.raises(BadRequest) as caught:
        decode_object(body)
    assert (caught.value.param, caught.value.code) == (param, "invalid_json")
    assert why in caught.value.message and "$[" not in caught.value.message and len(caught.value.message) < 500


def test_what_is_long_or_deep_is_not_looked_into() -> None:
    for body in (b'{"a":1e400,"b":"%b"}' % (b"x" * (1 << 20)), b'{"a":' * 100_000 + b"1e400"):
        with pytest.raises(BadRequest) as caught:
            decode_object(body)
        assert caught.value.param is None and "$[" not in caught.value.message


@pytest.mark.parametrize("value", [b"1e400", HUGE, b'"\\ud800"'])
@pytest.mark.parametrize(
    ("protocol", "body", "param"),
    [
        ("openai-chat", b'{"model":"m","messages":[{"role":"user","content":%b}]}', "messages[0].content"),
        ("openai-responses", b'{"model":"m","input":[{"role":"user","content":%b}]}', "input[0].content"),
        ("anthropic", b'{"model":"m","max_tokens":5,"messages":[{"role":"user","content":%b}]}', "messages.0.content"),
        ("gemini", b'{"contents":[{"parts":[{"text":%b}]}]}', "contents[0].parts[0].text"),
    ],
)
def test_in_the_callers_own_protocol(protocol: str, body: bytes, param: str, value: bytes) -> None:
    route = Route("generate", "m" if protocol == "gemini" else None)
    with pytest.raises(BadRequest) as caught:
        PROTOCOLS[protocol].read_request(body % value, route)
    assert caught.value.param == param
    status, _, told = PROTOCOLS[protocol].write_error(caught.value, route)
    message: Any = json.loads(told)["error"]["message"]
    assert status == 400 and param in message


def test_a_value_that_is_json_after_all_is_not_blamed() -> None:
    error = refusal_of(b'{"a":"\\ud83d\\ude00"}', ValueError("something else"))
    assert (error.param, error.message) == (None, "The request body is not valid JSON: something else.")
