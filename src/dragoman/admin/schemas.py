"""The shapes of what the admin API answers and takes, as JSON Schema. An object has all of its fields and no others, unless it
says so."""

from __future__ import annotations

from dragoman.admin.asked import MOST_LISTED, USUALLY_LISTED
from dragoman.admin.endpoint import Parameter, Schema
from dragoman.catalog.price import UNITS

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
COUNT: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}
MOMENT: Schema = {"type": "string", "format": "date-time"}
DAY: Schema = {"type": "string", "format": "date"}
DOLLARS: Schema = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "description": "US dollars."}
MILLISECONDS: Schema = {"type": "number", "minimum": 0}
TEXTS: Schema = {"type": "array", "items": TEXT}


def nullable(schema: Schema, description: str = "") -> Schema:
    told = {**schema, "type": [schema["type"], "null"]} if "type" in schema else {"oneOf": [schema, {"type": "null"}]}
    return {**told, "description": description} if description else told


def described(schema: Schema, description: str) -> Schema:
    return {**schema, "description": description}


def thing(**fields: Schema) -> Schema:
    """An object that has exactly these fields."""
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


def wish(*needed: str, **fields: Schema) -> Schema:
    """An object that may have these fields, and must have the `needed`."""
    told: Schema = {"type": "object", "properties": fields, "additionalProperties": False}
    return {**told, "required": list(needed)} if needed else told


def list_of(item: Schema, **beside: Schema) -> Schema:
    cursor = nullable(TEXT, "Ask with it as `cursor` for what comes after; null at the end.")
    return thing(data={"type": "array", "items": item}, next_cursor=cursor, **beside)


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


