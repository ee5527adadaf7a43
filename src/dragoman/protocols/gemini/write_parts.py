"""Writes turns as `contents`: consecutive turns of one role become one, results stand in the order of their calls.

Parts are never merged or re-ordered, and a signature of Gemini's goes back on the part it came with: Gemini 3 answers 400 to
a step of the current turn whose first functionCall lacks its signature (ai.google.dev/gemini-api/docs/thought-signatures).
"""

from typing import Any

from dragoman.catalog.profile import Profile
from dragoman.ir import (
    BadRequest,
    CodeCall,
    CodeResult,
    Extra,
    FetchCall,
    FetchResult,
    Losses,
    Media,
    Message,
    Opaque,
    Part,
    Refusal,
    SearchCall,
    SearchResult,
    Signature,
    Text,
    Thought,
    ToolCall,
    ToolResult,
)
from dragoman.ir.turns import has_result
from dragoman.protocols.gemini.fields import Object
from dragoman.protocols.gemini.media import is_googles, named_type, sniff, split_data_url
from dragoman.protocols.gemini.read_parts import MINTED
from dragoman.wire.json import NotJson, decode

# Documented for calls that Gemini did not make itself (the thought-signatures page's FAQ, 2026-10); sent literally.
DUMMY_SIGNATURE = "skip_thought_signature_validator"
# What Gemini 3 takes inside a function's response (ai.google.dev/gemini-api/docs/function-calling, multimodal responses).
_IN_RESULTS = frozenset({"image/png", "image/jpeg", "image/webp", "application/pdf", "text/plain"})
_OUTCOMES = {"ok": "OUTCOME_OK", "failed": "OUTCOME_FAILED", "timeout": "OUTCOME_DEADLINE_EXCEEDED"}
_LEVELS = {"low": "MEDIA_RESOLUTION_LOW", "medium": "MEDIA_RESOLUTION_MEDIUM", "high": "MEDIA_RESOLUTION_HIGH"}


