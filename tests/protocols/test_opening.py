"""Where a stream's first real output is: the tap, which sees bytes, and the reader, which reads them, say the same event."""

from __future__ import annotations

from pathlib import Path

import pytest

from dragoman.ir import DragomanError
from dragoman.pipeline.substance import check_first_events
from dragoman.protocols.base import Peek, Route
from dragoman.protocols.known import PROTOCOLS
from dragoman.wire.sse import EventSplitter

GOLDEN = Path(__file__).parents[1] / "golden"
FOLDERS = {name.replace("-", "_"): name for name in PROTOCOLS}
CASES = [case for folder in FOLDERS for case in sorted((GOLDEN / folder / "streams").glob("*.sse"))]
# What is announced in these is a call of the vendor's own tools, or nothing that is known: it counts for the tap, and the reader
# tells it when it is whole.
ANNOUNCED = {
    "custom_call",
    "deeds",
    "search",
    "search_cited",
    "code",
    "json_stand_in",
    "value_stand_in",
    "word_stand_in",
}
ANNOUNCED |= {"odd_types", "unknown_events"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parts[-3]}-{case.stem}")
def test_tap_and_reader_agree(case: Path) -> None:
    protocol = PROTOCOLS[FOLDERS[case.parts[-3]]]
    data = case.read_bytes()
    if data.startswith(b"["):
        pytest.skip("the vendor's side of an array is for Gemini's own callers")
    reader, tap, says = (
        protocol.stream_reader(),
        protocol.tap(Peek("m", True, True), Route("generate", "m", True)),
        False,
    )
    for event in EventSplitter().feed(data):
        try:
            tap.feed(event)
            says = says or check_first_events(reader.feed(event), "vendor")
        except DragomanError:
            return
        if tap.failed is not None:
            return
        assert tap.started or not says, "real output is held"
        assert says or not tap.started or case.stem.partition(".")[0] in ANNOUNCED, event
