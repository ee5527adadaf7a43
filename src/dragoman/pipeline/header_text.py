"""Text of any kind as the value of an HTTP header."""


def header_text(text: str) -> bytes:
    """`text` as a header's value: what ASCII cannot show is escaped, and nothing in it can end the line."""
    if text.isascii() and text.isprintable():
        return text.encode()
    return "".join(c if c.isprintable() else " " for c in text).encode("ascii", "backslashreplace")
