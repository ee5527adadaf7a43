"""Google's Gemini API: generateContent, streamGenerateContent and countTokens."""

from dragoman.protocols.base import WireProtocol
from dragoman.protocols.gemini.protocol import Gemini

PROTOCOL: WireProtocol = Gemini()

__all__ = ["PROTOCOL"]
