"""All tables, as the newest migration leaves them: each room's own are told of by importing it."""

from dragoman.store import key_schema, ledger_schema
from dragoman.store.schema import metadata

__all__ = ["key_schema", "ledger_schema", "metadata"]
