"""Valkey's protocol, whole and byte by byte; and addresses."""

from __future__ import annotations

import pytest

from dragoman.sharing import Address, address_of
from dragoman.sharing.resp import Failure, Garbage, Replies, Reply, command

ANSWERS = b"+OK\r\n:-42\r\n$5\r\na\r\nbc\r\n$-1\r\n*3\r\n:1\r\n*1\r\n$0\r\n\r\n+x\r\n*0\r\n-ERR no\r\n"
MEANT: list[Reply] = [b"OK", -42, b"a\r\nbc", None, [1, [b""], b"x"], []]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_answers_are_read_however_they_are_cut(size: int) -> None:
    replies = Replies()
    found = [one for at in range(0, len(ANSWERS), size) for one in replies.feed(ANSWERS[at : at + size])]
    assert found[:-1] == MEANT
    assert isinstance(found[-1], Failure)
    assert found[-1].message == "ERR no"


@pytest.mark.parametrize("garbage", [b"HTTP/1.1 400 Bad Request\r\n", b":1x\r\n", b"$\r\n", b"\r\n"])
def test_what_is_no_answer_is_refused(garbage: bytes) -> None:
    with pytest.raises(Garbage):
        Replies().feed(garbage)


def test_a_command_counts_bytes() -> None:
    assert command("SET", "é", 7) == b"*3\r\n$3\r\nSET\r\n$2\r\n\xc3\xa9\r\n$1\r\n7\r\n"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("valkey://host", Address("host", 6379, 0, None, None, False, None)),
        ("redis://host:1234/5", Address("host", 1234, 5, None, None, False, None)),
        ("rediss://u:p%40s@host/", Address("host", 6379, 0, "u", "p@s", True, None)),
        ("valkeys://:p@[::1]:1?ssl_ca_certs=/ca.pem", Address("::1", 1, 0, None, "p", True, "/ca.pem")),
    ],
)
def test_addresses(url: str, address: Address) -> None:
    assert address_of(url) == address
    assert "p@s" not in str(address)


@pytest.mark.parametrize("url", ["valkey://", "valkey://host/one"])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(ValueError):
        address_of(url)
