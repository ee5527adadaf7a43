"""How each family of models wants to be spoken to: the differences that would otherwise be a vendor's 400.

A profile is chosen by the target's protocol and model name, the first pattern that fits. Each flag says its reason.
"""

from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace


class Profile(Struct, frozen=True, kw_only=True):
    """`thinking` is how the model takes its reasoning setting: `budget` (tokens), `level` (Gemini 3), `effort` (OpenAI),
    `adaptive` (Claude 4.6 and later: it decides, an effort steers it), `ark` (`thinking.type` and effort), `none` (it has
    none)."""

    family: Literal["gemini", "openai", "anthropic", "ark", "llama", "other"]
    thinking: Literal["budget", "level", "effort", "adaptive", "ark", "none"] = "none"
    # The levels a `level` or `effort` model knows, lowest first; where none are told, all words are left to the vendor.
    levels: tuple[str, ...] = ()
    # A `budget` model's least and greatest budget in tokens, and whether 0 turns thinking off.
    budget: tuple[int, int] = (0, 24576)
    can_stop_thinking: bool = True
    # Gemini 2.5 and later: 400 "Penalty is not enabled for models/gemini-2.5-pro".
    penalties: bool = True
    # OpenAI's reasoning models: 400 "Unsupported parameter: 'temperature' is not supported with this model."
    sampling: bool = True
    # OpenAI's own API wants max_completion_tokens; the servers that imitate it know max_tokens.
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    # Only OpenAI's own API knows the role `developer`.
    developer_role: bool = False
    # Gemini up to 2.5: 400 "Function calling with a response mime type: 'application/json' is unsupported".
    tools_with_json: bool = True
    # Gemini up to 2.5: a built-in tool beside function declarations is a 400.
    builtins_with_functions: bool = True
    # Gemini 2.5 and later hold calls to their schemas in mode VALIDATED (ai.google.dev/gemini-api/docs/function-calling, in
    # preview; so does pydantic/pydantic-ai#6353). Before, names of allowed functions too go with mode ANY only.
    validated_calls: bool = True
    # Gemini's field for plain JSON Schema (`parametersJsonSchema`, `responseJsonSchema`) came with 2.5; before, schemas are
    # those of OpenAPI 3.0's subset.
    json_schemas: bool = True
    # Gemini 3 takes media inside a function's response; before, it goes into the user's turn that follows.
    media_in_results: bool = False
    # Google's compatible endpoint: a call of Gemini 3's is refused without its signature, as in Gemini's own protocol.
    signed_calls: bool = False
    # Whether the model's server fetches a public https URL by itself.
    fetches_urls: bool = True
    # Whether the model takes function tools at all, and how many: OpenAI's API 400 "Invalid 'tools': array too long. Expected an
    # array with maximum length 128".
    tools: bool = True
    most_tools: int | None = None
    # Whether the model sees pictures and hears sounds.
    sees: bool = True
    hears: bool = True
    # How the model can be held to JSON: 400 "'response_format' of type 'json_schema' is not supported with this model."
    formats: tuple[Literal["json", "schema"], ...] = ("json", "schema")
    # The efforts an `adaptive` model knows, lowest first: 400 "This model does not support effort level 'xhigh'. Supported
    # levels: high, low, max, medium." (recorded, of claude-opus-4-6)
    efforts: tuple[str, ...] = ("low", "medium", "high", "max")
    # The most tokens a model can put out; what is asked of a vendor that wants a limit where the caller set none.
    max_output_tokens: int = 8192
    # Claude 4.1 and later: 400 "`temperature` and `top_p` cannot both be specified for this model."
    temperature_with_top_p: bool = True
    # Claude Fable and Mythos refuse to be forced to call a tool, whether they think or not.
    forced_calls: bool = True
    # Claude 4.6 and later: 400 for a conversation that ends with the assistant's own words.
    prefill: bool = True
    # Whether Claude can be held to a JSON Schema (`output_config.format`) and its calls to theirs (`strict`); before 4.1 and
    # 4.5 it cannot, and a forced call stands in for it.
    native_format: bool = False
    # Whether the model takes system turns in mid-conversation.
    system_turns: bool = False


