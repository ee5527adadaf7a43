"""Follows `$ref`s inside a JSON Schema and puts `allOf` into one node; both of Google's doors want it so.

What comes out accepts no less than what went in: where two branches say different things of one keyword and no keyword says
both, the last holds and the difference is noted as loosened.
"""

from typing import Any
from urllib.parse import unquote

from dragoman.protocols.gemini.fields import Object

MAX_DEPTH = 64
# References to each other can be written in a few lines that would fill the memory put in place.
MAX_FOLLOWED = 200
NAMED = frozenset({"properties", "$defs", "patternProperties", "dependentSchemas"})
# The keywords that may hold an object. What has none of them, and nothing but objects, is no schema but bare properties.
KEYWORDS = frozenset(
    {
        "properties", "additionalProperties", "patternProperties", "propertyNames", "items", "contains", "not", "if", "then",
        "else", "$defs", "definitions", "dependentSchemas", "const", "default", "examples",
    }
)  # fmt: skip
# Keywords that mean something together only, so that one branch's never meets another's.
_UNITS = (
    frozenset({"items", "prefixItems", "additionalItems", "unevaluatedItems"}),
    frozenset({"if", "then", "else"}),
    frozenset({"contains", "minContains", "maxContains"}),
)
_UNIT_OF = {key: unit for unit in _UNITS for key in unit}
_LEAST = frozenset({"maximum", "maxLength", "maxItems", "maxProperties"})
_GREATEST = frozenset({"minimum", "minLength", "minItems", "minProperties"})
_TELLING = frozenset(
    {"title", "description", "default", "examples", "example", "$comment", "$schema", "$id", "$anchor"}
)


class References:
    """The references of one schema; `loosened` gathers what was left out of it (a set in order)."""

    __slots__ = ("_circular", "_follows", "loosened", "root")

    def __init__(self, root: Object, loosened: dict[str, None]) -> None:
        self.root = root
        self.loosened = loosened
        self._follows = MAX_FOLLOWED
        self._circular: dict[str, bool] = {}

    def may_follow(self) -> bool:
        """Whether one more reference may be put in place; counts it."""
        self._follows -= 1
        return self._follows >= 0

    def merged(self, schema: Object, depth: int, inlined: frozenset[str]) -> tuple[Object, frozenset[str]]:
        """The node without `allOf`, and the references that were followed for it. A branch that can't be had is left out."""
        branches = schema.get("allOf")
        if depth > MAX_DEPTH or not isinstance(branches, list):
            return schema, inlined
        rest = {key: held for key, held in schema.items() if key != "allOf"}
        found: list[Object] = []
        followed = inlined
        if len(branches) == 1 and isinstance(branches[0], dict):
            return self.merged(self.joined([branches[0], rest]), depth + 1, inlined)
        for branch in branches:
            if not isinstance(branch, dict):
                if branch is not True:
                    self.loosened["allOf"] = None
                continue
            whole, followed = self.merged(branch, depth + 1, followed)
            reference = whole.get("$ref")
            if isinstance(reference, str):
                beside = {key: held for key, held in whole.items() if key != "$ref"}
                target = self.target(reference)
                if target is None or reference in followed or not self.may_follow():
                    self.loosened["allOf"] = None
                    whole = beside
                else:
                    target, followed = self.merged(target, depth + 1, followed | {reference})
                    whole = self.joined([target, beside])
            found.append(whole)
        return self.joined([*found, rest]), followed

    def target(self, reference: str) -> Object | None:
        """What a reference inside this schema points to; None where that is nothing, or another reference in a circle."""
        for _ in range(8):
            held = self._at(reference)
            if not isinstance(held, dict):
                return None
            if held.keys() != {"$ref"} or not isinstance(held["$ref"], str):
                return held
            reference = held["$ref"]
        return None

    def _at(self, reference: str) -> Any:
        if reference != "#" and not reference.startswith("#/"):
            return None
        held: Any = self.root
        for word in renamed(reference).split("/")[1:]:
            name = unquote(word).replace("~1", "/").replace("~0", "~")
            if isinstance(held, dict):
                held = held.get(name)
            elif isinstance(held, list) and name.isdecimal() and int(name) < len(held):
                held = held[int(name)]
            else:
                return None
        return held

    def is_circular(self, reference: str) -> bool:
        """Whether what the reference points to leads back to it."""
        known = self._circular.get(reference)
        if known is None:
            known = self._circular[reference] = reference == "#" or self._leads_back(reference)
        return known

    def _leads_back(self, reference: str) -> bool:
        seen: set[str] = set()
        waiting = [reference]
        while waiting:
            for found in references_in(self._at(waiting.pop())):
                if found == reference or found == "#":
                    return True
                if found not in seen:
                    seen.add(found)
                    waiting.append(found)
        return False

    def joined(self, schemas: list[Object]) -> Object:
        joined: Object = {}
        for schema in schemas:
            for key in schema:
                unit = _UNIT_OF.get(key)
                if unit is not None and not unit.isdisjoint(joined):
                    for old in unit & joined.keys():
                        if joined[old] != schema.get(old):
                            self.loosened["allOf"] = None
                        del joined[old]
            exclusive = isinstance(schema.get("exclusiveMinimum"), bool) or isinstance(
                joined.get("exclusiveMinimum"), bool
            )
            exclusive = exclusive or isinstance(schema.get("exclusiveMaximum", joined.get("exclusiveMaximum")), bool)
            for key, held in schema.items():
                joined[key] = self._both(key, joined[key], held, exclusive) if key in joined else held
        return joined

    def _both(self, key: str, before: Any, held: Any, exclusive: bool) -> Any:
        if key in NAMED and isinstance(before, dict) and isinstance(held, dict):
            for name in before.keys() & held.keys():
                if before[name] != held[name]:
                    self.loosened["allOf"] = None
            return {**before, **held}
        if key == "required" and isinstance(before, list) and isinstance(held, list):
            return [*before, *(name for name in held if name not in before)]
        if key in _LEAST and not exclusive and _is_number(before) and _is_number(held):
            return min(before, held)
        if key in _GREATEST and not exclusive and _is_number(before) and _is_number(held):
            return max(before, held)
        if before != held and key not in _TELLING:
            self.loosened["allOf"] = None
        return held


def renamed(reference: str) -> str:
    return "#/$defs/" + reference[14:] if reference.startswith("#/definitions/") else reference


def is_definition(reference: str) -> bool:
    """Whether it names one of the root's definitions, which stay where they are when the schema is written."""
    return reference == "#" or (reference.startswith("#/$defs/") and reference.count("/") == 2)


def references_in(value: Any) -> set[str]:
    """Every `$ref` below `value`, whatever it stands in."""
    found: set[str] = set()
    waiting = [value]
    while waiting:
        held = waiting.pop()
        if isinstance(held, dict):
            if isinstance(held.get("$ref"), str):
                found.add(renamed(held["$ref"]))
            waiting += held.values()
        elif isinstance(held, list):
            waiting += held
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
