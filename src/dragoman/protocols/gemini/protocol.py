"""The Gemini protocol as one object, caller's side and vendor's side."""

import re
from collections.abc import Sequence
from typing import ClassVar

from dragoman.catalog.profile import Profile
from dragoman.ir import BadRequest, DragomanError, Losses, Request, Response, Spelling, UpstreamRefused, Usage
from dragoman.limits import Standing
from dragoman.protocols.base import Headers, ModelCard, Outgoing, Peek, Route, Stamp
from dragoman.protocols.gemini import errors, forward, models, routes
from dragoman.protocols.gemini.read_request import read_request
from dragoman.protocols.gemini.read_response import read_response
from dragoman.protocols.gemini.read_stream import StreamReader
from dragoman.protocols.gemini.spelling import SPELLING
from dragoman.protocols.gemini.tap import Tap
from dragoman.protocols.gemini.write_request import write_count_request, write_request
from dragoman.protocols.gemini.write_response import write_response
from dragoman.protocols.gemini.write_stream import StreamWriter


class Gemini:
    name: ClassVar[str] = "gemini"
    family: ClassVar[str] = "gemini"
    spelling: ClassVar[Spelling] = SPELLING
    id_prefix: ClassVar[str] = ""
    # A blank line, in an array white space: google-genai raises on comments (probed with 3.4.0, 2026-11).
    sign_of_life: ClassVar[bytes] = b"\r\n"
    # Docstring of FunctionDeclaration, google-genai 3.4.0; Vertex allows 64 characters.
    tool_names: ClassVar[re.Pattern[str]] = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}")
    passed_headers: ClassVar[tuple[bytes, ...]] = ()

    def match(self, path: str, query: bytes) -> Route | None:
        return routes.match(path, query)

    def peek(self, body: bytes, route: Route) -> Peek:
        return forward.peek(body, route)

    def read_request(self, body: bytes, route: Route) -> Request:
        try:
            return read_request(body, route)
        except RecursionError:
            raise BadRequest("The request body is nested too deeply.", code="invalid_json") from None

    def write_response(self, response: Response, request: Request, stamp: Stamp, losses: Losses) -> bytes:
        return write_response(response, stamp, losses)

    def stream_writer(self, request: Request, stamp: Stamp, route: Route) -> StreamWriter:
        return StreamWriter(stamp, route)

    def write_error(self, error: DragomanError, route: Route | None) -> tuple[int, Headers, bytes]:
        return errors.write_error(error, route)

    def write_standing(self, standing: Standing, when: float) -> Headers:
        return []  # Google's API has none

    def write_count(self, tokens: int) -> bytes:
        return models.write_count(tokens)

    def write_models(self, models_: Sequence[ModelCard]) -> bytes:
        return models.write_models(models_)

    def write_model(self, model: ModelCard) -> bytes:
        return models.write_model(model)

    def write_request(self, request: Request, model: str, profile: Profile, losses: Losses) -> Outgoing:
        return write_request(request, model, profile, losses)

    def write_count_request(self, request: Request, model: str, profile: Profile, losses: Losses) -> Outgoing | None:
        return write_count_request(request, model, profile, losses)

    def read_count(self, body: bytes) -> int:
        return models.read_count(body)

    def read_response(self, body: bytes) -> Response:
        return read_response(body)

    def stream_reader(self) -> StreamReader:
        return StreamReader()

    def read_error(self, status: int, headers: Headers, body: bytes) -> UpstreamRefused:
        return errors.read_error(status, headers, body)

    def forward(self, body: bytes, peek: Peek, route: Route, model: str, profile: Profile) -> Outgoing:
        return forward.forward(body, route, model, profile)

    def read_usage(self, body: bytes) -> Usage | None:
        return forward.read_usage(body)

    def tap(self, peek: Peek, route: Route) -> Tap:
        return Tap(route)
