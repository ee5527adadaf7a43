"""JSON Schema through both of Google's doors: what comes out is what Google takes, and accepts no less."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from json_schema import is_valid

from dragoman.protocols.gemini.clean_schema import clean
from dragoman.protocols.gemini.lower_schema import lower, lower_parameters
from dragoman.protocols.gemini.schema import json_schema

# Fields of google.ai.generativelanguage_v1beta.types.Schema (0.12.1).
PROTO = frozenset(
    {
        "type", "format", "title", "description", "nullable", "enum", "items", "maxItems", "minItems", "properties",
        "required", "minProperties", "maxProperties", "minimum", "maximum", "minLength", "maxLength", "pattern", "example",
        "anyOf", "propertyOrdering", "default",
    }
)  # fmt: skip


@pytest.mark.parametrize(
    ("schema", "written"),
    [
        ({"type": "string", "title": "T", "$comment": "c", "examples": ["a"], "default": "a"}, {"type": "STRING"}),
        ({"const": "a"}, {"type": "STRING", "enum": ["a"]}),
        ({"type": "integer", "const": 3}, {"type": "INTEGER", "description": "(allowed: 3)"}),
        (
            {"type": "integer", "enum": [1, 2], "description": "d"},
            {"type": "INTEGER", "description": "d (allowed: 1, 2)"},
        ),
        ({"enum": ["a", None]}, {"type": "STRING", "enum": ["a"], "nullable": True}),
        (
            {"enum": ["a", 1]},
            {"anyOf": [{"type": "STRING", "enum": ["a"]}, {"type": "NUMBER", "description": "(allowed: 1)"}]},
        ),
        ({"type": ["string", "null"]}, {"type": "STRING", "nullable": True}),
        ({"type": ["string", "integer"]}, {"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]}),
        ({"type": "null"}, {"type": "NULL"}),
        (
            {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "d", "default": None},
            {"type": "STRING", "nullable": True, "description": "d"},
        ),
        (
            {
                "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
                "type": "object",
                "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
            },
            {
                "anyOf": [
                    {
                        "type": "OBJECT",
                        "properties": {"a": {"type": "STRING"}, "b": {"type": "STRING"}},
                        "required": ["a"],
                    },
                    {
                        "type": "OBJECT",
                        "properties": {"a": {"type": "STRING"}, "b": {"type": "STRING"}},
                        "required": ["b"],
                    },
                ]
            },
        ),
        (
            {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 9},
            {"type": "INTEGER", "minimum": 1, "maximum": 8},
        ),
        (
            {"type": "number", "exclusiveMinimum": 0},
            {"type": "NUMBER", "minimum": 0, "description": "(greater than 0)"},
        ),
        ({"type": "number", "multipleOf": 5}, {"type": "NUMBER", "description": "(multipleOf: 5)"}),
        ({"type": "string", "format": "date-time"}, {"type": "STRING", "format": "date-time"}),
        ({"type": "string", "format": "uuid"}, {"type": "STRING", "description": "(format: uuid)"}),
        ({"type": "array"}, {"type": "ARRAY", "items": {}}),
        (
            {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
            {"type": "ARRAY", "items": {"type": "STRING"}, "description": "(no item twice)"},
        ),
        (
            {"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}], "items": False},
            {"type": "ARRAY", "items": {"anyOf": [{"type": "STRING"}, {"type": "NUMBER"}]}, "maxItems": 2},
        ),
        ({"type": "object", "properties": {}, "additionalProperties": False}, {"type": "OBJECT"}),
        (
            {"type": "object", "properties": {"a": True, "b": False}, "required": ["a", "b", "c"]},
            {"type": "OBJECT", "properties": {"a": {}}, "required": ["a"]},
        ),
        (
            {"type": "object", "properties": {"a": {"type": "string", "required": True}}},
            {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}, "required": ["a"]},
        ),
        (
            {
                "$ref": "#/$defs/a~1b%20c",
                "description": "mine",
                "$defs": {"a/b c": {"type": "string", "description": "its"}},
            },
            {"type": "STRING", "description": "mine"},
        ),
        (
            {
                "allOf": [
                    {"type": "object", "properties": {"a": {"type": "string"}}},
                    {"properties": {"b": {"type": "string"}}, "required": ["b"]},
                ]
            },
            {"type": "OBJECT", "properties": {"a": {"type": "STRING"}, "b": {"type": "STRING"}}, "required": ["b"]},
        ),
    ],
)
def test_what_is_written(schema: Any, written: Any) -> None:
    assert lower(schema, {}) == written


def test_properties_named_like_keywords_stay() -> None:
    names = ("title", "format", "default", "type", "$ref", "const", "properties", "enum", "anyOf")
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in names}, "required": list(names)}
    written = lower(schema, {})
    assert list(written["properties"]) == written["required"] == list(names)


def test_a_circle_is_cut() -> None:
    tree = {"type": "object", "properties": {"next": {"$ref": "#/definitions/Tree"}}}
    loosened: dict[str, None] = {}
    written = lower({"$ref": "#/definitions/Tree", "definitions": {"Tree": tree}}, loosened)
    assert written["properties"]["next"] == {"type": "OBJECT", "description": "See: Tree"} and "$ref" in loosened


def test_arguments_are_an_object() -> None:
    assert lower_parameters({"type": "object", "properties": {}}, {}) is None
    assert lower_parameters({}, {}) is None
    cat = {
        "type": "object",
        "properties": {"cat": {"type": "string"}, "n": {"type": "string"}},
        "required": ["cat", "n"],
    }
    dog = {
        "type": "object",
        "properties": {"dog": {"type": "string"}, "n": {"type": "integer"}},
        "required": ["dog", "n"],
    }
    assert lower_parameters({"anyOf": [cat, dog], "description": "d"}, {}) == {
        "type": "OBJECT",
        "description": "d",
        "properties": {
            "cat": {"type": "STRING"},
            "n": {"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]},
            "dog": {"type": "STRING"},
        },
        "required": ["n"],
    }


def test_alternatives_do_not_multiply_without_end() -> None:
    schema: Any = {"type": "string"}
    for _ in range(30):
        schema = {
            "anyOf": [{"properties": {"a": schema}}, {"required": ["a"]}],
            "type": "object",
            "properties": {"b": schema},
        }
    loosened: dict[str, None] = {}
    assert len(str(lower(schema, loosened))) < 2_000_000 and "depth" in loosened


_VALUES = st.recursive(
    st.sampled_from([None, True, False, 0, 1, 2, 3, -1, 0.5, 2.0, "", "a", "b", "ab"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=5,
)
_SMALL = st.integers(0, 3)
_NUMBERS = st.sampled_from([0, 1, 2, 0.5, -1])
_NAMES = st.lists(st.sampled_from("abc"), unique=True, max_size=2)


def _nodes(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    children = st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    texts = {
        "minLength": _SMALL,
        "maxLength": _SMALL,
        "pattern": st.sampled_from(["a", "^b"]),
        "format": st.just("uuid"),
    }
    numbers = {
        "minimum": _NUMBERS, "maximum": _NUMBERS, "exclusiveMinimum": _NUMBERS, "exclusiveMaximum": _NUMBERS,
        "multipleOf": st.sampled_from([1, 2]), "enum": st.lists(_NUMBERS, min_size=1, max_size=2),
    }  # fmt: skip
    lists = {
        "items": inner, "prefixItems": st.lists(inner, max_size=2), "minItems": _SMALL, "maxItems": _SMALL, "contains": inner,
    }  # fmt: skip
    objects = {
        "properties": children, "required": _NAMES, "additionalProperties": inner, "minProperties": _SMALL,
        "maxProperties": _SMALL, "patternProperties": st.fixed_dictionaries({"^[ab]": inner}),
    }  # fmt: skip
    typed = st.one_of(
        *(
            st.fixed_dictionaries({"type": kinds}, optional=rest)
            for kinds, rest in (
                (st.sampled_from(["string", ["string", "null"]]), texts),
                (st.sampled_from(["number", "integer", ["integer", "null"], ["integer", "string"]]), numbers),
                (st.just("array"), lists),
                (st.sampled_from(["object", ["object", "null"]]), objects),
                (st.sampled_from(["null", "boolean", ["string", "object", "array"]]), {}),
            )
        )
    )
    several = st.lists(inner, min_size=1, max_size=3)
    combined = st.one_of(
        st.fixed_dictionaries(
            {name: several}, optional={"not": inner, "type": st.just("object"), "properties": children}
        )
        for name in ("anyOf", "oneOf", "allOf")
    ).map(lambda node: {**node, "type": "object"} if "properties" in node else node)  # else it might be anything
    chosen = st.fixed_dictionaries({"if": inner}, optional={"then": inner, "else": inner})
    return st.one_of(typed, combined, chosen)


_LEAVES = st.one_of(
    st.booleans(),
    st.just({}),
    st.builds(lambda value: {"const": value}, _VALUES),
    st.builds(lambda values: {"enum": values}, st.lists(_VALUES, min_size=1, max_size=3)),
    # Only what lies inside a property or an item may lead back, so that every value ends.
    st.builds(lambda name: {"type": "object", "properties": {"a": {"$ref": f"#/$defs/{name}"}}}, st.sampled_from("DE")),
)
_ANY = st.recursive(_LEAVES, _nodes, max_leaves=6)
_SCHEMAS = st.builds(
    lambda root, one, other: {**root, "$defs": {"D": one, "E": other}},
    _ANY.filter(lambda one: isinstance(one, dict)),
    _ANY,
    _ANY,
)


@given(_SCHEMAS, st.lists(_VALUES, min_size=15, max_size=15))
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_nothing_is_refused_that_was_accepted(schema: Any, values: list[Any]) -> None:
    loosened: dict[str, None] = {}
    cleaned, lowered = clean(schema, loosened), lower(schema, {})
    check_proto(lowered)
    again = json_schema(lowered, "s")
    tighter = [value for value in values if is_valid(value, schema) and not is_valid(value, cleaned)]
    assert tighter == []
    tighter = [value for value in values if is_valid(value, schema) and not is_valid(value, again)]
    assert tighter == []
    looser = [value for value in values if not is_valid(value, schema) and is_valid(value, cleaned)]
    assert loosened or not looser


def check_proto(schema: Any) -> None:
    assert schema.keys() <= PROTO
    assert isinstance(schema.get("type", ""), str)
    assert all(isinstance(word, str) and word for word in schema.get("enum", ()))
    assert set(schema.get("required", ())) <= set(schema.get("properties", {}))
    assert "items" in schema or schema.get("type") != "ARRAY"
    assert not schema.get("anyOf") or not schema.keys() - {"anyOf", "description", "nullable"}
    for below in (
        *schema.get("properties", {}).values(),
        *schema.get("anyOf", ()),
        *([schema["items"]] if "items" in schema else []),
    ):
        check_proto(below)
