"""The store against a model of it that does nothing clever: bounded by bytes, each answer until its time, the longest unasked
out first."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.cache import Answer, Store, name_of, size_of
from dragoman.cache.store import HELD_SHARE, LARGEST_SHARE
from dragoman.ir import Loss

ROOM = 64 * 1024


def answer(size: int = 0, losses: tuple[Loss, ...] = ()) -> Answer:
    return Answer(0.0, True, (), (bytes(size),), "p/m", "openai-chat", losses)


def test_there_until_its_time_is_over() -> None:
    store, kept = Store(ROOM), answer()
    assert store.put(b"a", kept, until=10.0, now=0.0)
    assert store.get(b"a", 9.999) is kept
    assert store.get(b"b", 9.999) is None
    assert store.get(b"a", 10.0) is None
    assert (store.taken, len(store), store.evicted) == (0, 0, 0)


def test_who_was_asked_for_longest_ago_goes_first() -> None:
    one = size_of(answer(1000))
    store = Store(one * 10)
    for number in range(10):
        store.put(b"%d" % number, answer(1000), 100.0, float(number))
    assert store.get(b"0", 11.0)
    store.put(b"new", answer(1000), 100.0, 12.0)
    assert [store.get(b"%d" % number, 13.0) is not None for number in range(10)] == [True, False, *[True] * 8]
    assert store.evicted == 1


def test_an_answer_whose_time_is_over_is_not_told_as_evicted() -> None:
    store = Store(size_of(answer(1000)) * 8)
    for number in range(9):
        store.put(b"%d" % number, answer(1000), until=1.0 + number, now=0.0 if number < 8 else 5.0)
    assert (len(store), store.evicted) == (8, 0)


def test_what_is_too_large_is_not_kept_and_takes_nothing_from_others() -> None:
    store = Store(ROOM)
    store.put(b"a", answer(), 10.0, 0.0)
    assert not store.put(b"large", answer(ROOM // LARGEST_SHARE), 10.0, 0.0)
    assert store.get(b"a", 1.0) and not store.get(b"large", 1.0)


def test_no_room_keeps_nothing() -> None:
    store = Store(0)
    assert not store.put(b"a", answer(), 10.0, 0.0)
    assert not store.hold(1, 0.0)


def test_less_room_lets_go_of_what_no_longer_fits() -> None:
    one = size_of(answer(1000))
    store = Store(one * 10)
    for number in range(10):
        store.put(b"%d" % number, answer(1000), 100.0, 0.0)
    store.resize(one * 3, 1.0)
    assert (len(store), store.taken, store.evicted) == (3, one * 3, 7)


def test_losses_take_room_too() -> None:
    assert size_of(answer(10, (Loss("a" * 1000, "b" * 1000),))) > size_of(answer(10)) + 2000


@dataclass
class Kept:
    answer: Answer
    until: float
    asked: int


@settings(max_examples=300)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.integers(0, 12), st.integers(0, 9000), st.integers(0, 30)),
            st.tuples(st.just("get"), st.integers(0, 12), st.just(0), st.just(0)),
            st.tuples(st.just("hold"), st.integers(0, 20_000), st.just(0), st.just(0)),
            st.tuples(st.just("release"), st.just(0), st.just(0), st.just(0)),
            st.tuples(st.just("resize"), st.integers(0, 2 * ROOM), st.just(0), st.just(0)),
            st.tuples(st.just("pass"), st.integers(0, 10), st.just(0), st.just(0)),
        ),
        max_size=60,
    )
)
def test_as_a_plain_model_of_it(steps: list[tuple[str, int, int, int]]) -> None:
    store, now, turn = Store(ROOM), 0.0, 0
    kept: dict[int, Kept] = {}
    held: list[int] = []

    def shrink() -> None:
        while kept and sum(map(size_of, (one.answer for one in kept.values()))) + sum(held) > store.capacity:
            del kept[min(kept, key=lambda name: kept[name].asked)]

    for turn, (what, first, size, ttl) in enumerate(steps):
        match what:
            case "put":
                made = answer(size)
                kept.pop(first, None)
                if ttl and size_of(made) <= store.capacity // LARGEST_SHARE:
                    kept[first] = Kept(made, now + ttl, turn)
                shrink()
                assert store.put(b"%d" % first, made, now + ttl, now) == (first in kept)
            case "get":
                found = kept.get(first)
                if found is not None and found.until <= now:
                    del kept[first]
                    found = None
                if found is not None:
                    found.asked = turn
                assert store.get(b"%d" % first, now) is (found.answer if found else None)
            case "hold":
                fits = sum(held) + first <= store.capacity // HELD_SHARE
                assert store.hold(first, now) == fits
                if fits:
                    held.append(first)
                    shrink()
            case "release" if held:
                store.release(held.pop())
            case "resize":
                store.resize(first, now)
                shrink()
            case "pass":
                now += first
        assert len(store) == len(kept)
        assert store.taken == sum(size_of(one.answer) for one in kept.values()) + sum(held)
        if sum(held) <= store.capacity:
            assert store.taken <= store.capacity


TEXTS = st.text(max_size=5)
ABOUT = st.tuples(st.binary(max_size=4), TEXTS, TEXTS, st.booleans(), st.lists(st.tuples(st.binary(), st.binary())))


@given(ABOUT, st.binary(max_size=8), ABOUT, st.binary(max_size=8))
def test_two_requests_have_one_name_only_where_they_are_the_same(
    first: tuple[object, ...], first_body: bytes, second: tuple[object, ...], second_body: bytes
) -> None:
    same = (first, first_body) == (second, second_body)
    assert (name_of(first, first_body) == name_of(second, second_body)) == same


def test_a_body_cannot_pass_for_what_stands_before_it() -> None:
    assert name_of(("a", "b"), b"c") != name_of(("a",), b"\xa1bc") != name_of(("a", "bc"), b"")
