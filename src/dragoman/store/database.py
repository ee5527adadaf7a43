"""A database as one part of the store has it: opened with the first use, by whichever thread comes first."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dragoman.store.loading import load
from dragoman.store.location import Location

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine


class Database:
    """For several threads. `close` when done; whoever asks once more opens it anew."""

    def __init__(self, location: Location, *, writing: bool) -> None:
        self._location = location
        self._writing = writing
        self._engine: Engine | None = None
        self._opening = threading.Lock()

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction, committed at the end. Raises what the database raises."""
        with self._opened().begin() as connection:
            yield connection

    @contextmanager
    def asked(self) -> Iterator[Connection]:
        """The same. Raises StoreRefused where the database does not do its part."""
        engine = self._opened()
        from sqlalchemy.exc import SQLAlchemyError

        try:
            with engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise self._location.refused(error) from None

    def close(self) -> None:
        with self._opening:
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()

    def _opened(self) -> Engine:
        with self._opening:
            if self._engine is None:
                load()
                from dragoman.store.engine import engine_of

                self._engine = engine_of(self._location, writing=self._writing)
            return self._engine
