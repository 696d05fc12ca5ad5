"""The door out: what may leave (`release`), and the last look at the bytes that do (`scan`)."""

from evalkit.disclosure.release import release
from evalkit.disclosure.scan import scan

__all__ = ["release", "scan"]
