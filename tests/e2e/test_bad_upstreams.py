"""What a vendor can do wrong: the caller gets an error in its own protocol, before the first byte with a status that fits,
after it as the stream's last word; and nothing of ours leaks."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from e2e.gateway import ONCE, Gateway, provider, running, wait_until
from e2e.sockets import Answer, Caller, calling, check_error
from e2e.vendor import (
    Exchange,
    Vendor,
    gemini_events,
    hang,
    openai_events,
    raw,
    reply,
    reset,
    serving,
    stream,
)

SECRET = {"gemini": "vendor-secret-of-google", "openai-chat": "vendor-secret-of-openai"}
MODEL = {"gemini": "gemini-2.5-flash", "openai-chat": "gpt-4o"}
QUICK = {"connect": "1s", "first_byte": "300ms", "idle": "300ms", "total": "5s"}


class Way(NamedTuple):
    """From a caller's protocol to a vendor's; `form` is `one`, `events` or `array`."""

    caller: str
    vendor: str
    form: str

    def __str__(self) -> str:
        return f"{self.caller}>{self.vendor}:{self.form}"


ONE_SHOT = [Way(c, v, "one") for c in MODEL for v in MODEL]
STREAMS = [Way(c, v, "events") for c in MODEL for v in MODEL] + [Way("gemini", v, "array") for v in MODEL]
WAYS = ONE_SHOT + STREAMS


class House(NamedTuple):
    gateway: Gateway
    vendors: dict[str, Vendor]
    spares: dict[str, Vendor]
    wanted: list[tuple[str, int, str | None]]
    nowhere: str

    def logged(self, answer: Answer, code: str | None = None) -> None:
        """Notes that a line about a failure is due. They are looked at in the end: each comes some milliseconds later."""
        self.wanted.append((answer.headers["x-request-id"], answer.status, code))

    def ask(self, way: Way, model: str | None = None, **headers: str) -> Answer:
        with calling(self.gateway) as caller:
            send(caller, way, model or MODEL[way.vendor], **headers)
            answer = caller.answer()
        for word in ("vendor-secret", "vendor%2Dsecret"):
            assert word not in answer.body.decode("utf-8", "replace")
            assert word not in str(answer.all)
        return answer

    def failure(self, answer: Answer) -> dict[str, Any]:
        """What the operator is told of a failed connection."""
        request_id = answer.headers["x-request-id"]
        return self.gateway.wait_for_log(
            lambda line: line.get("request_id") == request_id and line.get("event") == "a call of a provider failed"
        )

    def line(self, answer: Answer) -> dict[str, Any]:
        return self.gateway.entry(answer.headers["x-request-id"])

    def told(self, way: Way, answer: Answer, status: int, code: str | None = None) -> dict[str, Any]:
        """The error of an answer that is nothing else."""
        assert answer.status == status, answer.body
        assert answer.headers["content-type"].startswith("application/json")
        assert isinstance(answer.json, list) is (way.form == "array")
        error = check_error(way.caller, status, answer.body)
        self.logged(answer, code)
        return error


def send(caller: Caller, way: Way, model: str, **headers: str) -> None:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if way.caller == "gemini":
        method = {
            "one": "generateContent",
            "events": "streamGenerateContent?alt=sse",
            "array": "streamGenerateContent",
        }[way.form]
        body: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
        caller.post(f"/v1beta/models/{model}:{method}", json.dumps(body).encode(), *lines)
    else:
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": way.form != "one"}
        caller.post("/v1/chat/completions", json.dumps(body).encode(), *lines)


@pytest.fixture(scope="module")
def _house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with (
        serving(good) as google,
        serving(good) as openai,
        serving(good) as google_spare,
        serving(good) as openai_spare,
        socket.create_server(("127.0.0.1", 0), backlog=1) as closed,
    ):
        nowhere = closed.getsockname()[1]
        closed.close()
        config = (
            ONCE
            + "providers:\n"
            + provider("google", "gemini", google.base_url, "gemini-*", timeouts=QUICK)
            + provider("openai", "openai-chat", f"{openai.base_url}/v1", "gpt-*", timeouts=QUICK)
            + provider("google-spare", "gemini", google_spare.base_url, "spare-g", timeouts=QUICK)
            + provider("openai-spare", "openai-chat", f"{openai_spare.base_url}/v1", "spare-c", timeouts=QUICK)
            + provider("gone-g", "gemini", f"http://127.0.0.1:{nowhere}", "gone-gemini")
            + provider("gone-c", "openai-chat", f"http://127.0.0.1:{nowhere}/v1", "gone-openai-chat")
            + "models:\n"
            + "".join(
                f"  pair-{protocol}: {{targets: [{{provider: {first}, model: {MODEL[protocol]}}}, "
                f"{{provider: {first}-spare, model: spare, priority: 2}}]}}\n"
                for protocol, first in (("gemini", "google"), ("openai-chat", "openai"))
            )
        )
        with running(tmp_path_factory.mktemp("house"), config=config) as gateway:
            yield House(
                gateway,
                {"gemini": google, "openai-chat": openai},
                {"gemini": google_spare, "openai-chat": openai_spare},
                [],
                f"http://127.0.0.1:{nowhere}",
            )


@pytest.fixture
def house(_house: House) -> House:
    for vendor in (*_house.vendors.values(), *_house.spares.values()):
        vendor.reset()
    return _house


# --- what good vendors say


def chunks(protocol: str, *texts: str, finish: bool = True) -> list[dict[str, Any]]:
    if protocol == "gemini":
        found: list[dict[str, Any]] = [
            {
                "candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}],
                "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": at + 1, "totalTokenCount": at + 6},
                "modelVersion": "gemini-2.5-flash",
            }
            for at, text in enumerate(texts)
        ]
        if finish:
            found[-1]["candidates"][0]["finishReason"] = "STOP"
        return found
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}
    found = [
        {**head, "choices": [{"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}]}
        for text in texts
    ]
    if finish:
        found.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        found.append({**head, "choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}})
    return found


def whole(protocol: str) -> dict[str, Any]:
    if protocol == "gemini":
        return chunks("gemini", "hello")[0]
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6},
    }


def begun(way: Way, *texts: str) -> tuple[bytes, ...]:
    """The first events of an answer, in the form in which this way's vendor is asked for them."""
    told = chunks(way.vendor, *texts, finish=False)
    if way.vendor == "openai-chat":
        return openai_events(*told, done=False)
    if way == Way("gemini", "gemini", "array"):
        return (b"[" + b"\n,\r\n".join(json.dumps(item).encode() for item in told),)
    return gemini_events(*told)


