"""JSON Schemas as Anthropic takes them.

A tool's schema must be an object at its root, without `anyOf`, `oneOf`, `allOf` or `$ref` there; it is lowered so that it
accepts no less. An answer's schema must close every object, and knows only some of the words that bound a value: the others
are told in the description (anthropic 2.12, lib/_parse/_transform.py).
"""

from typing import Any

from dragoman.wire.json import encode_text

Json = dict[str, Any]
_UNIONS = ("anyOf", "oneOf", "allOf")
_MAX_DEPTH = 64
_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"})
_KEPT = frozenset({"type", "description", "title", "enum", "const", "default", "required", "$ref"})


class Unbounded(Exception):
    """The schema has objects whose members are not all named; Anthropic cannot hold an answer to it."""


def input_schema(parameters: Json | None) -> Json:
    """The `input_schema` of a tool."""
    if not parameters:
        return {"type": "object", "properties": {}}
    if (
        parameters.get("type") == "object"
        and not any(word in parameters for word in _UNIONS)
        and "$ref" not in parameters
    ):
        return parameters if "properties" in parameters else {**parameters, "properties": {}}
    return _object(parameters, parameters, 0)


def _object(schema: Json, root: Json, depth: int) -> Json:
    """The least object schema that accepts every object that `schema` does."""
    lowered = {name: member for name, member in schema.items() if name not in _UNIONS and name != "$ref"}
    lowered["type"] = "object"
    found: Any = schema.get("properties")
    properties: Json = dict(found) if type(found) is dict else {}
    required = _names(schema.get("required"))
    if depth < _MAX_DEPTH:
        target = _target(schema.get("$ref"), root)
        if target is not None:
            _join(properties, required, [_object(target, root, depth + 1)], every=True)
        for word in _UNIONS:
            branches = schema.get(word)
            if type(branches) is list and branches:
                held = [_object(branch, root, depth + 1) for branch in branches if type(branch) is dict]
                if _drops_closing(held):
                    lowered.pop("additionalProperties", None)
                _join(properties, required, held, every=word == "allOf")
    lowered["properties"] = properties
    lowered.pop("required", None)
    if required:
        lowered["required"] = required
    return lowered


def _drops_closing(branches: list[Json]) -> bool:
    return any(branch["properties"] for branch in branches)


def _join(properties: Json, required: list[str], branches: list[Json], *, every: bool) -> None:
    """Adds what the branches name; a member is required where all of them (or, with `every`, any of them) require it."""
    for branch in branches:
        for name, member in branch["properties"].items():
            held = properties.get(name)
            if held is None:
                properties[name] = member
            elif held != member:
                known = held["anyOf"] if type(held) is dict and held.keys() == {"anyOf"} else [held]
                if member not in known:
                    properties[name] = {"anyOf": [*known, member]}
    wanted = [set(_names(branch.get("required"))) for branch in branches]
    if wanted:
        common = set.union(*wanted) if every else set.intersection(*wanted)
        required += sorted(common.difference(required))


def _names(value: Any) -> list[str]:
    return [name for name in value if type(name) is str] if type(value) is list else []


def _target(ref: Any, root: Json) -> Json | None:
    if type(ref) is not str or not ref.startswith("#/"):
        return None
    found: Any = root
    for step in ref[2:].split("/"):
        found = found.get(step.replace("~1", "/").replace("~0", "~")) if type(found) is dict else None
    return found if type(found) is dict else None


def answer_schema(schema: Json, depth: int = 0) -> Json:
    """The schema of `output_config.format`. Raises Unbounded where an object's members are not all named."""
    if depth > _MAX_DEPTH:
        raise Unbounded
    told: Json = {}
    unsaid: Json = {}
    for name, member in schema.items():
        if name in ("$defs", "definitions", "properties"):
            if type(member) is dict:
                told[name] = {word: _inner(item, depth) for word, item in member.items()}
        elif name == "items":
            told[name] = _inner(member, depth)
        elif name in _UNIONS:
            if type(member) is list:
                told["anyOf" if name == "oneOf" else name] = [_inner(item, depth) for item in member]
        elif name in _KEPT or _is_known(name, member):
            told[name] = member
        elif name == "additionalProperties":
            if member not in (False, None):
                raise Unbounded
        elif not name.startswith("$") and member is not None:
            unsaid[name] = member
    if told.get("type") == "object" or "properties" in told:
        if "properties" not in told:
            raise Unbounded
        told["additionalProperties"] = False
    if unsaid:
        bounds = ", ".join(f"{name}: {encode_text(member)}" for name, member in unsaid.items())
        told["description"] = f"{told['description']}\n\n{{{bounds}}}" if "description" in told else f"{{{bounds}}}"
    return told


def _is_known(name: str, member: Any) -> bool:
    if name == "format":
        return type(member) is str and member in _FORMATS
    return name == "minItems" and member in (0, 1)


def _inner(schema: Any, depth: int) -> Any:
    if type(schema) is not dict or not schema:
        raise Unbounded
    return answer_schema(schema, depth + 1)


def is_closed(schema: Any) -> bool:
    """Whether every object in it is closed, as a tool that is `strict` must be."""
    if type(schema) is list:
        return all(is_closed(item) for item in schema)
    if type(schema) is not dict:
        return True
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        return False
    return all(is_closed(member) for member in schema.values())
