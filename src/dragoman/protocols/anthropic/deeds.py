"""What Anthropic's own tools did and gave: `server_tool_use` blocks and the results behind them, both ways.

What a search found is only good to Anthropic with its `encrypted_content`; where another vendor searched there is none, and
the mark of `proofs` stands in its place.
"""

from typing import Any

from dragoman.ir import (
    CodeCall,
    CodeResult,
    Deed,
    Extra,
    FetchCall,
    FetchResult,
    Opaque,
    SearchCall,
    SearchResult,
    Source,
)
from dragoman.protocols.anthropic import proofs

Json = dict[str, Any]
# What the ids of calls begin with that Anthropic runs; ours show that it was another vendor.
PREFIX = "srvtoolu_"
MINTED = PREFIX + "dg"
_RESULTS = frozenset(
    {"web_search_tool_result", "web_fetch_tool_result", "code_execution_tool_result", "bash_code_execution_tool_result"}
)
_FAILED = {"code_execution_tool_result_error": "failed", "execution_time_exceeded": "timeout"}


def read_deed(block: Json, path: str) -> list[Deed | Opaque]:
    """A block of a tool that Anthropic runs, read tolerantly; an Opaque where the neutral language has no word for it."""
    kind = block.get("type")
    if kind == "server_tool_use":
        return [_call(block)]
    held = block.get("content")
    id = _word(block.get("tool_use_id"))
    if kind not in _RESULTS or type(held) not in (list, dict):
        return [Opaque("anthropic", block, _word(kind) or "block")]
    if kind == "web_search_tool_result":
        return [_search_result(held, id, path)]
    assert type(held) is dict or type(held) is list
    if type(held) is not dict:
        return [Opaque("anthropic", block, _word(kind))]
    if kind == "web_fetch_tool_result":
        return [_fetch_result(held, id, path)]
    error = held.get("error_code")
    if type(error) is str:
        return [CodeResult(error, _FAILED.get(error, "failed"), id)]
    output = _word(held.get("stdout")) + _word(held.get("stderr"))
    result = CodeResult(output, "ok" if held.get("return_code") in (0, None) else "failed", id)
    files = held.get("content")
    shown = [Opaque("anthropic", [file], "a file that the code made") for file in files] if type(files) is list else []
    return [result, *shown]


def _call(block: Json) -> Deed | Opaque:
    asked = block.get("input")
    asked = asked if type(asked) is dict else {}
    id = _word(block.get("id"))
    match block.get("name"):
        case "web_search" if type(asked.get("query")) is str:
            return SearchCall((asked["query"],), id)
        case "web_fetch" if type(asked.get("url")) is str:
            return FetchCall(asked["url"], id)
        case "code_execution" if type(asked.get("code")) is str:
            return CodeCall(asked["code"], "python", id)
        case "bash_code_execution" if type(asked.get("command")) is str:
            return CodeCall(asked["command"], "bash", id)
    return Opaque("anthropic", block, f"a call of {_word(block.get('name')) or 'a tool'}")


def _search_result(held: Any, id: str, path: str) -> SearchResult:
    if type(held) is dict:
        return SearchResult((), id, error=_word(held.get("error_code")) or "unavailable")
    return SearchResult(
        tuple(_source(item, f"{path}.content.{at}") for at, item in enumerate(held) if _has_url(item)), id
    )


def _has_url(item: Any) -> bool:
    return type(item) is dict and type(item.get("url")) is str


def _source(item: Json, path: str) -> Source:
    extras = tuple(
        Extra("anthropic", name, item[name], f"{path}.{name}", harmless=True)
        for name in ("encrypted_content", "page_age")
        if item.get(name) is not None and item[name] != proofs.UNSIGNED
    )
    return Source(item["url"], _word(item.get("title")), extras)


def _fetch_result(held: Json, id: str, path: str) -> FetchResult:
    document = held.get("content")
    document = document if type(document) is dict else {}
    source = document.get("source")
    source = source if type(source) is dict else {}
    words = source.get("data") if source.get("type") == "text" else None
    page = Source(_word(held.get("url")), _word(document.get("title")))
    error = held.get("error_code")
    if type(error) is str:
        return FetchResult(page, id, error=error)
    # What is not text, and when it was read, only Anthropic tells.
    extras = (
        ()
        if not document
        else (Extra("anthropic", "content", document, f"{path}.content", harmless=words is not None),)
    )
    return FetchResult(page, id, words if type(words) is str else None, extras=extras)


def is_native(part: Deed) -> bool:
    """Whether Anthropic made it, and takes it back."""
    if isinstance(part, SearchResult):
        sealed = all(any(extra.name == "encrypted_content" for extra in source.extras) for source in part.sources)
        return sealed and _is_own(part.call_id)
    if isinstance(part, FetchResult):
        return _is_own(part.call_id) and (part.error is not None or _document(part) is not None)
    return _is_own(part.id)


