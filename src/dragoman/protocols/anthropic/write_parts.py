"""Media as content blocks for a vendor. What Anthropic has no block for is refused by name: an answer given without having seen
the file would be worse than none."""

from typing import Any

from dragoman.ir import BadRequest, Extra, Losses, Media
from dragoman.protocols.anthropic import media

Json = dict[str, Any]
NO_PLACE = "Anthropic's blocks have no such member."
# Text in all but its mime's first half.
_TEXTUAL = frozenset(
    {"application/json", "application/xml", "application/yaml", "application/x-yaml", "application/javascript"}
)
_IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".gif", ".webp")
_GOOGLES = "://generativelanguage.googleapis.com/"
_YOUTUBE = ("://www.youtube.com/", "://youtube.com/", "://youtu.be/")
# What the ids of Anthropic's files begin with; another vendor's files it cannot open.
_FILE = "file_"


def write_media(part: Media, losses: Losses, path: str) -> Json:
    """`path` is where the caller wrote it."""
    for extra in part.extras:
        if extra.owner == "anthropic" and extra.name == "search_result" and type(extra.value) is dict:
            return extra.value
    block = _block(part, path)
    put_extras(block, part.extras, losses)
    if part.filename:
        if block["type"] == "document":
            block["title"] = part.filename
        else:
            losses.add_path(f"{path}.filename", "Anthropic's images have no name.", harmless=True)
    if part.detail not in (None, "auto"):
        losses.add_path(f"{path}.detail", "Anthropic's models look at every image alike.", harmless=True)
    return block


def put_extras(block: Json, extras: tuple[Extra, ...], losses: Losses) -> None:
    """Puts back what only Anthropic takes on a block; all else is a loss."""
    for extra in extras:
        if extra.owner == "anthropic":
            block[extra.name] = extra.value
        else:
            losses.add_path(extra.path, NO_PLACE, harmless=extra.harmless)


def _block(part: Media, path: str) -> Json:
    mime = part.mime
    if part.file_id is not None:
        if not part.file_id.startswith(_FILE):
            raise _refusal(
                path, "is a file that was uploaded to another vendor, which this model cannot open. Send its bytes."
            )
        kind = "image" if part.kind == "image" else "document"
        return {"type": kind, "source": {"type": "file", "file_id": part.file_id}}
    if part.url is not None:
        if not part.url.startswith(("https://", "http://")):
            raise _refusal(
                path, "is a file of another vendor's, which this model cannot open. Send its bytes or an https:// URL."
            )
        if _GOOGLES in part.url:
            raise _refusal(path, "is a file of Google's, which this model cannot open. Send its bytes.")
        if part.kind in ("audio", "video"):
            raise _refusal(path, f"is {_a(part.kind)}, which this model does not take.")
        if any(host in part.url for host in _YOUTUBE):
            raise _refusal(path, "is a video, which this model does not take.")
        is_image = part.kind == "image" or (not mime and part.url.partition("?")[0].lower().endswith(_IMAGE_ENDINGS))
        return {"type": "image" if is_image else "document", "source": {"type": "url", "url": part.url}}
    data = part.data or ""
    if data[:5].lower() == "data:":
        named, data = media.split_data_url(data)
        mime = mime or named
    if not mime or mime.endswith("/*") or mime == "application/octet-stream":
        mime = media.sniff(data) or mime
    if mime == "image/jpg":
        mime = "image/jpeg"
    if mime in media.IMAGES:
        return {"type": "image", "source": {"type": "base64", "media_type": mime, "data": media.standard(data)}}
    if mime == "application/pdf":
        return {"type": "document", "source": {"type": "base64", "media_type": mime, "data": media.standard(data)}}
    if mime.startswith("text/") or mime in _TEXTUAL:
        try:
            words = media.bytes_of(data).decode()
        except ValueError:
            raise _refusal(path, f"says it is {mime}, but is not UTF-8 text.") from None
        return {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": words}}
    kind = part.kind
    if kind in ("audio", "video"):
        raise _refusal(path, f"is {_a(kind)}, which this model does not take.")
    if kind != "image":
        mime = f"{mime or 'a file of unknown kind'}; this model takes documents as application/pdf or text only"
    else:
        mime += "; this model takes images as JPEG, PNG, GIF or WebP only"
    raise _refusal(path, f"is {mime}.")


def _a(kind: str) -> str:
    return "a sound" if kind == "audio" else "a video"


def _refusal(path: str, why: str) -> BadRequest:
    return BadRequest(f"{path} {why}", param=path, code="unsupported_value")
