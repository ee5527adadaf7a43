"""Connections. SQLite is set to its write-ahead log: readers never wait, and what was committed survives a `kill -9`."""

from typing import Any

from sqlalchemy import URL, Engine, create_engine, event

from dragoman.store.location import LOCK_MILLISECONDS, Location


def engine_of(location: Location, *, writing: bool) -> Engine:
    """Two connections at the most. One that a server has dropped is replaced before it is used."""
    if location.server:
        # libpq reads the address, not SQLAlchemy: it knows several hosts, sockets and services.
        return create_engine(
            "postgresql+psycopg://",
            creator=location.connect,
            pool_size=2,
            max_overflow=0,
            pool_timeout=5.0,
            pool_pre_ping=True,
        )
    engine = create_engine(
        URL.create("sqlite", database=str(location.path)), pool_size=2, max_overflow=0, pool_timeout=5.0
    )

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _: Any) -> None:
        # The driver's own transactions begin too late and end before DDL; ours are said below.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", f"busy_timeout={LOCK_MILLISECONDS}"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begun(connection: Any) -> None:
        # Who reads first and writes later may be refused at once where another wrote in between.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine
