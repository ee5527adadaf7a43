import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.ir import Signature
from dragoman.wire.envelope import seal, unseal

_words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)


@given(st.sampled_from(["gemini", "anthropic", "openai"]), _words.filter(bool), _words)
def test_what_is_sealed_comes_out_as_it_was(maker: str, data: str, name: str) -> None:
    signature = Signature(maker, data, name)
    sealed = seal(signature)
    assert re.fullmatch(r"dg1\.[a-z]+\.[A-Za-z0-9_-]+", sealed)
    assert unseal(sealed) == signature


def test_the_text_is_stable() -> None:
    assert seal(Signature("openai", "gAAA", "rs_1")) == "dg1.openai.cnNfMQBnQUFB"


def test_a_pictures_signature_fits() -> None:
    signature = Signature("gemini", "A" * 600_000)
    assert unseal(seal(signature)) == signature


@pytest.mark.parametrize(
    "text",
    [
        "",
        "dg1.",
        "dg1.gemini",
        "dg1.gemini.",
        "dg1..AGFi",
        "dg1.Gemini.AGFi",
        "dg1.gem1ni.AGFi",
        "dg1.gemini.A",
        "dg1.gemini.AGF\n",
        "dg1.gemini.YWJj",  # nothing between id and data
        "dg1.gemini.cnMA",  # an id and no data
        "dg1.gemini._wD_",  # no UTF-8
        "dg1.gemini.é",
        "dg1.ǆ.AGFi",
        "dg2.gemini.AGFi",
        " dg1.gemini.AGFi",
        "EqQBCgIYAhIM1gbcDa9GJwZA2b3h",
    ],
)
def test_anything_else_is_none_of_ours(text: str) -> None:
    assert unseal(text) is None


def test_what_is_too_long_is_not_looked_into() -> None:
    assert unseal("dg1.gemini." + "A" * (16 * 1024 * 1024)) is None


@given(st.text())
def test_never_raises(text: str) -> None:
    unseal(text)
    unseal("dg1.gemini." + text)
