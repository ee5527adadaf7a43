"""Media as content parts for a vendor. What Responses have no part for is refused by name: an answer given without having seen
the file would be worse than none."""

from typing import Any, NoReturn

from dragoman.catalog.profile import Profile
from dragoman.ir import BadRequest, Losses, Media
from dragoman.protocols.openai import media

# Text in all but its mime's first half.
_TEXTUAL = frozenset(
    {"application/json", "application/xml", "application/yaml", "application/x-yaml", "application/javascript"}
)
_IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".heic")
# The addresses of files that were uploaded to Google: only Gemini can read them.
_GOOGLES_FILES = "https://generativelanguage.googleapis.com/"
_DETAILS = frozenset({"low", "high", "auto", "original"})


def write_media(part: Media, profile: Profile, losses: Losses, path: str) -> dict[str, Any]:
    """`path` is where the caller wrote it. Raises BadRequest."""
    written = _written(part, losses, path)
    if written["type"] == "input_image" and not profile.sees:
        _refuse(path, "is a picture, which this model does not take.")
    return written


def _written(part: Media, losses: Losses, path: str) -> dict[str, Any]:
    kind: str = part.kind
    if part.url is not None:
        if not part.url.startswith(("https://", "http://")) or part.url.startswith(_GOOGLES_FILES):
            _refuse(
                path, "is a file of another vendor's, which this model cannot open. Send its bytes or an https:// URL."
            )
        if not part.mime:
            kind = _kind_of_link(part.url)
    match kind:
        case "image":
            return _image(part, losses, path)
        case "audio":
            _refuse(path, "is a sound, which this model does not take.")
        case "video":
            _refuse(path, "is a video, which this model does not take.")
    return _document(part, losses, path)


def _kind_of_link(url: str) -> str:
    """What a link of which nothing was said leads to, as far as its ending or its host tells."""
    if url.partition("?")[0].lower().endswith(_IMAGE_ENDINGS):
        return "image"
    return "video" if media.mime_of_link(url, "document").startswith("video/") else "document"


def _image(part: Media, losses: Losses, path: str) -> dict[str, Any]:
    # `detail` is a must in the types (openai 3.54.0, ResponseInputImageParam).
    detail = part.detail or "auto"
    if detail not in _DETAILS:
        losses.add_path(path, f"The model knows no detail {detail!r}.", harmless=True)
        detail = "auto"
    if part.file_id is not None:
        return {"type": "input_image", "file_id": part.file_id, "detail": detail}
    return {"type": "input_image", "image_url": part.url or media.data_url(part), "detail": detail}


def _document(part: Media, losses: Losses, path: str) -> dict[str, Any]:
    shown = {} if part.detail not in ("low", "high", "auto") else {"detail": part.detail}
    if part.file_id is not None:
        return {"type": "input_file", "file_id": part.file_id, **shown}
    if part.url is not None:
        return {"type": "input_file", "file_url": part.url, **shown}
    assert part.data is not None
    if part.mime.startswith("text/") or part.mime in _TEXTUAL:
        try:
            words = media.text_of(part)
        except ValueError:
            _refuse(path, f"says it is {part.mime}, but is not UTF-8 text.")
        return {"type": "input_text", "text": f"{part.filename}:\n\n{words}" if part.filename else words}
    mime = part.mime or media.sniff(part.data)
    if mime.startswith("image/"):
        return _image(part, losses, path)
    if mime != "application/pdf":
        _refuse(
            path, f"is {mime or 'a file of unknown kind'}; this model takes documents as application/pdf or text only."
        )
    name = part.filename or "document.pdf"
    return {"type": "input_file", "filename": name, "file_data": media.data_url(part), **shown}


def _refuse(path: str, why: str) -> NoReturn:
    raise BadRequest(f"'{path}' {why}", param=path, code="unsupported_value")
