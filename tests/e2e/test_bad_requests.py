"""What a caller can do wrong: each gets an error in its own protocol that says what to do, and a line in the log."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from e2e.fixtures import NARROW_KEY, Vendors
from e2e.gateway import Gateway, provider, running
from e2e.sockets import Caller, calling, check_error
from e2e.vendor import Vendor

GEMINI = "/v1beta/models/{}:generateContent"
GEMINI_EVENTS = "/v1beta/models/{}:streamGenerateContent?alt=sse"
GEMINI_ARRAY = "/v1beta/models/{}:streamGenerateContent"
GEMINI_COUNT = "/v1beta/models/{}:countTokens"
CHAT = "/v1/chat/completions"
GEMINI_PATHS = [GEMINI, GEMINI_EVENTS, GEMINI_ARRAY, GEMINI_COUNT, "/v1/models/{}:generateContent"]
CHAT_PATHS = [CHAT, "/v1beta/openai/chat/completions"]

EXPIRED_KEY = "dgm_expired_key_of_the_tests"

Asked = tuple[int, Mapping[str, str], bytes]


def chat(model: str = "gpt-4o", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}


def turns(text: str = "hi", **more: Any) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"text": text}]}], **more}


# Lines of the log that are due. They are looked at in the end: each comes some milliseconds later.
_due: list[tuple[Gateway, str, int]] = []


def refused(gateway: Gateway, asked: Asked, protocol: str, status: int) -> dict[str, Any]:
    """The error told, once it is known to be well told. It must be logged under the id that the answer carries."""
    found, headers, body = asked
    assert found == status, body
    assert headers["content-type"].startswith("application/json")
    error = check_error(protocol, status, body)
    _due.append((gateway, headers["x-request-id"], status))
    return error


def untouched(vendors: Vendors) -> bool:
    return not vendors.google.seen and not vendors.openai.seen


# --- bodies

BROKEN = {
    "empty": b"",
    "blank": b" \r\n ",
    "truncated": b'{"model":"gpt-4o","contents":[{"parts":[{"text":"hi',
    "trailing": b'{"model":"gpt-4o","contents":[],"messages":[]} {}',
    "array": b'[{"model":"gpt-4o"}]',
    "string": b'"gpt-4o"',
    "number": b"1",
    "null": b"null",
    "nested": b'{"model":"gpt-4o","contents":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "nested objects": b'{"model":"gpt-4o","contents":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_001,
    "not closed": b"[" * 100_000,
    "latin-1": '{"model":"gpt-4o","contents":[{"parts":[{"text":"Grüß"}]}]}'.encode("latin-1"),
    "cut character": '{"model":"gpt-4o","messages":"世'.encode()[:-1] + b'"}',
    "raw control": b'{"model":"gpt-4o","messages":"a\nb"}',
    "nan": b'{"model":"gpt-4o","temperature":NaN}',
    "infinity": b'{"model":"gpt-4o","temperature":-Infinity}',
    "bom": b'\xef\xbb\xbf{"model":"gpt-4o","messages":[],"contents":[]}',
    "utf-16": '{"model":"gpt-4o"}'.encode("utf-16"),
    "form": b"model=gpt-4o&messages=hi",
    "comments": b'{"model":"gpt-4o" /* fast */}',
}


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("path", [GEMINI.format("gpt-4o"), GEMINI_ARRAY.format("gemini-2.5-flash"), CHAT])
def test_bodies_that_are_no_json_object(relay: Gateway, vendors: Vendors, path: str, case: str) -> None:
    protocol = "gemini" if "models/" in path else "openai-chat"
    error = refused(relay, relay.post(path, BROKEN[case]), protocol, 400)
    assert "JSON" in error["message"] or "nested" in error["message"]
    assert untouched(vendors)


@pytest.mark.parametrize("path", [*GEMINI_PATHS, *CHAT_PATHS])
def test_every_path_refuses_broken_bodies(relay: Gateway, vendors: Vendors, path: str) -> None:
    protocol = "gemini" if "{}" in path else "openai-chat"
    refused(relay, relay.post(path.format("gemini-2.5-flash"), b'{"a":'), protocol, 400)
    assert untouched(vendors)


WRONG_CHAT = {
    "messages": {"messages": "hi"},
    "messages[0]": {"messages": ["hi"]},
    "messages[0].role": {"messages": [{"role": 1, "content": "hi"}]},
    "messages[0].content": {"messages": [{"role": "user", "content": 7}]},
    "messages[0].content[0]": {"messages": [{"role": "user", "content": [7]}]},
    "temperature": {"temperature": "warm"},
    "max_tokens": {"max_tokens": {}},
    "stop": {"stop": 3},
    "tools": {"tools": "all"},
    "tools[0]": {"tools": [1]},
    "response_format": {"response_format": "json"},
    "n": {"n": "two"},
}


@pytest.mark.parametrize("param", WRONG_CHAT)
def test_wrong_types_name_the_field_to_an_openai_caller(relay: Gateway, vendors: Vendors, param: str) -> None:
    body = chat("via-gemini", **WRONG_CHAT[param])
    error = refused(relay, relay.post(CHAT, body), "openai-chat", 400)
    assert error["param"] and error["param"].startswith(param.partition("[")[0])
    assert untouched(vendors)


@pytest.mark.parametrize("wrong", [{"model": 7}, {"model": None}, {"stream": "yes"}, {"stream_options": 1}])
def test_what_routing_reads_is_checked_for_every_vendor(
    relay: Gateway, vendors: Vendors, wrong: dict[str, Any]
) -> None:
    error = refused(relay, relay.post(CHAT, chat(**wrong)), "openai-chat", 400)
    assert error["param"] == next(iter(wrong))
    assert untouched(vendors)


WRONG_GEMINI = {
    "contents": {"contents": "hi"},
    "contents[0]": {"contents": ["hi"]},
    "contents[0].parts": {"contents": [{"parts": {"text": "hi"}}]},
    "contents[0].parts[0]": {"contents": [{"parts": ["hi"]}]},
    "contents[0].parts[0].text": {"contents": [{"parts": [{"text": 7}]}]},
    "generationConfig": {"generationConfig": []},
    "generationConfig.temperature": {"generationConfig": {"temperature": "warm"}},
    "generationConfig.stopSequences": {"generationConfig": {"stopSequences": "END"}},
    "tools": {"tools": "all"},
    "systemInstruction": {"systemInstruction": 7},
}


@pytest.mark.parametrize("param", WRONG_GEMINI)
@pytest.mark.parametrize("path", [GEMINI, GEMINI_EVENTS, GEMINI_ARRAY])
def test_wrong_types_name_the_field_to_a_gemini_caller(relay: Gateway, vendors: Vendors, path: str, param: str) -> None:
    error = refused(relay, relay.post(path.format("via-openai"), turns(**WRONG_GEMINI[param])), "gemini", 400)
    fields = [v["field"] for item in error["details"] for v in item.get("fieldViolations", ())]
    assert fields and fields[0].startswith(param.partition("[")[0].partition(".")[0])
    assert untouched(vendors)


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"via-gemini","messages":[{"role":"user","content":"\\ud800"}]}',
        b'{"model":"via-gemini","messages":[{"role":"user","content":"\\udc00\\ud800"}]}',
        b'{"model":"via-gemini","messages":[{"role":"user","content":"hi"}],"temperature":1e999}',
        b'{"model":"via-gemini","messages":[{"role":"user","content":"hi"}],"max_tokens":' + b"9" * 400 + b"}",
        b'{"model":"via-gemini","messages":[{"role":"user","content":"hi"}],"seed":-' + b"9" * 5000 + b"}",
        b'{"model":"via-gemini","messages":[{"role":"user","content":"hi"}],"temperature":1e-999}',
        b'{"model":"via-gemini","model":"nothing","messages":[]}',
        b'{"model":"\\ud800","messages":[]}',
        b'{"model":"","messages":[]}',
        b'{"model":"via-gemini\\u0000","messages":[]}',
        b'{"model":"via-gemini","messages":[]}',
        b'{"model":"via-gemini"}',
    ],
)
def test_odd_values_are_never_our_failure(relay: Gateway, vendors: Vendors, body: bytes) -> None:
    status, headers, answer = relay.post(CHAT, body)
    assert status in (200, 400, 404), answer
    if status != 200:
        refused(relay, (status, headers, answer), "openai-chat", status)
    assert relay.entry(headers["x-request-id"])["status"] == status


def test_the_last_of_two_equal_members_counts(relay: Gateway, openai_vendor: Vendor) -> None:
    body = b'{"model":"via-openai","stream":true,"messages":[{"role":"user","content":"hi"}],"stream":false}'
    status, headers, _ = relay.post(CHAT, body)
    assert status == 200 and headers["content-type"] == "application/json"


@pytest.mark.parametrize("second", ["model", "mod\\u0065l"])
def test_two_models_are_none(relay: Gateway, vendors: Vendors, second: str) -> None:
    body = f'{{"model":"via-gemini","messages":[{{"role":"user","content":"hi"}}],"{second}":"via-openai"}}'
    error = refused(relay, relay.post(CHAT, body.encode()), "openai-chat", 400)
    assert (error["code"], error["param"]) == ("duplicate_field", "model")
    assert untouched(vendors)


# --- who asks


@pytest.mark.parametrize("path", [*GEMINI_PATHS, *CHAT_PATHS, "/v1/models"])
def test_a_request_without_a_key(relay: Gateway, vendors: Vendors, path: str) -> None:
    protocol = "gemini" if "{}" in path else "openai-chat"
    method = "GET" if path == "/v1/models" else "POST"
    error = refused(relay, relay.ask(method, path.format("gpt-4o"), b"{}"), protocol, 401)
    assert "Authorization: Bearer" in error["message"]
    assert untouched(vendors)


@pytest.mark.parametrize(
    ("carrier", "header"),
    [
        ("the Authorization header", {"authorization": "Bearer sk-foreign-key-0123456789"}),
        ("the Authorization header", {"authorization": "sk-foreign-key-0123456789"}),
        ("the x-goog-api-key header", {"x-goog-api-key": "sk-foreign-key-0123456789"}),
        ("the x-api-key header", {"x-api-key": "sk-foreign-key-0123456789"}),
        ("the key= parameter", {}),
    ],
)
@pytest.mark.parametrize("path", [GEMINI.format("gpt-4o"), CHAT])
def test_a_foreign_key_is_told_where_it_came_in(
    relay: Gateway, vendors: Vendors, path: str, carrier: str, header: dict[str, str]
) -> None:
    if not header:
        path += "?key=sk-foreign-key-0123456789"
    asked = relay.ask("POST", path, b"not even JSON", header)
    error = refused(relay, asked, "gemini" if "models/" in path else "openai-chat", 401)
    assert carrier in error["message"]
    assert b"sk-foreign" not in asked[2]
    assert "sk-foreign" not in relay.text
    assert untouched(vendors)


@pytest.mark.parametrize("carrier", ["authorization", "x-goog-api-key", "x-api-key", "key"])
@pytest.mark.parametrize("path", [GEMINI_EVENTS.format("gpt-4o"), CHAT])
def test_every_carrier_of_a_key_is_good_on_every_path(relay: Gateway, path: str, carrier: str) -> None:
    body = json.dumps(chat() if path == CHAT else turns()).encode()
    header = {carrier: relay.key}
    if carrier == "authorization":
        header = {carrier: f"bearer  {relay.key}"}
    elif carrier == "key":
        header = {}
        path += ("&" if "?" in path else "?") + f"key={relay.key}"
    status, headers, _ = relay.ask("POST", path, body, header)
    assert status == 200
    line = relay.entry(headers["x-request-id"])
    assert line["key"] == "root"
    assert relay.key not in relay.text


def test_a_key_in_the_url_goes_to_no_vendor(relay: Gateway, google: Vendor) -> None:
    path = GEMINI_EVENTS.format("gemini-2.5-flash") + f"&key={relay.key}"
    assert relay.ask("POST", path, json.dumps(turns()).encode())[0] == 200
    assert relay.key not in google.last.target
    assert google.last.header("authorization") is None
    assert google.last.header("x-goog-api-key") == "vendor-secret-of-google"


@pytest.mark.parametrize("path", [GEMINI.format("gpt-4o"), GEMINI_ARRAY.format("gpt-4o"), CHAT])
def test_a_key_without_a_right_to_the_model(relay: Gateway, vendors: Vendors, path: str) -> None:
    asked = relay.post(path, chat(**turns()), {"authorization": f"Bearer {NARROW_KEY}"})
    error = refused(relay, asked, "gemini" if "models/" in path else "openai-chat", 403)
    assert "via-gemini" in error["message"] and "narrow" in error["message"]
    assert untouched(vendors)


def test_a_narrow_key_sees_only_its_models(relay: Gateway) -> None:
    narrow = {"authorization": f"Bearer {NARROW_KEY}"}
    _, _, body = relay.get("/v1/models", narrow)
    assert [card["id"] for card in json.loads(body)["data"]] == ["via-gemini"]
    refused(relay, relay.get("/v1/models/via-openai", narrow), "openai-chat", 403)
    assert relay.post(CHAT, chat("models/via-gemini"), narrow)[0] == 200


# --- what is asked for


@pytest.mark.parametrize("path", [*GEMINI_PATHS, *CHAT_PATHS])
def test_an_unknown_model_is_told_the_nearest_names(relay: Gateway, vendors: Vendors, path: str) -> None:
    protocol = "gemini" if "{}" in path else "openai-chat"
    asked = relay.post(path.format("via-gemni"), chat("via-gemni", **turns()))
    error = refused(relay, asked, protocol, 404)
    assert "'via-gemini'" in error["message"]
    if protocol == "openai-chat":
        assert (error["code"], error["param"]) == ("model_not_found", "model")
    assert untouched(vendors)


def test_a_model_that_is_asked_about_and_unknown(relay: Gateway) -> None:
    assert "'via-openai'" in refused(relay, _get(relay, "/v1/models/via-opnai"), "openai-chat", 404)["message"]
    assert "'via-openai'" in refused(relay, _get(relay, "/v1beta/models/via-opnai"), "gemini", 404)["message"]


@pytest.mark.parametrize("path", [*GEMINI_PATHS, *CHAT_PATHS])
def test_only_names_that_the_key_may_use_are_told(relay: Gateway, vendors: Vendors, path: str) -> None:
    protocol = "gemini" if "{}" in path else "openai-chat"
    narrow = {"authorization": f"Bearer {NARROW_KEY}"}
    for model in ("via-opnai", "via-gemini-4", "nothing-like-it"):
        asked = relay.post(path.format(model), chat(model, **turns()), narrow)
        message = refused(relay, asked, protocol, 404)["message"]
        assert "Did you mean 'via-gemini'?" in message
        assert "via-openai" not in message and "via-gemini-3" not in message and "gpt" not in message
    asked = relay.get("/v1/models/via-opnai", narrow)
    assert "Did you mean 'via-gemini'?" in refused(relay, asked, "openai-chat", 404)["message"]


@pytest.mark.parametrize(
    "model", ["x" * 300, "gpt-" + "x" * 100_000, "gpt-4o\r\nx-evil: 1", "gemini-/../../secret", "gpt-\x00", "../gpt-4o"]
)
def test_names_that_no_model_has(relay: Gateway, vendors: Vendors, model: str) -> None:
    status, _, body = asked = relay.post(CHAT, chat(model))
    refused(relay, asked, "openai-chat", 404)
    assert len(body) < 1000 and status == 404
    assert untouched(vendors)


def test_names_reach_the_vendor_as_names(relay: Gateway, google: Vendor) -> None:
    assert relay.post(CHAT, chat("gemini-2.5 flash?alt=x#y/z%2f"))[0] == 200
    assert google.last.target == "/v1beta/models/gemini-2.5%20flash%3Falt%3Dx%23y/z%252f:generateContent"


@pytest.mark.parametrize(
    "path",
    [
        "/v1beta/models/models%2Fvia-gemini:generateContent",
        "/v1beta/models/via%2Dgemini:generateContent",
        "/v1beta/models/via-gemini%3AgenerateContent",
        "/v1alpha/models/via-gemini:generateContent",
        "/v1/models/models/via-gemini:generateContent",
    ],
)
def test_encoded_and_prefixed_names_are_the_model(relay: Gateway, google: Vendor, path: str) -> None:
    assert relay.post(path, turns())[0] == 200
    assert google.last.path == "/v1beta/models/gemini-2.5-flash:generateContent"


@pytest.mark.parametrize(
    ("path", "protocol"),
    [
        ("/", "openai-chat"),
        ("/v1/nothing", "openai-chat"),
        ("/v1beta/openai/nothing", "openai-chat"),
        ("/v1beta/nothing", "gemini"),
        ("/v1alpha/models", "gemini"),
        ("/v1beta/models/gemini-2.5-flash:explode", "gemini"),
        ("/v1/models/gemini-2.5-flash:explode", "gemini"),
        ("/v1/%00%0d%0aset-cookie:%20a/b", "openai-chat"),
        ("/" + "x" * 4000, "openai-chat"),
    ],
)
def test_unknown_routes_answer_in_the_protocol_of_their_path(relay: Gateway, path: str, protocol: str) -> None:
    status, headers, body = asked = relay.post(path, {})
    assert status in (404, 405)
    assert "set-cookie" not in headers
    error = refused(relay, asked, protocol, status)
    assert body.count(b"x" * 3000) <= 1
    assert error["message"]


@pytest.mark.parametrize(
    ("method", "path", "protocol", "allow"),
    [
        ("GET", CHAT, "openai-chat", "POST"),
        ("DELETE", CHAT, "openai-chat", "POST"),
        ("PUT", GEMINI.format("gpt-4o"), "gemini", "POST"),
        ("GET", GEMINI.format("gpt-4o"), "gemini", "POST"),
        ("GET", GEMINI_EVENTS.format("gpt-4o"), "gemini", "POST"),
        ("GET", "/v1/models/gpt-4o:generateContent", "gemini", "POST"),
        ("OPTIONS", CHAT, "openai-chat", "POST"),
        ("POST", "/v1/models", "openai-chat", "GET, HEAD"),
        ("DELETE", "/v1beta/models", "gemini", "GET, HEAD"),
        ("PATCH", "/v1/models/gpt-4o", "openai-chat", "GET, HEAD"),
    ],
)
def test_wrong_methods_are_told_the_right_one(
    relay: Gateway, method: str, path: str, protocol: str, allow: str
) -> None:
    with calling(relay) as caller:
        caller.send(f"{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {relay.key}\r\n\r\n".encode())
        answer = caller.answer(method)
    assert [value for name, value in answer.all if name == "allow"] == [allow]
    refused(relay, (answer.status, answer.headers, answer.body), protocol, 405)


def test_head_is_get_without_a_body(relay: Gateway) -> None:
    with calling(relay) as caller:
        for path, status in (("/v1/models", 200), (CHAT, 405), ("/livez", 200), ("/v1/models/nothing-such", 404)):
            caller.send(f"HEAD {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {relay.key}\r\n\r\n".encode())
            answer = caller.answer("HEAD")
            assert (answer.status, answer.body) == (status, b"")
            assert int(answer.headers["content-length"]) > 0


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
@pytest.mark.parametrize("path", [GEMINI.format("gpt-4o"), CHAT])
def test_a_wrong_content_type(relay: Gateway, vendors: Vendors, path: str, kind: str) -> None:
    asked = relay.post(path, chat(**turns()), {"content-type": kind})
    error = refused(relay, asked, "gemini" if "models/" in path else "openai-chat", 415)
    assert "application/json" in error["message"] and kind.partition(";")[0] in error["message"]
    assert untouched(vendors)


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/x+json", ""])
def test_content_types_that_will_do(relay: Gateway, kind: str) -> None:
    assert relay.post(CHAT, chat(), {"content-type": kind})[0] == 200


# --- sizes and times


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Bodies of 64 KiB at most, and those within half a second. Its vendor is nowhere."""
    config = (
        "server: {max_body: 64KiB, body_timeout: 500ms}\n"
        "providers:\n"
        + provider("openai", "openai-chat", "http://127.0.0.1:9/v1", "gpt-*")
        + f"keys: [{{name: old, key: {EXPIRED_KEY}, expires_at: 2024-01-31T00:00:00Z}}]\n"
    )
    with running(tmp_path_factory.mktemp("narrow"), config=config) as gateway:
        yield gateway


