"""JSON Schema as Google's door for it (`parametersJsonSchema`, `responseJsonSchema`) honours it.

That door's parser refuses no key, but its back end knows a list (docstring of `response_json_schema`,
google-ai-generativelanguage 0.12.1): `const`, exclusive bounds, `discriminator`, `examples` and most formats are not in it (so
pydantic-ai's profile for Google, 2026-10), and a node with `$ref` may hold no other key but those that begin with `$`. What can
be said otherwise is; the rest becomes a note in the description.

Only positions of schemas are walked, never keys by name: a property may well be called `format` or `const`, and what stands
under `default` or `enum` is a value.
"""

from typing import Any

from dragoman.protocols.gemini.fields import Object
from dragoman.protocols.gemini.schema_references import (
    MAX_DEPTH,
    NAMED,
    References,
    is_definition,
    references_in,
    renamed,
)
from dragoman.wire.json import encode_text

_ONE = frozenset({"items", "additionalProperties"})
_MANY = frozenset({"anyOf", "prefixItems"})
_REFUSED = frozenset(
    {"$schema", "$comment", "discriminator", "examples", "example", "deprecated", "readOnly", "writeOnly"}
)
# Constraints that Google has no word for. Left out they only loosen; kept, they would tighten as soon as what they hold is
# loosened itself (`not`, `if`).
_UNKNOWN = frozenset(
    {
        "not", "if", "then", "else", "contains", "minContains", "maxContains", "propertyNames", "patternProperties",
        "dependentSchemas", "dependentRequired", "dependencies", "additionalItems", "unevaluatedItems",
        "unevaluatedProperties", "contentSchema", "contentEncoding", "contentMediaType",
    }
)  # fmt: skip
# What only tells about a node; all else constrains it.
_ABOUT = frozenset({"description", "title", "default"})
_TEXT_FORMATS = frozenset({"date-time"})
_NUMBER_FORMATS = frozenset({"float", "double", "int32", "int64"})
# bound: (its exclusive form, the step to the next whole number, the note's word, which of two bounds is the tighter)
_BOUNDS: tuple[tuple[str, str, int, str, Any], ...] = (
    ("minimum", "exclusiveMinimum", 1, "greater", max),
    ("maximum", "exclusiveMaximum", -1, "less", min),
)


def clean(schema: Any, loosened: dict[str, None] | None = None) -> Any:
    """The schema cleaned; what is no object (`true`) comes back as it is. The keywords whose meaning is not carried whole
    become keys of `loosened`."""
    if not isinstance(schema, dict):
        return schema
    if "definitions" in schema:
        # Only draft 2019-09's name of it is known.
        named = schema["definitions"]
        schema = {key: held for key, held in schema.items() if key != "definitions"}
        if isinstance(named, dict):
            defined = schema.get("$defs")
            schema["$defs"] = {**named, **(defined if isinstance(defined, dict) else {})}
    return _Cleaner(References(schema, {} if loosened is None else loosened)).clean(schema, 0, frozenset())


