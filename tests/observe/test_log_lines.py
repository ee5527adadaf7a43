import json
import logging
import os
import pty
import re

import pytest
import structlog

from dragoman.observe.entry import without_credentials
from dragoman.observe.logs import RequestEntry, configure
from dragoman.observe.redaction import Redactor


def entry(**other: object) -> RequestEntry:
    told: dict[str, object] = {
        "ts": 1_790_000_000.25,
        "request_id": "req_1",
        "method": "POST",
        "path": "/v1/chat/completions",
        "attempts": 1,
        "status": 200,
        "stream": False,
        "duration_ms": 12.5,
    }
    return RequestEntry(**(told | other))


class Log:
    """Logging into a file; `lines()` closes it and gives what was written."""

    def __init__(self, path, format: str = "json", level: str = "info") -> None:
        self._path = path
        self._fd = os.open(path, os.O_CREAT | os.O_WRONLY)
        self.logs = configure(format, level, self._fd)

    def text(self) -> str:
        self.logs.close(10)
        os.close(self._fd)
        return self._path.read_text()

    def lines(self) -> list[dict]:
        return [json.loads(line) for line in self.text().splitlines()]


@pytest.fixture(autouse=True)
def _restored():
    level = logging.getLogger().level
    yield
    structlog.reset_defaults()
    logging.getLogger().setLevel(level)


@pytest.fixture
def log(tmp_path):
    return Log(tmp_path / "log")


def test_a_request_is_one_line_without_what_is_not_known(log):
    log.logs.requests.write(entry(model="fast", target="google/gemini-2.5-flash", losses=["topK"]))
    assert log.lines() == [
        {
            "event": "request",
            "ts": "2026-09-21T14:13:20.250000Z",
            "level": "info",
            "request_id": "req_1",
            "method": "POST",
            "path": "/v1/chat/completions",
            "model": "fast",
            "target": "google/gemini-2.5-flash",
            "attempts": 1,
            "status": 200,
            "stream": False,
            "losses": ["topK"],
            "duration_ms": 12.5,
        }
    ]


@pytest.mark.parametrize(
    ("status", "level"), [(200, "info"), (404, "warning"), (429, "warning"), (499, "info"), (502, "error")]
)
def test_the_level_follows_the_status(log, status, level):
    log.logs.requests.write(entry(status=status))
    assert log.lines()[0]["level"] == level


def test_lines_below_the_level_are_left_out(tmp_path):
    log = Log(tmp_path / "log", level="warning")
    log.logs.requests.write(entry())
    log.logs.requests.write(entry(status=500))
    structlog.get_logger().info("hello")
    structlog.get_logger().warning("trouble")
    logging.getLogger("uvicorn.error").info("started")
    assert [line["event"] for line in log.lines()] == ["request", "trouble"]


def test_ordinary_lines_and_libraries_share_the_sink_in_order(log):
    structlog.get_logger().info("listening", url="http://127.0.0.1:8000", workers=2)
    logging.getLogger("uvicorn.error").warning("slow %s", "start")
    log.logs.requests.write(entry())
    try:
        raise ValueError("no")
    except ValueError:
        structlog.get_logger().exception("broke")
        logging.getLogger("asyncio").error("too", exc_info=True)
    first, second, third, fourth, fifth = log.lines()
    assert first == {
        "event": "listening",
        "ts": first["ts"],
        "level": "info",
        "url": "http://127.0.0.1:8000",
        "workers": 2,
    }
    assert (second["event"], second["level"], second["logger"]) == ("slow start", "warning", "uvicorn.error")
    assert third["event"] == "request"
    assert fourth["exception"].endswith("ValueError: no")
    assert fifth["exception"] == fourth["exception"]


def test_no_secret_is_written(log):
    log.logs.redact(Redactor(["the-vendors-key"]))
    structlog.get_logger().warning("upstream", message="key the-vendors-key refused", header="Bearer abcdefgh")
    log.logs.requests.write(
        entry(
            path="/v1beta/models/m?key=AIzaSyA1234567890abcdefghij&alt=sse",
            model="sk-1234567890abcdefgh",
            losses=["the-vendors-key"],
        )
    )
    ordinary, request = log.lines()
    assert ordinary["message"] == "key [redacted] refused"
    assert ordinary["header"] == "Bearer [redacted]"
    assert request["path"] == "/v1beta/models/m?alt=sse"
    assert request["model"] == "[redacted]"
    assert request["losses"] == ["[redacted]"]


