"""One content part of a caller's message: text, picture, file, sound, refusal."""

from typing import Any

from dragoman.ir import Extra, Media, Part, Refusal, Text
from dragoman.protocols.openai import fields, media

# What is read of each kind.
_KNOWN = frozenset(
    {
        "type", "text", "image_url", "file_id", "detail", "file_data", "file_url", "filename", "refusal", "input_audio",
    }
)  # fmt: skip
# Of an answer that is sent back: the model has its words, and nothing is asked by what was told beside them.
_SAID_ALREADY = frozenset({"annotations", "logprobs"})
_NONE: tuple[Extra, ...] = ()


def read_part(part: Any, path: str) -> Part:
    if type(part) is str:  # lenient callers
        return Text(part)
    if type(part) is not dict:
        raise fields.refuse(path, "an object", part)
    extras = _NONE if part.keys() <= _KNOWN else _extras(part, path)
    kind = part.get("type")
    match kind:
        case "input_text" | "output_text" | "text" | "summary_text" | "reasoning_text":
            return Text(member(part, "text", path), None, extras)
        case "input_image" | "image_url":
            return _image(part, path, extras)
        case "input_file" | "file":
            return _file(part.get("file", part), path if "file" not in part else f"{path}.file", extras)
        case "input_audio":
            audio = fields.table(part.get("input_audio", part), f"{path}.input_audio")
            word = fields.optional_text(audio.get("format"), f"{path}.input_audio.format")
            data = member(audio, "data", f"{path}.input_audio")
            mime = media.audio_mime(word) if word else ""
            return media.read_base64(data, f"{path}.input_audio.data", mime, extras=extras)
        case "refusal":
            return Refusal(member(part, "refusal", path))
        case None:
            raise fields.missing(f"{path}.type")
    fields.text(kind, f"{path}.type")
    raise fields.invalid(
        f"{path}.type",
        f"'{kind}'. Supported values are: 'input_text', 'input_image', 'input_file', 'input_audio', 'output_text' "
        "and 'refusal'.",
    )


def member(holder: dict[str, Any], key: str, path: str) -> str:
    value = holder.get(key)
    if value is None:
        raise fields.missing(f"{path}.{key}")
    return fields.text(value, f"{path}.{key}")


def _image(part: dict[str, Any], path: str, extras: tuple[Extra, ...]) -> Media:
    detail = fields.optional_text(part.get("detail"), f"{path}.detail")
    url = part.get("image_url")
    if url is None:
        if part.get("file_id") is None:
            raise fields.missing(f"{path}.image_url")
        return Media("image/*", file_id=fields.text(part["file_id"], f"{path}.file_id"), detail=detail, extras=extras)
    at = f"{path}.image_url"
    if type(url) is dict:  # Chat Completions' form
        detail = fields.optional_text(url.get("detail"), f"{at}.detail") or detail
        url, at = url.get("url"), f"{at}.url"
    return media.read_url(fields.text(url, at), at, "image", detail=detail, extras=extras)


def _file(value: Any, path: str, extras: tuple[Extra, ...]) -> Media:
    holder = fields.table(value, path)
    filename = fields.optional_text(holder.get("filename"), f"{path}.filename")
    detail = fields.optional_text(holder.get("detail"), f"{path}.detail")
    if (id := holder.get("file_id")) is not None:
        file_id = fields.text(id, f"{path}.file_id")
        return Media("", file_id=file_id, filename=filename, detail=detail, extras=extras)
    if (data := holder.get("file_data")) is not None:
        at = f"{path}.file_data"
        data = fields.text(data, at)
        if data[:5].lower() == "data:" or "://" in data[:12]:
            return media.read_url(data, at, "document", filename=filename, detail=detail, extras=extras)
        return media.read_base64(data, at, "", filename=filename, detail=detail, extras=extras)
    if (url := holder.get("file_url")) is not None:
        at = f"{path}.file_url"
        return media.read_url(fields.text(url, at), at, "document", filename=filename, detail=detail, extras=extras)
    raise fields.missing(f"{path}.file_data")


def _extras(part: dict[str, Any], path: str) -> tuple[Extra, ...]:
    return tuple(
        Extra(
            fields.HINTS.get(key, ""), key, value, f"{path}.{key}", harmless=key in fields.HINTS or key in _SAID_ALREADY
        )
        for key, value in part.items()
        if key not in _KNOWN and key != "file" and value not in fields.EMPTY
    )
