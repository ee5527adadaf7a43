"""The results as a table for the terminal, and as the measured part of docs/performance.md in both languages."""

from __future__ import annotations

from pathlib import Path

from bench.figures import Results

BEGIN = "<!-- make bench writes from here"
END = "<!-- to here -->"

_WORDS = {
    "en": {
        "begin": BEGIN + " -->",
        "head": ["work", "Dragoman", "yardstick", "ratio", "target", ""],
        "detail": ["under load", "CPU each", "user + system, µs", "throughput", "p50", "p99"],
        "met": "met",
        "missed": "**missed**",
        "when": "Measured on {date} with `{command}`.",
        "machine": "The machine",
        "loaded": "Under full load (16 connections; streams: 40 open at once, p50 and p99 are those of the first event)",
    },
    "zh": {
        "begin": BEGIN + " -->",
        "head": ["工作", "Dragoman", "对照", "比值", "目标", ""],
        "detail": ["满载时", "每次 CPU", "用户态 + 内核态，µs", "吞吐", "p50", "p99"],
        "met": "达到",
        "missed": "**未达到**",
        "when": "测量日期 {date}，命令 `{command}`。",
        "machine": "机器",
        "loaded": "满载（16 个连接；流：同时打开 40 条，p50 与 p99 为首个事件的延迟）",
    },
}


def _verdict(met: bool | None, words: dict[str, str]) -> str:
    return "" if met is None else words["met"] if met else words["missed"]


def plain(results: Results) -> str:
    """Two aligned tables and the notes."""
    words = {"met": "met", "missed": "MISSED"}
    rows: list[tuple[str, ...]] = [("case", "figure", "yardstick", "ratio", "target", "")]
    rows += [(r.case, r.figure, r.yardstick, r.ratio, r.target, _verdict(r.met, words)) for r in results.rows]
    details: list[tuple[str, ...]] = [("under load", "CPU each", "user + system", "throughput", "p50", "p99")]
    details += [(d.name, d.cpu, d.user_system, d.rate, d.p50, d.p99) for d in results.details]
    parts = [_aligned(rows)] if len(rows) > 1 else []
    if len(details) > 1:
        parts.append(_aligned(details))
    parts += [f"note: {note}" for note in results.notes]
    return "\n\n".join(parts)


def _aligned(rows: list[tuple[str, ...]]) -> str:
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def markdown(results: Results, machine: list[tuple[str, str]], *, date: str, command: str, language: str = "en") -> str:
    """The measured part of the page, its marks included."""
    words: dict[str, object] = dict(_WORDS[language])
    verdicts = {"met": str(words["met"]), "missed": str(words["missed"])}
    head, detail = words["head"], words["detail"]
    assert isinstance(head, list) and isinstance(detail, list)
    lines = [str(words["begin"]), "", str(words["when"]).format(date=date, command=command), ""]
    lines += _table(
        head,
        [
            (f"{r.work} (`{r.case}`)", r.figure, r.yardstick, r.ratio, r.target, _verdict(r.met, verdicts))
            for r in results.rows
        ],
    )
    lines += ["", f"{words['loaded']}:", ""]
    lines += _table(detail, [(d.name, d.cpu, d.user_system, d.rate, d.p50, d.p99) for d in results.details])
    lines += ["", f"{words['machine']}:", ""]
    lines += [f"- {name}: {value}" for name, value in machine]
    lines += [f"- {note}" for note in results.notes]
    return "\n".join([*lines, "", END])


def _table(head: list[str], rows: list[tuple[str, ...]]) -> list[str]:
    return [
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
        *("| " + " | ".join(row) + " |" for row in rows),
    ]


def replaced(page: str, part: str) -> str:
    """`page` with what stands between the marks replaced. Raises ValueError where it has no marks."""
    begin, end = page.index(BEGIN), page.index(END) + len(END)
    return page[:begin] + part + page[end:]


def write(root: Path, results: Results, machine: list[tuple[str, str]], *, date: str, command: str) -> None:
    for language, path in (("en", root / "docs/performance.md"), ("zh", root / "docs/zh/performance.md")):
        part = markdown(results, machine, date=date, command=command, language=language)
        path.write_text(replaced(path.read_text(), part))
