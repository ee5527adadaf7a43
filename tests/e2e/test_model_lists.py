"""GET /v1/models while a vendor is slow to list its models."""

from __future__ import annotations

import json
import time
from pathlib import Path

from e2e import canned
from e2e.gateway import provider, running
from e2e.vendor import hang, serving

OWN = "models: {mine: {targets: [{provider: slow, model: slow-1}], aliases: [me]}}\n"


def test_a_slow_vendor_holds_nobody_up(tmp_path: Path) -> None:
    with serving(canned.openai) as good, serving(hang()) as slow:
        config = (
            "providers:\n"
            + provider("good", "openai-chat", f"{good.base_url}/v1", "gpt-*")
            + provider("slow", "openai-chat", f"{slow.base_url}/v1", "slow-*,plain")
            + OWN
        )
        with running(tmp_path, config=config) as gateway:
            bearer = {"authorization": f"Bearer {gateway.key}"}
            for name, listed in (("mine", "mine"), ("me", "mine"), ("plain", "plain")):
                status, _, body = gateway.get(f"/v1/models/{name}", bearer)
                assert (status, json.loads(body)["id"]) == (200, listed)
            assert not slow.asked and not good.asked
            began = time.monotonic()
            status, _, body = gateway.get("/v1/models", bearer)
            assert time.monotonic() - began < 5
            names = {model["id"] for model in json.loads(body)["data"]}
            assert status == 200 and {"mine", "me", "plain"} < names
            assert any(name.startswith("gpt-") for name in names)
