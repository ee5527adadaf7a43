"""Media as content parts for a vendor. What OpenAI has no part for is refused by name: an answer given without having seen
the file would be worse than none."""

from typing import Any, NoReturn

from dragoman.catalog.profile import Profile
from dragoman.ir import BadRequest, Losses, Media
from dragoman.protocols.openai import media
from dragoman.protocols.openai_chat import speech

_AUDIO_FORMATS = {
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/vnd.wave": "wav",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/mpeg3": "mp3",
}
# Text in all but its mime's first half.
_TEXTUAL = frozenset(
    {"application/json", "application/xml", "application/yaml", "application/x-yaml", "application/javascript"}
)
_IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".heic")
# Servers that imitate OpenAI and take `video_url` (Ark: volcengine.com/docs/82379; Qwen, vLLM; Google's compatible endpoint).
_VIDEO_FAMILIES = ("ark", "gemini", "other")


def write_media(part: Media, profile: Profile, losses: Losses, path: str) -> dict[str, Any]:
    """`path` is where the caller wrote it."""
    if part.clip is not None and (part.clip[0] or part.clip[1]):
        losses.add_path(path, "The model's protocol cannot name a clip of a video.")
    kind: str = part.kind
    if part.url is not None:
        if not part.url.startswith(("https://", "http://")):
            _refuse(
                path, "is a file of another vendor's, which this model cannot open. Send its bytes or an https:// URL."
            )
        if not part.mime:
            kind = _kind_of_link(part.url)
    if (kind == "image" and not profile.sees) or (kind == "audio" and not profile.hears):
        _refuse(path, f"is {'a picture' if kind == 'image' else 'a sound'}, which this model does not take.")
    match kind:
        case "image":
            if part.file_id is not None:
                _refuse(
                    path, "is an uploaded image, which Chat Completions cannot name. Send its bytes or an https:// URL."
                )
            return {"type": "image_url", "image_url": _with_detail(part, {"url": part.url or media.data_url(part)})}
        case "audio":
            return _audio(part, path)
        case "video":
            return _video(part, profile, path)
        case _:
            return _document(part, path)


def _kind_of_link(url: str) -> str:
    """What a link of which nothing was said leads to, as far as its ending or its host tells."""
    if url.partition("?")[0].lower().endswith(_IMAGE_ENDINGS):
        return "image"
    return "video" if media.mime_of_link(url, "document").startswith("video/") else "document"


def _with_detail(part: Media, holder: dict[str, Any]) -> dict[str, Any]:
    if part.detail is not None:
        holder["detail"] = part.detail
    return holder


def _audio(part: Media, path: str) -> dict[str, Any]:
    if part.data is None:
        _refuse(path, "is a sound behind a URL, which this model does not fetch. Send its bytes.")
    if speech.is_pcm(part):
        return {"type": "input_audio", "input_audio": {"data": speech.as_wav([part]), "format": "wav"}}
    word = _AUDIO_FORMATS.get(part.mime) or _AUDIO_FORMATS.get(media.sniff(part.data))
    if word is None:
        _refuse(path, f"is {part.mime}; this model takes sound as audio/wav or audio/mpeg only.")
    return {"type": "input_audio", "input_audio": {"data": media.standard(part.data), "format": word}}


def _video(part: Media, profile: Profile, path: str) -> dict[str, Any]:
    if profile.family not in _VIDEO_FAMILIES or part.file_id is not None:
        _refuse(path, "is a video, which this model does not take.")
    holder: dict[str, Any] = {"url": part.url or media.data_url(part)}
    if part.clip is not None and part.clip[2] is not None:
        holder["fps"] = part.clip[2]
    return {"type": "video_url", "video_url": holder}


def _document(part: Media, path: str) -> dict[str, Any]:
    if part.file_id is not None:
        return {"type": "file", "file": {"file_id": part.file_id}}
    if part.data is None:
        _refuse(path, "is a document behind a URL, which this model does not fetch. Send its bytes.")
    if part.mime.startswith("text/") or part.mime in _TEXTUAL:
        try:
            words = media.text_of(part)
        except ValueError:
            _refuse(path, f"says it is {part.mime}, but is not UTF-8 text.")
        return {"type": "text", "text": f"{part.filename}:\n\n{words}" if part.filename else words}
    mime = part.mime or media.sniff(part.data)
    if mime.startswith("image/"):
        return {"type": "image_url", "image_url": _with_detail(part, {"url": media.data_url(part)})}
    if mime != "application/pdf":
        _refuse(
            path, f"is {mime or 'a file of unknown kind'}; this model takes documents as application/pdf or text only."
        )
    name = part.filename or "document.pdf"
    return {"type": "file", "file": {"filename": name, "file_data": media.data_url(part)}}


def _refuse(path: str, why: str) -> NoReturn:
    raise BadRequest(f"'{path}' {why}", param=path, code="unsupported_value")
