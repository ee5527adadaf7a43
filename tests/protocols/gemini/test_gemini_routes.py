"""Gemini's paths."""

import pytest

from dragoman.ir import BadRequest, NotFound
from dragoman.protocols.base import Route
from dragoman.protocols.gemini import PROTOCOL


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
def test_methods(version: str) -> None:
    base = f"/{version}/models/gemini-2.5-flash:"
    assert PROTOCOL.match(base + "generateContent", b"") == Route("generate", "gemini-2.5-flash", False)
    assert PROTOCOL.match(base + "streamGenerateContent", b"alt=sse") == Route("generate", "gemini-2.5-flash", True)
    assert PROTOCOL.match(base + "countTokens", b"") == Route("count_tokens", "gemini-2.5-flash", False)


@pytest.mark.parametrize("query", [b"", b"alt=json", b"key=alt", b"xalt=sse"])
def test_a_stream_without_alt_sse_is_an_array(query: bytes) -> None:
    route = PROTOCOL.match("/v1beta/models/m:streamGenerateContent", query)
    assert route == Route("generate", "m", True, True)


@pytest.mark.parametrize("query", [b"key=x&alt=sse", b"$alt=sse", b"alt=SSE&prettyPrint=false"])
def test_alt_sse_anywhere_in_the_query(query: bytes) -> None:
    route = PROTOCOL.match("/v1beta/models/m:streamGenerateContent", query)
    assert route == Route("generate", "m", True)


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1beta/models/publishers/google/models/x:generateContent", "publishers/google/models/x"),
        ("/v1beta/models/models/x:generateContent", "x"),
        ("/v1beta/models/local/a:b:generateContent", "local/a:b"),
        ("/v1beta/tunedModels/t:generateContent", "tunedModels/t"),
    ],
)
def test_names(path: str, model: str) -> None:
    assert PROTOCOL.match(path, b"") == Route("generate", model, False)


@pytest.mark.parametrize("path", ["/v1beta/openai/chat/completions", "/v1/chat/completions", "/v1/models/gpt-5", "/"])
def test_not_ours(path: str) -> None:
    assert PROTOCOL.match(path, b"") is None


def test_an_empty_model() -> None:
    with pytest.raises(BadRequest, match="names no model"):
        PROTOCOL.match("/v1beta/models/:generateContent", b"")


@pytest.mark.parametrize("method", ["embedContent", "batchEmbedContents"])
def test_what_comes_later(method: str) -> None:
    with pytest.raises(NotFound, match="not offered yet") as caught:
        PROTOCOL.match(f"/v1beta/models/m:{method}", b"")
    assert b'"UNIMPLEMENTED"' in PROTOCOL.write_error(caught.value, None)[2]


def test_an_unknown_method() -> None:
    with pytest.raises(NotFound, match="generateContent"):
        PROTOCOL.match("/v1beta/models/m:frobnicate", b"")
