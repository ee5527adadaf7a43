"""The command line as a whole: its pages name everything, its help is quick, and no verb hangs loose."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from dragoman.cli import VERBS, dragoman

DOCS = Path(__file__).parents[2] / "docs"
OURS = ("ask", "keys", "requests", "usage", "db", "models", "providers", "try", "doctor", "serve", "init")


def leaves(group: click.Group, *above: str) -> Iterator[tuple[str, click.Command]]:
    """Every verb that does something, by its whole name."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        if isinstance(found, click.Group):
            yield from leaves(found, *above, name)
        else:
            yield " ".join((*above, name)), found


LEAVES = dict(leaves(dragoman))


@pytest.mark.parametrize("page", ["cli.md", "zh/cli.md"])
def test_the_page_names_every_verb_and_option(page: str) -> None:
    text = (DOCS / page).read_text()
    sections = {part.partition("\n")[0].strip(): part for part in re.split(r"^## ", text, flags=re.MULTILINE)}
    for verb, found in LEAVES.items():
        section = sections[f"dragoman {verb}"]
        assert f"dragoman {verb}" in section.partition("\n")[2], f"{verb} has no example"
        for option in found.params:
            for spelling in option.opts if isinstance(option, click.Option) else ():
                assert re.search(rf"`{spelling}\b", section), f"{page}: {verb} has no {spelling}"
                if spelling.startswith("--") and spelling not in ("--verbose", "--config", "--output"):
                    row = next(line for line in section.splitlines() if line[0:1] == "|" and f"`{spelling}" in line)
                    assert row.count(spelling) > 1 or "DRAGOMAN_TOKEN=" in row, f"{spelling} has no example"
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))
    known = {spelling for found in LEAVES.values() for option in found.params for spelling in option.opts}
    assert named <= known | {"--help", "--version"}


def test_both_pages_have_the_same_sections_and_rows() -> None:
    english, chinese = ((DOCS / page).read_text() for page in ("cli.md", "zh/cli.md"))
    for pattern in (r"^## dragoman .*$", r"^\| `[^|]+?[` ]", r"^\|.*\|$"):
        first, second = (re.findall(pattern, text, flags=re.MULTILINE) for text in (english, chinese))
        assert len(first) == len(second)
    assert re.findall(r"^## dragoman .*$", english, re.M) == re.findall(r"^## dragoman .*$", chinese, re.M)


@pytest.mark.parametrize("verb", [verb for verb in LEAVES if verb.split()[0] in OURS])
def test_help_begins_with_two_examples(verb: str) -> None:
    text = (LEAVES[verb].help or "").replace("\b", "")
    _, first, *_ = re.split(r"\n\s*\n", text)
    assert len(first.strip().splitlines()) == 2
    assert all(f"dragoman {verb}" in line for line in first.strip().splitlines())


def test_help_at_once() -> None:
    """The list of verbs comes without importing any of them, or what they need."""
    look = (
        "import sys; from dragoman.cli import dragoman\n"
        "try: dragoman(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'pydantic', 'aiohttp', 'yaml', 'rich', 'msgspec'} & set(sys.modules)))"
    )
    done = subprocess.run((sys.executable, "-c", look), capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]"
    for verb, (_, line) in VERBS.items():
        assert re.search(rf"^  {verb} +{re.escape(line[:20])}", done.stdout, re.MULTILINE)


def test_json_on_every_verb_that_prints_data() -> None:
    without = {verb for verb, found in LEAVES.items() if not any(o.name == "as_json" for o in found.params)}
    assert without == {"serve", "config schema"}  # the one prints no data, the other nothing but JSON
