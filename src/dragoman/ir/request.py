"""What a caller asks for."""

from typing import Any, Literal

from msgspec import Struct

from dragoman.ir.parts import Extra, Part, Text

Role = Literal["user", "assistant", "system"]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class Message(Struct, frozen=True):
    """One turn. Tool results are parts of a `user` turn. `system` stands here only in mid-conversation.

    `origin` is the turn's place in the caller's own body (`contents[2]`, `messages[3]`), for naming losses and errors;
    `places` are those of its parts, in their order, where the protocol keeps them elsewhere than its spelling says
    (`messages[3].tool_calls[0]`).
    """

    role: Role
    parts: tuple[Part, ...]
    origin: str = ""
    name: str | None = None
    places: tuple[str, ...] = ()


class FunctionTool(Struct, frozen=True):
    """A function of the caller's. `parameters` is JSON Schema as plain JSON, or None for no parameters."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    origin: str = ""
    extras: tuple[Extra, ...] = ()


class BuiltinTool(Struct, frozen=True):
    """A tool that the vendor runs: `web_search`, `code_execution`, `url_context`, `file_search`, `computer`,
    `image_generation`, `mcp`."""

    kind: str
    options: dict[str, Any] | None = None
    origin: str = ""


Tool = FunctionTool | BuiltinTool


class ToolChoice(Struct, frozen=True):
    """Whether the model calls tools: `auto`, `none`, `any` (it must), or `validated` (auto, calls checked against the schema).

    `allowed` names the only functions it may call; empty means all.
    """

    mode: Literal["auto", "none", "any", "validated"]
    allowed: tuple[str, ...] = ()


class Sampling(Struct, frozen=True):
    """Numbers that steer generation; None means the model's own default. `logit_bias` maps token ids to biases."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_output_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    candidate_count: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    logit_bias: dict[str, float] | None = None


class OutputFormat(Struct, frozen=True):
    """`json`: any JSON object; `schema`: JSON that fits `schema` (JSON Schema); `enum`: one of the schema's strings, bare."""

    kind: Literal["json", "schema", "enum"]
    schema: dict[str, Any] | None = None
    name: str | None = None
    description: str | None = None
    strict: bool | None = None


class Reasoning(Struct, frozen=True):
    """How much the model thinks before it answers.

    At most one of `effort` (a word) and `budget` (tokens; 0 off, -1 as the model sees fit) is set.
    `include_thoughts` asks for the thoughts themselves; None leaves it to the vendor.
    """

    effort: Effort | None = None
    budget: int | None = None
    include_thoughts: bool | None = None


class Request(Struct, frozen=True):
    """One call for an answer.

    `model` is the name the caller used. `include_usage` says whether a streaming caller wants the final token counts
    (protocols that always give them set it). `extras` holds whatever the neutral language has no word for. `places` tells
    where the caller wrote a neutral field (`reasoning.budget`) when it is not where the protocol's spelling says.
    """

    model: str
    messages: tuple[Message, ...]
    system: tuple[Text, ...] = ()
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    sampling: Sampling = Sampling()
    format: OutputFormat | None = None
    reasoning: Reasoning | None = None
    modalities: tuple[str, ...] = ()
    stream: bool = False
    include_usage: bool = True
    user: str | None = None
    service_tier: str | None = None
    extras: tuple[Extra, ...] = ()
    places: dict[str, str] | None = None
