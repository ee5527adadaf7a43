import subprocess
import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dragoman.ir import Usage
from dragoman.observe import names, spool
from dragoman.observe.labels import MAX_SERIES
from dragoman.observe.metrics import CONTENT_TYPE, Tally, compact, render


def samples(text: bytes) -> dict[tuple[str, ...], float]:
    """{(name, label=value, …): value}, parsed by Prometheus' own reader."""
    return {
        (sample.name, *(f"{key}={value}" for key, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def shown(text: bytes, name: str, **labels: str) -> float:
    """The sum of the series `name` whose labels include these."""
    wanted = {f"{key}={value}" for key, value in labels.items()}
    return sum(value for key, value in samples(text).items() if key[0] == name and wanted <= set(key[1:]))


def count(tally: Tally, times: int = 1, **other: object) -> None:
    told: dict[str, object] = {
        "protocol": "gemini",
        "operation": "generate_content",
        "model": "fast",
        "provider": "google",
        "status": 200,
        "duration": 0.3,
        "upstream": 0.2992,
        "usage": Usage(input=10, output=5, cached_input=4, reasoning=2),
    }
    for _ in range(times):
        tally.request(**(told | other))


@pytest.fixture
def worker(monkeypatch):
    """Makes tallies as if each were in a process of its own; to the kernel none of these runs."""
    monkeypatch.setattr(spool, "_runs", lambda pid: False)

    def make(pid: int) -> Tally:
        tally = Tally()
        tally.file_name = spool.file_name(pid, 1)
        return tally

    return make


def test_what_a_request_leaves(tmp_path):
    tally = Tally()
    count(tally, stream=True, first_byte=0.05)
    count(tally, status=404, model="", provider="", usage=None, upstream=0.0, duration=0.0004)
    tally.attempt("google", "gemini-2.5-flash", "generate_content", "ok", 0.29, 0.05)
    tally.attempt("google", "gemini-2.5-flash", "generate_content", "timeout", 30.0)
    tally.loss("gemini", "openai-chat", "contents[3].parts[0].videoMetadata")
    text = render(tmp_path, tally, [])
    assert shown(text, "dragoman_requests_total", status="200", protocol="gemini") == 1
    assert shown(text, "dragoman_requests_total", status="404") == 1
    call = {"gen_ai_request_model": "fast", "gen_ai_provider_name": "google"}
    assert shown(text, "gen_ai_server_request_duration_seconds_count", **call, error_type="") == 1
    assert shown(text, "gen_ai_server_request_duration_seconds_sum", **call) == pytest.approx(0.3)
    assert shown(text, "gen_ai_server_request_duration_seconds_count", error_type="404") == 1
    assert shown(text, "gen_ai_server_time_to_first_token_seconds_bucket", le="0.04") == 0
    assert shown(text, "gen_ai_server_time_to_first_token_seconds_bucket", le="0.06") == 1
    assert shown(text, "dragoman_overhead_seconds_bucket", stream="true", le="0.0005") == 0
    assert shown(text, "dragoman_overhead_seconds_bucket", stream="true", le="0.001") == 1
    assert shown(text, "dragoman_overhead_seconds_bucket", stream="false", le="0.0005") == 1
    assert shown(text, "gen_ai_client_operation_duration_seconds_count", error_type="timeout") == 1
    assert shown(text, "gen_ai_client_operation_time_to_first_chunk_seconds_count") == 1
    assert shown(text, "dragoman_upstream_attempts_total", provider="google", outcome="timeout") == 1
    assert shown(text, "dragoman_translation_losses_total", field="contents[].parts[].videoMetadata") == 1
    assert CONTENT_TYPE.startswith("text/plain")


def test_a_value_on_a_bound_belongs_to_its_bucket(tmp_path):
    tally = Tally()
    count(tally, duration=0.64)
    text = render(tmp_path, tally, [])
    assert shown(text, "gen_ai_server_request_duration_seconds_bucket", le="0.32") == 0
    assert shown(text, "gen_ai_server_request_duration_seconds_bucket", le="0.64") == 1


@pytest.mark.parametrize(
    ("usage", "inputs"),
    [
        (Usage(input=30), {"unknown": 30}),
        (Usage(input=30, input_by_modality=(("text", 10), ("image", 20))), {"text": 10, "image": 20, "unknown": 0}),
        (Usage(input=30, input_by_modality=(("text", 10),)), {"text": 10, "unknown": 20}),
        (Usage(input=30, input_by_modality=(("text", 10),), tool_input_by_modality=(("text", 20),)), {"text": 30}),
        (Usage(input=30, input_by_modality=(("smell", 30),)), {"unknown": 30}),
        (Usage(input=30, input_by_modality=(("text", 99),)), {"unknown": 30, "text": 0}),
        (None, {"unknown": 0}),
    ],
)
def test_tokens_by_modality_add_up_to_the_total(tmp_path, usage, inputs):
    tally = Tally()
    count(tally, usage=usage)
    text = render(tmp_path, tally, [])
    name = "gen_ai_client_inference_usage_input_tokens_total"
    assert shown(text, name) == (usage.input if usage else 0)
    for modality, tokens in inputs.items():
        assert shown(text, name, gen_ai_token_modality=modality) == tokens


def test_the_other_token_counters(tmp_path):
    tally = Tally()
    count(tally, 2, usage=Usage(input=10, output=5, cached_input=4, cache_write=3, reasoning=2))
    text = render(tmp_path, tally, [])
    for kind, tokens in {"output": 10, "cache_read_input": 8, "cache_write_input": 6, "reasoning_output": 4}.items():
        assert shown(text, f"gen_ai_client_inference_usage_{kind}_tokens_total") == tokens


def test_any_worker_answers_with_the_sum_of_all(tmp_path, worker):
    first, second, third = worker(11), worker(12), worker(13)
    count(first, 2)
    count(second, 3)
    count(second, 4, model="slow")
    third.up()
    first.up()
    for tally in (first, second, third):
        assert tally.flush(tmp_path)
    for tally in (first, second, third):
        text = render(tmp_path, tally, [11, 12, 13])
        assert shown(text, "dragoman_requests_total") == 9
        assert shown(text, "gen_ai_server_request_duration_seconds_count", gen_ai_request_model="slow") == 4
        assert shown(text, "gen_ai_client_inference_usage_input_tokens_total") == 90
        assert shown(text, "dragoman_requests_in_flight") == 2


def test_a_dead_worker_keeps_its_counts_and_loses_its_gauges(tmp_path, worker):
    dead, alive = worker(11), worker(12)
    count(dead, 5)
    dead.up()
    dead.loop_lag(9.0)
    dead.flush(tmp_path)
    count(alive, 1)
    text = render(tmp_path, alive, [12])
    assert shown(text, "dragoman_requests_total") == 6
    assert shown(text, "dragoman_requests_in_flight") == 0
    assert shown(text, "dragoman_event_loop_lag_seconds") == 0


def test_an_id_given_out_again_revives_no_gauges(tmp_path, worker):
    old, new = worker(11), worker(11)
    new.file_name = spool.file_name(11, 2)
    old.up()
    old.flush(tmp_path)
    new.up()
    new.flush(tmp_path)
    assert shown(render(tmp_path, worker(12), [11, 12]), "dragoman_requests_in_flight") == 1


def test_gauges_of_several_processes_become_one(tmp_path, worker):
    first, second = worker(11), worker(12)
    first.reload(success=True, timestamp=100.0)
    second.reload(success=True, timestamp=200.0)
    second.reload(success=False)
    first.loop_lag(0.5)
    second.loop_lag(0.2)
    first.flush(tmp_path)
    text = render(tmp_path, second, [11, 12])
    assert shown(text, "dragoman_config_last_reload_success") == 0
    assert shown(text, "dragoman_config_last_reload_timestamp_seconds") == 100.0
    assert shown(text, "dragoman_event_loop_lag_seconds") == 0.5
    assert shown(text, "dragoman_build_info") == 1


def test_the_built_in_model_is_in_one_state(tmp_path):
    tally = Tally()
    tally.local_model("smollm2-135m", "starting")
    tally.local_model("smollm2-135m", "ready")
    text = render(tmp_path, tally, [])
    assert shown(text, "dragoman_local_model_state", state="ready") == 1
    assert shown(text, "dragoman_local_model_state", state="starting") == 0


def test_lag_is_forgotten_after_two_windows(tmp_path, monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr("dragoman.observe.metrics.time.monotonic", lambda: clock[0])
    tally = Tally()
    tally.loop_lag(2.0)
    for seconds, lag in ((16, 2.0), (16, 0.1), (16, 0.1)):
        clock[0] += seconds
        tally.loop_lag(0.1)
        assert shown(render(tmp_path, tally, []), "dragoman_event_loop_lag_seconds") == lag


def test_counters_never_go_down_while_the_dead_are_absorbed(tmp_path, worker, monkeypatch):
    own = worker(1)
    seen = []

    def look(alive: list[int]) -> None:
        seen.append(shown(render(tmp_path, own, alive), "dragoman_requests_total"))

    total = 0
    for pid in range(100, 106):
        tally = worker(pid)
        count(tally, 3)
        total += 3
        tally.flush(tmp_path)
        look([1, pid])
        # Killed between the new file of the dead and the end of the old one: nothing is counted twice, before or after.
        with monkeypatch.context() as patch:
            patch.setattr("pathlib.Path.unlink", _killed)
            with pytest.raises(KeyboardInterrupt):
                compact(tmp_path, [1])
        look([1])
        assert (tmp_path / tally.file_name).exists()
        compact(tmp_path, [1])
        assert not (tmp_path / tally.file_name).exists()
        look([1])
    assert seen == sorted(seen)
    assert seen[-1] == total
    assert compact(tmp_path, [1]) == 0


def _killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_reader_overtaken_by_absorption_counts_once(tmp_path, worker, monkeypatch):
    dead, own = worker(11), worker(12)
    count(dead, 5)
    dead.flush(tmp_path)
    load = spool._load

    def overtaken(path):
        # The files of workers have been read (or, next time round, are about to be): now the supervisor absorbs them.
        found = load(path)
        monkeypatch.setattr(spool, "_load", load)
        compact(tmp_path, [12])
        return found

    monkeypatch.setattr(spool, "_load", overtaken)
    assert shown(render(tmp_path, own, [12]), "dragoman_requests_total") == 5
    assert shown(render(tmp_path, own, [12]), "dragoman_requests_total") == 5


def test_a_file_absorbed_before_it_could_be_read_is_counted(tmp_path, worker, monkeypatch):
    dead, own = worker(11), worker(12)
    count(dead, 5)
    dead.flush(tmp_path)
    listed = spool._list

    def overtaken(directory):
        found = listed(directory)
        monkeypatch.setattr(spool, "_list", listed)
        compact(tmp_path, [12])
        return found

    monkeypatch.setattr(spool, "_list", overtaken)
    assert shown(render(tmp_path, own, [12]), "dragoman_requests_total") == 5


def test_a_killed_process_is_still_counted(tmp_path):
    script = """
import sys, time
from dragoman.observe.metrics import Tally
tally = Tally()
tally.up()
for _ in range(7):
    tally.request(protocol="gemini", operation="o", model="m", provider="p", status=200, duration=0.1)
tally.flush(sys.argv[1])
print("ready", flush=True)
sys.stdin.read()
"""
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout.readline() == "ready\n"
        own = Tally()
        living = render(tmp_path, own)
        child.kill()
    dead = render(tmp_path, own)
    assert shown(living, "dragoman_requests_in_flight") == 1
    assert shown(dead, "dragoman_requests_in_flight") == 0
    assert compact(tmp_path) == 1
    absorbed = render(tmp_path, own)
    for text in (living, dead, absorbed):
        assert shown(text, "dragoman_requests_total") == 7


def test_a_worker_the_supervisor_has_not_listed_yet_is_not_taken_for_dead(tmp_path):
    young = Tally()
    count(young)
    young.flush(tmp_path)
    assert compact(tmp_path, []) == 0
    assert (tmp_path / young.file_name).exists()


def test_what_was_shown_is_on_disk_for_the_others(tmp_path, worker):
    # Else the next scrape, answered by another worker, could show less.
    first, second = worker(11), worker(12)
    count(first, 3)
    assert shown(render(tmp_path, first, [11, 12]), "dragoman_requests_total") == 3
    assert shown(render(tmp_path, second, [11, 12]), "dragoman_requests_total") == 3


def test_flush_writes_only_changes(tmp_path):
    tally = Tally()
    tally.flush(tmp_path)
    written = (tmp_path / tally.file_name).stat().st_mtime_ns
    tally.flush(tmp_path)
    assert (tmp_path / tally.file_name).stat().st_mtime_ns == written
    count(tally)
    (tmp_path / tally.file_name).unlink()
    tally.flush(tmp_path)
    assert (tmp_path / tally.file_name).exists()
    assert [path.name for path in tmp_path.iterdir()] == [tally.file_name]


def test_a_disk_that_refuses_costs_no_answer(tmp_path):
    (tmp_path / "file").write_text("in the way")
    tally = Tally()
    count(tally)
    assert not tally.flush(tmp_path / "file")
    assert shown(render(tmp_path / "file", tally, []), "dragoman_requests_total") == 1


def test_files_of_others_and_torn_files_are_passed_over(tmp_path, worker):
    (tmp_path / "worker-5-5.metrics").write_bytes(b"\x81")
    (tmp_path / "worker-6-5.metrics").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("hello")
    own = worker(12)
    count(own)
    assert shown(render(tmp_path, own, [5, 6, 12]), "dragoman_requests_total") == 1
    compact(tmp_path, [12])
    assert (tmp_path / "notes.txt").exists()


def test_a_caller_who_invents_names_fills_nothing(tmp_path, worker):
    tally, other = worker(11), worker(12)
    for number in range(MAX_SERIES + 50):
        count(tally, model=f"m{number}")
        count(other, model=f"n{number}")
    count(tally, model="x" * 5000)
    count(tally, model="\ud800")
    other.flush(tmp_path)
    text = render(tmp_path, tally, [11, 12])
    models = [key for key in samples(text) if key[0] == "gen_ai_server_request_duration_seconds_count"]
    assert len(models) <= MAX_SERIES + 1
    assert shown(text, "dragoman_requests_total") == 2 * MAX_SERIES + 102


def test_every_metric_has_its_family(tmp_path):
    families = {
        family.name: family for family in text_string_to_metric_families(render(tmp_path, Tally(), []).decode())
    }
    for metric in names.ALL:
        family = families.pop(metric.name.removesuffix("_total") if metric.kind == "counter" else metric.name)
        assert family.type == metric.kind
        assert family.documentation == metric.help
        assert metric.buckets == tuple(sorted(metric.buckets))
    assert not families


def test_what_the_database_did_not_do_is_summed(tmp_path, worker):
    first, second = worker(11), worker(12)
    first.store_failures(2)
    second.store_failures(3)
    first.flush(tmp_path)
    assert shown(render(tmp_path, second, [11, 12]), "dragoman_store_failures_total") == 5