_GEMINI_25 = Profile(
    family="gemini",
    thinking="budget",
    penalties=False,
    tools_with_json=False,
    builtins_with_functions=False,
    fetches_urls=False,
)
_GEMINI_2 = Profile(
    family="gemini",
    thinking="none",
    tools_with_json=False,
    builtins_with_functions=False,
    validated_calls=False,
    json_schemas=False,
    fetches_urls=False,
)
_GEMINI_3 = Profile(
    family="gemini",
    thinking="level",
    levels=("minimal", "low", "medium", "high"),
    can_stop_thinking=False,
    penalties=False,
    media_in_results=True,
)
# 400 "Thinking level MINIMAL is not supported for this model." (recorded, of 3-pro-preview, 3.1-pro-preview and 3.7-flash)
_GEMINI_3_WITHOUT_MINIMAL = replace(_GEMINI_3, levels=("low", "medium", "high"))
_GEMINI_COMPATIBLE = Profile(
    family="gemini", thinking="effort", levels=("minimal", "low", "medium", "high"), fetches_urls=False
)
_ARK = Profile(family="ark", thinking="ark")
_OPENAI = Profile(family="openai", max_tokens_field="max_completion_tokens", developer_role=True, most_tools=128)
_OPENAI_REASONING = replace(_OPENAI, thinking="effort", sampling=False)
# The o-series and the first gpt-5 always think (platform.openai.com/docs/guides/reasoning, 2026); later ones know `none`.
_OPENAI_O = replace(_OPENAI_REASONING, levels=("low", "medium", "high"), can_stop_thinking=False)
_OPENAI_5 = replace(_OPENAI_REASONING, levels=("minimal", "low", "medium", "high"), can_stop_thinking=False)
_OPENAI_BLIND = replace(_OPENAI, sees=False, formats=("json",))
# (pattern, profile) of OpenAI's own models, whichever of its protocols they are spoken to in.
_OPENAIS: tuple[tuple[str, Profile], ...] = (
    ("o1-mini*", replace(_OPENAI_O, sees=False, tools=False, formats=())),
    ("o3-mini*", replace(_OPENAI_O, sees=False)),
    *((pattern, _OPENAI_O) for pattern in ("o1*", "o3*", "o4*")),
    *((pattern, _OPENAI_5) for pattern in ("gpt-5", "gpt-5-20*", "gpt-5-mini*", "gpt-5-nano*")),
    *((pattern, _OPENAI_REASONING) for pattern in ("gpt-5*", "codex-*")),
    *((pattern, _OPENAI) for pattern in ("gpt-4o*", "gpt-4.*")),
    ("gpt-4-turbo*", replace(_OPENAI, formats=("json",))),
    ("gpt-4-vision*", replace(_OPENAI, formats=(), tools=False)),
    *((pattern, replace(_OPENAI, sees=False, formats=())) for pattern in ("gpt-4", "gpt-4-0*", "gpt-4-32k*")),
    ("gpt-3.5*", _OPENAI_BLIND),
    ("gpt-*", _OPENAI),
)
# Whoever else speaks Anthropic's protocol: of them only what every Claude knows is asked.
_MESSAGES = Profile(family="anthropic", thinking="budget", budget=(1024, 32768))
_CLAUDE_3 = replace(_MESSAGES, thinking="none", max_output_tokens=4096)
_CLAUDE_4 = replace(_MESSAGES, max_output_tokens=32000)
_CLAUDE_45 = replace(_CLAUDE_4, max_output_tokens=64000, native_format=True, temperature_with_top_p=False)
_CLAUDE_46 = replace(_CLAUDE_45, thinking="adaptive", prefill=False)
# From Opus 4.7 on: `thinking.type: enabled` is a 400, and so is any temperature, top_p or top_k.
_CLAUDE_47 = replace(_CLAUDE_46, sampling=False, efforts=("low", "medium", "high", "xhigh", "max"))
# Of these `thinking.type: disabled` is a 400 too (platform.claude.com/docs/en/build-with-claude/adaptive-thinking, 2026).
_CLAUDE_UNFORCED = replace(_CLAUDE_47, forced_calls=False, can_stop_thinking=False)

