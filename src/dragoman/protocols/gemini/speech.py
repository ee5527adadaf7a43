"""Sound as an answer: Gemini speaks raw PCM, 16 bits little-endian, in parts of `audio/L16;codec=pcm;rate=24000`."""

from typing import Any

from dragoman.ir import Extra, Losses, Request
from dragoman.protocols.gemini.fields import Object

_RATE = 24000
_PCM = ("audio/pcm", "audio/l16")
# OpenAI's voices, of which Gemini has none (openai 3.54.0).
_FOREIGN = frozenset(
    {
        "alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx", "sage", "shimmer", "verse",
    }
)  # fmt: skip
# What a caller of Chat Completions gets of Gemini's sound: itself, or a header before it.
_FORMATS = frozenset({"pcm16", "wav"})


def write_modalities(modalities: tuple[str, ...]) -> list[str]:
    """`responseModalities`. Text beside sound, which OpenAI demands, Gemini refuses: the sound is the answer."""
    return ["AUDIO"] if "audio" in modalities else [word.upper() for word in modalities]


def write_speech(request: Request, losses: Losses) -> Object | None:
    """`speechConfig` from Chat Completions' `audio: {voice, format}`; None where it names no voice that Gemini may have."""
    config: Object | None = None
    for extra in request.extras:
        if not is_speech(extra, request) or not isinstance(extra.value, dict):
            continue
        for name, held in extra.value.items():
            path = f"{extra.path}.{name}"
            match name:
                case "voice" if isinstance(held, str) and held.lower() not in _FOREIGN:
                    config = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": held}}}
                case "voice":
                    losses.add_path(path, "Gemini has no such voice; its own speaks")
                case "format" if held in _FORMATS:
                    pass
                case "format":
                    losses.add_path(path, "Gemini speaks PCM; it is answered as wav")
                case _:
                    losses.add_path(path, "Gemini has no such field")
    return config


def is_speech(extra: Extra, request: Request) -> bool:
    """Whether the extra says how the answer is to sound."""
    return extra.owner == "openai" and extra.name == "audio" and "audio" in request.modalities


def sound_type(mime: str) -> str:
    """The type as Gemini writes it."""
    bare, *parameters = [piece.strip() for piece in mime.lower().split(";")]
    if bare not in _PCM:
        return mime
    rate: Any = next((piece[5:] for piece in parameters if piece.startswith("rate=")), "")
    return f"audio/L16;codec=pcm;rate={rate if rate.isdecimal() else _RATE}"
