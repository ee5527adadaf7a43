"""What one choice of a vendor's stream has said so far, and so what is new in what it says next.

Calls get dense ordinals of ours: vendors' indexes start at 1, are missing, or repeat with a new id (Google's compatible
endpoint, NousResearch/hermes-agent#62940). A call is told with its name (`nameless`), a sound that is not PCM when it is whole.
"""

from typing import Any

from dragoman.ir import (
    CitationAdded,
    Event,
    Extra,
    ExtrasAdded,
    Finished,
    Media,
    PartAdded,
    Signature,
    Text,
    TextDelta,
    Thought,
    ThoughtDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from dragoman.protocols.openai.media import sniff
from dragoman.protocols.openai_chat.annotations import read_annotations
from dragoman.protocols.openai_chat.finish import read_finish
from dragoman.protocols.openai_chat.nameless import Nameless
from dragoman.protocols.openai_chat.read_parts import google_signature
from dragoman.protocols.openai_chat.read_response import content_parts, read_audio, read_images, text_or_empty
from dragoman.protocols.openai_chat.speech import PCM, joined
from dragoman.protocols.openai_chat.stream_event import Delta
from dragoman.wire.json import encode_text


class Hearing:
    """What is new goes to the end of `events`. A method that answers False has heard arguments of a call without a name."""

    __slots__ = ("_audio", "_calls", "_current", "_ids", "_index", "_nameless", "_ordinals", "_sounding", "finished")

    def __init__(self, index: int) -> None:
        self._index = index
        self._calls = 0
        self._current = -1  # the call that fragments without an index go to
        self._ids: list[str] = []  # by ordinal
        self._nameless: dict[int, Nameless] = {}  # by ordinal: calls that are told when their names come
        self._ordinals: dict[int, int] = {}  # the vendor's index -> our dense ordinal
        self._audio: dict[str, Any] | None = None  # a sound that is not PCM, gathered
        self._sounding = False  # whether PCM has come
        self.finished = False

    def thought(self, delta: Delta, events: list[Event]) -> None:
        words = delta.reasoning_content or delta.reasoning
        if type(words) is str and words:
            events.append(ThoughtDelta(self._index, words))

    def said(self, delta: Delta, events: list[Event]) -> None:
        """Text with a signature, thoughts, or content that is a list of parts."""
        index = self._index
        self.thought(delta, events)
        signature: Signature | None = google_signature(delta.extra_content)
        content = delta.content
        if type(content) is list:
            for part in content_parts(content):
                if type(part) is Text and part.text:
                    events.append(TextDelta(index, part.text))
                elif type(part) is Thought:
                    events.append(ThoughtDelta(index, part.text))
            content = ""
        words = text_or_empty(content)
        if words or signature is not None:
            events.append(TextDelta(index, words, signature))

    def called(self, calls: Any, events: list[Event]) -> bool:
        index = self._index
        for call in calls if type(calls) is list else ():
            if type(call) is not dict:
                continue
            function = call.get("function")
            function = function if type(function) is dict else {}
            id = text_or_empty(call.get("id"))
            name = text_or_empty(function.get("name"))
            place = call.get("index")
            ordinal = self._ordinals.get(place, -1) if type(place) is int else self._current
            known = self._ids[ordinal] if ordinal >= 0 else ""
            if id and known and id != known and id in self._ids:
                ordinal, known = self._ids.index(id), id
            held = self._nameless.get(ordinal) if self._nameless else None
            if ordinal < 0 or (id and known and id != known) or (id and not known and name and held is None):
                ordinal = self._calls
                self._calls += 1
                self._ids.append(id)
                if type(place) is int:
                    self._ordinals[place] = ordinal
                signature = google_signature(call.get("extra_content"))
                if name:
                    held = None
                    events.append(ToolCallStarted(index, ordinal, id, name, signature))
                else:
                    held = self._nameless[ordinal] = Nameless(signature)
            elif held is not None:
                self._ids[ordinal] = known or id
                held.signature = held.signature or google_signature(call.get("extra_content"))
                if name:
                    events += held.named(index, ordinal, self._ids[ordinal], name)
                    del self._nameless[ordinal]
                    held = None
            self._current = ordinal
            arguments = function.get("arguments")
            if type(arguments) is dict:
                arguments = encode_text(arguments)
            if type(arguments) is str and arguments:
                if held is None:
                    events.append(ToolCallDelta(index, ordinal, arguments))
                elif not held.add(arguments):
                    return False
        return True

    def rarely(self, delta: Delta, events: list[Event]) -> bool:
        """Pictures, sound, citations, and a call in its legacy form."""
        index = self._index
        events.extend(PartAdded(index, image) for image in read_images(delta.images))
        legacy = delta.function_call
        if type(legacy) is dict and not self.called([{"index": 0, "function": legacy}], events):
            return False
        if type(delta.audio) is dict:
            self._sound(delta.audio, events)
        if delta.annotations:
            citations, extras = read_annotations(delta.annotations, f"choices[{index}].delta.annotations")
            events.extend(CitationAdded(index, citation) for citation in citations)
            if extras:
                events.append(ExtrasAdded(index, extras))
        return True

    def finish(self, word: str, events: list[Event]) -> bool:
        if self.finished:
            return True
        self.finished = True
        if self._nameless:
            if any(held.says or self._ids[ordinal] for ordinal, held in self._nameless.items()):
                return False
            self._calls -= len(self._nameless)  # of which nothing was ever said
        if self._audio is not None and (sound := read_audio(self._audio)) is not None:
            events.append(PartAdded(self._index, sound))
        events.append(Finished(self._index, read_finish(word, called=self._calls > 0)))
        return True

    def _sound(self, audio: dict[str, Any], events: list[Event]) -> None:
        """PCM, which is all that OpenAI streams, goes on piece by piece; a file's pieces are gathered until it is whole."""
        data = text_or_empty(audio.get("data"))
        if self._audio is None and data and not self._sounding and sniff(data, whole=False):
            self._audio = {}
        gathered = self._audio
        if gathered is not None:
            for name, value in audio.items():
                before = gathered.get(name, "")
                if name == "data":
                    gathered[name] = joined(before, data)
                else:
                    gathered[name] = before + value if name == "transcript" and type(value) is str else value
            return
        rest = {name: value for name, value in audio.items() if name != "data"}
        extras = (Extra("openai", "audio", rest, "message.audio", harmless=True),) if rest else ()
        if data:
            self._sounding = True
            events.append(PartAdded(self._index, Media(PCM, data, extras=extras)))
        elif extras:
            events.append(ExtrasAdded(self._index, extras))
