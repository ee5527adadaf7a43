"""The pages hold together: links lead somewhere, commands exist, every user's page is there in both languages."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
# For those who work on Dragoman rather than with it.
ONE_LANGUAGE = {"dependencies.md"}

_LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)[^)]*\)")
_MAKE = re.compile(r"(?:^|`)make ([a-z-]+)", re.MULTILINE)


def test_there_are_pages() -> None:
    assert len(PAGES) > 15


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = [link for link in _LINK.findall(page.read_text()) if "://" not in link and not link.startswith("mailto:")]
    missing = [link for link in links if not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(_MAKE.findall(page.read_text())) <= targets


def test_every_users_page_is_there_in_both_languages() -> None:
    english = {page.name for page in ROOT.glob("docs/*.md")} - ONE_LANGUAGE
    chinese = {page.name for page in ROOT.glob("docs/zh/*.md")} - {"README.md"}
    assert english == chinese


def test_readme_begins_with_the_two_commands() -> None:
    first = re.search(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert first is not None
    assert [line.partition("#")[0].strip() for line in first[1].splitlines()] == ["make serve", "make test"]


def test_flow_is_one_page() -> None:
    """One request can be read top to bottom in under 100 lines."""
    assert len((ROOT / "src/dragoman/pipeline/flow.py").read_text().splitlines()) < 100


def test_the_rooms_that_the_architecture_names_are_those_there_are() -> None:
    named = set(re.findall(r"^\| `([a-z]+)/`", (ROOT / "ARCHITECTURE.md").read_text(), re.MULTILINE))
    there = {path.parent.name for path in (ROOT / "src/dragoman").glob("*/__init__.py")}
    assert named == there


@pytest.mark.parametrize("page", ["docs/errors.md", "docs/zh/errors.md"])
def test_every_code_of_an_error_is_told(page: str) -> None:
    said = re.compile(r'\b(?:code|self\.error)"?(?: ?= ?|: )"([a-z_]+)"')
    sources = [path.read_text() for path in (ROOT / "src/dragoman").glob("**/*.py")]
    codes = {code for source in sources for code in said.findall(source)}
    rows = re.findall(r"^\| (`[^|]+) \|", (ROOT / page).read_text(), re.MULTILINE)
    told = [code for row in rows for code in re.findall(r"`([a-z_]+)`", row)]
    assert sorted(told) == sorted(codes)
