"""Who may ask, what there is, and everything that is neither keys nor ledger."""

from __future__ import annotations

from typing import Any

import pytest

from admin.conftest import FILED, ROOT, Ask, Reloads
from admin.contract import DOCUMENT
from dragoman.admin.desk import Desk
from dragoman.store import StoreRefused

SECRETS = (ROOT, FILED, "vendor-secret-of-openai", "vendor-secret-of-gone")

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        (method.upper(), path.replace("{id}", "key_1").replace("{name}", "openai"))
        for path, there in DOCUMENT["paths"].items()
        for method in there
    ],
)
async def test_only_the_root_key_opens_anything(ask: Ask, method: str, path: str) -> None:
    for key, headers, status, word in (
        (None, {}, 401, "Send the root key"),
        ("dgm_wrong", {}, 401, "in the Authorization header is not one"),
        (None, {"x-api-key": "dgm_wrong"}, 401, "in the x-api-key header"),
        (FILED, {}, 403, "Only the root key"),
    ):
        refused = await ask(method, path, key=key, headers=headers)
        assert refused.status == status and word in refused.value["error"]["message"]


async def test_the_key_of_a_query_is_a_filter(ask: Ask) -> None:
    assert (await ask("GET", f"/requests?key={ROOT}", key=None)).status == 401
    for name in ("x-api-key", "x-goog-api-key"):
        assert (await ask("GET", "/keys", key=None, headers={name: ROOT})).status == 200


async def test_a_key_that_ended_is_told_so(ask: Ask, desk: Desk) -> None:
    from msgspec.structs import replace

    from dragoman.pipeline.key import ROOT as root
    from dragoman.pipeline.key import digest

    snapshot = desk.gateway.snapshot
    keys = {**snapshot.keys, digest(b"dgm_old_secret"): replace(root, expires=1.0)}
    desk.gateway.swap(replace(snapshot, keys=keys))
    refused = await ask("GET", "/keys", key="dgm_old_secret")
    assert refused.status == 401 and "expired at 1970" in refused.value["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/keys", "POST, GET, HEAD"),
        ("DELETE", "/keys", "POST, GET, HEAD"),
        ("GET", "/config/reload", "POST"),
        ("POST", "/usage", "GET, HEAD"),
        ("PATCH", "/requests/req_1", "GET, HEAD"),
    ],
)
async def test_methods(ask: Ask, method: str, path: str, allow: str) -> None:
    refused = await ask(method, path, key=None)
    assert (refused.status, refused.headers["allow"]) == (405, allow)


@pytest.mark.parametrize("path", ["", "/", "/key", "/keys/", "/keys/a/b", "/requests/a/b", "/config/load"])
async def test_what_there_is_not(ask: Ask, path: str) -> None:
    refused = await ask("GET", path)
    assert (refused.status, refused.value["error"]["code"]) == (404, "unknown_url")


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        (b"{", 400, "not JSON"),
        (b"[]", 400, "not a JSON object"),
        (b"\xff", 400, "not JSON"),
        (b'{"name": "a", "name": "b"', 400, "not JSON"),
        (b'{"name": "' + b"x" * 2**20 + b'"}', 413, "larger than 1048576 bytes"),
    ],
)
async def test_bodies_that_cannot_be_read(ask: Ask, body: bytes, status: int, word: str) -> None:
    refused = await ask("POST", "/keys", body)
    assert refused.status == status and word in refused.value["error"]["message"]


async def test_what_says_that_it_is_no_json(ask: Ask) -> None:
    refused = await ask("POST", "/keys", {"name": "a"}, headers={"content-type": "text/xml"})
    assert refused.status == 415
    for kind in ("application/json; charset=utf-8", "application/x-www-form-urlencoded"):
        assert (await ask("POST", "/keys", {"name": "a"}, headers={"content-type": kind})).status == 201


async def test_models(ask: Ask) -> None:
    answer = (await ask("GET", "/models")).value
    found = {row["name"]: row for row in answer["data"]}
    assert answer["unlisted_providers"] == ["gone"]
    assert (found["fast"]["kind"], found["quick"]["alias_of"], found["gpt-*"]["kind"]) == ("own", "fast", "pattern")
    target = found["fast"]["targets"][0]
    assert (target["provider"], target["model"], target["price"]["source"]) == ("openai", "gpt-4o", "models.fast.price")
    assert found["gpt-*"]["targets"] == []
    offline = (await ask("GET", "/models?offline=true")).value
    assert offline["unlisted_providers"] == [] and {row["name"] for row in offline["data"]} == {
        "fast",
        "quick",
        "gpt-*",
        "gemini-*",
    }


