"""Token counts, with one meaning whichever vendor counted."""

from msgspec import Struct


class Usage(Struct, frozen=True, gc=False):
    """Tokens of one answer.

    `input` includes cached, cache-writing and tool-use input; `output` includes reasoning. `cache_write_hour` is that part of
    `cache_write` which is kept for an hour, at a price of its own. The `*_by_modality` tuples hold
    (modality in lower case, tokens) pairs as far as the vendor told them apart. `estimated` marks our own count.
    """

    input: int = 0
    output: int = 0
    cached_input: int = 0
    cache_write: int = 0
    reasoning: int = 0
    tool_input: int = 0
    input_by_modality: tuple[tuple[str, int], ...] = ()
    output_by_modality: tuple[tuple[str, int], ...] = ()
    cached_by_modality: tuple[tuple[str, int], ...] = ()
    tool_input_by_modality: tuple[tuple[str, int], ...] = ()
    accepted_prediction: int = 0
    rejected_prediction: int = 0
    estimated: bool = False
    cache_write_hour: int = 0

    @property
    def total(self) -> int:
        return self.input + self.output
