"""The tables of keys and of who changed them, as the newest migration leaves them. Times are Unix seconds."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text

from dragoman.store.schema import metadata

# Ids begin with their millisecond, so the order of the primary key is that of making.
keys = Table(
    "keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    # SHA-256 of the secret; null once the key is deleted. Such a row stays: who was away for however long must learn that the key
    # is no more, and entries of the ledger and lines of the audit name it.
    Column("digest", LargeBinary),
    # The secret's last characters, by which people tell one from another.
    Column("ending", Text, nullable=False),
    Column("models", Text, nullable=False),
    Column("limits", Text),
    Column("budget", Text),
    Column("metadata", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger),
    Column("revoked", BigInteger),
    Column("deleted", BigInteger),
    # The secret before the last rotation, and until when it still opens.
    Column("previous", LargeBinary),
    Column("previous_until", BigInteger),
    # The number that `versions` had after the last change of this row: who knows an older one reads only what is newer.
    Column("version", BigInteger, nullable=False),
    Index("keys_digest", "digest", unique=True),
    Index("keys_version", "version"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Index("audit_subject", "subject", "id"),
)

# A number each for what processes hold in memory; it grows with every change, in the change's own transaction.
versions = Table(
    "versions",
    metadata,
    Column("name", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
)

# What the machines on one database must agree on and the file does not say: the root key's digest.
settings = Table(
    "settings",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
