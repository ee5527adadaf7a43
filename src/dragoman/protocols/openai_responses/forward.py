"""A caller's body for a vendor of the same protocol: its bytes as they came, but for the model's name."""

import msgspec

from dragoman.protocols.base import Outgoing, Peek, Route
from dragoman.protocols.openai.body import Head, head_of, with_model

PATH = "/responses"
COUNT_PATH = "/responses/input_tokens"
_decode_head = msgspec.json.Decoder(Head).decode


def peek(body: bytes) -> Peek:
    """Checks that the whole body is JSON and names a model. Raises BadRequest."""
    head = head_of(body, _decode_head)
    return Peek(head.model, bool(head.stream))


def forward(body: bytes, peeked: Peek, route: Route, model: str) -> Outgoing:
    if model != peeked.model:
        body = with_model(body, peeked.model, model)
    if route.operation == "count_tokens":
        return Outgoing(COUNT_PATH, body, False)
    return Outgoing(PATH, body, peeked.stream)
