"""The protocol as the rest of the house sees it: each method is another module's."""

import re
from collections.abc import Sequence
from typing import ClassVar

from dragoman.catalog.profile import Profile
from dragoman.ir import DragomanError, Losses, Request, Response, Spelling, UpstreamRefused, Usage
from dragoman.limits import Standing
from dragoman.protocols.anthropic import errors, models, routes
from dragoman.protocols.anthropic import forward as forwarding
from dragoman.protocols.anthropic.read_request import read_request
from dragoman.protocols.anthropic.read_response import count_of, read_response, usage_of
from dragoman.protocols.anthropic.spelling import SPELLING
from dragoman.protocols.anthropic.standing import write_standing
from dragoman.protocols.anthropic.stream_reader import AnthropicStreamReader
from dragoman.protocols.anthropic.stream_writer import AnthropicStreamWriter
from dragoman.protocols.anthropic.tap import AnthropicTap
from dragoman.protocols.anthropic.write_request import write_count_request, write_request
from dragoman.protocols.anthropic.write_response import write_response
from dragoman.protocols.base import (
    Headers,
    ModelCard,
    Outgoing,
    Peek,
    Route,
    Stamp,
    StreamReader,
    StreamWriter,
    Tap,
)


class Anthropic:
    """The protocol's door; each room is a module."""

    name: ClassVar[str] = "anthropic"
    family: ClassVar[str] = "anthropic"
    spelling: ClassVar[Spelling] = SPELLING
    id_prefix: ClassVar[str] = "msg_"
    sign_of_life: ClassVar[bytes] = b'event: ping\ndata: {"type": "ping"}\n\n'  # as Anthropic's own servers send it
    # The API takes 128 characters (docs.claude.com, tool use); no more are sent than the other protocols take.
    tool_names: ClassVar[re.Pattern[str]] = re.compile(r"[a-zA-Z0-9_-]{1,64}")
    passed_headers: ClassVar[tuple[bytes, ...]] = (b"anthropic-version", b"anthropic-beta")

    def match(self, path: str, query: bytes) -> Route | None:
        return routes.match(path, query)

    def peek(self, body: bytes, route: Route) -> Peek:
        return forwarding.peek(body, route)

    def read_request(self, body: bytes, route: Route) -> Request:
        return read_request(body, route)

    def write_response(self, response: Response, request: Request, stamp: Stamp, losses: Losses) -> bytes:
        return write_response(response, stamp, losses)

    def stream_writer(self, request: Request, stamp: Stamp, route: Route) -> StreamWriter:
        return AnthropicStreamWriter(stamp)

    def write_error(self, error: DragomanError, route: Route | None) -> tuple[int, Headers, bytes]:
        return errors.write_error(error, route)

    def write_standing(self, standing: Standing, when: float) -> Headers:
        return write_standing(standing, when)

    def write_count(self, tokens: int) -> bytes:
        return models.write_count(tokens)

    def write_models(self, listed: Sequence[ModelCard]) -> bytes:
        return models.write_models(listed)

    def write_model(self, model: ModelCard) -> bytes:
        return models.write_model(model)

    def write_request(self, request: Request, model: str, profile: Profile, losses: Losses) -> Outgoing:
        return write_request(request, model, profile, losses)

    def write_count_request(self, request: Request, model: str, profile: Profile, losses: Losses) -> Outgoing | None:
        return write_count_request(request, model, profile, losses)

    def read_count(self, body: bytes) -> int:
        return count_of(body)

    def read_response(self, body: bytes) -> Response:
        return read_response(body)

    def stream_reader(self) -> StreamReader:
        return AnthropicStreamReader()

    def read_error(self, status: int, headers: Headers, body: bytes) -> UpstreamRefused:
        return errors.read_error(status, headers, body)

    def forward(self, body: bytes, peek: Peek, route: Route, model: str, profile: Profile) -> Outgoing:
        return forwarding.forward(body, peek, route, model, profile)

    def read_usage(self, body: bytes) -> Usage | None:
        return usage_of(body)

    def tap(self, peek: Peek, route: Route) -> Tap:
        return AnthropicTap()
