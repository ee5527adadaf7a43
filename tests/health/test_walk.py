"""A request's way along its targets, with vendors that are played by plain functions and a clock that is set by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.health import Change, Failure, Health, Policy, TargetHealth, Use, Walk, failure_of
from dragoman.health.health import MOST_TARGETS
from dragoman.ir import (
    BadRequest,
    DragomanError,
    Overloaded,
    UpstreamBroken,
    UpstreamCredentials,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)

Vendor = Callable[[float, int], DragomanError | None]
"""What a call at that time with that credential comes to: an error, or None for an answer."""


def fine(now: float, credential: int) -> None:
    return None


def broken(now: float, credential: int) -> DragomanError:
    return UpstreamRefused("The moon is full.", status=503)


def gone(now: float, credential: int) -> DragomanError:
    return UpstreamUnreachable("Nobody there.")


def busy(seconds: float | None) -> Vendor:
    return lambda now, credential: UpstreamRefused("Slow down.", status=429, retry_after=seconds)


def refusing(status: int = 401, *bad: int) -> Vendor:
    def answer(now: float, credential: int) -> DragomanError | None:
        return UpstreamCredentials("Not this key.", vendor_status=status) if not bad or credential in bad else None

    return answer


class House:
    """A plan of targets `a`, `b`, `c`, each with its vendor and so many credentials."""

    def __init__(self, *vendors: Vendor, keys: int = 1, policy: Policy | None = None) -> None:
        self.now = 100.0
        self.heard: list[Change] = []
        self.health = Health(policy or Policy(), self.heard.append)
        self.vendors = list(vendors)
        self.names = "abcdefghij"[: len(vendors)]
        self.keys = keys
        self.calls: list[tuple[str, int]] = []
        self.chance = Random(3).random

    @property
    def targets(self) -> list[TargetHealth]:
        return [self.health.target(name, "m", self.keys, self.keys, self.now) for name in self.names]

    def ask(self, order: Sequence[int] | None = None) -> DragomanError | None:
        """One request. None where it was answered, by the target that was called last."""
        places = list(order or range(len(self.names)))
        targets = self.targets
        for target in targets:  # as the plan does
            if target.use(self.now) is not Use.YES:
                target.pass_over()
        walk = Walk([targets[place] for place in places], self.health.policy, self.now)
        self.calls = []
        while (found := walk.next(self.now, self.chance)) is not None:
            self.now += found.wait
            place = places[found.place]
            self.calls.append((self.names[place], found.credential))
            error = self.vendors[place](self.now, found.credential)
            self.now += 0.001
            if error is None:
                walk.succeeded(self.now)
                return None
            walk.failed(failure_of(error), error, self.now)
        told = walk.telling(self.now)
        assert told is not None
        return told

    @property
    def asked(self) -> str:
        return "".join(name for name, _ in self.calls)


def test_a_healthy_target_is_asked_and_nobody_else() -> None:
    house = House(fine, fine)
    assert house.ask() is None and house.asked == "a"


def test_the_next_target_first_and_then_the_same_again() -> None:
    answers = iter([broken(0, 0), None])
    house = House(lambda now, key: next(answers), broken)
    assert house.ask() is None and house.asked == "aba"


@pytest.mark.parametrize(
    "error", [UpstreamTimeout("Late."), UpstreamBroken("Cut."), UpstreamRefused("No.", status=500)]
)
def test_faults_go_to_the_next(error: DragomanError) -> None:
    house = House(lambda now, key: error, fine)
    assert house.ask() is None and house.asked == "ab"


@pytest.mark.parametrize("status", [400, 404, 409, 413, 422])
def test_what_is_the_callers_goes_nowhere_else(status: int) -> None:
    error = UpstreamRefused("That is no request.", status=status)
    house = House(lambda now, key: error, fine)
    assert house.ask() is error and house.asked == "a"
    assert house.targets[0].sound


@pytest.mark.parametrize(
    "error",
    [
        UpstreamRefused("No.", status=400, code="context_length_exceeded"),
        UpstreamRefused("prompt is too long: 210000 tokens > 200000 maximum", status=400),
        UpstreamRefused("The input token count (9) exceeds the maximum number of tokens allowed (8).", status=400),
        UpstreamRefused("Overloaded", status=400, code="overloaded"),
        UpstreamRefused("Overloaded", status=529, native="overloaded_error"),
        UpstreamRefused("Late.", status=408),
    ],
)
def test_what_another_model_can_take_goes_there(error: DragomanError) -> None:
    house = House(lambda now, key: error, fine)
    assert house.ask() is None and house.asked == "ab"


def test_a_dead_target_is_left_alone_and_is_told_of_once() -> None:
    house = House(broken, fine)
    for _ in range(5):
        assert house.ask() is None and house.asked == "ab"
    for _ in range(20):
        assert house.ask() is None and house.asked == "b"
    assert [(change.provider, change.to) for change in house.heard] == [("a", "open")]


def test_a_target_that_hangs_is_found_out_sooner() -> None:
    house = House(lambda now, key: UpstreamTimeout("Late."), fine)
    for _ in range(3):
        assert house.ask() is None and house.asked == "ab"
    assert house.ask() is None and house.asked == "b"


def test_the_last_resort_is_asked_rather_than_nobody() -> None:
    house = House(gone, gone)
    for _ in range(5):
        assert isinstance(house.ask(), UpstreamUnreachable)
    assert {target.breaker.state for target in house.targets} == {"open"}
    house.vendors = [gone, fine]
    assert house.ask() is None and house.asked == "ab"


def test_attempts_and_their_time_have_a_bound() -> None:
    house = House(broken, broken, broken)
    began = house.now
    assert house.ask() is not None
    # Each breaker opens at its fifth.
    assert len(house.calls) <= 13 + 2 and house.now - began < 10.0
    assert Counter(house.asked)["a"] <= 5
    patient = House(busy(0.5), policy=Policy(retries=3))
    assert patient.ask() is not None and len(patient.calls) == 4
    once = House(broken, broken, policy=Policy(retries=0))
    assert once.ask() is not None and once.asked == "ab"


def test_a_wait_that_was_asked_for_is_kept_whoever_else_fails() -> None:
    house = House(busy(30.0), fine)
    assert house.ask() is None and house.asked == "ab"
    house.vendors = [fine, broken]
    for _ in range(8):
        house.ask()
        assert "a" not in house.asked
    house.now += 30.0
    house.vendors = [fine, fine]
    assert house.ask() is None and house.asked == "a"


def test_where_all_ask_to_wait_the_shortest_wait_is_told_and_counts_down() -> None:
    house = House(busy(40.0), busy(20.0))
    told = house.ask()
    assert told is not None and (told.status, told.retry_after) == (429, pytest.approx(20.0, abs=0.1))
    house.now += 5.0
    told = house.ask()
    assert told is not None and (told.status, told.message) == (429, "Slow down.")
    assert told.retry_after == pytest.approx(15.0, abs=0.1) and not house.calls


def test_a_short_wait_is_waited_for_where_nobody_else_can_answer() -> None:
    answers = iter([busy(1.0)(0, 0), None])
    house = House(lambda now, key: next(answers))
    began = house.now
    assert house.ask() is None and house.asked == "aa"
    assert house.now - began >= 1.0


def test_a_429_without_a_word_is_told_with_one() -> None:
    house = House(busy(None))
    told = house.ask()
    assert told is not None and told.retry_after is not None and 0.5 < told.retry_after <= 1.0
    # It was our guess: where nobody else is there, the vendor is asked.
    house.vendors = [fine]
    assert house.ask() is None and house.targets[0].sound


def test_a_503_with_retry_after_is_kept_too() -> None:
    house = House(lambda now, key: UpstreamRefused("Overloaded.", status=503, retry_after=20.0))
    assert isinstance(house.ask(), UpstreamRefused)
    house.vendors = [fine]
    told = house.ask()
    assert told is not None and told.status == 503 and 19.0 < (told.retry_after or 0) <= 20.0 and not house.calls
    house.now += 20.0
    assert house.ask() is None


def test_every_credential_is_tried_before_the_next_target() -> None:
    house = House(busy(60.0), fine, keys=3)
    assert house.ask() is None
    assert house.asked == "aaab" and len({key for name, key in house.calls if name == "a"}) == 3


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_refused_credential_is_out_for_all_but_a_try_a_minute(status: int) -> None:
    house = House(refusing(status, 0), keys=2)
    used: Counter[int] = Counter()
    for _ in range(600):
        assert house.ask() is None
        used.update(key for _, key in house.calls)
        house.now += 0.199
    assert used[0] == 2 and used[1] == 600
    assert [(change.credential, change.to) for change in house.heard] == [(0, "refused")]
    house.vendors = [fine]
    house.now += 60.0
    for _ in range(2):
        assert house.ask() is None
    assert [change.to for change in house.heard] == ["refused", "accepted"]
    assert house.targets[0].sound


def test_a_bad_key_is_bad_for_all_models_and_a_forbidden_one_for_one() -> None:
    for status, sound in ((401, False), (403, True)):
        house = House(refusing(status))
        assert isinstance(house.ask(), UpstreamCredentials)
        assert house.health.target("a", "other", 1, 1, house.now).sound is sound


def test_one_requests_403_does_not_take_the_model_from_the_others() -> None:
    house = House(fine)
    assert house.ask() is None
    house.vendors = [refusing(403)]
    for _ in range(2):
        assert isinstance(house.ask(), UpstreamCredentials)
    house.vendors = [fine]
    assert house.ask() is None and house.targets[0].sound
    house.vendors = [refusing(403)]
    for _ in range(2):
        assert isinstance(house.ask(), UpstreamCredentials)
    assert not house.heard
    assert isinstance(house.ask(), UpstreamCredentials)
    assert [change.to for change in house.heard] == ["refused"]


def test_no_credential_left_is_told_only_where_none_is() -> None:
    house = House(refusing(), broken)
    assert isinstance(house.ask(), UpstreamRefused)
    house = House(refusing(), busy(50.0))
    for _ in range(2):
        told = house.ask()
        assert told is not None and told.status == 429
    house = House(refusing(), refusing(), keys=2)
    assert isinstance(house.ask(), UpstreamCredentials) and house.asked == "aabb"


def test_a_reload_gives_refused_credentials_another_chance_and_forgets_no_wait() -> None:
    house = House(refusing(), busy(50.0))
    house.ask()
    house.health.reload(house.health.policy)
    house.vendors = [fine, fine]
    assert house.targets[1].waits(house.now) is not None
    assert house.ask() is None and house.asked == "a"


def test_new_credentials_are_judged_anew() -> None:
    house = House(refusing())
    house.ask()
    house.keys = 2
    assert house.targets[0].sound


def test_full_is_nobodys_fault() -> None:
    house = House(lambda now, key: Overloaded("Busy.", retry_after=1.0), fine)
    for _ in range(20):
        assert house.ask() is None and house.asked == "ab"
    assert house.targets[0].sound


def test_what_does_not_fit_is_told_where_nothing_else_is() -> None:
    first, second = BadRequest("one"), BadRequest("two")
    house = House(fine, fine)
    walk = Walk(house.targets, house.health.policy, house.now)
    for error in (first, second):
        assert walk.next(house.now, house.chance) is not None
        walk.failed(Failure.UNFIT, error, house.now)
    assert walk.next(house.now, house.chance) is None and walk.telling(house.now) is first


def test_a_caller_who_leaves_makes_room_for_another_probe() -> None:
    house = House(broken, fine)
    for _ in range(5):
        house.ask()
    house.now += 20.0
    walk = Walk(house.targets, house.health.policy, house.now)
    assert walk.next(house.now, house.chance) is not None and not house.targets[0].breaker.may(house.now)
    walk.released()
    assert house.targets[0].breaker.may(house.now)


def test_without_memory_each_request_begins_anew() -> None:
    house = House(broken, fine, keys=2, policy=Policy(remember=False))
    keys = []
    for _ in range(40):
        assert house.ask() is None and house.asked == "ab"
        keys.append(house.calls[0][1])
    assert set(keys) == {0, 1}
    house.vendors = [refusing(), fine]
    assert house.ask() is None and house.asked == "aab"
    assert not house.heard


@pytest.mark.parametrize("rate", [1, 2, 10, 200])
def test_a_dead_target_gets_one_in_ten_at_most_and_a_mended_one_is_back_within_thirty_seconds(rate: int) -> None:
    dies, mends, end = 100.0 + 10, 100.0 + 100, 100.0 + 160
    house = House(lambda now, key: gone(now, key) if dies <= now < mends else None, fine)
    known, dead, back = 0, 0, None
    while house.now < end:
        before, is_known = house.now, any(change.to == "open" for change in house.heard)
        assert house.ask() is None
        if dies <= before < mends and is_known:
            known += 1
            dead += "a" in house.asked
        if before >= mends and back is None and house.targets[0].breaker.state == "closed":
            back = before
        house.now = max(house.now, before + 1 / rate)
    assert known and dead <= known / 10 + 1
    assert back is not None and back - mends <= 30.0
    if rate >= 2:
        assert back - mends <= 2 * house.health.policy.cool_down


def test_a_third_of_all_calls_failing_is_seen_by_nobody() -> None:
    """Three targets of which each fails three times in ten, at random and at five hundred requests a second."""
    chance = Random(11).random
    house = House(*[lambda now, key: broken(now, key) if chance() < 0.3 else None] * 3)
    seen = 0
    longest = 0.0
    calls = 0
    for n in range(30_000):
        began = house.now
        seen += house.ask([n % 3, (n + 1) % 3, (n + 2) % 3]) is not None
        calls += len(house.calls)
        longest = max(longest, house.now - began)
        house.now = began + 0.002
    assert seen == 0
    assert calls < 1.5 * 30_000 and longest < 3.0


_ENDS = st.sampled_from(
    ["fine", "fault", "gone", "wait", "wait-long", "wait-unsaid", "key", "forbidden", "caller", "full"]
)


@settings(max_examples=200, deadline=None)
@given(
    script=st.lists(st.tuples(st.floats(0.0, 10.0), st.lists(_ENDS, min_size=1, max_size=8)), min_size=1, max_size=20),
    count=st.integers(1, 3),
    keys=st.integers(1, 3),
)
def test_any_history(script: list[tuple[float, list[str]]], count: int, keys: int) -> None:
    """Whatever vendors do, a request ends: with an answer, or with an error that says something; nobody is asked in the time that
    it asked for; attempts are bounded; and the caller's own fault is told at once."""
    errors: dict[str, Callable[[], DragomanError]] = {
        "fault": lambda: UpstreamRefused("x", status=500),
        "gone": lambda: UpstreamUnreachable("x"),
        "wait": lambda: UpstreamRefused("x", status=429, retry_after=0.5),
        "wait-long": lambda: UpstreamRefused("x", status=429, retry_after=7.0),
        "wait-unsaid": lambda: UpstreamRefused("x", status=429),
        "key": lambda: UpstreamCredentials("x"),
        "forbidden": lambda: UpstreamCredentials("x", vendor_status=403),
        "caller": lambda: UpstreamRefused("x", status=400),
        "full": lambda: Overloaded("x"),
    }
    resting: dict[tuple[int, int], float] = {}
    plan: list[str] = []
    ended: list[str] = []

    def vendor(place: int) -> Vendor:
        def answer(now: float, credential: int) -> DragomanError | None:
            assert now >= resting.get((place, credential), 0.0) - 1e-6
            end = plan.pop(0) if plan else "fault"
            ended.append(end)
            if end == "fine":
                return None
            error = errors[end]()
            if end.startswith("wait-l") or end == "wait":
                assert error.retry_after is not None
                resting[place, credential] = now + error.retry_after
            return error

        return answer

    house = House(*map(vendor, range(count)), keys=keys)
    for pause, ends in script:
        house.now += pause
        plan[:], ended[:] = ends, []
        began = house.now
        told = house.ask()
        assert len(house.calls) <= count * keys + count + house.health.policy.retries
        assert house.now - began < 12.0
        assert (told is None) == (ended[-1:] == ["fine"])
        assert ended.count("caller") <= 1
        if "caller" in ended:
            assert ended[-1] == "caller" and told is not None and told.status == 400


