"""docs/conformance.md and docs/zh/conformance.md say what passed. `make conformance` writes them anew."""

from __future__ import annotations

import os

import pytest

from conformance.features import FEATURES
from conformance.page import CHINESE, ENGLISH, Language, Results, written
from conformance.test_cases import CASES

UPDATE = os.environ.get("DRAGOMAN_UPDATE_CONFORMANCE") == "1"


@pytest.mark.parametrize("language", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_the_page_says_what_passed(request: pytest.FixtureRequest, results: Results, language: Language) -> None:
    chosen = sum(item.nodeid.startswith("tests/conformance/test_cases.py") for item in request.session.items)
    if chosen < len(CASES):
        pytest.skip("only some cases were chosen")
    assert len(results) == len(CASES), "not all cases passed"
    page = written(language, results)
    if UPDATE:
        language.path.write_text(page)
    assert language.path.exists(), "the page is missing: run make conformance"
    assert language.path.read_text() == page, "the page says something else than what passed: run make conformance"


def test_features_are_told_apart() -> None:
    for names in zip(*((feature.name, feature.en, feature.zh) for feature in FEATURES), strict=True):
        assert len(set(names)) == len(FEATURES)
