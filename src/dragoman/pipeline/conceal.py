"""Conceal: what a vendor says of itself, made fit for a caller: without secrets, and bounded."""

from __future__ import annotations

import re

from dragoman.ir import DragomanError
from dragoman.observe.redaction import Redactor
from dragoman.wire import json

_LONGEST_MESSAGE = 8000
_WORD = re.compile(r"[\w.:/-]{1,64}", re.ASCII)


def conceal(error: DragomanError, redactor: Redactor) -> None:
    """Changes `error` in place. Its code must be a word: it stands in logs and counters too."""
    message = redactor(error.message)
    error.message = message if len(message) <= _LONGEST_MESSAGE else message[:_LONGEST_MESSAGE] + "…"
    if error.details:
        told = json.encode(error.details)
        safe = redactor(told)
        if safe != told:
            error.details = json.decode(safe)
    if error.param:
        error.param = redactor(error.param)[:256]
    if error.code is not None and not (_WORD.fullmatch(error.code) and redactor(error.code) == error.code):
        error.code = type(error).code
