"""Dragoman: an interpreter between callers and model vendors who speak different protocols."""

__version__ = "0.1.0"