# (protocol, pattern) in order; the first that fits wins.
_TABLE: tuple[tuple[str, str, Profile], ...] = (
    # Models that draw or speak take no functions, and answer in no JSON.
    ("gemini", "gemini-2.5-*-image*", replace(_GEMINI_25, thinking="none", tools=False, formats=())),
    (
        "gemini",
        "gemini-2.5-*-tts*",
        replace(_GEMINI_25, thinking="none", tools=False, formats=(), sees=False, hears=False),
    ),
    ("gemini", "gemini-2.0-*-image*", replace(_GEMINI_2, tools=False, formats=())),
    ("gemini", "gemini-2.5-pro*", replace(_GEMINI_25, budget=(128, 32768), can_stop_thinking=False)),
    ("gemini", "gemini-2.5-flash-lite*", replace(_GEMINI_25, budget=(512, 24576))),
    ("gemini", "gemini-2.5*", _GEMINI_25),
    # The preview knows low and high only.
    ("gemini", "gemini-3-pro*", replace(_GEMINI_3, levels=("low", "high"))),
    ("gemini", "gemini-3.*-pro*", _GEMINI_3_WITHOUT_MINIMAL),
    ("gemini", "gemini-3.7-flash*", _GEMINI_3_WITHOUT_MINIMAL),
    ("gemini", "gemini-3*", _GEMINI_3),
    ("gemini", "gemini-1*", _GEMINI_2),
    ("gemini", "gemini-2.0*", _GEMINI_2),
    ("gemini", "*", replace(_GEMINI_3, penalties=True)),
    ("local", "*", Profile(family="llama", thinking="none", tools=False, sees=False, hears=False)),
    ("openai-chat", "doubao-*", _ARK),
    ("openai-chat", "ep-*", _ARK),
    *(("openai-chat", pattern, profile) for pattern, profile in _OPENAIS),
    # Google's own compatible endpoint, /v1beta/openai: it takes efforts, and its signatures back in `extra_content`.
    (
        "openai-chat",
        "gemini-3*",
        replace(_GEMINI_COMPATIBLE, can_stop_thinking=False, signed_calls=True),
    ),
    ("openai-chat", "gemini-2.5-pro*", replace(_GEMINI_COMPATIBLE, can_stop_thinking=False)),
    ("openai-chat", "gemini-*", _GEMINI_COMPATIBLE),
    ("openai-chat", "*", Profile(family="other", thinking="effort")),
    *(("openai-responses", pattern, profile) for pattern, profile in _OPENAIS),
    ("openai-responses", "*", Profile(family="other", thinking="effort")),
    ("anthropic", "*claude-3-7*", replace(_CLAUDE_4, max_output_tokens=64000)),
    ("anthropic", "*claude-3-5*", replace(_CLAUDE_3, max_output_tokens=8192)),
    ("anthropic", "*claude-3*", _CLAUDE_3),
    ("anthropic", "*claude-2*", _CLAUDE_3),
    ("anthropic", "*claude-opus-4-1*", replace(_CLAUDE_45, max_output_tokens=32000)),
    *(("anthropic", f"*claude-{name}*", _CLAUDE_45) for name in ("opus-4-5", "sonnet-4-5", "haiku-4-5")),
    *(("anthropic", f"*claude-{name}*", _CLAUDE_46) for name in ("opus-4-6", "sonnet-4-6")),
    *(("anthropic", f"*claude-{name}*", _CLAUDE_47) for name in ("opus-4-[789]", "sonnet-4-[789]", "haiku-4-[6789]")),
    ("anthropic", "*claude-sonnet-4*", replace(_CLAUDE_4, max_output_tokens=64000)),
    ("anthropic", "*claude-opus-4*", _CLAUDE_4),
    *(("anthropic", f"*claude-{name}*", _CLAUDE_UNFORCED) for name in ("fable", "mythos")),
    ("anthropic", "*claude-*", _CLAUDE_47),
    ("anthropic", "*", _MESSAGES),
)

_FALLBACK = Profile(family="other")


@lru_cache(maxsize=4096)
def profile_for(protocol: str, model: str) -> Profile:
    """The profile of the vendor's `model` when spoken to in `protocol`."""
    bare = model.rpartition("/")[2]
    for known, pattern, profile in _TABLE:
        if known == protocol and fnmatchcase(bare, pattern):
            return profile
    return _FALLBACK
