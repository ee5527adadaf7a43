"""Gateways that the whole run shares, each started when the first test asks for it."""

import os

from hypothesis import HealthCheck, settings

from e2e.fixtures import (
    _scripted,
    anthropic_vendor,
    demo,
    google,
    local_data,
    openai_vendor,
    relay,
    responses_vendor,
    vendors,
)
from local_model import local_model_file
from postgres import postgres_server, postgres_url
from valkey_server import valkey

__all__ = [
    "_scripted",
    "anthropic_vendor",
    "demo",
    "google",
    "local_data",
    "local_model_file",
    "openai_vendor",
    "postgres_server",
    "postgres_url",
    "relay",
    "responses_vendor",
    "valkey",
    "vendors",
]

# How long an example takes says what else the machine does. In CI hypothesis has a profile of its own that says so too.
if "CI" not in os.environ:
    settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("patient")
