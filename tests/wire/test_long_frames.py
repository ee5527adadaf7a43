"""What is kept in pieces because it is long comes out as if it had been kept whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.ir import UpstreamBroken
from dragoman.wire import array, sse

_EVENTS = st.lists(
    st.sampled_from([b"data: a", b": c", b"\r\n", b"\n", b"\r", b"x", b"\n\n", b"\r\n\r\n"]), max_size=20
)
_ITEMS = st.lists(
    st.sampled_from([b"[", b"]", b"{", b"}", b'"', b"\\", b"x", b",", b'{"a":"}\\""}', b"\r\n", b"[1]"]), max_size=20
)


def feed(splitter: sse.EventSplitter | array.ArraySplitter, pieces: list[bytes]) -> tuple[list[bytes], bytes]:
    return [found for piece in pieces for found in splitter.feed(piece)], splitter.pending


@given(_EVENTS)
def test_long_events(pieces: list[bytes]) -> None:
    wanted = feed(sse.EventSplitter(), pieces)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sse, "_LONG", 1)
        assert feed(sse.EventSplitter(), pieces) == wanted


@given(_ITEMS)
def test_long_elements(pieces: list[bytes]) -> None:
    pieces = [b"[", *pieces]
    wanted = feed(array.ArraySplitter(), pieces)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(array, "_LONG", 1)
        splitter = array.ArraySplitter()
        assert feed(splitter, pieces) == wanted
        assert splitter.size == len(splitter.pending)


@pytest.mark.parametrize("make", [sse.EventSplitter, array.ArraySplitter])
def test_pieces_count_towards_the_bound(
    make: type[sse.EventSplitter | array.ArraySplitter], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "_LONG", 10)
    monkeypatch.setattr(array, "_LONG", 10)
    splitter = make(100)
    splitter.feed(b'["' + b"x" * 20)
    for _ in range(7):
        splitter.feed(b"x" * 10)
    with pytest.raises(UpstreamBroken):
        splitter.feed(b"x" * 10)


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("step", [1, 512, 16 * 1024])
def test_each_line_of_an_event_is_walked_a_few_times_at_most(
    newline: bytes, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = 20_000
    event = (b"data: 12345" + newline) * lines + newline
    walked = 0
    walk = sse._next_newline

    def counted(data: bytes, at: int) -> int:
        nonlocal walked
        walked += 1
        return walk(data, at)

    monkeypatch.setattr(sse, "_next_newline", counted)
    splitter = sse.EventSplitter()
    found = [e for at in range(0, len(event), step) for e in splitter.feed(event[at : at + step])]
    assert b"".join(found) + splitter.pending == event
    assert [e.strip() for e in found] == [event.strip()]
    # Its beginning is walked with each read until it is a long one; with reads of a byte that is what it is.
    assert walked < 2 * lines + (sse._LONG // 10 * sse._LONG // step)
