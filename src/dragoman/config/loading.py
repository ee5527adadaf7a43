"""From a path and an environment to checked settings, or to every reason why not.

Order: the file named, else $DRAGOMAN_CONFIG, else ./dragoman.yaml, else the built-in defaults. This is
the only module here that looks for files; the environment is always the caller's to give.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from dragoman.config.check import dangling, doubtful
from dragoman.config.presets import PRESETS, Standard, standard_providers
from dragoman.config.problem import ConfigError, Problem
from dragoman.config.reading import Reading, SettingPath, read, spell
from dragoman.config.settings import Settings
from dragoman.config.source import Node, parse, read_text
from dragoman.config.wording import problems_of

FILE_NAME = "dragoman.yaml"


@dataclass(frozen=True, slots=True)
class Loaded:
    """Checked settings and what is known of where they came from.

    `origins` maps each setting's path to `FILE:LINE:COL`, `environment NAME` or `default`. `demo` is
    true when no vendor is configured and the built-in model answers for every name.
    """

    settings: Settings
    path: Path | None
    warnings: list[Problem] = field(default_factory=list)
    origins: dict[str, str] = field(default_factory=dict)
    demo: bool = False


def find(path: Path | None, env: Mapping[str, str]) -> Path | None:
    """The file that would be read, or None for the built-in defaults."""
    if path is not None:
        return path
    if named := env.get("DRAGOMAN_CONFIG"):
        return Path(named)
    here = Path(FILE_NAME)
    return here if here.exists() else None


def load(path: Path | None, env: Mapping[str, str]) -> Loaded:
    """Read and check everything. Raises ConfigError with every problem at once."""
    file = find(path, env)
    if file is None:
        return check(None, Reading("environment", data={}), "", env)
    try:
        text = read_text(file)
    except ConfigError as error:
        if path is None and env.get("DRAGOMAN_CONFIG"):
            raise ConfigError([replace(p, path="$DRAGOMAN_CONFIG") for p in error.problems]) from None
        raise
    return load_text(text, file, env)


def load_text(text: str, file: Path, env: Mapping[str, str]) -> Loaded:
    """The same for text that stands, or is about to stand, in `file`."""
    root = _parse(text, str(file))
    return check(file, read(root, str(file), env, file.parent), text, env)


def _parse(text: str, name: str) -> Node | None:
    try:
        return parse(text, name)
    except ConfigError as error:
        from dragoman.config.excerpt import Excerpts

        excerpts = Excerpts(text, None)
        raise ConfigError([replace(p, excerpt=excerpts.line(p.line)) for p in error.problems]) from None


def check(file: Path | None, reading: Reading, text: str, env: Mapping[str, str]) -> Loaded:
    """Settings from what was read of `file`; `text` is only for showing the lines that are wrong."""
    problems = list(reading.problems)
    if not isinstance(reading.data, dict):
        if not problems:
            problems.append(
                Problem(reading.file, 1, 1, "", "is not a mapping of settings", "Write lines such as data: ./data.")
            )
        raise ConfigError(_dressed(problems, reading, text))
    data = reading.data
    standard: Standard | None = None
    if data.get("providers") is None:
        standard = standard_providers(env)
        data["providers"] = standard.providers
    warnings = doubtful(reading)
    _fill_addresses(data)
    settings: Settings | None = None
    try:
        settings = Settings.model_validate(data)
    except ValidationError as error:
        problems += [_from_environment(p, standard) for p in problems_of(error, reading)]
    problems += dangling(reading)
    if settings is not None:
        settings = _anchored(settings, file, env)
        problems += _missing_files(settings, reading)
    if problems or settings is None:
        raise ConfigError(_dressed(problems, reading, text))
    origins = {spell(path): _origin(path, reading, standard, env) for path in every_path(settings)}
    return Loaded(
        settings=settings,
        path=file,
        warnings=_dressed(warnings, reading, text),
        origins=origins,
        demo=standard is not None and standard.demo,
    )


def _fill_addresses(data: dict[str, Any]) -> None:
    """A vendor's usual name stands for its address: `ark` speaks OpenAI's protocol at an address of its own."""
    providers = data.get("providers")
    for preset in PRESETS:
        provider = providers.get(preset.name) if isinstance(providers, dict) else None
        if isinstance(provider, dict) and provider.get("base_url") is None:
            protocols = provider.get("protocols")
            known = [p for p in protocols if isinstance(p, str)] if isinstance(protocols, list) else []
            if known and set(known) <= set(preset.protocols):
                provider["base_url"] = preset.base_url


def _from_environment(problem: Problem, standard: Standard | None) -> Problem:
    """A fault in a value that the environment gave names the variable, not a line that does not exist."""
    if standard is None:
        return problem
    for name, variable in standard.variables.items():
        if problem.path.startswith(f"providers.{name}."):
            return replace(problem, file=f"environment {variable}", line=0, col=0)
    return problem


def _anchored(settings: Settings, file: Path | None, env: Mapping[str, str]) -> Settings:
    """Relative paths start at the file's folder, so that it does not matter where the command is run."""
    folder = file.parent if file is not None else Path()
    override = env.get("DRAGOMAN_DATA")
    update: dict[str, Any] = {"data": Path(override) if override else folder / settings.data}
    if settings.server.tls is not None:
        tls = settings.server.tls
        paths = {
            "certificate": folder / tls.certificate,
            "private_key": folder / tls.private_key,
        }
        server = settings.server.model_copy(update={"tls": tls.model_copy(update=paths)})
        update["server"] = server
    return settings.model_copy(update=update)


