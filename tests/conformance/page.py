"""The pages of what passed, in English and Chinese: a table for each caller's protocol, with footnotes for the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from conformance.features import FEATURES, GROUPS
from conformance.outcomes import CARRIED, EMULATED, HINT, LOST, NATIVE, REFUSED, WORDS
from conformance.table import MODELS, PROTOCOLS, Feature

DOCS = Path(__file__).parents[2] / "docs"
# (feature's name, caller, vendor, stream) -> the outcome that was proved.
Results = dict[tuple[str, str, str, bool], str]
TITLES = {
    "gemini": "Gemini",
    "openai-chat": "Chat Completions",
    "openai-responses": "Responses",
    "anthropic": "Messages",
}
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


class Language(NamedTuple):
    """`at` is where its words stand in the table's pairs."""

    at: int
    path: Path
    opening: str
    words: dict[str, str]
    meanings: dict[str, str]
    head: tuple[str, str]
    nothing: str
    caller: str
    feature: str
    stream: str
    counts: str


ENGLISH = Language(
    0,
    DOCS / "conformance.md",
    """# Conformance

*[中文](zh/conformance.md)*

What becomes of each feature between a caller's protocol and a vendor's. This page is written by tests that ran: a real gateway
stands between raw HTTP and four scripted vendors, and every cell was tried, at once and as a stream, and judged by what the
vendor was sent and what the caller got. `make conformance` writes the page anew; `make test` fails where it says anything else
than what passed. How things are carried is told in [Translation and losses](translation.md).

{count} cases of {features} features passed. The models that stood for their vendors, where a feature does not want another:
{models}.
""",
    {NATIVE: NATIVE, CARRIED: CARRIED, EMULATED: EMULATED, HINT: HINT, LOST: "**lost**", REFUSED: "**refused**"},
    {
        NATIVE: "both sides speak the same protocol: the body and the answer pass byte for byte",
        CARRIED: "it arrives in the other protocol's own form",
        EMULATED: "the other protocol has no form for it; what stands in for it is in the footnote",
        HINT: "left out, for the answer is the same without it: the log line and the metrics tell, the header does not",
        LOST: "left out, and named in `x-dragoman-losses`; with `x-dragoman-strict: true` it is a 400 and nothing is sent",
        REFUSED: "400 in the caller's envelope, naming the field; nothing is sent (501 where a whole call is missing)",
        "–": "there is nothing to try: the caller's protocol cannot ask for it, or the vendor's cannot say it",
    },
    ("word", "meaning"),
    "–",
    "A caller of {}",
    "feature",
    "as a stream",
    "features by outcome",
)
CHINESE = Language(
    1,
    DOCS / "zh" / "conformance.md",
    """# 一致性

*[English](../conformance.md)*

每项功能在调用方的协议与服务商的协议之间会怎样。本页由实际运行的测试生成:真实的网关位于原始 HTTP 请求与四个按脚本应答的服务商之间,
每一格都试过(一次性与流式),并以服务商收到的内容和调用方得到的内容为准。`make conformance` 重新生成本页;
本页与通过的结果不符时,`make test` 失败。如何传达见[翻译与损失](translation.md)。

{features} 项功能的 {count} 个用例通过。除功能另有需要外,代表各服务商的模型是:{models}。
""",
    {NATIVE: "原样", CARRIED: "传达", EMULATED: "模拟", HINT: "提示", LOST: "**丢失**", REFUSED: "**拒绝**"},
    {
        NATIVE: "两边协议相同:请求体与回答逐字节通过",
        CARRIED: "以对方协议自己的形式到达",
        EMULATED: "对方协议没有这种形式;用什么代替见脚注",
        HINT: "略去,没有它回答也一样:日志行与指标会说明,响应头不列出",
        LOST: "略去,并在 `x-dragoman-losses` 中列出;`x-dragoman-strict: true` 时为 400,什么也不发送",
        REFUSED: "以调用方的错误格式返回 400,并指出字段;什么也不发送(整个调用都没有时为 501)",
        "–": "无可尝试:调用方的协议无法提出,或服务商的协议无法表达",
    },
    ("词", "含义"),
    "–",
    "{} 的调用方",
    "功能",
    "流式",
    "按结果统计的功能数",
)


def written(language: Language, results: Results) -> str:
    """A page, whole."""
    models = ", ".join(f"`{model}` ({TITLES[vendor]})" for vendor, model in MODELS.items())
    opening = language.opening.format(count=len(results), features=len(FEATURES), models=models)
    lines = [opening, f"| {language.head[0]} | {language.head[1]} |", "|---|---|"]
    lines += [f"| {language.words.get(word, word)} | {meaning} |" for word, meaning in language.meanings.items()]
    for caller in PROTOCOLS:
        lines += ["", f"## {language.caller.format(TITLES[caller])}", "", *_table(language, results, caller)]
    return "\n".join(lines) + "\n"


def _table(language: Language, results: Results, caller: str) -> Iterable[str]:
    yield f"| {language.feature} | " + " | ".join(TITLES[vendor] for vendor in PROTOCOLS) + " |"
    yield "|---|" + "---|" * len(PROTOCOLS)
    notes: list[str] = []
    counts: dict[str, Counter[str]] = {vendor: Counter() for vendor in PROTOCOLS}
    for group in GROUPS:
        rows = []
        for feature in group[2]:
            cells = [_cell(language, results, feature, caller, vendor, notes) for vendor in PROTOCOLS]
            if all(cell == language.nothing for cell in cells):
                continue
            rows.append(f"| {(feature.en, feature.zh)[language.at]} | " + " | ".join(cells) + " |")
            for vendor in PROTOCOLS:
                counts[vendor].update({_worst(results, feature, caller, vendor): 1})
        if rows:
            yield f"| **{group[language.at]}** |" + " |" * len(PROTOCOLS)
            yield from rows
    told = [
        ", ".join(f"{language.words[word]} {counts[vendor][word]}" for word in WORDS if counts[vendor][word])
        for vendor in PROTOCOLS
    ]
    yield f"| **{language.counts}** | " + " | ".join(told) + " |"
    if notes:
        yield ""
        yield from (f"{number}. {note}" for number, note in enumerate(notes, 1))


def _cell(language: Language, results: Results, feature: Feature, caller: str, vendor: str, notes: list[str]) -> str:
    told = []
    for stream in (False, True):
        word = results.get((feature.name, caller, vendor, stream))
        if word is None:
            continue
        expected = feature.expected(caller, vendor, stream)
        assert expected is not None
        cell = language.words[word]
        # A reason for other callers says nothing where the bytes pass.
        if expected.why is not None and (word != NATIVE or expected.word == NATIVE):
            note = expected.why[language.at]
            if note not in notes:
                notes.append(note)
            cell += " " + str(notes.index(note) + 1).translate(_RAISED)
        told.append(cell)
    if not told:
        return language.nothing
    return told[0] if len(set(told)) == 1 else f"{told[0]}; {language.stream}: {told[1]}"


def _worst(results: Results, feature: Feature, caller: str, vendor: str) -> str:
    words = [results.get((feature.name, caller, vendor, stream)) for stream in (False, True)]
    return max((word for word in words if word is not None), key=WORDS.index, default="")
