"""State: what a caller of Responses may name again, kept for it and put in place of its name.

Each answered call is kept under the caller's key with its own input, unless `store` is false; `previous_response_id` and
`item_reference` are looked up among what that key has made. A vendor gets them as items, except the one that made the
response itself, which knows it by its id.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec
from msgspec import Struct

from dragoman.ir import DragomanError, NotFound, Overloaded, Request
from dragoman.pipeline.call import Call
from dragoman.pipeline.step import Step
from dragoman.protocols.openai_responses.history import (
    Asked,
    asked,
    listed_items,
    own_input,
    resolved,
    response_of,
    with_items,
)
from dragoman.protocols.openai_responses.read_request import read_request
from dragoman.protocols.openai_responses.stream_writer import ResponsesStreamWriter
from dragoman.protocols.openai_responses.tap import ResponsesTap
from dragoman.store import Store, StoredResponse, StoreUnavailable
from dragoman.store.store import RESPONSES_KEPT_SECONDS
from dragoman.wire.json import decode, encode

Json = dict[str, Any]
# A conversation of so many turns is longer than any model's window; a longer chain is an error somewhere.
_LONGEST_CHAIN = 2000
# What a vendor makes in the background.
UNFINISHED = ("queued", "in_progress")


class _Input(Struct):
    """How a request's input is kept. `native`: whether the vendor itself knows the response by its id."""

    previous: str | None
    native: bool
    items: msgspec.Raw


class _Told(Struct, gc=False):
    id: str = ""
    status: str = ""
    model: str = ""
    output: list[Any] = []


_decode_input = msgspec.json.Decoder(_Input).decode
_decode_told = msgspec.json.Decoder(_Told).decode


class State:
    """Of one call: what it names, and what becomes of its answer."""

    __slots__ = ("_asked", "_earlier", "_items", "_native", "_owner", "_store")

    def __init__(self, store: Store | None, owner: str, body: bytes) -> None:
        self._store = store
        self._owner = owner
        self._asked: Asked = asked(body)
        self._earlier: list[Json] = []
        self._items: dict[str, Json] = {}
        self._native: str | None = None  # the provider that knows the previous response by its id

    async def recall(self) -> None:
        """Looks up what the request names. Raises NotFound for what is not there, or is another key's."""
        previous = self._asked.previous
        if previous is not None:
            chain = await chain_of(self._store, self._owner, previous)
            if chain is None:
                raise NotFound(
                    f"Previous response with id '{previous}' not found.",
                    param="previous_response_id",
                    code="previous_response_not_found",
                )
            first = chain[-1]
            self._native = first.provider if _decode_input(first.items).native else None
            for link in chain:
                self._earlier += _given(link)
                self._earlier += _told(link)
            self._items = {item["id"]: item for item in self._earlier if isinstance(item.get("id"), str)}
        for id, path in self._asked.references:
            if id not in self._items and (response := response_of(id)) is not None:
                found = await fetch(self._store, self._owner, response)
                if found is not None:
                    self._take(found)
                if id not in self._items:
                    raise NotFound(f"Item with id '{id}' not found.", param=path, code="item_not_found")

    def _take(self, found: StoredResponse) -> None:
        for item in (*listed_items(_given(found), found.id), *_told(found)):
            if isinstance(item.get("id"), str):
                self._items.setdefault(item["id"], item)

    def request(self, body: bytes) -> Request:
        """The request with all that it names. Raises BadRequest."""
        return read_request(body, self._earlier, self._items)

    def body(self, body: bytes, step: Step) -> bytes:
        """The body for a target that speaks Responses itself."""
        known = {id: item for id, item in self._items.items() if response_of(id) is not None}
        foreign = self._asked.previous is not None and self._native != step.target.provider
        ours = any(id in known for id, _ in self._asked.references)
        if not foreign and not ours:
            return body
        if not foreign:
            return with_items(body, (), known, keep_previous=True)
        # Reasoning is sealed for the account that it was made for.
        earlier = [item for item in self._earlier if item.get("type") != "reasoning" or _sealed(item)]
        return with_items(body, earlier, self._items)

    async def keep(self, call: Call, answer: bytes) -> None:
        """The whole answer, before its caller learns that it is whole: the next request may be quick."""
        store, step = self._store, call.step
        if store is None or step is None or not self._asked.keeps:
            return
        try:
            told = _decode_told(answer)
        except msgspec.DecodeError:
            return
        if not told.id or not (told.status in ("completed", "incomplete") or (step.same and told.status in UNFINISHED)):
            return
        items = own_input(call.body)
        if self._asked.references:
            items = msgspec.Raw(encode(resolved(decode(bytes(items)), self._items)))
        kept = _Input(self._asked.previous, step.same, items)
        now = int(time.time())
        await store.put_response(
            StoredResponse(
                id=told.id,
                owner=self._owner,
                created=now,
                expires=now + RESPONSES_KEPT_SECONDS,
                provider=step.target.provider,
                model=told.model,
                items=encode(kept),
                response=answer,
            )
        )

    async def keep_streamed(self, call: Call, teller: object) -> None:
        """The answer that a stream has told, once it is whole."""
        if isinstance(teller, ResponsesTap | ResponsesStreamWriter) and teller.answer is not None:
            answer, teller.answer = teller.answer, None
            await self.keep(call, answer)


def _given(kept: StoredResponse) -> list[Json]:
    """A response's own input. A vendor that imitates OpenAI may have taken what is no list of items."""
    value = decode(bytes(_decode_input(kept.items).items))
    return _objects(value) if isinstance(value, list) else []


def _told(kept: StoredResponse) -> list[Json]:
    return _objects(_decode_told(kept.response).output)


def _objects(items: list[Any]) -> list[Json]:
    return [item for item in items if isinstance(item, dict)]


def _sealed(item: Json) -> bool:
    proof = item.get("encrypted_content")
    return isinstance(proof, str) and proof.startswith("dg1.openai.")


def owner_of(call: Call) -> str:
    return call.key.name if call.key is not None else ""


async def fetch(store: Store | None, owner: str, id: str) -> StoredResponse | None:
    """Raises Overloaded where the database does not answer."""
    if store is None:
        return None
    try:
        return await store.get_response(owner, id)
    except StoreUnavailable:
        raise unavailable() from None


def status_of(found: StoredResponse) -> str:
    return _decode_told(found.response).status


async def chain_of(store: Store | None, owner: str, id: str) -> list[StoredResponse] | None:
    """The response and those before it, oldest first; None where any of them is not there."""
    chain: list[StoredResponse] = []
    next: str | None = id
    while next is not None:
        found = await fetch(store, owner, next)
        if found is None or len(chain) >= _LONGEST_CHAIN:
            return None
        chain.append(found)
        next = _decode_input(found.items).previous
    chain.reverse()
    return chain


async def input_of(store: Store | None, owner: str, id: str) -> list[Json] | None:
    """All that the model of a kept response was given to read, oldest first."""
    chain = await chain_of(store, owner, id)
    if chain is None:
        return None
    found: list[Json] = []
    for link in chain:
        found += listed_items(_given(link), link.id)
        if link.id != id:
            found += listed_items(_told(link), f"{link.id}_out")
    return found


def unavailable() -> DragomanError:
    return Overloaded("Kept responses cannot be read at the moment. Try again shortly.", retry_after=5.0)
