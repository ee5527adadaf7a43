"""A caller's body for a vendor of the same protocol: its bytes as they came, but for these, and nothing else.

- the model's name, where the vendor calls it otherwise;
- `stream_options.include_usage`, on a stream whose caller did not ask for counts: metering needs them, and the tap keeps them
  from the caller;
- spellings that the vendor is known to refuse:
  - role `developer` becomes `system` where the server knows no `developer` (llama.cpp's templates, Ark);
  - `reasoning_effort: "none"` becomes `thinking: {"type": "disabled"}` for Ark;
  - a literal `extra_body` member, which OpenAI refuses as an unknown parameter, is lifted to the top (`extra_body`);
- Google's signatures, where the vendor is not Google (`foreign`);
- calls of the current turn that lost their signature, where the model wants one (`unsigned`).

A body is parsed for a mend only when a search of its bytes finds the word.
"""

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from dragoman.catalog.profile import Profile
from dragoman.ir import Loss
from dragoman.protocols.base import Outgoing, Peek, count_in, word_in
from dragoman.protocols.openai import fields
from dragoman.protocols.openai.capabilities import check_format, no_functions, no_pictures
from dragoman.protocols.openai_chat.extra_body import lifted
from dragoman.protocols.openai_chat.foreign import without_signatures
from dragoman.protocols.openai_chat.unsigned import signed
from dragoman.protocols.openai_chat.write_request import PATH
from dragoman.wire.body import Head, head_of, members, replace, with_model
from dragoman.wire.json import decode, encode


class _StreamOptions(Struct, gc=False):
    include_usage: bool | None = None


class _Head(Head, gc=False):
    stream_options: _StreamOptions | None = None
    max_completion_tokens: Raw | UnsetType = UNSET
    max_tokens: Raw | UnsetType = UNSET
    n: Raw | UnsetType = UNSET
    service_tier: Raw | UnsetType = UNSET


_decode_head = msgspec.json.Decoder(_Head).decode
_encode = msgspec.json.Encoder().encode
_ASK_USAGE = b'"stream_options":{"include_usage":true},'


def peek(body: bytes) -> Peek:
    """Checks that the whole body is JSON and names a model. Raises BadRequest."""
    head = head_of(body, _decode_head, fields)
    options = head.stream_options
    include_usage = options is not None and bool(options.include_usage)
    bound = count_in(head.max_completion_tokens, head.max_tokens)
    tier = word_in(head.service_tier)
    return Peek(head.model, bool(head.stream), include_usage, bound, count_in(head.n) or 1, tier)


def forward(body: bytes, peeked: Peek, model: str, profile: Profile) -> Outgoing:
    """Raises BadRequest for function tools that the model would ignore without a word, for pictures that it cannot see, and for
    formats that it cannot be held to."""
    if model != peeked.model:
        body = with_model(body, peeked.model, model)
    losses: tuple[Loss, ...] = ()
    if profile.family != "gemini" and b'"extra_' in body:
        if b'"extra_body"' in body:
            body, losses = lifted(body)
        if b'"extra_content"' in body:
            body, foreign = without_signatures(body)
            losses = (*losses, *foreign)
    if profile.family == "ark" and b'"reasoning_effort"' in body:
        body = _disable_thinking(body)
    if not profile.developer_role and b'"developer"' in body:
        body = _system_role(body)
    if not profile.tools and (b'"tools"' in body or b'"functions"' in body):
        _refuse_tools(body, model)
    if not profile.sees and b'"image_url"' in body:
        _refuse_pictures(body, model)
    if len(profile.formats) < 2 and b'"response_format"' in body:
        _refuse_format(body, profile)
    if peeked.stream and not peeked.include_usage:
        body = _ask_usage(body)
    if profile.signed_calls:
        body, unsigned = signed(body)
        losses = (*losses, *unsigned)
    return Outgoing(PATH, body, peeked.stream, losses)


def _ask_usage(body: bytes) -> bytes:
    if b'"stream_options"' not in body:
        opening = body.index(b"{") + 1
        return body[:opening] + _ASK_USAGE + body[opening:]
    held = members(body)
    raw = held.get("stream_options")
    options = decode(bytes(raw)) if raw is not None else None
    held["stream_options"] = {**(options or {}), "include_usage": True}
    return _encode(held)


def _disable_thinking(body: bytes) -> bytes:
    held = members(body)
    raw = held.get("reasoning_effort")
    if raw is None or bytes(raw) != b'"none"':
        return body
    del held["reasoning_effort"]
    held.setdefault("thinking", {"type": "disabled"})
    return _encode(held)


def _refuse_tools(body: bytes, model: str) -> None:
    held = members(body)
    for name, choice in (("tools", "tool_choice"), ("functions", "function_call")):
        given = held.get(name)
        if given is None or not decode(bytes(given)):
            continue
        chosen = held.get(choice)
        if chosen is None or decode(bytes(chosen)) != "none":
            raise no_functions(model, name)


def _refuse_pictures(body: bytes, model: str) -> None:
    raw = members(body).get("messages")
    messages = decode(bytes(raw)) if raw is not None else None
    for number, message in enumerate(messages if type(messages) is list else ()):
        content = message.get("content") if type(message) is dict else None
        for at, part in enumerate(content if type(content) is list else ()):
            if type(part) is dict and part.get("type") == "image_url":
                raise no_pictures(model, f"messages[{number}].content[{at}]")


def _refuse_format(body: bytes, profile: Profile) -> None:
    raw = members(body).get("response_format")
    form = decode(bytes(raw)) if raw is not None else None
    if type(form) is dict:
        check_format(form.get("type"), profile, "response_format")


def _system_role(body: bytes) -> bytes:
    held = members(body)
    raw = held.get("messages")
    messages = decode(bytes(raw)) if raw is not None else None
    if type(messages) is not list:
        return body
    mended = False
    for message in messages:
        if type(message) is dict and message.get("role") == "developer":
            message["role"] = "system"
            mended = True
    return replace(body, messages=msgspec.Raw(encode(messages))) if mended else body
