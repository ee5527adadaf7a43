"""A request while it is being read."""

from typing import Any

from dragoman.ir import Extra, OutputFormat, ToolChoice
from dragoman.ir.request import Effort, Tool
from dragoman.protocols.openai_chat.spelling import SPELLING

# The name of the extra that says a caller spoke the legacy `functions` form.
LEGACY = "dragoman.legacy_functions"


class Draft:
    """What has been read so far; class attributes are what holds where nothing was said."""

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
    # Where the caller wrote a neutral field, when that is not where the protocol's spelling says.
    places: dict[str, str] | None = None

    def __init__(self) -> None:
        self.extras: list[Extra] = []
        self.sampling: dict[str, Any] = {}

    def place(self, field: str, path: str) -> None:
        """Notes that the caller wrote `field` at `path`; the last one said holds."""
        places = self.places or {}
        if path != SPELLING.fields.get(field, field):
            self.places = {**places, field: path}
        elif field in places:
            self.places = {known: at for known, at in places.items() if known != field} or None
