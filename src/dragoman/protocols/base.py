"""What every protocol offers, as caller's side and as vendor's side.

As the caller's side: `match` knows its routes, `read_request` reads a call, `write_response` and `stream_writer` answer it,
`write_error` refuses it. As the vendor's side: `write_request` asks, `read_response` and `stream_reader` understand the
answer, `read_error` a refusal. Where both sides are the same protocol nothing is translated: `peek` finds what routing must
know, `forward` gives the bytes on, `tap` and `read_usage` watch the answer go by.
"""

import re
from collections.abc import Sequence
from typing import Any, ClassVar, Literal
from typing import Protocol as Interface

from msgspec import UNSET, Raw, Struct, UnsetType

from dragoman.catalog.profile import Profile
from dragoman.ir import DragomanError, Event, Loss, Losses, Request, Response, Spelling, UpstreamRefused, Usage
from dragoman.limits import Standing

_WORD = re.compile(rb'"([A-Za-z_]{1,32})"')

Operation = Literal[
    "generate",
    "count_tokens",
    "list_models",
    "get_model",
    "get_response",
    "delete_response",
    "cancel_response",
    "list_input_items",
]
Headers = list[tuple[bytes, bytes]]


class Route(Struct, frozen=True, gc=False):
    """A caller's URL, understood. `model` is the one in the path (None where the body names it); `stream` is None where
    the body decides; `array` asks for Gemini's JSON array instead of server-sent events; `item` is the id of a thing that we
    keep (a response)."""

    operation: Operation
    model: str | None = None
    stream: bool | None = None
    array: bool = False
    item: str | None = None


class Peek(Struct, frozen=True, gc=False):
    """What routing and limits must know of a body: the model's name, whether the answer streams, and whether a streaming caller
    asked for token counts; `bound` is the most tokens that each of `answers` may have, None where the caller sets none; `tier`
    is the service tier that it asks for."""

    model: str
    stream: bool
    include_usage: bool = True
    bound: int | None = None
    answers: int = 1
    tier: str | None = None


def word_in(*members: Raw | UnsetType) -> str | None:
    """The first of a body's members that is a plain word, in lower case, for `Peek`; as `count_in`."""
    for member in members:
        if member is not UNSET and (found := _WORD.fullmatch(bytes(member))) is not None:
            return found[1].decode().lower()
    return None


def count_in(*members: Raw | UnsetType) -> int | None:
    """The first of a body's members that is a count, for `Peek`; None where none is. What else it may be is said by who reads it.

    Never decoded with the body around it: that would refuse numbers of hundreds of digits without saying where they stand."""
    for member in members:
        if member is not UNSET:
            text = bytes(member)
            if text.isdigit() and len(text) < 10:
                return int(text)
    return None


class Outgoing(Struct, frozen=True, gc=False):
    """A call ready for a vendor: `path` (with query) goes behind the provider's base URL. `losses` are those of a body that was
    forwarded; a written one's are told beside it."""

    path: str
    body: bytes
    stream: bool
    losses: tuple[Loss, ...] = ()


class Stamp(Struct, frozen=True, gc=False):
    """What an answer of ours is stamped with: an id, Unix seconds, and the model's name as the caller may show it."""

    id: str
    created: int
    model: str


class ModelCard(Struct, frozen=True):
    """A model as listed to callers. Token limits are None where unknown."""

    id: str
    owner: str
    created: int
    display_name: str
    description: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None


class StreamReader(Interface):
    """Reads a vendor's streamed bytes, in whatever pieces they come."""

    def feed(self, data: bytes) -> list[Event]: ...

    def end(self) -> list[Event]:
        """The vendor closed the stream in good order. Raises UpstreamBroken when the answer was not finished."""
        ...

    @property
    def usage(self) -> Usage | None:
        """The last counts of a stream that was cut; None where its events have told them."""
        ...


class StreamWriter(Interface):
    """Writes a stream for the caller. Whatever order it is called in, the bytes joined are a valid stream.

    `losses` are what of the events it had no place for."""

    content_type: bytes
    losses: Losses

    def write(self, events: Sequence[Event]) -> bytes: ...

    def end(self) -> bytes:
        """The last bytes of a finished answer."""
        ...

    def fail(self, error: DragomanError) -> bytes:
        """The last bytes of a broken one: an error as this protocol tells it inside a stream."""
        ...


