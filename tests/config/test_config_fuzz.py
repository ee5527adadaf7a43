"""Whatever the file holds, the answer is settings or ConfigError: never another exception, never a secret."""

from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dragoman.config import ConfigError, load, redacted, source
from dragoman.config.explanation import parse_path
from dragoman.config.reference import speakable

SECRET = "hunter2hunter2"
ENV = {"KEY": SECRET}

WORDS = """
    server data database shared providers models keys log local host port workers tls certificate private_key
    drain_timeout max_body protocols base_url api_key api_keys timeouts connect headers transport targets
    provider model weight priority price input output aliases limits budget usd window expires_at name key
    google fast << ${KEY} x.y
"""
names = st.sampled_from(WORDS.split()) | st.text(max_size=5)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.dates()
    | st.sampled_from(
        ["${KEY}", "${NO}", "${", "gemini", "local", "30s", "1MB", "google", "fast", "~x/y", "\ud800", "*"]
    )
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=25,
)
files = st.dictionaries(names, values, max_size=6)
shaped = st.fixed_dictionaries(
    {},
    optional={
        "server": st.dictionaries(names, values, max_size=4) | scalars,
        "providers": st.dictionaries(names, st.dictionaries(names, values, max_size=4), max_size=3),
        "models": st.dictionaries(names, st.dictionaries(names, values, max_size=4), max_size=3),
        "keys": st.lists(st.dictionaries(names, values, max_size=4), max_size=3),
        "data": scalars,
    },
)


def assert_fit_to_print(error: ConfigError) -> None:
    assert error.problems
    for problem in error.problems:
        text = f"{problem} {problem.excerpt} {json.dumps(problem.as_dict())}"
        text.encode()
        assert SECRET not in text
        assert "\n" not in text
        assert (problem.line >= 1) == (problem.col >= 1)


def survive(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dragoman.yaml"
        path.write_bytes(data)
        try:
            loaded = load(path, ENV)
        except ConfigError as error:
            assert_fit_to_print(error)
        else:
            # A path or a name that was itself taken from the variable is no secret to us.
            open_to_all = [
                path
                for path, origin in loaded.origins.items()
                if "environment KEY" in origin and speakable(parse_path(path))
            ]
            assert open_to_all or SECRET not in json.dumps(redacted(loaded.settings))
            loaded.settings.dump_secret_json()


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    survive(data)


@settings(deadline=None)
@given(st.text(st.sampled_from("ab:-[]{}&*!|>'\"%@`#,? \n\t${}<0_") | st.characters(), max_size=200))
def test_any_text(text: str) -> None:
    survive(text.encode(errors="replace"))


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=200, deadline=None)
@given(files | shaped)
def test_any_yaml(value: Any) -> None:
    out = io.StringIO()
    yaml.safe_dump(value, out, allow_unicode=False, default_flow_style=None)
    survive(out.getvalue().encode(errors="replace"))


@settings(deadline=None)
@given(st.text(st.sampled_from("ab:-[]{}&*!'\"#,? \n$0"), max_size=80))
def test_both_parsers_agree(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        outcomes = []
        for loader in (yaml.CSafeLoader, yaml.SafeLoader):
            patch.setattr(source, "_LOADER", loader)
            try:
                source.parse(text, "x")
                outcomes.append("good")
            except ConfigError:
                outcomes.append("refused")
        # libyaml and PyYAML's own parser differ over a few odd texts; neither may fail in another way.
        assert set(outcomes) <= {"good", "refused"}
