"""Google's two doors for schemas: the proto `Schema` (a subset of OpenAPI 3.0), and plain JSON Schema.

A `Schema` read becomes JSON Schema; JSON Schema goes out through the other door (see `clean_schema`), but for a bare enum.
Positions of schemas are walked, never keys by name: a property may well be called `format` or `const`.
"""

from typing import Any

from dragoman.protocols.gemini.fields import (
    Object,
    array,
    boolean,
    camel,
    integer,
    invalid,
    number,
    plain_object,
    text,
    texts,
)

# Numbers of proto's enum Type.
_TYPES = ("", "string", "number", "integer", "boolean", "array", "object", "null")
_WHOLE = frozenset({"maxItems", "minItems", "maxLength", "minLength", "maxProperties", "minProperties"})
_ONE = frozenset({"items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"})
_MANY = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_NAMED = frozenset({"properties", "$defs", "definitions", "defs", "patternProperties"})
_TEXTS = frozenset({"title", "description", "format", "pattern"})
_NUMBERS = frozenset({"minimum", "maximum"})
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
            texts(held, at)
        elif name in _TEXTS:
            read[name] = text(held, at)
            if name == "format" and held == "enum":
                del read[name]
        elif name in _NUMBERS:
            read[name] = number(held, at)
        elif name == "required" and not isinstance(held, bool):
            read[name] = list(texts(held, at))
        elif name == "enum":
            read[name] = array(held, at)
        elif name == "example":
            read["examples"] = [held]
        elif name == "ref":
            read["$ref"] = str(held).replace("#/defs/", "#/$defs/")
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


def enum_schema(schema: Object) -> Object:
    """The proto `Schema` of a bare enum, which `text/x.enum` wants."""
    words = [word for word in schema.get("enum", []) if isinstance(word, str)]
    written: Object = {"type": "STRING", "enum": words}
    if isinstance(schema.get("description"), str):
        written["description"] = schema["description"]
    return written
