"""Competing exits: who leaves by which cause, when, and what it depends on."""

from evalkit.estimators.competing.cause_specific import cause_specific
from evalkit.estimators.competing.fine_gray import fine_gray
from evalkit.estimators.competing.gray import gray_test
from evalkit.estimators.competing.incidence import aalen_johansen
from evalkit.estimators.competing.predict import predict_incidence
from evalkit.estimators.competing.time_lost import time_lost

__all__ = ["aalen_johansen", "cause_specific", "fine_gray", "gray_test", "predict_incidence", "time_lost"]
