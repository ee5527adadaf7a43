"""The shapes of the fields that are handed on as they came: wrong types are refused by their path all the same (types of openai
3.54.0; Google's of google-genai 3.4.0). Names that are not told here are not looked at.
"""

from typing import Any

from dragoman.protocols.openai.shapes import Shape, check, text_or

REQUEST: dict[str, Shape] = {
    "safety_identifier": "text",
    "metadata": {"*": "text"},
    "store": "flag",
    "prediction": {"type": "text", "content": text_or(({},), "a string or an array of content parts")},
    "prompt_cache_key": "text",
    "prompt_cache_retention": "text",
    "prompt_cache_options": "any",
    "audio": {"voice": text_or({}, "a string or an object"), "format": "text"},
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


def check_google(extra_content: Any, path: str) -> None:
    """`extra_content.google.thought_signature`, which is read where it is what it must be."""
    check(extra_content, {"google": {"thought_signature": "text"}}, path)
