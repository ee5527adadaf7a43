"""What a caller says: turns, pictures, functions, the form of the answer."""

from __future__ import annotations

from typing import Any

from conformance.neutral import MP4, PDF, PDF_URL, PICTURE_URL, PNG, WAV
from conformance.outcomes import CARRIED, Expected, emulated, hint, lost, refused
from conformance.table import (
    ANTHROPIC,
    CHAT,
    GEMINI,
    OSLO,
    PARIS,
    PROTOCOLS,
    REASONING,
    RESPONSES,
    RICH,
    TEXT,
    TIME,
    TOLD_JSON,
    TOWN,
    TURNS,
    WEATHER,
    Feature,
    answered,
    given,
    no,
    setting,
    wish,
)

_HEARS_NOT = refused("The vendor takes no sound.", "服务商不接受声音。")
_NO_VIDEO = refused("The vendor takes no video.", "服务商不接受视频。")

CONVERSATION = [
    Feature("text", "text", "文本", wish()),
    setting("system", "system text", "系统提示", "system", "Be brief."),
    Feature(
        "turns",
        "several turns",
        "多轮对话",
        wish(turns=[*TURNS, ("model", [("text", "Hi!")]), ("user", [("text", "And?")])]),
        ("turns",),
    ),
    Feature(
        "system-turn",
        "a system message in mid-conversation",
        "对话中途的系统消息",
        wish(
            turns=[
                *TURNS,
                ("model", [("text", "Hi!")]),
                ("system", [("text", "Be brief.")]),
                ("user", [("text", "And?")]),
            ]
        ),
        ("turns",),
        outcomes=dict.fromkeys(
            (GEMINI, ANTHROPIC),
            emulated(
                "It becomes text of the user's, marked `<system-reminder>`, in its place.",
                "变为原位置上标有 `<system-reminder>` 的用户文本。",
                sees={
                    "turns": [
                        *TURNS,
                        ("model", [("text", "Hi!")]),
                        ("user", [("text", "<system-reminder>\nBe brief.\n</system-reminder>And?")]),
                    ]
                },
            ),
        ),
    ),
    Feature(
        "prefill",
        "a beginning of the answer",
        "回答的开头",
        wish(turns=[*TURNS, ("model", [("text", "It is")])]),
        ("turns",),
        outcomes={
            GEMINI: lost("Gemini does not go on from words that were begun for it.", "Gemini 不接着已有的开头写。"),
            ANTHROPIC: lost("Claude takes none from 4.6 on.", "Claude 4.6 起不接受。"),
        },
    ),
    setting(
        "speaker",
        "the speaker's name",
        "说话人的名字",
        "speaker",
        "ada",
        outcomes=dict.fromkeys(
            (GEMINI, RESPONSES, ANTHROPIC), hint("The vendor's protocol has no names.", "服务商的协议没有名字。")
        ),
    ),
    Feature("image", "picture, by its bytes", "图片(字节)", given(("image", PNG)), ("turns",)),
    Feature("image-url", "picture, by URL", "图片(网址)", given(("image-url", PICTURE_URL)), ("turns",)),
    Feature("pdf", "PDF, by its bytes", "PDF(字节)", given(("pdf", PDF)), ("turns",)),
    Feature(
        "pdf-url",
        "PDF, by URL",
        "PDF(网址)",
        given(("pdf-url", PDF_URL)),
        ("turns",),
        outcomes={CHAT: refused(*no("files by URL", "以网址给出的文件"))},
    ),
    Feature(
        "audio",
        "sound",
        "声音",
        given(("audio", WAV)),
        ("turns",),
        outcomes={RESPONSES: _HEARS_NOT, ANTHROPIC: _HEARS_NOT},
    ),
    Feature(
        "video", "video", "视频", given(("video", MP4)), ("turns",), outcomes=dict.fromkeys(PROTOCOLS[1:], _NO_VIDEO)
    ),
]

_DEGREES = ("result", "1", "get_weather", {"t": 18})
_NOON = ("result", "2", "get_time", "noon")
_BOTH = (("call", "1", "get_weather", {"town": "Paris"}), ("call", "2", "get_time", {"town": "Oslo"}))
_NONE = ("1", "get_weather")
_NEVER = ("text", "Never mind.")


def _without_result(*parts: Any) -> Expected:
    """`None` among the parts: what follows is a turn of its own."""
    at = parts.index(None) if None in parts else len(parts)
    turns = [("user", list(some)) for some in (parts[:at], parts[at + 1 :]) if some]
    told = answered(_DEGREES)["turns"]
    sees = {"turns": [*told[:2], *turns, *told[3:]]}
    return lost("The model is told that there was none.", "告知模型没有结果。", sees=sees)


