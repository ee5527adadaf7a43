"""The shapes of the fields that are handed on as they came: wrong types are refused by their path all the same (types of openai
3.54.0; Google's of google-genai 3.4.0). Names that are not told here are not looked at.
"""

from typing import Any

from dragoman.protocols.openai import fields

# A word names a kind of value; a tuple is a list of its only shape; a dict tells an object's members, `*` all of them.
Shape = Any

REQUEST: dict[str, Shape] = {
    "safety_identifier": "text",
    "metadata": {"*": "text"},
    "store": "flag",
    "prediction": {"type": "text", "content": "content"},
    "prompt_cache_key": "text",
    "prompt_cache_retention": "text",
    "prompt_cache_options": "any",
    "audio": {"voice": "voice", "format": "text"},
    "verbosity": "text",
    "moderation": "any",
}
WEB_SEARCH: Shape = {
    "search_context_size": "text",
    "user_location": {
        "type": "text",
        "approximate": {"city": "text", "country": "text", "region": "text", "timezone": "text"},
    },
}
GOOGLE: dict[str, Shape] = {
    "cached_content": "text",
    "safety_settings": ({"category": "text", "threshold": "text"},),
}
IMAGE_CONFIG: Shape = {"aspect_ratio": "text", "aspectRatio": "text", "image_size": "text", "imageSize": "text"}
AUDIO: Shape = {"id": "text"}
_LEAVES = {"text": fields.text, "flag": fields.flag, "any": fields.table}


def check(value: Any, shape: Shape, path: str) -> None:
    """Raises BadRequest with the path of what is not of its shape."""
    if value is None or shape is None:
        return
    if type(shape) is str:
        if shape == "content":  # a text, or parts
            if type(value) is not str and type(value) is not list:
                raise fields.refuse(path, "a string or an array of content parts", value)
        elif shape == "voice":  # a name, or a custom voice's id
            if type(value) is not str and type(value) is not dict:
                raise fields.refuse(path, "a string or an object", value)
        else:
            _LEAVES[shape](value, path)
    elif type(shape) is tuple:
        for number, item in enumerate(fields.array(value, path)):
            check(item, shape[0], f"{path}[{number}]")
    else:
        every = shape.get("*")
        for name, held in fields.table(value, path).items():
            if (known := every or shape.get(name)) is not None:
                check(held, known, f"{path}.{name}")


def check_google(extra_content: Any, path: str) -> None:
    """`extra_content.google.thought_signature`, which is read where it is what it must be."""
    check(extra_content, {"google": {"thought_signature": "text"}}, path)
