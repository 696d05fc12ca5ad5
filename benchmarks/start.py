"""What evalkit costs before it works: its import, its first call, and both where it never ran before."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

_IMPORT = "import evalkit.estimators, evalkit.atrisk"
_CALL = """
import time
import numpy as np
import pandas as pd
from evalkit import estimators
from evalkit.atrisk import AtRisk
rng = np.random.default_rng(1)
frame = pd.DataFrame({"exit": rng.integers(1, 105, 10_000), "event": 1, "x": rng.normal(size=10_000)})
for _ in range(3):
    before = time.process_time()
    at_risk = AtRisk.from_frame(frame, exit="exit", event="event", covariates=["x"])
    estimators.cox(at_risk)
    print(time.process_time() - before)
"""


def measured():
    """Return (what, seconds) of the starts that a user meets."""
    with tempfile.TemporaryDirectory() as folder:
        never = {"PYTHONPYCACHEPREFIX": folder}
        first_ever = _cpu(_IMPORT, never)
        again = _cpu(_IMPORT, never)
    first, later = _calls({})
    read_only = {"PYTHONDONTWRITEBYTECODE": "1"}
    with tempfile.TemporaryDirectory() as folder:
        unwritten = _cpu(_IMPORT, {**read_only, "PYTHONPYCACHEPREFIX": folder})
    return [
        ("import numpy and pandas alone", f"{_cpu('import numpy, pandas', {}):.2f}"),
        ("import evalkit's estimators (numpy and pandas among them)", f"{_cpu(_IMPORT, {}):.2f}"),
        ("the first Cox fit of 10,000 rows in a process", f"{first:.3f}"),
        ("a later one", f"{later:.3f}"),
        ("import on a machine where no bytecode is stored, of the whole stack", f"{first_ever:.2f}"),
        ("the same once it is stored", f"{again:.2f}"),
        ("the same where it can never be stored (nothing is written)", f"{unwritten:.2f}"),
    ]


def _cpu(code, more, rounds=3):
    measure = f"import time\n{code}\nprint(time.process_time())"
    rounds = 1 if "PYTHONPYCACHEPREFIX" in more else rounds
    return min(float(_run(measure, more)[-1]) for _ in range(rounds))


def _calls(more, rounds=3):
    runs = [[float(line) for line in _run(_CALL, more)] for _ in range(rounds)]
    return min(run[0] for run in runs), min(min(run[1:]) for run in runs)


def _run(code, more):
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env=kept | one | more, cwd=Path(__file__).parent)
    return done.stdout.split()


if __name__ == "__main__":
    for what, value in measured():
        print(f"{value:>8} s  {what}")
