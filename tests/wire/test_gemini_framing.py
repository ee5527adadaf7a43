"""Google's framing: events that end in CRLF CRLF, and the JSON array that comes in pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.ir import UpstreamBroken
from dragoman.wire.array import ArraySplitter
from dragoman.wire.sse import EventSplitter, payload


def split(data: bytes, size: int) -> tuple[list[bytes], bytes]:
    splitter = EventSplitter()
    events: list[bytes] = []
    for at in range(0, len(data), size):
        events += splitter.feed(data[at : at + size])
    return events, splitter.pending


def said(events: list[bytes]) -> list[bytes]:
    return [data for data in map(payload, events) if data]


_PIECES = st.lists(st.sampled_from([b"data: a", b"data:b", b": c", b"\r\n", b"\n", b"\r", b"", b"x"]), max_size=20)


@given(_PIECES, st.integers(1, 9))
def test_splitting_loses_nothing_and_does_not_depend_on_the_pieces(pieces: list[bytes], size: int) -> None:
    data = b"".join(pieces)
    events, pending = split(data, size)
    assert b"".join(events) + pending == data
    whole, rest = split(data, max(1, len(data)))
    assert b"".join(whole) + rest == data
    assert said([*events, pending]) == said([*whole, rest])


@pytest.mark.parametrize("newline", [b"\r\n", b"\n", b"\r"])
def test_events(newline: bytes) -> None:
    data = b"data: a" + newline * 2 + b"data: b" + newline + b"data: c" + newline * 2
    for size in (1, 2, 3, len(data)):
        events, pending = split(data + b"data: d", size)
        assert [payload(event) for event in events] == [b"a", b"b\nc"]
        assert payload(pending) == b"d"


def test_an_array_in_any_pieces() -> None:
    elements = [b'{"a":"]}\\"{["}', b"[1,[2]]", '{"b":"巴"}'.encode()]
    data = b" [" + b"\n,\r\n".join(elements) + b"\n]\n"
    for size in range(1, len(data)):
        splitter = ArraySplitter()
        found: list[bytes] = []
        passed = b""
        held = b""
        for at in range(0, len(data), size):
            held += data[at : at + size]
            found += splitter.feed(data[at : at + size])
            whole = len(held) - len(splitter.pending)
            passed, held = passed + held[:whole], held[whole:]
        assert found == elements
        assert splitter.closed
        assert passed + held == data


def test_what_is_no_array() -> None:
    with pytest.raises(UpstreamBroken):
        ArraySplitter().feed(b'{"a":1}')
    with pytest.raises(UpstreamBroken):
        ArraySplitter(limit=10).feed(b'[{"a":"xxxxxxxxxxxx')
