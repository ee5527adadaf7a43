"""A caller's body for a vendor of the same protocol: its bytes as they came, but for these, and nothing else.

- the model's name, where the vendor calls it otherwise;
- what another vendor made in an earlier turn and Anthropic would refuse the whole request for: thoughts, signatures and finds
  that bear our own mark (`proofs`);
- a thinking budget, where the turn so far is another vendor's (`unthought`).

A body is parsed for a mend only when a search of its bytes finds the mark.
"""

from typing import Any

import msgspec

from dragoman.catalog.profile import Profile
from dragoman.ir import Loss
from dragoman.protocols.anthropic import fields, proofs
from dragoman.protocols.anthropic.deeds import MINTED
from dragoman.protocols.anthropic.unthought import OFF, WITHOUT, without_thinking
from dragoman.protocols.anthropic.write_request import COUNT_PATH, PATH
from dragoman.protocols.base import Outgoing, Peek, Route, count_in, word_in
from dragoman.wire.body import Head, head_of, members, with_model
from dragoman.wire.json import decode, encode

_ANOTHERS = "what another vendor made is not sent to this one"
_MARKS = (b'"' + proofs.TAG.encode(), b'"' + MINTED.encode())


class _Head(Head, gc=False):
    max_tokens: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    service_tier: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_decode_head = msgspec.json.Decoder(_Head).decode


def peek(body: bytes, route: Route) -> Peek:
    """Checks that the whole body is JSON and names a model. Raises BadRequest."""
    head = head_of(body, _decode_head, fields, dotted=True)
    streams = bool(head.stream) and route.operation == "generate"
    return Peek(head.model, streams, bound=count_in(head.max_tokens), tier=word_in(head.service_tier))


def forward(body: bytes, peeked: Peek, route: Route, model: str, profile: Profile) -> Outgoing:
    if model != peeked.model:
        body = with_model(body, peeked.model, model)
    left_out: tuple[Loss, ...] = ()
    if _MARKS[0] in body or _MARKS[1] in body:
        body, left_out = _without_foreign(body)
    body, losses = without_thinking(body)
    path = COUNT_PATH if route.operation == "count_tokens" else PATH
    return Outgoing(path, body, peeked.stream, (*left_out, *losses) if left_out else losses)


def _without_foreign(body: bytes) -> tuple[bytes, tuple[Loss, ...]]:
    held = members(body)
    messages = decode(bytes(held["messages"])) if "messages" in held else None
    if type(messages) is not list:
        return body, ()
    kept: list[Any] = []
    losses: list[Loss] = []
    unsigned = changed = False
    for number, message in enumerate(messages):
        content = message.get("content") if type(message) is dict else None
        if type(content) is not list:
            kept.append(message)
            continue
        own: list[Any] = []
        cited = False
        for at, block in enumerate(content):
            if _is_foreign(block):
                # What was found stands in the words that followed it; a page that was read does not.
                harmless = block["type"] != "web_fetch_tool_result"
                losses.append(Loss(f"messages.{number}.content.{at}", _ANOTHERS, harmless))
                continue
            own.append(block)
            if _drop_citations(block):
                losses.append(Loss(f"messages.{number}.content.{at}.citations", _ANOTHERS, harmless=True))
                cited = True
        if message.get("role") == "assistant":
            unsigned = len(own) < len(content)
        if len(own) < len(content) or cited:
            changed = True
            message["content"] = own
        if own:
            kept.append(message)
    if not changed:
        return body, ()
    held["messages"] = msgspec.Raw(encode(kept))
    if unsigned and _thinking_enabled(held.get("thinking")) and _ends_with_result(kept):
        # 400 "Expected `thinking` or `redacted_thinking`, but found `tool_use`": this step was another model's.
        held["thinking"] = OFF
        losses.append(Loss("thinking.budget_tokens", WITHOUT))
    return encode(held), tuple(losses)


def _thinking_enabled(raw: msgspec.Raw | None) -> bool:
    """Whether each step has to begin with a thought; adaptive thinking asks that of none."""
    asked = None if raw is None else decode(bytes(raw))
    return type(asked) is dict and asked.get("type") == "enabled"


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
