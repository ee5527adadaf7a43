"""How Chat Completions writes the neutral language's field names, for naming losses and errors."""

from dragoman.ir import Spelling

_GOOGLE = "extra_body.google"

SPELLING = Spelling(
    fields={
        "system": "messages",
        "max_output_tokens": "max_completion_tokens",
        "candidate_count": "n",
        "format": "response_format",
        "format.name": "response_format.json_schema.name",
        "format.schema": "response_format.json_schema.schema",
        "reasoning": "reasoning_effort",
        "reasoning.effort": "reasoning_effort",
        "reasoning.budget": f"{_GOOGLE}.thinking_config.thinking_budget",
        "reasoning.include_thoughts": f"{_GOOGLE}.thinking_config.include_thoughts",
        "include_usage": "stream_options.include_usage",
    },
    part=".content[{}]",
)
