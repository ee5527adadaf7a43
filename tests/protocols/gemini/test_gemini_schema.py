"""Schemas through Google's two doors."""

import pytest

from dragoman.ir import BadRequest
from dragoman.protocols.gemini.schema import json_schema


def test_openapi_to_json_schema() -> None:
    schema = {
        "type": "OBJECT",
        "nullable": True,
        "properties": {
            "any_of": {"type": "STRING", "format": "enum", "enum": ["a"], "nullable": True},
            "n": {"type": 3, "minimum": 1.5, "example": 4},
            "list": {"type": "ARRAY", "min_items": "1", "items": {"any_of": [{"type": "STRING"}], "nullable": True}},
            "map": {"type": "OBJECT", "additional_properties": {"type": "NUMBER"}},
            "when": {"type": "STRING", "format": "date-time"},
        },
        "property_ordering": ["n"],
        "defs": {"D": {"ref": "#/defs/D"}},
    }
    assert json_schema(schema, "s") == {
        "type": ["object", "null"],
        "properties": {
            "any_of": {"type": ["string", "null"], "enum": ["a", None]},
            "n": {"type": "integer", "minimum": 1.5, "examples": [4]},
            "list": {"type": "array", "minItems": 1, "items": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
            "map": {"type": "object", "additionalProperties": {"type": "number"}},
            "when": {"type": "string", "format": "date-time"},
        },
        "$defs": {"D": {"$ref": "#/$defs/D"}},
    }


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"type": "TEXT"}, "s.type"),
        ({"properties": {"a": {"items": {"type": 99}}}}, "s.properties.a.items.type"),
        ({"any_of": {}}, "s.anyOf"),
        ([], "s"),
    ],
)
def test_what_is_no_schema(schema: object, path: str) -> None:
    with pytest.raises(BadRequest) as caught:
        json_schema(schema, "s")
    assert caught.value.param == path
