"""Base64 and data: URLs, as Messages wants them: the standard alphabet, a mime it names."""

import base64
import binascii
import re
from urllib.parse import unquote_to_bytes

_BASE64 = re.compile(r"[A-Za-z0-9+/_=\s-]*")
# What the first characters of base64 say of the bytes (magic numbers).
_MAGIC = (
    ("iVBORw0KGgo", "image/png"),
    ("/9j/", "image/jpeg"),
    ("R0lGOD", "image/gif"),
    ("JVBERi", "application/pdf"),
)
IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp")


def is_base64(data: str) -> bool:
    return _BASE64.fullmatch(data) is not None


def sniff(data: str) -> str:
    """The mime that base64 text betrays; `""` where it betrays none."""
    if data.startswith("UklGR") and bytes_of(data[:24])[8:12] == b"WEBP":
        return "image/webp"
    return next((mime for start, mime in _MAGIC if data.startswith(start)), "")


def standard(data: str) -> str:
    """The base64 in the standard alphabet with its padding."""
    if "-" in data or "_" in data:
        data = data.replace("-", "+").replace("_", "/")
    if "\n" in data or " " in data or "\r" in data:
        data = "".join(data.split())
    return data + "=" * (-len(data) % 4) if len(data) % 4 else data


def split_data_url(url: str) -> tuple[str, str]:
    """(mime or "", base64) of a `data:` URL."""
    head, _, body = url[5:].partition(",")
    mime, *parameters = (piece.strip().lower() for piece in head.split(";"))
    if "base64" in parameters:
        return mime, unquote_to_bytes(body).decode("latin-1") if "%" in body else body
    return mime or "text/plain", encoded(unquote_to_bytes(body))


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def bytes_of(data: str) -> bytes:
    """What base64 text stands for; nothing where it is none."""
    try:
        return base64.b64decode(standard(data))
    except (binascii.Error, ValueError):
        return b""