class _Cleaner:
    __slots__ = ("_loosened", "_references")

    def __init__(self, references: References) -> None:
        self._references = references
        self._loosened = references.loosened

    def clean(self, schema: Any, depth: int, inlined: frozenset[str]) -> Any:
        """`inlined` names the references that this place was reached through, so that none is followed in a circle."""
        if not isinstance(schema, dict):
            return schema
        if depth > MAX_DEPTH:
            self._loosened["depth"] = None
            return {}
        schema, inlined = self._references.merged(schema, depth, inlined)
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            return self._walked(schema, depth, inlined)
        reference = renamed(reference)
        stays = is_definition(reference) and self._references.target(reference) is not None
        beside = {key: held for key, held in schema.items() if key != "$ref"}
        if depth and stays and all(key[:1] == "$" for key in beside):
            return self._walked(schema, depth, inlined)
        target = self._references.target(reference)
        if depth and stays and all(key in _ABOUT or key == "nullable" or key[:1] == "$" for key in beside):
            target = None  # what only tells about the node can stand around the reference
        if target is None or reference in inlined or not self._references.may_follow():
            null = [{"type": "null"}] if beside.pop("nullable", None) is True else []
            about = self._walked(beside, depth, inlined)
            if stays:
                return {"anyOf": [{"$ref": reference}, *null], **about}
            self._loosened["$ref"] = None
            return about
        return self.clean(self._references.joined([target, beside]), depth, inlined | {reference})

    def _walked(self, schema: Object, depth: int, inlined: frozenset[str]) -> Object:
        cleaned: Object = {}
        notes: list[str] = []
        kinds = _kinds(schema)
        for key, held in schema.items():
            if key in _REFUSED:
                continue
            if key in _UNKNOWN and not (key == "additionalItems" and isinstance(schema.get("items"), list)):
                self._loosened[key] = None
            elif key in NAMED and isinstance(held, dict):
                cleaned[key] = {word: self.clean(item, depth + 1, inlined) for word, item in held.items()}
            elif key in _MANY and isinstance(held, list):
                cleaned[key] = [self.clean(item, depth + 1, inlined) for item in held]
            elif key == "oneOf" and isinstance(held, list):
                # Google takes it for anyOf; and branches that were loosened could both fit.
                self._loosened[key] = None
                if "anyOf" not in schema:
                    cleaned["anyOf"] = [self.clean(item, depth + 1, inlined) for item in held]
            elif key == "items" and isinstance(held, list):  # a tuple, as it was written before 2020-12
                cleaned["prefixItems"] = [self.clean(item, depth + 1, inlined) for item in held]
            elif key == "additionalItems":
                cleaned["items"] = self.clean(held, depth + 1, inlined)
            elif key == "additionalProperties" and "patternProperties" in schema:
                self._loosened[key] = None
            elif key in _ONE:
                cleaned[key] = self.clean(held, depth + 1, inlined)
            elif key == "$ref" and isinstance(held, str):
                cleaned[key] = renamed(held)
            elif key == "format":
                known = _TEXT_FORMATS if "string" in kinds or not kinds else _NUMBER_FORMATS
                if isinstance(held, str) and held in known:
                    cleaned[key] = held
                elif held is not None:
                    self._loosened["format"] = None
                    notes.append(f"format: {held}")
            elif key not in ("const", "enum", "nullable", "exclusiveMinimum", "exclusiveMaximum"):
                cleaned[key] = held
        for bound in _BOUNDS:
            if _bound(bound, schema, kinds, cleaned, notes):
                self._loosened[bound[1]] = None
        nullable = schema.get("nullable") is True and "null" not in kinds
        values = [schema["const"]] if "const" in schema else schema.get("enum")
        if isinstance(values, list):
            null = _values(values, kinds, cleaned, notes)
            nullable = nullable or (null and "const" not in schema)
            if "enum" not in cleaned and any(value is not None for value in values):
                self._loosened["enum"] = None
        self._require(schema, cleaned)
        if notes:
            told = cleaned.get("description")
            note = f"({', '.join(notes)})"
            cleaned["description"] = f"{told} {note}" if isinstance(told, str) and told else note
        return _or_null(cleaned) if nullable else cleaned

    def _require(self, schema: Object, cleaned: Object) -> None:
        """`required` without properties that lead back to themselves, which Google takes as optional ones only; with those
        that say `required: true` of themselves, as draft 3 did."""
        properties = schema.get("properties")
        if not isinstance(properties, dict):
            return
        told = schema.get("required")
        required = list(told) if isinstance(told, list) else []
        for name, item in properties.items():
            if isinstance(item, dict) and isinstance(item.get("required"), bool):
                cleaned["properties"][name].pop("required", None)
                if item["required"] and name not in required:
                    required.append(name)
        if required:
            for name in [name for name in required if isinstance(name, str)]:
                held = cleaned["properties"].get(name)
                if any(self._references.is_circular(reference) for reference in references_in(held)):
                    self._loosened["required"] = None
                    required.remove(name)
        if required:
            cleaned["required"] = required
        elif isinstance(told, list):
            cleaned.pop("required", None)


def _kinds(schema: Object) -> frozenset[str]:
    """The types that the schema names, none where it names none."""
    kind = schema.get("type")
    named = kind if isinstance(kind, list) else [kind]
    return frozenset([word for word in named if isinstance(word, str)])


def _bound(
    bound: tuple[str, str, int, str, Any], schema: Object, kinds: frozenset[str], into: Object, notes: list[str]
) -> bool:
    """Writes an exclusive bound as its inclusive one; whether that is looser."""
    name, exclusive, step, word, tighter = bound
    held = schema.get(exclusive)
    if held is True:  # draft 4: the bound beside it is meant without itself
        held = schema.get(name)
    if isinstance(held, bool) or not isinstance(held, int | float):
        return False
    whole = "integer" in kinds and "number" not in kinds and held == int(held)
    if whole:
        held = int(held) + step
    else:
        notes.append(f"{word} than {encode_text(held)}")
    also = into.get(name)
    into[name] = tighter(held, also) if isinstance(also, int | float) and not isinstance(also, bool) else held
    return not whole


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
    return null and ("enum" in into or not kinds)


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