def test_what_one_request_meets_again_and_again_counts_once() -> None:
    """Its own body may be what the vendor fails over."""
    house = House(broken)
    assert house.ask() is not None and len(house.calls) == 5
    assert house.targets[0].breaker.state == "closed"
    for _ in range(9):
        house.ask()
    assert house.targets[0].breaker.state == "open"


def test_what_does_not_count_leaves_the_target_as_it_was() -> None:
    house = House(broken)
    for _ in range(30):
        walk = Walk(house.targets, house.health.policy, house.now)
        assert walk.next(house.now, house.chance) is not None
        walk.failed(Failure.FAULT, UpstreamBroken("Cut."), house.now, counts=False)
    assert house.targets[0].sound


def test_invented_names_do_not_take_what_is_known_of_real_ones() -> None:
    house = House(fine)
    assert house.ask() is None
    house.vendors[0] = busy(60.0)
    assert house.ask() is not None and not house.targets[0].sound
    real = house.targets[0]
    for number in range(2 * MOST_TARGETS):
        invented = house.health.target("a", f"no-{number}", 1, 1, house.now)
        walk = Walk([invented], house.health.policy, house.now)
        assert walk.next(house.now, house.chance) is not None
        walk.failed(Failure.WAIT, UpstreamRefused("Slow down.", status=429, retry_after=60.0), house.now)
    assert house.targets[0] is real
    assert sum(len(provider.targets) for provider in house.health.providers()) <= MOST_TARGETS
