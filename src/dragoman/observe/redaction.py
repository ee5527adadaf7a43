"""Secrets out of texts: upstream error messages before a caller sees them, log lines before they are written.

Two nets: the secrets we know (vendor keys, our own keys), wherever and however they stand; and what looks like a key by shape,
for those we don't know (a caller's foreign key in a path, a vendor that echoes a token).
"""

import json
import re
from collections.abc import Iterable
from typing import overload
from urllib.parse import quote

MASK = "[redacted]"

SHORTEST_SECRET = 8
"""Shorter known secrets are placeholders (`none`, `ollama`); masking them would tear up ordinary words."""

# A text without any of these words, folded to lower case, can't match a shape below. Searching for words is far faster than the
# expression. They are chosen so that a request's log line holds none of them.
_PROBES = (
    *("sk-", "sk_", "pk-", "pk_", "rk-", "rk_", "dgm_", "aiza", "aq.", "ya29.", "gsk_", "xai-", "hf_", "akia", "eyj"),
    *("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "bearer ", "basic ", "://", "key=", "token=", "signature="),
    *("api-key", "api_key", "apikey", "access_token", "access-token", "accesstoken"),
)

# A group is what stays before the mask. Values end at whitespace, quotes, commas and the like, so that a masked
# JSON line is still JSON. Callers write some of the texts that are searched, so no shape may take time that grows with the
# square of a text: a run of characters is walked once (possessive), or is bounded where a shape can begin inside of it.
_SHAPES = r"""
  (?<![A-Za-z0-9])(?:
      (?:sk|pk|rk)[-_][A-Za-z0-9_\-]{12,}      # OpenAI, Anthropic (sk-ant-), OpenRouter (sk-or-), Stripe-like
    | dgm_[A-Za-z0-9_\-]{6,}                   # our own
    | AIza[A-Za-z0-9_\-]{16,}                  # Google API keys
    | AQ\.[A-Za-z0-9_\-]{16,}                  # Google's newer ones
    | ya29\.[A-Za-z0-9_\-.]{10,}               # Google OAuth
    | (?:gsk_|xai-|hf_|gh[pousr]_)[A-Za-z0-9_\-]{12,}
    | AKIA[A-Z0-9]{12,}
    | eyJ[A-Za-z0-9_\-]{8,512}+\.[A-Za-z0-9_\-]{8,8192}+\.[A-Za-z0-9_\-]*
  )
  | ( \b(?i:bearer)\ + ) [A-Za-z0-9_\-.~+/]+=*
  | ( \b(?i:basic)\ + ) (?=[A-Za-z]*[A-Z0-9+/=]) [A-Za-z0-9+/]{8,}=*
  | ( (?<![A-Za-z0-9])(?i:api[_-]?key|access[_-]?token|auth[_-]?token|key|token|signature) = )
      [^\s"'\\&;,<>()\[\]{}]+
  | ( (?i:x-goog-api-key|x-api-key|api[_-]?key|access[_-]?token)\\?["']?\ ?:\ ?\\?["']? )
      (?! [\s"'\\] ) [A-Za-z0-9_\-.~+/]{8,}=*
  | ( :// ) [^\s/?\#"'\\@<>]++ (?=@)         # userinfo of a URL
"""


class Redactor:
    """Replaces every known secret, and what has a key's shape, by `[redacted]`; other text comes back as the same object.

    Secrets are found as they are, as JSON escapes them, and percent-encoded. Immutable: after a reload make a new one.
    """

    __slots__ = ("_byte_needles", "_byte_probes", "_byte_shapes", "_needles", "_shapes")

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        spelled: set[str] = set()
        for secret in secrets:
            if len(secret) >= SHORTEST_SECRET:
                spelled |= {
                    secret,
                    json.dumps(secret)[1:-1],
                    json.dumps(secret, ensure_ascii=False)[1:-1],
                    quote(secret, safe=""),
                }
        # The longest first: one secret may begin with another.
        self._needles = tuple(sorted(spelled, key=lambda secret: (-len(secret), secret)))
        self._byte_needles = tuple(needle.encode() for needle in self._needles)
        self._byte_probes = tuple(probe.encode() for probe in _PROBES)
        self._shapes = re.compile(_SHAPES, re.VERBOSE | re.ASCII)
        self._byte_shapes = re.compile(_SHAPES.encode(), re.VERBOSE)

    @overload
    def __call__(self, text: str) -> str: ...
    @overload
    def __call__(self, text: bytes) -> bytes: ...
    def __call__(self, text: str | bytes) -> str | bytes:
        """`text` without its secrets."""
        if isinstance(text, bytes):
            return self._bytes(text)
        for needle in self._needles:
            if needle in text:
                text = text.replace(needle, MASK)
        folded = text.lower()
        for probe in _PROBES:
            if probe in folded:
                return self._shapes.sub(_masked, text)
        return text

    def _bytes(self, text: bytes) -> bytes:
        for needle in self._byte_needles:
            if needle in text:
                text = text.replace(needle, MASK.encode())
        folded = text.lower()
        for probe in self._byte_probes:
            if probe in folded:
                return self._byte_shapes.sub(_masked_bytes, text)
        return text


def _masked(match: re.Match[str]) -> str:
    return (match[match.lastindex] if match.lastindex else "") + MASK


def _masked_bytes(match: re.Match[bytes]) -> bytes:
    return (match[match.lastindex] if match.lastindex else b"") + MASK.encode()
