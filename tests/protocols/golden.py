"""Golden files: a case is a file; what it should give stands beside it. DRAGOMAN_UPDATE_GOLDEN=1 writes them anew: look at the
difference before you commit it.

What every protocol's goldens are held to stands here too: streams read in any pieces, and what was written read again.
"""

import json
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dragoman.catalog.profile import profile_for
from dragoman.ir import BadRequest, DragomanError, Event, Failed, Losses, UpstreamError, UpstreamRefused
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


def check_request(protocol: WireProtocol, case: Path, suffix: str, path: str) -> None:
    """A caller's request, read and written again for a vendor of the same protocol."""
    try:
        request = protocol.read_request(case.read_bytes(), ROUTE)
    except BadRequest as error:
        check(case, ".ir.json", plain(error))
        return
    check(case, ".ir.json", plain(request))
    losses = Losses(protocol.spelling)
    try:
        sent = protocol.write_request(request, request.model, profile_for(protocol.name, request.model), losses)
    except BadRequest as error:
        check(case, suffix, plain(error))
        return
    assert sent.path == path
    check(case, suffix, {"body": json.loads(sent.body), "losses": lost(losses)})


def check_response(
    protocol: WireProtocol, asked: bytes, stamp: Stamp, case: Path, suffix: str, counted: Collection[str] = ()
) -> None:
    """A vendor's answer, read and written again. What is no answer has no counts either, but in the cases `counted`."""
    body = case.read_bytes()
    try:
        response = protocol.read_response(body)
    except UpstreamError as error:
        check(case, ".ir.json", plain(error))
        if case.stem in counted:
            assert protocol.read_usage(body) is not None
        else:
            with pytest.raises(type(error)):
                protocol.read_usage(body)
        return
    check(case, ".ir.json", plain(response))
    assert protocol.read_usage(body) == response.usage
    losses = Losses(protocol.spelling)
    written = protocol.write_response(response, protocol.read_request(asked, ROUTE), stamp, losses)
    check(case, suffix, {"body": json.loads(written), "losses": lost(losses)})


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
