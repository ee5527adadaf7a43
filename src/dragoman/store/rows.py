"""What is kept, as the rest of the house sees it."""

from msgspec import Struct


class StoredResponse(Struct, frozen=True):
    """An answer that its caller may ask for by `id`, and what led to it.

    `owner` is the caller's key; `items` are the input and `response` the answer, as JSON. Times are Unix seconds."""

    id: str
    owner: str
    created: int
    expires: int
    provider: str
    model: str
    items: bytes
    response: bytes
