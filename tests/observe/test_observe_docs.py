"""The pages on metrics and logs say what the code does, in both languages."""

import json
import re
from pathlib import Path

import msgspec
import pytest

from dragoman.observe import names
from dragoman.observe.labels import MAX_LABEL, MAX_SERIES
from dragoman.observe.logs import RequestEntry

DOCS = Path(__file__).parents[2] / "docs"
LANGUAGES = pytest.mark.parametrize("folder", [DOCS, DOCS / "zh"], ids=["en", "zh"])


def table(page: str, section: int) -> dict[str, list[str]]:
    """The table rows of the n-th section: the code words of a row's first cell, joined → its other cells."""
    body = page.split("\n## ")[section]
    rows = [line.strip("|").split("|") for line in body.splitlines() if line.startswith("| `")]
    return {"、".join(re.findall(r"`([^`]+)`", cells[0])): [cell.strip() for cell in cells[1:]] for cells in rows}


@LANGUAGES
def test_every_metric_is_told_with_its_kind_and_labels(folder):
    page = (folder / "metrics.md").read_text()
    rows = table(page, 1)
    assert list(rows) == [metric.name for metric in names.ALL]
    for metric in names.ALL:
        kind, labels, what = rows[metric.name]
        assert kind == metric.kind
        assert re.findall(r"`([^`]+)`", labels) == list(metric.labels)
        assert what
        if folder == DOCS:
            assert what == metric.help
    assert names.SEMCONV_VERSION in page


@LANGUAGES
def test_every_label_and_bucket_is_told(folder):
    page = (folder / "metrics.md").read_text()
    told = {label for row in table(page, 2) for label in row.split("、")}
    assert told == {label for metric in names.ALL for label in metric.labels}
    bounds = {name: tuple(map(float, row[0].split())) for name, row in table(page, 3).items()}
    assert bounds == {metric.name: metric.buckets for metric in names.ALL if metric.buckets}
    assert f"{MAX_SERIES:,}" in page
    assert str(MAX_LABEL) in page


@LANGUAGES
def test_no_page_names_a_metric_that_is_not_there(folder):
    known = {metric.name for metric in names.ALL}
    known |= {
        name + part
        for metric in names.ALL
        if metric.buckets
        for name in [metric.name]
        for part in ("_bucket", "_sum", "_count")
    }
    for page in ("metrics.md", "logs.md"):
        text = (folder / page).read_text()
        named = re.findall(r"\b(?:dragoman|gen_ai_client|gen_ai_server)_[a-z_]+(?:_total|_seconds(?:_bucket)?)\b", text)
        assert set(named) <= known


@LANGUAGES
def test_every_field_of_a_request_line_is_told(folder):
    rows = table((folder / "logs.md").read_text(), 1)
    assert list(rows) == ["event", *(field.encode_name for field in msgspec.structs.fields(RequestEntry))]
    assert all(all(cells) for cells in rows.values())


@LANGUAGES
def test_the_example_is_a_request_line(folder):
    text = re.search(r'^\{"event":"request".*$', (folder / "logs.md").read_text(), re.MULTILINE)
    assert text
    entry = msgspec.json.decode(text[0], type=RequestEntry)
    written = json.loads(msgspec.json.encode(entry))
    assert written.pop("ts")
    told = json.loads(text[0])
    told.pop("ts")
    assert list(written.items()) == list(told.items())