TOOLS = [
    Feature("tools", "functions declared", "声明函数", wish(tools=[WEATHER, TIME]), ("tools",)),
    Feature(
        "bare-tool",
        "a function without parameters",
        "没有参数的函数",
        wish(
            tools=[{"name": "get_moon", "description": "The moon.", "parameters": {"type": "object", "properties": {}}}]
        ),
        ("tools",),
    ),
    Feature(
        "rich-tools",
        "parameters with `$ref`, `anyOf`, `enum` of numbers, nullable types",
        "含 `$ref`、`anyOf`、数字 `enum`、可空类型的参数",
        wish(tools=[{**WEATHER, "parameters": RICH}]),
        ("tools",),
    ),
    Feature(
        "renamed",
        "a function whose name vendors refuse",
        "服务商不接受其名称的函数",
        wish(tools=[{**WEATHER, "name": "mcp.weather/current_conditions_of_a_town_by_its_name_and_country_and_more"}]),
        said={"parts": [], "finish": "calls"},
        kind="renamed",
        outcomes=dict.fromkeys(
            PROTOCOLS,
            emulated(
                "The vendor gets a name that it takes, the caller its own.", "服务商得到它接受的名称,调用方得回自己的。"
            ),
        ),
    ),
    Feature(
        "call",
        "a call, its arguments streamed",
        "调用(参数流式)",
        wish(tools=[WEATHER]),
        said={"parts": [PARIS], "finish": "calls"},
    ),
    Feature(
        "parallel-calls",
        "parallel calls after a text",
        "文本之后的并行调用",
        wish(tools=[WEATHER, TIME]),
        said={"parts": [("text", TEXT), PARIS, OSLO], "finish": "calls"},
    ),
    Feature(
        "result-text", "a result: text", "结果:文本", answered(("result", "1", "get_weather", "18 degrees")), ("turns",)
    ),
    Feature(
        "result-json", "a result: JSON", "结果:JSON", answered(("result", "1", "get_weather", {"t": 18})), ("turns",)
    ),
    Feature(
        "results",
        "results of parallel calls",
        "并行调用的结果",
        answered(
            ("result", "1", "get_weather", {"t": 18}),
            ("result", "2", "get_time", "noon"),
            calls=(("call", "1", "get_weather", {"town": "Paris"}), ("call", "2", "get_time", {"town": "Oslo"})),
        ),
        ("turns",),
    ),
    Feature(
        "unordered",
        "results in another order than their calls",
        "结果与调用的次序不同",
        answered(_NOON, _DEGREES, calls=_BOTH),
        ("turns",),
        outcomes=dict.fromkeys(
            PROTOCOLS,
            Expected(
                CARRIED,
                ("In the order of the calls.", "按调用的次序。"),
                sees={"turns": answered(_DEGREES, _NOON, calls=_BOTH)["turns"]},
            ),
        ),
    ),
    Feature(
        "orphan-call",
        "a call without a result",
        "没有结果的调用",
        answered(("text", "Never mind.")),
        ("turns",),
        outcomes={
            **dict.fromkeys((CHAT, RESPONSES), _without_result(("result", *_NONE, "No result was given."), _NEVER)),
            ANTHROPIC: _without_result(("error", *_NONE, "No result was given."), _NEVER),
            GEMINI: _without_result(("error", *_NONE, "No result was given."), None, _NEVER),
        },
    ),
    Feature(
        "orphan-result",
        "a result without a call",
        "没有调用的结果",
        {"turns": [*TURNS, ("model", [("text", "Hi!")]), ("user", [_DEGREES])], "tools": [WEATHER, TIME]},
        ("turns",),
        outcomes={
            (caller, vendor): lost(
                "It goes as text.",
                "以文本发送。",
                sees={
                    "turns": [
                        *TURNS,
                        ("model", [("text", "Hi!")]),
                        # Only Gemini's results name their function.
                        ("user", [("text", f'Result of {"get_weather" if caller == GEMINI else "1"}: {{"t":18}}')]),
                    ]
                },
            )
            for caller in PROTOCOLS
            for vendor in PROTOCOLS
        },
    ),
    Feature(
        "result-error",
        "a result: an error",
        "结果:错误",
        answered(("error", "1", "get_weather", "No such town.")),
        ("turns",),
        outcomes=dict.fromkeys(
            (CHAT, RESPONSES),
            emulated(
                "The error's words are the result.",
                "错误的文字就是结果。",
                sees={"turns": answered(("result", "1", "get_weather", "No such town."))["turns"]},
            ),
        ),
    ),
    Feature(
        "result-image",
        "a result: a picture",
        "结果:图片",
        answered(("pictured", "1", "get_weather", "A map.", PNG)),
        ("turns",),
        outcomes={
            CHAT: emulated(
                "The picture follows in a message of the user's.",
                "图片放在随后的用户消息中。",
                sees={
                    "turns": [
                        *TURNS,
                        ("model", [("call", "1", "get_weather", {"town": "Paris"})]),
                        ("user", [("result", "1", "get_weather", "A map."), ("image", PNG)]),
                        ("model", [("text", "18.")]),
                        ("user", [("text", "And?")]),
                    ]
                },
            )
        },
    ),
    Feature("choice-none", "tool choice: none", "工具选择:不用", wish(tools=[WEATHER], choice="none"), ("choice",)),
    Feature("choice-any", "tool choice: any", "工具选择:任一", wish(tools=[WEATHER], choice="any"), ("choice",)),
    Feature(
        "choice-one",
        "tool choice: one by name",
        "工具选择:指定一个",
        wish(tools=[WEATHER, TIME], choice=("one", "get_time")),
        ("choice",),
    ),
    Feature(
        "choice-thinking",
        "tool choice: any, while the model thinks through a budget",
        "工具选择:任一(模型按预算思考时)",
        wish(tools=[WEATHER], choice="any", effort="low"),
        ("choice",),
        models={**REASONING, ANTHROPIC: "claude-sonnet-4-5"},
        outcomes={ANTHROPIC: lost("Claude cannot be forced to call meanwhile.", "此时无法强制 Claude 调用。")},
    ),
    Feature(
        "choice-must",
        "tool choice: must be one of several",
        "工具选择:必须是几个之一",
        wish(tools=[WEATHER, TIME, {**TIME, "name": "get_date"}], choice=("must", "get_weather", "get_time")),
        ("choice",),
        outcomes={
            ANTHROPIC: emulated(
                "Only those tools are sent.", "只发送这些工具。", sees={"tools": [WEATHER, TIME], "choice": "any"}
            )
        },
    ),
    Feature(
        "choice-may",
        "tool choice: may be one of several",
        "工具选择:可以是几个之一",
        wish(tools=[WEATHER, TIME, {**TIME, "name": "get_date"}], choice=("may", "get_weather", "get_time")),
        ("choice",),
        outcomes={
            ANTHROPIC: emulated(
                "Only those tools are sent.", "只发送这些工具。", sees={"tools": [WEATHER, TIME], "choice": "auto"}
            )
        },
    ),
    Feature(
        "one-at-a-time",
        "no parallel calls",
        "禁止并行调用",
        wish(tools=[WEATHER], parallel=False),
        ("parallel",),
        outcomes={GEMINI: lost("Gemini calls in parallel as it sees fit.", "Gemini 自行决定是否并行调用。")},
    ),
    Feature(
        "strict-tools",
        "arguments held to the schema",
        "参数严格符合模式",
        wish(tools=[WEATHER], held=True),
        ("held",),
        outcomes=dict.fromkeys(
            [(GEMINI, vendor) for vendor in PROTOCOLS[1:]],
            hint(
                "Gemini's `VALIDATED` takes schemas that `strict` elsewhere refuses.",
                "Gemini 的 `VALIDATED` 接受的模式,别处的 `strict` 会拒绝。",
                place="toolConfig.functionCallingConfig",
            ),
        ),
    ),
]