def _is_own(id: str) -> bool:
    return id.startswith(PREFIX) and not id.startswith(MINTED)


def write_deed(part: Deed, ids: "Ids") -> Json:
    """The block; `ids` names the call where the part does not in a way that Anthropic's clients take."""
    id = ids.of(part)
    match part:
        case SearchCall(queries=queries):
            return _use(id, "web_search", {"query": "; ".join(queries)})
        case FetchCall(url=url):
            return _use(id, "web_fetch", {"url": url})
        case CodeCall(language="bash", code=code):
            return _use(id, "bash_code_execution", {"command": code})
        case CodeCall(code=code):
            return _use(id, "code_execution", {"code": code})
        case SearchResult(error=str(error)):
            told: Any = {"type": "web_search_tool_result_error", "error_code": error}
            return _result("web_search_tool_result", id, told)
        case SearchResult(sources=sources):
            return _result("web_search_tool_result", id, [_written(source) for source in sources])
        case FetchResult(error=str(error)):
            return _result("web_fetch_tool_result", id, {"type": "web_fetch_tool_result_error", "error_code": error})
        case FetchResult(source=source, content=content):
            document = _document(part) or {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": content or ""},
                "title": source.title or None,
                "citations": None,
            }
            page = {"type": "web_fetch_result", "url": source.url, "content": document, "retrieved_at": None}
            return _result("web_fetch_tool_result", id, page)
        case CodeResult(output=output, outcome=outcome):
            ok = outcome == "ok"
            ran: Json = {
                "type": "code_execution_result",
                "stdout": output if ok else "",
                "stderr": "" if ok else output,
                "return_code": 0 if ok else 1,
                "content": [],
            }
            if id in ids.bash:
                return _result("bash_code_execution_tool_result", id, {**ran, "type": "bash_code_execution_result"})
            return _result("code_execution_tool_result", id, ran)


def _use(id: str, name: str, asked: Json) -> Json:
    return {"type": "server_tool_use", "id": id, "name": name, "input": asked}


def _result(kind: str, id: str, content: Any) -> Json:
    return {"type": kind, "tool_use_id": id, "content": content}


def _written(source: Source) -> Json:
    known = {extra.name: extra.value for extra in source.extras if extra.owner == "anthropic"}
    return {
        "type": "web_search_result",
        "url": source.url,
        "title": source.title,
        "encrypted_content": known.get("encrypted_content", proofs.UNSIGNED),
        "page_age": known.get("page_age"),
    }


def _document(part: FetchResult) -> Json | None:
    found = next((extra.value for extra in part.extras if extra.owner == "anthropic" and extra.name == "content"), None)
    return found if type(found) is dict else None


class Ids:
    """Ids for calls that another vendor ran: a result without one belongs to the call before it. `bash` are the calls that were
    written as such, which have results of their own kind."""

    __slots__ = ("_count", "_last", "_seed", "bash")

    def __init__(self, seed: str) -> None:
        self._seed = "".join([letter for letter in seed if letter.isascii() and letter.isalnum()])[-24:]
        self._count = 0
        self._last = ""
        self.bash: set[str] = set()

    def of(self, part: Deed) -> str:
        id = self._of(part)
        if isinstance(part, CodeCall) and part.language == "bash":
            self.bash.add(id)
        return id

    def _of(self, part: Deed) -> str:
        if isinstance(part, SearchResult | FetchResult):
            given = part.call_id
        else:
            given = part.id
        if given.startswith(PREFIX):
            self._last = given
            return given
        if isinstance(part, SearchCall | FetchCall | CodeCall) or not self._last:
            self._last = f"{MINTED}{self._seed}{self._count}"
            self._count += 1
        return self._last


def _word(value: Any) -> str:
    return value if type(value) is str else ""


def text_of(part: Deed) -> str:
    """What was done, as text, for a place where it cannot be told otherwise."""
    match part:
        case CodeCall(code=code, language=language):
            return f"\n```{language.lower()}\n{code.rstrip()}\n```\n"
        case CodeResult(output=output):
            return f"\n```output\n{output.rstrip()}\n```\n"
        case SearchCall(queries=queries):
            return f"\n[Searched the web: {'; '.join(queries)}]\n"
        case SearchResult(sources=sources):
            return "".join(f"\n[Found: {source.title or source.url} ({source.url})]" for source in sources) + "\n"
        case FetchCall(url=url):
            return f"\n[Read {url}]\n"
        case FetchResult(content=content):
            return f"\n{content or ''}\n"
