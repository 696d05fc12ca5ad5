"""Execute one notebook with papermill in a kernel of its own: this interpreter, private sockets, seeds."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from evalkit.spec import PUBLIC_VARIABLE

# One thread of linear algebra and a fixed hash order: the same input gives the same digits.
_ENVIRONMENT = {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1",
                "MKL_NUM_THREADS": "1"}
# A kernel that compiles every import anew costs seconds (common in containers).
_UNSET = ("PYTHONDONTWRITEBYTECODE",)
RUN_VARIABLE = "EVALKIT_RUN"


def execute(path, output, parameters, public, *, on_cell):
    """Run the notebook and write it, cell by cell, to ``output``.

    Parameters
    ----------
    path, output : Path
        ``output`` holds the cells that ran, also when one fails.
    parameters : mapping
        Values of the parameters cell.
    public : Path or None
        Folder of StatBank tables that the kernel's site shall use; None where there are none.
    on_cell : callable
        Called with the number of the code cell (from 1) just before it runs.

    Returns
    -------
    NotebookNode
        As executed. The caller checks that every code cell has an ``execution_count``: papermill
        marks all cells completed when the kernel was killed.
    """
    from papermill import execute_notebook

    folder = Path(tempfile.mkdtemp(prefix="evalkit-"))  # made with mode 0700
    counter = iter(range(1, 1_000_000))
    try:
        return execute_notebook(
            str(path), str(output), parameters=dict(parameters), kernel_name="python3", language="python",
            progress_bar=False, log_output=False, shutdown_kernel="immediate", start_timeout=120,
            kernel_manager_class=_manager_class(folder, path.stem, public),
            on_cell_execute=lambda **_: on_cell(next(counter)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _manager_class(folder, name, public):
    """Return a kernel manager that starts this interpreter; no kernel has to be registered on the machine."""
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}",
            "--HistoryManager.enabled=False"]
    environment = {**_ENVIRONMENT, RUN_VARIABLE: name, PUBLIC_VARIABLE: str(public or ""),
                   "IPYTHONDIR": str(folder / "ipython")}

    class OwnKernelManager(AsyncKernelManager):
        """AsyncKernelManager without the machine's kernel folders."""

        @property
        def kernel_spec(self):
            return KernelSpec(argv=argv, language="python", display_name="evalkit", env=environment)

        def __init__(self, **options):
            super().__init__(**options)
            self.connection_file = str(folder / "kernel.json")
            if os.name != "nt":  # sockets in a private folder: another user of the machine cannot listen
                self.transport, self.ip = "ipc", str(folder / "kernel")

        async def start_kernel(self, **options):
            # What the kernel says of itself, not of data.
            options["stdout"] = options["stderr"] = subprocess.DEVNULL
            options["env"] = {key: value for key, value in os.environ.items() if key not in _UNSET}
            await super().start_kernel(**options)

    return OwnKernelManager