class Contents:
    """Collects the contents of one request."""

    __slots__ = ("_losses", "_names", "_profile", "_results", "_stepped", "_strict_from", "written")

    def __init__(self, profile: Profile, losses: Losses) -> None:
        self._profile = profile
        self._losses = losses
        self.written: list[Object] = []
        self._names: dict[str, str] = {}  # the function of each call
        self._results = False  # whether the last content holds results
        self._stepped = False  # whether the last content's first call was written
        self._strict_from = 0

    def write(self, messages: tuple[Message, ...]) -> list[Object]:
        self._strict_from = _current_turn(messages) if self._profile.thinking == "level" else len(messages)
        for number, message in enumerate(messages):
            if message.name is not None:
                self._losses.add_path(f"{message.origin}.name", "Gemini's turns have no name", harmless=True)
            if message.role == "assistant":
                self._add("model", self._model_parts(message, number))
            elif message.role == "system":
                self._add("user", [_reminder(part) for part in message.parts if isinstance(part, Text)])
            else:
                self._user(message)
        return self.written

    def _add(self, role: str, parts: list[Object]) -> None:
        if not parts:
            return
        if self.written and self.written[-1]["role"] == role and not self._results:
            self.written[-1]["parts"] += parts
            return
        self._results = False
        self._stepped = False
        self.written.append({"role": role, "parts": parts})

    def _user(self, message: Message) -> None:
        parts = message.parts
        if len(parts) == 1 and parts[0].__class__ is Text:
            text: Text = parts[0]
            if not text.extras and text.signature is None:
                self._add("user", [{"text": text.text}])
                return
        results: list[Object] = []
        rest: list[Object] = []
        for number, part in enumerate(parts):
            if isinstance(part, ToolResult):
                written, beside = self._result(message, number, part)
                results.append(written)
                rest += beside
            else:
                written_part = self._part(message, number, part)
                if written_part is not None:
                    rest.append(written_part)
        if results:
            # All results of one step are parts of one content, and nothing else is.
            self.written.append({"role": "user", "parts": results})
            self._stepped = False
            self._results = True
        self._add("user", rest)

    def _model_parts(self, message: Message, number: int) -> list[Object]:
        parts: list[Object] = []
        if not (self.written and self.written[-1]["role"] == "model"):
            self._stepped = False
        for at, part in enumerate(message.parts):
            if isinstance(part, ToolCall):
                written = self._call(message, at, part)
                if not self._stepped and number >= self._strict_from and "thoughtSignature" not in written:
                    written["thoughtSignature"] = DUMMY_SIGNATURE
                    self._losses.add_part(message, at, "the call has no signature of Gemini's; a dummy is sent")
                self._stepped = True
                parts.append(written)
            else:
                found = self._part(message, at, part)
                if found is not None:
                    parts.append(found)
        return parts

    def _call(self, message: Message, at: int, call: ToolCall) -> Object:
        self._names[call.id] = call.name
        try:
            args = decode(call.arguments.encode()) if call.arguments.strip() else {}
        except NotJson:
            args = None
        if not isinstance(args, dict):
            args = {"_raw": call.arguments}
            self._losses.add_part(message, at, "the arguments are no JSON object; they are sent as text in one")
        function: Object = {"name": call.name, "args": args}
        if _genuine(call.id):
            function["id"] = call.id
        written: Object = {"functionCall": function}
        self._beside(written, call.signature, call.extras, message, at)
        return written

    def _result(self, message: Message, at: int, result: ToolResult) -> tuple[Object, list[Object]]:
        """The functionResponse, and the parts that must follow it where the model takes no media inside."""
        name = result.name or self._names.get(result.call_id)
        if not name:
            raise BadRequest(
                f"There is no call {result.call_id!r} that this could be the result of.",
                param=self._losses.part_path(message, at),
                code="invalid_value",
            )
        function: Object = {"name": name, "response": _response(result)}
        if _genuine(result.call_id):
            function["id"] = result.call_id
        media: list[Object] = []
        for one in result.media:
            shown = self._media(message, at, one)
            blob = shown.get("inlineData")
            if self._profile.media_in_results and blob is not None and blob["mimeType"] in _IN_RESULTS:
                function.setdefault("parts", []).append({"inlineData": blob})
            else:
                media.append(shown)
        written: Object = {"functionResponse": function}
        self._beside(written, None, result.extras, message, at)
        return written, media

    def _part(self, message: Message, at: int, part: Part) -> Object | None:
        written: Object
        match part:
            case Text():
                written = {"text": part.text}
                self._beside(written, part.signature, part.extras, message, at)
            case Thought():
                if part.signature is None or part.signature.maker != "gemini":
                    self._losses.add_part(message, at, "a thought that Gemini did not sign is not sent", harmless=True)
                    return None
                written = {"text": part.text, "thought": True, "thoughtSignature": part.signature.data}
            case Media():
                written = self._media(message, at, part)
                if part.thought:
                    written["thought"] = True
                self._beside(written, part.signature, part.extras, message, at)
            case Refusal():
                written = {"text": part.text}
            case CodeCall():
                code: Object = {"language": part.language.upper(), "code": part.code}
                if part.id:
                    code["id"] = part.id
                written = {"executableCode": code}
                self._beside(written, part.signature, (), message, at)
            case CodeResult():
                outcome: Object = {"outcome": _OUTCOMES.get(part.outcome, "OUTCOME_FAILED"), "output": part.output}
                if part.id:
                    outcome["id"] = part.id
                written = {"codeExecutionResult": outcome}
                self._beside(written, part.signature, (), message, at)
            case SearchCall() | FetchCall():
                if not has_result(message.parts, at):  # else told with it
                    what = "search" if isinstance(part, SearchCall) else "reading of a page"
                    self._losses.add_part(message, at, f"Gemini is not told of an earlier {what}", harmless=True)
                return None
            case SearchResult() | FetchResult():
                what = "search" if isinstance(part, SearchResult) else "reading of a page"
                self._losses.add_part(message, at, f"Gemini is not told of an earlier {what}; what it gave is left out")
                return None
            case Opaque(owner="gemini"):
                written = dict(part.value)
            case Opaque():
                self._losses.add_part(message, at, f"Gemini does not understand {part.what}")
                return None
            case ToolCall():  # outside a model's turn: nobody can have made it
                return self._call(message, at, part)
            case ToolResult():
                written, _ = self._result(message, at, part)
        return written

    def _media(self, message: Message, at: int, media: Media) -> Object:
        path = self._losses.part_path(message, at)
        for kind, takes in (("image", self._profile.sees), ("audio", self._profile.hears)):
            if media.kind == kind and not takes:
                raise BadRequest(f"This model takes no {kind}.", param=path, code="unsupported_value")
        written: Object
        if media.data is not None:
            data, mime = media.data, media.mime
            if data[:5].lower() == "data:":
                named, data = split_data_url(data)
                mime = mime or named
            if not mime or mime.endswith("/*"):
                mime = sniff(data) or "application/octet-stream"
            written = {"inlineData": {"mimeType": mime, "data": data}}
        elif media.url is not None:
            kind = (media.mime or named_type(media.url)).partition("/")[0]
            if kind in ("image", "") and not self._profile.fetches_urls and not is_googles(media.url):
                raise BadRequest(
                    "This model does not fetch URLs of images; send the image itself as base64.",
                    param=path,
                    code="unsupported_value",
                )
            file: Object = {"fileUri": media.url}
            if media.mime and not media.mime.endswith("/*"):
                file["mimeType"] = media.mime
            written = {"fileData": file}
        else:
            raise BadRequest(
                "A file that was uploaded to another vendor can't be sent to Gemini; send its data or a URL.",
                param=path,
                code="unsupported_value",
            )
        if media.filename:
            self._losses.add_path(f"{path}.filename", "Gemini's parts have no file name", harmless=True)
        if media.detail is not None and media.detail != "auto":
            level = _LEVELS.get(media.detail)
            if level is not None and self._profile.thinking == "level":
                written["mediaResolution"] = {"level": level}
            else:
                self._losses.add_path(f"{path}.detail", "the model has no resolution for a part", harmless=True)
        if media.clip is not None:
            names = ("startOffset", "endOffset", "fps")
            written["videoMetadata"] = {
                name: held for name, held in zip(names, media.clip, strict=True) if held is not None
            }
        return written

    def _beside(
        self, written: Object, signature: Signature | None, extras: tuple[Extra, ...], message: Message, at: int
    ) -> None:
        if signature is not None:
            if signature.maker == "gemini":
                written["thoughtSignature"] = signature.data
            else:
                self._losses.add_part(message, at, "a signature of another vendor's is not sent", harmless=True)
        for extra in extras:
            if extra.owner == "gemini":
                put(written, extra.name, extra.value)
            else:
                self._losses.add_path(extra.path, "Gemini has no such field", harmless=extra.harmless)


