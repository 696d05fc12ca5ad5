"""Pages, tables, charts and sentences from Released objects: everything a reader sees, in Danish and English."""

from evalkit.reports.page import Failure, Prose, Shown, index, page, preview
from evalkit.reports.strings import load

__all__ = ["Failure", "Prose", "Shown", "index", "load", "page", "preview"]
