"""Whose a vendor's own items are. Those of answers that were kept before are found through no name but their answer's."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "items",
        sa.Column("owner", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("response", sa.Text, nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
    )
    op.create_index("items_response", "items", ["owner", "response"])
    op.create_index("items_expires", "items", ["expires"])
