"""Sound from one protocol's vendors to another's callers, sample by sample."""

from __future__ import annotations

import base64
import io
import json
import struct
import wave
from typing import Any

import pytest

from dragoman.ir import Losses, Media, PartAdded
from dragoman.protocols.base import Route, Stamp
from dragoman.protocols.known import PROTOCOLS

CHAT = PROTOCOLS["openai-chat"]
GEMINI = PROTOCOLS["gemini"]
STAMP = Stamp("id", 1_790_000_000, "m")
ROUTE = Route("generate")
PIECES = [struct.pack("<3h", 1, 2, 3), struct.pack("<2h", -1, -2)]
SAMPLES = b"".join(PIECES)


def told(data: bytes) -> str:
    return base64.b64encode(data).decode()


def asked(form: str) -> Any:
    audio = {"voice": "Kore", "format": form}
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": "x"}],
        "modalities": ["text", "audio"],
        "audio": audio,
    }
    return CHAT.read_request(json.dumps(body).encode(), ROUTE)


def gemini_answer(*pieces: bytes, rate: int = 24000) -> bytes:
    kind = f"audio/L16;codec=pcm;rate={rate}"
    parts = [{"inlineData": {"mimeType": kind, "data": told(piece)}} for piece in pieces]
    return json.dumps({"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}]}).encode()


def chat_sound(form: str, answer: bytes) -> tuple[dict[str, Any], list[str]]:
    losses = Losses(CHAT.spelling)
    written = CHAT.write_response(GEMINI.read_response(answer), asked(form), STAMP, losses)
    message = json.loads(written)["choices"][0]["message"]
    assert message["content"] is None
    return message["audio"], [loss.path for loss in losses.found]


def test_bare_samples_for_who_asks_for_them() -> None:
    audio, losses = chat_sound("pcm16", gemini_answer(*PIECES))
    assert base64.b64decode(audio["data"]) == SAMPLES
    assert audio["id"].startswith("audio_") and audio["transcript"] == "" and losses == []


@pytest.mark.parametrize("form", ["wav", "mp3"])
def test_a_wav_file_for_all_others(form: str) -> None:
    audio, _ = chat_sound(form, gemini_answer(*PIECES, rate=16000))
    data = base64.b64decode(audio["data"])
    assert len(data) == 44 + len(SAMPLES)
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16000)
        assert file.readframes(file.getnframes()) == SAMPLES


def test_a_second_sound_of_another_kind_is_lost() -> None:
    answer = json.loads(gemini_answer(PIECES[0]))
    answer["candidates"][0]["content"]["parts"].append({"inlineData": {"mimeType": "audio/mpeg", "data": "SUQz"}})
    _, losses = chat_sound("pcm16", json.dumps(answer).encode())
    assert losses == ["choices[0].message.audio"]


@pytest.mark.parametrize("form", ["pcm16", "wav"])
def test_streamed(form: str) -> None:
    writer = CHAT.stream_writer(asked(form), STAMP, ROUTE)
    parts = [Media("audio/l16;codec=pcm;rate=24000", told(piece)) for piece in PIECES]
    out = b"".join(writer.write([PartAdded(0, part)]) for part in parts) + writer.end()
    deltas = [
        chunk["choices"][0]["delta"].get("audio")
        for line in out.split(b"\n\n")
        if line.startswith(b"data: {") and (chunk := json.loads(line[6:]))["choices"]
    ]
    sounds = [delta for delta in deltas if delta]
    assert [set(sound) for sound in sounds] == [{"id", "expires_at", "transcript", "data"}, {"data"}]
    data = b"".join(base64.b64decode(sound["data"]) for sound in sounds)
    header = data[: -len(SAMPLES)]
    assert data.endswith(SAMPLES)
    assert header == b"" if form == "pcm16" else (len(header) == 44 and header[:4] == b"RIFF")


def test_openais_samples_reach_gemini_callers_as_they_come() -> None:
    reader = CHAT.stream_reader()

    def fed(audio: dict[str, Any]) -> list[Any]:
        chunk = {"id": "c", "choices": [{"index": 0, "delta": {"audio": audio}}]}
        return reader.feed(b"data: " + json.dumps(chunk).encode() + b"\n\n")

    fed({"id": "audio_1", "transcript": "Hi"})
    writer = GEMINI.stream_writer(
        GEMINI.read_request(b'{"contents":[{"parts":[{"text":"x"}]}]}', Route("generate", "m", True)),
        STAMP,
        Route("generate", "m", True),
    )
    for piece in PIECES:
        out = writer.write(fed({"data": told(piece)}))
        (part,) = json.loads(out[6:])["candidates"][0]["content"]["parts"]
        assert part == {"inlineData": {"mimeType": "audio/L16;codec=pcm;rate=24000", "data": told(piece)}}


def test_a_file_in_pieces_is_put_together() -> None:
    """Its pieces of base64 may each end in padding."""
    reader = CHAT.stream_reader()
    file = b"RIFF\x24\x00\x00\x00WAVEfmt "
    events: list[Any] = []
    for piece in (file[:7], file[7:9], file[9:]):
        chunk = {"id": "c", "choices": [{"index": 0, "delta": {"audio": {"data": told(piece)}}}]}
        events += reader.feed(b"data: " + json.dumps(chunk).encode() + b"\n\n")
    events += reader.feed(b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n')
    (sound,) = [event.part for event in events if isinstance(event, PartAdded)]
    assert base64.b64decode(sound.data) == file and sound.mime == "audio/wav"
