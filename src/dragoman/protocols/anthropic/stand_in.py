"""A forced call that stands in for an answer in JSON, for models that cannot be held to a schema: its arguments are the answer.

An answer is read without its request at hand, so these tools are known by names that no caller would give its own.
"""

from typing import Any

from dragoman.wire import json

_PREFIX = "dragoman_answer_"
OBJECT = _PREFIX + "json"  # the arguments themselves are the answer
VALUE = _PREFIX + "value"  # the answer is no object: it stands in the member `answer`
WORD = _PREFIX + "word"  # the answer is a bare word, in the member `answer`
_ANSWER = "answer"


def is_stand_in(name: Any) -> bool:
    return type(name) is str and name.startswith(_PREFIX)


def tool(name: str, schema: dict[str, Any], description: str | None) -> dict[str, Any]:
    """The declaration; `schema` is the answer's."""
    if name != OBJECT:
        # References in the schema start from its own root.
        definitions: dict[str, Any] = {word: schema[word] for word in ("$defs", "definitions") if word in schema}
        inner = {word: member for word, member in schema.items() if word not in definitions}
        schema = {"type": "object", **definitions, "properties": {_ANSWER: inner}, "required": [_ANSWER]}
    return {
        "name": name,
        "description": description or "The whole answer, given by calling this.",
        "input_schema": schema,
    }


def text_of(name: str, arguments: str) -> str:
    """The answer in its arguments."""
    if name == OBJECT:
        return arguments or "{}"
    try:
        held = json.decode(arguments.encode("utf-8", "surrogatepass"))
    except json.NotJson:
        return arguments
    value = held.get(_ANSWER) if type(held) is dict else held
    return value if name == WORD and type(value) is str else json.encode_text(value)
