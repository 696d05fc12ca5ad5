"""Which terms the likelihood has where several die in one week."""

from dataclasses import dataclass

import numpy as np

# Nodes of the quadrature, and the largest share of the hazard at risk that may be dying where it stands for
# Efron's sum: the error is then below 1e-15 of the sum (the sum's function has its pole at three times the
# interval). A design keeps a distance from it, since the share moves with the coefficients.
NODES = 8
LARGEST_SHARE = 1 / 3
DESIGN_SHARE = 1 / 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ties:
    """The terms of the likelihood: one per time (Breslow), or several (Efron).

    Term k of time ``at`` has the denominator S0 - ``part`` D0 and the weight ``share``. Where many die in
    one week, at the times ``shortened``, a few terms stand for the sum over all of them.
    """

    at: np.ndarray
    start: np.ndarray
    part: np.ndarray
    share: np.ndarray
    shortened: np.ndarray

    def hold_for(self, s0, d0):
        """Say whether the shortened sums are exact for these sums at risk and dying."""
        return bool((d0[self.shortened] <= LARGEST_SHARE * s0[self.shortened]).all())

    def term_by_term(self, number):
        """Return the terms without a short cut, for the number who die at each time."""
        return efron(number, self.add(self.share), np.ones(len(number)))

    def add(self, value):
        """Add up the terms of each time."""
        return np.add.reduceat(value, self.start)


def breslow(deaths):
    """Return one term per time; ``deaths`` is the weight of those who die."""
    at = np.arange(len(deaths))
    return Ties(at=at, start=at, part=np.zeros(len(at)), share=deaths, shortened=at[:0])


def efron(number, deaths, dying_share):
    """Return Efron's terms; those of a time with many deaths are replaced by a quadrature.

    Efron (1977) sums a smooth function f(k / d) over the d deaths of a time, k = 0 .. d - 1. The Gauss
    quadrature of that discrete sum, from the recurrence of the discrete Chebyshev polynomials (Gautschi
    2004, 1.5), is exact for polynomials of degree 2 ``NODES`` - 1; f is 1 / (S0 - u D0), its powers and its
    logarithm, whose expansions fall fast while D0 is a small share of S0.

    Parameters
    ----------
    number, deaths : ndarray
        How many die at each time and their weight.
    dying_share : ndarray
        D0 / S0 where all hazards are equal; 1 keeps every term.
    """
    number = np.round(number).astype(np.int64)
    shortened = np.flatnonzero((number > NODES) & (dying_share <= DESIGN_SHARE))
    terms = number.copy()
    terms[shortened] = NODES
    at, start = np.repeat(np.arange(len(terms)), terms), np.cumsum(terms) - terms
    part, share = (np.arange(len(at)) - start[at]) / number[at], (deaths / number)[at]
    if len(shortened):
        found, which = np.unique(number[shortened], return_inverse=True)
        nodes, weights = _quadrature(found)
        place = start[shortened][:, None] + np.arange(NODES)
        part[place], share[place] = nodes[which], weights[which] * share[place]
    return Ties(at=at, start=start, part=part, share=share, shortened=shortened)


def _quadrature(number):
    """Return nodes k / d and weights, shape (n, NODES), of the sum over k = 0 .. d - 1 for each d."""
    d, n = number[:, None].astype(float), np.arange(1, NODES)
    beside = n * np.sqrt((1 - (n / d) ** 2) / (4 * (4 * n**2 - 1)))
    jacobi = np.zeros((len(number), NODES, NODES))
    jacobi[:, n - 1, n] = jacobi[:, n, n - 1] = beside
    jacobi[:, np.arange(NODES), np.arange(NODES)] = (d - 1) / (2 * d)
    nodes, vectors = np.linalg.eigh(jacobi)
    return nodes, d * vectors[:, 0, :] ** 2
