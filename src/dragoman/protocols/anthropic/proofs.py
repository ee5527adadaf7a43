"""Signatures in Anthropic's fields: its own as they are, another maker's sealed, and a mark where there is none.

A caller hands thinking back as it got it, so `thinking.signature` and `redacted_thinking.data` are where every maker's proof
travels. The signature of a foreign call or text is a `redacted_thinking` block directly before it; a thought that nobody
signed has the mark. All of these begin alike, so that none of them ever reaches Anthropic, which refuses the whole request
(400 "Invalid `signature` in `thinking` block").
"""

from dragoman.ir import Signature, Thought
from dragoman.wire.envelope import seal, unseal

# What every text begins with that stands in Anthropic's place and is not Anthropic's.
TAG = "dg1."
UNSIGNED = "dg1.none"
# The name of a signature that is a redacted thought's whole content, where another protocol carries it.
REDACTED = "redacted"


def write_proof(signature: Signature | None) -> str:
    if signature is None:
        return UNSIGNED
    return signature.data if signature.maker == "anthropic" else seal(signature)


def read_proof(text: str) -> Signature | None:
    """None where nobody signed."""
    if text.startswith(TAG):
        return unseal(text)
    return Signature("anthropic", text) if text else None


def redacted_in(thought: Thought) -> str | None:
    """What `redacted_thinking` holds; None for a thought that is none such. Only Anthropic redacts."""
    if thought.redacted is not None:
        return thought.redacted
    signature = thought.signature
    if signature is not None and signature.maker == "anthropic" and signature.id == REDACTED:
        return signature.data
    return None


def is_foreign(text: object) -> bool:
    """Whether Anthropic cannot have written it; an empty proof is nobody's."""
    return type(text) is not str or not text or text.startswith(TAG)
