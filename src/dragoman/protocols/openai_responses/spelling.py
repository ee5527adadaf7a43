"""How Responses writes the neutral language's field names, for naming losses and errors."""

from dragoman.ir import Spelling

SPELLING = Spelling(
    fields={
        "messages": "input",
        "system": "instructions",
        "format": "text.format",
        "format.name": "text.format.name",
        "format.schema": "text.format.schema",
        "reasoning": "reasoning",
        "reasoning.include_thoughts": "reasoning.summary",
        "logprobs": "include",
    },
    part=".content[{}]",
)
