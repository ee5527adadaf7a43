"""The built-in model on the supervisor's side: made of the settings, and what processes are told of it."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

from dragoman.config import Settings
from dragoman.config.presets import LOCAL_MODEL
from dragoman.local.pull import pull
from dragoman.local.supervise import LocalModel, State


def is_used(settings: Settings) -> bool:
    """Whether a provider is the built-in model."""
    return any("local" in provider.protocols for provider in settings.providers.values())


def built_in(settings: Settings, on_state: Callable[[State], None]) -> LocalModel:
    return LocalModel(
        functools.partial(pull, LOCAL_MODEL, settings.data),
        parallel=settings.local.parallel,
        context=settings.local.context,
        threads=settings.local.threads or os.cpu_count() or 2,
        on_state=on_state,
    )


def state_told(local: LocalModel | None) -> dict[str, Any]:
    """The fields of the message `local`."""
    if local is None:
        return {"state": "stopped", "base_url": None, "api_key": None, "trouble": None, "again_in": 0.0}
    return {
        "state": local.state.value,
        "base_url": local.base_url,
        "api_key": local.api_key,
        "trouble": local.trouble,
        "again_in": local.again_in,
    }
