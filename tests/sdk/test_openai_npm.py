"""OpenAI's client for JavaScript, under Node."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from e2e.canned import HELLO
from e2e.gateway import Gateway
from sdk.node import JS, NODE, node_environment


def run(script: str, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        (NODE, script, *arguments), cwd=JS, env=node_environment(), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_everything(node_modules: Path, relay: Gateway, model: str) -> None:
    seen = run("openai.mjs", f"{relay.base_url}/v1", relay.key, model)
    assert seen["whole"] == seen["helper"] == seen["afterTools"] == "".join(seen["pieces"]) == HELLO
    assert len(seen["pieces"]) == 4
    assert seen["usage"] == seen["streamUsage"] == 19
    assert seen["called"] == seen["json"] == {"city": "city 上海"}
    assert seen["streamedCall"] == [[True, "get_weather", {"city": "city 上海"}]]
    assert {model, "gemini-2.5-flash", "gpt-4o"} <= set(seen["models"])
    assert seen["one"] == model
    assert seen["missing"] == [True, 404, "model_not_found"]
    assert seen["refused"] == [True, 401]
