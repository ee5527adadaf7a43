"""A request's target, taken apart once: URLs repeat."""

from __future__ import annotations

from urllib.parse import unquote

import httptools

# Callers choose them, so what is remembered has a bound.
_MOST = 4096
_LONGEST = 512
seen_urls: dict[bytes, tuple[str, bytes, bytes]] = {}


def parse_url(url: bytes) -> tuple[str, bytes, bytes]:
    """Path (percent-decoded), path and query, for `seen_urls` to give the next time. Raises HttpParserError."""
    parsed = httptools.parse_url(url)
    raw_path: bytes = parsed.path or b"/"
    found = (unquote(raw_path.decode("ascii")), raw_path, parsed.query or b"")
    if len(seen_urls) < _MOST and len(url) < _LONGEST:
        seen_urls[url] = found
    return found
