"""Competing exits: who leaves by which door, when, and what it depends on."""

from evalkit.estimators.competing.incidence import aalen_johansen

__all__ = ["aalen_johansen"]
