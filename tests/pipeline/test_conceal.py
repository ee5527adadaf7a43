"""What a vendor says is bounded and without secrets, in every field of an error."""

from __future__ import annotations

import pytest

from dragoman.ir import UpstreamRefused
from dragoman.observe.redaction import Redactor
from dragoman.pipeline.conceal import conceal

SECRET = "the-vendors-very-own-secret"
REDACTOR = Redactor([SECRET])


def test_no_field_keeps_a_secret() -> None:
    error = UpstreamRefused(
        f"No: {SECRET}",
        param=f"keys.{SECRET}",
        code=f"bad_{SECRET}",
        details=[{"@type": "x", "metadata": {"key": SECRET, SECRET: 1}}],
    )
    conceal(error, REDACTOR)
    assert SECRET not in repr((error.message, error.param, error.code, error.details))
    assert error.message == "No: [redacted]"
    assert error.details[0]["@type"] == "x"


def test_what_is_harmless_stays() -> None:
    details = [{"@type": "x", "n": 1}]
    error = UpstreamRefused("No.", param="messages[0].content", code="context_length_exceeded", details=details)
    conceal(error, REDACTOR)
    assert (error.message, error.param, error.code) == ("No.", "messages[0].content", "context_length_exceeded")
    assert error.details is details


@pytest.mark.parametrize("code", ["x" * 65, "a b", "a\r\nb", "", "schlüssel", 'a"b'])
def test_a_code_is_a_word(code: str) -> None:
    error = UpstreamRefused("No.", code=code)
    conceal(error, REDACTOR)
    assert error.code == "upstream_error"


def test_a_message_has_a_bound() -> None:
    error = UpstreamRefused("x" * 1_000_000)
    conceal(error, REDACTOR)
    assert len(error.message) < 10_000 and error.message.endswith("…")


@pytest.mark.parametrize("before", range(16 * 1024 - len(SECRET), 16 * 1024 + 1))
def test_no_part_of_a_secret_is_shown_where_a_text_is_cut(before: int) -> None:
    # The first secrets shrink the text, so that the cut comes near to what is shown.
    told = (SECRET * 1000)[: before // len(SECRET) * len(SECRET)]
    error = UpstreamRefused(told + "x" * (before - len(told)) + SECRET + "y" * 10_000)
    conceal(error, REDACTOR)
    assert SECRET[:4] not in error.message and error.message.endswith("…")


def test_a_long_message_is_not_searched_to_its_end() -> None:
    searched: list[int] = []

    class Counting(Redactor):
        def __call__(self, text):  # type: ignore[no-untyped-def]
            searched.append(len(text))
            return super().__call__(text)

    error = UpstreamRefused("http://" + "a" * 1_000_000, param="p" * 1_000_000, details=[{"x": "y" * 1_000_000}])
    conceal(error, Counting())
    assert max(searched) <= 16 * 1024
    assert error.details == [] and len(error.param or "") == 256
