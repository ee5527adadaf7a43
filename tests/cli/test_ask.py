"""`dragoman ask`: through the pipeline here, through a gateway elsewhere, and all that can go wrong."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import pytest

from cli.conftest import NO_INDEX, Run, Start, data_of
from e2e import canned
from e2e.fixtures import Vendors
from e2e.gateway import Gateway
from e2e.vendor import Exchange, gemini_events, hang, openai_events, reply, stream

PIECE = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Grüß"}]}, "index": 0}]}
LAST = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": " dich"}]}, "finishReason": "STOP", "index": 0}],
    "usageMetadata": {"promptTokenCount": 12, "candidatesTokenCount": 7, "totalTokenCount": 19},
}


def test_the_first_model_of_ones_own_is_asked(configured: Path, shop: Vendors, run: Run) -> None:
    result = run("ask", "Why is the sky blue?")
    assert (result.exit_code, result.stdout, result.stderr) == (0, canned.HELLO + "\n", "")
    seen = shop.google.last
    assert seen.path.endswith("/models/gemini-2.5-flash:streamGenerateContent")
    assert seen.header("x-goog-api-key") == "vendor-secret-of-google"
    assert seen.json["contents"] == [{"role": "user", "parts": [{"text": "Why is the sky blue?"}]}]


def test_options_reach_the_vendor(configured: Path, shop: Vendors, run: Run) -> None:
    words = ("gpt-4o", "Hi", "--system", "Be brief.", "--max-tokens", "5", "--temperature", "0.5")
    assert run("ask", *words).exit_code == 0
    body = shop.openai.last.json
    assert [message["content"] for message in body["messages"]] == ["Be brief.", "Hi"]
    assert body["temperature"] == 0.5
    assert 5 in (body.get("max_tokens"), body.get("max_completion_tokens"))


def test_json_is_one_object(configured: Path, run: Run) -> None:
    found = data_of(run("ask", "quick", "Hi", "--json"))
    assert found.pop("request_id").startswith("req_")
    assert found == {
        "text": canned.HELLO,
        "model": "gemini-2.5-flash",
        "target": "google/gemini-2.5-flash",
        "finish_reason": "stop",
        "usage": {"input_tokens": 12, "cached_input_tokens": 0, "output_tokens": 7, "reasoning_tokens": 0},
        "losses": [],
    }


@pytest.mark.parametrize("words", [(), ("-",), ("fast", "-")])
def test_the_prompt_may_come_by_standard_input(configured: Path, shop: Vendors, run: Run, words: tuple[str]) -> None:
    assert run("ask", *words, stdin="谁在那里?\n").stdout == canned.HELLO + "\n"
    assert shop.google.last.json["contents"][0]["parts"] == [{"text": "谁在那里?\n"}]


def test_text_is_printed_as_it_comes(configured: Path, shop: Vendors, start: Start) -> None:
    more = threading.Event()
    shop.google.will(stream(*gemini_events(PIECE), more, *gemini_events(LAST)))
    asking = start("ask", "Hi")
    assert asking.stdout is not None
    assert asking.stdout.read(4) == "Grüß"
    more.set()
    assert asking.communicate(timeout=30) == (" dich\n", "")
    assert asking.returncode == 0


def test_control_c_is_quiet_and_ends_the_upstream_call(configured: Path, shop: Vendors, start: Start) -> None:
    shop.google.will(hang())
    asking = start("ask", "Hi")
    shop.google.wait_for_request()
    asking.send_signal(signal.SIGINT)
    assert asking.communicate(timeout=30) == ("", "")
    assert asking.returncode == 130
    assert shop.google.left.wait(10)


def test_a_reader_that_goes_away_is_no_disaster(configured: Path, shop: Vendors, start: Start) -> None:
    more = threading.Event()
    shop.google.will(stream(*gemini_events(PIECE), more, *gemini_events(LAST)))
    asking = start("ask", "Hi")
    assert asking.stdout is not None
    asking.stdout.read(4)
    asking.stdout.close()
    more.set()
    assert asking.stderr is not None
    assert asking.stderr.read() == ""
    assert asking.wait(30) == 1
    asking.stdout = None


# --- what goes wrong


def test_an_unknown_model_lists_the_nearest(configured: Path, run: Run) -> None:
    result = run("ask", "google2/nothing", "Hi")
    assert (result.exit_code, result.stdout) == (1, "")
    what, mend = result.stderr.splitlines()
    assert what.startswith("Error: The model 'google2/nothing' does not exist here.")
    assert mend == "See what there is: dragoman models list"


def test_a_refused_key_of_ours_names_the_setting(configured: Path, shop: Vendors, run: Run) -> None:
    error = {"error": {"message": "Incorrect API key provided: vendor-secret-of-openai.", "code": "invalid_api_key"}}
    shop.openai.will(reply(error, 401))
    result = run("ask", "gpt-4o", "Hi")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "providers.openai.api_key" in result.stderr
    assert "vendor-secret" not in result.stderr
    assert result.stderr.splitlines()[1] == "Test the provider: dragoman providers test openai"


def test_a_stream_that_breaks_off_keeps_its_text(configured: Path, shop: Vendors, run: Run) -> None:
    shop.google.will(stream(*gemini_events(PIECE), finish=False))
    result = run("ask", "gemini-2.5-flash", "Hi")
    assert (result.exit_code, result.stdout) == (1, "Grüß\n")
    assert result.stderr.startswith("Error: The provider 'google' ")


def test_a_blocked_answer_is_an_error(configured: Path, shop: Vendors, run: Run) -> None:
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 4}}
    shop.google.will(stream(*gemini_events(blocked)))
    result = run("ask", "gemini-2.5-flash", "Hi")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "blocked" in result.stderr


def test_an_answer_that_was_cut_off_says_so(configured: Path, shop: Vendors, run: Run) -> None:
    cut = {"candidates": [{**LAST["candidates"][0], "finishReason": "MAX_TOKENS"}]}  # type: ignore[index]
    shop.google.will(stream(*gemini_events(cut)))
    result = run("ask", "gemini-2.5-flash", "Hi")
    assert (result.exit_code, result.stdout) == (0, " dich\n")
    assert "--max-tokens" in result.stderr


@pytest.mark.parametrize(
    ("words", "stdin", "said"),
    [
        (("why", "is", "it"), None, "Quote the prompt"),
        ((" ",), None, "the prompt is empty"),
        ((), "", "the prompt is empty"),
        (("Hi", "--temperature", "9"), None, "--temperature"),
        (("Hi", "--url", "http://127.0.0.1:1", "--data", "x"), None, "--url"),
    ],
)
def test_usage(shell: Path, run: Run, words: tuple[str, ...], stdin: str | None, said: str) -> None:
    result = run("ask", *words, stdin=stdin)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_standard_input_must_be_text(shell: Path, run: Run) -> None:
    result = run("ask", "-", stdin=b"ab\xff")
    assert result.exit_code == 1
    assert "at byte 2" in result.stderr


def test_a_bad_configuration_tells_every_problem(shell: Path, run: Run) -> None:
    (shell / "dragoman.yaml").write_text("server: {port: 99999}\nbogus: 1\n")
    result = run("ask", "Hi")
    assert (result.exit_code, result.stdout) == (3, "")
    assert [line.partition(": ")[0] for line in result.stderr.splitlines()] == [
        "dragoman.yaml:1:16 server.port",
        "dragoman.yaml:2:1 bogus",
    ]


# --- the built-in model


def test_the_built_in_model_answers_without_any_key(shell: Path, local_data: Path, run: Run) -> None:
    found = data_of(run("ask", "What is two plus two?", "--json", "--max-tokens", "8", "--data", str(local_data)))
    assert found["text"]
    assert (found["model"], found["target"]) == ("smollm2-135m", "local/smollm2-135m")
    assert found["usage"]["input_tokens"] > 5


def test_a_model_that_cannot_be_had_says_why(shell: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in NO_INDEX.items():
        monkeypatch.setenv(name, value)
    result = run("ask", "Hi")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "smollm2-135m could not be fetched" in result.stderr
    assert result.stderr.splitlines()[-1] == "See what is missing: dragoman doctor"


# --- a gateway elsewhere


def test_a_gateway_elsewhere(shell: Path, relay: Gateway, run: Run) -> None:
    found = data_of(run("ask", "via-openai", "Hi", "--json", "--url", relay.base_url, "--token", relay.key))
    assert (found["text"], found["target"]) == (canned.HELLO, "openai/gpt-4o")
    # Its first model where none is named, its address as OpenAI's SDKs take it, and both from the environment.
    env = {"DRAGOMAN_URL": relay.base_url + "/v1/", "DRAGOMAN_TOKEN": relay.key}
    result = run("ask", "Hi", env=env)
    assert (result.exit_code, result.stdout, result.stderr) == (0, canned.HELLO + "\n", "")


def test_a_gateway_elsewhere_refuses_a_foreign_key(shell: Path, relay: Gateway, run: Run) -> None:
    for words in (("Hi",), ("via-openai", "Hi")):
        result = run("ask", *words, "--url", relay.base_url, "--token", "dgm_foreign")
        assert (result.exit_code, result.stdout) == (1, "")
        what, mend = result.stderr.splitlines()
        assert "is not one of this gateway's" in what
        assert "--token" in mend


def test_what_the_model_could_not_be_told_is_said(shell: Path, shop: Vendors, run: Run) -> None:
    def lossy(exchange: Exchange) -> None:
        kind, target = ("content-type", "text/event-stream"), ("x-dragoman-target", "some/model")
        exchange.head(200, [kind, target, ("x-dragoman-losses", "temperature,stop"), ("transfer-encoding", "chunked")])
        for event in openai_events({"choices": [{"index": 0, "delta": {"content": "Hm"}, "finish_reason": "stop"}]}):
            exchange.chunk(event)
        exchange.end()

    shop.openai.will(lossy)
    result = run("ask", "model", "Hi", "--url", shop.openai.base_url)
    assert (result.exit_code, result.stdout) == (0, "Hm\n")
    assert result.stderr == "(some/model could not be told: temperature, stop.)\n"


def test_nobody_elsewhere(shell: Path, run: Run) -> None:
    result = run("ask", "fast", "Hi", "--url", "http://127.0.0.1:9")
    assert result.exit_code == 1
    assert "cannot be reached" in result.stderr
    assert "--url" in result.stderr
    assert run("ask", "Hi", "--url", "gateway.example").stderr.startswith("Error: 'gateway.example' is not an address.")


def test_a_configuration_that_is_named_wins_over_the_environment(configured: Path, shop: Vendors, run: Run) -> None:
    result = run("ask", "Hi", "--config", str(configured), env={"DRAGOMAN_URL": "http://127.0.0.1:9"})
    assert result.exit_code == 0
    assert len(shop.google.seen) == 1


@pytest.mark.parametrize(
    ("url", "words"),
    [("http://127.0.0.1:9", "connection refused"), ("http://nosuch.invalid", "there is no such host")],
)
def test_a_gateway_that_cannot_be_reached_is_told_in_plain_words(run: Run, shell: Path, url: str, words: str) -> None:
    result = run("ask", "--url", url, "m", "hi")
    assert result.exit_code == 1
    assert f"{url} cannot be reached: {words}." in result.stderr
    assert "ssl:" not in result.stderr and "Errno" not in result.stderr


def test_a_verb_with_a_slip_is_guessed(run: Run, shell: Path) -> None:
    for word, hint in (("srve", "Did you mean serve?"), ("xyzzy", "There are: serve, ask,")):
        result = run(word)
        assert result.exit_code == 2
        assert f"there is no verb '{word}'. {hint}" in result.stderr
