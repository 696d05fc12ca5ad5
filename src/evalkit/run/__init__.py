"""Run the notebooks of a site: one after another, each in its own kernel, never twice on the same input."""

from evalkit.run.execute import Outcome, notebook_names, require_call, run_notebooks
from evalkit.run.pages import pages_up_to_date, record_pages
from evalkit.run.progress import Progress
from evalkit.run.workspace import workspace

__all__ = ["Outcome", "Progress", "notebook_names", "pages_up_to_date", "record_pages", "require_call",
           "run_notebooks", "workspace"]
