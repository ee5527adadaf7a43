"""Requests made wrong in one place: every field in every wrong type is a BadRequest that names the field, and nothing else; what
is read all the same goes to any vendor.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

from dragoman.catalog.profile import profile_for
from dragoman.ir import BadRequest, Losses
from dragoman.protocols.base import Route, WireProtocol
from dragoman.protocols.known import PROTOCOLS

WRONG: tuple[Any, ...] = (True, 7, 0.5, "x", [], [7], ["x"], {}, {"x": 7}, [{"x": 7}])
VENDORS = [
    ("gemini", "gemini-2.5-flash"),
    ("gemini", "gemini-3-pro-preview"),
    ("gemini", "gemini-2.0-flash"),
    ("openai-chat", "gpt-4o"),
    ("openai-chat", "gpt-5-search-api"),
    ("openai-chat", "doubao-x"),
    ("local", "smollm2"),
    ("anthropic", "claude-opus-4-6"),
    ("openai-responses", "gpt-5.2"),
]


def nonsense(words: st.SearchStrategy[str], max_leaves: int = 20) -> st.SearchStrategy[Any]:
    """Any JSON, in which the protocol's own words are likely."""
    return st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=5)
        | words,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words | st.text(max_size=5), inner, max_size=4),
        max_leaves=max_leaves,
    )


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each field with its path, objects and lists too."""
    if path:
        yield path, value
    if isinstance(value, dict):
        for name, held in value.items():
            yield from leaves(held, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for number, held in enumerate(value):
            yield from leaves(held, f"{path}[{number}]")


def put(body: Any, path: str, value: Any) -> Any:
    changed = json.loads(json.dumps(body))
    *outer, last = path.replace("]", "").replace("[", ".").split(".")
    held = changed
    for word in outer:
        held = held[int(word) if isinstance(held, list) else word]
    held[int(last) if isinstance(held, list) else last] = value
    return changed


def kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else type(value).__name__


class Whole:
    """A request that says all a protocol can say. `free` are the places whose content is the caller's own; `lenient` tells the
    paths that take more than one type; `alone` gives what a changed request says at one path, with little else: what one field
    refuses does not hide what another does with it."""

    def __init__(
        self,
        protocol: WireProtocol,
        route: Route,
        body: dict[str, Any],
        *,
        free: tuple[str, ...],
        lenient: re.Pattern[str],
        alone: Callable[[Any, list[str]], Any] | None = None,
        numbers_as_texts: bool = False,
    ) -> None:
        self.protocol = protocol
        self.route = route
        self.body = body
        self.fields = [
            (path, held)
            for path, held in leaves(body)
            if held is not None and not any(f"{word}." in f"{path}." for word in free)
        ]
        self._lenient = lenient
        self._alone = alone
        self._numbers_as_texts = numbers_as_texts

    def refused(self, body: Any) -> BadRequest | None:
        try:
            self.protocol.read_request(json.dumps(body).encode(), self.route)
        except BadRequest as error:
            return error
        return None

    def carried(self, body: Any) -> None:
        """What was read goes to any vendor, or is refused by a field's path."""
        request = self.protocol.read_request(json.dumps(body).encode(), self.route)
        unnamed: list[tuple[str, str]] = []
        for protocol, model in VENDORS:
            spoken = PROTOCOLS["openai-chat" if protocol == "local" else protocol]
            try:
                spoken.write_request(request, model, profile_for(protocol, model), Losses(self.protocol.spelling))
            except BadRequest as error:
                unnamed += [] if error.param else [(protocol, error.message)]
        assert unnamed == []

    def carried_alone(self, path: str, value: Any) -> None:
        if self._alone is None:
            return
        body = self._alone(put(self.body, path, value), re.findall(r"[^.\[\]]+", path))
        if self.refused(body) is None:
            self.carried(body)

    def may_be_absent(self, path: str, held: Any) -> None:
        self.carried_alone(path, held)
        for empty in (None, type(held)()):
            body = put(self.body, path, empty)
            error = self.refused(body)
            if error is None:
                self.carried(body)
                self.carried_alone(path, empty)
            else:
                assert error.param, error.message

    def names_wrong_types(self, path: str, held: Any) -> None:
        for wrong in WRONG:
            if kind(wrong) == kind(held):
                continue
            body = put(self.body, path, wrong)
            error = self.refused(body)
            if error is None:
                self.carried(body)
                self.carried_alone(path, wrong)
                assert self._takes(path, held, wrong), wrong
                continue
            assert error.param, (wrong, error.message)
            assert error.param.startswith(path) or path.startswith(error.param), (wrong, error.param)

    def _takes(self, path: str, held: Any, wrong: Any) -> bool:
        # What says nothing is as good as absent.
        if self._lenient.search(path) or wrong in ([], {}):
            return True
        return self._numbers_as_texts and {kind(held), kind(wrong)} == {"str", "number"}
