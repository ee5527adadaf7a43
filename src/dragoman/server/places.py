"""What stands where in the directory that the processes of one gateway share while they run."""

from pathlib import Path


def limits_of(directory: Path) -> Path:
    """Where the workers count what is limited."""
    return directory / "limits"
