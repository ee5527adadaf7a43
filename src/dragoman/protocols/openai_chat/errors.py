"""A failure inside a stream."""

from dragoman.ir import DragomanError
from dragoman.protocols.openai.errors import error_object
from dragoman.wire import json


def event_of(error: DragomanError) -> bytes:
    """The error object as a data line, after which the stream closes (recorded)."""
    return b"data: " + json.encode({"error": error_object(error)}) + b"\n\n"
