"""The thing under test: `dragoman serve` with its usual features on, pointed at the benchmark's own upstreams."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from bench import payloads
from bench.process import GATEWAY_CORE, Child

ROOT_KEY = "dgm_bench_root_key_of_no_use_anywhere"
KEY = "dgm_bench_key_of_no_use_anywhere"

# Models of providers whose names are no vendor's, so that their prices are told here.
_PRICED = "".join(
    f"  {model}: {{targets: [{{provider: {provider}, model: {model}}}], price: {{input: '0.4', output: '1.6'}}}}\n"
    for provider, models in {
        "openai-paced": (payloads.CHAT_STREAM_MODEL, payloads.CHAT_PACED_MODEL, payloads.CHAT_HELD_MODEL),
        "google-paced": (payloads.GEMINI_STREAM_MODEL, payloads.GEMINI_PACED_MODEL),
    }.items()
    for model in models
)

# Limits and a budget that are counted and never reached.
_CONFIG = f"""\
server: {{host: 127.0.0.1, port: %(port)d, workers: 1}}
data: %(data)s
log: {{format: json, level: info}}
providers:
  openai:
    protocols: [openai-chat]
    base_url: http://127.0.0.1:%(one_shot)d/v1
    api_key: sk-upstream-of-the-benchmark
    models: [{payloads.CHAT_MODEL}]
  google:
    protocols: [gemini]
    base_url: http://127.0.0.1:%(one_shot)d
    api_key: upstream-of-the-benchmark
    models: [{payloads.GEMINI_MODEL}]
  openai-paced:
    protocols: [openai-chat]
    base_url: http://127.0.0.1:%(paced)d/v1
    api_key: sk-upstream-of-the-benchmark
    models: [{payloads.CHAT_STREAM_MODEL}, {payloads.CHAT_PACED_MODEL}, {payloads.CHAT_HELD_MODEL}]
    max_connections: 10000
    timeouts: {{connect: 20s, first_byte: 60s, idle: 600s, total: 1h}}
  google-paced:
    protocols: [gemini]
    base_url: http://127.0.0.1:%(paced)d
    api_key: upstream-of-the-benchmark
    models: [{payloads.GEMINI_STREAM_MODEL}, {payloads.GEMINI_PACED_MODEL}]
    max_connections: 10000
models:
{_PRICED}keys:
  - name: bench
    key: {KEY}
    models: ["gpt-*", "gemini-*"]
    limits: {{requests_per_minute: 1000000000, tokens_per_minute: 1000000000000, concurrent_requests: 1000000}}
    budget: {{usd: "1000000000.00", window: month}}
"""

_VENDOR_KEYS = ("GEMINI_API_KEY", "GOOGLE_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ARK_API_KEY")


def start(directory: Path, *, port: int, one_shot: int, paced: int) -> Child:
    directory.mkdir(parents=True, exist_ok=True)
    config = directory / "dragoman.yaml"
    config.write_text(_CONFIG % {"port": port, "data": directory / "data", "one_shot": one_shot, "paced": paced})
    env = {
        name: value
        for name, value in os.environ.items()
        if name not in _VENDOR_KEYS and not name.startswith("DRAGOMAN_")
    }
    env["DRAGOMAN_ROOT_KEY"] = ROOT_KEY
    command = [str(Path(sys.executable).parent / "dragoman"), "serve", "--config", str(config)]
    return Child(command, core=GATEWAY_CORE, log=directory / "log.jsonl", env=env)