def logged(gateway: Gateway, answer: Any, protocol: str, status: int) -> dict[str, Any]:
    return refused(gateway, (answer.status, answer.headers, answer.body), protocol, status)


@pytest.mark.parametrize("path", [GEMINI.format("gpt-4o"), CHAT])
def test_a_body_over_the_bound_is_refused_before_it_is_sent(narrow: Gateway, path: str) -> None:
    with calling(narrow) as caller:
        caller.post(path, b"", "content-length: 999999999", head_only=True)
        error = logged(narrow, caller.answer(), "gemini" if "models/" in path else "openai-chat", 413)
    assert "max_body" in error["message"] and "65536" in error["message"]


def test_who_waits_for_leave_to_send_too_much_does_not_get_it(narrow: Gateway) -> None:
    with calling(narrow) as caller:
        caller.post(CHAT, b"", "content-length: 999999999", "expect: 100-continue", head_only=True)
        logged(narrow, caller.answer(), "openai-chat", 413)


def test_who_waits_for_leave_to_send_gets_it(narrow: Gateway) -> None:
    body = json.dumps(chat("nothing")).encode()
    with calling(narrow) as caller:
        caller.post(CHAT, b"", f"content-length: {len(body)}", "expect: 100-continue", head_only=True)
        assert caller.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        caller.send(body)
        logged(narrow, caller.answer(), "openai-chat", 404)


