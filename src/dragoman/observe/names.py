"""Every metric that Dragoman shows: name, kind, labels, buckets, help. docs/metrics.md is checked against this file.

Names that begin with `gen_ai_` follow the OpenTelemetry semantic conventions for generative AI
(https://github.com/open-telemetry/semantic-conventions-genai, status Development, as released with semantic conventions 1.43;
`gen_ai.client.inference.usage.*` and `gen_ai.token.modality` from that repository's main branch, 2026), dots and units
spelled in Prometheus' way. The rest is our own.
"""

from typing import Literal

from msgspec import Struct

SEMCONV_VERSION = "1.43.0"

OTHER = "other"
"""The label value that stands for all series beyond a metric's cap."""


class Metric(Struct, frozen=True):
    """One metric family. `labels` in the order of exposition; `buckets` are upper bounds in seconds, without +Inf.

    `across` tells how the gauges of several processes become one number.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    across: Literal["sum", "max", "min"] = "sum"


_CALL = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model")
_TOKENS = (*_CALL, "gen_ai_token_modality")

# The convention's own bounds, and a few behind them: it stops too early for models that think before they speak.
_DURATION = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68)
_FIRST_TOKEN = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0)
_FIRST_CHUNK = (
    0.001,
    0.005,
    0.01,
    0.02,
    0.04,
    0.06,
    0.08,
    0.1,
    0.12,
    0.14,
    0.16,
    0.18,
    0.2,
    0.25,
    0.3,
    0.35,
    0.4,
    0.45,
    0.5,
    0.75,
    1.0,
    2.0,
    5.0,
    10.0,
    20.0,
    40.0,
)
_OVERHEAD = (0.0005, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)

CLIENT_DURATION = Metric(
    "gen_ai_client_operation_duration_seconds",
    "histogram",
    "Duration of one call to a provider, from its start to the last byte of the answer.",
    (*_CALL, "error_type"),
    _DURATION,
)
CLIENT_FIRST_CHUNK = Metric(
    "gen_ai_client_operation_time_to_first_chunk_seconds",
    "histogram",
    "Time from the start of a call to a provider to the first piece of its answer.",
    _CALL,
    _FIRST_CHUNK,
)
INPUT_TOKENS = Metric(
    "gen_ai_client_inference_usage_input_tokens_total",
    "counter",
    "Input tokens, cached ones included, as the provider counted them.",
    _TOKENS,
)
OUTPUT_TOKENS = Metric(
    "gen_ai_client_inference_usage_output_tokens_total",
    "counter",
    "Output tokens, reasoning included, as the provider counted them.",
    _TOKENS,
)
CACHE_READ_TOKENS = Metric(
    "gen_ai_client_inference_usage_cache_read_input_tokens_total",
    "counter",
    "Input tokens that the provider served from its cache; a part of the input tokens.",
    _TOKENS,
)
CACHE_WRITE_TOKENS = Metric(
    "gen_ai_client_inference_usage_cache_write_input_tokens_total",
    "counter",
    "Input tokens that the provider wrote to its cache; a part of the input tokens.",
    _TOKENS,
)
REASONING_TOKENS = Metric(
    "gen_ai_client_inference_usage_reasoning_output_tokens_total",
    "counter",
    "Output tokens spent on reasoning; a part of the output tokens.",
    _TOKENS,
)
SERVER_DURATION = Metric(
    "gen_ai_server_request_duration_seconds",
    "histogram",
    "Duration of a caller's request, from its first byte in to the last byte out, all attempts included.",
    (*_CALL, "error_type"),
    _DURATION,
)
SERVER_FIRST_TOKEN = Metric(
    "gen_ai_server_time_to_first_token_seconds",
    "histogram",
    "Time from a caller's streaming request to the first piece of a successful answer.",
    _CALL,
    _FIRST_TOKEN,
)
OVERHEAD = Metric(
    "dragoman_overhead_seconds",
    "histogram",
    "What Dragoman itself adds to a request: its duration less the time spent waiting for providers.",
    ("protocol", "operation", "stream"),
    _OVERHEAD,
)
IN_FLIGHT = Metric("dragoman_requests_in_flight", "gauge", "Requests being served now.")
REQUESTS = Metric(
    "dragoman_requests_total",
    "counter",
    "Requests answered, by the HTTP status of the answer (499: the caller left).",
    ("protocol", "operation", "status"),
)
ATTEMPTS = Metric(
    "dragoman_upstream_attempts_total",
    "counter",
    "Calls to providers, by how they ended.",
    ("provider", "outcome"),
)
LOSSES = Metric(
    "dragoman_translation_losses_total",
    "counter",
    "Fields that a translation could not carry.",
    ("from", "to", "field"),
)
RELOAD_SUCCESS = Metric(
    "dragoman_config_last_reload_success",
    "gauge",
    "1 if the last reading of the configuration succeeded in every process, else 0.",
    across="min",
)
RELOAD_TIMESTAMP = Metric(
    "dragoman_config_last_reload_timestamp_seconds",
    "gauge",
    "Unix time of the configuration in force; the oldest where processes differ.",
    across="min",
)
BUILD_INFO = Metric(
    "dragoman_build_info", "gauge", "Always 1; the labels tell what is running.", ("version", "python"), across="max"
)
LOCAL_MODEL_STATE = Metric(
    "dragoman_local_model_state",
    "gauge",
    "1 for the state that the built-in model is in, 0 for those it was in before.",
    ("model", "state"),
    across="max",
)
LOOP_LAG = Metric(
    "dragoman_event_loop_lag_seconds",
    "gauge",
    "How late the event loop last ran a timer; the worst of all processes over the last seconds.",
    across="max",
)
LINES_DROPPED = Metric(
    "dragoman_log_lines_dropped_total",
    "counter",
    "Log lines dropped because whoever reads the log did not keep up.",
)
STORE_FAILURES = Metric(
    "dragoman_store_failures_total",
    "counter",
    "What could not be written into the database, or read from it; the requests went on without.",
)
LIMITED = Metric(
    "dragoman_limit_rejections_total",
    "counter",
    "Requests refused because a limit or a budget was reached.",
    ("limit",),
)
SHED = Metric(
    "dragoman_requests_shed_total",
    "counter",
    "Requests refused because a worker had as many under way, or as much of their bodies, as it takes.",
)
PLACES_IN_USE = Metric(
    "dragoman_provider_places_in_use",
    "gauge",
    "Requests under way at a provider that takes a bounded number of them.",
    ("provider",),
)
PLACES_WAITING = Metric(
    "dragoman_provider_requests_waiting", "gauge", "Requests that wait for a place at such a provider.", ("provider",)
)
PLACES_REFUSED = Metric(
    "dragoman_provider_requests_refused_total",
    "counter",
    "Requests refused because no place at such a provider came free for them.",
    ("provider", "reason"),
)
CACHE_REQUESTS = Metric(
    "dragoman_cache_requests_total",
    "counter",
    "Requests that were looked for in the cache: a hit was answered without a call to a provider, a miss was not there.",
    ("result",),
)
CACHE_EVICTIONS = Metric(
    "dragoman_cache_evictions_total",
    "counter",
    "Answers that left the cache for want of room before their time was over.",
)
CACHE_BYTES = Metric("dragoman_cache_bytes", "gauge", "Memory that the cache takes, answers being recorded included.")
CACHE_ENTRIES = Metric("dragoman_cache_entries", "gauge", "Answers in the cache.")
SHARED_UP = Metric(
    "dragoman_shared_up",
    "gauge",
    "Whether limits are counted together with other machines now: 0 where this one keeps its share of them. Without `shared:` it "
    "is not there.",
    across="min",
)
SHARED_MACHINES = Metric(
    "dragoman_shared_machines",
    "gauge",
    "Machines that count limits together, as last heard.",
    across="min",
)
TARGET_HEALTHY = Metric(
    "dragoman_target_healthy",
    "gauge",
    "1 for a target that is asked as usual, 0 for one that is passed over because it failed; the worst of all processes.",
    ("provider", "target"),
    across="min",
)
TARGET_CHANGES = Metric(
    "dragoman_target_transitions_total",
    "counter",
    "Times that a process began to pass a target over (`open`), or to ask it as usual again (`closed`).",
    ("provider", "target", "to"),
)
CREDENTIAL_ACCEPTED = Metric(
    "dragoman_credential_accepted",
    "gauge",
    "0 for a provider's credential that was refused, 1 again once it is accepted; the worst of all processes.",
    ("provider", "credential"),
    across="min",
)
LEDGER_QUEUE = Metric(
    "dragoman_ledger_queue_length",
    "gauge",
    "Entries of the ledger that are in the journal and not in the database yet.",
)
LEDGER_FAILURES = Metric(
    "dragoman_ledger_write_failures_total",
    "counter",
    "Times that the database took no entries of the ledger; they wait in the journal and are tried again.",
)
LEDGER_LOST = Metric(
    "dragoman_ledger_entries_lost_total",
    "counter",
    "Requests without an entry, for there was no place for it even in the journal.",
)

ALL: tuple[Metric, ...] = tuple(value for value in globals().values() if isinstance(value, Metric))
BY_NAME = {metric.name: metric for metric in ALL}
