"""Events as the chunks of a `chat.completion.chunk` stream.

The order is OpenAI's (recorded 2026): a first chunk with the role; deltas; one chunk with the finish reason; the counts, in a
chunk without choices, if they were asked for; `[DONE]`. A tool call's `id`, `type` and name stand in its first chunk only.
Everything around a text delta is the same from chunk to chunk, so it is encoded once.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from dragoman.ir import (
    Blocked,
    BuiltinTool,
    CitationAdded,
    CodeCall,
    CodeResult,
    DragomanError,
    Event,
    ExtrasAdded,
    Failed,
    FetchCall,
    FetchResult,
    Finish,
    Finished,
    LogprobsDelta,
    Losses,
    Media,
    Opaque,
    PartAdded,
    RefusalDelta,
    Request,
    SearchCall,
    SearchResult,
    Started,
    TextDelta,
    ThoughtDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
    UsageReported,
)
from dragoman.protocols.base import Stamp
from dragoman.protocols.openai.media import standard
from dragoman.protocols.openai_chat import speech
from dragoman.protocols.openai_chat.annotations import Deed, Shifts, tell_deeds, write_annotations
from dragoman.protocols.openai_chat.draft import LEGACY
from dragoman.protocols.openai_chat.errors import event_of
from dragoman.protocols.openai_chat.finish import write_finish
from dragoman.protocols.openai_chat.spelling import SPELLING
from dragoman.protocols.openai_chat.usage import write_usage
from dragoman.protocols.openai_chat.write_messages import custom_input, custom_names, fenced, minted_id
from dragoman.protocols.openai_chat.write_response import DRAFT, NO_PLACE, sign, write_image, write_logprobs
from dragoman.wire.json import encode

_encode_text = msgspec.json.Encoder().encode
_DONE = b"data: [DONE]\n\n"


class _Choice:
    """One candidate's chunks: `before` and `after` go around a delta, `text` around a text."""

    __slots__ = (
        "after", "annotations", "bare", "before", "calls", "custom", "deeds", "finished", "images", "refused", "sounding", "text",
    )  # fmt: skip

    def __init__(self, before: bytes, after: bytes) -> None:
        self.before = before
        self.after = after
        self.text = before + b'{"content":'
        self.calls: dict[int, int] = {}  # the event's ordinal -> ours
        self.bare: set[int] = set()  # calls without arguments so far
        self.custom: dict[int, str] = {}  # what came so far of calls that take free text
        self.images = 0
        self.sounding = False  # whether a sound has begun
        self.refused = False  # whether the model's refusal was told in its own words
        self.finished = False
        # Citations so far. They go out together: openai's own accumulation of deltas breaks on a second list without indexes.
        self.annotations: list[Any] = []
        self.deeds: list[Deed] = []  # searches made and pages read