def event(way: Way, value: Any) -> bytes:
    """One more event behind those."""
    if way == Way("gemini", "gemini", "array"):
        return b"\n,\r\n" + json.dumps(value).encode()
    return b"data: " + json.dumps(value).encode() + (b"\r\n\r\n" if way.vendor == "gemini" else b"\n\n")


def kind(way: Way) -> str:
    return "application/json" if way == Way("gemini", "gemini", "array") else "text/event-stream"


def good(exchange: Exchange) -> None:
    protocol = "openai-chat" if "chat/completions" in exchange.seen.path else "gemini"
    streams = ":streamG" in exchange.seen.path or (protocol == "openai-chat" and exchange.seen.json.get("stream"))
    if not streams:
        reply(whole(protocol))(exchange)
    elif protocol == "openai-chat":
        stream(*openai_events(*chunks(protocol, "hel", "lo")))(exchange)
    elif "alt=sse" in exchange.seen.query:
        stream(*gemini_events(*chunks(protocol, "hel", "lo")))(exchange)
    else:
        reply(json.dumps(chunks(protocol, "hel", "lo")))(exchange)


def refusal(protocol: str, status: int, message: str, **more: Any) -> dict[str, Any]:
    if protocol == "gemini":
        return {"error": {"code": status, "message": message, "status": "UNAVAILABLE", **more}}
    return {"error": {"message": message, "type": "server_error", "param": None, "code": None, **more}}


# --- reading what the caller got


