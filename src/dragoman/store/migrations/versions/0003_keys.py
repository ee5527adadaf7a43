"""Keys, who changed them, and what machines agree on. What is kept for a key is kept under its id: those in the file and the
gateway's own have none that is made, and until now were called by their names."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_OWNED = ("responses", "items", "signatures")


def upgrade() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary),
        sa.Column("ending", sa.Text, nullable=False),
        sa.Column("models", sa.Text, nullable=False),
        sa.Column("limits", sa.Text),
        sa.Column("budget", sa.Text),
        sa.Column("metadata", sa.Text, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.BigInteger),
        sa.Column("revoked", sa.BigInteger),
        sa.Column("deleted", sa.BigInteger),
        sa.Column("previous", sa.LargeBinary),
        sa.Column("previous_until", sa.BigInteger),
        sa.Column("version", sa.BigInteger, nullable=False),
    )
    op.create_index("keys_digest", "keys", ["digest"], unique=True)
    op.create_index("keys_version", "keys", ["version"])
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index("audit_subject", "audit", ["subject", "id"])
    versions = op.create_table(
        "versions",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(versions, [{"name": "keys", "number": 0}])
    op.create_table(
        "settings",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    for name in _OWNED:
        table = sa.table(name, sa.column("owner", sa.Text))
        own = ("", "root", "trial")
        op.execute(table.update().where(table.c.owner.not_in(own)).values(owner=sa.literal("file:") + table.c.owner))
