"""JSON Schema as Google's proto `Schema`, the subset of OpenAPI 3.0 that models without the JSON Schema door take.

An unknown key there is a 400 for the whole request, so only what is known is written (fields of `Schema`,
google-ai-generativelanguage 0.12.1); references are put in place, for there are none. What comes out accepts no less than what
went in, with one exception: a node that names properties is an object, which JSON Schema leaves open.
"""

from typing import Any

from dragoman.protocols.gemini.fields import Object
from dragoman.protocols.gemini.schema_references import MAX_DEPTH, References, renamed
from dragoman.wire.json import encode_text

# Nodes written at most; alternatives inside alternatives multiply.
MAX_NODES = 5000
_COUNTS = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")
_FORMATS = {
    "string": frozenset({"enum", "date-time"}),  # 400 "only 'enum' and 'date-time' are supported for STRING type"
    "number": frozenset({"float", "double"}),
    "integer": frozenset({"int32", "int64"}),
}
_LEFT_OUT = (
    "not", "if", "contains", "propertyNames", "patternProperties", "dependentSchemas", "dependentRequired", "dependencies",
    "unevaluatedProperties", "unevaluatedItems", "additionalProperties", "multipleOf", "uniqueItems",
)  # fmt: skip
# Keywords that are told in the description, for the model can keep to them all the same.
_TOLD = frozenset({"multipleOf", "uniqueItems"})
_WORDS = frozenset({"string", "number", "integer", "boolean", "array", "object"})
_TYPED = frozenset(
    {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "pattern", "items", "prefixItems", *_COUNTS}
)
_OBJECTS = frozenset({"properties", "required", "minProperties", "maxProperties"})


def lower(schema: Any, loosened: dict[str, None]) -> Object:
    """The `Schema`; the keywords whose meaning is not carried whole become keys of `loosened`."""
    if not isinstance(schema, dict):
        return {}
    if isinstance(schema.get("definitions"), dict):
        schema = {**schema, "$defs": {**schema["definitions"], **_table(schema.get("$defs"))}}
        del schema["definitions"]
    return _Lowering(References(schema, loosened)).lower(schema, 0, frozenset())


def lower_parameters(schema: Any, loosened: dict[str, None]) -> Object | None:
    """The `Schema` of a function's arguments, which are always an object; None where it says nothing of them."""
    written = lower(schema, loosened)
    if written.get("type") != "OBJECT":
        branches = written.pop("anyOf", [])
        objects = [branch for branch in branches if branch.get("type") == "OBJECT"]
        if objects:
            loosened["anyOf"] = None
        written = {**_any_of_these(objects), "type": "OBJECT", **_about(written)}
    written.pop("nullable", None)
    return None if not written.get("properties") and not _about(written) else written


def _any_of_these(objects: list[Object]) -> Object:
    """One object that each of `objects` is: properties of all of them, required where all require them."""
    properties: Object = {}
    for branch in objects:
        for name, held in branch.get("properties", {}).items():
            known = properties.setdefault(name, held)
            if known != held:
                alternatives = known["anyOf"] if known.keys() == {"anyOf"} else [known]
                properties[name] = {"anyOf": [*alternatives, held]} if all([*alternatives, held]) else {}
    needed = [set(branch.get("required", ())) for branch in objects]
    required = [name for name in properties if needed and all(name in names for names in needed)]
    merged: Object = {"properties": properties} if properties else {}
    return {**merged, "required": required} if required else merged


def _about(schema: Object) -> Object:
    return {"description": schema["description"]} if "description" in schema else {}