def read_stream(way: Way, answer: Answer) -> list[Any]:
    """The values of a stream, which must be one, whatever happened to it."""
    if way.form == "array":
        assert answer.headers["content-type"].startswith("application/json")
        found: list[Any] = json.loads(answer.body)
        return found
    assert answer.headers["content-type"].startswith("text/event-stream")
    text = answer.body.decode()
    blank = "\r\n\r\n" if "\r\n" in text else "\n\n"
    assert text.endswith(blank)
    events = text[: -len(blank)].split(blank)
    assert all(e.startswith("data: ") and "\n" not in e for e in events), text
    return [json.loads(e[6:]) if e != "data: [DONE]" else e[6:] for e in events]


def said(way: Way, value: Any) -> str:
    """The text in one value of a stream."""
    if way.caller == "gemini":
        parts = value.get("candidates", [{}])[0].get("content", {}).get("parts", ())
        return "".join(part.get("text", "") for part in parts)
    return (value["choices"][0]["delta"].get("content") or "") if value.get("choices") else ""


def broken_off(house: House, way: Way, answer: Answer) -> dict[str, Any]:
    """The error at the end of a stream that had begun."""
    assert answer.status == 200
    values = read_stream(way, answer)
    assert "".join(said(way, value) for value in values[:-1]).startswith("hel")
    assert "[DONE]" not in values
    error = values[-1]["error"]
    check_error(way.caller, error["code"] if way.caller == "gemini" else 0, values[-1])
    house.logged(answer)
    return error


# --- before the first byte

