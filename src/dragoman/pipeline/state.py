"""State: what a caller of Responses may name again, kept for it and put in place of its name.

Each answered call is kept under the caller's key with its own input, unless `store` is false; `previous_response_id` and
`item_reference` are looked up among what that key has made. A vendor gets them as items, except the one that made them
itself, which knows them by their ids. All keys share the gateway's one account there: so no id reaches a vendor that it would
look up and that this key was not given.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec
from msgspec import Struct

from dragoman.ir import BadRequest, DragomanError, NotFound, Overloaded, Request
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
    """Of one call: what it names, and what becomes of its answer. What it names may be as long as `limit` bytes."""

    __slots__ = (
        "_asked", "_earlier", "_items", "_limit", "_makers", "_native", "_owner", "_refusal", "_store", "_too_long",
        "named_bytes",
    )  # fmt: skip

    def __init__(self, store: Store | None, owner: str, body: bytes, limit: int) -> None:
        self._store = store
        self._owner = owner
        self._limit = limit
        self._asked: Asked = asked(body)
        self.named_bytes = 0  # how long what it names is, about
        self._earlier: list[Json] = []
        self._items: dict[str, Json] = {}
        self._makers: dict[str, str] = {}  # the provider that knows an item by its id
        self._native: str | None = None  # and the one that knows the previous response
        # Mistakes for some targets alone.
        self._too_long: BadRequest | None = None
        self._refusal: NotFound | None = None

    @property
    def aloof(self) -> bool:
        """Whether it names nothing that is kept, and its answer is not kept to be named."""
        asked = self._asked
        return not (asked.keeps or asked.previous or asked.references or asked.looked_up or asked.conversation)

    async def recall(self) -> None:
        """Looks up what the request names. Raises NotFound for what is not there, or is another key's; BadRequest."""
        previous = self._asked.previous
        if previous is not None:
            chain = await chain_of(self._store, self._owner, previous, self._limit)
            if chain is None:
                raise _no_previous(f"Previous response with id '{previous}' not found.")
            links, self._too_long = chain
            first = links[-1]
            self._native = first.provider if is_native(first) else None
            for link in links:
                self.named_bytes += len(link.items) + len(link.response)
                told = _told(link)
                self._earlier += _given(link)
                self._earlier += told
                self._know_maker(link, told)
            self._items = {item["id"]: item for item in self._earlier if isinstance(item.get("id"), str)}
        if self._asked.references or self._asked.looked_up:
            await self._recall_items()
        if self._asked.conversation is not None:
            self._refusal = NotFound(
                f"Conversation with id '{self._asked.conversation}' not found.",
                param="conversation",
                code="conversation_not_found",
            )

    async def _recall_items(self) -> None:
        references, looked_up = self._asked.references, self._asked.looked_up
        theirs = [id for id, _ in (*references, *looked_up) if id not in self._items and response_of(id) is None]
        made = await self._responses_with(theirs)
        room = self._limit
        sizes: dict[str, int] = {}
        for id, path in references:
            if id not in self._items:
                response = response_of(id) or made.get(id)
                if response is not None and (found := await fetch(self._store, self._owner, response)) is not None:
                    self._take(found)
                if id not in self._items:
                    raise _no_item(id, path)
            if id not in sizes:
                sizes[id] = len(encode(self._items[id]))
            room -= sizes[id]
            self.named_bytes += sizes[id]
            if room < 0:
                raise BadRequest(
                    f"The items that 'input' names are longer than {self._limit} bytes, the most this gateway takes "
                    "(server.max_body).",
                    param=path,
                    code="request_too_large",
                )
        for id, path in looked_up:
            if id not in self._items and id not in made and response_of(id) is None:
                self._refusal = _no_item(id, path)
                return

    async def _responses_with(self, ids: list[str]) -> dict[str, str]:
        if self._store is None or not ids:
            return {}
        try:
            return await self._store.responses_with(self._owner, ids)
        except StoreUnavailable:
            raise unavailable() from None

    def _take(self, found: StoredResponse) -> None:
        told = _told(found)
        for item in (*listed_items(_given(found), found.id), *told):
            if isinstance(item.get("id"), str):
                self._items.setdefault(item["id"], item)
        self._know_maker(found, told)

    def _know_maker(self, found: StoredResponse, told: list[Json]) -> None:
        if is_native(found):
            self._makers.update((item["id"], found.provider) for item in told if isinstance(item.get("id"), str))

    def request(self, body: bytes) -> Request:
        """The request with all that it names. Raises BadRequest."""
        if self._too_long is not None:
            raise self._too_long
        return read_request(body, self._earlier, self._items)

    def body(self, body: bytes, step: Step) -> bytes:
        """The body for a target that speaks Responses itself. Raises NotFound for what that would look up in vain, or should;
        BadRequest."""
        if self._refusal is not None:
            raise self._refusal
        provider = step.target.provider
        foreign = self._asked.previous is not None and self._native != provider
        if foreign and self._too_long is not None:
            raise self._too_long
        if not foreign and not self._asked.references:
            return body
        known = {id: item for id, item in self._items.items() if self._makers.get(id) != provider}
        unknown = any(id in known for id, _ in self._asked.references)
        if not foreign and not unknown:
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
            ),
            _ids(told) if step.same else (),
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


