"""A caller's body for a vendor of the same protocol: its bytes as they came, but for these, and nothing else.

- the model's name, where the vendor calls it otherwise;
- what another vendor made in an earlier turn and Anthropic would refuse the whole request for: thoughts, signatures and finds
  that bear our own mark (`proofs`);
- a thinking budget, where the turn so far is another vendor's (`unthought`).

A body is parsed for a mend only when a search of its bytes finds the mark.
"""

import re
from typing import Any

import msgspec
from msgspec import Struct

from dragoman.catalog.profile import Profile
from dragoman.ir import BadRequest
from dragoman.protocols.anthropic import proofs
from dragoman.protocols.anthropic.deeds import MINTED
from dragoman.protocols.anthropic.unthought import without_thinking
from dragoman.protocols.anthropic.write_request import COUNT_PATH, PATH
from dragoman.protocols.base import Outgoing, Peek, Route
from dragoman.wire.json import decode, encode, names_twice

Json = dict[str, Any]


class _Head(Struct, gc=False):
    model: str
    stream: bool | None = None


_decode_head = msgspec.json.Decoder(_Head).decode
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode
_MODEL = re.compile(rb'(?<!\\)"model"\s*:\s*("(?:[^"\\]|\\.)*")')
_PLACE = re.compile(r"at `\$\.?([^`]*)`")
_MARKS = (b'"' + proofs.TAG.encode(), b'"' + MINTED.encode())


def peek(body: bytes, route: Route) -> Peek:
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
    return Peek(head.model, bool(head.stream) and route.operation == "generate")


def forward(body: bytes, peeked: Peek, route: Route, model: str, profile: Profile) -> Outgoing:
    if model != peeked.model:
        body = _with_model(body, peeked.model, model)
    if _MARKS[0] in body or _MARKS[1] in body:
        body = _without_foreign(body, profile)
    body, losses = without_thinking(body)
    return Outgoing(COUNT_PATH if route.operation == "count_tokens" else PATH, body, peeked.stream, losses)


def _refused(message: str) -> BadRequest:
    found = _PLACE.search(message)
    param = found[1] if found else None
    if param is None:
        if "missing required field `model`" in message:
            return BadRequest("model: Field required.", param="model", code="missing_field")
        return BadRequest(f"The request body must be a JSON object: {message}.", code="invalid_json")
    what = message.partition(" - at ")[0].replace("`", "'").lower()
    return BadRequest(f"{param}: {what}.", param=param, code="invalid_type")


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
    return _encode({**_decode_members(body), "model": new})


def _without_foreign(body: bytes, profile: Profile) -> bytes:
    members: dict[str, Any] = dict(_decode_members(body))
    messages = decode(bytes(members["messages"])) if "messages" in members else None
    if type(messages) is not list:
        return body
    kept: list[Any] = []
    unsigned = changed = False
    for message in messages:
        content = message.get("content") if type(message) is dict else None
        if type(content) is not list:
            kept.append(message)
            continue
        own = [block for block in content if not _is_foreign(block)]
        cited = [block for block in own if _drop_citations(block)]
        if message.get("role") == "assistant":
            unsigned = len(own) < len(content)
        if len(own) < len(content) or cited:
            changed = True
            message["content"] = own
        if own:
            kept.append(message)
    if not changed:
        return body
    members["messages"] = msgspec.Raw(encode(kept))
    if unsigned and "thinking" in members and _ends_with_result(kept):
        # 400 "Expected `thinking` or `redacted_thinking`, but found `tool_use`": this step was another model's.
        members["thinking"] = msgspec.Raw(b'{"type":"disabled"}')
    return _encode(members)


def _is_foreign(block: Any) -> bool:
    if type(block) is not dict:
        return False
    match block.get("type"):
        case "thinking":
            return proofs.is_foreign(block.get("signature"))
        case "redacted_thinking":
            return proofs.is_foreign(block.get("data"))
        case "server_tool_use":
            return type(block.get("id")) is str and block["id"].startswith(MINTED)
        case str() as kind if kind.endswith("_tool_result"):
            return type(block.get("tool_use_id")) is str and block["tool_use_id"].startswith(MINTED)
    return False


def _drop_citations(block: Any) -> bool:
    """Takes away citations of pages that another vendor found; whether there were any."""
    citations = block.get("citations") if type(block) is dict else None
    if type(citations) is not list:
        return False
    own = [one for one in citations if not (type(one) is dict and proofs.is_foreign(one.get("encrypted_index", "-")))]
    if len(own) == len(citations):
        return False
    if own:
        block["citations"] = own
    else:
        del block["citations"]
    return True


def _ends_with_result(messages: list[Any]) -> bool:
    content = messages[-1].get("content") if messages and type(messages[-1]) is dict else None
    first = content[0] if type(content) is list and content else None
    return type(first) is dict and first.get("type") == "tool_result"
