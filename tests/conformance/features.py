"""The table: every feature once, in neutral words, with what becomes of it between each caller and each vendor.

What is not told is `carried` (and `native` where both speak the same protocol). The expectations come from the protocols' own
documentation, never from the code: where a case fails, one of the two is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from conformance.neutral import MP4, PDF, PDF_URL, PICTURE_URL, PNG, WAV, Said, Wish
from conformance.outcomes import CARRIED, NATIVE, PLAIN, Expected, emulated, hint, lost, refused

GEMINI, CHAT, RESPONSES, ANTHROPIC = PROTOCOLS = ("gemini", "openai-chat", "openai-responses", "anthropic")
# The models that stand for each vendor.
MODELS = {GEMINI: "gemini-3-pro-preview", CHAT: "gpt-4o", RESPONSES: "gpt-4.1", ANTHROPIC: "claude-opus-4-6"}
REASONING = {CHAT: "gpt-5.4", RESPONSES: "gpt-5.4-mini"}

TEXT = "Grüß dich, 世界! 👋"
TURNS: list[Any] = [("user", [("text", "Hello, 世界")])]
SAID: Said = {"parts": [("text", TEXT)], "finish": "stop"}
TOWN = {
    "type": "object",
    "properties": {"town": {"type": "string"}},
    "required": ["town"],
    "additionalProperties": False,
}
WEATHER = {"name": "get_weather", "description": "The weather.", "parameters": TOWN}
TIME = {"name": "get_time", "description": "The time.", "parameters": TOWN}
PARIS = ("call", "call_1", "get_weather", {"town": "Paris"})
OSLO = ("call", "call_2", "get_time", {"town": "Oslo"})

TOLD_JSON = "Answer with one JSON object and nothing else: no words around it, no code fence."
NO = "I can't help with that."
CITED: Said = {
    "parts": [("text", "世界: Paris is the capital of France.")],
    "finish": "stop",
    "queries": ["capital of France"],
    "citations": [("https://example.com/a", "Paris")],
}


@dataclass(frozen=True)
class Feature:
    """`carries` are the fields of the wish that must reach the vendor as they are; `hears` what of the answer must reach the
    caller. `outcomes` go by vendor, or by caller and vendor."""

    name: str
    en: str
    zh: str
    wish: Wish
    carries: tuple[str, ...] = ()
    said: Said = field(default_factory=lambda: SAID)
    hears: tuple[str, ...] = ("parts", "finish")
    models: dict[str, str] = field(default_factory=dict)
    outcomes: dict[Any, Expected | None] = field(default_factory=dict)
    # What is tried: an exchange, or `error`, `broken` (a stream), `count`, `kept` and `dropped` (two turns with a signature).
    kind: str = "exchange"

    def expected(self, caller: str, vendor: str, stream: bool) -> Expected | None:
        """None: there is nothing to try."""
        for key in ((caller, vendor, stream), (caller, vendor), vendor):
            if key in self.outcomes:
                return self.outcomes[key]
        return PLAIN


def wish(**fields: Any) -> Wish:
    return {"turns": TURNS, **fields}


def given(*parts: Any) -> Wish:
    return {"turns": [("user", [("text", "Look."), *parts])]}


def answered(*results: Any, calls: tuple[Any, ...] = (("call", "1", "get_weather", {"town": "Paris"}),)) -> Wish:
    # In a turn that is over: of the current one Gemini 3 would want signatures.
    over = [("model", [("text", "18.")]), ("user", [("text", "And?")])]
    return {"turns": [*TURNS, ("model", list(calls)), ("user", list(results)), *over], "tools": [WEATHER, TIME]}


def setting(name: str, en: str, zh: str, key: str, value: Any, **more: Any) -> Feature:
    return Feature(name, en, zh, wish(**{key: value}), (key,), **more)


def _no(what: str, zh: str) -> tuple[str, str]:
    return f"The vendor's protocol has no {what}.", f"服务商的协议没有{zh}。"


_HAS_NO_SEED = lost(*_no("seed", "随机种子"))
_HAS_NO_TOP_K = lost(*_no("`top_k`", " `top_k`"))
_HAS_NO_PENALTIES = lost(*_no("penalties", "惩罚项"))
_GEMINI_PENALTIES = lost("Gemini's models refuse penalties from 2.5 on.", "Gemini 2.5 起的模型拒绝惩罚项。")
_ONE_ANSWER = refused("The vendor gives one answer.", "服务商只给一个回答。")
_HAS_NO_BIAS = lost(*_no("`logit_bias`", " `logit_bias`"))
_HEARS_NOT = refused("The vendor takes no sound.", "服务商不接受声音。")
_NO_VIDEO = refused("The vendor takes no video.", "服务商不接受视频。")
_FLEX = lost(*_no("such tier", "这样的服务等级"))
_ONLY_GOOGLE = lost(*_no("safety settings", "安全设置"))
_GOOGLES_CACHE = refused("What it names is kept by Google alone.", "它所指的内容只存放在 Google。")
_NOBODYS = lost(
    "What nobody knows is nowhere sent but to the protocol it came in.", "没有人认识的字段只发给同一协议的服务商。"
)
_VERBOSITY = lost(*_no("`verbosity`", " `verbosity`"))
_CACHE_HINT = hint("It steers the vendor's cache only.", "它只影响服务商的缓存。")
_NO_METADATA = hint("The vendor keeps no metadata.", "服务商不保存元数据。")

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
    Feature("image", "picture, by its bytes", "图片(字节)", given(("image", PNG)), ("turns",)),
    Feature("image-url", "picture, by URL", "图片(网址)", given(("image-url", PICTURE_URL)), ("turns",)),
    Feature("pdf", "PDF, by its bytes", "PDF(字节)", given(("pdf", PDF)), ("turns",)),
    Feature(
        "pdf-url",
        "PDF, by URL",
        "PDF(网址)",
        given(("pdf-url", PDF_URL)),
        ("turns",),
        outcomes={CHAT: refused(*_no("files by URL", "以网址给出的文件"))},
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

TOOLS = [
    Feature("tools", "functions declared", "声明函数", wish(tools=[WEATHER, TIME]), ("tools",)),
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
                        ("user", [("result", "1", "get_weather", "A map.")]),
                        ("user", [("image", PNG)]),
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

SAMPLING = [
    setting("max", "limit of output tokens", "输出词元上限", "max", 333),
    setting("temperature", "temperature", "温度", "temperature", 0.5),
    setting(
        "hot",
        "temperature above 1",
        "大于 1 的温度",
        "temperature",
        1.5,
        outcomes={
            # Claude's own callers cannot ask for it.
            **{(ANTHROPIC, vendor): None for vendor in PROTOCOLS},
            ANTHROPIC: lost(
                "Claude's temperatures end at 1, which is sent.",
                "Claude 的温度到 1 为止,发送 1。",
                sees={"temperature": 1},
            ),
        },
    ),
    setting("top_p", "`top_p`", "`top_p`", "top_p", 0.5),
    setting("top_k", "`top_k`", "`top_k`", "top_k", 7, outcomes=dict.fromkeys((CHAT, RESPONSES), _HAS_NO_TOP_K)),
    setting(
        "stop",
        "stop sequences",
        "停止序列",
        "stop",
        ["END", "。"],
        outcomes={RESPONSES: refused(*_no("stop sequences", "停止序列"))},
    ),
    setting("seed", "seed", "随机种子", "seed", 42, outcomes=dict.fromkeys((RESPONSES, ANTHROPIC), _HAS_NO_SEED)),
    Feature(
        "penalties",
        "presence and frequency penalties",
        "存在与频率惩罚",
        wish(presence=0.5, frequency=0.25),
        ("presence", "frequency"),
        outcomes={GEMINI: _GEMINI_PENALTIES, RESPONSES: _HAS_NO_PENALTIES, ANTHROPIC: _HAS_NO_PENALTIES},
    ),
    setting(
        "bias", "`logit_bias`", "`logit_bias`", "bias", {"50256": -100}, outcomes=dict.fromkeys(PROTOCOLS, _HAS_NO_BIAS)
    ),
    setting(
        "logprobs",
        "log probabilities",
        "对数概率",
        "logprobs",
        2,
        said={"parts": [("text", "Hi")], "finish": "stop", "logprobs": [("H", -0.5), ("i", -0.25)]},
        hears=("parts", "finish", "logprobs"),
        outcomes={ANTHROPIC: refused(*_no("log probabilities", "对数概率"))},
    ),
    setting(
        "n",
        "several answers",
        "多个回答",
        "n",
        2,
        said={"parts": [("text", "Yes")], "finish": "stop", "texts": ["Yes", "No"]},
        hears=("texts", "finish"),
        outcomes=dict.fromkeys((RESPONSES, ANTHROPIC), _ONE_ANSWER),
    ),
]

REASON = [
    setting("effort", "effort of reasoning", "思考强度", "effort", "high", models=REASONING),
    setting(
        "thoughts",
        "thoughts asked for and returned",
        "要求并返回思考",
        "thoughts",
        True,
        models=REASONING,
        said={"parts": [("thought", "Let me think."), ("text", TEXT)], "finish": "stop"},
        outcomes={
            CHAT: hint(
                "A vendor of Chat Completions is not asked; what it tells of its thoughts is returned.",
                "不向 Chat Completions 的服务商提出要求;它给出的思考会返回。",
            ),
            (CHAT, CHAT): None,
        },
    ),
]

ANSWERS = [
    Feature(
        "cut",
        "cut at the limit",
        "达到上限被截断",
        wish(max=5),
        said={"parts": [("text", "Half a")], "finish": "length"},
    ),
    Feature(
        "usage",
        "usage, with cached and reasoning tokens",
        "用量(含缓存与思考)",
        wish(),
        said={**SAID, "usage": {"in": 120, "out": 70, "cached": 100, "reasoning": 40}},
        hears=("parts", "finish", "usage"),
    ),
    Feature(
        "citations",
        "citations",
        "引用",
        wish(search=True),
        said=CITED,
        hears=("parts", "finish", "citations"),
        models={CHAT: "gpt-4o-search-preview"},
        outcomes={
            (ANTHROPIC, vendor, True): emulated(
                "In a stream the text is out before its citation comes: it stands on the whole text block.",
                "流式时文本先于引用到达:引用落在整个文本块上。",
                hears={"citations": [("https://example.com/a", CITED["parts"][0][1])]},
            )
            for vendor in (GEMINI, CHAT, RESPONSES)
        },
    ),
    Feature(
        "searches",
        "what was searched for",
        "搜索了什么",
        wish(search=True),
        said=CITED,
        hears=("parts", "finish", "queries"),
        outcomes={
            **{
                (CHAT, vendor): hint(
                    "Chat Completions shows citations only.",
                    "Chat Completions 只显示引用。",
                    place="message",
                    hears={"queries": None},
                )
                for vendor in PROTOCOLS
            },
            CHAT: None,
        },
    ),
    Feature(
        "refusal",
        "the model's refusal",
        "模型拒答",
        wish(),
        said={"parts": [("refusal", NO)], "finish": "refused"},
        hears=(),
        outcomes={
            **dict.fromkeys(
                ((GEMINI, CHAT), (GEMINI, RESPONSES)),
                emulated(
                    "Gemini has no refusals: it comes as text.",
                    "Gemini 没有拒答一说:以文本给出。",
                    hears={"parts": [("text", NO)], "finish": "stop"},
                ),
            ),
            (GEMINI, ANTHROPIC): Expected(CARRIED, hears={"parts": [], "finish": "filter", "explained": NO}),
            (CHAT, RESPONSES): Expected(CARRIED, hears={"parts": [("refusal", NO)], "finish": "stop"}),
            (CHAT, ANTHROPIC): Expected(CARRIED, hears={"parts": [("refusal", NO)], "finish": "filter"}),
            (RESPONSES, CHAT): Expected(CARRIED, hears={"parts": [("refusal", NO)], "finish": "stop"}),
            (RESPONSES, ANTHROPIC): Expected(CARRIED, hears={"parts": [("refusal", NO)], "finish": "filter"}),
            **dict.fromkeys(
                ((ANTHROPIC, CHAT), (ANTHROPIC, RESPONSES)),
                Expected(CARRIED, hears={"parts": [("text", NO)], "finish": "filter", "explained": NO}),
            ),
        },
    ),
    Feature(
        "filtered",
        "an answer stopped by a filter",
        "被过滤器中断的回答",
        wish(),
        said={"parts": [("text", "Half a")], "finish": "filter"},
    ),
    Feature("blocked", "a prompt that is blocked", "被拦截的提示", wish(), said={"parts": [], "finish": "filter"}),
]

_SIGNED: Said = {"parts": [("thought", "Let me see."), PARIS], "finish": "calls"}
_OWN_HISTORY = Expected(
    NATIVE,
    ("The bytes pass: here the client sends its history itself.", "字节原样通过:历史由客户端自己负责。"),
)
SIGNATURES = [
    Feature(
        "signature-kept",
        "signatures over two turns, with a client that sends all back",
        "两轮之间的签名(客户端全部送回)",
        wish(tools=[WEATHER], thoughts=True),
        said=_SIGNED,
        models=REASONING,
        outcomes={CHAT: None},
        kind="kept",
    ),
    Feature(
        "signature-dropped",
        "signatures over two turns, with a client that drops what it does not know",
        "两轮之间的签名(客户端丢掉不认识的字段)",
        wish(tools=[WEATHER], thoughts=True),
        said=_SIGNED,
        models=REASONING,
        outcomes={CHAT: None, **{(name, name): _OWN_HISTORY for name in (GEMINI, RESPONSES, ANTHROPIC)}},
        kind="dropped",
    ),
]


def _failure(status: int, words: str, zh: str) -> Feature:
    return Feature(
        f"error-{status}", words, zh, wish(), said={"status": status, "words": "The vendor's words."}, kind="error"
    )


ERRORS = [
    _failure(400, "the vendor's 400", "服务商的 400"),
    _failure(429, "the vendor's 429, with the time to wait", "服务商的 429(含等待时间)"),
    _failure(503, "the vendor's 503", "服务商的 503"),
    Feature(
        "failed",
        "a failure in mid-stream",
        "流中途的错误",
        wish(),
        said={"words": "The vendor's words."},
        kind="broken",
    ),
    Feature(
        "broken",
        "a connection that breaks in mid-stream",
        "流中途断开的连接",
        wish(),
        said={"words": None},
        kind="broken",
    ),
]
COUNTING = Feature(
    "count",
    "counting tokens beforehand",
    "预先计算词元",
    wish(),
    said={"input_tokens": 31},
    kind="count",
    outcomes={
        CHAT: refused(*_no("counting", "计数"), status=501),
        (ANTHROPIC, CHAT): refused(*_no("counting", "计数")),
    },
)

BUILT_IN = [
    setting(
        "search",
        "web search",
        "网络搜索",
        "search",
        True,
        models={CHAT: "gpt-4o-search-preview"},
        outcomes={
            (caller, CHAT): Expected(
                CARRIED,
                ("With OpenAI's search models; others are a 400.", "限 OpenAI 的搜索模型;其他模型得 400。"),
            )
            for caller in (GEMINI, RESPONSES, ANTHROPIC)
        },
    ),
    setting(
        "code",
        "code run by the vendor",
        "服务商运行代码",
        "code",
        True,
        outcomes={CHAT: refused(*_no("code execution", "代码执行"))},
    ),
    setting(
        "fetch",
        "pages read by the vendor",
        "服务商读取网页",
        "fetch",
        True,
        outcomes=dict.fromkeys((CHAT, RESPONSES), refused(*_no("reading of pages", "网页读取"))),
    ),
]

REST = [
    setting("tier", "service tier `flex`", "服务等级 `flex`", "tier", "flex", outcomes={ANTHROPIC: _FLEX}),
    setting("standard", "service tier `standard`", "服务等级 `standard`", "tier", "standard"),
    setting("user", "the end user's id", "最终用户标识", "user", "user-17", outcomes={GEMINI: _NO_METADATA}),
    setting(
        "metadata",
        "metadata",
        "元数据",
        "metadata",
        {"team": "blue"},
        outcomes={
            **dict.fromkeys((GEMINI, ANTHROPIC), _NO_METADATA),
            (RESPONSES, CHAT): hint(
                "Chat Completions takes metadata with `store` only; the answer repeats it.",
                "Chat Completions 只在 `store` 时接受元数据;回答会重复它。",
            ),
        },
    ),
    setting(
        "verbosity",
        "verbosity",
        "详细程度",
        "verbosity",
        "low",
        models=REASONING,
        outcomes=dict.fromkeys((GEMINI, ANTHROPIC), _VERBOSITY),
    ),
    setting(
        "cache_control",
        "`cache_control`",
        "`cache_control`",
        "cache_control",
        True,
        outcomes=dict.fromkeys((GEMINI, CHAT, RESPONSES), _CACHE_HINT),
    ),
    setting(
        "cache_key",
        "`prompt_cache_key`",
        "`prompt_cache_key`",
        "cache_key",
        "k-1",
        outcomes=dict.fromkeys((GEMINI, ANTHROPIC), _CACHE_HINT),
    ),
    setting(
        "safety",
        "safety settings",
        "安全设置",
        "safety",
        [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
        outcomes={**dict.fromkeys(PROTOCOLS[1:], _ONLY_GOOGLE), (CHAT, CHAT): None},
    ),
    setting(
        "cached",
        "content cached at Google",
        "Google 上的缓存内容",
        "cached",
        "cachedContents/abc",
        outcomes={**dict.fromkeys(PROTOCOLS[1:], _GOOGLES_CACHE), (CHAT, CHAT): None},
    ),
    setting(
        "truncation",
        "`truncation`",
        "`truncation`",
        "truncation",
        "auto",
        outcomes=dict.fromkeys(PROTOCOLS, lost(*_no("`truncation`", " `truncation`"))),
    ),
    setting(
        "unknown",
        "a field that nobody knows",
        "没有人认识的字段",
        "unknown",
        1,
        outcomes=dict.fromkeys(PROTOCOLS, _NOBODYS),
    ),
]

GROUPS: list[tuple[str, str, list[Feature]]] = [
    ("Conversation", "对话", CONVERSATION),
    ("Functions", "函数", TOOLS),
    ("Form of the answer", "回答的形式", FORMS),
    ("Sampling and limits", "采样与上限", SAMPLING),
    ("Reasoning", "思考", [*REASON, *SIGNATURES]),
    ("Vendors' tools", "服务商的工具", BUILT_IN),
    ("Answers", "回答", ANSWERS),
    ("Errors", "错误", ERRORS),
    ("The rest", "其他", [*REST, COUNTING]),
]
FEATURES = [feature for _, _, features in GROUPS for feature in features]
