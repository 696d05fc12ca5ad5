"""What is timed: a `Work` for each row of the table, with its data, its peers and what is asked of it."""

from dataclasses import dataclass, field

import data


@dataclass(frozen=True, kw_only=True, eq=False)
class Work:
    """One row of the table.

    Attributes
    ----------
    name : str
        Of the tasks in tasks.py and peers.R.
    words : str
        With ``{n}``.
    make : callable
        From n to a frame.
    n, quick : int
        Rows of the full and of the quick run.
    peers : mapping of str to int or None
        Library to the most rows that it is given; None for all.
    against, at_least : str, float
        Peer and ratio asked for.
    at_most_seconds, at_most_gigabytes : float or None
        Asked for besides.
    """

    name: str
    words: str
    make: object
    n: int
    quick: int
    peers: dict = field(default_factory=dict)
    against: str = ""
    at_least: float | None = None
    at_most_seconds: float | None = None
    at_most_gigabytes: float | None = None


WORKS = (
    Work(name="cox", words="Cox, Efron, {n} rows x 10 covariates, half entered late", make=data.rows,
         n=1_000_000, quick=20_000, against="R survival", at_least=15, at_most_gigabytes=0.4,
         peers={"R survival": None, "statsmodels": None, "lifelines": 100_000}),
    Work(name="cox_right", words="Cox, Efron, {n} rows x 10 covariates, all from week 0",
         make=data.rows_right, n=1_000_000, quick=20_000,
         peers={"R survival": None, "lifelines": None, "scikit-survival": 100_000}),
    Work(name="cox_clustered", words="Cox, Efron, {n} (start, stop] rows, errors by person",
         make=data.intervals, n=800_000, quick=20_000, against="R survival", at_least=15,
         at_most_gigabytes=0.4, peers={"R survival": None}),
    Work(name="cox_cells", words="Cox, Efron, cells of {n} persons (peers: on rows)", make=data.patterns,
         n=1_000_000, quick=20_000, against="R survival", at_least=200, peers={"R survival": None}),
    Work(name="compress", words="the cells themselves: compress() of {n} persons", make=data.patterns,
         n=1_000_000, quick=20_000),
    Work(name="standardised",
         words="standardised curves of Cox, 52 weeks x 2 levels with errors, {n} persons", make=data.patterns,
         n=100_000, quick=2_000, peers={"R riskRegression": None}),
    Work(name="frailty", words="shared gamma frailty of twenty persons each, {n} persons x 4 covariates",
         make=data.shared, n=20_000, quick=1_000, peers={"R survival": None}),
    Work(name="kaplan_meier", words="Kaplan-Meier with errors, {n} rows, half entered late", make=data.rows,
         n=1_000_000, quick=20_000, against="R survival", at_least=8,
         peers={"R survival": None, "R prodlim": None, "lifelines": None, "statsmodels": None,
                "scikit-survival": None}),
    Work(name="aalen_johansen", words="Aalen-Johansen with errors, 3 causes, {n} persons", make=data.causes,
         n=1_000_000, quick=20_000, against="R prodlim", at_least=5,
         peers={"R prodlim": None, "R cmprsk": None, "R survival": 100_000, "lifelines": None,
                "scikit-survival": None}),
    Work(name="fine_gray", words="Fine-Gray, {n} persons x 5 covariates", make=data.causes, n=100_000,
         quick=1_000, against="R survival", at_least=100, peers={"R survival": None}),
    Work(name="fine_gray", words="Fine-Gray, {n} persons x 5 covariates", make=data.causes, n=10_000,
         quick=1_000, against="the faster", at_least=100, peers={"R survival": None, "R cmprsk": None}),
    Work(name="states", words="transition and occupation probabilities with errors, {n} transitions",
         make=data.transitions, n=1_000_000, quick=5_000, against="R mstate", at_least=20,
         peers={"R mstate": None, "R survival": None}),
    Work(name="weibull", words="Weibull, {n} rows x 5 covariates, half entered late", make=data.rows,
         n=100_000, quick=5_000, against="R flexsurv", at_least=5,
         peers={"R flexsurv": None, "lifelines": None}),
    Work(name="weibull_right", words="Weibull, {n} rows x 5 covariates, all from week 0",
         make=data.rows_right, n=100_000, quick=5_000, peers={"R survival": None, "lifelines": None}),
    Work(name="bootstrap",
         words="person bootstrap, 1,000 replications of the restricted-mean difference, {n} persons",
         make=data.patterns, n=100_000, quick=2_000, at_most_seconds=30),
    Work(name="from_frame", words="AtRisk.from_frame with all checks, {n} rows x 10 covariates",
         make=data.rows, n=1_000_000, quick=20_000, against="evalkit_cox", at_least=1,
         peers={"evalkit_cox": None}),
)