FAULTS: dict[str, tuple[Any, int, str]] = {
    "silent": (hang(), 504, "upstream_timeout"),
    "resets": (reset(), 502, "upstream_broken"),
    "closes": (raw(b""), 502, "upstream_broken"),
    "is no HTTP": (raw(b"SSH-2.0-OpenSSH_9.6\r\n"), 502, "upstream_broken"),
    "cuts the head": (raw(b"HTTP/1.1 200 OK\r\ncontent-ty"), 502, "upstream_broken"),
    "cuts the body": (
        raw(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n{"),
        502,
        "upstream_broken",
    ),
    "huge head": (raw(b"HTTP/1.1 200 OK\r\nx: " + b"x" * 200_000 + b"\r\n\r\n"), 502, "upstream_broken"),
    "web page": (reply("<html><title>It works!</title></html>", content_type="text/html"), 502, "upstream_broken"),
    "redirect": (reply("", 302, [("location", "http://127.0.0.1:9/v1")], "text/html"), 502, "upstream_broken"),
    "no status": (raw(b"HTTP/1.1 999 Request denied\r\ncontent-length: 0\r\n\r\n"), 502, "upstream_broken"),
    "nothing": (reply(""), 502, "upstream_broken"),
    "no content": (raw(b"HTTP/1.1 204 No Content\r\n\r\n"), 502, "upstream_broken"),
    "not JSON": (reply('{"candidates": [{"con'), 502, "upstream_broken"),
    "other JSON": (reply({"hello": "world"}), 502, "upstream_broken"),
    "no object": (reply([1, 2]), 502, "upstream_broken"),
    "odd types": (reply({"candidates": 7, "choices": "x"}), 502, "upstream_broken"),
    "deep": (reply(b"[" * 5000 + b"]" * 5000), 502, "upstream_broken"),
    "latin-1": (reply('{"error": "Grüß'.encode("latin-1")), 502, "upstream_broken"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_no_answer(house: House, way: Way, fault: str) -> None:
    answer, status, code = FAULTS[fault]
    house.vendors[way.vendor].will(answer)
    told = house.ask(way)
    error = house.told(way, told, status, code)
    if fault in ("silent", "resets", "closes", "is no HTTP", "cuts the head", "cuts the body", "huge head"):
        assert house.failure(told)["error"] not in error["message"]
    assert "127.0.0.1" not in error["message"] and str(house.vendors[way.vendor].port) not in error["message"]
    assert "Traceback" not in error["message"] and "0x" not in error["message"]
    if fault in ("silent", "resets", "redirect", "web page"):
        assert way.vendor.removesuffix("-chat").replace("gemini", "google") in error["message"]


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_vendor_that_is_not_there(house: House, way: Way) -> None:
    answer = house.ask(way, f"gone-{way.vendor}")
    error = house.told(way, answer, 502, "upstream_unreachable")
    assert error["message"] == f"The provider '{gone(way)}' cannot be reached: the connection was refused."
    line = house.failure(answer)
    assert line["level"] == "warning" and line["target"] == f"{gone(way)}/gone-{way.vendor}"
    assert line["error"] == f"{house.nowhere} refused the connection"


def gone(way: Way) -> str:
    return "gone-g" if way.vendor == "gemini" else "gone-c"


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_text_type_is_not_taken_for_an_answer(house: House, way: Way) -> None:
    house.vendors[way.vendor].will(reply(whole(way.vendor), content_type="text/plain"))
    house.told(way, house.ask(way), 502, "upstream_broken")


@pytest.mark.parametrize("way", STREAMS, ids=str)
def test_an_empty_stream(house: House, way: Way) -> None:
    house.vendors[way.vendor].will(stream(content_type=kind(way)))
    answer = house.ask(way)
    if answer.status == 200:
        assert check_error(way.caller, 502, read_stream(way, answer)[-1])
        assert house.line(answer)["error"]
    else:
        house.told(way, answer, 502)


@pytest.mark.parametrize("status", [400, 404, 409, 422, 429, 500, 503, 529])
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_refusal_keeps_its_status_and_its_words(house: House, way: Way, status: int) -> None:
    house.vendors[way.vendor].will(reply(refusal(way.vendor, status, "The moon is full tonight."), status))
    answer = house.ask(way)
    told = {529: 503}.get(status, 400 if way.caller == "gemini" and status == 422 else status)
    assert answer.status in (told, status)
    assert "The moon is full tonight." in answer.body.decode()
    house.logged(answer)


@pytest.mark.parametrize("status", [401, 402, 403])
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_refused_credential_is_the_operators_business(house: House, way: Way, status: int) -> None:
    said = f"Incorrect API key provided: {SECRET[way.vendor]}. Get one at https://example.com"
    house.vendors[way.vendor].will(reply(refusal(way.vendor, status, said), status))
    error = house.told(way, house.ask(way), 502, "upstream_credentials_exhausted")
    assert "gateway's own credential" in error["message"]
    assert "providers." in error["message"]


@pytest.mark.parametrize("way", [w for w in WAYS if w.vendor == "gemini"], ids=str)
def test_googles_400_for_a_bad_key_is_no_fault_of_the_callers(house: House, way: Way) -> None:
    detail = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
    house.vendors["gemini"].will(reply(refusal("gemini", 400, "API key not valid.", details=[detail]), 400))
    house.told(way, house.ask(way), 502, "upstream_credentials_exhausted")


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_how_long_to_wait_is_passed_on(house: House, way: Way) -> None:
    if way.vendor == "gemini":
        detail = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "33.2s"}
        told = reply(refusal("gemini", 429, "Quota exceeded.", details=[detail]), 429)
    else:
        told = reply(refusal("openai-chat", 429, "Rate limit reached."), 429, [("retry-after", "34")])
    house.vendors[way.vendor].will(told)
    answer = house.ask(way)
    assert (answer.status, answer.headers["retry-after"]) == (429, "34")


@pytest.mark.parametrize("status", [400, 429, 500, 502])
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_refusals_that_are_no_json(house: House, way: Way, status: int) -> None:
    page = "<html><head><title>Bad\x00 \x1b[31mGateway</title></head>\r\n<body>\r\nnginx\r\n</body></html>"
    house.vendors[way.vendor].will(reply(page, status, content_type="text/html"))
    error = house.told(way, house.ask(way), status)
    assert "<" not in error["message"]


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_an_error_in_a_200(house: House, way: Way) -> None:
    house.vendors[way.vendor].will(reply(refusal(way.vendor, 503, "The moon is full tonight.")))
    answer = house.ask(way)
    error = house.told(way, answer, 503 if way.vendor == "gemini" else 500)
    assert "The moon is full" in error["message"]


@pytest.mark.parametrize("way", STREAMS, ids=str)
def test_an_error_as_the_first_event(house: House, way: Way) -> None:
    value = refusal(way.vendor, 503, f"The moon is full tonight, {SECRET[way.vendor]}.")
    first = b"[" + json.dumps(value).encode() + b"]" if kind(way) == "application/json" else event(way, value)
    house.vendors[way.vendor].will(stream(first, content_type=kind(way)))
    error = house.told(way, house.ask(way), 503 if way.vendor == "gemini" else 500)
    assert "The moon is full tonight, [redacted]." in error["message"]


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_what_a_vendor_says_is_shown_without_secrets(house: House, way: Way) -> None:
    secret = SECRET[way.vendor]
    value = refusal(
        way.vendor,
        400,
        f"No such thing for {secret}\r\nset-cookie: a=b\x00\x1b[31m",
        details=[{"@type": "type.googleapis.com/google.rpc.Help", "links": [{"url": f"http://x/?key={secret}"}]}],
        param=f"key.{secret}",
        code=400 if way.vendor == "gemini" else f"bad_{secret}",
    )
    house.vendors[way.vendor].will(reply(value, 400, [("x-echo", secret), ("set-cookie", f"k={secret}")]))
    answer = house.ask(way)
    assert answer.status == 400
    assert "set-cookie" not in answer.headers and "x-echo" not in answer.headers
    assert "No such thing for [redacted]" in answer.body.decode()


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_refusal_without_end_is_cut(house: House, way: Way) -> None:
    house.vendors[way.vendor].will(reply(refusal(way.vendor, 400, "Invalid URL http://" + "a" * 500_000), 400))
    answer = house.ask(way)
    assert answer.status == 400 and len(answer.body) < 10_000
    assert "Invalid URL http://" in answer.body.decode()


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_an_answer_packed_although_it_was_asked_plain(house: House, way: Way) -> None:
    def packed(exchange: Exchange) -> None:
        assert exchange.seen.header("accept-encoding") in (None, "identity")
        if way.form == "one":
            plain = json.dumps(whole(way.vendor)).encode()
        elif way.vendor == "openai-chat":
            plain = b"".join(openai_events(*chunks(way.vendor, "hel", "lo")))
        elif way.form == "array" and way.caller == way.vendor:
            plain = json.dumps(chunks(way.vendor, "hel", "lo")).encode()
        else:
            plain = b"".join(gemini_events(*chunks(way.vendor, "hel", "lo")))
        kind_ = "application/json" if way.form == "one" else kind(way)
        reply(gzip.compress(plain), 200, [("content-encoding", "gzip")], kind_)(exchange)

    house.vendors[way.vendor].will(packed)
    answer = house.ask(way)
    assert answer.status == 200 and "content-encoding" not in answer.headers
    if way.form == "one":
        assert "hello" in answer.body.decode()
    else:
        values = [value for value in read_stream(way, answer) if value != "[DONE]"]
        assert "".join(said(way, value) for value in values) == "hello"


# --- after the first byte


def _mid(way: Way) -> dict[str, Any]:
    pieces = begun(way, "hel", "lo 世界")
    last = event(way, chunks(way.vendor, "…世界", finish=False)[0])
    inside = last.index("…世界".encode()) if "…世界".encode() in last else len(last) // 2
    plain = json.dumps(chunks(way.vendor, "世界", finish=False)[0], ensure_ascii=False).encode()
    prefix = b"\n,\r\n" if kind(way) == "application/json" else b"data: "
    cut = plain.index("世".encode()) + 1
    return {
        "falls silent": stream(*pieces, content_type=kind(way), hold=True),
        "cuts": stream(*pieces, content_type=kind(way), finish=False),
        "cuts inside an event": stream(*pieces, last[:inside], content_type=kind(way), finish=False),
        "cuts inside a character": stream(*pieces, prefix + plain[:cut], content_type=kind(way), finish=False),
        "ends inside an event": stream(*pieces, last[:inside], content_type=kind(way)),
        "ends inside a character": stream(*pieces, prefix + plain[:cut], content_type=kind(way)),
        "ends without a finish": stream(*pieces, content_type=kind(way)),
        "breaks the chunks": lambda e: (stream(*pieces, content_type=kind(way), finish=False)(e), e.raw(b"zz\r\n")),
        "resets": lambda e: (stream(*pieces, content_type=kind(way), finish=False)(e), _after(e)),
    }


def _after(exchange: Exchange) -> None:
    # A reset overtakes what is still unread, so the caller must have the beginning first.
    assert exchange.vendor.left.wait(10)
    exchange.reset()


def in_the_middle(house: House, way: Way, *pieces: bytes) -> Answer:
    """An answer that goes on with `pieces` once its beginning has reached the caller."""
    vendor = house.vendors[way.vendor]
    arrived = threading.Event()
    vendor.will(stream(*begun(way, "hel", "lo"), arrived, *pieces, content_type=kind(way)))
    with calling(house.gateway) as caller:
        send(caller, way, MODEL[way.vendor])
        caller.peek_until(b"hel")
        arrived.set()
        return caller.answer()


MID = list(_mid(STREAMS[0]))


@pytest.mark.parametrize("fault", MID)
@pytest.mark.parametrize("way", STREAMS, ids=str)
def test_a_stream_that_breaks_off(house: House, way: Way, fault: str) -> None:
    vendor = house.vendors[way.vendor]
    vendor.will(_mid(way)[fault])
    with calling(house.gateway) as caller:
        send(caller, way, MODEL[way.vendor])
        if fault == "resets":
            caller.peek_until(b"hel")
            vendor.left.set()
        answer = caller.answer()
    error = broken_off(house, way, answer)
    if fault == "falls silent":
        assert "silent" in error["message"]


@pytest.mark.parametrize("way", STREAMS, ids=str)
def test_an_error_in_the_middle(house: House, way: Way) -> None:
    value = refusal(way.vendor, 503, f"The moon is full tonight, {SECRET[way.vendor]}.")
    ending = b"\n]" if kind(way) == "application/json" else b""
    error = broken_off(house, way, in_the_middle(house, way, event(way, value) + ending))
    assert "The moon is full tonight, [redacted]." in error["message"]


@pytest.mark.parametrize("way", [way for way in STREAMS if way.caller != way.vendor], ids=str)
@pytest.mark.parametrize(
    "nonsense", [b'data: {"cand\n\n', b"data: <html>\n\n", b"data: [1]\n\n", b"data: \xff\xfe\n\n"]
)
def test_nonsense_in_the_middle_of_a_translated_stream(house: House, way: Way, nonsense: bytes) -> None:
    broken_off(house, way, in_the_middle(house, way, nonsense))


@pytest.mark.parametrize("way", STREAMS, ids=str)
def test_a_line_without_end_is_given_up(house: House, way: Way) -> None:
    """A vendor may not fill our memory with one event."""

    def endless(exchange: Exchange) -> None:
        stream(*begun(way, "hel", "lo"), content_type=kind(way), finish=False)(exchange)
        opening = b'\n,{"x":"' if kind(way) == "application/json" else b'data: {"x":"'
        exchange.chunk(opening)
        piece = b"x" * (1 << 20)
        for _ in range(200):
            exchange.chunk(piece)
        raise AssertionError("200 MB were taken")

    house.vendors[way.vendor].will(endless)
    broken_off(house, way, house.ask(way))


# --- a second target


@pytest.mark.parametrize("status", [401, 403, 408, 429, 500, 503])
@pytest.mark.parametrize("way", ONE_SHOT, ids=str)
def test_another_target_is_tried_after_refusals_that_are_no_fault_of_the_request(
    house: House, way: Way, status: int
) -> None:
    house.vendors[way.vendor].will(reply(refusal(way.vendor, status, "Not now."), status))
    assert house.ask(way, f"pair-{way.vendor}").status == 200


@pytest.mark.parametrize("status", [400, 404, 413, 422])
@pytest.mark.parametrize("way", ONE_SHOT, ids=str)
def test_no_other_target_is_bothered_with_a_bad_request(house: House, way: Way, status: int) -> None:
    house.vendors[way.vendor].will(reply(refusal(way.vendor, status, "That is wrong."), status))
    assert house.ask(way, f"pair-{way.vendor}").status >= 400
    assert not house.spares[way.vendor].seen


@pytest.mark.parametrize("way", STREAMS, ids=str)
def test_what_has_begun_is_not_begun_again(house: House, way: Way) -> None:
    house.vendors[way.vendor].will(_mid(way)["cuts"])
    answer = house.ask(way, f"pair-{way.vendor}")
    broken_off(house, way, answer)
    assert answer.headers["x-dragoman-attempts"] == "1"
    assert not house.spares[way.vendor].seen


@pytest.mark.parametrize("way", [w for w in STREAMS if w.vendor == "gemini" and w.caller != w.vendor], ids=str)
@pytest.mark.parametrize("apart", [False, True])
def test_another_target_is_tried_where_the_first_ends_without_an_answer(house: House, way: Way, apart: bool) -> None:
    head = {"modelVersion": "gemini-2.5-flash", "usageMetadata": {"promptTokenCount": 5, "totalTokenCount": 5}}
    first = {**head, "candidates": [{"content": {"role": "model"}, "index": 0}]}
    last = {**head, "candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL", "index": 0}]}
    vendor = house.vendors["gemini"]
    events = gemini_events(first, last)
    vendor.will(stream(*(events if apart else [b"".join(events)])))
    answer = house.ask(way, "pair-gemini")
    assert answer.headers["x-dragoman-target"].endswith("-spare/spare")
    assert "".join(said(way, value) for value in read_stream(way, answer) if value != "[DONE]") == "hello"


@pytest.mark.parametrize("way", ONE_SHOT, ids=str)
def test_when_both_fail_the_last_says_why(house: House, way: Way) -> None:
    house.vendors[way.vendor].will(reset(), reset())  # on a connection that was kept it is tried once more
    house.spares[way.vendor].will(reply(refusal(way.vendor, 503, "The spare is asleep."), 503))
    answer = house.ask(way, f"pair-{way.vendor}")
    assert "The spare is asleep." in house.told(way, answer, 503)["message"]
    assert house.line(answer)["attempts"] == 2


@pytest.mark.parametrize("cut", [False, True])
def test_what_a_stream_could_not_carry_is_in_the_log(house: House, cut: bool) -> None:
    way = Way("openai-chat", "gemini", "events")
    video = {"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}}
    grounded = [
        {"candidates": [{"content": {"role": "model", "parts": [{"text": "hel"}, video]}, "index": 0}]},
        {"candidates": [{"groundingMetadata": {"webSearchQueries": ["x"]}, "index": 0}]},
        {"candidates": [{"groundingMetadata": {"webSearchQueries": ["x"]}, "index": 0}]},
    ]
    last = [] if cut else chunks("gemini", "lo")
    house.vendors["gemini"].will(stream(*gemini_events(*grounded, *last), finish=not cut))
    answer = house.ask(way)
    assert answer.status == 200
    # What an answer rests on is told with its end.
    searched = [] if cut else ["choices[0].message.annotations"]
    assert house.line(answer)["losses"] == ["choices[0].message.images", *searched]
    wait_until(lambda: b'"choices[].message.images"' in house.gateway.get("/metrics")[2], "the loss is counted")


def test_counts_of_a_broken_stream_are_those_that_came(house: House) -> None:
    way = Way("openai-chat", "gemini", "events")
    house.vendors["gemini"].will(_mid(way)["cuts"])
    line = house.line(house.ask(way))
    assert (line["input_tokens"], line["output_tokens"]) == (5, 2)


def test_the_first_event_does_not_wait_for_the_second(house: House) -> None:
    for way in STREAMS:
        release = threading.Event()
        first, *rest = begun(way, "hel", "lo") if kind(way) != "application/json" else (*begun(way, "hel"), b"")
        house.vendors[way.vendor].will(stream(first, release, *rest, content_type=kind(way)))
        with calling(house.gateway) as caller:
            send(caller, way, MODEL[way.vendor])
            try:
                caller.until(b"hel")
            finally:
                release.set()
            caller.until(b"\r\n0\r\n\r\n")


def test_every_failure_left_a_line(house: House) -> None:
    if house.wanted:
        house.gateway.entry(house.wanted[-1][0])
    lines = {line["request_id"]: line for line in house.gateway.log if "request_id" in line and "status" in line}
    for request_id, status, code in house.wanted:
        line = lines[request_id]
        assert line["status"] == status and line["error"]
        assert code in (None, line["error"])
        assert line["stream"] or status != 200


def test_nothing_of_it_was_our_failure(house: House) -> None:
    text = house.gateway.text
    assert "Traceback" not in text
    for word in ("vendor-secret", "vendor%2Dsecret"):
        assert word not in text
    assert not [line for line in house.gateway.log if line.get("error") == "internal_error"]
