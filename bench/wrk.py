"""wrk: one request asked again and again, as fast as it is answered."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from bench.payloads import Ask
from bench.process import LOAD_CORE, BenchError, Child

_MARK = "bench-summary "

_DONE = """
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    'bench-summary {"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "faults": %d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""

_SCRIPT = """
wrk.method = "POST"
wrk.headers["Authorization"] = "Bearer %(key)s"
wrk.headers["Content-Type"] = "application/json"
local bodies = {%(bodies)s}
local paths = {%(paths)s}
local requests = {}
local turn = 0
function init(args)
  for n = 1, #bodies do requests[n] = wrk.format(nil, paths[n], nil, bodies[n]) end
end
function request()
  turn = turn %% #requests + 1
  return requests[turn]
end
"""

_COUNT = """
local answers = 0
function response()
  answers = answers + 1
  if answers >= %d then wrk.thread:stop() end
end
"""


@dataclass(frozen=True)
class Summary:
    """Seconds; latencies in milliseconds; `faults` are errors of any kind and statuses past 399."""

    requests: int
    seconds: float
    p50: float
    p99: float
    faults: int


def script(asks: list[Ask], key: str, count: int | None = None) -> str:
    """Lua that asks in turn; stops after `count` answers."""
    text = _SCRIPT % {
        "key": key,
        "bodies": ", ".join(f"[==[{ask.body.decode()}]==]" for ask in asks),
        "paths": ", ".join(f"[==[{ask.path}]==]" for ask in asks),
    }
    if count is not None:
        text += _COUNT % count
    return text + _DONE


def parse(output: str) -> Summary:
    """What the script's `done` printed. Raises BenchError where it printed nothing."""
    for line in output.splitlines():
        if line.startswith(_MARK):
            found = json.loads(line.removeprefix(_MARK))
            return Summary(
                found["requests"],
                found["microseconds"] / 1e6,
                found["p50"] / 1000,
                found["p99"] / 1000,
                found["faults"],
            )
    raise BenchError(f"wrk printed no summary:\n{output.strip()}")


def run(
    port: int,
    asks: list[Ask],
    key: str,
    *,
    seconds: float,
    directory: Path,
    connections: int = 16,
    count: int | None = None,
) -> Summary:
    """Loads `port` for whole `seconds`, idly past `count` answers. Raises BenchError on any fault."""
    path = directory / "wrk.lua"
    path.write_text(script(asks, key, count))
    wrk = shutil.which("wrk")
    assert wrk is not None
    command = [wrk, "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "-s", str(path)]
    log = directory / "wrk.log"
    with Child([*command, f"http://127.0.0.1:{port}/"], core=LOAD_CORE, log=log, talk=True) as child:
        output, _ = child.process.communicate(timeout=seconds + 30)
    summary = parse(output.decode())
    if summary.faults or not summary.requests:
        raise BenchError(f"{summary.faults} of {summary.requests} requests went wrong:\n{output.decode().strip()}")
    return summary