class _Lowering:
    __slots__ = ("_loosened", "_nodes", "_references")

    def __init__(self, references: References) -> None:
        self._references = references
        self._loosened = references.loosened
        self._nodes = 0

    def lower(self, schema: Any, depth: int, inlined: frozenset[str]) -> Object:
        if not isinstance(schema, dict):
            return {}  # true: whatever there is
        self._nodes += 1
        if depth > MAX_DEPTH or self._nodes > MAX_NODES:
            self._loosened["depth"] = None
            return {}
        schema, inlined = self._references.merged(schema, depth, inlined)
        reference = schema.get("$ref")
        if isinstance(reference, str):
            return self._followed(schema, renamed(reference), depth, inlined)
        for name in ("anyOf", "oneOf"):
            branches = schema.get(name)
            if isinstance(branches, list) and branches:
                rest = {key: held for key, held in schema.items() if key not in ("anyOf", "oneOf")}
                if name == "anyOf" and "oneOf" in schema:
                    self._loosened["oneOf"] = None
                return self._any_of(branches, rest, depth, inlined)
        return self._node(schema, depth, inlined)

    def _followed(self, schema: Object, reference: str, depth: int, inlined: frozenset[str]) -> Object:
        beside = {key: held for key, held in schema.items() if key != "$ref"}
        target = self._references.target(reference)
        if target is not None and reference not in inlined and self._references.may_follow():
            joined = self._references.joined([target, beside])
            return self.lower(joined, depth + 1, inlined | {reference})
        self._loosened["$ref"] = None
        kind = target.get("type") if target is not None else None
        name = reference.rpartition("/")[2] or "the whole"
        told = beside.get("description")
        beside["description"] = f"{told} (See: {name})" if isinstance(told, str) and told else f"See: {name}"
        if isinstance(kind, str) and "type" not in beside:
            beside["type"] = kind
        return self.lower(beside, depth + 1, inlined)

    def _any_of(self, branches: list[Any], rest: Object, depth: int, inlined: frozenset[str]) -> Object:
        """Each branch with what stands beside it, which Google would ignore or refuse there."""
        about = {key: rest.pop(key) for key in ("description",) if isinstance(rest.get(key), str)}
        nullable = False
        written: list[Object] = []
        for branch in branches:
            if branch is False:
                continue
            if isinstance(branch, dict) and _is_null(branch):
                nullable = True
                continue
            whole = self._references.joined([rest, branch]) if isinstance(branch, dict) else dict(rest)
            if isinstance(branch, dict) and isinstance(rest.get("type"), str | list) and "type" in branch:
                whole["type"] = _both_types(rest["type"], branch["type"])
            one = self.lower(whole, depth + 1, inlined)
            if one not in written:
                written.append(one)
        if not written:
            return {"type": "NULL", **about} if nullable else about
        if len(written) == 1:
            told = written[0]
        elif all(one.keys() - {"description", "nullable"} for one in written):
            told = {"anyOf": written}
        else:  # one of them takes anything
            self._loosened["anyOf"] = None
            told = {}
        told = {**told, **about}
        return {**told, "nullable": True} if nullable and told.keys() - {"description"} else told

    def _node(self, schema: Object, depth: int, inlined: frozenset[str]) -> Object:
        kinds, nullable = _kinds(schema)
        notes: list[str] = []
        values = [schema["const"]] if "const" in schema else schema.get("enum")
        if isinstance(values, list) and not kinds:
            kinds = [kind for kind in dict.fromkeys(map(_type_of, values)) if kind != "null"]
            nullable = nullable or None in values
            if not kinds:
                return {"type": "NULL", **_about(schema)}
        if len(kinds) > 1:
            told = self._any_of(_by_type(schema, kinds, values), _about(schema), depth, inlined)
            return {**told, "nullable": True} if nullable and told.keys() - {"description"} else told
        if not kinds and not _OBJECTS.isdisjoint(schema):
            kinds = ["object"]
        if not kinds and nullable and schema.get("type") is not None:
            return {"type": "NULL", **_about(schema)}
        kind = kinds[0] if kinds else ""
        written: Object = {"type": kind.upper()} if kind else {}
        if isinstance(values, list):
            self._values(values, kind, written, notes)
        match kind:
            case "string":
                self._counts(schema, written, ("minLength", "maxLength"))
                if isinstance(schema.get("pattern"), str):
                    written["pattern"] = schema["pattern"]
            case "number" | "integer":
                self._bounds(schema, kind, written, notes)
            case "array":
                self._counts(schema, written, ("minItems", "maxItems"))
                self._items(schema, written, depth, inlined)
            case "object":
                self._properties(schema, written, depth, inlined)
        form = schema.get("format")
        if isinstance(form, str) and kind:
            if form in _FORMATS.get(kind, ()):
                written["format"] = form
            else:
                self._loosened["format"] = None
                notes.append(f"format: {form}")
        for name in _LEFT_OUT:
            if name in schema and schema[name] is not True and schema[name] != {}:
                self._loosened[name] = None
                if name in _TOLD:
                    notes.append(f"{name}: {encode_text(schema[name])}")
        if schema.get("uniqueItems") is True:
            self._loosened["uniqueItems"] = None
            notes.append("no item twice")
        if not kind and not _TYPED.isdisjoint(schema):
            self._loosened["type"] = None  # constraints of a type that is not named
        if (nullable or schema.get("nullable") is True) and kind:
            written["nullable"] = True
        told_ = schema.get("description")
        if isinstance(told_, str) and told_:
            written["description"] = told_
        if notes:
            note = f"({', '.join(notes)})"
            written["description"] = f"{written['description']} {note}" if "description" in written else note
        return written

    def _values(self, values: list[Any], kind: str, into: Object, notes: list[str]) -> None:
        """An enum of texts; numbers as texts would make the model answer texts, so they are told in words."""
        fitting = [value for value in values if value is not None]
        if kind == "string" and fitting and all(isinstance(value, str) and value for value in fitting):
            into["enum"] = fitting
            return
        if fitting:
            self._loosened["enum"] = None
            notes.append(f"allowed: {', '.join(encode_text(value) for value in fitting)}")

    def _counts(self, schema: Object, into: Object, names: tuple[str, ...]) -> None:
        for name in names:
            held = schema.get(name)
            if isinstance(held, float) and held.is_integer():
                held = int(held)
            if type(held) is int and held >= 0:
                into[name] = held

    def _bounds(self, schema: Object, kind: str, into: Object, notes: list[str]) -> None:
        for name, exclusive, step, word in (
            ("minimum", "exclusiveMinimum", 1, "greater"),
            ("maximum", "exclusiveMaximum", -1, "less"),
        ):
            bound: Any = schema.get(name)
            beyond: Any = schema.get(exclusive)
            if beyond is True:  # draft 4: the bound beside it is meant without itself
                bound, beyond = None, bound
            if not _is_number(bound):
                bound = None
            if _is_number(beyond):
                if kind == "integer" and beyond == int(beyond):
                    beyond = int(beyond) + step
                else:
                    self._loosened[exclusive] = None
                    notes.append(f"{word} than {encode_text(beyond)}")
                bound = beyond if bound is None else (max(bound, beyond) if step > 0 else min(bound, beyond))
            if bound is not None:
                into[name] = bound

    def _items(self, schema: Object, into: Object, depth: int, inlined: frozenset[str]) -> None:
        items = schema.get("items")
        tuple_ = items if isinstance(items, list) else schema.get("prefixItems")
        if not isinstance(tuple_, list):
            # 400 "items: missing field" where there is none.
            into["items"] = self.lower(items, depth + 1, inlined)
            if items is False:
                into["maxItems"] = 0
            return
        rest = schema.get("additionalItems") if isinstance(items, list) else items
        if rest is False:
            into["maxItems"] = min(len(tuple_), into.get("maxItems", len(tuple_)))
        branches = [*tuple_, *([] if rest is False else [True if rest is None else rest])]
        self._loosened["prefixItems"] = None
        into["items"] = self._any_of(branches, {}, depth + 1, inlined)

    def _properties(self, schema: Object, into: Object, depth: int, inlined: frozenset[str]) -> None:
        properties: Object = {}
        required = (
            [name for name in schema["required"] if isinstance(name, str)] if _is_list(schema, "required") else []
        )
        for name, item in _table(schema.get("properties")).items():
            if item is False:
                continue
            properties[name] = self.lower(item, depth + 1, inlined)
            if isinstance(item, dict) and item.get("required") is True and name not in required:  # draft 3
                required.append(name)
        if properties:
            into["properties"] = properties
        known = [name for name in required if name in properties]
        if len(known) < len(required):
            self._loosened["required"] = None
        if known:
            into["required"] = known
        self._counts(schema, into, ("minProperties", "maxProperties"))