class ChatStreamWriter:
    """Events in, bytes out; whatever the order, the bytes joined are a valid stream."""

    content_type = b"text/event-stream; charset=utf-8"
    __slots__ = (
        "_after_text",
        "_blocked",
        "_choices",
        "_closed",
        "_custom",
        "_include_usage",
        "_legacy",
        "_shifts",
        "_stamp",
        "_tier",
        "_usage",
        "_wav",
        "losses",
    )

    def __init__(self, request: Request, stamp: Stamp) -> None:
        self.losses = Losses(SPELLING)
        self._stamp = stamp
        self._include_usage = request.include_usage
        self._custom = custom_names(request)
        # Only in answers of tools that the vendor runs does code stand between texts and move what is cited.
        runs = any(type(tool) is BuiltinTool for tool in request.tools)
        self._shifts: dict[int, Shifts] | None = {} if runs else None
        self._wav = not speech.wants_pcm(request)
        self._legacy = any(extra.name == LEGACY for extra in request.extras)
        self._choices: dict[int, _Choice] = {}
        self._usage: Usage | None = None
        self._blocked: Blocked | None = None
        self._tier: str | None = None
        self._closed = False
        self._after_text = b"}" + self._tail("null")

    def write(self, events: Sequence[Event]) -> bytes:
        if self._closed:
            return b""
        if self._shifts is not None:
            self._keep(self._shifts, events)
        out: list[bytes] = []
        choices = self._choices
        for event in events:
            if type(event) is TextDelta and event.signature is None:
                choice = choices.get(event.index)
                if choice is not None:
                    if not choice.finished:
                        out += (choice.text, _encode_text(event.text), self._after_text)
                    continue
            self._write(event, out)
        return b"".join(out)

    def end(self) -> bytes:
        if self._closed:
            return b""
        out: list[bytes] = []
        if not self._choices:
            self._open(0, out)
        for index, choice in self._choices.items():
            if not choice.finished:
                self._finish(index, choice, None, out)
        self._closed = True
        if self._include_usage and self._usage is not None:
            head = self._head() + b'[],"usage":'
            out += (head, encode(write_usage(self._usage)), b"}\n\n")
        out.append(_DONE)
        return b"".join(out)

    def fail(self, error: DragomanError) -> bytes:
        if self._closed:
            return b""
        self._closed = True
        return event_of(error)

    def _write(self, event: Event, out: list[bytes]) -> None:
        match event:
            case UsageReported(usage=usage):
                self._usage = usage
                return
            case Started():
                if event.service_tier is not None and not self._choices:
                    self._tier = "default" if event.service_tier == "standard" else event.service_tier
                return
            case Blocked():
                self._blocked = event
                return
            case Failed():
                out.append(self.fail(event.error))
                return
        if self._closed:
            return
        if type(event) is PartAdded and type(event.part) is Media and event.part.thought:
            # A draft of a picture that is still to come.
            self.losses.add_path(f"choices[{event.index}].message.images", DRAFT, harmless=True)
            return
        index = event.index
        choice = self._choices.get(index)
        if choice is None:
            if type(event) is ToolCallStarted and not self._legacy:
                choice = self._prepare(index)
                self._delta(
                    choice, {"role": "assistant", "content": None, **self._started(event, choice), "refusal": None}, out
                )
                return
            choice = self._open(index, out)
        if choice.finished:
            return
        match event:
            case TextDelta():
                delta: dict[str, Any] = {"content": event.text}
                if event.signature is not None:
                    sign(delta, event.signature)
                self._delta(choice, delta, out)
            case ThoughtDelta():
                if event.text:
                    self._delta(choice, {"reasoning_content": event.text}, out)
            case RefusalDelta():
                choice.refused = True
                self._delta(choice, {"refusal": event.text}, out)
            case ToolCallStarted():
                self._delta(choice, self._started(event, choice), out)
            case ToolCallDelta():
                self._delta(choice, self._arguments(event, choice), out)
            case PartAdded():
                self._media(event, choice, out)
            case LogprobsDelta():
                tail = self._tail("null").replace(
                    b'"logprobs":null', b'"logprobs":' + encode(write_logprobs(event.logprobs)), 1
                )
                out += (choice.before, b"{}", tail)
            case ExtrasAdded():
                delta = {extra.name: extra.value for extra in event.extras if extra.owner == "openai"}
                choice.annotations += delta.pop("annotations", ())
                choice.sounding = choice.sounding or "audio" in delta
                self.losses.add_extras(event.extras, "openai", NO_PLACE)
                if delta:
                    self._delta(choice, delta, out)
            case CitationAdded():
                shifts = (self._shifts or {}).get(index) or Shifts()
                path = f"choices[{index}].message.annotations"
                choice.annotations += write_annotations((event.citation,), shifts, path, self.losses)
            case Finished():
                self._finish(index, choice, event.finish, out)

    @staticmethod
    def _keep(shifts: dict[int, Shifts], events: Sequence[Event]) -> None:
        """How far the content runs ahead of the text so far, for the citations that follow it."""
        for event in events:
            match event:
                case TextDelta():
                    shifts.setdefault(event.index, Shifts()).said(event.text)
                case PartAdded(part=CodeCall() | CodeResult() as code):
                    shifts.setdefault(event.index, Shifts()).inserted(len(fenced(code)))

    def _started(self, event: ToolCallStarted, choice: _Choice) -> dict[str, Any]:
        ours = choice.calls.setdefault(event.call, len(choice.calls))
        choice.bare.add(ours)
        if self._legacy:
            return {"function_call": {"name": event.name, "arguments": ""}} if ours == 0 else {}
        call: dict[str, Any] = {
            "index": ours,
            "id": event.id or minted_id(f"{self._stamp.id}.{event.index}.{ours}"),
            "type": "function",
            "function": {"name": event.name, "arguments": ""},
        }
        if event.name in self._custom:
            choice.bare.discard(ours)
            choice.custom[ours] = ""
            del call["function"]
            call.update(type="custom", custom={"name": event.name, "input": ""})
        if event.signature is not None:
            sign(call, event.signature)
        return {"tool_calls": [call]}

    def _arguments(self, event: ToolCallDelta, choice: _Choice) -> dict[str, Any]:
        ours = choice.calls.get(event.call)
        if ours is None:  # fragments of a call that never began
            return {}
        if ours in choice.custom:
            choice.custom[ours] += event.arguments  # its text stands inside JSON, and can be told when that is whole
            return {}
        if event.arguments:
            choice.bare.discard(ours)
        return self._fragment(ours, event.arguments)

    def _fragment(self, ours: int, arguments: str) -> dict[str, Any]:
        if self._legacy:
            return {"function_call": {"arguments": arguments}} if ours == 0 else {}
        return {"tool_calls": [{"index": ours, "function": {"arguments": arguments}}]}

    def _media(self, event: PartAdded, choice: _Choice, out: list[bytes]) -> None:
        match event.part:
            case CodeCall() | CodeResult() as code:
                self._delta(choice, {"content": fenced(code)}, out)
            case SearchCall() | SearchResult() | FetchCall() | FetchResult() as deed:
                choice.deeds.append(deed)
            case Media(kind="image", file_id=None) as image:
                self._delta(choice, {"images": [write_image(image, choice.images)]}, out)
                choice.images += 1
            case Media(kind="audio", data=str()) as sound:
                self._delta(choice, {"audio": self._sound(event.index, choice, sound)}, out)
            case Media() as other:
                self._lost(event.index, "images", other.mime or "a file")
            case Opaque(what=what):
                self._lost(event.index, "content", what)

    def _lost(self, index: int, member: str, what: str) -> None:
        self.losses.add_path(f"choices[{index}].message.{member}", f"Chat Completions has no place for {what}.")

    def _sound(self, index: int, choice: _Choice, part: Media) -> dict[str, Any]:
        """A piece of sound. What is not OpenAI's own begins with an id and, unless bare samples are wanted, a wav header."""
        own = [extra.value for extra in part.extras if extra.owner == "openai" and extra.name == "audio"]
        first, choice.sounding = not choice.sounding and not own, True
        audio = speech.audio_head(self._stamp, index) if first else {}
        for value in own:
            audio.update(value)
        if first and self._wav and speech.is_pcm(part):
            return {**audio, "data": speech.first_of_wav(part)}
        return {**audio, "data": standard(part.data or "")}

    def _finish(self, index: int, choice: _Choice, finish: Finish | None, out: list[bytes]) -> None:
        choice.finished = True
        if choice.annotations:
            self._delta(choice, {"annotations": choice.annotations}, out)
        if choice.deeds:
            tell_deeds(choice.deeds, bool(choice.annotations), f"choices[{index}].message.annotations", self.losses)
        for ours, arguments in choice.custom.items():
            if told := custom_input(arguments):
                self._delta(choice, {"tool_calls": [{"index": ours, "custom": {"input": told}}]}, out)
        for ours in sorted(choice.bare):  # a call without arguments is "{}", never ""
            self._delta(choice, self._fragment(ours, "{}"), out)
        native: str | None
        if finish is None and self._blocked is not None:
            block = self._blocked.block
            if block.message:
                self._delta(choice, {"refusal": block.message}, out)
            word, native = "content_filter", (block.native or block.reason)
        else:
            if finish is not None and finish.reason == "refusal" and finish.message and not choice.refused:
                self._delta(choice, {"refusal": finish.message}, out)
            word, native = write_finish(finish, called=bool(choice.calls))
        if word == "tool_calls" and self._legacy:
            word = "function_call"
        ending = encode(word).decode()
        if native is not None:
            ending += f',"native_finish_reason":{encode(native).decode()}'
        out += (choice.before, b"{}", self._tail(ending))

    def _open(self, index: int, out: list[bytes]) -> _Choice:
        choice = self._prepare(index)
        self._delta(choice, {"role": "assistant", "content": "", "refusal": None}, out)
        return choice

    def _prepare(self, index: int) -> _Choice:
        before = self._head() + f'[{{"index":{index},"delta":'.encode()
        choice = self._choices[index] = _Choice(before, self._tail("null"))
        return choice

    def _delta(self, choice: _Choice, delta: dict[str, Any], out: list[bytes]) -> None:
        if delta:
            out += (choice.before, encode(delta), choice.after)

    def _head(self) -> bytes:
        stamp = self._stamp
        head = b'data: {"id":%s,"object":"chat.completion.chunk","created":%d,"model":%s,' % (
            encode(stamp.id),
            stamp.created,
            encode(stamp.model),
        )
        if self._tier is not None:
            head += b'"service_tier":%s,' % encode(self._tier)
        return head + b'"choices":'

    def _tail(self, finish: str) -> bytes:
        usage = ',"usage":null' if self._include_usage else ""
        return f',"logprobs":null,"finish_reason":{finish}}}]{usage}}}\n\n'.encode()
