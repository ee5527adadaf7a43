"""Gemini's protocol, by hand: as a caller asks and hears it, as a vendor sees and says it."""

from __future__ import annotations

import json
from threading import Event
from typing import Any

from conformance.neutral import (
    RETRY,
    Asked,
    NoWords,
    Said,
    Wish,
    data_lines,
    find,
    halves,
    joined,
    put,
)
from e2e.vendor import Answer, Seen, gemini_events, reply, stream

_FIELDS = {
    "max": "generationConfig.maxOutputTokens",
    "temperature": "generationConfig.temperature",
    "top_p": "generationConfig.topP",
    "top_k": "generationConfig.topK",
    "stop": "generationConfig.stopSequences",
    "seed": "generationConfig.seed",
    "presence": "generationConfig.presencePenalty",
    "frequency": "generationConfig.frequencyPenalty",
    "n": "generationConfig.candidateCount",
    "logprobs": "generationConfig.logprobs",
    "effort": "generationConfig.thinkingConfig.thinkingLevel",
    "budget": "generationConfig.thinkingConfig.thinkingBudget",
    "thoughts": "generationConfig.thinkingConfig.includeThoughts",
    "tier": "serviceTier",
    "safety": "safetySettings",
    "cached": "cachedContent",
    "drawn": "generationConfig.responseModalities",
    "unknown": "xUnknown",
}
_BUILT_IN = {"search": "googleSearch", "code": "codeExecution", "fetch": "urlContext"}
_MEDIA = {"image": "image/png", "pdf": "application/pdf", "audio": "audio/wav", "video": "video/mp4"}
_URLS = {"image-url": "image/png", "pdf-url": "application/pdf"}
_ENDS = {"stop": "STOP", "length": "MAX_TOKENS", "calls": "STOP", "filter": "SAFETY", "refused": "STOP"}
_STATUSES = {400: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE"}
_MODES = {"auto": "AUTO", "none": "NONE", "any": "ANY"}


class Gemini:
    name = "gemini"
    turns = "contents"

    def ask(self, wish: Wish, model: str, stream: bool) -> Asked:
        body: dict[str, Any] = {"contents": [_content(role, parts) for role, parts in wish["turns"]]}
        places = {"turns": "contents"}
        for key, value in wish.items():
            match key:
                case "turns":
                    continue
                case "system":
                    body["systemInstruction"] = {"parts": [{"text": value}]}
                    places[key] = "systemInstruction"
                case "tools":
                    declared = [
                        {
                            "name": tool["name"],
                            "description": tool["description"],
                            "parametersJsonSchema": tool["parameters"],
                        }
                        for tool in value
                    ]
                    body.setdefault("tools", []).append({"functionDeclarations": declared})
                    places[key] = "tools"
                case "search" | "code" | "fetch":
                    body.setdefault("tools", []).append({_BUILT_IN[key]: {}})
                    places[key] = "tools"
                case "choice":
                    put(body, "toolConfig.functionCallingConfig", _choice(value))
                    places[key] = "toolConfig.functionCallingConfig"
                case "held":
                    put(body, "toolConfig.functionCallingConfig.mode", "VALIDATED")
                    places[key] = "toolConfig.functionCallingConfig"
                case "json" | "schema":
                    put(body, "generationConfig.responseMimeType", "application/json")
                    if key == "schema":
                        put(body, "generationConfig.responseJsonSchema", value)
                    places[key] = "generationConfig.response"
                case _ if key in _FIELDS:
                    put(body, _FIELDS[key], ["TEXT", "IMAGE"] if key == "drawn" else value)
                    places[key] = _FIELDS[key]
                    if key == "logprobs":
                        put(body, "generationConfig.responseLogprobs", True)
                        places[key] = "generationConfig.responseLogprobs"
                case _:
                    raise NoWords(key)
        method = "streamGenerateContent?alt=sse" if stream else "generateContent"
        return Asked(f"/v1beta/models/{model}:{method}", body, places)

    def count(self, wish: Wish, model: str) -> Asked:
        return Asked(f"/v1beta/models/{model}:countTokens", self.ask(wish, model, False).body)

    def again(self, asked: Asked, answer: Any) -> list[Any]:
        return [*asked.body["contents"], answer["candidates"][0]["content"]]

    # --- what a caller hears

    def hear(self, content: bytes, stream: bool) -> Any:
        if not stream:
            return json.loads(content)
        whole: dict[str, Any] = {"candidates": []}
        for chunk in data_lines(content):
            assert "error" not in chunk, chunk
            whole |= {key: value for key, value in chunk.items() if key != "candidates"}
            for candidate in chunk.get("candidates", ()):
                while len(whole["candidates"]) <= candidate.get("index", 0):
                    whole["candidates"].append({"content": {"role": "model", "parts": []}})
                held = whole["candidates"][candidate.get("index", 0)]
                assert "finishReason" not in held, "a candidate ends once"
                held["content"]["parts"] += (candidate.get("content") or {}).get("parts", [])
                tokens = (held.get("logprobsResult") or {}).get("chosenCandidates", [])
                held |= {key: value for key, value in candidate.items() if key != "content"}
                if "logprobsResult" in candidate:
                    held["logprobsResult"] = {
                        "chosenCandidates": tokens + candidate["logprobsResult"]["chosenCandidates"]
                    }
        return whole

    def heard(self, answer: Any) -> Said:
        usage = answer["usageMetadata"]
        thoughts = usage.get("thoughtsTokenCount", 0)
        told: Said = {
            "usage": {
                "in": usage["promptTokenCount"] + usage.get("toolUsePromptTokenCount", 0),
                "out": usage.get("candidatesTokenCount", 0) + thoughts,
                "cached": usage.get("cachedContentTokenCount", 0),
                "reasoning": thoughts,
            }
        }
        candidates = answer.get("candidates") or []
        if not candidates or answer.get("promptFeedback", {}).get("blockReason"):
            return {**told, "parts": [], "finish": "filter", "texts": []}
        parts = [_read(part) for part in candidates[0].get("content", {}).get("parts", ())]
        reason = candidates[0]["finishReason"]
        called = any(part[0] == "call" for part in parts)
        ends = {"STOP": "calls" if called else "stop", "MAX_TOKENS": "length", "SAFETY": "filter"}
        told["parts"] = joined(parts)
        told["finish"] = ends.get(reason, reason)
        told["explained"] = candidates[0].get("finishMessage")
        told["texts"] = [
            "".join(part.get("text", "") for part in candidate["content"].get("parts", ())) for candidate in candidates
        ]
        tokens = candidates[0].get("logprobsResult", {}).get("chosenCandidates", ())
        told["logprobs"] = [(token["token"], token["logProbability"]) for token in tokens]
        grounding = candidates[0].get("groundingMetadata") or {}
        chunks = [chunk["web"] for chunk in grounding.get("groundingChunks", ())]
        told["queries"] = grounding.get("webSearchQueries", [])
        told["citations"] = [
            (chunks[at]["uri"], support["segment"].get("text", ""))
            for support in grounding.get("groundingSupports", ())
            for at in support["groundingChunkIndices"]
        ]
        return told

    def failure(self, content: bytes, stream: bool) -> tuple[str, str] | None:
        told = data_lines(content)[-1] if stream else json.loads(content)
        if set(told) != {"error"}:
            return None
        error = told["error"]
        fields = [
            violation["field"] for detail in error.get("details", ()) for violation in detail.get("fieldViolations", ())
        ]
        return f"{error['code']} {error['status']}", " ".join([error["message"], *fields])

    # --- what a vendor sees

    def see(self, seen: Seen) -> Wish:
        body = seen.json
        wish: Wish = {key: found for key, path in _FIELDS.items() if (found := find(body, path)) is not None}
        if "effort" in wish:
            wish["effort"] = wish["effort"].lower()
        if "tier" in wish:
            wish["tier"] = wish["tier"].lower()
        wish["drawn"] = "IMAGE" in wish.get("drawn", ())
        if find(body, "generationConfig.responseMimeType") == "application/json":
            wish["json"] = True
            wish["schema"] = find(body, "generationConfig.responseJsonSchema")
        if "systemInstruction" in body:
            wish["system"] = "\n\n".join(part["text"] for part in body["systemInstruction"]["parts"])
        for tool in body.get("tools", ()):
            for key, name in _BUILT_IN.items():
                wish[key] = wish.get(key, False) or name in tool
            for function in tool.get("functionDeclarations", ()):
                told = {"name": function["name"], "description": function["description"]}
                wish.setdefault("tools", []).append({**told, "parameters": function["parametersJsonSchema"]})
        config = find(body, "toolConfig.functionCallingConfig") or {}
        names = config.get("allowedFunctionNames")
        mode = config.get("mode", "AUTO")
        wish["held"] = mode == "VALIDATED" and not names
        if names and mode == "ANY" and len(names) == 1:
            wish["choice"] = ("one", names[0])
        elif names:
            wish["choice"] = ("must" if mode == "ANY" else "may", *names)
        else:
            wish["choice"] = {"AUTO": "auto", "NONE": "none", "ANY": "any", "VALIDATED": "auto"}[mode]
        wish["turns"] = _turns(body["contents"])
        signed = [part for turn in body["contents"] for part in turn["parts"] if "thoughtSignature" in part]
        wish["signatures"] = [part["thoughtSignature"] for part in signed if "functionCall" in part]
        return wish

    # --- what a vendor says

    def say(self, said: Said, model: str, stream: bool) -> Answer:
        if said.get("input_tokens"):
            return reply({"totalTokens": said["input_tokens"]})
        if "written" in said:
            raise NoWords("tokens written to a cache")
        usage = said.get("usage") or {"in": 12, "out": 7, "cached": 0, "reasoning": 0}
        counts: dict[str, Any] = {
            "promptTokenCount": usage["in"],
            "candidatesTokenCount": usage["out"] - usage["reasoning"],
            "totalTokenCount": usage["in"] + usage["out"],
        }
        if usage["cached"]:
            counts["cachedContentTokenCount"] = usage["cached"]
        if usage["reasoning"]:
            counts["thoughtsTokenCount"] = usage["reasoning"]
        rest = {"usageMetadata": counts, "modelVersion": model, "responseId": "resp-said"}
        if said["finish"] == "filter" and not said["parts"]:
            told = {"promptFeedback": {"blockReason": "SAFETY"}, **rest}
            return _stream(told) if stream else reply(told)
        texts = said.get("texts") or [None]
        chunks = []
        whole = []
        for index, text in enumerate(texts):
            parts = _parts(said if text is None else {**said, "parts": [("text", text)]})
            end = {"finishReason": _ENDS[said["finish"]], "index": index, **_beside(said)}
            pieces = [piece for part in parts for piece in _pieces(part)]
            for at, piece in enumerate(pieces):
                content = {"content": {"role": "model", "parts": [piece]}, "index": index}
                chunks.append({"candidates": [content | (end if at == len(pieces) - 1 else {})], **rest})
            whole.append({"content": {"role": "model", "parts": parts}, **end})
        return _stream(*chunks) if stream else reply({"candidates": whole, **rest})

    def fail(self, status: int, words: str) -> Answer:
        error = {"code": status, "message": words, "status": _STATUSES[status]}
        return reply({"error": error}, status, RETRY if status == 429 else ())

    def break_off(self, words: str | None, model: str, heard: Event) -> Answer:
        half = {"candidates": [{"content": {"role": "model", "parts": [{"text": "½"}]}, "index": 0}]}
        if words is None:
            return stream(*gemini_events(half), heard, finish=False)
        error = {"error": {"code": 503, "message": words, "status": "UNAVAILABLE"}}
        return stream(*gemini_events(half), heard, *gemini_events(error))

    def counted(self, answer: Any) -> int:
        count: int = answer["totalTokens"]
        return count


def _stream(*chunks: Any) -> Answer:
    return stream(*gemini_events(*chunks))


def _content(role: str, parts: Any) -> dict[str, Any]:
    if role == "system":
        raise NoWords("a system turn")
    return {"role": role, "parts": [_write(part) for part in parts]}


def _write(part: tuple[Any, ...]) -> dict[str, Any]:
    kind = part[0]
    match kind:
        case "text":
            return {"text": part[1]}
        case "image" | "pdf" | "audio" | "video":
            return {"inlineData": {"mimeType": _MEDIA[kind], "data": part[1]}}
        case "image-url" | "pdf-url":
            return {"fileData": {"mimeType": _URLS[kind], "fileUri": part[1]}}
        case "ran":
            return {"executableCode": {"language": "PYTHON", "code": part[1]}}
        case "gave":
            return {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": part[1]}}
        case "call":
            return {"functionCall": {"id": part[1], "name": part[2], "args": part[3]}}
        case "result":
            value = part[3] if isinstance(part[3], dict) else {"output": part[3]}
            return {"functionResponse": {"id": part[1], "name": part[2], "response": value}}
        case "error":
            return {"functionResponse": {"id": part[1], "name": part[2], "response": {"error": part[3]}}}
        case "pictured":
            picture = {"inlineData": {"mimeType": "image/png", "data": part[4]}}
            response = {"id": part[1], "name": part[2], "response": {"output": part[3]}, "parts": [picture]}
            return {"functionResponse": response}
    raise NoWords(kind)


def _choice(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        return {"mode": _MODES[value]}
    kind, *names = value
    return {"mode": "VALIDATED" if kind == "may" else "ANY", "allowedFunctionNames": names}


def _turns(contents: Any) -> list[Any]:
    known: list[str] = []
    answered = 0
    turns = []
    for content in contents:
        parts: list[tuple[Any, ...]] = []
        for part in content["parts"]:
            if "functionCall" in part:
                known.append(part["functionCall"]["name"])
                call = part["functionCall"]
                parts.append(("call", str(len(known)), call["name"], call.get("args", {})))
            elif "functionResponse" in part:
                told = part["functionResponse"]
                assert told["name"] == known[answered], "a result names its function, in the order of the calls"
                answered += 1
                parts.append(_result(str(answered), told))
            elif not part.get("thought"):
                parts.append(_read(part))
        turns.append((content["role"], joined(parts)))
    return turns


def _result(id: str, told: dict[str, Any]) -> tuple[Any, ...]:
    response = told["response"]
    pictures = [part["inlineData"]["data"] for part in told.get("parts", ())]
    value = response.get("output", response)
    if pictures:
        return ("pictured", id, told["name"], value, *pictures)
    if set(response) == {"error"}:
        return ("error", id, told["name"], response["error"])
    return ("result", id, told["name"], value)


def _read(part: dict[str, Any]) -> tuple[Any, ...]:
    if "inlineData" in part:
        kinds = {mime: kind for kind, mime in _MEDIA.items()}
        return (kinds[part["inlineData"]["mimeType"]], part["inlineData"]["data"])
    if "fileData" in part:
        uri = part["fileData"]["fileUri"]
        return ("pdf-url" if uri.endswith(".pdf") else "image-url", uri)
    if "functionCall" in part:
        call = part["functionCall"]
        return ("call", call.get("id", ""), call["name"], call.get("args", {}))
    if "executableCode" in part:
        return ("ran", part["executableCode"]["code"])
    if "codeExecutionResult" in part:
        return ("gave", part["codeExecutionResult"]["output"])
    return ("thought" if part.get("thought") else "text", part["text"])


def _parts(said: Said) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    for part in said["parts"]:
        match part[0]:
            case "thought":
                parts.append({"text": part[1], "thought": True})
            case "refusal":
                raise NoWords("a refusal")
            case _:
                parts.append(_write(part))
    signed = next((part for part in parts if "functionCall" in part), None)
    if said.get("signature") and signed:
        signed["thoughtSignature"] = said["signature"]
    return parts


def _pieces(part: dict[str, Any]) -> list[dict[str, Any]]:
    if "text" not in part:
        return [part]
    return [{**part, "text": piece} for piece in halves(part["text"])]


def _beside(said: Said) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if said.get("logprobs"):
        chosen = [{"token": token, "logProbability": value} for token, value in said["logprobs"]]
        told["logprobsResult"] = {"chosenCandidates": chosen, "topCandidates": [{"candidates": [c]} for c in chosen]}
    if said.get("citations"):
        text = next(part[1] for part in said["parts"] if part[0] == "text")
        supports = []
        for at, (_, cited) in enumerate(said["citations"]):
            start = len(text[: text.index(cited)].encode())
            segment = {"startIndex": start, "endIndex": start + len(cited.encode()), "text": cited}
            supports.append({"segment": segment, "groundingChunkIndices": [at]})
        told["groundingMetadata"] = {
            "webSearchQueries": said["queries"],
            "groundingChunks": [{"web": {"uri": uri, "title": "A page"}} for uri, _ in said["citations"]],
            "groundingSupports": supports,
        }
    return told
