"""What takes long: run by `make kill` and `make soak`, and left out of `make test`."""

import os

import pytest

soak = pytest.mark.skipif("DRAGOMAN_SOAK" not in os.environ, reason="`make kill` or `make soak` runs it")
