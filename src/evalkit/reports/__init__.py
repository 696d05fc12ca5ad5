"""Pages, tables, charts and sentences from Released objects: all that a reader sees, in two languages."""

from evalkit.reports.page import Failure, Prose, Shown, dictionary, index, page, preview
from evalkit.reports.strings import load

__all__ = ["Failure", "Prose", "Shown", "dictionary", "index", "load", "page", "preview"]
