"""The ledger's tables, as the newest migration leaves them."""

from sqlalchemy import BigInteger, Column, Double, Index, Integer, Table, Text
from sqlalchemy.dialects import postgresql

from dragoman.store.schema import metadata

# In the order of their bytes, whatever the language of the database: that is the order of time.
Id = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")

# Ids begin with their millisecond, so the order of the primary key is that of time: no index on `started_at` is needed.
entries = Table(
    "entries",
    metadata,
    Column("request_id", Id, primary_key=True),
    Column("started_at", BigInteger, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("protocol", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("target_model", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("error", Text),
    Column("stream", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("losses", Text),
    Column("input_tokens", BigInteger),
    Column("cached_input_tokens", BigInteger),
    Column("cache_write_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("reasoning_tokens", BigInteger),
    Column("cost_nanos", BigInteger),
    Column("price", Text),
    Column("units", Text),
    Column("estimated", Integer, nullable=False),
    Column("first_byte_ms", Double),
    Column("duration_ms", Double, nullable=False),
    Column("client_closed", Integer, nullable=False),
    sqlite_with_rowid=False,
)

# Which entries a span of time has, so that who asks for those of one key need not walk through all. An index would hold every
# entry once more, and cost the writer as much as the entry itself; here a span has one row however many entries are alike.
SPAN = len("req_") + 7  # the letters of an id that are the same for 32.768 seconds
spans = Table(
    "spans",
    metadata,
    Column("span", Id, primary_key=True),
    Column("key_id", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("provider", Text, primary_key=True),
    Column("status", Integer, primary_key=True),
    # Where traffic is heavy, many entries share a row, and these cost nothing; where it is light, nobody notices.
    Index("spans_key", "key_id", "span"),
    Index("spans_model", "model", "span"),
    sqlite_with_rowid=False,
)
Index(
    "spans_errors",
    spans.c.span,
    spans.c.status,
    sqlite_where=spans.c.status >= 400,
    postgresql_where=spans.c.status >= 400,
)

# Sums of a day (UTC, days since 1970), so that no question about use walks through the entries.
usage = Table(
    "usage",
    metadata,
    Column("day", Integer, primary_key=True),
    Column("key_id", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("provider", Text, primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("errors", BigInteger, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("cached_input_tokens", BigInteger, nullable=False),
    Column("cache_write_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("reasoning_tokens", BigInteger, nullable=False),
    Column("cost_nanos", BigInteger, nullable=False),
    # Requests whose tokens are known and whose price is not: their cost is in no sum.
    Column("unpriced", BigInteger, nullable=False),
    # Requests whose tokens are our own estimate.
    Column("estimated", BigInteger, nullable=False),
    Index("usage_key", "key_id", "day"),
    sqlite_with_rowid=False,
)

# The prices that entries were costed with, under the name that the entries have for them.
prices = Table(
    "prices",
    metadata,
    Column("id", Text, primary_key=True),
    Column("detail", Text, nullable=False),
)
