"""One content part of a caller's message: text, picture, sound, video, file, refusal."""

from typing import Any

from dragoman.ir import Extra, Media, Part, Refusal, Signature, Text, Thought
from dragoman.protocols.openai import fields, media
from dragoman.protocols.openai_chat.shapes import check_google

_LINK = frozenset({"url", "detail", "fps"})
_SOUND = frozenset({"data", "format"})
_FILE = frozenset({"filename", "file_id", "file_data", "file_url", "url"})
_EMPTY: tuple[Extra, ...] = ()


def read_part(part: Any, path: str) -> Part:
    """One content part."""
    if type(part) is str:  # lenient callers
        return Text(part)
    if type(part) is not dict:
        raise fields.refuse(path, "an object", part)
    kind = part.get("type")
    if kind is not None:
        fields.text(kind, f"{path}.type")
    if "extra_content" in part:
        check_google(part["extra_content"], f"{path}.extra_content")
    extras = _part_extras(part, kind, path) if len(part) > 2 else _EMPTY
    match kind:
        case "text" | "input_text" | "output_text":
            return Text(member(part, "text", path), None, extras)
        case "image_url" | "input_image":
            return _link(part, "image_url", "image", path, extras)
        case "video_url":
            return _link(part, "video_url", "video", path, extras)
        case "audio_url":
            return _link(part, "audio_url", "audio", path, extras)
        case "input_audio":
            audio = fields.table(part.get("input_audio"), f"{path}.input_audio")
            word = audio.get("format")
            mime = media.audio_mime(fields.text(word, f"{path}.input_audio.format")) if word is not None else ""
            extras = (*extras, *fields.unknown(audio, _SOUND, f"{path}.input_audio"))
            return media.read_base64(
                member(audio, "data", f"{path}.input_audio"), f"{path}.input_audio.data", mime, extras=extras
            )
        case "file" | "input_file":
            file = part.get("file", part)
            if type(file) is dict and file is not part:
                extras = (*extras, *fields.unknown(file, _FILE, f"{path}.file"))
            return _file(file, f"{path}.file", extras)
        case "refusal":
            return Refusal(member(part, "refusal", path))
        case "thinking":
            return Thought(member(part, "thinking", path))
        case None:
            if type(part.get("text")) is str:
                return Text(part["text"], None, extras)
            raise fields.missing(f"{path}.type")
        case _:
            raise fields.invalid(
                f"{path}.type",
                f"'{kind}'. Supported values are: 'text', 'image_url', 'input_audio', 'file', 'video_url' and 'refusal'.",
            )


def google_signature(extra_content: Any) -> Signature | None:
    """Gemini's thought signature, where Google's own compatible endpoint puts it: `extra_content.google.thought_signature`."""
    if type(extra_content) is dict:
        google = extra_content.get("google")
        if type(google) is dict and type(google.get("thought_signature")) is str and google["thought_signature"]:
            return Signature("gemini", google["thought_signature"])
    return None


def member(holder: dict[str, Any], key: str, path: str) -> str:
    value = holder.get(key)
    if value is None:
        raise fields.missing(f"{path}.{key}")
    return fields.text(value, f"{path}.{key}")


def _link(part: dict[str, Any], key: str, kind: str, path: str, extras: tuple[Extra, ...]) -> Part:
    value = part.get(key)
    if value is None:
        raise fields.missing(f"{path}.{key}")
    if type(value) is str:  # a bare string, as lenient callers and Responses have it
        return _signed(media.read_url(value, f"{path}.{key}", kind, extras=extras), part)
    holder = fields.table(value, f"{path}.{key}")
    detail = fields.optional_text(holder.get("detail"), f"{path}.{key}.detail")
    fps = holder.get("fps")
    read = media.read_url(
        member(holder, "url", f"{path}.{key}"),
        f"{path}.{key}.url",
        kind,
        detail=detail,
        fps=None if fps is None else float(fields.number(fps, f"{path}.{key}.fps")),
        extras=(*extras, *fields.unknown(holder, _LINK, f"{path}.{key}")),
    )
    return _signed(read, part)


def _signed(read: Media, part: dict[str, Any]) -> Media:
    signature = google_signature(part.get("extra_content"))
    if signature is None:
        return read
    return Media(
        read.mime, read.data, read.url, None, read.filename, read.detail, read.clip, False, signature, read.extras
    )


def _file(value: Any, path: str, extras: tuple[Extra, ...]) -> Media:
    holder = fields.table(value, path)
    filename = fields.optional_text(holder.get("filename"), f"{path}.filename")
    if (id := holder.get("file_id")) is not None:
        return Media("", file_id=fields.text(id, f"{path}.file_id"), filename=filename, extras=extras)
    if (data := holder.get("file_data")) is not None:
        data = fields.text(data, f"{path}.file_data")
        if data[:5].lower() == "data:" or "://" in data[:12]:
            return media.read_url(data, f"{path}.file_data", "document", filename=filename, extras=extras)
        return media.read_base64(data, f"{path}.file_data", "", filename=filename, extras=extras)
    if (url := holder.get("file_url", holder.get("url"))) is not None:
        url = fields.text(url, f"{path}.file_url")
        return media.read_url(url, f"{path}.file_url", "document", filename=filename, extras=extras)
    raise fields.missing(f"{path}.file_data")


def _part_extras(part: dict[str, Any], kind: Any, path: str) -> tuple[Extra, ...]:
    known = {"type", kind, "text", "file", "file_data", "file_id", "filename", "file_url", "extra_content", "image_url"}
    return fields.unknown(part, frozenset(known), path)
