"""A caller's body for a vendor of the same protocol: its bytes as they came, but for these, and nothing else.

- the model's name, where the vendor calls it otherwise;
- `stream_options.include_usage`, on a stream whose caller did not ask for counts: metering needs them, and the tap keeps them
  from the caller;
- spellings that the vendor is known to refuse:
  - role `developer` becomes `system` where the server knows no `developer` (llama.cpp's templates, Ark);
  - `reasoning_effort: "none"` becomes `thinking: {"type": "disabled"}` for Ark;
  - a literal `extra_body` member, which OpenAI refuses as an unknown parameter, is lifted to the top, and Google's
    `thinking_config` in it is left out where the vendor is not Google.

A body is parsed for a mend only when a search of its bytes finds the word.
"""

import re
from typing import Any

import msgspec
from msgspec import Struct

from dragoman.catalog.profile import Profile
from dragoman.ir import BadRequest
from dragoman.protocols.base import Outgoing, Peek
from dragoman.protocols.openai_chat.write_request import PATH
from dragoman.wire.json import decode, encode, names_twice


class _StreamOptions(Struct, gc=False):
    include_usage: bool | None = None


class _Head(Struct, gc=False):
    model: str
    stream: bool | None = None
    stream_options: _StreamOptions | None = None


_decode_head = msgspec.json.Decoder(_Head).decode
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode
_MODEL = re.compile(rb'(?<!\\)"model"\s*:\s*("(?:[^"\\]|\\.)*")')
_PLACE = re.compile(r"at `\$\.?([^`]*)`")
_ASK_USAGE = b'"stream_options":{"include_usage":true},'


def peek(body: bytes) -> Peek:
    """Checks that the whole body is JSON and names a model. Raises BadRequest."""
    try:
        head = _decode_head(body)
        if not body.isascii():
            body.decode()  # the decoder does not look into the strings it skips
        # The caller's right is checked on the one, a vendor may take the other. No usual encoder escapes U+006x.
        if (body.count(b'"model"') > 1 or b"\\u006" in body) and names_twice(body, "model"):
            raise BadRequest(
                "The request names its model twice. Send 'model' once.", param="model", code="duplicate_field"
            )
    except msgspec.ValidationError as error:
        raise _refused(str(error)) from None
    except RecursionError:
        raise BadRequest("The request body is nested too deeply.", code="invalid_json") from None
    except (msgspec.DecodeError, ValueError) as error:
        if not body.strip():
            raise BadRequest("The request body is empty. Send a JSON object.", code="invalid_json") from None
        raise BadRequest(f"The request body is not valid JSON: {error}.", code="invalid_json") from None
    options = head.stream_options
    return Peek(head.model, bool(head.stream), options is not None and bool(options.include_usage))


def forward(body: bytes, peeked: Peek, model: str, profile: Profile) -> Outgoing:
    """Raises BadRequest for function tools that the model would ignore without a word."""
    if model != peeked.model:
        body = _with_model(body, peeked.model, model)
    if b'"extra_body"' in body and profile.family != "gemini":
        body = _lift_extra_body(body)
    if profile.family == "ark" and b'"reasoning_effort"' in body:
        body = _disable_thinking(body)
    if not profile.developer_role and b'"developer"' in body:
        body = _system_role(body)
    if not profile.tools and (b'"tools"' in body or b'"functions"' in body):
        _refuse_tools(body, model)
    if peeked.stream and not peeked.include_usage:
        body = _ask_usage(body)
    return Outgoing(PATH, body, peeked.stream)


def _refused(message: str) -> BadRequest:
    found = _PLACE.search(message)
    param = found[1] if found else None
    if param is None:
        if "missing required field `model`" in message:
            return BadRequest("Missing required parameter: 'model'.", param="model", code="missing_required_parameter")
        return BadRequest(f"The request body must be a JSON object: {message}.", code="invalid_json")
    what = message.partition(" - at ")[0].replace("`", "'").lower()
    return BadRequest(f"Invalid type for '{param}': {what}.", param=param, code="invalid_type")


def _with_model(body: bytes, old: str, new: str) -> bytes:
    """The name spliced in place. A member of that name may stand deeper too, so each candidate is tried and checked."""
    name = _encode(new)
    for found in _MODEL.finditer(body):
        try:
            if decode(found[1]) != old:
                continue
            spliced = body[: found.start(1)] + name + body[found.end(1) :]
            if _decode_head(spliced).model == new:
                return spliced
        except (ValueError, msgspec.DecodeError):
            continue
    return _replace(body, model=new)


def _members(body: bytes) -> dict[str, Any]:
    return _decode_members(body)


def _replace(body: bytes, **members: Any) -> bytes:
    return _encode({**_members(body), **members})


def _ask_usage(body: bytes) -> bytes:
    if b'"stream_options"' not in body:
        opening = body.index(b"{") + 1
        return body[:opening] + _ASK_USAGE + body[opening:]
    members = _members(body)
    raw = members.get("stream_options")
    options = decode(bytes(raw)) if raw is not None else None
    members["stream_options"] = {**(options or {}), "include_usage": True}
    return _encode(members)


def _lift_extra_body(body: bytes) -> bytes:
    members = _members(body)
    raw = members.get("extra_body")
    if raw is None:
        return body
    nested = decode(bytes(raw))
    del members["extra_body"]
    if type(nested) is dict:
        google = nested.get("google")
        if type(google) is dict:
            google = {
                name: value for name, value in google.items() if name not in ("thinking_config", "thinkingConfig")
            }
            nested = {**nested, "google": google}
            if not google:
                del nested["google"]
        for name, value in nested.items():
            members.setdefault(name, value)
    return _encode(members)


def _disable_thinking(body: bytes) -> bytes:
    members = _members(body)
    raw = members.get("reasoning_effort")
    if raw is None or bytes(raw) != b'"none"':
        return body
    del members["reasoning_effort"]
    members.setdefault("thinking", {"type": "disabled"})
    return _encode(members)


def _refuse_tools(body: bytes, model: str) -> None:
    members = _members(body)
    for name, choice in (("tools", "tool_choice"), ("functions", "function_call")):
        given = members.get(name)
        if given is None or not decode(bytes(given)):
            continue
        chosen = members.get(choice)
        if chosen is None or decode(bytes(chosen)) != "none":
            raise BadRequest(
                f"The model '{model}' takes no function tools. Leave '{name}' out, or ask a model that takes them.",
                param=name,
                code="unsupported_parameter",
            )


def _system_role(body: bytes) -> bytes:
    members = _members(body)
    raw = members.get("messages")
    messages = decode(bytes(raw)) if raw is not None else None
    if type(messages) is not list:
        return body
    mended = False
    for message in messages:
        if type(message) is dict and message.get("role") == "developer":
            message["role"] = "system"
            mended = True
    return _replace(body, messages=msgspec.Raw(encode(messages))) if mended else body
