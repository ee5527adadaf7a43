"""The configuration in force, as the supervisor has it: at a reload it is read and checked first, and taken over whole or not at
all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import structlog

from dragoman.config import ConfigError, Loaded, Settings
from dragoman.server.watched import Watched, needs_restart

_log = structlog.get_logger(__name__)


class Configuration:
    """`load` reads and checks it anew, overrides from the command line included. `begun` are the settings of the start, for
    what is read only then; `applied_at`, in Unix seconds, is when `loaded` came into force."""

    def __init__(self, load: Callable[[], Loaded], loaded: Loaded) -> None:
        self._load = load
        self.loaded = loaded
        self.begun: Settings = loaded.settings
        self.applied_at = time.time()
        self._watched = Watched(loaded.path)

    def has_changed(self) -> bool:
        """Whether the file is another one than was read last."""
        return self._watched.has_changed()

    async def reload(self, why: str) -> tuple[int, dict[str, Any]]:
        """A status and an answer for whoever asked; only with 200 something is another."""
        loop = asyncio.get_running_loop()
        self._watched.apply()
        try:
            loaded = await loop.run_in_executor(None, self._load)
        except ConfigError as error:
            problems = [str(problem) for problem in error.problems]
            for problem in problems:
                _log.error("the configuration was not reloaded", problem=problem, asked_by=why)
            return 422, {
                "error": {
                    "message": "The configuration is not valid; nothing was changed.",
                    "type": "invalid_request_error",
                },
                "problems": problems,
            }
        except Exception as error:
            _log.exception("the configuration could not be read", asked_by=why)
            return 500, {"error": {"message": f"The configuration could not be read: {error}", "type": "server_error"}}
        self.loaded = loaded
        self._watched.follow(loaded.path)
        self.applied_at = time.time()
        return 200, {"reloaded": True, "needs_restart": needs_restart(self.begun, loaded.settings)}
