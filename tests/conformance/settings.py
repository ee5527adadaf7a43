"""What a caller sets: sampling, reasoning, and fields that one vendor or another knows."""

from __future__ import annotations

from conformance.neutral import Said
from conformance.outcomes import NATIVE, Expected, emulated, hint, lost, refused
from conformance.table import (
    ANTHROPIC,
    CHAT,
    GEMINI,
    PARIS,
    PROTOCOLS,
    REASONING,
    RESPONSES,
    TEXT,
    WEATHER,
    Feature,
    no,
    setting,
    wish,
)

_HAS_NO_SEED = lost(*no("seed", "随机种子"))
_HAS_NO_TOP_K = lost(*no("`top_k`", " `top_k`"))
_HAS_NO_PENALTIES = lost(*no("penalties", "惩罚项"))
_GEMINI_PENALTIES = lost("Gemini's models refuse penalties from 2.5 on.", "Gemini 2.5 起的模型拒绝惩罚项。")
_ONE_ANSWER = refused("The vendor gives one answer.", "服务商只给一个回答。")
_HAS_NO_BIAS = lost(*no("`logit_bias`", " `logit_bias`"))
_FLEX = lost(*no("such tier", "这样的服务等级"))
_ONLY_GOOGLE = lost(*no("safety settings", "安全设置"))
_GOOGLES_CACHE = refused("What it names is kept by Google alone.", "它所指的内容只存放在 Google。")
_NOBODYS = lost(
    "What nobody knows is nowhere sent but to the protocol it came in.", "没有人认识的字段只发给同一协议的服务商。"
)
_VERBOSITY = lost(*no("`verbosity`", " `verbosity`"))
_CACHE_HINT = hint("It steers the vendor's cache only.", "它只影响服务商的缓存。")
_NO_METADATA = hint("The vendor keeps no metadata.", "服务商不保存元数据。")

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
    setting(
        "cold",
        "temperature, for models that take none",
        "温度(不接受它的模型)",
        "temperature",
        0.5,
        models={**REASONING, ANTHROPIC: "claude-opus-4-7"},
        outcomes={
            GEMINI: None,
            **dict.fromkeys(PROTOCOLS[1:], lost("The model's sampling is fixed.", "该模型的采样是固定的。")),
            **{(name, name): None for name in PROTOCOLS},
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
        outcomes={RESPONSES: refused(*no("stop sequences", "停止序列"))},
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
        outcomes={ANTHROPIC: refused(*no("log probabilities", "对数概率"))},
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
        "budget",
        "budget of reasoning in tokens",
        "思考的词元预算",
        "budget",
        2048,
        models={**REASONING, GEMINI: "gemini-2.5-flash", ANTHROPIC: "claude-sonnet-4-5"},
        outcomes={
            **dict.fromkeys(
                (CHAT, RESPONSES),
                emulated("As the effort that it comes to.", "换算成相应的强度。", sees={"effort": "medium"}),
            ),
            (CHAT, CHAT): None,
        },
    ),
    setting(
        "effort-as-budget",
        "effort, for models that take a budget",
        "思考强度(模型只接受预算)",
        "effort",
        "low",
        models={GEMINI: "gemini-2.5-flash", ANTHROPIC: "claude-sonnet-4-5"},
        outcomes={
            GEMINI: emulated("As the budget that it comes to.", "换算成相应的预算。", sees={"budget": 1024}),
            ANTHROPIC: emulated("As the budget that it comes to.", "换算成相应的预算。", sees={"budget": 2048}),
            CHAT: None,
            RESPONSES: None,
            (GEMINI, GEMINI): None,
            (ANTHROPIC, ANTHROPIC): None,
        },
    ),
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
        outcomes={
            CHAT: None,
            (GEMINI, GEMINI): lost(
                "The client sends its history itself; Gemini 3 gets the value that Google documents for lost signatures.",
                "历史由客户端自己负责;Gemini 3 得到 Google 为丢失的签名所规定的值。",
                place="contents[1].parts[0]",
            ),
            **dict.fromkeys(((RESPONSES, RESPONSES), (ANTHROPIC, ANTHROPIC)), _OWN_HISTORY),
        },
        kind="dropped",
    ),
]

REST = [
    setting("tier", "service tier `flex`", "服务等级 `flex`", "tier", "flex", outcomes={ANTHROPIC: _FLEX}),
    setting("standard", "service tier `standard`", "服务等级 `standard`", "tier", "standard"),
    Feature(
        "continued",
        "`previous_response_id` in place of the history",
        "以 `previous_response_id` 代替历史",
        wish(),
        kind="continued",
        outcomes=dict.fromkeys(
            PROTOCOLS,
            emulated("Dragoman keeps answers, and sends the whole history.", "Dragoman 保存回答,并发送完整的历史。"),
        ),
    ),
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
        outcomes=dict.fromkeys(PROTOCOLS, lost(*no("`truncation`", " `truncation`"))),
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
