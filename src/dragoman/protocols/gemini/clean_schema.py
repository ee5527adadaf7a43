"""JSON Schema as Google's door for it (`parametersJsonSchema`, `responseJsonSchema`) honours it.

That door's parser refuses no key, but its back end knows a list (docstring of `response_json_schema`,
google-ai-generativelanguage 0.12.1): `const`, exclusive bounds, `discriminator`, `examples` and most formats are not in it (so
pydantic-ai's profile for Google, 2026-10), and a node with `$ref` may hold no other key but those that begin with `$`. What can
be said otherwise is; the rest becomes a note in the description.

Only positions of schemas are walked, never keys by name: a property may well be called `format` or `const`, and what stands
under `default` or `enum` is a value.
"""

from typing import Any
from urllib.parse import unquote

from dragoman.protocols.gemini.fields import Object
from dragoman.wire.json import encode_text

MAX_DEPTH = 64
# References to each other can be written in a few lines that would fill the memory put in place.
MAX_FOLLOWED = 200
_ONE = frozenset(
    {
        "items", "additionalItems", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames",
        "unevaluatedItems", "unevaluatedProperties", "contentSchema",
    }
)  # fmt: skip
_MANY = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_NAMED = frozenset({"properties", "$defs", "patternProperties", "dependentSchemas"})
_REFUSED = frozenset(
    {"$schema", "$comment", "discriminator", "examples", "example", "deprecated", "readOnly", "writeOnly"}
)
# What only tells about a node; all else constrains it.
_ABOUT = frozenset({"description", "title", "default"})
_TEXT_FORMATS = frozenset({"date-time"})
_NUMBER_FORMATS = frozenset({"float", "double", "int32", "int64"})
# bound: (its exclusive form, the step to the next whole number, the note's word, which of two bounds is the tighter)
_BOUNDS: tuple[tuple[str, str, int, str, Any], ...] = (
    ("minimum", "exclusiveMinimum", 1, "greater", max),
    ("maximum", "exclusiveMaximum", -1, "less", min),
)


def clean(schema: Any) -> Any:
    """The schema cleaned; what is no object (`true`) comes back as it is."""
    if not isinstance(schema, dict):
        return schema
    if "definitions" in schema:
        # Only draft 2019-09's name of it is known.
        named = schema["definitions"]
        schema = {key: held for key, held in schema.items() if key != "definitions"}
        if isinstance(named, dict):
            schema["$defs"] = {**named, **schema.get("$defs", {})}
    return _Cleaner(schema).clean(schema, 0, frozenset())


class _Cleaner:
    __slots__ = ("_follows", "_root")

    def __init__(self, root: Object) -> None:
        self._root = root
        self._follows = MAX_FOLLOWED  # references that may still be put in place

    def clean(self, schema: Any, depth: int, inlined: frozenset[str]) -> Any:
        """`inlined` names the references that this place was reached through, so that none is followed in a circle."""
        if not isinstance(schema, dict) or depth > MAX_DEPTH:
            return schema
        schema, inlined = self._merged(schema, depth, inlined)
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            return self._walked(schema, depth, inlined)
        beside = {key: held for key, held in schema.items() if key != "$ref"}
        if depth and all(key[:1] == "$" for key in beside):
            return self._walked(schema, depth, inlined)
        target = self._target(reference)
        if depth and all(key in _ABOUT or key == "nullable" or key[:1] == "$" for key in beside):
            target = None  # what only tells about the node can stand around the reference
        if target is None or reference in inlined or self._follows <= 0:
            null = [{"type": "null"}] if beside.pop("nullable", None) is True else []
            return {"anyOf": [{"$ref": _renamed(reference)}, *null], **self._walked(beside, depth, inlined)}
        self._follows -= 1
        return self.clean(_joined([target, beside]), depth, inlined | {reference})

    def _walked(self, schema: Object, depth: int, inlined: frozenset[str]) -> Object:
        cleaned: Object = {}
        notes: list[str] = []
        kinds = _kinds(schema)
        for key, held in schema.items():
            if key in _REFUSED:
                continue
            if key in _NAMED and isinstance(held, dict):
                cleaned[key] = {word: self.clean(item, depth + 1, inlined) for word, item in held.items()}
            elif key in _MANY and isinstance(held, list):
                cleaned[key] = [self.clean(item, depth + 1, inlined) for item in held]
            elif key == "items" and isinstance(held, list):  # a tuple, as it was written before 2020-12
                cleaned["prefixItems"] = [self.clean(item, depth + 1, inlined) for item in held]
            elif key in _ONE:
                cleaned[key] = self.clean(held, depth + 1, inlined)
            elif key == "$ref" and isinstance(held, str):
                cleaned[key] = _renamed(held)
            elif key == "format":
                known = _TEXT_FORMATS if "string" in kinds or not kinds else _NUMBER_FORMATS
                if isinstance(held, str) and held in known:
                    cleaned[key] = held
                elif held is not None:
                    notes.append(f"format: {held}")
            elif key not in ("const", "enum", "nullable", "exclusiveMinimum", "exclusiveMaximum"):
                cleaned[key] = held
        for bound in _BOUNDS:
            _bound(bound, schema, kinds, cleaned, notes)
        nullable = schema.get("nullable") is True and "null" not in kinds
        if "const" in schema:
            _values([schema["const"]], kinds, cleaned, notes)
        elif isinstance(schema.get("enum"), list):
            nullable = _values(schema["enum"], kinds, cleaned, notes) or nullable
        if notes:
            told = cleaned.get("description")
            note = f"({', '.join(notes)})"
            cleaned["description"] = f"{told} {note}" if isinstance(told, str) and told else note
        return _or_null(cleaned) if nullable else cleaned

    def _merged(self, schema: Object, depth: int, inlined: frozenset[str]) -> tuple[Object, frozenset[str]]:
        """`allOf`, which is not known, put into one: properties and requirements join, of all else the last holds."""
        branches = schema.get("allOf")
        if depth > MAX_DEPTH or not isinstance(branches, list):
            return schema, inlined
        rest = {key: held for key, held in schema.items() if key != "allOf"}
        if len(branches) == 1 and isinstance(branches[0], dict):
            return self._merged(_joined([branches[0], rest]), depth + 1, inlined)
        found: list[Object] = []
        followed = inlined
        for branch in branches:
            if not isinstance(branch, dict):
                return schema, inlined
            whole, followed = self._merged(branch, depth + 1, followed)
            reference = whole.get("$ref")
            if isinstance(reference, str):
                target = self._target(reference)
                if target is None or reference in followed or self._follows <= 0:
                    return schema, inlined
                self._follows -= 1
                target, followed = self._merged(target, depth + 1, followed | {reference})
                whole = _joined([target, {key: held for key, held in whole.items() if key != "$ref"}])
            found.append(whole)
        return _joined([*found, rest]), followed

    def _target(self, reference: str) -> Object | None:
        """What a reference inside this schema points to; None where that is nothing, or another reference in a circle."""
        for _ in range(8):
            if reference != "#" and not reference.startswith("#/"):
                return None
            held: Any = self._root
            for word in _renamed(reference).split("/")[1:]:
                name = unquote(word).replace("~1", "/").replace("~0", "~")
                if isinstance(held, dict):
                    held = held.get(name)
                elif isinstance(held, list) and name.isdecimal() and int(name) < len(held):
                    held = held[int(name)]
                else:
                    return None
            if not isinstance(held, dict):
                return None
            if held.keys() != {"$ref"} or not isinstance(held["$ref"], str):
                return held
            reference = held["$ref"]
        return None


