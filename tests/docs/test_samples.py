"""What the front pages and the banner show is run as it stands; only the address and the key are put in."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.gateway import Gateway

ROOT = Path(__file__).parents[2]
_PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
SAMPLES = [
    pytest.param(sample, id=f"{page}-{number}")
    for page in ("README.md", "docs/zh/README.md")
    for number, sample in enumerate(_PYTHON.findall((ROOT / page).read_text()))
]


def test_there_are_samples() -> None:
    assert len(SAMPLES) == 8


@pytest.mark.parametrize("sample", SAMPLES)
def test_python_sample(demo: Gateway, sample: str) -> None:
    assert "http://127.0.0.1:8000" in sample
    assert "the root key" in sample
    program = sample.replace("http://127.0.0.1:8000", demo.base_url).replace("the root key", demo.key)
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip()


def test_the_curl_that_serve_prints(demo: Gateway) -> None:
    """It streams; enough of the answer is read to see that, then it is ended as with Ctrl-C."""
    printed = re.search(r"^curl .*?(?<!\\)$", demo.text, re.DOTALL | re.MULTILINE)
    assert printed is not None
    with subprocess.Popen(
        ["bash", "-c", f"exec {printed[0]}"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as curl:
        assert curl.stdout is not None
        events = [line for line, _ in zip((line for line in curl.stdout if line.strip()), range(4), strict=False)]
        curl.terminate()
    assert all(event.startswith(b'data: {"choices"') for event in events)
    assert len(events) == 4
