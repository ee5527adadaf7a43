"""Every example of the pages works as printed, but for host, key and model: what users of such gateways copy and paste."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from e2e.canned import HELLO, PIECES, PNG, THOUGHT
from e2e.fixtures import Vendors
from e2e.gateway import Gateway
from e2e.vendor import Vendor
from seeds import curl
from seeds.examples import Example, examples

PAGES = ("000", "001", "002", "003")
ALL = [example for page in PAGES for example in examples(page)]
# A frame of silence, as an encoder writes it.
MP3 = base64.b64encode(b"ID3\x04\x00\x00\x00\x00\x00\x00\xff\xfb\x90\x64" + bytes(32)).decode()
HOSTS = ("https://backend:8000", "https://api.unigateway.ai", "https://models.kapon.cloud")
KEYS = ("YOUR_API_KEY", "<token>", "<YOUR_UNIGATEWAY_API_KEY>", "your-token")
MODELS = ("gemini-2.5-flash", "gemini-3-pro-preview", "gemini-3.1-pro-preview")


def test_extraction() -> None:
    """The extractor misses nothing: so many of each kind a page has, counted by hand."""
    found = {page: Counter(example.kind for example in examples(page)) for page in PAGES}
    assert found == {
        "000": {"curl": 2, "json": 4},
        "001": {"curl": 10, "json": 2, "python": 2},
        "002": {"curl": 1, "json": 1},
        "003": {"curl": 4, "json": 6, "python": 1},
    }
    for example in ALL:
        if example.kind != "python":
            assert example.body
        assert example.section


def is_answer(example: Example) -> bool:
    """Whether the page prints what comes back, not what is sent."""
    return example.kind == "json" and not {"contents", "messages", "generationConfig"} & set(example.body)


def works_with(example: Example, vendor: str) -> bool:
    """Whether the vendor has what the example asks for: the search and the code runner are Google's own."""
    if example.page == "002":
        return False  # its path names no model; see below
    return vendor == "google" or example.kind == "python" or not built_in(example.body)


def built_in(body: dict[str, Any]) -> bool:
    return any(
        "googleSearch" in tool or "codeExecution" in tool or tool.get("function", {}).get("name") == "web_search"
        for tool in body.get("tools", ())
    )


RUNS = [
    pytest.param(example, vendor, id=f"{example.id}-{vendor}")
    for example in ALL
    for vendor in ("google", "openai")
    if not is_answer(example) and works_with(example, vendor)
]


def fitted(text: str, gateway: Gateway, vendor: str) -> str:
    """The text with a host, a key and, for OpenAI's vendor, a model of ours; placeholders filled."""
    for host in HOSTS:
        text = text.replace(host, gateway.base_url)
    for key in KEYS:
        text = text.replace(key, gateway.key)
    if vendor == "openai":
        for model in MODELS:
            text = text.replace(model, "via-openai")
    return text.replace("image/png;base64,<BASE64>", f"image/png;base64,{PNG}").replace("<BASE64>", MP3)


@pytest.fixture
def run(relay: Gateway, tmp_path: Path) -> Callable[[Example, str], tuple[str, curl.Answered]]:
    """The path asked and what came back."""

    def ask(example: Example, vendor: str) -> tuple[str, curl.Answered]:
        if example.kind == "curl":
            command = fitted(example.text, relay, vendor).replace(" '/v1beta", f" '{relay.base_url}/v1beta")
            environment = {"BASE_URL": relay.base_url, "TOKEN": relay.key, "UNIGATEWAY_API_KEY": relay.key}
            # The page's address is right as it is, so the command's own is what we look at.
            path = command.partition("/v1")[2].split('"')[0].split("'")[0]
            return f"/v1{path}", curl.run(command, environment, tmp_path)
        body = json.loads(fitted(example.text, relay, vendor))
        if "messages" in body:
            path = "/v1/chat/completions"
        else:
            model = "gemini-3-pro-preview" if "Gemini 3" in example.section else "gemini-2.5-flash"
            path = f"/v1beta/models/{model if vendor == 'google' else 'via-openai'}:generateContent"
            # Where the page shows a setting alone, a request has something to say besides.
            body.setdefault("contents", [{"parts": [{"text": "你好"}]}])
        return path, curl.Answered(*relay.post(path, body))

    return ask


