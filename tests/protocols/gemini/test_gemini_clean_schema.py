"""JSON Schema on its way through Google's JSON Schema door."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from dragoman.protocols.gemini.clean_schema import clean


def test_properties_named_like_keywords_stay() -> None:
    schema = {
        "$schema": "x",
        "type": "object",
        "properties": {
            "const": {"type": "string"},
            "format": {"type": "string", "format": "uuid", "description": "id"},
            "examples": {"type": "array", "items": {"const": "a"}, "examples": [1]},
            "$schema": {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 10},
            "$ref": {"type": "string"},
            "discriminator": True,
            "ratio": {"type": "number", "exclusiveMinimum": 0.5},
        },
        "required": ["const"],
        "additionalProperties": False,
        "$defs": {"D": {"discriminator": {}, "oneOf": [{"const": None}, {"const": 1.5}]}},
    }
    before = copy.deepcopy(schema)
    assert clean(schema) == {
        "type": "object",
        "properties": {
            "const": {"type": "string"},
            "format": {"type": "string", "description": "id (format: uuid)"},
            "examples": {"type": "array", "items": {"enum": ["a"], "type": "string"}},
            "$schema": {"type": "integer", "minimum": 1, "maximum": 9},
            "$ref": {"type": "string"},
            "discriminator": True,
            "ratio": {"type": "number", "minimum": 0.5, "description": "(greater than 0.5)"},
        },
        "required": ["const"],
        "additionalProperties": False,
        "$defs": {"D": {"anyOf": [{"type": "null"}, {"enum": [1.5], "type": "number"}]}},
    }
    assert schema == before


def test_values_are_not_walked() -> None:
    value = {"const": 1, "examples": [2], "$ref": "#/x", "properties": {"a": {"format": "uuid"}}}
    assert clean({"type": "object", "default": value}) == {"type": "object", "default": value}


@pytest.mark.parametrize(
    ("schema", "cleaned"),
    [
        # enum and const: texts and numbers only
        ({"const": "a"}, {"enum": ["a"], "type": "string"}),
        ({"type": "integer", "const": 3}, {"type": "integer", "enum": [3]}),
        ({"const": True}, {"type": "boolean", "description": "(allowed: true)"}),
        ({"const": {"a": 1}}, {"type": "object", "description": '(allowed: {"a":1})'}),
        ({"enum": ["a", 1]}, {"enum": ["a", 1]}),
        ({"enum": ["a", None]}, {"anyOf": [{"enum": ["a"], "type": "string"}, {"type": "null"}]}),
        (
            {"type": ["string", "null"], "enum": ["a", None], "description": "d"},
            {"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "null"}], "description": "d"},
        ),
        ({"type": "string", "enum": ["a", None]}, {"type": "string", "enum": ["a"]}),
        # bounds
        ({"type": "integer", "exclusiveMinimum": 0, "minimum": 5}, {"type": "integer", "minimum": 5}),
        ({"type": "integer", "minimum": -5, "exclusiveMinimum": 0.0}, {"type": "integer", "minimum": 1}),
        ({"type": ["integer", "null"], "exclusiveMaximum": 9}, {"type": ["integer", "null"], "maximum": 8}),
        ({"type": "number", "exclusiveMaximum": 1}, {"type": "number", "maximum": 1, "description": "(less than 1)"}),
        ({"type": "integer", "minimum": 0, "exclusiveMinimum": True}, {"type": "integer", "minimum": 1}),
        ({"type": "integer", "minimum": 0, "exclusiveMinimum": False}, {"type": "integer", "minimum": 0}),
        # formats
        ({"type": "string", "format": "date-time"}, {"type": "string", "format": "date-time"}),
        ({"type": ["string", "null"], "format": "uri"}, {"type": ["string", "null"], "description": "(format: uri)"}),
        ({"type": "integer", "format": "int64"}, {"type": "integer", "format": "int64"}),
        ({"type": "integer", "format": "uint8"}, {"type": "integer", "description": "(format: uint8)"}),
        # tuples, nullable, positions
        ({"items": [{"const": 1}]}, {"prefixItems": [{"enum": [1], "type": "integer"}]}),
        ({"type": "string", "nullable": True}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        (
            {"items": [True], "additionalItems": {"const": 1}},
            {"prefixItems": [True], "items": {"enum": [1], "type": "integer"}},
        ),
        # what Google has no word for
        ({"dependentSchemas": {"a": {"examples": []}}}, {}),
        ({"not": {"const": "a"}, "if": True}, {}),
        ({"type": "object", "patternProperties": {"^x": {}}, "additionalProperties": False}, {"type": "object"}),
        ({"anyOf": [{"type": "string"}], "oneOf": [{}, {}]}, {"anyOf": [{"type": "string"}]}),
        # draft 3
        (
            {"properties": {"a": {"type": "string", "required": True}, "b": {"required": False}}},
            {"properties": {"a": {"type": "string"}, "b": {}}, "required": ["a"]},
        ),
    ],
)
def test_keywords(schema: Any, cleaned: Any) -> None:
    assert clean(schema) == cleaned


POINT = {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}


def test_a_reference_stands_alone() -> None:
    schema = {
        "type": "object",
        "properties": {
            "plain": {"$ref": "#/$defs/Point"},
            "told": {"$ref": "#/$defs/Point", "description": "where", "default": None},
            "null": {"$ref": "#/$defs/Point", "nullable": True},
            "one": {"allOf": [{"$ref": "#/$defs/Point"}], "description": "d"},
            "more": {"$ref": "#/$defs/Point", "properties": {"y": {"type": "number"}}, "required": ["y"]},
            "nowhere": {"$ref": "other.json", "type": "object"},
        },
        "$defs": {"Point": POINT},
    }
    reference = {"$ref": "#/$defs/Point"}
    assert clean(schema)["properties"] == {
        "plain": reference,
        "told": {"anyOf": [reference], "description": "where", "default": None},
        "null": {"anyOf": [reference, {"type": "null"}]},
        "one": {"anyOf": [reference], "description": "d"},
        "more": {
            "type": "object",
            "properties": {"x": {"type": "number"}, "y": {"type": "number"}},
            "required": ["x", "y"],
        },
        "nowhere": {"type": "object"},
    }


def test_a_reference_at_the_root_is_what_it_points_to() -> None:
    assert clean({"$ref": "#/$defs/P", "$defs": {"P": {"$ref": "#/$defs/Point"}, "Point": POINT}}) == {
        **POINT,
        "$defs": {"P": {"$ref": "#/$defs/Point"}, "Point": POINT},
    }


def test_definitions_take_their_new_name() -> None:
    schema = {"properties": {"definitions": {"$ref": "#/definitions/A~1b"}}, "definitions": {"A/b": {"const": 1}}}
    assert clean(schema) == {
        "properties": {"definitions": {"$ref": "#/$defs/A~1b"}},
        "$defs": {"A/b": {"enum": [1], "type": "integer"}},
    }


def test_all_of_becomes_one() -> None:
    schema = {
        "allOf": [
            {"$ref": "#/$defs/Point", "title": "P"},
            {"allOf": [{"properties": {"y": {"const": 1}}, "required": ["x", "y"]}]},
        ],
        "description": "d",
        "$defs": {"Point": POINT},
    }
    assert clean(schema) == {
        "type": "object",
        "properties": {"x": {"type": "number"}, "y": {"enum": [1], "type": "integer"}},
        "required": ["x", "y"],
        "title": "P",
        "description": "d",
        "$defs": {"Point": POINT},
    }


def test_circles_end() -> None:
    tree = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Tree", "minProperties": 1}}}
    written = clean({"$ref": "#/$defs/Tree", "$defs": {"Tree": tree}})
    assert written["properties"]["next"] == {"anyOf": [{"$ref": "#/$defs/Tree"}], "minProperties": 1}
    loop = {"$defs": {"A": {"$ref": "#/$defs/B"}, "B": {"$ref": "#/$defs/A"}}, "$ref": "#/$defs/A"}
    assert clean(loop) == {"$defs": {"A": {}, "B": {}}}
    both = {"$defs": {"A": {"allOf": [{"$ref": "#/$defs/A"}, {"type": "object"}]}}, "$ref": "#/$defs/A"}
    assert clean(both)["$defs"]["A"] == {"type": "object"}
    deep: Any = {}
    for _ in range(500):
        deep = {"allOf": [{"properties": {"a": deep}}]}
    clean(deep)


def test_references_do_not_multiply() -> None:
    one_more = {
        f"D{n}": {"properties": {side: {"$ref": f"#/$defs/D{n + 1}", "type": "object"} for side in "abc"}}
        for n in range(40)
    }
    written = clean({"$ref": "#/$defs/D0", "$defs": {**one_more, "D40": {}}})
    assert len(str(written)) < 200_000


def test_a_circle_is_never_required() -> None:
    tree = {
        "type": "object",
        "properties": {
            "value": {"type": "string"},
            "children": {"type": "array", "items": {"$ref": "#/$defs/Tree"}},
            "point": {"$ref": "#/$defs/Point"},
        },
        "required": ["value", "children", "point"],
    }
    loosened: dict[str, None] = {}
    written = clean({"$ref": "#/$defs/Tree", "$defs": {"Tree": tree, "Point": POINT}}, loosened)
    assert written["required"] == written["$defs"]["Tree"]["required"] == ["value", "point"]
    assert list(loosened) == ["required"]


def test_references_that_point_elsewhere_are_put_in_place() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"allOf": [POINT, {"title": "A"}]}, "b": {"$ref": "#/properties/a/allOf/0"}},
    }
    loosened: dict[str, None] = {}
    assert clean(schema, loosened)["properties"]["b"] == POINT and loosened == {}


@pytest.mark.parametrize(
    ("branches", "merged", "loosened"),
    [
        ([{"minimum": 5}, {"minimum": 1}], {"minimum": 5}, []),
        ([{"maxItems": 5}, {"maxItems": 1}], {"maxItems": 1}, []),
        (
            [{"minimum": 5, "exclusiveMinimum": True}, {"minimum": 9}],
            {"minimum": 9, "description": "(greater than 9)"},
            None,
        ),
        ([{"type": "string"}, {"type": "string"}], {"type": "string"}, []),
        ([{"pattern": "a"}, {"pattern": "b"}], {"pattern": "b"}, ["allOf"]),
        ([{"properties": {"a": {"type": "string"}}}, {"properties": {"a": {"minLength": 1}}}], None, ["allOf"]),
        (
            [{"prefixItems": [{}, {}], "items": {"type": "string"}}, {"prefixItems": [{}]}],
            {"prefixItems": [{}]},
            ["allOf"],
        ),
    ],
)
def test_branches_that_differ(branches: Any, merged: Any, loosened: Any) -> None:
    found: dict[str, None] = {}
    written = clean({"allOf": branches}, found)
    assert merged is None or written == merged
    assert loosened is None or list(found) == loosened
