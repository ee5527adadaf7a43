"""What repeats in a stream: from one event to the next often nothing differs but one text.

What stands around that text is learnt from an event that was read in full. An event with the same bytes around it, and one JSON
string in between, means the same but for the text, so that string is all that need be read.
"""

import re

import msgspec

_STRING = re.compile(rb'\s*("(?:[^"\\]|\\.)*")')

decode_text = msgspec.json.Decoder(str).decode

# What no event begins with: the mould of a stream that has none.
NOTHING = b"\0"
# How often a stream may be tried to be learnt from: some vendors put random bytes into every event.
TRIES = 3


def around(event: bytes, key: bytes, text: str) -> tuple[bytes, bytes] | None:
    """What stands before and after the JSON string that follows `key` (`"text":`), where that string is `text`."""
    at = event.find(key)
    found = _STRING.match(event, at + len(key)) if at >= 0 else None
    if found is None or decode_text(found[1]) != text:
        return None
    return event[: found.start(1)], event[found.end(1) :]