def _missing_files(settings: Settings, reading: Reading) -> list[Problem]:
    tls = settings.server.tls
    if tls is None:
        return []
    found = []
    for name, path in (("certificate", tls.certificate), ("private_key", tls.private_key)):
        try:
            there = path.is_file()
        except (OSError, ValueError):
            there = False
        if not there:
            mend = "Create it, or correct the path."
            found.append(reading.problem(("server", "tls", name), "there is no such file", mend))
    return found


def every_path(settings: Settings) -> list[SettingPath]:
    """The path of each section and value that the settings hold."""
    return _leaves(settings, ())


def _leaves(value: Any, path: SettingPath) -> list[SettingPath]:
    parts: list[tuple[str | int, Any]]
    if isinstance(value, BaseModel):
        parts = [(name, getattr(value, name)) for name in type(value).model_fields]
    elif isinstance(value, dict):
        parts = list(value.items())
    elif isinstance(value, tuple):
        parts = list(enumerate(value))
    else:
        return [path]
    found: list[SettingPath] = [path] if path else []
    for step, part in parts:
        found += _leaves(part, (*path, step))
    return found


def _origin(path: SettingPath, reading: Reading, standard: Standard | None, env: Mapping[str, str]) -> str:
    if path == ("data",) and env.get("DRAGOMAN_DATA"):
        return "environment DRAGOMAN_DATA"
    if standard is not None and len(path) > 1 and path[0] == "providers":
        variable = standard.variables.get(str(path[1]))
        if variable is not None and path[2:] == ("api_key",):
            return f"environment {variable}"
        return f"default, because {variable} is set" if variable and len(path) == 2 else "default"
    place = reading.places.get(path)
    if place is None:
        return "default"
    line, col = place.at
    origin = f"{reading.file}:{line}:{col}"
    return f"{origin} ({', '.join(place.sources)})" if place.sources else origin


def _dressed(problems: list[Problem], reading: Reading, text: str) -> list[Problem]:
    """In the file's order, each once, with its line."""
    if not problems:
        return []
    from dragoman.config.excerpt import Excerpts

    excerpts = Excerpts(text, reading)
    ordered = sorted(dict.fromkeys(problems), key=lambda p: (p.line, p.col))
    return [replace(problem, excerpt=excerpts.line(problem.line)) for problem in ordered]
