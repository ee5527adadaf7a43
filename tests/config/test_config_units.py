"""Durations, sizes and money, there and back; patterns that meet; references inside text."""

from __future__ import annotations

from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from dragoman.config.check import overlap
from dragoman.config.interpolate import Unresolved, interpolate
from dragoman.config.units import (
    read_duration,
    read_money,
    read_size,
    read_whole,
    write_duration,
    write_size,
)


@pytest.mark.parametrize(
    ("text", "seconds", "shown"),
    [
        ("30s", 30, "30s"),
        ("5m", 300, "5m"),
        ("2h", 7200, "2h"),
        ("1d", 86400, "1d"),
        ("1h30m", 5400, "90m"),
        ("250ms", 0.25, "250ms"),
        ("1.5s", 1.5, "1500ms"),
        (7, 7, "7s"),
        (0.5, 0.5, "500ms"),
        ("12", 12, "12s"),
        ("0.0001s", 0.0001, "0.0001s"),
    ],
)
def test_duration(text: object, seconds: float, shown: str) -> None:
    assert read_duration(text) == seconds
    assert write_duration(seconds) == shown
    assert read_duration(shown) == seconds


@pytest.mark.parametrize("value", ["", "s", "5 m", "-1s", "1w", True, None, [], float("nan"), float("inf"), 0, 10**400])
def test_no_duration(value: object) -> None:
    with pytest.raises(PydanticCustomError):
        read_duration(value)


@pytest.mark.parametrize(
    ("text", "size", "shown"),
    [
        ("32MiB", 33554432, "32MiB"),
        ("1MB", 1_000_000, "1MB"),
        ("1.5 KiB", 1536, "1536B"),
        ("512b", 512, "512B"),
        (2048, 2048, "2KiB"),
        ("77", 77, "77B"),
        ("1gib", 2**30, "1GiB"),
    ],
)
def test_size(text: object, size: int, shown: str) -> None:
    assert read_size(text) == size
    assert write_size(size) == shown
    assert read_size(shown) == size


@pytest.mark.parametrize("value", ["", "MiB", "1M", "-1", 0, True, 1.5, None, "1TB", "9" * 15 + "GiB"])
def test_no_size(value: object) -> None:
    with pytest.raises(PydanticCustomError):
        read_size(value)


@pytest.mark.parametrize(("value", "amount"), [("2.50", "2.50"), (0.3, "0.3"), (3, "3"), (0.1, "0.1")])
def test_money(value: object, amount: str) -> None:
    assert str(read_money(value)) == amount
    assert isinstance(read_money(value), Decimal)


@pytest.mark.parametrize("value", ["", "$1", "-1", "nan", "inf", True, None, "1e-30", "1e30", []])
def test_no_money(value: object) -> None:
    with pytest.raises(PydanticCustomError):
        read_money(value)


@pytest.mark.parametrize("value", ["", "1.0", 1.0, True, None, "١", "1_000", 10**30])
def test_no_whole_number(value: object) -> None:
    with pytest.raises(PydanticCustomError):
        read_whole(value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain $HOME $", "plain $HOME $"),
        ("${A}", "1"),
        ("x${A}y${B}z", "x1y2z"),
        ("${NONE:-}", ""),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY}", ""),
        ("${NONE:-${A}}", "1"),
        ("${NONE:-${NONE:-deep}}", "deep"),
        ("${A:-${NONE}}", "1"),
        ("$${A}", "${A}"),
        ("$$${A}", "$${A}"),
        ("${RAW}", "${A}"),
        ("a}b", "a}b"),
        ("${file:secret}", "s3cret"),
        ("${file:${NONE:-secret}}", "s3cret"),
        ("${file:windows}", "s3cret"),
        ("${file:two}", "s3cret\n"),
    ],
)
def test_interpolation(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "secret").write_bytes(b"s3cret\n")
    (tmp_path / "windows").write_bytes(b"s3cret\r\n")
    (tmp_path / "two").write_bytes(b"s3cret\n\n")
    env = {"A": "1", "B": "2", "EMPTY": "", "RAW": "${A}"}
    assert interpolate(text, env, tmp_path).text == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${NONE}", "variable NONE is not set"),
        ("${}", "has a reference without a variable's name"),
        ("${1A}", "has a reference without a variable's name"),
        ("${A", "has ${ without a closing brace"),
        ("${A:-x", "has ${ without a closing brace"),
        ("${NONE:-x", "has ${ without a closing brace"),
        ("${A:?x}", "has a reference to A that is not understood"),
        ("${file:}", "has ${file:} without a path"),
        ("${file:.}", "file . is not a regular file"),
        ("${file:/dev/zero}", "file /dev/zero is not a regular file"),
        ("${file:big}", "file big is larger than 64 KiB"),
        ("${file:binary}", "file binary is not UTF-8 text"),
        ("${file:a\0b}", "file named here cannot be read (not a file name)"),
        ("${N:-" * 50 + "}" * 50, "nests references too deeply"),
    ],
)
def test_no_interpolation(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "big").write_bytes(b"x" * 70_000)
    (tmp_path / "binary").write_bytes(b"\xff")
    with pytest.raises(Unresolved) as caught:
        interpolate(text, {"A": "1"}, tmp_path)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("left", "right", "meets"),
    [
        ("gpt-*", "gpt-5", True),
        ("gpt-*", "*-mini", True),
        ("gpt-?", "gpt-5", True),
        ("gpt-?", "gpt-55", False),
        ("gemini-*", "gpt-*", False),
        ("*", "*", True),
        ("a*b*c", "aXc", False),
        ("[ag]pt", "gpt", True),
        ("", "*", True),
        ("", "a", False),
    ],
)
def test_overlap(left: str, right: str, meets: bool) -> None:
    assert overlap(left, right) is meets
    assert overlap(right, left) is meets


@settings(deadline=None)
@given(st.text("ab*?", max_size=8), st.text("ab", max_size=8))
def test_overlap_agrees_with_fnmatch(pattern: str, name: str) -> None:
    assert overlap(pattern, name) is fnmatchcase(name, pattern)


@settings(deadline=None)
@given(st.floats(min_value=1e-6, max_value=366 * 86400))
def test_durations_survive_showing(seconds: float) -> None:
    assert abs(read_duration(write_duration(seconds)) - seconds) <= 1e-6
