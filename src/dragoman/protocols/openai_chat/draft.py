"""A request while it is being read."""

from typing import Any

from dragoman.ir import Extra, OutputFormat, ToolChoice
from dragoman.ir.request import Effort, Tool

# The name of the extra that says a caller spoke the legacy `functions` form.
LEGACY = "dragoman.legacy_functions"


class Draft:
    """What has been read so far; class attributes are what holds where nothing was said."""

    sampling: dict[str, Any] | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel: bool | None = None
    format: OutputFormat | None = None
    effort: Effort | None = None
    budget: int | None = None
    explicit: Effort | None = None
    include_thoughts: bool | None = None
    ark_thinking: Effort | None = None
    modalities: tuple[str, ...] = ()
    stream: bool = False
    include_usage: bool = False
    user: str | None = None
    service_tier: str | None = None

    def __init__(self) -> None:
        self.extras: list[Extra] = []

    def sample(self, name: str, value: Any) -> None:
        if self.sampling is None:
            self.sampling = {}
        self.sampling[name] = value
