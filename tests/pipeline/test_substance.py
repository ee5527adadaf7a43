"""Empty successes: which are answers and which are not."""

import pytest

from dragoman.ir import Block, Candidate, Finish, Finished, Response, Started, Text, TextDelta, UpstreamBroken
from dragoman.pipeline.substance import check_answer, check_first_events


def _response(*candidates: Candidate, block: Block | None = None) -> Response:
    return Response("id", "model", candidates, block=block)


@pytest.mark.parametrize("reason", ["malformed_call", "no_media", "other"])
def test_an_empty_answer_that_went_wrong_is_an_error(reason: str) -> None:
    finish = Finish(reason, native="NATIVE_WORD", message="what happened")  # type: ignore[arg-type]
    with pytest.raises(UpstreamBroken, match=r"NATIVE_WORD: what happened") as caught:
        check_answer(_response(Candidate(0, (), finish)), "google")
    assert caught.value.code == "empty_answer"
    with pytest.raises(UpstreamBroken):
        check_first_events([Started("id", "model"), Finished(0, finish)], "google")


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter", "refusal", "tool_calls"])
def test_an_empty_answer_may_be_one(reason: str) -> None:
    finish = Finish(reason)  # type: ignore[arg-type]
    check_answer(_response(Candidate(0, (), finish)), "google")
    assert check_first_events([Started("id", "model"), Finished(0, finish)], "google")


def test_what_says_something_is_an_answer() -> None:
    wrong = Finish("malformed_call")
    check_answer(_response(Candidate(0, (Text("so far"),), wrong)), "google")
    check_answer(_response(Candidate(0, (), wrong), Candidate(1, (Text("yes"),), Finish("stop"))), "google")
    check_answer(_response(block=Block("safety")), "google")
    assert check_first_events([Started("id", "model"), TextDelta(0, "so far"), Finished(0, wrong)], "google")
    assert not check_first_events([Started("id", "model")], "google")
