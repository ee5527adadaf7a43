"""`make bench`: Dragoman beside nginx on this machine, figure by figure, against the targets.

python -m bench                      all cases, about fifteen minutes
python -m bench --quick chat         one case, a second a round
python -m bench --full --write       a million requests for memory; rewrites docs/performance.md
"""

from __future__ import annotations

import argparse
import datetime
import os
import signal
import sys
from pathlib import Path

from bench import cases, machine, report
from bench.figures import Results
from bench.process import LOAD_CORE, BenchError
from bench.stage import ROOT, Stage


def arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"which to run: {', '.join(cases.NAMES)}; else all")
    parser.add_argument("--quick", action="store_true", help="one second and one round each: a look, no measurement")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long a round takes (5)")
    parser.add_argument("--rounds", type=int, default=3, help="how many rounds, of which the median counts (3)")
    parser.add_argument("--requests", type=int, default=200_000, help="requests of the memory case (200000)")
    parser.add_argument("--full", action="store_true", help="1,000,000 requests in the memory case")
    parser.add_argument("--idle", type=int, default=5_000, help="open streams of the idle case (5000)")
    parser.add_argument("--write", action="store_true", help="rewrite the measured part of docs/performance.md")
    parser.add_argument("--keep", type=Path, help="a folder for logs and configurations, which are else removed")
    found = parser.parse_args(given)
    unknown = [name for name in found.cases if name not in cases.NAMES]
    if unknown:
        parser.error(f"no such case: {', '.join(unknown)}; there are {', '.join(cases.NAMES)}")
    if found.write and (found.cases or found.quick):
        parser.error("--write takes all cases, measured in full")
    return found


def effort_of(found: argparse.Namespace) -> cases.Effort:
    if found.quick:
        return cases.Effort(
            seconds=1,
            rounds=1,
            requests=min(found.requests, 20_000),
            idle=min(found.idle, 500),
            starts=1,
            entries=90_000,
        )
    return cases.Effort(
        seconds=found.seconds,
        rounds=found.rounds,
        requests=1_000_000 if found.full else found.requests,
        idle=found.idle,
    )


def main() -> int:
    given = sys.argv[1:]
    found = arguments(given)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupted)
    results = Results()
    status = 0
    try:
        machine.check()
        most = machine.raise_file_limit()
        effort = effort_of(found)
        if 2 * effort.idle + 200 > most and (not found.cases or "idle" in found.cases):
            raise BenchError(f"{effort.idle} idle streams need {2 * effort.idle + 200} open files, {most} are allowed")
        os.sched_setaffinity(0, {LOAD_CORE})
        about = machine.description()
        with cases.temporary() as scratch:
            directory = found.keep or Path(scratch)
            directory.mkdir(parents=True, exist_ok=True)
            with Stage(directory.resolve()) as stage:
                cases.run(stage, found.cases or cases.NAMES, effort, results, say)
    except BenchError as error:
        say(f"bench: {error}")
        status = 1
    except KeyboardInterrupt:
        say("bench: interrupted; everything that was started is ended")
        status = 130
    if results.rows or results.details or results.notes:
        print(report.plain(results))
    if status == 0 and found.write:
        date = datetime.datetime.now(datetime.UTC).date().isoformat()
        report.write(ROOT, results, about, date=date, command=shown(given))
    return status


def shown(given: list[str]) -> str:
    """The command as anybody would give it: where logs were kept is nobody's business."""
    kept = [word for n, word in enumerate(given) if not word.startswith("--keep") and given[n - 1 : n] != ["--keep"]]
    return f'make bench ARGS="{" ".join(kept)}"' if kept else "make bench"


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
