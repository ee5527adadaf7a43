"""What a model answers, piece by piece. `index` is the candidate; `call` is a dense ordinal of tool calls within it."""

from msgspec import Struct

from dragoman.ir.errors import DragomanError
from dragoman.ir.parts import Deed, Extra, Media, Opaque, Signature
from dragoman.ir.response import Block, Citation, Finish, TokenLogprob
from dragoman.ir.usage import Usage


class Started(Struct, frozen=True, gc=False):
    """The vendor began to answer; at most once, before all others."""

    id: str
    model: str
    created: int = 0
    service_tier: str | None = None


class TextDelta(Struct, frozen=True, gc=False):
    """More text. An empty text with a signature is a signature of the text before it."""

    index: int
    text: str
    signature: Signature | None = None


class ThoughtDelta(Struct, frozen=True, gc=False):
    index: int
    text: str
    signature: Signature | None = None
    redacted: str | None = None
    raw: bool = False


class RefusalDelta(Struct, frozen=True, gc=False):
    index: int
    text: str


class ToolCallStarted(Struct, frozen=True, gc=False):
    """`id` is `""` where the vendor gave none."""

    index: int
    call: int
    id: str
    name: str
    signature: Signature | None = None


class ToolCallDelta(Struct, frozen=True, gc=False):
    """More of the arguments' JSON text."""

    index: int
    call: int
    arguments: str


class PartAdded(Struct, frozen=True):
    """A whole part that does not come in pieces."""

    index: int
    part: Media | Deed | Opaque


class CitationAdded(Struct, frozen=True):
    """Words that have been told already rest on a page."""

    index: int
    citation: Citation


class LogprobsDelta(Struct, frozen=True):
    index: int
    logprobs: tuple[TokenLogprob, ...]


class ExtrasAdded(Struct, frozen=True):
    index: int
    extras: tuple[Extra, ...]


class Finished(Struct, frozen=True, gc=False):
    """The candidate ended; exactly once for each."""

    index: int
    finish: Finish


class Blocked(Struct, frozen=True, gc=False):
    block: Block


class UsageReported(Struct, frozen=True, gc=False):
    """Counts so far; the last one holds."""

    usage: Usage


class Failed(Struct, frozen=True):
    """The vendor reported an error inside the stream; nothing follows."""

    error: DragomanError


Event = (
    Started
    | TextDelta
    | ThoughtDelta
    | RefusalDelta
    | ToolCallStarted
    | ToolCallDelta
    | PartAdded
    | CitationAdded
    | LogprobsDelta
    | ExtrasAdded
    | Finished
    | Blocked
    | UsageReported
    | Failed
)