def _renamed(reference: str) -> str:
    return "#/$defs/" + reference[14:] if reference.startswith("#/definitions/") else reference


def _joined(schemas: list[Object]) -> Object:
    joined: Object = {}
    for schema in schemas:
        for key, held in schema.items():
            before = joined.get(key)
            if key in _NAMED and isinstance(before, dict) and isinstance(held, dict):
                joined[key] = {**before, **held}
            elif key == "required" and isinstance(before, list) and isinstance(held, list):
                joined[key] = [*before, *(name for name in held if name not in before)]
            else:
                joined[key] = held
    return joined


def _kinds(schema: Object) -> frozenset[str]:
    """The types that the schema names, none where it names none."""
    kind = schema.get("type")
    named = kind if isinstance(kind, list) else [kind]
    return frozenset([word for word in named if isinstance(word, str)])


def _bound(
    bound: tuple[str, str, int, str, Any], schema: Object, kinds: frozenset[str], into: Object, notes: list[str]
) -> None:
    name, exclusive, step, word, tighter = bound
    held = schema.get(exclusive)
    if held is True:  # draft 4: the bound beside it is meant without itself
        held = schema.get(name)
    if isinstance(held, bool) or not isinstance(held, int | float):
        return
    if "integer" in kinds and "number" not in kinds and held == int(held):
        held = int(held) + step
    else:
        notes.append(f"{word} than {encode_text(held)}")
    also = into.get(name)
    into[name] = tighter(held, also) if isinstance(also, int | float) and not isinstance(also, bool) else held


def _values(values: list[Any], kinds: frozenset[str], into: Object, notes: list[str]) -> bool:
    """The allowed values, of which only texts and numbers are known; whether null is one of them besides."""
    rest = [value for value in values if value is not None]
    null = len(rest) < len(values) and (not kinds or "null" in kinds)
    if not rest:
        if null:
            into["type"] = "null"
        return False
    if all(isinstance(value, str | int | float) and not isinstance(value, bool) for value in rest):
        into["enum"] = rest
    else:
        notes.append(f"allowed: {', '.join(encode_text(value) for value in rest)}")
    if not kinds:
        found = {_type_of(value) for value in rest}
        if len(found) == 1:
            into["type"] = found.pop()
    elif null and "enum" in into:
        left = sorted(kinds - {"null"})
        into["type"] = left[0] if len(left) == 1 else left
    return null and "enum" in into


def _or_null(schema: Object) -> Object:
    """The schema or null, in a form that leaves no doubt."""
    about = {key: held for key, held in schema.items() if key in _ABOUT or key[:1] == "$"}
    inner = {key: held for key, held in schema.items() if key not in about}
    if inner.keys() == {"anyOf"}:
        return {"anyOf": [*inner["anyOf"], {"type": "null"}], **about}
    return {"anyOf": [inner, {"type": "null"}], **about}


def _type_of(value: Any) -> str:
    match value:
        case bool():
            return "boolean"
        case str():
            return "string"
        case int():
            return "integer"
        case float():
            return "number"
        case list():
            return "array"
        case _:
            return "object"
