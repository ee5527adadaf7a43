"""OpenAI's own Python SDK reads what is written, from a small server on loopback."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import openai
import pytest

from dragoman.ir import (
    Candidate,
    Event,
    Finish,
    Finished,
    Losses,
    NotFound,
    Response,
    Signature,
    Started,
    Text,
    TextDelta,
    Thought,
    ThoughtDelta,
    TokenLogprob,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    TooManyRequests,
    UpstreamBroken,
    Usage,
    UsageReported,
)
from dragoman.protocols.base import Route, Stamp
from dragoman.protocols.openai_chat import PROTOCOL

ROUTE = Route("generate")
STAMP = Stamp("chatcmpl-1", 5, "m")
PARTS = (Thought("hm"), Text("Hello"), ToolCall("c1", "f", '{"a":1}', Signature("gemini", "s")), ToolCall("", "g"))
EVENTS: list[Event] = [
    Started("x", "y"),
    ThoughtDelta(0, "hm"),
    TextDelta(0, "Hel"),
    TextDelta(0, "lo"),
    ToolCallStarted(0, 0, "c1", "f", Signature("gemini", "s")),
    ToolCallDelta(0, 0, '{"a"'),
    ToolCallDelta(0, 0, ":1}"),
    ToolCallStarted(0, 1, "", "g"),
    Finished(0, Finish("stop")),
    UsageReported(Usage(3, 4)),
]


class _Answers(BaseHTTPRequestHandler):
    seen: ClassVar[list[bytes]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        request = PROTOCOL.read_request(body, ROUTE)
        if request.model in ("missing", "busy"):
            error = (
                NotFound("No such model.")
                if request.model == "missing"
                else TooManyRequests("Slow down.", retry_after=0)
            )
            status, headers, out = PROTOCOL.write_error(error, ROUTE)
            self.send_response(status)
            for name, value in headers:
                self.send_header(name.decode(), value.decode())
        elif request.stream:
            writer = PROTOCOL.stream_writer(request, STAMP, ROUTE)
            if request.model == "breaks":
                out = writer.write(EVENTS[:3]) + writer.fail(UpstreamBroken("It broke."))
            else:
                out = b": keep-alive\n\n" + writer.write(EVENTS) + writer.end()
            self.send_response(200)
            self.send_header("content-type", writer.content_type.decode())
        else:
            candidate = Candidate(0, PARTS, Finish("stop"), (TokenLogprob("H", -0.5, (("H", -0.5), ("Y", -1.0))),))
            response = Response("x", "y", (candidate,), Usage(3, 4, reasoning=1))
            out = PROTOCOL.write_response(response, request, STAMP, Losses(PROTOCOL.spelling))
            self.send_response(200)
            self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(out)))
        self.end_headers()
        self.wfile.write(out)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def client() -> Iterator[openai.OpenAI]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    with openai.OpenAI(api_key="k", base_url=f"http://127.0.0.1:{server.server_port}/v1", max_retries=0) as made:
        yield made
    server.shutdown()
    server.server_close()
    thread.join()


def test_one_shot(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}], logprobs=True)
    choice = answer.choices[0]
    assert choice.message.content == "Hello"
    assert choice.finish_reason == "tool_calls"
    assert [call.function.arguments for call in choice.message.tool_calls or () if call.type == "function"] == [
        '{"a":1}',
        "{}",
    ]
    assert choice.message.model_extra is not None
    assert choice.message.model_extra["reasoning_content"] == "hm"
    assert choice.logprobs is not None
    assert choice.logprobs.content is not None
    assert choice.logprobs.content[0].top_logprobs[1].token == "Y"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 7


def test_history_goes_back(client: openai.OpenAI) -> None:
    """A caller that echoes the SDK's own message gives back what it got, the signature too."""
    answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
    echoed = answer.choices[0].message.model_dump()
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Hi"}, echoed]}).encode()
    said = PROTOCOL.read_request(body, ROUTE).messages[1].parts
    assert said[:3] == PARTS[:3]


def test_stream(client: openai.OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model="m",
            messages=[{"role": "user", "content": "Hi"}],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hello"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 7
    assert chunks[0].choices[0].delta.role == "assistant"


def test_stream_helper(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model="m", messages=[{"role": "user", "content": "Hi"}]) as events:
        final = events.get_final_completion()
    message = final.choices[0].message
    assert message.content == "Hello"
    assert [(call.function.name, call.function.arguments) for call in message.tool_calls or ()] == [
        ("f", '{"a":1}'),
        ("g", "{}"),
    ]
    assert final.choices[0].finish_reason == "tool_calls"


def test_broken_stream(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIError, match="It broke"):
        list(client.chat.completions.create(model="breaks", messages=[{"role": "user", "content": "Hi"}], stream=True))


def test_errors(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="missing", messages=[{"role": "user", "content": "Hi"}])
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model="busy", messages=[{"role": "user", "content": "Hi"}])
