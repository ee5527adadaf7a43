"""The golden matrix across protocols: what one protocol's callers ask, as another's vendors are asked it; what those vendors
answer, as the callers are told it. Cases are the files of each protocol's own goldens: adding one there adds it here.

`DRAGOMAN_UPDATE_GOLDEN=1` writes the expectations anew; look at the difference before you commit it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from dragoman.catalog.profile import profile_for
from dragoman.ir import DragomanError, Failed, Losses, Started, UpstreamError, Usage
from dragoman.protocols.base import Route, Stamp, StreamWriter
from dragoman.protocols.known import PROTOCOLS

GOLDEN = Path(__file__).parents[1] / "golden"
UPDATE = os.environ.get("DRAGOMAN_UPDATE_GOLDEN") == "1"
STAMP = Stamp("dragoman-id", 1_790_000_000, "shown-model")
# Models whose vendors differ most in what they take.
MODELS = {
    "openai-chat": ("gpt-4o", "doubao-seed-1-8-251228"),
    "gemini": ("gemini-2.5-flash", "gemini-3-pro-preview"),
    "openai-responses": ("gpt-4o", "gpt-5.4"),
    "anthropic": ("claude-3-7-sonnet-latest", "claude-opus-4-7"),
}
# What the caller had asked, when an answer is written.
ASKED = {
    "openai-chat": b"""{"model": "m", "messages": [{"role": "user", "content": "Hi"}],
  "stream_options": {"include_usage": true}, "tools": [{"type": "web_search"}]}""",
    "gemini": b'{"contents":[{"parts":[{"text":"Hi"}]}]}',
    "openai-responses": b'{"model":"m","input":"Hi"}',
    "anthropic": b'{"model":"m","max_tokens":64,"messages":[{"role":"user","content":"Hi"}]}',
}
PAIRS = list(permutations(PROTOCOLS, 2))


def folder(protocol: str) -> Path:
    return GOLDEN / protocol.replace("-", "_")


def cases(kind: str, ending: str) -> list[Any]:
    return [
        pytest.param(source, target, path, id=f"{source}-{target}-{path.stem}")
        for source, target in PAIRS
        for path in sorted((folder(source) / kind).glob(f"*{ending}"))
        if path.name.count(".") == 1
    ]


def expected(source: str, target: str, path: Path, kind: str, ending: str) -> Path:
    return GOLDEN / "cross" / f"{folder(source).name}.{kind}" / f"{path.stem}.{folder(target).name}{ending}"


def check(path: Path, got: Any) -> None:
    told = got if isinstance(got, bytes) else (json.dumps(got, indent=1, ensure_ascii=False) + "\n").encode()
    if UPDATE:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(told)
    assert path.exists(), f"{path.name} is missing: run with DRAGOMAN_UPDATE_GOLDEN=1"
    if isinstance(got, bytes):
        assert told == path.read_bytes()
    else:
        assert json.loads(told) == json.loads(path.read_bytes())


def told(losses: Losses) -> list[str]:
    return [f"{loss.path}: {loss.why}{' (harmless)' if loss.harmless else ''}" for loss in losses.found]


def refused(error: DragomanError) -> dict[str, Any]:
    return {"refused": error.status, "message": error.message, "param": error.param, "code": error.code}


def asked(source: str, path: Path) -> tuple[bytes, Route]:
    """The case's body and route: Gemini's cases name their path, as half of what they ask stands there."""
    given = json.loads(path.read_bytes())
    if source == "gemini":
        place, _, query = given["path"].partition("?")
        route = PROTOCOLS[source].match(place, query.encode())
        assert route is not None
        return json.dumps(given["body"]).encode(), route
    return path.read_bytes(), Route("generate")


@pytest.mark.parametrize(("source", "target", "path"), cases("requests", ".json"))
def test_request(source: str, target: str, path: Path) -> None:
    try:
        body, route = asked(source, path)
        request = PROTOCOLS[source].read_request(body, route)
    except (DragomanError, ValueError):
        return  # refused before it is anybody else's business; the protocol's own goldens tell how
    written: dict[str, Any] = {}
    for model in MODELS[target]:
        losses = Losses(PROTOCOLS[source].spelling)
        try:
            out = PROTOCOLS[target].write_request(request, model, profile_for(target, model), losses)
        except DragomanError as error:
            written[model] = refused(error)
            continue
        written[model] = {"path": out.path, "body": json.loads(out.body), "losses": told(losses)}
        # What was written is a request of the target's protocol.
        PROTOCOLS[target].read_request(out.body, Route("generate", model, out.stream))
    # A refusal is the caller's to mend, so it names the field.
    assert all(told["refused"] == 400 and told["param"] for told in written.values() if "refused" in told)
    check(expected(source, target, path, "requests", ".json"), written)


@pytest.mark.parametrize(("source", "target", "path"), cases("responses", ".json"))
def test_response(source: str, target: str, path: Path) -> None:
    try:
        response = PROTOCOLS[source].read_response(path.read_bytes())
    except UpstreamError as error:
        status, _, body = PROTOCOLS[target].write_error(error, Route("generate"))
        check(expected(source, target, path, "responses", ".json"), {"status": status, "body": json.loads(body)})
        return
    caller = PROTOCOLS[target]
    losses = Losses(caller.spelling)
    request = caller.read_request(ASKED[target], Route("generate", "m"))
    body = caller.write_response(response, request, STAMP, losses)
    check(
        expected(source, target, path, "responses", ".json"),
        {"status": 200, "body": json.loads(body), "losses": told(losses)},
    )
    # What was written is an answer of the caller's protocol.
    again = counted(caller.read_response(body).usage)
    # Where nothing was counted, a protocol that must tell counts tells zeros.
    assert again == counted(response.usage) or (response.usage is None and not any(again or ()))


def counted(usage: Usage | None) -> tuple[int, ...] | None:
    """What every protocol has a place for."""
    return usage and (usage.input, usage.output, usage.cached_input, usage.reasoning)


def relayed(source: str, target: str, pieces: Iterable[bytes], route: Route) -> bytes:
    """The whole stream as a caller gets it, or the status and body of an error that came before its first byte."""
    caller = PROTOCOLS[target]
    request = caller.read_request(ASKED[target], route)
    reader = PROTOCOLS[source].stream_reader()
    writer: StreamWriter | None = None
    out = b""
    try:
        for events in _read(reader, pieces):
            failed = next((event.error for event in events if isinstance(event, Failed)), None)
            if failed is not None and not out:
                raise failed
            if events and writer is None:
                model = events[0].model if isinstance(events[0], Started) else ""
                writer = caller.stream_writer(request, Stamp(STAMP.id, STAMP.created, model or STAMP.model), route)
            if events:
                assert writer is not None
                out += writer.write(events)
            if failed is not None:
                return out
        assert writer is not None
        return out + writer.end()
    except DragomanError as error:
        if writer is None or not out:
            status, _, body = caller.write_error(error, route)
            return b"%d %b" % (status, body)
        return out + writer.fail(error)


def _read(reader: Any, pieces: Iterable[bytes]) -> Iterator[list[Any]]:
    for piece in pieces:
        # One by one, so that what is written does not hang on how many came in one read.
        yield from ([event] for event in reader.feed(piece))
    yield from ([event] for event in reader.end())


def splits(data: bytes) -> Iterator[list[bytes]]:
    yield [data[at : at + 1] for at in range(len(data))]
    yield [data[at : at + 7] for at in range(0, len(data), 7)]
    # Inside each character of several bytes.
    inside = [at for at, byte in enumerate(data) if byte & 0xC0 == 0x80]
    yield from ([data[:at], data[at:]] for at in inside)


@pytest.mark.parametrize("array", [False, True])
@pytest.mark.parametrize(("source", "target", "path"), cases("streams", ".sse"))
def test_stream(source: str, target: str, path: Path, array: bool) -> None:
    if array and target != "gemini":
        return
    route = Route("generate", "m" if target == "gemini" else None, True, array)
    data = path.read_bytes()
    whole = relayed(source, target, [data], route)
    check(expected(source, target, path, "streams", ".array.json" if array else ".sse"), whole)
    for pieces in splits(data):
        assert relayed(source, target, pieces, route) == whole