@pytest.mark.parametrize("size", [65_537, 3_000_000, 20_000_000])
def test_who_sends_too_much_all_the_same_still_reads_the_refusal(narrow: Gateway, size: int) -> None:
    with calling(narrow) as caller:
        caller.post(CHAT, b"x" * size)
        logged(narrow, caller.answer(), "openai-chat", 413)


@pytest.mark.parametrize("piece", [1_000, 60_000])
def test_chunks_are_counted_while_they_come(narrow: Gateway, piece: int) -> None:
    with calling(narrow) as caller:
        caller.post(CHAT, b"", "transfer-encoding: chunked", head_only=True)
        for _ in range(3_000_000 // piece):
            caller.send(b"%x\r\n%b\r\n" % (piece, b" " * piece))
        logged(narrow, caller.answer(), "openai-chat", 413)


def test_a_body_at_the_bound_is_taken(narrow: Gateway) -> None:
    body = json.dumps(chat("nothing")).encode().ljust(65_536)
    assert narrow.post(CHAT, body)[0] == 404
    assert narrow.post(CHAT, body + b" ")[0] == 413


@pytest.mark.parametrize("sent", [b"", b'{"model":'])
@pytest.mark.parametrize("framing", ["content-length: 100", "transfer-encoding: chunked"])
def test_a_body_that_does_not_come(narrow: Gateway, framing: str, sent: bytes) -> None:
    if sent and "chunked" in framing:
        sent = b"%x\r\n%b\r\n" % (len(sent), sent)
    with calling(narrow) as caller:
        caller.post(CHAT, sent, framing)
        error = logged(narrow, caller.answer(), "openai-chat", 408)
    assert "0.5 seconds" in error["message"]


def test_an_expired_key_is_told_since_when(narrow: Gateway) -> None:
    asked = narrow.post(CHAT, chat(), {"authorization": f"Bearer {EXPIRED_KEY}"})
    assert "2024-01-31T00:00:00" in refused(narrow, asked, "openai-chat", 401)["message"]


@pytest.mark.parametrize(("path", "protocol"), [(CHAT, "openai-chat"), (GEMINI.format("gpt-4o"), "gemini")])
@pytest.mark.parametrize("size", [70_000, 1_000_000])
def test_huge_headers(narrow: Gateway, path: str, protocol: str, size: int) -> None:
    for lines in (["x-big: " + "x" * size], [f"x-{n}: " + "y" * 90 for n in range(size // 100)]):
        with calling(narrow) as caller:
            caller.post(path, b"{}", *lines)
            error = logged(narrow, caller.answer(), protocol, 431)
            assert "65536" in error["message"]
            assert caller.everything() == b""


def test_a_huge_url(narrow: Gateway) -> None:
    with calling(narrow) as caller:
        caller.send(b"GET /v1/models?" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n")
        logged(narrow, caller.answer(), "openai-chat", 431)


def test_large_headers_within_the_bound(narrow: Gateway) -> None:
    with calling(narrow) as caller:
        for _ in range(2):
            caller.post(CHAT, json.dumps(chat("nothing")).encode(), "x-big: " + "x" * 60_000)
            logged(narrow, caller.answer(), "openai-chat", 404)


# --- HTTP itself

GARBAGE = [
    b"hello\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET /v1/models HTTP/1.1\r\nbad header\r\n\r\n",
    b"GET /v1/\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n",
    b"POST /v1/models HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
    b"POST /v1/models HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /v1/models HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
    b"GET /v1/models HTTP/1.1\r\nx: a\x00b\r\n\r\n",
]


@pytest.mark.parametrize("garbage", GARBAGE)
def test_what_is_no_http_is_told_so(narrow: Gateway, garbage: bytes) -> None:
    with calling(narrow) as caller:
        caller.send(garbage)
        answer = caller.answer()
        assert answer.headers["connection"] == "close"
        logged(narrow, answer, "openai-chat", 400)
        assert caller.everything() == b""


def test_chunks_that_are_none(narrow: Gateway) -> None:
    with calling(narrow) as caller:
        caller.post(CHAT, b"", "transfer-encoding: chunked", head_only=True)
        caller.send(b"zz\r\nwhat?\r\n")
        logged(narrow, caller.answer(), "openai-chat", 400)
        assert caller.everything() == b""


def test_garbage_behind_a_request_does_not_spoil_its_answer(relay: Gateway) -> None:
    with calling(relay) as caller:
        caller.post(CHAT, json.dumps(chat(stream=True)).encode())
        caller.send(b"\x00garbage\r\n\r\n")
        answer = caller.everything()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.count(b"HTTP/1.1") == 1
    assert answer.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


def test_pipelined_requests_are_answered_in_order(relay: Gateway) -> None:
    with calling(relay) as caller:
        caller.post(CHAT, json.dumps(chat(stream=True)).encode())
        caller.post(CHAT, b"nonsense")
        caller.post(CHAT, json.dumps(chat("nothing")).encode())
        caller.post(CHAT, json.dumps(chat()).encode(), "connection: close")
        answers = caller.everything().split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers] == [b"200", b"400", b"404", b"200"]


def test_an_offer_to_upgrade_is_let_pass(relay: Gateway) -> None:
    """Java's HttpClient offers h2c on every plain connection."""
    offer = (
        "connection: Upgrade, HTTP2-Settings",
        "upgrade: h2c",
        "http2-settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
    )
    with calling(relay) as caller:
        for _ in range(2):
            caller.post(CHAT, json.dumps(chat()).encode(), *offer)
            assert caller.answer().status == 200
        caller.post(CHAT, json.dumps(chat()).encode())
        assert caller.answer().status == 200


def test_old_http_is_answered_and_closed(relay: Gateway) -> None:
    with calling(relay) as caller:
        caller.send(f"GET /v1/models HTTP/1.0\r\nauthorization: Bearer {relay.key}\r\n\r\n".encode())
        assert caller.answer("GET").status == 200
        assert caller.everything() == b""


def test_a_request_in_single_bytes(relay: Gateway) -> None:
    caller = Caller(relay)
    body = json.dumps(chat()).encode()
    head = (
        f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {relay.key}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    for byte in head.encode() + body:
        caller.send(bytes([byte]))
    assert caller.answer().status == 200
    caller.leave()


# --- nothing of it is our failure


def test_every_refusal_left_a_line(relay: Gateway, narrow: Gateway) -> None:
    for gateway in (relay, narrow):
        due = {request_id: status for asked, request_id, status in _due if asked is gateway}
        if due:
            gateway.entry(list(due)[-1])
        lines = {
            line["request_id"]: line["status"] for line in gateway.log if "request_id" in line and "status" in line
        }
        assert {request_id: lines.get(request_id) for request_id in due} == due


def test_no_caller_made_us_fail(relay: Gateway, narrow: Gateway) -> None:
    for gateway in (relay, narrow):
        assert not [line for line in gateway.log if line.get("level") == "error" and line.get("status", 0) < 500]
        assert "Traceback" not in gateway.text


def _get(gateway: Gateway, path: str) -> Asked:
    return gateway.get(path, {"authorization": f"Bearer {gateway.key}"})
