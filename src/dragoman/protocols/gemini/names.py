"""Function names. Gemini takes `[A-Za-z_][A-Za-z0-9_.:-]*` (docstring of FunctionDeclaration, google-genai 3.4.0).

A character that it refuses is written `_xHH_` (its UTF-8 bytes in hexadecimal) and read back from there, so that no table of
names need be kept between a request and its answer.
"""

import re

_LEGAL = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]*")
_ILLEGAL = re.compile(r"^[^A-Za-z_]|[^A-Za-z0-9_.:-]|_(?=x[0-9a-f]{2})")
_ESCAPED = re.compile(r"_x((?:[0-9a-f]{2})+)_")


def to_wire(name: str) -> str:
    if _LEGAL.fullmatch(name) and not ("_x" in name and _ESCAPED.search(name)):
        return name
    return _ILLEGAL.sub(lambda found: f"_x{found[0].encode('utf-8', 'replace').hex()}_", name)


def from_wire(name: str) -> str:
    return _ESCAPED.sub(_unescape, name) if "_x" in name else name


def _unescape(found: re.Match[str]) -> str:
    try:
        return bytes.fromhex(found[1]).decode()
    except ValueError:
        return found[0]
