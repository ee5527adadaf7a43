"""The shared minute as it is meant, in Python: what `minute.lua` is held against, and what leases are tried with where a test
needs a clock of its own."""

from __future__ import annotations

SPAN = 61


class MinuteStore:
    def __init__(self) -> None:
        self.requests: dict[int, int] = {}
        self.tokens: dict[int, int] = {}

    def call(self, now: int, micros: int, words: list[int]) -> list[int]:
        span, nodes = words[0], words[1]
        for counts in (self.requests, self.tokens):
            for second in [second for second in counts if now - second > span]:
                del counts[second]
        for at in range(8, len(words), 3):
            second = min(words[at], now)
            if now - second <= span:
                for counts, more in ((self.requests, words[at + 1]), (self.tokens, words[at + 2])):
                    counts[second] = max(0, counts.get(second, 0) + more)
        short = False
        answer = [now, micros]
        for counts, (limit, need, wish) in ((self.requests, words[2:5]), (self.tokens, words[5:8])):
            if limit < 0:
                answer += [0, 0]
                continue
            left = max(0, limit - sum(counts.values()))
            given = min(left, max(need, min(left // (8 * nodes), wish)))
            short = short or given < need
            counts[now] = counts.get(now, 0) + given
            answer += [given, left - given]
        if short:
            for second in range(now - span, now + 1):
                if self.requests.get(second, 0) or self.tokens.get(second, 0):
                    answer += [second, self.requests.get(second, 0), self.tokens.get(second, 0)]
        return answer