def _kinds(schema: Object) -> tuple[list[str], bool]:
    """The types that the node names but for null, and whether null is one of them."""
    kind = schema.get("type")
    named = [word for word in (kind if isinstance(kind, list) else [kind]) if isinstance(word, str)]
    return [word for word in dict.fromkeys(named) if word in _WORDS], "null" in named


def _by_type(schema: Object, kinds: list[str], values: Any) -> list[Object]:
    """The node once for each of its types, with the values that are of it."""
    bare = {key: held for key, held in schema.items() if key not in ("const", "enum", "description")}
    if not isinstance(values, list):
        return [{**bare, "type": kind} for kind in kinds]
    found: list[Object] = []
    for kind in kinds:
        fitting = [value for value in values if _type_of(value) in (kind, "number" if kind == "integer" else kind)]
        if fitting:
            found.append({**bare, "type": kind, "enum": fitting})
    return found


def _both_types(one: Any, other: Any) -> Any:
    """The types that both name; `number` includes `integer`."""
    ones, others = (set(kind) if isinstance(kind, list) else {kind} for kind in (one, other))
    both = {kind for kind in ones if kind in others or (kind == "integer" and "number" in others)}
    both |= {kind for kind in others if kind == "integer" and "number" in ones}
    return sorted(both) if both else other


def _is_null(schema: Object) -> bool:
    return schema.get("type") == "null" or ("const" in schema and schema["const"] is None)


def _type_of(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return "string"
        case int() | float():
            return "number"
        case list():
            return "array"
        case _:
            return "object"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_list(schema: Object, name: str) -> bool:
    return isinstance(schema.get(name), list)


def _table(value: Any) -> Object:
    return value if isinstance(value, dict) else {}
