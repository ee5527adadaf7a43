"""The one line that every request leaves: its fields, how it is made safe, and how it is spelled as JSON and for the eye."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from dragoman.observe.redaction import Redactor

MAX_PATH = 512
MAX_NAME = 256
MAX_LOSSES = 50

RANKS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}


class RequestEntry(msgspec.Struct, tag_field="event", tag="request", omit_defaults=True, gc=False):
    """What one request was and used. Fields that have their default are left out of the line; those of the
    always told have one that never occurs. Tokens as in `ir.Usage`; `*_ms` in milliseconds.

    `ts` is when the request came, in Unix seconds. `level` is taken from `status` where it is `""`. `operation` is the route's
    name; `model` the name that the caller used; `target` `provider/model`; `error` a stable code; `losses` field paths; `key` a
    key's name or id, never the key; `remote` the caller's address; `cache` hit or miss,
    where it was looked for.
    """

    ts: float | datetime = -1.0
    level: str = ""
    request_id: str = ""
    protocol: str | None = None
    operation: str | None = None
    method: str = ""
    path: str = ""
    model: str | None = None
    target: str | None = None
    attempts: int = -1
    status: int = -1
    error: str | None = None
    stream: bool | None = None
    losses: list[str] | None = None
    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    first_byte_ms: float | None = None
    duration_ms: float = -1.0
    upstream_ms: float | None = None
    client_closed: bool | None = None
    key: str | None = None
    remote: str | None = None
    cache: str | None = None


class RequestLog:
    """Takes the lines of requests; `write` only queues them, all else happens in the sink's thread."""

    __slots__ = ("_put", "_rank")

    def __init__(self, put: Callable[[RequestEntry], None], level: str = "info") -> None:
        self._put = put
        self._rank = RANKS[level]

    def write(self, entry: RequestEntry) -> None:
        """Queue `entry`; it must not be changed afterwards."""
        level = entry.level
        if not level:
            status = entry.status
            # A caller who left (499) is no trouble of anybody's.
            level = "info" if status < 400 or status == 499 else "warning" if status < 500 else "error"
            entry.level = level
        if RANKS[level] >= self._rank:
            self._put(entry)


class Cleaner:
    """Makes an entry fit for the log: what the caller chose freely is bounded, without secrets, and writable as UTF-8."""

    def __init__(self, redact: Redactor) -> None:
        self._redact = redact
        # Paths and models repeat: what was found clean once needn't be searched again.
        self._clean: set[str] = set()

    def __call__(self, entry: RequestEntry) -> None:
        if not isinstance(entry.ts, datetime):
            entry.ts = datetime.fromtimestamp(entry.ts, UTC)
        clean = self._clean
        if entry.path not in clean:
            entry.path = self._safe(without_credentials(entry.path), MAX_PATH)
        if entry.model is not None and entry.model not in clean:
            entry.model = self._safe(entry.model, MAX_NAME)
        if entry.target is not None and entry.target not in clean:
            entry.target = self._safe(entry.target, 2 * MAX_NAME)
        if entry.losses is not None:
            losses = [self._safe(path, MAX_NAME) for path in entry.losses[:MAX_LOSSES]]
            if len(entry.losses) > MAX_LOSSES:
                losses.append(f"… {len(entry.losses) - MAX_LOSSES} more")
            entry.losses = losses

    def _safe(self, text: str, longest: int) -> str:
        # Redacted before cut, so that no half of a key is left.
        safe = self._redact(text)
        if len(safe) > longest:
            safe = safe[:longest] + "…"
        safe = safe.encode("utf-8", "replace").decode()
        if safe == text:
            if len(self._clean) >= 1024:
                self._clean.clear()
            self._clean.add(text)
        return safe


_CREDENTIAL = re.compile(r"(?<=[?&])(?:key|api[_-]?key|access_token|token)=[^&]*&?", re.IGNORECASE)


def without_credentials(path: str) -> str:
    """`path` without the query's `key=` and its like: `/v1beta/models?key=AIza…&alt=sse` → `/v1beta/models?alt=sse`."""
    if "?" not in path:
        return path
    return _CREDENTIAL.sub("", path).rstrip("?&")


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_COLOURS = {"debug": "2", "info": "32", "warning": "33", "error": "31", "critical": "1;31"}


def escaped(text: str) -> str:
    """`text` on one line and without what steers a terminal, so that nobody can forge a line or colours."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


def head(ts: datetime, level: str, colours: bool) -> str:
    """What every text line begins with: the local time and the level."""
    clock = ts.astimezone().strftime("%H:%M:%S.%f")[:-3]
    word = f"{level:<7}"
    return f"\x1b[2m{clock}\x1b[0m \x1b[{_COLOURS.get(level, '0')}m{word}\x1b[0m" if colours else f"{clock} {word}"


def as_text(entry: RequestEntry, colours: bool) -> str:
    """The line for the eye: `12:00:01.123 info    200 gemini generate_content fast → google/gemini-2.5-flash 123 ms … req_…`."""
    ts = entry.ts if isinstance(entry.ts, datetime) else datetime.fromtimestamp(entry.ts, UTC)
    words = [head(ts, entry.level, colours), str(entry.status)]
    if entry.model and entry.protocol:
        words += [entry.protocol, entry.operation or "", entry.model]
    else:
        words += [entry.method, entry.path]
    if entry.target:
        words += ["→", entry.target]
    words.append(f"{entry.duration_ms:.0f} ms")
    if entry.first_byte_ms is not None and entry.stream:
        words.append(f"(first {entry.first_byte_ms:.0f})")
    if entry.input_tokens is not None or entry.output_tokens is not None:
        words.append(f"{entry.input_tokens or 0}→{entry.output_tokens or 0} tokens")
    if entry.cache == "hit":
        words.append("from cache")
    if entry.attempts > 1:
        words.append(f"{entry.attempts} attempts")
    if entry.client_closed:
        words.append("caller left")
    if entry.error:
        words.append(entry.error)
    if entry.losses:
        words.append("lost: " + ", ".join(entry.losses))
    if entry.key:
        words.append(f"by {entry.key}")
    words.append(entry.request_id)
    line, *rest = words
    return " ".join([line, *(escaped(word) for word in rest if word)])
