"""`dragoman try`: what a request would become, without sending it; and with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Run, data_of
from e2e import canned
from e2e.fixtures import Vendors
from e2e.vendor import reply

CHAT = {"model": "fast", "messages": [{"role": "user", "content": "Hi"}], "logit_bias": {"7": 1}, "user": "me"}
GEMINI = {
    "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
    "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
}


def write(folder: Path, body: Any, name: str = "request.json") -> str:
    (folder / name).write_text(body if isinstance(body, str) else json.dumps(body))
    return name


def test_a_chat_body_for_gemini(configured: Path, shop: Vendors, run: Run) -> None:
    result = run("try", write(configured.parent, CHAT))
    assert (result.exit_code, result.stderr) == (0, "")
    assert "vendor-secret" not in result.output
    head, _, rest = result.stdout.partition("body\n")
    body, _, losses = rest.partition("\nlosses\n")
    assert head == (
        "model     fast\n"
        "target    google/gemini-2.5-flash\n"
        "then      openai/gpt-4o\n"
        "plan      google/gemini-2.5-flash: priority 1, weight 3; openai/gpt-4o: priority 2, weight 1\n"
        "protocol  openai-chat to gemini\n"
        f"upstream  POST {shop.google.base_url}/v1beta/models/gemini-2.5-flash:generateContent\n"
    )
    assert json.loads(body)["contents"] == [{"role": "user", "parts": [{"text": "Hi"}]}]
    first, second = losses.splitlines()
    assert first.startswith("  logit_bias: ")
    assert second.startswith("  user: ")
    assert second.endswith(" (harmless)")
    assert not shop.google.seen


def test_a_gemini_body_for_openai(configured: Path, shop: Vendors, run: Run) -> None:
    found = data_of(run("try", write(configured.parent, GEMINI), "--model", "gpt-4o", "--stream", "--json"))
    assert (found["protocol"], found["model"], found["target"], found["also"]) == (
        "gemini", "gpt-4o", "openai/gpt-4o", [],
    )  # fmt: skip
    upstream = found["upstream"]
    assert (upstream["protocol"], upstream["method"]) == ("openai-chat", "POST")
    assert upstream["url"] == f"{shop.openai.base_url}/v1/chat/completions"
    assert upstream["body"]["messages"] == [{"role": "user", "content": "Hi"}]
    assert upstream["body"]["stream"] is True
    assert [loss["path"] for loss in found["losses"]] == ["safetySettings"]
    assert set(found["losses"][0]) == {"path", "why", "harmless"}
    assert not shop.openai.seen


def test_the_same_protocol_is_passed_on_as_it_came(configured: Path, run: Run) -> None:
    body = {**GEMINI, "unknownToUs": {"a": [1]}}
    name = write(configured.parent, body)
    found = data_of(run("try", name, "--model", "models/gemini-2.5-pro", "--json"))
    assert found["untouched"] is True
    assert found["upstream"]["body"] == body
    assert "gemini, passed on as it came" in run("try", name, "--model", "gemini-2.5-pro").stdout


def test_send_gives_the_callers_answer(configured: Path, shop: Vendors, run: Run) -> None:
    found = data_of(run("try", write(configured.parent, CHAT), "--send", "--json"))
    answer = found["answer"]
    assert (answer["status"], answer["target"]) == (200, "google/gemini-2.5-flash")
    assert answer["losses"] == ["logit_bias"]
    assert answer["body"]["choices"][0]["message"]["content"] == canned.HELLO
    assert shop.google.last.json == found["upstream"]["body"]


def test_send_prints_a_stream_as_it_is(configured: Path, run: Run) -> None:
    result = run("try", write(configured.parent, CHAT), "--send", "--stream")
    assert result.exit_code == 0
    answer = result.stdout.partition("answer    200 from google/gemini-2.5-flash\n")[2]
    assert answer.startswith("data: {")
    assert answer.endswith("data: [DONE]\n\n")


def test_send_and_be_refused(configured: Path, shop: Vendors, run: Run) -> None:
    shop.openai.will(reply({"error": {"message": "No such thing.", "type": "invalid_request_error"}}, 400))
    result = run("try", write(configured.parent, GEMINI), "--model", "gpt-4o", "--send")
    assert result.exit_code == 1
    assert "answer    400 from openai/gpt-4o\n" in result.stdout
    assert '"message": "No such thing."' in result.stdout


def test_a_body_by_standard_input_and_said_to_be_gemini(configured: Path, run: Run) -> None:
    body = json.dumps({**GEMINI, "model": "models/gpt-4o", "messages": []})
    result = run("try", "-", "--as", "gemini", "--json", stdin=body)
    assert data_of(result)["target"] == "openai/gpt-4o"


def test_the_built_in_model_answers_too(shell: Path, local_data: Path, run: Run) -> None:
    body = {**GEMINI, "generationConfig": {"maxOutputTokens": 4}}
    words = ("--model", "any", "--send", "--json", "--data", str(local_data))
    found = data_of(run("try", write(shell, body), *words))
    assert found["upstream"]["url"] == "local:/v1/chat/completions"
    assert found["answer"]["body"]["candidates"][0]["content"]["parts"][0]["text"]


@pytest.mark.parametrize(
    ("body", "words", "said"),
    [
        (GEMINI, (), "names no model"),
        ({"prompt": "Hi"}, (), "--as gemini, openai-chat, openai-responses or anthropic"),
        ("{", (), "is not JSON"),
        ("[]", (), "holds no JSON object"),
        ({**CHAT, "model": "fasst"}, (), "Did you mean 'fast'"),
        ({**CHAT, "messages": "Hi"}, (), "At messages: correct it"),
        ({"messages": []}, ("--as", "gemini"), "names no model"),
    ],
)
def test_what_cannot_be_tried(configured: Path, run: Run, body: Any, words: tuple[str, ...], said: str) -> None:
    result = run("try", write(configured.parent, body), *words)
    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr


def test_a_file_that_is_not_there(shell: Path, run: Run) -> None:
    result = run("try", "nothing.json")
    assert (result.exit_code, result.stderr.splitlines()[0]) == (
        1,
        "Error: nothing.json cannot be read: No such file or directory.",
    )


def test_a_file_is_wanted(shell: Path, run: Run) -> None:
    assert run("try").exit_code == 2


BOTH = """
providers:
  both: {protocols: [openai-responses, openai-chat], base_url: "http://127.0.0.1:1/v1", api_key: k, models: ["gpt-*"]}
