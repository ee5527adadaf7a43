"""Entries to test with."""

from typing import Any

from dragoman.ledger import Entry

DAY = 86_400_000_000


def entry(number: int = 1, **changed: Any) -> Entry:
    fields: dict[str, Any] = {
        "request_id": f"req_{number:026d}",
        "started_at": 20_000 * DAY + number,
        "key_id": "key_1",
        "protocol": "gemini",
        "model": "fast",
        "provider": "google",
        "target_model": "gemini-2.5-flash",
        "operation": "generate",
        "status": 200,
        "error": None,
        "stream": 0,
        "attempts": 1,
        "losses": None,
        "input_tokens": 10,
        "cached_input_tokens": 2,
        "cache_write_tokens": None,
        "output_tokens": 5,
        "reasoning_tokens": 1,
        "cost_nanos": 15_500,
        "price": "p1",
        "units": None,
        "estimated": 0,
        "first_byte_ms": 1.5,
        "duration_ms": 2.5,
        "client_closed": 0,
    }
    return Entry(**(fields | changed))
