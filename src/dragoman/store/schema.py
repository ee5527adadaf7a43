"""The tables, as the newest migration leaves them. Types are those that SQLite and PostgreSQL both have."""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, MetaData, Table, Text

metadata = MetaData()

# A caller may ask for its answers again by id; they belong to the key that made them.
responses = Table(
    "responses",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("items", LargeBinary, nullable=False),
    Column("response", LargeBinary, nullable=False),
    Index("responses_expires", "expires"),
)

# Which answer an item of a vendor's own belongs to: its id does not tell, and nobody may name an item that another key had made.
items = Table(
    "items",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("response", Text, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Index("items_response", "owner", "response"),
    Index("items_expires", "expires"),
)

# A vendor's proofs, under the id of the tool call that the caller was given.
signatures = Table(
    "signatures",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("call", Text, primary_key=True),
    Column("blob", LargeBinary, nullable=False),
    Column("created", BigInteger, nullable=False),
    Index("signatures_created", "created"),
)