async def test_providers(ask: Ask) -> None:
    rows = (await ask("GET", "/providers")).value["data"]
    assert [(row["name"], row["keys"], row["protocols"]) for row in rows] == [
        ("openai", 1, ["openai-chat"]),
        ("gone", 1, ["gemini"]),
    ]
    good = (await ask("POST", "/providers/openai/test")).value
    assert (good["ok"], good["status"], good["error"]) == (True, 200, None) and "gpt-4o" in good["models"]
    bad = (await ask("POST", "/providers/gone/test")).value
    assert (bad["ok"], bad["status"]) == (False, None) and "nothing listens" in bad["error"] and bad["mend"]
    missing = await ask("POST", "/providers/nobody/test")
    assert (missing.status, missing.value["error"]["code"]) == (404, "provider_not_found")
    assert "openai, gone" in missing.value["error"]["message"]


async def test_the_configuration_is_shown_without_its_secrets(ask: Ask) -> None:
    shown = (await ask("GET", "/config")).value
    assert shown["models"]["fast"]["aliases"] == ["quick"] and shown["server"]["workers"] == 1
    everything = [
        str((await ask("GET", path)).value) for path in ("/config", "/providers", "/models", "/keys", "/audit")
    ]
    assert not [secret for secret in SECRETS for text in everything if secret in text]


async def test_a_reload(ask: Ask, reloads: Reloads) -> None:
    reloads.answer = 200, {"reloaded": True, "needs_restart": ["server.port"]}
    assert (await ask("POST", "/config/reload")).value == {"reloaded": True, "needs_restart": ["server.port"]}
    change = (await ask("GET", "/audit")).value["data"][0]
    assert (change["action"], change["detail"]) == ("config.reload", {"needs_restart": ["server.port"]})
    assert change["subject"].endswith("dragoman.yaml")
    reloads.answer = (
        422,
        {
            "error": {"message": "It is not valid.", "type": "invalid_request_error"},
            "problems": ["dragoman.yaml:1:1 a: b"],
        },
    )
    assert (await ask("POST", "/config/reload", {})).status == 422
    assert len((await ask("GET", "/audit")).value["data"]) == 1
    assert (await ask("POST", "/config/reload", {"file": "x"})).value["error"]["param"] == "file"
    assert reloads.reloaded == 2


async def test_a_reload_is_told_as_it_was_even_where_it_cannot_be_noted(
    ask: Ask, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: Any, **__: Any) -> Any:
        raise StoreRefused("The database cannot be used: it is gone.")

    monkeypatch.setattr(desk.keys, "note", gone)
    assert (await ask("POST", "/config/reload")).status == 200


async def test_the_audit_page_by_page(ask: Ask) -> None:
    ids = [(await ask("POST", "/keys", {"name": f"k{number}"})).value["id"] for number in range(5)]
    first = (await ask("GET", "/audit?limit=3")).value
    rest = (await ask("GET", f"/audit?limit=3&cursor={first['next_cursor']}")).value
    assert [one["subject"] for one in first["data"] + rest["data"]] == ids[::-1]
    assert rest["next_cursor"] is None


async def test_a_database_in_trouble(ask: Ask, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: Any, **__: Any) -> Any:
        raise StoreRefused("The database cannot be used: it is gone.")

    monkeypatch.setattr(desk.keys, "list", gone)
    refused = await ask("GET", "/keys")
    assert (refused.status, refused.value["error"]["code"]) == (503, "database_unavailable")
    assert refused.headers["retry-after"] == "5"


async def test_what_nobody_foresaw_is_an_answer_too(ask: Ask, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(desk.keys, "list", broken)
    failed = await ask("GET", "/keys", headers={"x-request-id": "req_1"})
    assert (failed.status, failed.value["error"]["code"]) == (500, "internal_error")
    assert "req_1" in failed.value["error"]["message"] and "a secret" not in str(failed.value)
