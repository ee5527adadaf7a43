"""Kept responses inside a request: which it names, and its body with their items in place of their names."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from dragoman.ir import Loss
from dragoman.protocols.openai_responses.envelope import PREFIX
from dragoman.wire.body import members
from dragoman.wire.envelope import unseal
from dragoman.wire.json import decode, encode

Json = dict[str, Any]
# The ids that we make: those of items tell their response's.
_OUR_ITEM = re.compile(r"[a-z]+_(?:after_)?([0-9a-z]{26})_(?:in)?\d+")
# Reasoning that only we can read: a tagged envelope, or an id of ours, under which a vendor would look for its own.
_FOREIGN = re.compile(rb'"dg1\.|"rs_(?:after_)?[0-9a-z]{26}_\d')
_ANOTHERS = "reasoning that another vendor made is not sent to this one"


class Asked(Struct, frozen=True):
    """What a body says of kept responses. `references` are the ids that items of its input name, each with its path; `looked_up`
    those of items without their substance, which the vendor that made them looks up among what it keeps."""

    previous: str | None = None
    references: tuple[tuple[str, str], ...] = ()
    keeps: bool = True
    looked_up: tuple[tuple[str, str], ...] = ()
    conversation: str | None = None


class _Item(Struct, gc=False):
    """As much of an input item as tells whether a vendor would look for it by its id."""

    id: Any = None
    type: Any = None
    role: msgspec.Raw = msgspec.Raw()
    content: msgspec.Raw = msgspec.Raw()
    encrypted_content: msgspec.Raw = msgspec.Raw()
    result: msgspec.Raw = msgspec.Raw()


_decode_item = msgspec.json.Decoder(_Item).decode
_decode_pieces = msgspec.json.Decoder(list[msgspec.Raw]).decode
# What can name a kept thing. An escape may stand in any word, so that a body with one is looked through whole.
_NAMES = (b'"store"', b'"previous_response_id"', b'"conversation"', b"\\u00")


def asked(body: bytes) -> Asked:
    """A body that says none of it in its right type says nothing: its reader will refuse it."""
    may_name_items = _may_name_items(body)
    if not may_name_items and not any(name in body for name in _NAMES):
        return Asked()
    found = members(body)
    previous = _value(found.get("previous_response_id"))
    conversation = _value(found.get("conversation"))
    if isinstance(conversation, dict):
        conversation = conversation.get("id")
    references: list[tuple[str, str]] = []
    looked_up: list[tuple[str, str]] = []
    if may_name_items and bytes(found.get("input", b""))[:1] == b"[":
        for number, raw in enumerate(_decode_pieces(found["input"])):
            if bytes(raw)[:1] != b"{":
                continue
            item = _decode_item(raw)
            if not isinstance(item.id, str):
                continue
            if item.type == "item_reference" or (item.type is None and _none(item.role) and _none(item.content)):
                references.append((item.id, f"input[{number}].id"))
            elif item.type == "reasoning":
                if _none(item.encrypted_content) and _none(item.content):
                    looked_up.append((item.id, f"input[{number}].id"))
            elif item.type == "image_generation_call" and _none(item.result):
                looked_up.append((item.id, f"input[{number}].id"))
    return Asked(
        previous if isinstance(previous, str) and previous else None,
        tuple(references),
        _value(found.get("store")) is not False,
        tuple(looked_up),
        conversation if isinstance(conversation, str) and conversation else None,
    )


def response_of(item: str) -> str | None:
    """The id of the response that an item of ours belongs to."""
    found = _OUR_ITEM.fullmatch(item)
    return PREFIX + found[1] if found else None


def own_input(body: bytes) -> msgspec.Raw:
    """The request's own input as a JSON array of items."""
    raw = members(body).get("input")
    if raw is None or bytes(raw) == b"null":
        return msgspec.Raw(b"[]")
    if bytes(raw)[:1] == b'"':
        return msgspec.Raw(b'[{"type":"message","role":"user","content":%b}]' % bytes(raw))
    return msgspec.Raw(bytes(raw))


def with_items(body: bytes, earlier: Sequence[Json], kept: Mapping[str, Json], *, keep_previous: bool = False) -> bytes:
    """The body for a vendor that knows nothing of the items it names, nor, unless `keep_previous`, of the response before it."""
    found = members(body)
    if not keep_previous:
        found.pop("previous_response_id", None)
    own = decode(bytes(own_input(body)))
    if isinstance(own, list):
        found["input"] = msgspec.Raw(encode([*earlier, *resolved(own, kept)]))
    return encode(found)


def resolved(items: Sequence[Any], kept: Mapping[str, Json]) -> list[Any]:
    """The items with those that they name in place of the names, as far as they are known."""
    return [kept.get(item["id"], item) if _refers(item) else item for item in items]


def readable(body: bytes) -> tuple[bytes, tuple[Loss, ...]]:
    """The body without reasoning that its vendor cannot read; what of it is the vendor's own stands as it was."""
    if not _FOREIGN.search(body):
        return body, ()
    found = members(body)
    items = _value(found.get("input"))
    if not isinstance(items, list):
        return body, ()
    written = [kept for item in items if (kept := _readable(item)) is not None]
    if written == items:
        return body, ()
    found["input"] = msgspec.Raw(encode(written))
    # Which item it was is not said: before those that the caller sent may stand others that it named.
    lost = (Loss("input", _ANOTHERS, harmless=True),) if len(written) < len(items) else ()
    return encode(found), lost


def _readable(item: Any) -> Any:
    if not isinstance(item, dict) or item.get("type") != "reasoning":
        return item
    proof, id = item.get("encrypted_content"), item.get("id")
    if isinstance(proof, str) and proof:
        signature = unseal(proof)
        if signature is None:
            return item
        if signature.maker != "openai" or not signature.id:
            return None
        return {**item, "id": signature.id, "encrypted_content": signature.data}
    return None if isinstance(id, str) and _OUR_ITEM.fullmatch(id) else item


def listed_items(items: Sequence[Any], response: str) -> list[Json]:
    """Input items as they are listed: each with its type and an id, a message's text in parts."""
    tail = response.removeprefix(PREFIX)
    found: list[Json] = []
    for number, item in enumerate(items):
        if not isinstance(item, dict):
            continue
        told = {"type": "message", **item}
        told["id"] = item.get("id") or f"{_ID_PREFIXES.get(str(told['type']), 'item_')}{tail}_in{number}"
        if told["type"] == "message":
            told.setdefault("status", "completed")
            if isinstance(told.get("content"), str):
                kind = "output_text" if told.get("role") == "assistant" else "input_text"
                part: Json = {"type": kind, "text": told["content"]}
                told["content"] = [{**part, "annotations": []} if kind == "output_text" else part]
        found.append(told)
    return found


_ID_PREFIXES = {
    "message": "msg_",
    "function_call": "fc_",
    "function_call_output": "fco_",
    "custom_tool_call": "ctc_",
    "custom_tool_call_output": "cto_",
    "reasoning": "rs_",
}


def _may_name_items(body: bytes) -> bool:
    return b'"id"' in body or b"\\u00" in body


def _none(raw: msgspec.Raw) -> bool:
    return not raw or not decode(bytes(raw))


def _refers(item: Any) -> bool:
    if not isinstance(item, dict) or not isinstance(item.get("id"), str):
        return False
    kind = item.get("type")
    return kind == "item_reference" or (kind is None and not item.get("role") and not item.get("content"))


def _value(raw: Any) -> Any:
    return None if raw is None else decode(bytes(raw))
