"""Reads the media of a Gemini request's parts, and what stands beside a part's content."""

from typing import Any

from dragoman.ir import Extra, Media, Signature
from dragoman.protocols.gemini.fields import EMPTY, below, camel_deep, invalid, members, number, text
from dragoman.protocols.gemini.media import split_data_url
from dragoman.protocols.gemini.shapes import PART as SHAPES
from dragoman.protocols.gemini.shapes import check

_BLOB = frozenset({"mimeType", "data", "displayName"})
_FILE = frozenset({"mimeType", "fileUri", "displayName"})
_VIDEO = frozenset({"startOffset", "endOffset", "fps"})
_LEVELS = {
    "MEDIA_RESOLUTION_LOW": "low",
    "MEDIA_RESOLUTION_MEDIUM": "medium",
    "MEDIA_RESOLUTION_HIGH": "high",
}


def beside(part: dict[str, Any], path: str) -> tuple[Extra, ...]:
    """What stands beside a part's content and has no neutral word."""
    for name in ("mediaResolution", "partMetadata"):
        if name in part:
            check(part[name], SHAPES[name], below(path, name))
    return tuple(
        [
            Extra("gemini", name, camel_deep(part[name]), below(path, name), harmless=True)
            for name in ("mediaResolution", "partMetadata", "videoMetadata")
            if part.get(name) not in EMPTY
        ]
    )


def read_media(
    part: dict[str, Any], name: str, path: str, unknown: list[Extra], *, thought: bool, signature: Signature | None
) -> Media:
    """A part of which `name` is the media itself."""
    media = read_blob(part[name], name, below(path, name), unknown)
    detail, clip = None, None
    left = part
    if "mediaResolution" in part:
        check(part["mediaResolution"], SHAPES["mediaResolution"], below(path, "mediaResolution"))
        detail = _LEVELS.get(str(part["mediaResolution"].get("level", "")).upper())
        if detail is not None:
            left = {key: member for key, member in left.items() if key != "mediaResolution"}
    if "videoMetadata" in part:
        inside = below(path, "videoMetadata")
        video = members(part["videoMetadata"], _VIDEO, inside, unknown)
        start, end, rate = (video.get(key) for key in ("startOffset", "endOffset", "fps"))
        clip = (
            None if start is None else text(start, below(inside, "startOffset")),
            None if end is None else text(end, below(inside, "endOffset")),
            None if rate is None else number(rate, below(inside, "fps")),
        )
        left = {key: member for key, member in left.items() if key != "videoMetadata"}
    return Media(
        mime=media.mime,
        data=media.data,
        url=media.url,
        filename=media.filename,
        detail=detail,
        clip=clip,
        thought=thought,
        signature=signature,
        extras=beside(left, path),
    )


def read_blob(value: Any, name: str, path: str, unknown: list[Extra]) -> Media:
    """What is held under `inlineData` or `fileData`."""
    if name == "inlineData":
        blob = members(value, _BLOB, path, unknown)
        if "data" not in blob:
            raise invalid(below(path, "data"), "base64 data is wanted")
        data = text(blob["data"], below(path, "data"))
        mime = text(blob.get("mimeType", ""), below(path, "mimeType")).lower()
        if data[:5].lower() == "data:":
            # A lenient base64 decoder would read a data: URL as garbage, silently.
            named, data = split_data_url(data)
            mime = mime or named
        return Media(mime=mime, data=data, filename=_filename(blob, path))
    file = members(value, _FILE, path, unknown)
    if "fileUri" not in file:
        raise invalid(below(path, "fileUri"), "a URI is wanted")
    uri = text(file["fileUri"], below(path, "fileUri"))
    mime = text(file.get("mimeType", ""), below(path, "mimeType")).lower()
    if uri[:5].lower() == "data:":
        named, data = split_data_url(uri)
        return Media(mime=mime or named, data=data, filename=_filename(file, path))
    return Media(mime=mime, url=uri, filename=_filename(file, path))


def _filename(blob: dict[str, Any], path: str) -> str | None:
    name = blob.get("displayName")
    return None if name is None else text(name, below(path, "displayName"))
