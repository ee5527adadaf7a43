"""A price of the operator's own, as the file has it. What it means for an answer's tokens is left to the catalog."""

from __future__ import annotations

from decimal import Decimal
from typing import Self

from pydantic import Field, model_validator

from dragoman.config.kinds import Money, Whole
from dragoman.config.problem import wrong
from dragoman.config.section import Section


class Rates(Section):
    """US dollars a million tokens. What has no price of its own is billed as what it is a kind of."""

    input: Money = Field(description="Input tokens.", examples=["0.30"])
    output: Money = Field(description="Output tokens, reasoning included.", examples=["2.50"])
    cached_input: Money | None = Field(
        default=None, description="Input tokens read from the vendor's cache; unset, as `input`."
    )
    cache_write: Money | None = Field(
        default=None, description="Input tokens written to the vendor's cache; unset, as `input`."
    )
    cache_write_hour: Money | None = Field(
        default=None, description="Those that are to be kept for an hour (Anthropic); unset, as `cache_write`."
    )
    reasoning: Money | None = Field(default=None, description="Reasoning tokens; unset, as `output`.")
    audio_input: Money | None = Field(default=None, description="Tokens of sound in the input; unset, as `input`.")
    audio_output: Money | None = Field(default=None, description="Tokens of sound put out; unset, as `output`.")
    cached_audio: Money | None = Field(
        default=None, description="Tokens of sound read from the vendor's cache; unset, as `cached_input`."
    )
    image_input: Money | None = Field(default=None, description="Tokens of pictures in the input; unset, as `input`.")
    image_output: Money | None = Field(default=None, description="Tokens of pictures put out; unset, as `output`.")
    cached_image: Money | None = Field(
        default=None, description="Tokens of pictures read from the vendor's cache; unset, as `cached_input`."
    )
    video_input: Money | None = Field(default=None, description="Tokens of video in the input; unset, as `input`.")
    video_output: Money | None = Field(default=None, description="Tokens of video put out; unset, as `output`.")
    request: Money | None = Field(
        default=None, description="A million requests, whatever they hold; unset, nothing.", examples=["5000"]
    )

    @property
    def given(self) -> dict[str, Decimal]:
        """The prices that are set, by unit."""
        found = {unit: getattr(self, unit) for unit in Rates.model_fields}
        return {unit: usd for unit, usd in found.items() if usd is not None}


class PriceStep(Rates):
    """What a whole request costs whose input is longer than a bound."""

    above: Whole = Field(
        ge=1, le=10**9, description="Input tokens, cached ones included; longer inputs cost this.", examples=[200000]
    )


class Price(Rates):
    """US dollars a million tokens; stands in for the bundled price table."""

    steps: tuple[PriceStep, ...] = Field(default=(), description="Other prices for requests with longer inputs.")

    @model_validator(mode="after")
    def _steps_are_whole(self) -> Self:
        bounds = [step.above for step in self.steps]
        if len(set(bounds)) != len(bounds):
            raise wrong("has two steps above the same number of tokens", "Remove one.")
        for step in self.steps:
            # A price that was forgotten in a step would be billed as input or output there, at many times what is meant.
            if odd := [*(self.given.keys() ^ step.given.keys())]:
                raise wrong(
                    f"has {min(odd)} in one place and not in the step above {step.above}",
                    "Give each step the same prices that stand before it.",
                )
        return self