"""


@pytest.mark.parametrize(
    ("more", "spoken", "lost"),
    [
        ({}, "openai-responses", []),  # nothing is lost in either: the first
        ({"generationConfig": {"seed": 7}}, "openai-chat", []),  # Responses has no seed
        ({"generationConfig": {"topK": 7}}, "openai-responses", ["generationConfig.topK"]),  # neither has it
    ],
)
def test_of_a_providers_protocols_the_one_that_loses_least(
    shell: Path, run: Run, more: dict[str, Any], spoken: str, lost: list[str]
) -> None:
    (shell / "both.yaml").write_text(BOTH)
    body = {"contents": GEMINI["contents"], **more}
    found = data_of(run("try", write(shell, body), "--config", "both.yaml", "--model", "gpt-4o", "--json"))
    assert found["upstream"]["protocol"] == spoken
    assert [loss["path"] for loss in found["losses"] if not loss["harmless"]] == lost


@pytest.mark.parametrize(
    ("body", "protocol"),
    [
        ({"input": "Hi"}, "openai-responses"),
        ({"messages": [{"role": "user", "content": "Hi"}]}, "openai-chat"),
        ({"messages": [{"role": "user", "content": "Hi"}], "system": "Be brief.", "max_tokens": 9}, "anthropic"),
        (
            {
                "messages": [{"role": "user", "content": "Hi"}],
                "max_tokens": 9,
                "tools": [{"name": "f", "input_schema": {"type": "object"}}],
            },
            "anthropic",
        ),
    ],
)
def test_a_bodys_protocol_shows_in_its_members(configured: Path, run: Run, body: dict[str, Any], protocol: str) -> None:
    found = data_of(run("try", write(configured.parent, {**body, "model": "fast"}), "--json"))
    assert found["protocol"] == protocol


def test_the_cheapest_target_stands_first(shell: Path, run: Run) -> None:
    targets = [
        {"provider": "openai", "model": model, **more}
        for model, more in (
            ("nobody-knows", {}),
            ("gpt-5", {"weight": 9}),
            ("gpt-5-nano", {"priority": 2}),
            ("gpt-5-mini", {}),
        )
    ]
    provider = {"protocols": ["openai-chat"], "api_keys": ["k", "l"]}
    (shell / "cheap.yaml").write_text(
        json.dumps({"providers": {"openai": provider}, "models": {"m": {"strategy": "cheapest", "targets": targets}}})
    )
    found = data_of(run("try", write(shell, {**CHAT, "model": "m"}), "--config", "cheap.yaml", "--json"))
    assert found["plan"] == [
        "openai/gpt-5-mini: priority 1, weight 1, 2 keys in turn",
        "openai/gpt-5: priority 1, weight 9, 2 keys in turn",
        "openai/nobody-knows: priority 1, weight 1, 2 keys in turn",
        "openai/gpt-5-nano: priority 2, weight 1, 2 keys in turn",
    ]
