"""Function names. OpenAI takes `^[a-zA-Z0-9_-]{1,64}$`; Gemini also takes dots and colons.

A character that OpenAI refuses is written `_xHH_` (its UTF-8 bytes in hexadecimal) and read back from there, so that no
table of names need be kept between a request and its answer.
"""

import re

_ILLEGAL = re.compile(r"[^a-zA-Z0-9_-]|_(?=x[0-9a-f]{2})")
_ESCAPED = re.compile(r"_x((?:[0-9a-f]{2})+)_")
_LEGAL = re.compile(r"[a-zA-Z0-9_-]+")
LONGEST = 64


def to_wire(name: str) -> str:
    if _LEGAL.fullmatch(name) and not _ESCAPED.search(name):
        return name
    return _ILLEGAL.sub(lambda found: f"_x{found[0].encode('utf-8', 'replace').hex()}_", name)


def from_wire(name: str) -> str:
    if "_x" not in name:
        return name
    return _ESCAPED.sub(_unescape, name)


def _unescape(found: re.Match[str]) -> str:
    try:
        return bytes.fromhex(found[1]).decode()
    except ValueError:
        return found[0]
