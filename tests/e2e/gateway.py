"""A real `dragoman serve` in a process of its own, as an operator starts it; and the waiting for what has no event."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

# Nothing here takes so long; it only keeps a broken gateway from hanging the run.
PATIENCE = 60.0
DRAGOMAN = str(Path(sys.executable).with_name("dragoman"))
# For tests of single failures between which a gateway lives on: each request asks its targets once, whatever became of the last.
ONCE = "failover: {health: ignore, retries: 0}\n"
_LISTENS = re.compile(r"listens on (https?://\S+?);?(?:\s|$)")


def wait_until(condition: Callable[[], Any], what: str = "", patience: float = PATIENCE) -> Any:
    """The first true value of `condition`, asked again and again; for things that the outside gives no event of."""
    deadline = time.monotonic() + patience
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {patience} s: {what or condition}")
        time.sleep(0.01)
    return found


class Gateway:
    """A running gateway. `base_url` has no path; `key` is the root key; `text` is all that it wrote, log and talk."""

    def __init__(
        self,
        data: Path,
        *,
        config: str | None = None,
        environment: Mapping[str, str] | None = None,
        arguments: tuple[str, ...] = (),
        key: str | None = None,
    ) -> None:
        self.data = data
        self.key = key or f"dgm_test_{secrets.token_hex(16)}"
        self.base_url = ""
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._ended = False
        data.mkdir(parents=True, exist_ok=True)
        self.config = data / "dragoman.yaml"
        given = ("--config", str(self.config)) if config is not None else ()
        if config is not None:
            self.config.write_text(config)
        # Only what a process needs, so that no vendor's key of the developer's own gets into a test.
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        self.process = subprocess.Popen(
            (DRAGOMAN, "serve", "--port", "0", "--data", str(data), *given, *arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**inherited, "DRAGOMAN_ROOT_KEY": self.key, **(environment or {})},
            cwd=data,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    # --- what it says

    @property
    def text(self) -> str:
        with self._news:
            return "".join(self._lines)

    @property
    def log(self) -> list[dict[str, Any]]:
        """Every structured line so far."""
        return [json.loads(line) for line in self.text.splitlines() if line.startswith("{")]

    def wait_for_log(self, wanted: Callable[[dict[str, Any]], Any], patience: float = PATIENCE) -> dict[str, Any]:
        """The first structured line, old or new, that is `wanted`."""
        found: list[dict[str, Any]] = []

        def look() -> bool:
            found[:] = [line for line in self.log if wanted(line)]
            return bool(found)

        if not self._wait(look, patience):
            raise AssertionError(f"no such line within {patience} s; there is:\n{self.text}")
        return found[0]

    def entry(self, request_id: str) -> dict[str, Any]:
        """The line of one request."""
        return self.wait_for_log(lambda line: line.get("request_id") == request_id and "status" in line)

    # --- its life

    def wait_ready(self, patience: float = 60.0) -> None:
        """Until it listens and says itself that it can take traffic."""
        listens = [""]

        def look() -> bool:
            found = _LISTENS.search("".join(self._lines))
            listens[0] = found[1] if found else ""
            return bool(found) or self._ended

        self._wait(look, patience)
        if not listens[0]:
            raise AssertionError(f"the gateway did not start:\n{self.text}")
        self.base_url = listens[0]
        wait_until(lambda: self.get("/readyz")[0] == 200, "/readyz answers 200")

    def signal(self, number: int) -> None:
        os.kill(self.process.pid, number)

    def stop(self, patience: float = PATIENCE) -> int:
        """Ends it as an operator would; its exit status."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        code = self.process.wait(patience)
        self._reader.join(patience)
        return code

    def close(self) -> None:
        """Ends it, by force where it does not end by itself."""
        try:
            self.stop(10.0)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10.0)
            raise AssertionError(f"the gateway did not end when told to:\n{self.text}") from None
        finally:
            assert self.process.stdout is not None
            self.process.stdout.close()

    # --- asking it

    def connect(self, timeout: float = PATIENCE) -> http.client.HTTPConnection:
        where = urlsplit(self.base_url)
        assert where.hostname is not None
        return http.client.HTTPConnection(where.hostname, where.port, timeout=timeout)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, Mapping[str, str], bytes]:
        return self.ask("GET", path, headers=headers)

    def post(
        self, path: str, body: Any, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        """With the root key. `body` is bytes as they are, or anything that JSON can say."""
        content = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        return self.ask(
            "POST",
            path,
            content,
            {"content-type": "application/json", "authorization": f"Bearer {self.key}", **(headers or {})},
        )

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers by lower-case name, body, on a connection of its own."""
        connection = self.connect()
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    # --- inside

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self._lines.append(line.decode(errors="replace"))
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def _wait(self, look: Callable[[], bool], patience: float) -> bool:
        deadline = time.monotonic() + patience
        with self._news:
            while not look():
                left = deadline - time.monotonic()
                if left <= 0 or self._ended or not self._news.wait(left):
                    return look()
        return True


@contextlib.contextmanager
def running(data: Path, **options: Any) -> Iterator[Gateway]:
    """A gateway that is ready; see `Gateway` for the options."""
    gateway = Gateway(data, **options)
    try:
        gateway.wait_ready()
        yield gateway
    finally:
        gateway.close()


def with_local_model(data: Path, model_file: Path) -> Path:
    """`data`, with the built-in model in it as `dragoman models pull` would leave it there, but not fetched again."""
    models = data / "models"
    models.mkdir(parents=True, exist_ok=True)
    for source in (model_file, model_file.with_name(model_file.name + ".sha256")):
        target = models / source.name
        if target.exists():
            continue
        try:
            os.link(source, target)
        except OSError:
            shutil.copy2(source, target)
    return data


def provider(name: str, protocol: str, base_url: str, models: str, **more: Any) -> str:
    """One entry of `providers:`, its vendor's key included; `models` is a comma list of names and patterns."""
    fields = {
        "protocols": [protocol],
        "base_url": base_url,
        "api_key": f"vendor-secret-of-{name}",
        "models": models.split(","),
        **more,
    }
    return f"  {name}: {json.dumps(fields)}\n"
