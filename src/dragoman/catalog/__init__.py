"""What models can do and what they cost."""

from dragoman.catalog.profile import Profile, profile_for

__all__ = ["Profile", "profile_for"]
