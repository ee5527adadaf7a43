"""A small JSON Schema validator: the keywords that the property tests make, and no others."""

import re
from typing import Any

KNOWN = frozenset(
    {
        "type", "enum", "const", "properties", "required", "additionalProperties", "items", "prefixItems", "minItems",
        "maxItems", "minLength", "maxLength", "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
        "minProperties", "maxProperties", "anyOf", "oneOf", "allOf", "not", "if", "then", "else", "$ref", "$defs",
        "multipleOf", "patternProperties", "contains", "description", "format", "default", "title",
    }
)  # fmt: skip


def is_valid(value: Any, schema: Any, root: Any = None) -> bool:
    root = schema if root is None else root
    if isinstance(schema, bool):
        return schema
    assert schema.keys() <= KNOWN, schema.keys() - KNOWN

    def fits(one: Any, below: Any) -> bool:
        return is_valid(one, below, root)

    if "$ref" in schema:
        *_, name = schema["$ref"].split("/")
        if not fits(value, root if schema["$ref"] == "#" else root["$defs"][name]):
            return False
    kinds = schema.get("type")
    if kinds is not None and not any(is_type(value, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds)):
        return False
    if "enum" in schema and not any(same(value, one) for one in schema["enum"]):
        return False
    if "const" in schema and not same(value, schema["const"]):
        return False
    if "anyOf" in schema and not any(fits(value, one) for one in schema["anyOf"]):
        return False
    if "oneOf" in schema and sum(fits(value, one) for one in schema["oneOf"]) != 1:
        return False
    if not all(fits(value, one) for one in schema.get("allOf", ())):
        return False
    if "not" in schema and fits(value, schema["not"]):
        return False
    if "if" in schema and not fits(value, schema.get("then" if fits(value, schema["if"]) else "else", True)):
        return False
    if isinstance(value, str):
        return schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 99) and (
            re.search(schema.get("pattern", ""), value) is not None
        )
    if is_type(value, "number"):
        return (
            value >= schema.get("minimum", value)
            and value <= schema.get("maximum", value)
            and value > schema.get("exclusiveMinimum", value - 1)
            and value < schema.get("exclusiveMaximum", value + 1)
            and value % schema.get("multipleOf", value or 1) == 0
        )
    if isinstance(value, list):
        prefix = schema.get("prefixItems", ())
        return (
            schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 99)
            and all(fits(item, below) for item, below in zip(value, prefix, strict=False))
            and all(fits(item, schema.get("items", True)) for item in value[len(prefix) :])
            and ("contains" not in schema or any(fits(item, schema["contains"]) for item in value))
        )
    if isinstance(value, dict):
        properties, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
        return (
            schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", 99)
            and all(name in value for name in schema.get("required", ()))
            and all(fits(value[name], below) for name, below in properties.items() if name in value)
            and all(fits(value[n], below) for p, below in patterns.items() for n in value if re.search(p, n))
            and all(
                fits(item, schema.get("additionalProperties", True))
                for name, item in value.items()
                if name not in properties and not any(re.search(p, name) for p in patterns)
            )
        )
    return True


def is_type(value: Any, kind: str) -> bool:
    match kind:
        case "null":
            return value is None
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return not isinstance(value, bool) and isinstance(value, int | float) and value == int(value)
        case "number":
            return not isinstance(value, bool) and isinstance(value, int | float)
        case "string":
            return isinstance(value, str)
        case "array":
            return isinstance(value, list)
        case _:
            return isinstance(value, dict)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)
