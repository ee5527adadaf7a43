"""One endpoint of the admin API: where it is, what it takes, what it answers. The routes and the OpenAPI document are made of
the same values, so neither says what the other does not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

from msgspec import Struct

from dragoman.admin.asked import Asked
from dragoman.admin.desk import Desk

Method = Literal["GET", "POST", "PATCH", "DELETE"]
Schema = dict[str, Any]
Answer = tuple[int, dict[str, Any]]
"""Status and JSON."""


class Parameter(Struct, frozen=True):
    """Of the query."""

    name: str
    schema: Schema
    description: str


class Endpoint(Struct, frozen=True):
    """`path` is behind `/admin/v1`, its parameters in braces. `name` is the operation's in the OpenAPI document. `answers` are
    schemas by status, those of errors left out; `refusals` the statuses of errors beside those that all have. `takes` is the
    schema of the body."""

    method: Method
    path: str
    name: str
    summary: str
    answer: Callable[[Desk, Asked], Awaitable[Answer]]
    answers: Mapping[int, Schema]
    query: tuple[Parameter, ...] = ()
    takes: Schema | None = None
    refusals: tuple[int, ...] = ()
