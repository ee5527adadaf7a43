"""OpenAI's Responses, as OpenAI, Azure, Ark, vLLM and others speak it."""

from dragoman.protocols.base import WireProtocol
from dragoman.protocols.openai_responses.protocol import OpenAIResponses

PROTOCOL: WireProtocol = OpenAIResponses()

__all__ = ["PROTOCOL"]
