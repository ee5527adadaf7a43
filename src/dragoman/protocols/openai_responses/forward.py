"""A caller's body for a vendor of the same protocol: its bytes as they came, but for these, and nothing else.

- the model's name, where the vendor calls it otherwise;
- reasoning items of ours in the input: those that carry another vendor's signature, or have no proof at all, are left out, for
  the vendor would refuse them; those that carry its own get their own id and proof back.
"""

import msgspec
from msgspec import UNSET, Raw, UnsetType

from dragoman.catalog.profile import Profile
from dragoman.protocols.base import Outgoing, Peek, Route, count_in, word_in
from dragoman.protocols.openai import fields
from dragoman.protocols.openai_responses import unfit
from dragoman.protocols.openai_responses.history import readable
from dragoman.wire.body import Head, head_of, with_model

PATH = "/responses"
COUNT_PATH = "/responses/input_tokens"


class _Head(Head, gc=False):
    max_output_tokens: Raw | UnsetType = UNSET
    service_tier: Raw | UnsetType = UNSET


_decode_head = msgspec.json.Decoder(_Head).decode


def peek(body: bytes) -> Peek:
    """Checks that the whole body is JSON and names a model. Raises BadRequest."""
    head = head_of(body, _decode_head, fields)
    return Peek(head.model, bool(head.stream), bound=count_in(head.max_output_tokens), tier=word_in(head.service_tier))


def forward(body: bytes, peeked: Peek, route: Route, model: str, profile: Profile) -> Outgoing:
    """Raises BadRequest for what the model cannot do."""
    if not (profile.sees and profile.tools and len(profile.formats) == 2):
        unfit.check(body, model, profile)
    if model != peeked.model:
        body = with_model(body, peeked.model, model)
    body, losses = readable(body)
    if route.operation == "count_tokens":
        return Outgoing(COUNT_PATH, body, False, losses)
    return Outgoing(PATH, body, peeked.stream, losses)
