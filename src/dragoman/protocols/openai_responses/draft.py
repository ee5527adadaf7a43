"""A request while it is being read."""

from typing import Any

from dragoman.ir import Extra, OutputFormat, Reasoning, Text, ToolChoice
from dragoman.ir.request import Tool

# The owner of what only this protocol knows; what Chat Completions knows too is `openai`'s.
OWNER = "openai-responses"
# The name of the extra that holds what the caller said of its request and wants to read again in the answer.
ECHO = "dragoman.echo"


class Draft:
    """What has been read so far; class attributes are what holds where nothing was said."""

    sampling: dict[str, Any] | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel: bool | None = None
    format: OutputFormat | None = None
    reasoning: Reasoning | None = None
    modalities: tuple[str, ...] = ()
    stream: bool = False
    user: str | None = None
    service_tier: str | None = None

    def __init__(self) -> None:
        self.system: list[Text] = []
        self.extras: list[Extra] = []
        self.echo: dict[str, Any] = {}

    def sample(self, name: str, value: Any) -> None:
        if self.sampling is None:
            self.sampling = {}
        self.sampling[name] = value

    def own(self, name: str, value: Any, path: str, *, harmless: bool = False, owner: str = OWNER) -> None:
        self.extras.append(Extra(owner, name, value, path, harmless))
