"""Answers of a survey: scored, weighted up to those who were asked, with honest errors."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

_HIGHEST = 6  # a reverse-keyed answer on 1-5 is scored 6 minus the answer


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mean:
    """A mean with the influence of each respondent on it.

    Attributes
    ----------
    value : float
    influence : Series
        By respondent; their squares sum to the variance. Means that share respondents are compared by
        adding influences, so that a panel's change has a panel's error.
    n : int
        Respondents who answered.
    """

    value: float
    influence: pd.Series
    n: int

    @property
    def error(self):
        """Standard error."""
        return float(np.sqrt((self.influence**2).sum())) if self.n > 1 else np.nan

    def __sub__(self, other):
        """Return the difference of two means; whoever is in both counts once."""
        influence = self.influence.sub(other.influence, fill_value=0.0)
        return Mean(value=self.value - other.value, influence=influence, n=min(self.n, other.n))


def scores(responses, questionnaire):
    """Return one row a respondent and wave, one column an item, every score with 5 as the good end.

    Parameters
    ----------
    responses : DataFrame
        ``questionnaire, wave, respondent_id, item, value``.
    questionnaire : Questionnaire

    Returns
    -------
    DataFrame
        Index ``wave, respondent_id``; missing where an item was not answered. Respondents without any
        answer are left out: they did not answer. Items that the questionnaire does not have are not read.
    """
    names = [item.name for item in questionnaire.items]
    rows = responses[(responses["questionnaire"] == questionnaire.name) & responses["item"].isin(names)]
    wide = rows.pivot_table(index=["wave", "respondent_id"], columns="item", values="value", aggfunc="first")
    wide = wide.reindex(columns=names).dropna(how="all")
    reverse = [item.name for item in questionnaire.items if item.reverse]
    wide[reverse] = _HIGHEST - wide[reverse]
    return wide


def scale_scores(scored, questionnaire):
    """Return each respondent's mean over a scale's items, missing where too few are answered.

    Examples
    --------
    >>> from types import SimpleNamespace as S
    >>> items = {"a": [S(name="a1"), S(name="a2")]}
    >>> asked = S(scales=[S(name="a", min_items=2)], items_of=items.get)
    >>> scale_scores(pd.DataFrame({"a1": [1.0, 2.0], "a2": [3.0, np.nan]}), asked)["a"].tolist()
    [2.0, nan]
    """
    columns = {}
    for scale in questionnaire.scales:
        part = scored[[item.name for item in questionnaire.items_of(scale.name)]]
        columns[scale.name] = part.mean(axis=1).where(part.notna().sum(axis=1) >= scale.min_items)
    return pd.DataFrame(columns, index=scored.index)


def cronbach_alpha(items):
    """Return Cronbach's alpha of the complete rows of a scale's items.

    k / (k - 1) * (1 - sum of item variances / variance of the sum), Cronbach (1951); ``psych::alpha`` (raw).

    Examples
    --------
    >>> round(cronbach_alpha(pd.DataFrame({"a": [1, 2, 3, 4], "b": [2, 2, 3, 5]})), 4)
    0.9524
    """
    complete = items.dropna()
    k, total = items.shape[1], complete.sum(axis=1).var()
    return (
        float(k / (k - 1) * (1 - complete.var().sum() / total))
        if k > 1 and len(complete) > 2 and total > 0
        else np.nan
    )


def cells(frame, columns, answered, min_cell):
    """Return the weighting cell of each person asked; cells with too few answers are joined into one.

    Parameters
    ----------
    frame : DataFrame
        Persons asked in one role and wave, indexed by respondent.
    columns : sequence of str
    answered : Index
        Respondents with an answer.
    min_cell : int
        Answers that a cell needs, or its weight would rest on one or two persons.
    """
    key = frame[list(columns)].astype(str).agg(" ".join, axis=1)
    n = key[key.index.isin(answered)].value_counts().reindex(key.unique(), fill_value=0)
    small = n[n < min_cell]
    if len(small) and small.sum() < min_cell and len(small) < len(n):
        small = n.sort_values(kind="stable").iloc[:len(small) + 1]
    return key.where(~key.isin(small.index), "joined")


def weighted_mean(values, cell):
    """Return the mean of everybody asked, by post-stratification of those who answered.

    Parameters
    ----------
    values : Series
        Scores by respondent; missing is no answer.
    cell : Series
        Cell of everybody asked, by respondent.

    Returns
    -------
    Mean

    Notes
    -----
    The mean over cells weighted by the persons asked in them; within a cell silence is taken to be
    unrelated to the score. Variance: sum over cells of (N_h / N)^2 s_h^2 / n_h, Särndal, Swensson and
    Wretman
    (1992), section 7.6, without finite-population correction: the answers are themselves uncertain.

    Examples
    --------
    >>> cell = pd.Series(["young"] * 6 + ["old"] * 2, index=list("abcdefgh"))
    >>> weighted_mean(pd.Series([1.0, 3.0, 4.0, 4.0], index=list("abgh")), cell).value
    2.5
    """
    values = values.dropna()
    values = values[values.index.isin(cell.index)]
    own = cell.reindex(values.index)
    n, asked = own.value_counts(), cell.value_counts()
    asked = asked.reindex(n.index)
    share = (asked / asked.sum()).astype(float)
    means = values.groupby(own).mean()
    correction = np.sqrt(n / (n - 1).clip(lower=1))
    influence = (values - own.map(means)) * own.map(share / n * correction)
    return Mean(value=float((means * share.reindex(means.index)).sum()), influence=influence, n=len(values))


def plain_mean(values):
    """Return the mean of those who answered, unweighted."""
    values = values.dropna()
    return weighted_mean(values, pd.Series("all", index=values.index))
