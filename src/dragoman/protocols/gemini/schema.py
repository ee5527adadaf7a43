"""Google's two doors for schemas: the proto `Schema` (a subset of OpenAPI 3.0), and plain JSON Schema.

A `Schema` read becomes JSON Schema; JSON Schema written goes through `parametersJsonSchema` and `responseJsonSchema`, whose
parser refuses no key, and is cleaned only of what the back end is known to refuse or misread there
(google-ai-generativelanguage 0.12.1, docstring of `response_json_schema`; pydantic-ai's profile for Google, 2026-10).
Both walk positions of schemas, never keys by name: a property may well be called `format` or `const`.
"""

from typing import Any

from dragoman.protocols.gemini.fields import Object, boolean, camel, integer, invalid, plain_object
from dragoman.wire.json import encode_text

# Numbers of proto's enum Type.
_TYPES = ("", "string", "number", "integer", "boolean", "array", "object", "null")
_WHOLE = frozenset({"maxItems", "minItems", "maxLength", "minLength", "maxProperties", "minProperties"})
_ONE = frozenset({"items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"})
_MANY = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_NAMED = frozenset({"properties", "$defs", "definitions", "defs", "patternProperties"})
_REFUSED = frozenset({"$schema", "$comment", "discriminator", "examples", "deprecated", "readOnly", "writeOnly"})
MAX_DEPTH = 64


def json_schema(value: Any, path: str, depth: int = 0) -> Object:
    """JSON Schema from a `Schema` as callers write it: types in any case, snake_case keys, `nullable`, numbers as strings."""
    schema = plain_object(value, path)
    if depth > MAX_DEPTH:
        raise invalid(path, "it is nested too deeply")
    read: Object = {}
    nullable = False
    for key, held in schema.items():
        if held is None:
            continue
        name = camel(key) if "_" in key else key
        at = f"{path}.{name}"
        if name == "type":
            read["type"] = _type(held, at)
        elif name == "nullable":
            nullable = boolean(held, at)
        elif name in _WHOLE:
            read[name] = integer(held, at)
        elif name in _ONE:
            read[name] = held if isinstance(held, bool) else json_schema(held, at, depth + 1)
        elif name in _MANY:
            if not isinstance(held, list):
                raise invalid(at, "an array is wanted")
            read[name] = [json_schema(item, f"{at}[{n}]", depth + 1) for n, item in enumerate(held)]
        elif name in _NAMED:
            named = plain_object(held, at)
            kept = "$defs" if name == "defs" else name
            read[kept] = {word: json_schema(item, f"{at}.{word}", depth + 1) for word, item in named.items()}
        elif name == "propertyOrdering":
            continue
        elif name == "example":
            read["examples"] = [held]
        elif name == "ref":
            read["$ref"] = str(held).replace("#/defs/", "#/$defs/")
        elif name == "format" and held == "enum":
            continue
        else:
            read[name] = held
    return _with_null(read) if nullable else read


def _type(value: Any, path: str) -> Any:
    if isinstance(value, str):
        word = value.lower()
        if word in _TYPES and word:
            return word
    elif value.__class__ is int and 0 < value < len(_TYPES):
        return _TYPES[value]
    elif isinstance(value, list):
        return [_type(item, path) for item in value]
    raise invalid(path, "one of STRING, NUMBER, INTEGER, BOOLEAN, ARRAY, OBJECT, NULL is wanted")


def _with_null(schema: Object) -> Object:
    if "anyOf" in schema:
        schema["anyOf"] = [*schema["anyOf"], {"type": "null"}]
    elif isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
    if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]
    return schema


def clean(schema: Any, depth: int = 0) -> Any:
    """JSON Schema as the JSON Schema door honours it."""
    if not isinstance(schema, dict) or depth > MAX_DEPTH:
        return schema
    if isinstance(schema.get("allOf"), list) and len(schema["allOf"]) == 1 and isinstance(schema["allOf"][0], dict):
        schema = {**schema["allOf"][0], **{key: held for key, held in schema.items() if key != "allOf"}}
    cleaned: Object = {}
    notes: list[str] = []
    for key, held in schema.items():
        if key in _REFUSED:
            continue
        if key in _NAMED and isinstance(held, dict):
            cleaned[key] = {word: clean(item, depth + 1) for word, item in held.items()}
        elif key in _MANY and isinstance(held, list):
            cleaned[key] = [clean(item, depth + 1) for item in held]
        elif key in _ONE:
            cleaned[key] = clean(held, depth + 1)
        elif key == "const":
            cleaned["enum"] = [held]
            if "type" not in schema and isinstance(held, (str, bool, int, float)):
                cleaned["type"] = _type_of(held)
        elif key in ("exclusiveMinimum", "exclusiveMaximum"):
            _bound(key, held, schema, cleaned, notes)
        elif key == "format" and schema.get("type") == "string":
            notes.append(f"format: {held}")
        else:
            cleaned[key] = held
    if notes:
        told = cleaned.get("description")
        note = f"({', '.join(notes)})"
        cleaned["description"] = f"{told} {note}" if isinstance(told, str) and told else note
    return cleaned


def _bound(key: str, held: Any, schema: Object, cleaned: Object, notes: list[str]) -> None:
    if isinstance(held, bool) or not isinstance(held, (int, float)):
        return  # draft 4's boolean form
    least = key == "exclusiveMinimum"
    if schema.get("type") == "integer" and isinstance(held, int):
        cleaned["minimum" if least else "maximum"] = held + 1 if least else held - 1
    else:
        notes.append(f"{'greater' if least else 'less'} than {encode_text(held)}")


def _type_of(value: str | bool | int | float) -> str:
    match value:
        case bool():
            return "boolean"
        case str():
            return "string"
        case int():
            return "integer"
        case _:
            return "number"


def enum_schema(schema: Object) -> Object:
    """The proto `Schema` of a bare enum, which `text/x.enum` wants."""
    words = [word for word in schema.get("enum", []) if isinstance(word, str)]
    written: Object = {"type": "STRING", "enum": words}
    if isinstance(schema.get("description"), str):
        written["description"] = schema["description"]
    return written
