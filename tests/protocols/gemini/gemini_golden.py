"""Shows neutral values as plain JSON, and holds them against the golden files."""

import json
import os
from pathlib import Path
from typing import Any

import msgspec

from dragoman.ir import DragomanError

GOLDEN = Path(__file__).parents[2] / "golden" / "gemini"
UPDATE = os.environ.get("DRAGOMAN_UPDATE_GOLDEN") == "1"


def show(value: Any) -> Any:
    """Structs with their class as `#`, and without the fields that hold their defaults."""
    if isinstance(value, msgspec.Struct):
        fields = {
            field.name: show(getattr(value, field.name))
            for field in msgspec.structs.fields(value)
            if getattr(value, field.name) != field.default
        }
        return {"#": type(value).__name__, **fields}
    if isinstance(value, DragomanError):
        told = {key: held for key, held in vars(value).items() if held}
        return {"#": type(value).__name__, "status": value.status, **told}
    if isinstance(value, (list, tuple)):
        return [show(item) for item in value]
    if isinstance(value, dict):
        return {key: show(item) for key, item in value.items()}
    return value


def check(path: Path, value: Any) -> None:
    if UPDATE:
        path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")
    assert path.exists(), f"{path.name} is missing: run with DRAGOMAN_UPDATE_GOLDEN=1"
    assert json.loads(json.dumps(value)) == json.loads(path.read_text())


def check_bytes(path: Path, value: bytes) -> None:
    if UPDATE:
        path.write_bytes(value)
    assert path.exists(), f"{path.name} is missing: run with DRAGOMAN_UPDATE_GOLDEN=1"
    assert value == path.read_bytes()
