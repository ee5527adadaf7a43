"""Answers kept in memory for those who ask the same again, and calls that several wait for. Pure: the time is given, and what a
caller or a vendor is, is not known here."""

from dragoman.cache.answer import Answer, name_of, packed, size_of, unpacked
from dragoman.cache.cache import Cache
from dragoman.cache.flight import Flight, Outcome
from dragoman.cache.store import Store

__all__ = ["Answer", "Cache", "Flight", "Outcome", "Store", "name_of", "packed", "size_of", "unpacked"]
