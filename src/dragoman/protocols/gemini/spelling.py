"""How Gemini writes the neutral language's fields, for naming losses and refusals to its callers."""

from dragoman.ir import Spelling

_CONFIG = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "max_output_tokens": "maxOutputTokens",
    "stop": "stopSequences",
    "seed": "seed",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
    "candidate_count": "candidateCount",
    "logprobs": "responseLogprobs",
    "top_logprobs": "logprobs",
    "format": "responseMimeType",
    "format.schema": "responseSchema",
    "reasoning": "thinkingConfig",
    "reasoning.effort": "thinkingConfig.thinkingLevel",
    "reasoning.budget": "thinkingConfig.thinkingBudget",
    "reasoning.include_thoughts": "thinkingConfig.includeThoughts",
    "modalities": "responseModalities",
}

SPELLING = Spelling(
    fields={
        "messages": "contents",
        "system": "systemInstruction",
        "tool_choice": "toolConfig.functionCallingConfig",
        "service_tier": "serviceTier",
        **{name: f"generationConfig.{field}" for name, field in _CONFIG.items()},
    },
    part=".parts[{}]",
)
