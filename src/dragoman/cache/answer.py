"""A kept answer: the bytes that a caller got, in the pieces that it got them in, and what is to be told with them."""

from __future__ import annotations

from hashlib import sha256

import msgspec
from msgspec import Struct

from dragoman.ir import Loss

# What Python adds to each piece of bytes, and to an answer with its name and its place among the others.
PIECE_BYTES = 48
ANSWER_BYTES = 1024


class Answer(Struct, frozen=True, array_like=True):
    """Of status 200, and complete. `made` is in Unix seconds. `whole`: it was answered at once; else it is a stream, of one piece
    at least. `headers` are those of the content alone. `target` and `spoken` are the target's label and the protocol that it was
    asked in."""

    made: float
    whole: bool
    headers: tuple[tuple[bytes, bytes], ...]
    pieces: tuple[bytes, ...]
    target: str
    spoken: str
    losses: tuple[Loss, ...] = ()


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Answer).decode


def packed(answer: Answer) -> bytes:
    return _encode(answer)


def unpacked(data: bytes) -> Answer | None:
    """None where it is no answer, or one of another version."""
    try:
        return _decode(data)
    except msgspec.MsgspecError:
        return None


def size_of(answer: Answer) -> int:
    """The memory that it takes, about."""
    losses = sum(len(loss.path) + len(loss.why) + 2 * PIECE_BYTES for loss in answer.losses)
    return ANSWER_BYTES + losses + sum(len(piece) + PIECE_BYTES for piece in answer.pieces)


def name_of(about: tuple[object, ...], body: bytes) -> bytes:
    """What an answer is kept under: of two requests the same only where both arguments are equal."""
    # What says its own length comes first, so that nothing of the one can be taken for the other.
    name = sha256(_encode(about))
    name.update(body)
    return name.digest()
