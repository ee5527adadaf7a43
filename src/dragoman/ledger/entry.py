"""One line of the ledger: what one request was, used and cost. Its fields stand in the order of the table's columns, so that what
the journal holds is a row as it is."""

import msgspec
from msgspec import Struct


class Entry(Struct, array_like=True, gc=False):
    """`started_at` is in Unix microseconds. `model` is the public name, or what the caller wrote where there is no such model.
    `losses` is a JSON list of field paths. Tokens as in `ir.Usage`; None where nobody knows. `cost_nanos` is None where the price
    is unknown, and 0 where nothing was used. `price` names the prices that were applied, `units` is a JSON object of what was
    counted besides tokens as such. `estimated`: the counts are ours, for the vendor told none. The flags are 0 or 1, as both
    databases have them."""

    request_id: str
    started_at: int
    key_id: str
    protocol: str
    model: str
    provider: str
    target_model: str
    operation: str
    status: int
    error: str | None
    stream: int
    attempts: int
    losses: str | None
    input_tokens: int | None
    cached_input_tokens: int | None
    cache_write_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None
    cost_nanos: int | None
    price: str | None
    units: str | None
    estimated: int
    first_byte_ms: float | None
    duration_ms: float
    client_closed: int


encode = msgspec.msgpack.Encoder().encode
"""An entry as the journal has it; a price is a list of its name and its detail."""

decode = msgspec.msgpack.Decoder(list).decode
"""The row that it becomes: a list of values in the order of an entry's fields."""
