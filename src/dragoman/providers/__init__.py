"""Vendors' endpoints: where they are, how they are signed in to, how their model lists read."""
