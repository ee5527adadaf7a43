"""What a vendor's own tools did and gave, as output items: a call and its result are one item here."""

from collections.abc import Callable
from typing import Any

from dragoman.ir import CodeCall, CodeResult, Deed, FetchCall, FetchResult, Losses, SearchCall, SearchResult
from dragoman.protocols.openai_responses.draft import OWNER
from dragoman.protocols.openai_responses.growing import Tell

Json = dict[str, Any]
NO_PLACE = "Responses have no place for it."


def answers(part: Any, deed: Deed) -> bool:
    """Whether `part` is what `deed` gave."""
    match deed:
        case CodeCall():
            return isinstance(part, CodeResult) and (not part.id or not deed.id or part.id == deed.id)
        case SearchCall():
            return isinstance(part, SearchResult)
        case FetchCall():
            return isinstance(part, FetchResult)
    return False


def deed_item(deed: Deed | None, result: Any, id_of: Callable[[str], str], losses: Losses) -> tuple[Json, str, str]:
    """The item, the name of its events, and the one of them that says it is at work. Either of the two may be missing."""
    if isinstance(deed, CodeCall) or isinstance(result, CodeResult):
        return _code(deed, result, id_of("ci_")), "code_interpreter_call", "interpreting"
    item: Json = {"id": id_of("ws_"), "type": "web_search_call", "status": "completed"}
    for held in (deed, result):
        if held is not None and not isinstance(held, CodeResult):
            losses.add_extras(held.extras, OWNER, NO_PLACE)
    if result is not None and result.error is not None:
        item["status"] = "failed"
    if isinstance(deed, FetchCall) or isinstance(result, FetchResult):
        url = deed.url if isinstance(deed, FetchCall) else result.source.url
        item["action"] = {"type": "open_page", "url": url}
        if isinstance(result, FetchResult) and result.content:
            losses.add_path("output", "Responses show which page was read, not its text.", harmless=True)
    else:
        queries = list(deed.queries) if isinstance(deed, SearchCall) else []
        action: Json = {"type": "search", "query": queries[0] if queries else "", "queries": queries}
        if isinstance(result, SearchResult):
            action["sources"] = [{"type": "url", "url": source.url} for source in result.sources]
            for source in result.sources:
                losses.add_extras(source.extras, OWNER, NO_PLACE)
        item["action"] = action
    return item, "web_search_call", "searching"


def _begun(item: Json) -> Json:
    """The item as it is before anything came of it."""
    begun = {name: value for name, value in item.items() if name not in ("result", "outputs")}
    begun["status"] = "in_progress"
    if item["type"] == "image_generation_call":
        begun["result"] = None
    return begun


def tell_deed(index: int, item: Json, kind: str, doing: str, tell: Tell) -> None:
    """The events of an item that is whole, as if it were at work: `kind` names them, `doing` the one between."""
    tell("response.output_item.added", {"output_index": index, "item": _begun(item)})
    place = {"item_id": item["id"], "output_index": index}
    tell(f"response.{kind}.in_progress", place)
    if kind == "code_interpreter_call":
        code = item["code"] or ""
        tell("response.code_interpreter_call_code.delta", {**place, "delta": code})
        tell("response.code_interpreter_call_code.done", {**place, "code": code})
    tell(f"response.{kind}.{doing}", place)
    tell(f"response.{kind}.completed", place)
    tell("response.output_item.done", {"output_index": index, "item": item})


def _code(deed: Deed | None, result: Any, id: str) -> Json:
    return {
        "id": id,
        "type": "code_interpreter_call",
        "status": "completed" if result is None or result.outcome == "ok" else "failed",
        "code": deed.code if isinstance(deed, CodeCall) else None,
        "container_id": "",  # another vendor's has none that could be named here
        "outputs": None if result is None else [{"type": "logs", "logs": result.output}],
    }