@pytest.mark.parametrize(("example", "vendor"), [run for run in RUNS if run.values[0].kind != "python"])
def test_request(run: Any, vendors: Vendors, example: Example, vendor: str) -> None:
    path, answered = run(example, vendor)
    assert answered.status == 200, answered.body
    asked = vendors.google.last if vendor == "google" else vendors.openai.last
    if "stream" in path or example.body.get("stream"):
        assert answered.headers["content-type"].partition(";")[0] == "text/event-stream"
        events = [json.loads(line[6:]) for line in lines(answered.body) if line != "data: [DONE]"]
        if "chat" in path:
            assert lines(answered.body)[-1] == "data: [DONE]"
            assert [c["delta"]["content"] for e in events for c in e["choices"] if c["delta"].get("content")] == PIECES
        else:
            texts = [part["text"] for event in events for part in event["candidates"][0]["content"]["parts"]]
            assert [text for text in texts if text] == PIECES
        return
    body = json.loads(answered.body)
    if "chat" in path:
        check_chat(example, body, asked.json, vendor)
    else:
        check_gemini(example, body, asked.json, vendor)


def lines(body: bytes) -> list[str]:
    return [line for line in body.decode().replace("\r\n", "\n").split("\n") if line]


def check_chat(example: Example, body: Any, asked: Any, vendor: str) -> None:
    assert body["object"] == "chat.completion"
    (choice,) = body["choices"]
    message = choice["message"]
    assert body["usage"]["total_tokens"] in (19, 24)
    sent = example.body
    if sent.get("tools") and not built_in(sent):
        assert choice["finish_reason"] == "tool_calls"
        (call,) = message["tool_calls"]
        assert call["function"]["name"] == "get_weather"
        assert json.loads(call["function"]["arguments"]).keys() == {"city"}
        return
    if sent.get("response_format"):
        assert json.loads(message["content"]) == {"name": "李雷"}
        return
    assert (choice["finish_reason"], message["content"]) == ("stop", HELLO)
    if "extra_body" in sent and vendor == "google":
        # 思考内容会在响应的 reasoning_content 字段中返回
        assert message["reasoning_content"] == THOUGHT
        assert asked["generationConfig"]["thinkingConfig"] == {"includeThoughts": True, "thinkingBudget": 24576}
    if sent.get("reasoning_effort") == "medium" and vendor == "google":
        assert asked["generationConfig"]["thinkingConfig"]["thinkingBudget"] == 8192
    if "image_url" in json.dumps(sent):
        assert PNG in json.dumps(asked)
    if built_in(sent):
        assert asked["tools"] == [{"googleSearch": {}}]


def check_gemini(example: Example, body: Any, asked: Any, vendor: str) -> None:
    (candidate,) = body["candidates"]
    assert candidate["content"]["role"] == "model"
    assert (candidate["finishReason"], candidate.get("index", 0)) == ("STOP", 0)
    assert body["usageMetadata"]["totalTokenCount"] == 19
    sent = example.body
    (part,) = candidate["content"]["parts"]
    config = sent.get("generationConfig", {})
    if "functionDeclarations" in json.dumps(sent):
        assert part["functionCall"]["name"] == "get_weather"
        assert part["functionCall"]["args"].keys() == {"location"}
        return
    if "responseJsonSchema" in config:
        assert json.loads(part["text"]) == {"city": "city 上海", "temperature_celsius": 18.5}
        return
    assert part["text"] == HELLO
    if vendor == "google":
        # Nothing is changed on its way but what Google would refuse.
        if not built_in(sent) or "googleSearch" in sent["tools"][0]:
            assert {name: asked[name] for name in sent if name != "contents"} == {
                name: value for name, value in sent.items() if name != "contents"
            }
        else:
            assert asked["tools"] == [{"googleSearch": {}}]
    elif "thinkingConfig" not in config:
        assert [message["role"] for message in asked["messages"]][-1] == "user"
        assert "temperature" not in config or asked["temperature"] == config["temperature"]


@pytest.mark.parametrize(("example", "vendor"), [run for run in RUNS if run.values[0].kind == "python"])
def test_program(relay: Gateway, example: Example, vendor: str) -> None:
    program = fitted(example.text, relay, vendor)
    done = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, HELLO + "\n"), done.stderr


