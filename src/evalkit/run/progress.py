"""Say all the time which notebook and which cell is at work, and for how long."""

import contextlib
import sys
import threading
import time

_TERMINAL_SECONDS, _LOG_SECONDS = 1.0, 15.0


class Progress:
    """A line of progress: rewritten in place on a terminal, one line a cell elsewhere."""

    def __init__(self, stream=None):
        self.stream = stream or sys.stderr
        self.is_terminal = bool(getattr(self.stream, "isatty", lambda: False)())
        self._started = time.monotonic()
        self._text, self._width = "", 0
        self._stop = threading.Event()

    def say(self, text):
        """Write a line that stays."""
        self._write(text, "\n")

    @contextlib.contextmanager
    def notebook(self, name, n_cells):
        """Follow one notebook; yields the function to call with the number of each cell."""
        self._text = f"{name}: starting"
        self._stop.clear()
        ticker = threading.Thread(target=self._tick, daemon=True)
        ticker.start()
        try:
            yield lambda cell: self._cell(name, cell, n_cells)
        finally:
            self._stop.set()
            ticker.join()

    def elapsed(self):
        """Return the time since the run began as m:ss."""
        minutes, seconds = divmod(int(time.monotonic() - self._started), 60)
        return f"{minutes}:{seconds:02d}"

    def _cell(self, name, cell, n_cells):
        self._text = f"{name}: cell {cell} of {n_cells}"
        self._show()

    def _tick(self):
        # A long cell must not look like a stopped run.
        while not self._stop.wait(_TERMINAL_SECONDS if self.is_terminal else _LOG_SECONDS):
            self._show()

    def _show(self):
        self._write(f"  {self._text}, {self.elapsed()}", "" if self.is_terminal else "\n")

    def _write(self, line, end):
        if self.is_terminal:  # Spaces over the line before: not every terminal of Windows knows how to erase.
            self._width, line = (0 if end else len(line)), "\r" + line.ljust(self._width)
        self.stream.write(line + end)
        self.stream.flush()
