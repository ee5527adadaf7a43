"""One vendor's signature as text that fits a field of another's protocol: `dg1.<maker>.<id and data, base64url>`.

A caller hands back what it was given, so the maker's name travels with the proof: a signature must never reach a vendor that
did not make it. Which field carries the text is each protocol's own business.
"""

from base64 import urlsafe_b64encode
from binascii import Error, a2b_base64

from dragoman.ir.parts import Signature

_TAG = "dg1."
# Pictures carry the longest ones, of some 600,000 characters; what is longer than this is not ours.
_LONGEST = 16 * 1024 * 1024
_TO_STANDARD = str.maketrans("-_", "+/")


def seal(signature: Signature) -> str:
    """`signature` as text of `[A-Za-z0-9_.-]`."""
    plain = f"{signature.id}\0{signature.data}".encode()
    return f"{_TAG}{signature.maker}.{urlsafe_b64encode(plain).decode().rstrip('=')}"


def unseal(text: str) -> Signature | None:
    """The signature that `seal` made `text` of; None for any other text. Never raises."""
    if not text.startswith(_TAG) or len(text) > _LONGEST:
        return None
    maker, dot, packed = text[len(_TAG) :].partition(".")
    if not dot or not (maker.isascii() and maker.isalpha() and maker.islower()):
        return None
    try:
        plain = a2b_base64(packed.translate(_TO_STANDARD) + "=" * (-len(packed) % 4), strict_mode=True).decode()
    except (Error, ValueError):
        return None
    name, nul, data = plain.partition("\0")
    return Signature(maker, data, name) if nul and data else None
