"""Google's own SDK reads what we write."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from protocols.golden import GOLDEN

genai = pytest.importorskip("google.genai")


class _Recorded(BaseHTTPRequestHandler):
    """Answers each model's name with the golden file of that name."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        name = self.path.partition("models/")[2].partition(":")[0]
        if "streamGenerateContent" in self.path:
            kind, body = "text/event-stream", (GOLDEN / "gemini" / "streams" / f"{name}.gemini.sse").read_bytes()
            status = 200
        else:
            kind = "application/json"
            told: dict[str, Any] = json.loads(_golden(name).read_text())
            status, body = told.get("status", 200), json.dumps(told["body"]).encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _golden(name: str) -> Path:
    answer = GOLDEN / "gemini" / "responses" / f"{name}.gemini.json"
    return answer if answer.exists() else GOLDEN / "gemini" / "errors" / answer.name


@pytest.fixture(scope="module")
def models() -> Iterator[Any]:
    server = HTTPServer(("127.0.0.1", 0), _Recorded)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    options = {"base_url": f"http://127.0.0.1:{server.server_port}"}
    client = genai.Client(api_key="k", http_options=options)
    yield client.models
    client.close()
    server.shutdown()
    thread.join()
    server.server_close()


def written(folder: str, ending: str) -> list[Any]:
    found = sorted(path for path in (GOLDEN / "gemini" / folder).glob(f"*.gemini{ending}"))
    return [pytest.param(path, id=path.name.partition(".")[0]) for path in found]


@pytest.mark.parametrize("path", written("responses", ".json"))
def test_answers(models: Any, path: Path) -> None:
    answer = models.generate_content(model=path.name.partition(".")[0], contents="x")
    body = json.loads(path.read_text())["body"]
    assert answer.model_version == "shown-model"
    assert len(answer.candidates or []) == len(body.get("candidates", []))
    if "usageMetadata" in body:
        assert answer.usage_metadata.total_token_count == body["usageMetadata"]["totalTokenCount"]


@pytest.mark.parametrize("path", written("streams", ".sse"))
def test_streams(models: Any, path: Path) -> None:
    texts: list[str] = []
    failed = False
    try:
        for chunk in models.generate_content_stream(model=path.name.partition(".")[0], contents="x"):
            for candidate in chunk.candidates or []:
                texts += [part.text or "" for part in candidate.content.parts]
    except genai.errors.APIError:
        failed = True
    events = json.loads((path.parent / path.name.replace(".gemini.sse", ".ir.json")).read_text())
    said = [event["text"] for event in events if event[""] in ("TextDelta", "ThoughtDelta")]
    assert "".join(texts) == "".join(said)
    assert failed == any(event[""] in ("Failed", "UpstreamBroken") for event in events)


@pytest.mark.parametrize("path", written("errors", ".json"))
def test_errors(models: Any, path: Path) -> None:
    told = json.loads(path.read_text())
    with pytest.raises(genai.errors.APIError) as caught:
        models.generate_content(model=path.name.partition(".")[0], contents="x")
    assert caught.value.code == told["status"]
    assert caught.value.status == told["body"]["error"]["status"]