FORMS = [
    setting(
        "json",
        "JSON mode",
        "JSON 模式",
        "json",
        True,
        said={"parts": [("text", '{"a": 1}')], "finish": "stop"},
        outcomes={
            **dict.fromkeys(
                (CHAT, RESPONSES),
                Expected(
                    CARRIED,
                    (
                        "OpenAI wants the word JSON in the request; where it is not, it is put in.",
                        "OpenAI 要求请求中出现 JSON 一词;没有时会加上。",
                    ),
                    sees={"system": "Answer in JSON."},
                ),
            ),
            ANTHROPIC: emulated(
                "The model is told to answer with one JSON object.",
                "告知模型只回答一个 JSON 对象。",
                sees={"json": False, "system": TOLD_JSON},
            ),
        },
    ),
    setting(
        "schema",
        "JSON Schema",
        "JSON Schema",
        "schema",
        TOWN,
        said={"parts": [("text", '{"town": "Oslo"}')], "finish": "stop"},
    ),
    setting(
        "stood-in",
        "JSON Schema, for models that cannot be held to one",
        "JSON Schema(不受其约束的模型)",
        "schema",
        TOWN,
        models={ANTHROPIC: "claude-3-7-sonnet-latest"},
        kind="stood-in",
        outcomes={
            **dict.fromkeys((GEMINI, CHAT, RESPONSES, (ANTHROPIC, ANTHROPIC))),
            ANTHROPIC: emulated("A forced call stands in for it.", "以强制调用代替。"),
        },
    ),
    setting(
        "drawn",
        "picture as an answer",
        "以图片回答",
        "drawn",
        True,
        said={"parts": [("image", PNG)], "finish": "stop"},
        models={GEMINI: "gemini-2.5-flash-image"},
        outcomes={
            CHAT: refused("OpenAI's models draw in Responses only.", "OpenAI 的模型只在 Responses 中画图。"),
            ANTHROPIC: refused("The vendor draws no pictures.", "服务商不画图。"),
            # Its pictures are Google's own way of Chat Completions.
            (CHAT, CHAT): None,
        },
    ),
]
