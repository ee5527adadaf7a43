"""What a request would become: its target, the upstream call and the losses, worked out by the pipeline's own steps."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from dragoman.admin.probe import url_of
from dragoman.cli.output import Failed
from dragoman.ir import DragomanError, Loss
from dragoman.pipeline.call import Call
from dragoman.pipeline.choose import choose
from dragoman.pipeline.fit import fit
from dragoman.pipeline.gateway import Gateway
from dragoman.pipeline.room import check_room
from dragoman.pipeline.step import Step
from dragoman.protocols.known import PROTOCOLS
from dragoman.wire import json as wire_json

_PATHS = {
    "openai-chat": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
    "anthropic": "/v1/messages",
}


@dataclass(frozen=True, slots=True)
class Trial:
    """A request as its caller would send it."""

    protocol: str
    path: str
    query: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class Preview:
    """`also` names the targets that are tried when the first fails, `plan` all of them with what put each in its place;
    `untouched` is the same protocol on both sides."""

    protocol: str
    model: str
    target: str
    also: list[str]
    plan: list[str]
    spoken: str
    untouched: bool
    url: str
    body: Any
    losses: list[Loss]

    def as_dict(self) -> dict[str, Any]:
        return {
            "protocol": self.protocol,
            "model": self.model,
            "target": self.target,
            "also": self.also,
            "plan": self.plan,
            "upstream": {"protocol": self.spoken, "method": "POST", "url": self.url, "body": self.body},
            "untouched": self.untouched,
            "losses": [{"path": loss.path, "why": loss.why, "harmless": loss.harmless} for loss in self.losses],
        }


def trial_of(text: bytes, name: str, protocol: str | None, model: str | None, stream: bool) -> Trial:
    """The request that the body `text` is, read from the file `name`. Raises Failed where that cannot be told."""
    try:
        body = wire_json.decode(text)
    except wire_json.NotJson as error:
        raise Failed(f"{name} is not JSON: {error}.", "Write the body of one request into it.") from None
    if not isinstance(body, dict):
        raise Failed(f"{name} holds no JSON object.", "Write the body of one request into it.")
    protocol = protocol or _guess(body, name)
    if protocol == "gemini":
        return _gemini_trial(text, body, name, model, stream)
    if model is not None or (stream and body.get("stream") is not True):
        body = {**body, **({"model": model} if model is not None else {}), **({"stream": True} if stream else {})}
        text = json.dumps(body, ensure_ascii=False).encode()
    return Trial(protocol, _PATHS[protocol], b"", text)


def _guess(body: dict[str, Any], name: str) -> str:
    if "contents" in body:
        return "gemini"
    if "messages" in body:
        return "anthropic" if _is_anthropics(body) else "openai-chat"
    if "input" in body:
        return "openai-responses"
    raise Failed(
        f"{name} has neither `contents` (Gemini), `messages` (Chat Completions, Anthropic Messages) nor `input` (Responses).",
        "Say which protocol it is: --as gemini, openai-chat, openai-responses or anthropic.",
    )


def _is_anthropics(body: dict[str, Any]) -> bool:
    """Two protocols have `messages`; these members only Anthropic's has."""
    if not body.keys().isdisjoint(
        ("system", "stop_sequences", "thinking", "output_config", "top_k", "anthropic_version")
    ):
        return True
    tools = body.get("tools")
    return isinstance(tools, list) and any(isinstance(tool, dict) and "input_schema" in tool for tool in tools)


def _gemini_trial(text: bytes, body: dict[str, Any], name: str, model: str | None, stream: bool) -> Trial:
    """Gemini's bodies name no model: the path does. Some people's do all the same."""
    if isinstance(body.get("model"), str):
        model = model or body["model"]
        body = {key: value for key, value in body.items() if key != "model"}
        text = json.dumps(body, ensure_ascii=False).encode()
    if not model:
        raise Failed(
            f"{name} is a Gemini body, which names no model.", "Name one: --model gemini-2.5-flash (or any other)."
        )
    method, query = ("streamGenerateContent", b"alt=sse") if stream else ("generateContent", b"")
    return Trial("gemini", f"/v1beta/models/{model.removeprefix('models/')}:{method}", query, text)


async def preview(gateway: Gateway, trial: Trial) -> Preview:
    """Goes the pipeline's way up to the upstream call, which is not made. Raises DragomanError."""
    protocol = PROTOCOLS[trial.protocol]
    route = protocol.match(trial.path, trial.query)
    if route is None:
        raise DragomanError(f"The protocol {trial.protocol} has no path {trial.path}.")
    call = Call(gateway.snapshot)
    call.protocol, call.route, call.body = protocol, route, trial.body
    call.peek = protocol.peek(trial.body, route)
    call.model, call.stream = call.peek.model, call.peek.stream
    first, *others = choose(call, gateway)
    check_room(call, first)
    first, outgoing = await fit(call, gateway, first)
    return Preview(
        protocol=trial.protocol,
        model=call.model,
        target=str(first.target),
        also=[str(step.target) for step in others],
        plan=[_place(step) for step in (first, *others)],
        spoken=first.named,
        untouched=first.same,
        url=gateway.redactor(url_of(first.endpoint, outgoing.path)),
        body=wire_json.decode(outgoing.body),
        losses=call.losses,
    )


def _place(step: Step) -> str:
    """A target, and what put it in its place. A gateway that has asked nobody yet passes nobody over."""
    keys = len(step.endpoint.credentials)
    return f"{step.label}: priority {step.priority}, weight {step.weight}" + (
        f", {keys} keys in turn" if keys > 1 else ""
    )
