"""Sound as an answer: OpenAI's `modalities` and `audio: {voice, format}`, and raw PCM as `pcm16` or behind a wav header.

`pcm16` is PCM of 16 bits, little-endian, one channel, 24 kHz, and all that OpenAI streams (400 "'audio.format' does not support
'wav' when stream=true", seen by many callers).
"""

import base64
import hashlib
import struct
from typing import Any

from dragoman.ir import Extra, Losses, Media, Request
from dragoman.protocols.base import Stamp
from dragoman.protocols.openai import media

Json = dict[str, Any]
PCM = "audio/pcm;rate=24000"
_PCM = ("audio/pcm", "audio/l16")
_RATE = 24000
_UNKNOWN_LENGTH = 0xFFFFFFFF
_SPEECH = "generationConfig.speechConfig"
# Speaks where no voice is named, or one that OpenAI does not have; the member is required.
_DEFAULT_VOICE = "alloy"
# Gemini's voices, of which OpenAI has none (ai.google.dev/gemini-api/docs/speech-generation, 2026-10).
_FOREIGN = frozenset(
    {
        "achernar", "achird", "algenib", "algieba", "alnilam", "aoede", "autonoe", "callirrhoe", "charon", "despina",
        "enceladus", "erinome", "fenrir", "gacrux", "iapetus", "kore", "laomedeia", "leda", "orus", "puck", "pulcherrima",
        "rasalgethi", "sadachbia", "sadaltager", "schedar", "sulafat", "umbriel", "vindemiatrix", "zephyr", "zubenelgenubi",
    }
)  # fmt: skip


def is_speech(extra: Extra, request: Request) -> bool:
    """Whether the extra says how the answer is to sound."""
    return extra.owner == "gemini" and extra.name == _SPEECH and "audio" in request.modalities


def write_speech(request: Request, losses: Losses) -> Json:
    """`audio` from Gemini's `speechConfig`; the format is what Gemini's callers know."""
    voice: str | None = None
    for extra in request.extras:
        if not is_speech(extra, request) or not isinstance(extra.value, dict):
            continue
        for name, held in extra.value.items():
            path = f"{extra.path}.{name}"
            if name == "voiceConfig":
                voice = _voice(held, path, losses)
            else:
                losses.add_path(path, "The model's protocol has no such member.", harmless=name == "languageCode")
    return {"voice": voice or _DEFAULT_VOICE, "format": "pcm16"}


def _voice(config: Any, path: str, losses: Losses) -> str | None:
    prebuilt = config.get("prebuiltVoiceConfig") if isinstance(config, dict) else None
    name = prebuilt.get("voiceName") if isinstance(prebuilt, dict) else None
    if not isinstance(name, str) or not name:
        losses.add_path(path, "The model's protocol knows voices by name only.")
        return None
    if name.lower() in _FOREIGN:
        losses.add_path(
            f"{path}.prebuiltVoiceConfig.voiceName", f"The voice {name!r} is Gemini's own; {_DEFAULT_VOICE!r} speaks."
        )
        return None
    return name.lower()


def is_pcm(part: Media) -> bool:
    return part.mime.partition(";")[0].strip().lower() in _PCM


def wants_pcm(request: Request) -> bool:
    """Whether the caller wants the bare samples."""
    return any(
        extra.owner == "openai" and extra.name == "audio" and type(extra.value) is dict
        and extra.value.get("format") == "pcm16"
        for extra in request.extras
    )  # fmt: skip


def as_wav(parts: list[Media]) -> str:
    """PCM parts as one wav file, in base64."""
    samples = b"".join([_samples(part) for part in parts])
    return base64.b64encode(_header(parts[0].mime, len(samples)) + samples).decode()


def as_pcm(parts: list[Media]) -> str:
    if len(parts) == 1 and parts[0].data is not None:
        return media.standard(parts[0].data)
    return base64.b64encode(b"".join([_samples(part) for part in parts])).decode()


def first_of_wav(part: Media) -> str:
    """The header of a wav file whose length is not known yet, and its first samples."""
    return base64.b64encode(_header(part.mime, None) + _samples(part)).decode()


def joined(before: str, after: str) -> str:
    """Two pieces of base64 as one; a piece may end in padding."""
    if not before.endswith("=") and len(before) % 4 == 0:
        return before + after
    return base64.b64encode(media.bytes_of(before) + media.bytes_of(after)).decode()


def audio_head(stamp: Stamp, index: int) -> Json:
    """What stands beside a sound that is not OpenAI's: an id that no later turn can name, expired as it is made."""
    digest = hashlib.blake2b(f"{stamp.id}.{index}".encode(), digest_size=12).hexdigest()
    return {"id": f"audio_{digest}", "expires_at": stamp.created, "transcript": ""}


def _samples(part: Media) -> bytes:
    return media.bytes_of(part.data or "")


def _header(mime: str, length: int | None) -> bytes:
    told = dict(piece.strip().split("=", 1) for piece in mime.lower().split(";")[1:] if "=" in piece)
    rate, channels = _number(told.get("rate"), _RATE), _number(told.get("channels"), 1)
    whole = _UNKNOWN_LENGTH if length is None else 36 + length
    data = _UNKNOWN_LENGTH if length is None else length
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF", whole, b"WAVE", b"fmt ", 16, 1, channels, rate, rate * channels * 2, channels * 2, 16, b"data", data,
    )  # fmt: skip


def _number(text: str | None, otherwise: int) -> int:
    return (
        int(text)
        if text is not None and text.isascii() and text.isdecimal() and 0 < int(text) < 2**16 * 4
        else otherwise
    )
