"""Golden files: a case is a file; what it should give stands beside it. DRAGOMAN_UPDATE_GOLDEN=1 writes them anew: look at the
difference before you commit it.

What every protocol's goldens are held to stands here too: streams read in any pieces, and what was written read again.
"""

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dragoman.ir import DragomanError, Event, Failed, Losses, UpstreamError, UpstreamRefused
from dragoman.protocols.base import Route, Stamp, WireProtocol

GOLDEN = Path(__file__).parents[1] / "golden"
UPDATE = os.environ.get("DRAGOMAN_UPDATE_GOLDEN") == "1"
ROUTE = Route("generate")


def cases(protocol: str, kind: str, suffix: str = ".json") -> list[Any]:
    """The cases of a folder, each as a pytest parameter named after its file."""
    found = [path for path in sorted((GOLDEN / protocol / kind).glob(f"*{suffix}")) if path.name.count(".") == 1]
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
    """Compares with the file beside the case, or writes it. A text is compared byte by byte, all else as JSON."""
    path = case.with_name(case.stem + suffix)
    text = got if isinstance(got, str) else json.dumps(got, ensure_ascii=False, indent=1) + "\n"
    if UPDATE:
        path.write_text(text, newline="")
        return
    assert path.exists(), f"{path} is missing; DRAGOMAN_UPDATE_GOLDEN=1 writes it"
    if isinstance(got, str):
        with path.open(newline="") as file:
            assert file.read() == text
    else:
        assert json.loads(text) == json.loads(path.read_text())


def check_error(protocol: WireProtocol, case: Path, suffix: str) -> tuple[UpstreamRefused, Any]:
    """A vendor's refusal, read and written again; it, and the body that a caller is told."""
    given = json.loads(case.read_bytes())
    headers = [(name.encode(), value.encode()) for name, value in given["headers"]]
    error = protocol.read_error(given["status"], headers, given["body"].encode())
    check(case, ".ir.json", plain(error))
    status, written, body = protocol.write_error(error, ROUTE)
    told = json.loads(body)
    shown = {name.decode(): value.decode() for name, value in written}
    check(case, suffix, {"status": status, "headers": shown, "body": told})
    return error, told


def read_stream(protocol: WireProtocol, pieces: list[bytes]) -> tuple[list[Event], UpstreamError | None]:
    reader = protocol.stream_reader()
    events: list[Event] = []
    try:
        for piece in pieces:
            events += reader.feed(piece)
        events += reader.end()
    except UpstreamError as error:
        return events, error
    return events, None


def write_stream(
    protocol: WireProtocol, asked: bytes, stamp: Stamp, events: list[Event], error: UpstreamError | None = None
) -> bytes:
    writer = protocol.stream_writer(protocol.read_request(asked, ROUTE), stamp, ROUTE)
    written = writer.write(events)
    return written + (writer.end() if error is None else writer.fail(error))


def check_stream(protocol: WireProtocol, asked: bytes, stamp: Stamp, case: Path, suffix: str) -> None:
    events, error = read_stream(protocol, [case.read_bytes()])
    check(case, ".ir.json", [plain(event) for event in events] + ([] if error is None else [plain(error)]))
    check(case, suffix, write_stream(protocol, asked, stamp, events, error).decode())


def reads_alike_in_pieces(protocol: WireProtocol, body: bytes) -> None:
    """Byte by byte, and in two, split at every line's end and inside every character."""
    whole, error = read_stream(protocol, [body])
    expected = [plain(event) for event in whole]
    splits = [[body[at : at + 1] for at in range(len(body))]]
    splits += [[body[:at], body[at:]] for at, byte in enumerate(body) if byte & 0xC0 == 0x80 or byte in b"\r\n"]
    for pieces in splits:
        events, failed = read_stream(protocol, pieces)
        # What was complete before a failure may or may not have been given out.
        if error is None:
            assert [plain(event) for event in events] == expected
        assert type(failed) is type(error)


def writes_alike_again(protocol: WireProtocol, asked: bytes, stamp: Stamp, body: bytes) -> None:
    """What is written reads as what it was written from, but for the stamp."""
    events, error = read_stream(protocol, [body])
    if error is not None or any(isinstance(event, Failed) for event in events):
        return
    writer = protocol.stream_writer(protocol.read_request(asked, ROUTE), stamp, ROUTE)
    one_by_one = b"".join(writer.write([event]) for event in events) + writer.end()
    again, _ = read_stream(protocol, [one_by_one])
    assert write_stream(protocol, asked, stamp, again) == one_by_one
