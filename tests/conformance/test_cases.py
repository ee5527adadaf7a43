"""Every feature between every caller and every vendor, at once and as a stream."""

from __future__ import annotations

import pytest

from conformance.features import FEATURES
from conformance.judge import has_words
from conformance.page import Results
from conformance.table import PROTOCOLS, Feature
from conformance.trials import Trial
from e2e.gateway import Gateway
from e2e.vendor import Vendor

CASES = [
    pytest.param(feature, caller, vendor, stream, id=f"{feature.name}-{caller}-{vendor}{'-stream' if stream else ''}")
    for feature in FEATURES
    for caller in PROTOCOLS
    for vendor in PROTOCOLS
    for stream in (False, True)
    if has_words(feature, caller, vendor, stream)
]


@pytest.mark.parametrize(("feature", "caller", "vendor", "stream"), CASES)
def test_feature(
    stage: tuple[Gateway, dict[str, Vendor]],
    results: Results,
    feature: Feature,
    caller: str,
    vendor: str,
    stream: bool,
) -> None:
    gateway, vendors = stage
    case = Trial(gateway, vendors[vendor], feature, caller, vendor, stream)
    results[feature.name, caller, vendor, stream] = case.prove()
