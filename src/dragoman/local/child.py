"""The child process that runs the model: llama.cpp's own HTTP server, and the front before it.

`python -m dragoman.local.child --model PATH [--port N] …`. One line of JSON on stdout, `{"base_url": …}`,
says that the model answers; stderr carries llama.cpp's errors; everything else goes over HTTP. The key that
callers must send is taken from the environment (`DRAGOMAN_LOCAL_KEY`), where other users of the machine
cannot read it. Leaving is abrupt on purpose: nothing here needs saving.
"""

import argparse
import asyncio
import ctypes
import json
import os
import secrets
import signal
import sys
import threading
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from dragoman.local.front import Front

KEY_VARIABLE = "DRAGOMAN_LOCAL_KEY"

EXIT_NO_ENGINE = 3
EXIT_NOT_LOADED = 4
EXIT_PORT_TAKEN = 5

_PR_SET_PDEATHSIG = 1


def main() -> NoReturn:
    arguments = _parse()
    # Whatever the C++ side prints must not mix with the one line that the parent reads.
    report = os.dup(1)
    os.dup2(2, 1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if arguments.parent:
        _die_with(arguments.parent)
    # Both only here: the supervisor takes names from this module and wants neither.
    from dragoman.local.front import Front

    try:
        import xllamacpp
    except ImportError as error:
        _leave(EXIT_NO_ENGINE, f"The local model needs the package xllamacpp ({error}). Install dragoman[local].")
    params = xllamacpp.CommonParams()
    params.model.path = arguments.model
    params.model_alias = {arguments.alias}
    params.hostnames = ["127.0.0.1"]
    params.port = 0  # only the front is told it
    key, engine_key = os.environ.pop(KEY_VARIABLE, ""), secrets.token_urlsafe(32)
    params.api_keys = [engine_key]
    params.n_parallel = arguments.parallel
    params.n_ctx = arguments.context * arguments.parallel  # llama.cpp divides it among the slots
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = arguments.threads
    # A connection holds one of these for as long as it is open: too few would starve /health.
    params.n_threads_http = 32 + 4 * arguments.parallel
    # A request is let go between two batches: small ones, about a second each, and no less fast on a CPU.
    params.n_batch = params.n_ubatch = 256
    params.cache_ram_mib = 0  # else up to 8 GiB of memory keep old prompts
    params.cache_idle_slots = False
    params.fit_params = False  # nothing to fit: the model is small, the sizes are ours
    params.ui = False
    params.cors_origins = ""
    params.verbosity = 1  # errors; the warnings quote pieces of callers' bodies
    # Without these two the small model falls into loops; a caller's own values win.
    params.sampling.temp = arguments.temperature
    params.sampling.penalty_repeat = arguments.repeat_penalty

    try:
        server = xllamacpp.Server(params)
    except Exception as error:
        _leave(EXIT_NOT_LOADED, f"llama.cpp could not load {arguments.model}: {error}")
    asyncio.run(_serve(Front(server.listening_address, engine_key, key), arguments.port, report))
    _leave(0, "")


async def _serve(front: "Front", port: int, report: int) -> None:
    try:
        await front.start(port)
    except OSError as error:
        _leave(EXIT_PORT_TAKEN, f"Port {port} on 127.0.0.1 cannot be had: {error}")
    os.write(report, json.dumps({"base_url": front.address}).encode() + b"\n")
    os.close(report)
    await asyncio.Event().wait()


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m dragoman.local.child", description=__doc__)
    parser.add_argument("--model", required=True, help="the GGUF file")
    parser.add_argument("--alias", default="smollm2-135m", help="the model's name in answers")
    parser.add_argument("--port", type=int, default=0, help="0: one that is free")
    parser.add_argument("--parallel", type=int, default=2, help="requests under way at once")
    parser.add_argument("--context", type=int, default=4096, help="tokens a request, prompt and answer together")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--temperature", type=float, default=0.2, help="where the caller gives none")
    parser.add_argument("--repeat-penalty", type=float, default=1.1, help="where the caller gives none")
    parser.add_argument("--parent", type=int, default=0, help="leave when this process ends or stdin closes")
    return parser.parse_args()


def _die_with(parent: int) -> None:
    # Ctrl-C reaches the whole terminal group; the parent decides when the model may go, after open answers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it was gone before we asked
            os._exit(0)
    threading.Thread(target=_leave_at_end_of_stdin, daemon=True).start()


def _leave_at_end_of_stdin() -> None:
    try:
        while os.read(0, 4096):
            pass
    finally:
        os._exit(0)


def _leave(code: int, why: str) -> NoReturn:
    if why:
        os.write(2, why.encode() + b"\n")
    os._exit(code)


if __name__ == "__main__":
    main()
