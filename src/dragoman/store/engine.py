"""Connections. SQLite is set to its write-ahead log: readers never wait, and what was committed survives a `kill -9`."""

from typing import Any

from sqlalchemy import Engine, create_engine, event

from dragoman.store.location import Location

_BUSY_MILLISECONDS = 5000


def engine_of(location: Location, *, writing: bool) -> Engine:
    engine = create_engine(location.url, pool_size=2, max_overflow=0, pool_timeout=5.0)

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _: Any) -> None:
        # The driver's own transactions begin too late and end before DDL; ours are said below.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", f"busy_timeout={_BUSY_MILLISECONDS}"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begun(connection: Any) -> None:
        # Who reads first and writes later may be refused at once where another wrote in between.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine
