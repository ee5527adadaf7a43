"""JSON Schema (draft 2020-12) of the file, for editors that complete and check YAML as it is typed.

Made from the models, then widened to what the loader takes beyond them: an entry may be left empty, and
any single value may be a `${…}` reference.
"""

from __future__ import annotations

from typing import Any

from dragoman.config.settings import Settings

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE = {"type": "string", "pattern": r"\$\{.+\}"}
_NUMBERS = {"integer", "number", "boolean"}


def json_schema() -> dict[str, Any]:
    """The schema as plain values; every setting carries its description, and its default where it has one."""
    made = Settings.model_json_schema(mode="validation")
    definitions = {name: _object(part) for name, part in made.pop("$defs", {}).items()}
    root = _object(made)
    return {
        "$schema": DIALECT,
        "title": "dragoman.yaml",
        "description": "Configuration of Dragoman, a gateway in front of every model vendor.",
        **{key: value for key, value in root.items() if key not in ("title", "description")},
        "$defs": definitions,
    }


def _object(schema: dict[str, Any]) -> dict[str, Any]:
    required = set(schema.get("required", ()))
    properties = {
        name: _property(part, optional=name not in required) for name, part in schema.get("properties", {}).items()
    }
    kept = {key: value for key, value in schema.items() if key != "title"}
    return {**kept, "properties": properties}


def _property(schema: dict[str, Any], *, optional: bool) -> dict[str, Any]:
    about: dict[str, Any] = {key: schema[key] for key in ("description", "default", "examples") if key in schema}
    if isinstance(about.get("default"), dict) or about.get("default", 0) is None:
        # A section's default is the sum of what stands in it, and is documented there.
        del about["default"]
    rest = {key: value for key, value in schema.items() if key not in (*about, "title", "default")}
    choices = [_value(choice) for choice in rest.pop("anyOf", None) or [rest]]
    flat: list[dict[str, Any]] = []
    for choice in [*choices, *([{"type": "null"}] if optional else [])]:
        for inner in choice["anyOf"] if set(choice) == {"anyOf"} else [choice]:
            if inner not in flat:
                flat.append(inner)
    return {**about, **(flat[0] if len(flat) == 1 else {"anyOf": flat})}


def _value(schema: dict[str, Any]) -> dict[str, Any]:
    """One value's schema, open to references wherever a single value stands."""
    # Bounds on an optional field are written by pydantic under its own names.
    names = {"ge": "minimum", "le": "maximum"}
    schema = {names.get(key, key): value for key, value in schema.items() if key != "title"}
    if "anyOf" in schema:
        return {"anyOf": [*schema["anyOf"], _REFERENCE]}
    if schema.get("type") in _NUMBERS or "enum" in schema or "pattern" in schema:
        return {"anyOf": [schema, _REFERENCE]}
    if isinstance(schema.get("items"), dict):
        schema["items"] = _value(schema["items"])
    if isinstance(schema.get("additionalProperties"), dict):
        schema["additionalProperties"] = _value(schema["additionalProperties"])
    return schema
