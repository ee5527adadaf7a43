"""Anthropic's Messages API (`/v1/messages`), as callers and vendors speak it."""

from dragoman.protocols.anthropic.protocol import Anthropic
from dragoman.protocols.base import WireProtocol

PROTOCOL: WireProtocol = Anthropic()

__all__ = ["PROTOCOL"]
