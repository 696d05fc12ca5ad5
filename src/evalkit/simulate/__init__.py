"""A weekly register with a known truth: simulated, written as municipalities and researchers have it."""

from evalkit.simulate.expectation import stored as truth
from evalkit.simulate.register import Register, register
from evalkit.simulate.write import write

__all__ = ["Register", "register", "truth", "write"]
