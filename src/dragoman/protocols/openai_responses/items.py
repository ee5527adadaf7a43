"""Items of a response that callers send back and vendors give alike: calls of tools that the vendor ran, and their results.

Each reader takes a path: a caller's item is held to its types, and refused by it.
"""

from typing import Any

from dragoman.ir import CodeCall, CodeResult, FetchCall, Media, Opaque, Part, SearchCall, SearchResult, Source
from dragoman.protocols.openai import fields, media
from dragoman.protocols.openai.shapes import check
from dragoman.protocols.openai_responses.draft import OWNER
from dragoman.protocols.openai_responses.shapes import OUTPUTS, SEARCH

Json = dict[str, Any]
# How the ids of our reasoning items begin that carry the signature of the text *before* them; all others are of what follows.
AFTER = "rs_after_"
IMAGE_MIMES = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
    "svg": "image/svg+xml",
}


def deed_parts(item: Json, path: str) -> list[Part]:
    """Raises BadRequest."""
    kind = item.get("type")
    id = fields.optional_text(item.get("id"), f"{path}.id") or ""
    if kind == "web_search_call":
        return _search(item, id, path)
    if kind == "code_interpreter_call":
        return _code(item, id, path)
    return _image(item, path)


def _search(item: Json, id: str, path: str) -> list[Part]:
    action = item.get("action")
    if action is None:
        return [SearchCall((), id)]
    check(action, SEARCH, f"{path}.action")
    match action.get("type"):
        case "search" | None:
            queries = action.get("queries")
            words = [
                fields.text(query, f"{path}.action.queries[{number}]")
                for number, query in enumerate(
                    [] if queries is None else fields.array(queries, f"{path}.action.queries")
                )
            ]
            query = fields.optional_text(action.get("query"), f"{path}.action.query")
            if query and query not in words:
                words.insert(0, query)
            found: list[Part] = [SearchCall(tuple(words), id)]
            if (sources := action.get("sources")) is not None:
                found.append(SearchResult(_sources(sources, f"{path}.action.sources"), id))
            return found
        case "open_page" if type(action.get("url")) is str:
            return [FetchCall(action["url"], id)]
    return [Opaque(OWNER, item, "a web_search_call item")]


def _sources(value: Any, path: str) -> tuple[Source, ...]:
    found: list[Source] = []
    for number, source in enumerate(fields.array(value, path)):
        at = f"{path}[{number}]"
        holder = fields.table(source, at)
        url = fields.optional_text(holder.get("url"), f"{at}.url")
        if url:
            title = fields.optional_text(holder.get("title"), f"{at}.title")
            found.append(Source(url, title or ""))
    return tuple(found)


def _code(item: Json, id: str, path: str) -> list[Part]:
    found: list[Part] = [CodeCall(fields.optional_text(item.get("code"), f"{path}.code") or "", "python", id)]
    outputs = item.get("outputs")
    if outputs is None:
        if item.get("status") == "failed":
            found.append(CodeResult("", "failed", id))
        return found
    logs: list[str] = []
    shown: list[Part] = []
    check(outputs, OUTPUTS, f"{path}.outputs")
    for number, output in enumerate(outputs):
        at = f"{path}.outputs[{number}]"
        holder = fields.table(output, at)
        if holder.get("type") == "image":
            shown.append(media.read_url(fields.text(holder.get("url"), f"{at}.url"), f"{at}.url", "image"))
        elif (told := fields.optional_text(holder.get("logs"), f"{at}.logs")) is not None:
            logs.append(told)
    outcome = "failed" if item.get("status") == "failed" else "ok"
    return [*found, CodeResult("".join(logs), outcome, id), *shown]


def _image(item: Json, path: str) -> list[Part]:
    data = fields.optional_text(item.get("result"), f"{path}.result")
    if not data:
        return []
    form = fields.optional_text(item.get("output_format"), f"{path}.output_format") or ""
    return [media.read_base64(data, f"{path}.result", media.sniff(data) or IMAGE_MIMES.get(form, "image/png"))]


def write_image(part: Media, id: str) -> Json:
    """A picture that the model drew. Its bytes must be there."""
    assert part.data is not None
    item: Json = {
        "id": id,
        "type": "image_generation_call",
        "status": "completed",
        "result": media.standard(part.data),
    }
    form = next((form for form, mime in IMAGE_MIMES.items() if mime == part.mime), None)
    if form is not None:
        item["output_format"] = form
    return item
