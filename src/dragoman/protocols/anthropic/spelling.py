"""How Messages writes the neutral language's field names, for naming losses and errors: with dots, as Anthropic's errors do."""

from dragoman.ir import Spelling

SPELLING = Spelling(
    fields={
        "max_output_tokens": "max_tokens",
        "stop": "stop_sequences",
        "format": "output_config.format",
        "format.name": "output_config.format.name",
        "format.schema": "output_config.format.schema",
        "reasoning": "thinking",
        "reasoning.effort": "output_config.effort",
        "reasoning.budget": "thinking.budget_tokens",
        "reasoning.include_thoughts": "thinking.display",
        "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
        "user": "metadata.user_id",
    },
    part=".content.{}",
)