_TOKENS = {
    name: nullable(COUNT)
    for name in ("input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
}
_SUMS: dict[str, Schema] = {
    "requests": COUNT,
    "errors": described(COUNT, "Requests that ended with a status of 400 or above."),
    **dict.fromkeys(_TOKENS, COUNT),
    "cost_usd": nullable(DOLLARS, "Of the requests whose price is known; null where that is none."),
    "unpriced": described(COUNT, "Requests whose price is not known."),
    "estimated": described(COUNT, "Requests whose tokens are the gateway's own estimate."),
}
_LIMITS = ("requests_per_minute", "tokens_per_minute", "concurrent_requests")
_WINDOW: Schema = {"type": "string", "enum": ["day", "month", "total"]}
_PATTERN: Schema = {"type": "string", "minLength": 1, "maxLength": 200}

KEY_FIELDS: dict[str, Schema] = {
    "name": {"type": "string", "minLength": 1, "maxLength": 100, "description": "Whose key it is, or what for."},
    "models": {
        "type": ["array", "null"],
        "items": _PATTERN,
        "minItems": 1,
        "maxItems": 200,
        "description": 'Names and patterns of the models that it may use; every model where it is not given, as `["*"]` says.',
    },
    "limits": {
        **wish(**{name: {"type": ["integer", "null"], "minimum": 1} for name in _LIMITS}),
        "type": ["object", "null"],
    },
    "budget": {
        **wish(
            "usd",
            usd={
                "type": ["string", "number"],
                "description": 'US dollars, such as "10.00"; at most nine decimal places.',
            },
            window={**_WINDOW, "default": "month"},
        ),
        "type": ["object", "null"],
    },
    "metadata": {
        "type": ["object", "null"],
        "maxProperties": 32,
        "additionalProperties": {"type": "string", "maxLength": 512},
        "description": "Notes of your own.",
    },
    "expires_at": {**nullable(MOMENT), "description": "When it ends; without a zone it is UTC."},
}

_KEY = {
    "id": TEXT,
    "name": TEXT,
    "source": {"type": "string", "enum": ["database", "file"]},
    "ending": nullable(TEXT, "The secret's last characters."),
    "status": {"type": "string", "enum": ["active", "expired", "revoked"]},
    "models": TEXTS,
    "limits": thing(**{name: nullable(COUNT) for name in _LIMITS}),
    "budget": nullable(thing(usd=DOLLARS, window=_WINDOW)),
    "metadata": {"type": "object", "additionalProperties": TEXT},
    "created_at": nullable(MOMENT),
    "expires_at": nullable(MOMENT),
    "revoked_at": nullable(MOMENT),
    "previous_valid_until": nullable(MOMENT, "Until when the secret before the last rotation opens, or has opened."),
}
_ENTRY = {
    "request_id": TEXT,
    "started_at": MOMENT,
    "key_id": TEXT,
    "protocol": TEXT,
    "model": TEXT,
    "provider": TEXT,
    "target_model": TEXT,
    "operation": TEXT,
    "status": WHOLE,
    "error": nullable(TEXT),
    "stream": FLAG,
    "attempts": COUNT,
    "losses": TEXTS,
    **_TOKENS,
    "cost_usd": nullable(DOLLARS, "null where the price is not known."),
    "estimated": described(FLAG, "The tokens are the gateway's own estimate."),
    "first_byte_ms": nullable(MILLISECONDS),
    "duration_ms": MILLISECONDS,
    "client_closed": FLAG,
}
_RATES: Schema = {"type": "object", "properties": dict.fromkeys(UNITS, DOLLARS), "additionalProperties": False}
_STEP: Schema = {**_RATES, "properties": {"above": COUNT, **_RATES["properties"]}, "required": ["above"]}
_TARGET = thing(
    provider=TEXT,
    model=TEXT,
    weight=WHOLE,
    priority=WHOLE,
    protocol=nullable(TEXT),
    price=nullable(ref("Price")),
    context_window=nullable(COUNT),
)

COMPONENTS: dict[str, Schema] = {
    "Error": thing(
        error=thing(
            message=TEXT,
            type=TEXT,
            param=nullable(TEXT, "The field or parameter that is wrong."),
            code=nullable(TEXT, "A word that stays the same."),
        )
    ),
    "Key": thing(**_KEY),
    "KeyWithSecret": thing(key=described(TEXT, "The secret. It is shown this once."), **_KEY),
    "Price": thing(
        source=TEXT,
        per_million=_RATES,
        steps={"type": "array", "items": _STEP},
        beside=described(TEXTS, "What the vendor charges besides, which is not counted."),
    ),
    "Entry": thing(**_ENTRY),
    "EntryInFull": thing(
        **_ENTRY,
        price=nullable(ref("Price"), "What was applied."),
        arithmetic={
            "type": ["array", "null"],
            "items": ref("CostLine"),
            "description": "Adds up to `cost_usd` before that is rounded to the nanodollar; null where no price was applied.",
        },
    ),
    "CostLine": thing(unit=TEXT, quantity=COUNT, usd_per_million=DOLLARS, usd=DOLLARS),
    "Sums": thing(**_SUMS),
    "Usage": {
        **wish(key=TEXT, key_name=nullable(TEXT), model=TEXT, provider=TEXT, day=DAY, **_SUMS),
        "required": list(_SUMS),
        "description": "What it is about is under the name that `group_by` had.",
    },
    "Model": thing(
        name=TEXT,
        provider=TEXT,
        kind={"type": "string", "enum": ["own", "alias", "listed", "pattern"]},
        alias_of=nullable(TEXT),
        display_name=TEXT,
        description=TEXT,
        input_tokens=nullable(COUNT),
        output_tokens=nullable(COUNT),
        targets={"type": "array", "items": _TARGET},
    ),
    "Provider": thing(
        name=TEXT,
        protocols=TEXTS,
        base_url=nullable(TEXT),
        keys=described(COUNT, "How many keys it has with the vendor; never the keys."),
        models=TEXTS,
        transport=TEXT,
        health=thing(
            targets=described(
                {"type": "array", "items": thing(model=TEXT, healthy=FLAG)},
                "Those that were asked since the start; not healthy where any worker passes it over.",
            ),
            credentials=described(
                {"type": "array", "items": thing(name=TEXT, accepted=FLAG)},
                "By their place in the configuration; not accepted where the vendor has refused it to any worker.",
            ),
        ),
    ),
    "Probe": thing(
        provider=TEXT,
        ok=FLAG,
        status=nullable(WHOLE, "The HTTP status that it answered with."),
        latency_ms=nullable(MILLISECONDS),
        models=TEXTS,
        error=nullable(TEXT),
        mend=nullable(TEXT, "What to do."),
    ),
    "Change": thing(
        id=WHOLE,
        at=MOMENT,
        actor=described(TEXT, "`api:root@ADDRESS`, or `cli:USER` for the command line."),
        action=described(
            TEXT, "`key.create`, `key.change`, `key.rotate`, `key.revoke`, `key.delete`, `config.reload`."
        ),
        subject=TEXT,
        detail={"type": "object"},
    ),
}

CURSOR = Parameter("cursor", TEXT, "The `next_cursor` of the page before.")
LIMIT = Parameter(
    "limit",
    {"type": "integer", "minimum": 1, "maximum": MOST_LISTED, "default": USUALLY_LISTED},
    "The most to list.",
)
KEY = Parameter("key", TEXT, "Of the key with this id or name.")
