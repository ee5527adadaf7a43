"""What a vendor says: answers, their ends and counts, what its own tools did, errors."""

from __future__ import annotations

from conformance.outcomes import CARRIED, Expected, emulated, hint, refused
from conformance.table import ANTHROPIC, CHAT, CITED, GEMINI, NO, PROTOCOLS, RESPONSES, SAID, Feature, no, setting, wish

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
        outcomes={CHAT: refused(*no("code execution", "代码执行")), (CHAT, CHAT): None},
    ),
    setting(
        "fetch",
        "pages read by the vendor",
        "服务商读取网页",
        "fetch",
        True,
        outcomes={**dict.fromkeys((CHAT, RESPONSES), refused(*no("reading of pages", "网页读取"))), (CHAT, CHAT): None},
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
        "written",
        "tokens written to the vendor's cache",
        "写入服务商缓存的词元",
        wish(),
        said={**SAID, "usage": {"in": 120, "out": 70, "cached": 20, "reasoning": 0}, "written": 60},
        hears=("parts", "finish", "usage", "written"),
        outcomes={
            (GEMINI, vendor): hint(
                "Gemini counts them as input.", "Gemini 计为输入。", place="usageMetadata", hears={"written": None}
            )
            for vendor in PROTOCOLS
        },
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
        "ran",
        "code that the vendor ran, and what it gave",
        "服务商运行的代码与输出",
        wish(code=True),
        said={"parts": [("ran", "print(6 * 7)"), ("gave", "42\n"), ("text", "It is 42.")], "finish": "stop"},
        outcomes={
            (CHAT, vendor): emulated(
                "As text between fences.",
                "以围栏中的文本给出。",
                hears={"parts": [("text", "\n```python\nprint(6 * 7)\n```\n\n```output\n42\n```\nIt is 42.")]},
            )
            for vendor in (GEMINI, RESPONSES, ANTHROPIC)
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
        CHAT: refused(*no("counting", "计数"), status=501),
        (ANTHROPIC, CHAT): refused(*no("counting", "计数")),
    },
)
