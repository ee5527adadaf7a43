"""Which entries a span of time has, in place of an index that held every entry once more."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "spans",
        sa.Column("span", sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql"), primary_key=True),
        sa.Column("key_id", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("provider", sa.Text, primary_key=True),
        sa.Column("status", sa.Integer, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO spans (span, key_id, model, provider, status) "
        "SELECT DISTINCT substr(request_id, 1, 11), key_id, model, provider, status FROM entries"
    )
    op.create_index("spans_key", "spans", ["key_id", "span"])
    op.create_index("spans_model", "spans", ["model", "span"])
    failed = sa.text("status >= 400")
    op.create_index("spans_errors", "spans", ["span", "status"], sqlite_where=failed, postgresql_where=failed)
    op.drop_index("entries_key", "entries")