def test_a_new_secret_counts_for_models_seen_clean_before(log, monkeypatch):
    # Both before the thread looks would prove nothing, so the cleaner is asked itself.
    cleaner = log.logs._cleaner
    first = entry(model="the-vendors-key")
    cleaner(first)
    log.logs.redact(Redactor(["the-vendors-key"]))
    log.logs.requests.write(entry(model="the-vendors-key"))
    assert first.model == "the-vendors-key"
    assert log.lines()[0]["model"] == "[redacted]"


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/v1/models", "/v1/models"),
        ("/v1/models?key=abc", "/v1/models"),
        ("/v1/models?pageSize=5&key=abc", "/v1/models?pageSize=5"),
        ("/v1/models?key=abc&pageSize=5&KEY=d", "/v1/models?pageSize=5"),
        ("/v1/models?monkey=1", "/v1/models?monkey=1"),
        ("/v1/models?", "/v1/models"),
    ],
)
def test_keys_leave_the_query(path, shown):
    assert without_credentials(path) == shown


def test_what_a_caller_makes_long_is_cut(log):
    log.logs.requests.write(entry(path="/" + "a" * 9000, model="b" * 9000, losses=["c"] * 500))
    structlog.get_logger().info("long", text="d" * 100_000)
    request, ordinary = log.lines()
    assert len(request["path"]) < 600
    assert len(request["model"]) < 300
    assert request["losses"][-1] == "… 450 more"
    assert len(ordinary["text"]) < 20_000


def test_odd_values_do_not_lose_a_line(log):
    class Odd:
        def __str__(self) -> str:
            raise RuntimeError

    structlog.get_logger().info("odd", value=object, text="\ud800", odd=Odd, other={1: {2}})
    log.logs.requests.write(entry(model="\ud800"))
    log.logs.requests.write(entry(path="/two"))
    first, second, third = log.lines()
    assert first["event"].strip("'") == "odd"
    assert second["model"] == "?"
    assert third["path"] == "/two"


def test_text_for_the_eye(tmp_path):
    log = Log(tmp_path / "log", "text")
    log.logs.requests.write(
        entry(
            protocol="gemini",
            operation="generate_content",
            model="fast",
            target="google/g",
            key="ci",
            stream=True,
            first_byte_ms=3.2,
            input_tokens=10,
            output_tokens=5,
            losses=["topK"],
        )
    )
    log.logs.requests.write(entry(status=404, error="model_not_found", path="/v1/\x1b[31mred\n12:00:00 forged"))
    structlog.get_logger().info("listening", url="http://x", note="two\nlines")
    first, second, third = log.text().splitlines()
    clock = r"\d\d:\d\d:\d\d\.\d{3} "
    assert re.fullmatch(
        clock
        + r"info    200 gemini generate_content fast → google/g 12 ms \(first 3\) 10→5 tokens lost: topK by ci req_1",
        first,
    )
    assert re.fullmatch(
        clock + r"warning 404 POST /v1/\\x1b\[31mred\\x0a12:00:00 forged 12 ms model_not_found req_1", second
    )
    assert re.fullmatch(clock + r"info    listening url=http://x note=two\\x0alines", third)


def test_a_traceback_can_not_pass_for_lines(tmp_path):
    log = Log(tmp_path / "log", "text")
    try:
        raise ValueError("no\n12:00:00 forged")
    except ValueError:
        structlog.get_logger().exception("broke")
    first, *rest = log.text().splitlines()
    assert first.endswith("broke")
    assert rest
    assert all(line.startswith("    ") for line in rest)


def test_auto_is_text_with_colours_on_a_terminal(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    reader, writer = pty.openpty()
    logs = configure("auto", "info", writer)
    logs.requests.write(entry())
    logs.close(10)
    line = os.read(reader, 4096).decode()
    os.close(writer)
    os.close(reader)
    assert "\x1b[32minfo" in line
    assert "200 POST" in line


def test_auto_is_json_elsewhere(tmp_path):
    log = Log(tmp_path / "log", "auto")
    log.logs.requests.write(entry())
    assert log.lines()


def test_dropped_lines_are_told_in_the_log_and_counted():
    reader, writer = os.pipe()
    logs = configure("json", "info", writer, bound=3)
    # Nothing is read and the thread gathers: beyond the bound each is dropped at once.
    for _ in range(10):
        logs.requests.write(entry())
    logs.close(10)
    os.close(writer)
    with open(reader) as written:
        lines = [json.loads(line) for line in written]
    told = [line for line in lines if line["event"] == "log_lines_dropped"]
    assert sum(line["count"] for line in told) == logs.dropped
    assert len(lines) - len(told) + logs.dropped == 10
