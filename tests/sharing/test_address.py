"""Where Valkey is, as settings say it."""

from __future__ import annotations

import pytest

from dragoman.sharing import Address, address_of


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
