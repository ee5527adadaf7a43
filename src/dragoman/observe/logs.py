"""Logging of one process: ordinary lines by structlog, the requests' lines, and those of libraries, all through one sink.

Ordinary code says `structlog.get_logger().warning("upstream_unreachable", provider="google")`; `configure` decides how it looks.
"""

import atexit
import json
import logging
import os
import sys
import traceback
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

import msgspec
import structlog

from dragoman.observe.entry import RANKS, Cleaner, RequestEntry, RequestLog, as_text, escaped, head
from dragoman.observe.redaction import Redactor
from dragoman.observe.sink import Sink

__all__ = ["Format", "Logs", "RequestEntry", "RequestLog", "configure"]

Format = Literal["auto", "json", "text"]

_MAX_VALUE = 16_384
_encoder = msgspec.json.Encoder(enc_hook=str)


class Logs:
    """The logging of this process, as `configure` set it up. `requests` takes the requests' lines."""

    def __init__(self, fd: int, level: str, *, text: bool, colours: bool, bound: int) -> None:
        self._text = text
        self._colours = colours
        self._redact = Redactor()
        self._cleaner = Cleaner(self._redact)
        self.sink: Sink[RequestEntry | bytes] = Sink(fd, self._spell, self._notice, bound=bound)
        self.requests = RequestLog(self.sink.put, level)
        self._bridge = _Bridge(self)

    @property
    def dropped(self) -> int:
        """Lines dropped since the start, for the metric."""
        return self.sink.dropped

    def redact(self, redactor: Redactor) -> None:
        """From here on keep `redactor`'s secrets out of all lines; called when the configuration changes."""
        self._redact = redactor
        self._cleaner = Cleaner(redactor)

    def close(self, timeout: float = 2.0) -> None:
        """Write out what is queued, for at most `timeout` seconds. May be called twice."""
        logging.getLogger().removeHandler(self._bridge)
        atexit.unregister(self.close)
        self.sink.close(timeout)

    def emit(self, event: MutableMapping[str, Any]) -> None:
        """Queue one ordinary line: `event` and `level` beside any fields."""
        self.sink.put(self._ordinary(event))

    def render(self, logger: object, method: str, event: MutableMapping[str, Any]) -> bytes:
        """structlog's last processor."""
        return self._ordinary(event)

    def _spell(self, batch: list[RequestEntry | bytes]) -> list[bytes]:
        cleaner, redact = self._cleaner, self._redact
        lines: list[RequestEntry | msgspec.Raw] = []
        for line in batch:
            if isinstance(line, bytes):
                lines.append(msgspec.Raw(redact(line)))
            else:
                cleaner(line)
                lines.append(line)
        if self._text:
            return [
                bytes(line) + b"\n" if isinstance(line, msgspec.Raw) else as_text(line, self._colours).encode() + b"\n"
                for line in lines
            ]
        # JSON holds no bare line ends, so the one call's result splits where its lines end.
        return _encoder.encode_lines(lines).splitlines(keepends=True)

    def _notice(self, count: int) -> bytes:
        return self._ordinary({"event": "log_lines_dropped", "level": "warning", "count": count}) + b"\n"

    def _ordinary(self, event: MutableMapping[str, Any]) -> bytes:
        now = datetime.now(UTC)
        level = event.pop("level", "info")
        name = str(event.pop("event", ""))
        if self._text:
            return _as_text(now, level, name, event, self._colours)
        fields: dict[str, Any] = {"event": name, "ts": now, "level": level}
        fields.update((str(key), _bounded(value)) for key, value in event.items())
        try:
            return _encoder.encode(fields)
        except Exception:
            # Odd keys, lone surrogates, an object whose str() fails: a line that looks odd is better than none.
            return json.dumps({str(key): repr(value) for key, value in fields.items()}).encode()


class _Out:
    """What structlog writes to."""

    def __init__(self, sink: Sink[RequestEntry | bytes]) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = sink.put


class _Bridge(logging.Handler):
    """Carries the lines of libraries that use the standard logging (uvicorn, asyncio) into the same sink."""

    def __init__(self, logs: Logs) -> None:
        super().__init__()
        self._logs = logs

    def emit(self, record: logging.LogRecord) -> None:
        try:
            event: dict[str, Any] = {"event": record.getMessage(), "logger": record.name}
            if record.exc_info:
                event["exc_info"] = record.exc_info
            level = record.levelname.lower()
            event["level"] = level if level in RANKS else "info"
            self._logs.emit(_exception(None, "", event))
        except Exception:
            self.handleError(record)


def _exception(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """`exc_info` (True, an exception, or a triple) becomes the traceback's text under `exception`."""
    cause = event.pop("exc_info", None)
    if isinstance(cause, tuple):
        cause = cause[1]
    elif cause and not isinstance(cause, BaseException):
        cause = sys.exception()
    if isinstance(cause, BaseException):
        event["exception"] = "".join(traceback.format_exception(cause)).rstrip()
    return event


def _bounded(value: Any) -> Any:
    return value[:_MAX_VALUE] + "…" if isinstance(value, str) and len(value) > _MAX_VALUE else value


def _as_text(now: datetime, level: str, name: str, event: MutableMapping[str, Any], colours: bool) -> bytes:
    """A line for the eye; a traceback follows on lines of its own, indented so that it can't pass for others."""
    exception = event.pop("exception", None)
    words = [head(now, level, colours), escaped(name)]
    words += [f"{key}={escaped(str(_bounded(value)))}" for key, value in event.items()]
    line = " ".join(words)
    if exception:
        line += "".join("\n    " + escaped(row) for row in str(_bounded(exception)).split("\n"))
    return line.encode("utf-8", "replace")


def configure(
    format: Format = "auto", level: str = "info", stream: TextIO | int | None = None, *, bound: int = 10_000
) -> Logs:
    """Set up the logging of this process; each forked or spawned process calls it for itself.

    `format`: `json`, `text`, or `auto` (text for a terminal, else JSON). `level` is one of RANKS. `stream` is standard error by
    default; a descriptor will do. `bound` is how many lines may wait for a reader that stalls. Close the result at the end; it is
    also closed at exit.
    """
    fd = 2 if stream is None else stream if isinstance(stream, int) else stream.fileno()
    terminal = os.isatty(fd)
    text = format == "text" or (format == "auto" and terminal)
    colours = terminal and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    logs = Logs(fd, level, text=text, colours=colours, bound=bound)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _exception,
            logs.render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(RANKS[level]),
        logger_factory=lambda *_: _Out(logs.sink),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _Bridge)]:
        root.removeHandler(handler)
    root.addHandler(logs._bridge)
    root.setLevel(RANKS[level])
    atexit.register(logs.close)
    return logs
