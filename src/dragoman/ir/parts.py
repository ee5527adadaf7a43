"""What a turn is made of: text, thoughts, media, calls and their results."""

from typing import Any, Literal

from msgspec import Struct


class Signature(Struct, frozen=True, gc=False):
    """A vendor's opaque proof on a part, to be given back to that vendor unchanged and to nobody else.

    `maker` is the protocol family that made it (`gemini`, `anthropic`, `openai`); `data` is the text as it stood on the wire.
    `id` is the name of the thing signed, where the maker wants it back beside the proof (a Responses reasoning item's `rs_…`).
    """

    maker: str
    data: str
    id: str = ""


class Extra(Struct, frozen=True):
    """A field that only one vendor's protocol knows, or that no protocol of ours knows.

    `owner` is the protocol family that can carry it (`gemini`, `openai`, `anthropic`), or `""` for a field that nobody knows;
    `name` is its name in the owner's own body; `value` is plain JSON; `path` is where the caller (or vendor) wrote it.
    A writer of another family records a loss at `path`, marked harmless where the field was a mere hint.
    """

    owner: str
    name: str
    value: Any
    path: str
    harmless: bool = False


class Text(Struct, frozen=True):
    text: str
    signature: Signature | None = None
    extras: tuple[Extra, ...] = ()


class Thought(Struct, frozen=True):
    """Visible reasoning. `redacted` holds what a vendor returned encrypted in place of text; `raw` marks the model's own chain
    of thought, where the vendor tells it from a summary."""

    text: str
    signature: Signature | None = None
    redacted: str | None = None
    raw: bool = False
    extras: tuple[Extra, ...] = ()


class Media(Struct, frozen=True):
    """An image, sound, video or document.

    Exactly one of `data` (base64, any alphabet, padding optional), `url` (https, gs, or a vendor's file URI)
    and `file_id` (a vendor's handle) is set. `mime` is lower case, or `""` where the sender did not say.
    `detail` is `low`, `medium`, `high`, `auto` or None. `clip` is a video's (start, end, fps) as its sender wrote them.
    """

    mime: str
    data: str | None = None
    url: str | None = None
    file_id: str | None = None
    filename: str | None = None
    detail: str | None = None
    clip: tuple[str | None, str | None, float | None] | None = None
    thought: bool = False
    signature: Signature | None = None
    extras: tuple[Extra, ...] = ()

    @property
    def kind(self) -> Literal["image", "audio", "video", "document"]:
        head = self.mime.partition("/")[0]
        return head if head in ("image", "audio", "video") else "document"  # type: ignore[return-value]


class ToolCall(Struct, frozen=True):
    """A model's call of a function. `id` is `""` where the vendor gave none; `arguments` is JSON text of an object, or whatever
    else the model wrote in its place."""

    id: str
    name: str
    arguments: str = "{}"
    signature: Signature | None = None
    extras: tuple[Extra, ...] = ()


class ToolResult(Struct, frozen=True):
    """What the caller's function gave back: `content` is JSON text (`is_json`) or plain text; `media` rides beside it.

    `name` is the function's name, or `""` where the protocol gives only the call's id.
    """

    call_id: str
    name: str
    content: str
    is_json: bool = False
    is_error: bool = False
    media: tuple[Media, ...] = ()
    extras: tuple[Extra, ...] = ()


class Refusal(Struct, frozen=True):
    text: str


class CodeCall(Struct, frozen=True):
    """Code that the vendor's own tool runs."""

    code: str
    language: str = "python"
    id: str = ""
    signature: Signature | None = None


class CodeResult(Struct, frozen=True):
    """What that code gave: `outcome` is `ok`, `failed` or `timeout`."""

    output: str
    outcome: str = "ok"
    id: str = ""
    signature: Signature | None = None


class Source(Struct, frozen=True):
    """A page that a search found or a fetch read."""

    url: str
    title: str = ""
    extras: tuple[Extra, ...] = ()


class SearchCall(Struct, frozen=True):
    """A search of the web that the vendor's own tool made; `id` is `""` where the vendor gave none."""

    queries: tuple[str, ...]
    id: str = ""
    signature: Signature | None = None
    extras: tuple[Extra, ...] = ()


class SearchResult(Struct, frozen=True):
    """What that search found; `error` is the vendor's word for why it found nothing."""

    sources: tuple[Source, ...]
    call_id: str = ""
    error: str | None = None
    extras: tuple[Extra, ...] = ()


class FetchCall(Struct, frozen=True):
    """A page that the vendor's own tool read."""

    url: str
    id: str = ""
    signature: Signature | None = None
    extras: tuple[Extra, ...] = ()


class FetchResult(Struct, frozen=True):
    """What reading that page gave: `content` is its text, where the vendor shows it; `error` why there is none."""

    source: Source
    call_id: str = ""
    content: str | None = None
    error: str | None = None
    extras: tuple[Extra, ...] = ()


class Opaque(Struct, frozen=True):
    """A part that only its own protocol family understands; it goes back to that family as it came, else it is a loss."""

    owner: str
    value: Any
    what: str


# What a vendor's own tools did and gave; it comes whole, never in pieces.
Deed = CodeCall | CodeResult | SearchCall | SearchResult | FetchCall | FetchResult

Part = Text | Thought | Media | ToolCall | ToolResult | Refusal | Deed | Opaque