def put(target: Object, name: str, value: Any) -> None:
    """Sets the dotted `name` in `target`."""
    *outer, last = name.split(".")
    for word in outer:
        held = target.setdefault(word, {})
        if not isinstance(held, dict):
            return
        target = held
    target[last] = value


def _genuine(ident: str) -> bool:
    return bool(ident) and not ident.startswith(MINTED)


def _current_turn(messages: tuple[Message, ...]) -> int:
    """Where the current turn begins: after the last message of the user's that is more than results."""
    for number in range(len(messages) - 1, -1, -1):
        message = messages[number]
        if message.role != "assistant" and not all(isinstance(part, ToolResult) for part in message.parts):
            return number + 1
    return 0


def _reminder(part: Text) -> Object:
    return {"text": f"<system-reminder>\n{part.text}\n</system-reminder>"}


def _response(result: ToolResult) -> Object:
    """The object that `functionResponse.response` must be: objects as they are, all else under `output`."""
    held: Any = result.content
    if '"$ref"' in held:
        # Gemini 3 takes a `$ref` anywhere in a result for the name of a part beside it: 400 "The referenced name … does not match
        # to a display_name" (vercel/ai#14369). As text it is only text.
        return {"error" if result.is_error else "output": held}
    if result.is_json or held[:1] in ("{", "["):
        try:
            held = decode(held.encode())
        except NotJson:
            held = result.content
    if result.is_error:
        return {"error": held}
    return held if isinstance(held, dict) else {"output": held}