def _ids(told: _Told) -> list[str]:
    return [item["id"] for item in _objects(told.output) if isinstance(item.get("id"), str)]


def item_ids(found: StoredResponse) -> list[str]:
    return _ids(_decode_told(found.response))


def _no_previous(message: str) -> NotFound:
    return NotFound(message, param="previous_response_id", code="previous_response_not_found")


def _no_item(id: str, path: str) -> NotFound:
    return NotFound(f"Item with id '{id}' not found.", param=path, code="item_not_found")


def _objects(items: list[Any]) -> list[Json]:
    return [item for item in items if isinstance(item, dict)]


def _sealed(item: Json) -> bool:
    proof = item.get("encrypted_content")
    return isinstance(proof, str) and proof.startswith("dg1.openai.")


def owner_of(call: Call) -> str:
    return call.key.id if call.key is not None else ""


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


def is_native(found: StoredResponse) -> bool:
    """Whether the vendor knows it by its id, and keeps it as well."""
    return _decode_input(found.items).native


async def chain_of(
    store: Store | None, owner: str, id: str, limit: int
) -> tuple[list[StoredResponse], BadRequest | None] | None:
    """The response and those before it, oldest first, and what is wrong where there are more than can be read; None where the
    response is not there. Raises NotFound where one before it is not."""
    chain: list[StoredResponse] = []
    size = 0
    refusal: BadRequest | None = None
    next: str | None = id
    while next is not None and refusal is None:
        found = await fetch(store, owner, next)
        if found is None:
            if not chain:
                return None
            raise _no_previous(
                f"Previous response with id '{next}' not found: '{chain[-1].id}' goes on from it. It was deleted or is too old."
            )
        chain.append(found)
        size += len(found.items) + len(found.response)
        next = _decode_input(found.items).previous
        if size > limit or (next is not None and len(chain) == _LONGEST_CHAIN):
            bound = f"{limit} bytes (server.max_body)" if size > limit else f"{_LONGEST_CHAIN} responses"
            refusal = BadRequest(
                f"The conversation that ends with '{id}' is longer than {bound}, the most this gateway reads. Begin a new one.",
                param="previous_response_id",
                code="conversation_too_long",
            )
    chain.reverse()
    return chain, refusal


async def input_of(store: Store | None, owner: str, id: str, limit: int) -> list[Json] | None:
    """All that the model of a kept response was given to read, oldest first. Raises NotFound, BadRequest."""
    chain = await chain_of(store, owner, id, limit)
    if chain is None:
        return None
    links, refusal = chain
    if refusal is not None:
        raise refusal
    found: list[Json] = []
    for link in links:
        found += listed_items(_given(link), link.id)
        if link.id != id:
            found += listed_items(_told(link), f"{link.id}_out")
    return found


def unavailable() -> DragomanError:
    return Overloaded("Kept responses cannot be read at the moment. Try again shortly.", retry_after=5.0)
