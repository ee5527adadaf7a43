"""nginx in two parts: the upstream that answers one-shot requests from memory, and the `proxy_pass` that is the yardstick.

Without root: a prefix of its own, loopback, one worker.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from bench import payloads
from bench.process import Child

_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")

_FRAME = """
daemon off;
worker_processes 1;
pid nginx.pid;
error_log error.log warn;
%(user)s
events { worker_connections 15000; }
http {
  access_log off;
  keepalive_timeout 600s;
  keepalive_requests 1000000000;
  %(temporary)s
  %(servers)s
}
"""

# `return` answers any method, POST too, and never leaves the worker.
_UPSTREAM = """
  server {
    listen 127.0.0.1:%(port)d;
    default_type application/json;
    location = /v1/chat/completions { return 200 '%(chat)s'; }
    location ~ ^/v1beta/models/.*:generateContent$ { return 200 '%(gemini)s'; }
    location = /v1/models { return 200 '{"object":"list","data":[]}'; }
    location = /v1beta/models { return 200 '{"models":[]}'; }
  }
"""

_PROXY = """
  upstream one_shot { server 127.0.0.1:%(one_shot)d; keepalive 256; keepalive_requests 1000000000; }
  upstream streams { server 127.0.0.1:%(paced)d; keepalive 512; keepalive_requests 1000000000; }
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_read_timeout 600s;
  server {
    listen 127.0.0.1:%(port)d backlog=4096;
    location / { proxy_pass http://one_shot; }
  }
  server {
    listen 127.0.0.1:%(stream_port)d backlog=4096;
    location / { proxy_buffering off; proxy_pass http://streams; }
  }
"""


def _start(directory: Path, servers: str, core: int) -> Child:
    directory.mkdir(parents=True, exist_ok=True)
    path = shutil.which("nginx")
    assert path is not None
    built = subprocess.run([path, "-V"], capture_output=True, text=True, check=False).stderr
    temporary = "\n  ".join(
        f"{name}_temp_path {directory}/{name};" for name in _TEMPORARY if f"--without-http_{name}_module" not in built
    )
    user = "user root root;" if os.geteuid() == 0 else ""
    config = directory / "nginx.conf"
    config.write_text(_FRAME % {"user": user, "temporary": temporary, "servers": servers})
    command = [path, "-p", str(directory), "-e", str(directory / "error.log"), "-c", str(config)]
    return Child(command, core=core, log=directory / "error.log")


def upstream(directory: Path, port: int, core: int) -> Child:
    answers = {"chat": payloads.chat_answer().decode(), "gemini": payloads.gemini_answer().decode()}
    return _start(directory, _UPSTREAM % {"port": port, **answers}, core)


def proxy(directory: Path, *, port: int, stream_port: int, one_shot: int, paced: int, core: int) -> Child:
    servers = _PROXY % {"port": port, "stream_port": stream_port, "one_shot": one_shot, "paced": paced}
    return _start(directory, servers, core)
