"""What a gateway stands on from its start to its end: the port, the data directory with its database and journals, and a private
directory for what its processes share. All of it is looked at before a worker is started, so that a start that fails says why."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import structlog

from dragoman.config import Settings
from dragoman.ledger import JOURNAL_BYTES, catch_up, has_any, journal_of, make_room, remove_unfinished
from dragoman.limits import SharedTable
from dragoman.server.bind import check_exposure, listen
from dragoman.server.root_key import given_key, root_key
from dragoman.sharing import TABLE
from dragoman.store import EntryTable, StoreRefused, location_of
from dragoman.store.keyring import Keyring
from dragoman.store.migrate import migrate

_log = structlog.get_logger(__name__)


class StartFailed(Exception):
    """The server cannot be started; the message says why and what to do."""


class Premises:
    """Taken over as it is made, which raises StartFailed and BindError, and then keeps neither port nor directory; given back by
    `close`.

    `agreed` is the digest of the root key that machines on one database have agreed on, `key` the key in force here. `keys` are
    all of the database's at the start; who follows them has `keyring`, and closes it."""

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        self._data = settings.data
        self._journals = journal_of(settings.data)
        self._workers = settings.server.workers
        check_exposure(settings.server.host, given_key(environment), settings.keys)
        with ExitStack() as opened:
            self.listener = opened.enter_context(listen(settings.server.host, settings.server.port))
            self.port: int = self.listener.getsockname()[1]
            try:
                self._data.mkdir(parents=True, exist_ok=True)
                self.location = location_of(settings.database, self._data)
                try:
                    migrate(self.location)
                except StoreRefused:
                    self._check_room()  # of a full disk SQLite only says "disk I/O error"
                    raise
                self.recover()
                self._check_room()
                self.keyring = Keyring(self.location)
                self.agreed = self.keyring.root_key() if self.location.server else None
                self.key = root_key(self._data, environment, self.agreed)
                self.keys = self.keyring.read()
            except StoreRefused as error:
                raise StartFailed(str(error)) from None
            except OSError as error:
                raise StartFailed(
                    f"The data directory {self._data} cannot be used: {error.strerror or error}. Choose another with --data DIR."
                ) from None
            self._share(opened)
            self._opened = opened.pop_all()

    def recover(self) -> None:
        """Moves on what dead workers left in their journals. Where the database takes nothing now, they are tried again later.
        Blocks."""
        if not has_any(self._journals):
            return
        table = EntryTable(self.location)
        try:
            remove_unfinished(self._journals)
            if moved := catch_up(self._journals, table.put, living=False):
                _log.warning("entries of the ledger were left in the journal of a process that died", moved=moved)
        except Exception as error:
            _log.error("what is in the journal could not be put into the database", error=str(error).splitlines()[0])
        finally:
            table.close()

    def close(self) -> None:
        self._opened.close()

    def _check_room(self) -> None:
        """Raises StartFailed where the workers could not begin their journals."""
        try:
            make_room(self._journals, self._workers)
        except OSError as error:
            raise StartFailed(
                f"There is no room for the ledger's journal in {self._journals}, {self._workers * JOURNAL_BYTES // 2**20} MiB: "
                f"{error.strerror or error}. Make room on that disk, or choose another directory with --data DIR."
            ) from None

    def _share(self, opened: ExitStack) -> None:
        where = "the temporary directory"
        try:
            self.directory = Path(tempfile.mkdtemp(prefix="dragoman-"))
            opened.callback(shutil.rmtree, self.directory, ignore_errors=True)
            where = str(self.directory)
            self.limits = SharedTable.create(self.directory / TABLE, workers=self._workers)
            opened.callback(self.limits.close)
        except OSError as error:
            raise StartFailed(
                f"There is no room for what is limited in {where}: {error.strerror or error}. "
                "Choose another directory with TMPDIR."
            ) from None