class Tap(Interface):
    """Watches a same-protocol stream go by. `usage` holds the last counts seen; `finished` whether the answer was whole;
    `failed` the error the vendor reported inside the stream, if it did; `started` whether any output was seen, or the end of an
    answer that has none: what comes before only says that an answer begins; `ended` whether the event went by after which no
    caller waits for more. Of a stream that has none only its end tells."""

    usage: Usage | None
    finished: bool
    failed: DragomanError | None
    started: bool
    ended: bool

    def feed(self, data: bytes) -> bytes:
        """What goes on to the caller now: whole events only, their bytes as they came. Raises UpstreamBroken for an event without
        end, and for one that is no JSON before any output was seen."""
        ...

    def end(self) -> bytes: ...

    def fail(self, error: DragomanError) -> bytes:
        """The last bytes after a break: an error as this protocol tells it inside a stream, fitting what was fed so far."""
        ...


class WireProtocol(Interface):
    name: ClassVar[str]
    # The family whose signatures and extras this protocol carries: gemini, openai or anthropic.
    family: ClassVar[str]
    spelling: ClassVar[Spelling]
    # What the ids of its answers begin with.
    id_prefix: ClassVar[str]
    # What may stand between two events of a stream and says nothing, as the protocol's clients take it.
    sign_of_life: ClassVar[bytes]
    # The names of functions that its vendors take; others are changed before a request is written, and back in the answer.
    tool_names: ClassVar[re.Pattern[str]]
    # The headers of a caller's, in lower case, that go on to a vendor of the same protocol.
    passed_headers: ClassVar[tuple[bytes, ...]]

    # the caller's side
    def match(self, path: str, query: bytes) -> Route | None:
        """The route of a POST path (percent-decoded), or None where it is not ours. Raises NotFound or BadRequest for a path
        that is ours but names no model or no method that we know."""
        ...

    def peek(self, body: bytes, route: Route) -> Peek:
        """Checks that the body is a JSON object and names what it must. Raises BadRequest."""
        ...

    def read_request(self, body: bytes, route: Route) -> Request:
        """Raises BadRequest with the path of the bad field."""
        ...

    def write_response(self, response: Response, request: Request, stamp: Stamp, losses: Losses) -> bytes: ...

    def stream_writer(self, request: Request, stamp: Stamp, route: Route) -> StreamWriter: ...

    def write_error(self, error: DragomanError, route: Route | None) -> tuple[int, Headers, bytes]:
        """Status, headers (content-type, retry-after and the like) and body."""
        ...

    def write_standing(self, standing: Standing, when: float) -> Headers:
        """The headers that tell callers what is left of their limits; `when` is the time now, in Unix seconds."""
        ...

    def write_count(self, tokens: int) -> bytes: ...

    def write_models(self, models: Sequence[ModelCard]) -> bytes: ...

    def write_model(self, model: ModelCard) -> bytes: ...

    # the vendor's side
    def write_request(self, request: Request, model: str, profile: Profile, losses: Losses) -> Outgoing:
        """`model` is the vendor's own name. Raises BadRequest where the request cannot be carried at all."""
        ...

    def write_count_request(self, request: Request, model: str, profile: Profile, losses: Losses) -> Outgoing | None:
        """The call that counts the tokens of `request`; None where the protocol has none."""
        ...

    def read_count(self, body: bytes) -> int:
        """The tokens in the answer to that call. Raises as read_response does."""
        ...

    def read_response(self, body: bytes) -> Response:
        """Raises UpstreamRefused for an error inside a 200, UpstreamBroken for anything that is no answer."""
        ...

    def stream_reader(self) -> StreamReader: ...

    def read_error(self, status: int, headers: Headers, body: bytes) -> UpstreamRefused:
        """Never raises: HTML and garbage become a message too."""
        ...

    # the same protocol on both sides
    def forward(self, body: bytes, peek: Peek, route: Route, model: str, profile: Profile) -> Outgoing:
        """The caller's bytes for the vendor's `model`, changed in nothing but the model's name, the spellings the vendor is
        known to refuse, and the asking for token counts that metering needs."""
        ...

    def read_usage(self, body: bytes) -> Usage | None:
        """The counts of a one-shot answer. Raises as read_response does for errors inside a 200 and for garbage."""
        ...

    def tap(self, peek: Peek, route: Route) -> Tap: ...


Json = dict[str, Any]
