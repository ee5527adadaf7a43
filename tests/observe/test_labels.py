import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.observe.labels import MAX_LABEL, MAX_SERIES, attempt_key, field_path, label, loss_key, request_key

NAMES = st.sampled_from(["messages", "contents", "parts", "topK", "properties", "metadata", "a b", "é", "x-y", "$defs"])
PATHS = st.lists(
    st.one_of(NAMES, NAMES.flatmap(lambda name: st.integers(0, 99).map(lambda n: f"{name}[{n}]"))),
    min_size=1,
    max_size=8,
).map(".".join)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("messages[0].x", "messages[].x"),
        ("contents[12].parts[3].inlineData", "contents[].parts[].inlineData"),
        ("generationConfig.topK", "generationConfig.topK"),
        ("messages.0.content", "messages[].content"),
        ("tools[0].function.parameters.properties.age.format", "tools[].function.parameters.properties.*.format"),
        ("metadata.customer_4711", "metadata.*"),
        ('x["a\nb"]', "x[]"),
    ],
)
def test_field_paths(path, shown):
    assert field_path(path) == shown


@given(st.one_of(PATHS, st.text(max_size=300)))
def test_field_paths_are_short_plain_and_without_indexes(path):
    shown = field_path(path)
    assert len(shown) <= MAX_LABEL
    assert shown.isascii()
    assert "\n" not in shown
    assert '"' not in shown
    assert field_path(shown) == shown


@given(PATHS, st.data())
def test_paths_that_differ_in_indexes_only_are_one(path, data):
    other = "".join(str(data.draw(st.integers(0, 9))) if char.isdigit() else char for char in path)
    assert field_path(path) == field_path(other)


@given(st.text(max_size=200))
def test_labels_are_short_and_writable(value):
    assert len(label(value).encode()) <= MAX_LABEL * 4


def test_beyond_the_cap_names_turn_to_other():
    full = {("gemini", "chat", f"m{n}", "p", 200, False): None for n in range(MAX_SERIES)}
    assert request_key(full, ("gemini", "chat", "m1", "p", 200, False))[2] == "m1"
    assert request_key(full, ("gemini", "chat", "new", "p", 200, False)) == (
        "gemini",
        "chat",
        "other",
        "other",
        200,
        False,
    )
    losses = {("a", "b", str(n)): 1 for n in range(MAX_SERIES)}
    assert loss_key(losses, ("a", "b", "x")) == ("a", "b", "other")
    calls = {("p", f"m{n}", "chat", "ok"): None for n in range(MAX_SERIES)}
    assert attempt_key(calls, ("p", "new", "chat", "odd_word")) == ("other", "other", "chat", "other")


def test_an_outcome_is_a_word():
    assert attempt_key({}, ("p", "m", "chat", "insufficient_quota"))[3] == "insufficient_quota"
    assert attempt_key({}, ("p", "m", "chat", "Sorry, no."))[3] == "error"
