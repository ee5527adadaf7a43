import json
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.observe.redaction import MASK, Redactor

by_shape = Redactor()

CASES = [
    ("Incorrect API key provided: sk-proj-abcdef_1234567890.", f"Incorrect API key provided: {MASK}."),
    ("key sk-ant-api03-abcdefghijkl", f"key {MASK}"),
    ("dgm_0123456789abcdef is not known", f"{MASK} is not known"),
    ("API key AIzaSyA1234567890abcdefghij not valid", f"API key {MASK} not valid"),
    ("GET https://h/v1?key=abc&alt=sse", f"GET https://h/v1?key={MASK}&alt=sse"),
    ("api_key=s3cret, x", f"api_key={MASK}, x"),
    ("Authorization: Bearer abc.def== end", f"Authorization: Bearer {MASK} end"),
    ("authorization: bearer abc", f"authorization: bearer {MASK}"),
    ("Basic dXNlcjpwYXNz", f"Basic {MASK}"),
    ("http://user:pa55@host/x", f"http://{MASK}@host/x"),
    ("postgresql://dragoman:pw@db:5432/x", f"postgresql://{MASK}@db:5432/x"),
    ('{"x-api-key":"abcdefgh1234"}', f'{{"x-api-key":"{MASK}"}}'),
    ("x-goog-api-key: abcdefgh1234", f"x-goog-api-key: {MASK}"),
    ("gsk_abcdefghijkl0123 and xai-abcdefghijkl0123", f"{MASK} and {MASK}"),
    ("eyJhbGciOiJI.eyJzdWIiOiIx.c2ln", MASK),
]

INNOCENT = [
    "",
    "model gemini-2.5-flash not found",
    "https://generativelanguage.googleapis.com/v1beta/models",
    "http://host/a@b",
    "monkey=banana",
    "task-runner-that-is-long-enough",
    "a basic understanding of tokens",
    '{"key":"ci","api":"x"}',
    "req_01m82dky06001hqk5wt16m9f9s",
    "max_tokens=20 is too small",
]


@pytest.mark.parametrize(("text", "safe"), CASES)
def test_shapes_of_keys(text, safe):
    assert by_shape(text) == safe
    assert by_shape(text.encode()) == safe.encode()


@pytest.mark.parametrize("text", INNOCENT)
def test_ordinary_text_is_given_back_as_it_is(text):
    assert by_shape(text) is text
    data = text.encode()
    assert by_shape(data) == data


def test_known_secrets_however_they_are_spelled():
    secret = 'pa"ss\\wörd/1'
    redact = Redactor([secret])
    assert redact(f"<{secret}>") == f"<{MASK}>"
    assert json.loads(redact(json.dumps({"error": secret}))) == {"error": MASK}
    assert json.loads(redact(json.dumps({"error": secret}, ensure_ascii=False).encode())) == {"error": MASK}
    assert redact("?x=pa%22ss%5Cw%C3%B6rd%2F1") == f"?x={MASK}"


def test_the_longer_of_two_secrets_goes_first():
    assert Redactor(["abcdefgh", "abcdefgh-and-more"])("abcdefgh-and-more abcdefgh") == f"{MASK} {MASK}"


def test_placeholders_are_no_secrets():
    assert Redactor(["none", "ollama", ""])("provider ollama: none") == "provider ollama: none"


@given(st.text(alphabet="abcXYZ019_-", min_size=12, max_size=60), st.text(max_size=20))
def test_a_masked_json_line_is_still_json(secret, around):
    line = json.dumps(
        {"a": f"{around}sk-{secret}", "b": f"key={secret}", "c": f"Bearer {secret}", "d": f"x://u:{secret}@h"}
    )
    for data in (line, json.dumps(json.loads(line), ensure_ascii=False)):
        read = json.loads(by_shape(data))
        assert secret not in read["b"] + read["c"] + read["d"]
        assert by_shape(by_shape(data)) == by_shape(data)


# What each shape begins with, and runs that it may walk along without coming to a match.
_BEGINNINGS = [
    "http://",
    "Invalid URL http://",
    "bearer ",
    "basic ",
    "x-api-key: ",
    "access_token",
    "key=",
    "eyJ",
    "sk-",
]
_RUNS = [
    "a",
    "A",
    " ",
    ".",
    "-",
    "http://",
    "a.",
    "a+",
    "1http",
    "basic ",
    "bearer",
    "key",
    "api-key",
    "x-goog-api-key",
]
_RUNS += ["-eyJ", "-eyJaaaaaaaa", "-eyJaaaaaaaa.", "eyJa.", "sk_a ", "dgm_", "AIza", "AQ.", "ya29.", "AKIA", "=", '\\"']


@pytest.mark.parametrize("run", _RUNS)
def test_no_text_takes_the_square_of_its_length(run):
    for beginning in _BEGINNINGS:
        text = beginning + run * (2**20 // len(run) // len(_BEGINNINGS))
        for one in (text, text.encode()):
            began = process_time()
            by_shape(one)
            # A tenth of this is usual; a square of the length takes minutes.
            assert process_time() - began < 3.0


def test_userinfo_has_no_bound():
    assert by_shape(f"1http://u:{'x' * 5000}@host") == f"1http://{MASK}@host"
