"""Bytes to frames and back, with no sockets: the JSON door, server-sent events, and Gemini's streamed JSON array."""