@pytest.mark.parametrize("vendor", ["google", "openai"])
@pytest.mark.parametrize("example", [e for e in ALL if is_answer(e) and "candidates" in e.body], ids=lambda e: e.id)
def test_documented_answer(relay: Gateway, example: Example, vendor: str) -> None:
    """Whatever field a page shows in an answer is there, and of the same kind."""
    model = {"google": "via-gemini", "openai": "via-openai"}[vendor]
    _, _, body = relay.post(f"/v1beta/models/{model}:generateContent", {"contents": [{"parts": [{"text": "你好"}]}]})
    wanted = example.body
    wanted["candidates"][0].pop("safetyRatings", None)  # of Google's own choosing
    assert_like(wanted, json.loads(body), "")


def assert_like(wanted: Any, got: Any, path: str) -> None:
    assert type(wanted) is type(got), path
    if isinstance(wanted, dict):
        for name, value in wanted.items():
            assert name in got, f"{path}.{name}"
            assert_like(value, got[name], f"{path}.{name}")
    elif isinstance(wanted, list):
        for at, value in enumerate(wanted):
            assert_like(value, got[at], f"{path}[{at}]")


# --- what the pages show that no vendor would take


@pytest.mark.parametrize(
    "example", [e for e in ALL if e.kind != "python" and not is_answer(e) and built_in(e.body)], ids=lambda e: e.id
)
def test_built_in_tools_without_google(run: Any, openai_vendor: Vendor, example: Example) -> None:
    """A search that cannot be had is said to be missing: an answer without it would be worse."""
    path, answered = run(example, "openai")
    if "chat" in path:
        # OpenAI's own API takes it for a function of the caller's; a body of its own protocol goes through as it is.
        assert answered.status == 200, answered.body
        assert openai_vendor.last.json == {**example.body, "model": "gpt-4o"}
        return
    assert answered.status == 400, answered.body
    error = json.loads(answered.body)["error"]
    assert error["status"] == "INVALID_ARGUMENT"
    assert "tools" in error["details"][0]["fieldViolations"][0]["field"]
    assert not openai_vendor.seen


def test_output_text(relay: Gateway) -> None:
    """The page's own answer, `{"output": {"text": …}}`, beside the normal one for those who ask for it."""
    (example,) = [e for e in ALL if e.kind == "json" and "output" in e.body]
    chat = {"model": "via-gemini", "messages": [{"role": "user", "content": "Hello"}]}
    for model in ("via-gemini", "via-openai"):
        _, _, body = relay.post("/v1/chat/completions", {**chat, "model": model}, {"x-dragoman-extras": "output_text"})
        answer = json.loads(body)
        assert_like(example.body, answer, "")
        assert answer["output"]["text"] == HELLO == answer["choices"][0]["message"]["content"]


def test_image_size(relay: Gateway, vendors: Vendors) -> None:
    """`imageSize: "2k"`, which Google refuses, is mended; the rest of the body is as it was."""
    (example,) = [e for e in ALL if e.page == "002" and e.kind == "curl"]
    status, _, body = relay.post("/v1beta/models/gemini-3.1-pro-preview:generateContent", example.body)
    assert status == 200, body
    sent = example.body
    sent["generationConfig"]["imageConfig"]["imageSize"] = "2K"
    assert vendors.google.last.json == sent
    parts = json.loads(body)["candidates"][0]["content"]["parts"]
    assert parts[1]["inlineData"] == {"mimeType": "image/png", "data": PNG}


def test_no_model(run: Any, vendors: Vendors) -> None:
    """The page's own command, whose path has no model: told in Google's words, and asked of nobody."""
    (example,) = [e for e in ALL if e.page == "002" and e.kind == "curl"]
    _, answered = run(example, "google")
    assert answered.status in (400, 404)
    error = json.loads(answered.body)["error"]
    assert error["code"] == answered.status
    assert error["status"] == {400: "INVALID_ARGUMENT", 404: "NOT_FOUND"}[answered.status]
    assert "model" in error["message"]
    assert not vendors.google.seen


@pytest.mark.parametrize("command", [e for e in ALL if e.kind == "curl" and e.page == "001"][:4], ids=lambda e: e.id)
def test_read_by_hand(relay: Gateway, command: Example) -> None:
    """Where a machine has no curl, the commands are read and sent all the same."""
    answered = curl.by_hand(command.text, {"BASE_URL": relay.base_url, "TOKEN": relay.key})
    assert (answered.status, PIECES[0] in answered.body.decode()) == (200, True)
