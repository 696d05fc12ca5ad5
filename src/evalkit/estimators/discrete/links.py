"""What a hazard's link says about a cell: likelihood, score and information as functions of the predictor.

A cell with N weeks at risk and d events adds d a(eta) - N c(eta) to the log likelihood, where c is the
cumulated hazard of one week without the event.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parts:
    """At each predictor: a and c, their derivatives, and the expected information of one week."""

    log_event: np.ndarray
    cumulated: np.ndarray
    event: np.ndarray
    risk: np.ndarray
    information: np.ndarray


def complementary_log_log(eta):
    """Hazard 1 - exp(-exp(eta)): proportional hazards of the time within the week."""
    rate = np.exp(eta)
    missed = -np.expm1(-rate)
    event = rate / missed
    return Parts(log_event=rate + np.log(missed), cumulated=rate, event=event, risk=rate,
                 information=event * rate * (1 - missed))


def logit(eta):
    """Hazard 1 / (1 + exp(-eta)): proportional odds of leaving in the week."""
    share = 1 / (1 + np.exp(-eta))
    return Parts(log_event=eta, cumulated=np.logaddexp(0, eta), event=np.ones_like(eta), risk=share,
                 information=share * (1 - share))


def log_rate(eta):
    """Rate exp(eta), constant within the piece: events are Poisson given the time at risk."""
    rate = np.exp(eta)
    return Parts(log_event=eta, cumulated=rate, event=np.ones_like(eta), risk=rate, information=rate)


LINKS = {"cloglog": complementary_log_log, "logit": logit, "log": log_rate}


def predictor_of(share, link):
    """Return the predictor at which events are this share of the time at risk."""
    with np.errstate(divide="ignore"):
        if link == "logit":
            return np.log(share) - np.log1p(-share)
        return np.log(share) if link == "log" else np.log(-np.log1p(-share))
