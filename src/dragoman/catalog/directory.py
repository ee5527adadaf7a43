"""Which target a model's name leads to. Pure: made once from the checked settings, asked for every request."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from msgspec import Struct

_PATTERN_MARKS = frozenset("*?[")
LONGEST_NAME = 256


class Target(Struct, frozen=True, gc=False):
    """A provider and that provider's own name for a model."""

    provider: str
    model: str
    weight: int = 1
    priority: int = 1

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"


class Resolved(Struct, frozen=True):
    """`name` is the public name (an alias is replaced by what it stands for); `targets` in the file's order; `strategy` as in
    the settings."""

    name: str
    targets: tuple[Target, ...]
    strategy: str = "weighted"


class Named(Struct, frozen=True):
    """A model of the operator's own."""

    targets: tuple[Target, ...]
    aliases: tuple[str, ...] = ()
    description: str = ""
    strategy: str = "weighted"


def is_plausible(name: str) -> bool:
    """Whether a model may be called that. Names become part of vendors' URLs, so none may climb out of its place there."""
    return len(name) <= LONGEST_NAME and name.isprintable() and not (".." in name and ".." in name.split("/"))


def is_pattern(text: str) -> bool:
    return not _PATTERN_MARKS.isdisjoint(text)


class Directory:
    """Resolves names: a model of the operator's or its alias, then a provider's pattern, then `provider/model`.

    `stand_in` answers for every name that nothing else knows (demo mode); None where an unknown name is an error.
    """

    def __init__(
        self,
        named: Mapping[str, Named],
        patterns: Mapping[str, Sequence[str]],
        *,
        stand_in: Target | None = None,
    ) -> None:
        self.named = dict(named)
        self.patterns = {provider: tuple(found) for provider, found in patterns.items()}
        self.stand_in = stand_in
        self._aliases = {alias: name for name, model in named.items() for alias in model.aliases}
        self._found: dict[str, Resolved] = {}

    def resolve(self, name: str) -> Resolved | None:
        """What `name` leads to; None where nothing knows it. `models/NAME`, Google's form, is NAME."""
        found = self._found.get(name)
        if found is None:
            found = self._resolve(name.removeprefix("models/"))
            # Callers choose the names, so what is remembered has a bound.
            if found is not None and len(self._found) < 4096:
                self._found[name] = found
        return found

    def _resolve(self, name: str) -> Resolved | None:
        if not is_plausible(name):
            return None
        name = self._aliases.get(name, name)
        if own := self.named.get(name):
            return Resolved(name, own.targets, own.strategy)
        for provider, patterns in self.patterns.items():
            if any(fnmatchcase(name, pattern) for pattern in patterns):
                return Resolved(name, (Target(provider, name),))
        provider, slash, model = name.partition("/")
        if slash and model and provider in self.patterns:
            return Resolved(name, (Target(provider, model),))
        if self.stand_in is not None and name:
            return Resolved(str(self.stand_in.model), (self.stand_in,))
        return None

    def names(self) -> list[str]:
        """The names that are known without asking any vendor: own models, aliases, and patterns that are plain names."""
        plain = [pattern for found in self.patterns.values() for pattern in found if not is_pattern(pattern)]
        return list(dict.fromkeys([*self.named, *self._aliases, *plain]))

    def nearest(
        self,
        name: str,
        also: Iterable[str] = (),
        count: int = 3,
        *,
        allowed: Callable[..., bool] = lambda *names: True,
    ) -> list[str]:
        """The known names most like `name`, best first. Patterns stand for themselves.

        Only those that are `allowed`, which is asked with a name and what it is an alias of."""
        name = name.removeprefix("models/")
        every = dict.fromkeys([*self.names(), *also])
        known = [one for one in every if allowed(one, self._aliases.get(one, one))]
        if close := difflib.get_close_matches(name, known, n=count, cutoff=0.5):
            return close
        patterns = [one for found in self.patterns.values() for one in found if is_pattern(one) and allowed(one)]
        return difflib.get_close_matches(name, patterns, n=count, cutoff=0.5) or (known + patterns)[:count]
