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
