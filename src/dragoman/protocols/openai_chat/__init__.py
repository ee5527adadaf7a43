"""OpenAI's Chat Completions, as OpenAI, Ark, llama.cpp and many others speak it."""

from dragoman.protocols.base import WireProtocol
from dragoman.protocols.openai_chat.protocol import OpenAIChat

PROTOCOL: WireProtocol = OpenAIChat()

__all__ = ["PROTOCOL"]
