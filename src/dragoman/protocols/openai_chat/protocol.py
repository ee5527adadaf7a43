"""The protocol as the rest of the house sees it: each method is another module's."""

import re
from collections.abc import Sequence
from typing import ClassVar

from dragoman.catalog.profile import Profile
from dragoman.ir import DragomanError, Losses, Request, Response, Spelling, UpstreamRefused, Usage
from dragoman.limits import Standing
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
from dragoman.protocols.openai import errors, models
from dragoman.protocols.openai.standing import write_standing
from dragoman.protocols.openai_chat import forward as forwarding
from dragoman.protocols.openai_chat import routes
from dragoman.protocols.openai_chat.read_request import read_request
from dragoman.protocols.openai_chat.read_response import read_response, usage_of
from dragoman.protocols.openai_chat.spelling import SPELLING
from dragoman.protocols.openai_chat.stream_reader import ChatStreamReader
from dragoman.protocols.openai_chat.stream_writer import ChatStreamWriter
from dragoman.protocols.openai_chat.tap import ChatTap
from dragoman.protocols.openai_chat.write_request import write_request
from dragoman.protocols.openai_chat.write_response import write_response
from dragoman.wire.json import encode


class OpenAIChat:
    """The protocol's door; each room is a module."""

    name: ClassVar[str] = "openai-chat"
    family: ClassVar[str] = "openai"
    spelling: ClassVar[Spelling] = SPELLING
    id_prefix: ClassVar[str] = "chatcmpl-"
    sign_of_life: ClassVar[bytes] = b": keep-alive\n\n"
    tool_names: ClassVar[re.Pattern[str]] = re.compile(r"[a-zA-Z0-9_-]{1,64}")
    passed_headers: ClassVar[tuple[bytes, ...]] = ()

    def match(self, path: str, query: bytes) -> Route | None:
        return routes.match(path, query)

    def peek(self, body: bytes, route: Route) -> Peek:
        return forwarding.peek(body)

    def read_request(self, body: bytes, route: Route) -> Request:
        return read_request(body)

    def write_response(self, response: Response, request: Request, stamp: Stamp, losses: Losses) -> bytes:
        return write_response(response, request, stamp, losses)

    def stream_writer(self, request: Request, stamp: Stamp, route: Route) -> StreamWriter:
        return ChatStreamWriter(request, stamp)

    def write_error(self, error: DragomanError, route: Route | None) -> tuple[int, Headers, bytes]:
        return errors.write_error(error, route)

    def write_standing(self, standing: Standing, when: float) -> Headers:
        return write_standing(standing, when)

    def write_count(self, tokens: int) -> bytes:
        return encode({"total_tokens": tokens})

    def write_models(self, listed: Sequence[ModelCard]) -> bytes:
        return models.write_models(listed)

    def write_model(self, model: ModelCard) -> bytes:
        return models.write_model(model)

    def write_request(self, request: Request, model: str, profile: Profile, losses: Losses) -> Outgoing:
        return write_request(request, model, profile, losses)

    def write_count_request(self, request: Request, model: str, profile: Profile, losses: Losses) -> Outgoing | None:
        return None

    def read_count(self, body: bytes) -> int:
        raise NotImplementedError("Chat Completions counts no tokens")

    def read_response(self, body: bytes) -> Response:
        return read_response(body)

    def stream_reader(self) -> StreamReader:
        return ChatStreamReader()

    def read_error(self, status: int, headers: Headers, body: bytes) -> UpstreamRefused:
        return errors.read_error(status, headers, body)

    def forward(self, body: bytes, peek: Peek, route: Route, model: str, profile: Profile) -> Outgoing:
        return forwarding.forward(body, peek, model, profile)

    def read_usage(self, body: bytes) -> Usage | None:
        return usage_of(body)

    def tap(self, peek: Peek, route: Route) -> Tap:
        return ChatTap(hide_usage=not peek.include_usage)
