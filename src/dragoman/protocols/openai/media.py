"""Pictures, sounds, videos and files inside messages: `data:` URLs, links and raw base64, read and written.

`data:[<mime>][;parameter=value…][;base64],<data>` (RFC 2397): the mime may be missing, parameters may precede `;base64`,
all of it in any case, and data without `;base64` is percent-encoded.
"""

import base64
import binascii
import re
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from dragoman.ir import Extra, Media
from dragoman.protocols.openai import fields

_AUDIO_MIMES = {
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "flac": "audio/flac",
    "opus": "audio/opus",
    "aac": "audio/aac",
    "ogg": "audio/ogg",
    "m4a": "audio/mp4",
    "webm": "audio/webm",
    "pcm16": "audio/pcm",
}
# What the first characters of base64 say of the bytes (magic numbers).
_MAGIC = (
    ("iVBORw0KGgo", "image/png"),
    ("/9j/", "image/jpeg"),
    ("R0lGOD", "image/gif"),
    ("JVBERi", "application/pdf"),
    ("SUQz", "audio/mpeg"),
    ("//uQ", "audio/mpeg"),
    ("//vQ", "audio/mpeg"),
    ("ZkxhQ", "audio/flac"),
    ("T2dnUw", "audio/ogg"),
)
_ENDINGS = {
    "mp4": "video/mp4",
    "m4v": "video/mp4",
    "mov": "video/quicktime",
    "webm": "video/webm",
    "mpeg": "video/mpeg",
    "mpg": "video/mpeg",
    "avi": "video/x-msvideo",
    "mkv": "video/x-matroska",
    "flv": "video/x-flv",
    "wmv": "video/x-ms-wmv",
    "3gp": "video/3gpp",
    "pdf": "application/pdf",
}
_YOUTUBE = ("youtube.com", "youtu.be")
_BASE64 = re.compile(r"[A-Za-z0-9+/_=\s-]*")


def sniff(data: str, *, whole: bool = True) -> str:
    """The mime that base64 text betrays; `""` where it betrays none. Where it is not `whole`, a RIFF file is taken for wav."""
    if data.startswith("UklGR"):  # RIFF: its kind stands in bytes 8 to 12
        if not whole:
            return "audio/wav"
        head = bytes_of(data[:24])
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(head[8:12], "")
    for start, mime in _MAGIC:
        if data.startswith(start):
            return mime
    return ""


def standard(data: str) -> str:
    """The base64 in the standard alphabet with its padding, which is all that OpenAI reads."""
    if "-" in data or "_" in data:
        data = data.replace("-", "+").replace("_", "/")
    return data + "=" * (-len(data) % 4) if len(data) % 4 else data


def parse_data_url(url: str, path: str) -> tuple[str, str]:
    """(mime or "", base64) of a `data:` URL. Raises BadRequest naming `path`."""
    head, comma, body = url[5:].partition(",")
    if not comma:
        raise fields.invalid(path, "a data: URL needs a comma before its data.")
    mime, *parameters = (piece.strip() for piece in head.split(";"))
    mime = mime.lower()
    if any(parameter.lower() == "base64" for parameter in parameters):
        data = unquote_to_bytes(body).decode("latin-1") if "%" in body else body
        if not _BASE64.fullmatch(data):
            raise fields.invalid(path, "the data: URL says base64, but its data is not.")
        if not data.isascii() or data.strip() != data or "\n" in data or " " in data or "\r" in data:
            data = "".join(data.split())
    else:
        if "/" not in mime:
            mime = "text/plain"
        data = base64.b64encode(unquote_to_bytes(body)).decode()
    if "/" not in mime:
        mime = ""
    return mime, data


def read_url(
    url: str,
    path: str,
    kind: str,
    *,
    detail: str | None = None,
    filename: str | None = None,
    fps: float | None = None,
    extras: tuple[Extra, ...] = (),
) -> Media:
    """What `url` (data: or a link) holds; its part promised a `kind` (`image`, `video`, `audio`, `document`)."""
    clip = (None, None, fps) if fps is not None else None
    if url[:5].lower() == "data:":
        mime, data = parse_data_url(url, path)
        if mime in ("", "application/octet-stream", "image/*", "text/plain"):
            mime = sniff(data) or mime or ("text/plain" if kind == "document" else f"{kind}/*")
        return Media(mime=mime, data=data, detail=detail, filename=filename, clip=clip, extras=extras)
    scheme, colon, rest = url.partition("://")
    if not colon or not rest or not scheme.isalpha():
        raise fields.invalid(path, "expected an https:// or data: URL.")
    return Media(mime=mime_of_link(url, kind), url=url, detail=detail, filename=filename, clip=clip, extras=extras)


def read_base64(data: str, path: str, mime: str, **rest: Any) -> Media:
    """Raw base64, or (as lenient callers send it) a data: URL in its place."""
    if data[:5].lower() == "data:":
        named, data = parse_data_url(data, path)
        mime = named or mime
    elif not _BASE64.fullmatch(data):
        raise fields.invalid(path, "expected base64.")
    return Media(mime=mime or sniff(data), data=data, **rest)


def audio_mime(word: str) -> str:
    return _AUDIO_MIMES.get(word.lower(), f"audio/{word.lower()}")


def data_url(media: Media) -> str:
    assert media.data is not None
    mime = media.mime
    if not mime or mime.endswith("/*"):
        mime = sniff(media.data) or "application/octet-stream"
    return f"data:{mime};base64,{standard(media.data)}"


def text_of(media: Media) -> str:
    """The text of a text document. Raises ValueError where it is none."""
    assert media.data is not None
    return bytes_of(media.data).decode()


def mime_of_link(url: str, kind: str) -> str:
    """A link's mime as far as it can be told without asking. The ending tells videos and PDFs; a picture's true type only its
    server knows, so it is `image/*`."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "" if kind == "document" else f"{kind}/*"
    ending = parts.path.rpartition(".")[2].lower()
    if mime := _ENDINGS.get(ending):
        return mime
    host = (parts.netloc or "").lower()
    if kind in ("video", "document") and host.endswith(_YOUTUBE):
        return "video/*"
    return "" if kind == "document" else f"{kind}/*"


def bytes_of(data: str) -> bytes:
    """What base64 text stands for; nothing where it is none."""
    try:
        return base64.b64decode(standard(data))
    except (binascii.Error, ValueError):
        return b""
