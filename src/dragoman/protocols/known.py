"""The protocols that Dragoman speaks. A new one is a folder and a line here."""

from dragoman.protocols import anthropic, gemini, openai_chat, openai_responses
from dragoman.protocols.base import WireProtocol

PROTOCOLS: dict[str, WireProtocol] = {
    protocol.name: protocol
    for protocol in (openai_chat.PROTOCOL, gemini.PROTOCOL, openai_responses.PROTOCOL, anthropic.PROTOCOL)
}

# The built-in model's server speaks Chat Completions.
SPOKEN_AS = {"local": "openai-chat"}


def protocol_of(name: str) -> WireProtocol | None:
    """The protocol that a provider's entry names; None for one that Dragoman does not speak yet."""
    return PROTOCOLS.get(SPOKEN_AS.get(name, name))
