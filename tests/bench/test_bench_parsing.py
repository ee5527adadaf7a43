"""The benchmarks' own arithmetic and reading; nothing here takes the time of anything."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from bench import __main__ as command
from bench import cases, figures, http1, pairs, payloads, process, report, streams, wrk

ROOT = Path(__file__).resolve().parents[2]


def test_bodies_are_about_a_kilobyte_and_json():
    for body in (
        payloads.chat_request("m"),
        payloads.gemini_request(),
        payloads.chat_answer(),
        payloads.gemini_answer(),
        payloads.responses_request("m"),
        payloads.responses_answer(),
        payloads.anthropic_request("m"),
        payloads.anthropic_answer(),
    ):
        assert 900 <= len(body) <= 1100
        json.loads(body)


STREAMS = {
    "chat": (payloads.chat_events(), 98),
    "gemini": (payloads.gemini_events(), 100),
    "responses": (payloads.responses_events(), 92),
    "anthropic": (payloads.anthropic_events(), 95),
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_100_events_in_33_writes(name):
    events, least = STREAMS[name]
    assert len(events) == 100
    writes = payloads.in_writes(events)
    assert len(writes) == 33
    assert b"".join(writes) == b"".join(events)
    words = http1.words(b"".join(event for event in events if event.count(b" w0") < 2))
    assert words == list(range(len(words)))
    assert len(words) == least


@pytest.mark.parametrize("vendor", pairs._exchanges())
@pytest.mark.parametrize("caller", pairs._exchanges())
def test_what_is_timed_is_a_whole_translation(caller, vendor):
    exchanges = pairs._exchanges()
    assert b"wombat" in pairs.translated(caller, vendor, exchanges)()
    told = http1.words(pairs.translated_stream(caller, vendor, exchanges)())
    assert told[:92] == list(range(92))  # the fewest texts that any vendor's hundred events hold


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_a_stream_is_right_only_with_every_event_in_order():
    good = HEAD + chunked(b'data: " w000."\n\nda', b'ta: " w001."\n\n')
    assert streams.wrong(good, [0, 1]) is None
    assert "2 events of 3" in str(streams.wrong(good, [0, 1, 2]))
    doubled = HEAD + chunked(b" w000. w000. w001.")
    assert "3 events of 2" in str(streams.wrong(doubled, [0, 1]))
    assert "status 502" in str(streams.wrong(b"HTTP/1.1 502 Bad Gateway\r\n\r\n{}", [0]))
    assert "framing" in str(streams.wrong(HEAD + b"5\r\nabc", [0]))


def test_lengths_are_read_whatever_their_case():
    parts = http1.split_head(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{}")
    assert parts is not None
    assert http1.content_length(parts[1]) == 12
    assert http1.split_head(b"HTTP/1.1 200 OK\r\nCont") is None


def test_wrk_summary_is_found_among_its_talk():
    output = (
        "Running 5s test @ http://127.0.0.1:1/\n  1 threads and 16 connections\n"
        'bench-summary {"requests": 52011, "microseconds": 5003211, "p50": 1520, "p99": 4100, "faults": 3}\n'
    )
    assert wrk.parse(output) == wrk.Summary(52011, 5.003211, 1.52, 4.1, 3)
    with pytest.raises(process.BenchError, match="no summary"):
        wrk.parse("unable to connect to 127.0.0.1:1 Connection refused")


def test_wrk_script_carries_body_path_and_count():
    text = wrk.script([payloads.gemini_ask("m")], "secret", count=10)
    assert "[==[/v1beta/models/m:generateContent]==]" in text
    assert 'wrk.headers["Authorization"] = "Bearer secret"' in text
    assert "answers >= 10" in text
    assert "%%" not in text


def test_stat_of_a_command_with_spaces_and_brackets():
    text = "4711 (a) b (c) S 42 4711 4711 0 -1 4194560 100 0 0 0 17 5 1 2 20 0 3 0 12345 0 0"
    assert process.parse_stat(text) == (42, 17, 5)


def test_rollup_is_summed():
    text = (
        "55f0-7ffd ---p 00000000 00:00 0   [rollup]\nRss:   2048 kB\nPss:   1024 kB\nPrivate_Clean:  100 kB\n"
        "Private_Dirty:  200 kB\nSwap:  0 kB\n"
    )
    assert process.parse_rollup(text) == process.Memory(2048 * 1024, 1024 * 1024, 300 * 1024)


def test_a_tree_has_its_root_and_a_cost():
    assert os.getpid() in process.tree(os.getpid())
    before = process.cpu(os.getpid())
    assert process.spent(before, before).total == 0
    with pytest.raises(process.BenchError):
        process.spent(before, process.Cpu(0, 0, frozenset({1})))


def test_percentiles_are_of_the_nearest_rank():
    assert figures.percentile([3, 1, 2], 50) == 2
    assert figures.percentile(range(1, 101), 99) == 99
    assert figures.percentile([7], 99) == 7


def test_a_ratio_is_the_median_of_the_rounds_own():
    def load(cpu: float) -> figures.Load:
        return figures.Load(cpu, 0, 1, 1, 1)

    assert figures.ratio_of([load(60), load(120), load(90)], [load(10), load(40), load(15)]) == 6
    assert figures.cpu_text([load(60), load(120), load(90)]) == "90 µs (60–120)"


def results() -> figures.Results:
    row = figures.Row("chat", "1 KB chat", "90 µs", "16 µs", "5.6 ×", "≤ 6 × nginx", True)
    missed = figures.Row("start", "start-up", "2.00 s", "", "", "≤ 1.5 s", False)
    return figures.Results([row, missed], [figures.Detail("chat", "90 µs", "60 + 30", "9,000/s", "1 ms", "3 ms")])


def test_the_tables_say_what_was_met_and_missed():
    plain = report.plain(results())
    assert "MISSED" in plain
    english = report.markdown(results(), [("CPU", "one")], date="2026-01-02", command="make bench")
    assert "| 1 KB chat (`chat`) | 90 µs | 16 µs | 5.6 × | ≤ 6 × nginx | met |" in english
    assert "**missed**" in english
    assert "未达到" in report.markdown(results(), [], date="2026-01-02", command="make bench", language="zh")


@pytest.mark.parametrize("page", ["docs/performance.md", "docs/zh/performance.md"])
def test_the_page_keeps_its_words_and_swaps_its_tables(page):
    text = (ROOT / page).read_text()
    part = report.markdown(results(), [], date="2026-01-02", command="make bench")
    once = report.replaced(text, part)
    assert report.replaced(once, part) == once
    assert once.startswith(text[: text.index(report.BEGIN)])
    assert once.endswith(text[text.index(report.END) :])


def test_every_case_has_a_name_and_only_they_do():
    assert command.arguments(["--quick", *cases.NAMES]).cases == cases.NAMES
    with pytest.raises(SystemExit):
        command.arguments(["nonesuch"])
    with pytest.raises(SystemExit):
        command.arguments(["--write", "chat"])


def test_the_command_on_the_page_names_no_folder():
    assert command.shown([]) == "make bench"
    assert command.shown(["--keep", "/x", "--full", "--keep=/y"]) == 'make bench ARGS="--full"'
