"""Small things said in more than one place: the text of a free-text call, the likelihoods of tokens."""

from typing import Any

from dragoman.ir import TokenLogprob
from dragoman.wire.json import NotJson, decode

Json = dict[str, Any]


def custom_input(arguments: str) -> str:
    """The free text of a custom tool's call, from the JSON object that carries it elsewhere."""
    try:
        value = decode(arguments.encode())
    except NotJson:
        return arguments
    if type(value) is dict and type(value.get("input")) is str:
        return str(value["input"])
    return arguments


def write_logprobs(logprobs: tuple[TokenLogprob, ...]) -> list[Json]:
    return [
        {**_token(item.token, item.logprob), "top_logprobs": [_token(token, logprob) for token, logprob in item.top]}
        for item in logprobs
    ]


def read_logprobs(value: Any) -> tuple[TokenLogprob, ...]:
    return tuple(
        TokenLogprob(*_pair(item), tuple(_pair(top) for top in _listed(item.get("top_logprobs"))))
        for item in _listed(value)
    )


def _token(token: str, logprob: float) -> Json:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode("utf-8", "replace"))}


def _listed(value: Any) -> list[Json]:
    return [item for item in value if type(item) is dict] if type(value) is list else []


def _pair(item: Json) -> tuple[str, float]:
    token, logprob = item.get("token"), item.get("logprob")
    return token if type(token) is str else "", float(logprob) if isinstance(logprob, int | float) else 0.0
