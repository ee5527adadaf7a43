"""Golden files: a case is a file; what it should give stands beside it. DRAGOMAN_UPDATE_GOLDEN=1 writes them anew."""

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dragoman.ir import DragomanError, Losses

GOLDEN = Path(__file__).parents[2] / "golden" / "anthropic"


def cases(kind: str, suffix: str = ".json") -> list[Any]:
    """The cases of a folder, each as a pytest parameter named after its file."""
    found = [path for path in sorted((GOLDEN / kind).glob(f"*{suffix}")) if path.name.count(".") == 1]
    return [pytest.param(path, id=path.stem) for path in found]


def plain(value: Any) -> Any:
    """Neutral values as JSON with their types' names, defaults left out."""
    if isinstance(value, msgspec.Struct):
        told: dict[str, Any] = {"": type(value).__name__}
        for field in msgspec.structs.fields(type(value)):
            member = getattr(value, field.name)
            if field.default is msgspec.NODEFAULT or member != field.default:
                told[field.name] = plain(member)
        return told
    if isinstance(value, DragomanError):
        members = {name: plain(part) for name, part in vars(value).items() if part not in (None, [])}
        return {"": type(value).__name__, **members, "status": value.status}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def lost(losses: Losses) -> list[list[Any]]:
    return [[loss.path, loss.why, *(["harmless"] if loss.harmless else [])] for loss in losses.found]


def check(case: Path, suffix: str, got: Any) -> None:
    """Compares with the file beside the case, or writes it."""
    path = case.with_name(case.stem + suffix)
    text = got if isinstance(got, str) else json.dumps(got, ensure_ascii=False, indent=1) + "\n"
    if os.environ.get("DRAGOMAN_UPDATE_GOLDEN"):
        path.write_text(text, newline="")
        return
    assert path.exists(), f"{path} is missing; DRAGOMAN_UPDATE_GOLDEN=1 writes it"
    if isinstance(got, str):
        with path.open(newline="") as file:
            assert file.read() == text
    else:
        assert json.loads(text) == json.loads(path.read_text())
