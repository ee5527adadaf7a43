"""Conceal: what a vendor says of itself, made fit for a caller: without secrets, and bounded."""

from __future__ import annotations

import re

from dragoman.ir import DragomanError
from dragoman.observe.redaction import Redactor
from dragoman.wire import json

_LONGEST_MESSAGE = 8000
# What is searched for secrets is bounded too, for the searching stands in every other request's way. A secret that the cut
# goes through is not found: so what is shown ends well before the cut.
_SEARCHED = 16 * 1024
_LONGEST_SECRET = 4096
_MOST_DETAILS = 64 * 1024
_WORD = re.compile(r"[\w.:/-]{1,64}", re.ASCII)


def conceal(error: DragomanError, redactor: Redactor) -> None:
    """Changes `error` in place. Its code must be a word: it stands in logs and counters too."""
    error.message = _shown(error.message, redactor)
    if error.details:
        told = json.encode(error.details)
        if len(told) > _MOST_DETAILS:
            error.details = []
        elif (safe := redactor(told)) != told:
            error.details = json.decode(safe)
    if error.param:
        error.param = redactor(error.param[:_SEARCHED])[:256]
    if error.code is not None and not (_WORD.fullmatch(error.code) and redactor(error.code) == error.code):
        error.code = type(error).code


def _shown(text: str, redactor: Redactor) -> str:
    if len(text) <= _SEARCHED:
        safe = redactor(text)
        return safe if len(safe) <= _LONGEST_MESSAGE else safe[:_LONGEST_MESSAGE] + "…"
    safe = redactor(text[:_SEARCHED])
    return safe[: max(0, min(_LONGEST_MESSAGE, len(safe) - _LONGEST_SECRET))] + "…"
