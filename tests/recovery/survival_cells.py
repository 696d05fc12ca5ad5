"""What the coverage study asks of survival estimators, and what is true: a part a world, a row an option."""

from collections import namedtuple
from functools import partial

import numpy as np
import survival_worlds as worlds
from survival_families import FAMILIES, cured, parametric
from survival_movements import returns, shared
from survival_rows import Row, at, each, naive, p_of, profile, quantile, rejects, row
from survival_worlds import EFFECT, SETTINGS

from evalkit import estimators as ev
from evalkit.estimators.resample import limits as limits_of

WEEK, HORIZON, ELAPSED = 26, 52, 13
WEEKS = np.arange(HORIZON)
LIMITS = ("plain", "log", "log-log")
ALONE, TOGETHER = ("ties", "late"), ("clusters", "weights")
ONE = profile(1)

# Of any exit: log hazard ratio, shares left after WEEK of all and of x = 1, by x weeks before it, weeks lost
# to a job, and jobs by WEEK.
ANY = float(np.log(np.log(worlds.of_group(1, 1)) / np.log(worlds.of_group(1, 0))))
LEFT, LEFT1 = worlds.survival(WEEK), worlds.of_group(WEEK, 1)
MEANS = np.array([worlds.of_group(WEEKS, x).sum() for x in (0, 1)])
LOST = np.array([worlds.incidence(WEEKS, x).sum() for x in (0, 1)])
JOBS = np.array([worlds.incidence(WEEK, x) for x in (0, 1)])
# The share left of those still there at ELAPSED, and the hazards of the first weeks.
REST = worlds.survival(ELAPSED + np.arange(WEEK + 1)) / worlds.survival(ELAPSED)
HAZARD = float(np.sum(1 - worlds.survival(np.arange(1, WEEK + 1)) / worlds.survival(np.arange(WEEK))))

# ``draws`` with so many persons of `SIZES`: what takes long is drawn less often.
SIZES = (200, 2000, 20000)
Part = namedtuple("Part", "name draw rows draws settings", defaults=[SETTINGS])


def curves():
    """Ask for what needs no model."""
    left = {"elapsed_weeks": ELAPSED, "horizon_weeks": WEEK}
    found = {"elapsed_weeks": [0, ELAPSED], "horizon_weeks": WEEK, "method": "classes"}
    survival, mean = f"residual_survival[{ELAPSED}]", f"residual_mean[{ELAPSED}]"
    return [
        *each("Kaplan-Meier, week 26", LIMITS,
              lambda t, kind: at(t(ev.kaplan_meier, conf_type=kind), WEEK), LEFT),
        Row("Kaplan-Meier, week 26", "log, robust",
            lambda t: at(t(ev.kaplan_meier, robust=True), WEEK), LEFT, ALONE),
        *each("Nelson-Aalen, week 26", LIMITS[:2],
              lambda t, kind: at(t(ev.nelson_aalen, conf_type=kind), WEEK),
              HAZARD),
        Row("Nelson-Aalen, week 26", "log, robust",
            lambda t: at(t(ev.nelson_aalen, robust=True), WEEK), HAZARD,
            ALONE),
        Row("Median, in whole weeks", "log", lambda t: quantile(t(ev.survival_quantiles)),
            float(np.argmax(worlds.survival(WEEKS) <= 0.5))),
        *each("Residual survival from 13, 26 weeks", LIMITS[1:],
              lambda t, kind: row(t(ev.residual_time, **left, conf_type=kind), survival), REST[-1]),
        Row("Residual mean from 13, 26 weeks", "",
            lambda t: row(t(ev.residual_time, **left), mean), REST[:-1].sum()),
        Row("Residual survival, found past 13, 26 weeks", "log",
            lambda t: row(t(ev.residual_time, **found), survival),
            partial(worlds.residual, WEEK, ELAPSED), ("late",)),
        Row("Residual mean, found past 13, 26 weeks", "", lambda t: row(t(ev.residual_time, **found), mean),
            lambda setting: sum(worlds.residual(week, ELAPSED, setting) for week in range(WEEK)), ("late",)),
        *each("Aalen-Johansen, job by week 26", LIMITS,
              lambda t, kind: at(t(ev.aalen_johansen, conf_type=kind), WEEK, "1"), JOBS.mean()),
    ]


def means():
    """Ask for weeks, their differences by x, and regressions of pseudo-observations on x."""
    horizon = {"horizon_weeks": HORIZON}
    truths = {("survival", WEEK, "cloglog"): ANY,
              ("restricted_mean", HORIZON, "identity"): np.diff(MEANS)[0],
              ("restricted_mean", HORIZON, "log"): np.diff(np.log(MEANS))[0],
              ("cumulative_incidence", WEEK, "logit"): np.diff(np.log(JOBS / (1 - JOBS)))[0]}

    def pseudo(t, estimand, weeks, link):
        cause = "1" if estimand == "cumulative_incidence" else None
        options = {"weeks": weeks, "estimand": estimand, "link": link, "cause": cause}
        return row(ev.pseudo_regression(t.at_risk, **options), "x")

    return [
        Row("Restricted mean, 52 weeks", "",
            lambda t: row(t(ev.restricted_mean, **horizon), "restricted_mean"),
            MEANS.mean()),
        Row("Restricted mean, 52 weeks", "robust",
            lambda t: row(t(ev.restricted_mean, **horizon, robust=True), "restricted_mean"), MEANS.mean(),
            ALONE),
        Row("Restricted means, difference by x", "",
            lambda t: row(t.by_x(ev.restricted_mean, **horizon), "restricted_mean_difference"),
            np.diff(MEANS)[0]),
        Row("Restricted means, ratio by x", "log",
            lambda t: row(t.by_x(ev.restricted_mean, **horizon), "restricted_mean_ratio"),
            MEANS[1] / MEANS[0]),
        Row("Time lost to jobs, 52 weeks", "",
            lambda t: row(t(ev.time_lost, **horizon), "time_lost[1]"), LOST.mean()),
        Row("Times lost to jobs, difference by x", "",
            lambda t: row(t.by_x(ev.time_lost, **horizon), "time_lost_difference[1]"), np.diff(LOST)[0]),
        *(Row(f"Pseudo-observations, {key[0].replace('_', ' ')} on x", key[2],
              lambda t, key=key: pseudo(t, *key), truth, ("ties", "clusters"))
          for key, truth in truths.items()),
    ]


def hazards():
    """Ask Cox's model, and what is read off it."""
    def one(t, **options):
        return at(ev.predict_survival(t(ev.cox), ONE, weeks=[WEEK], **options), WEEK)

    steps = {"cause": "1", "varying": {"x": (WEEK,)}}
    return [
        *each("Cox", ("efron", "breslow"), lambda t, ties: row(t(ev.cox, cause="1", ties=ties), "x"), EFFECT),
        Row("Cox", "efron, robust", lambda t: row(t(ev.cox, cause="1", robust=True), "x"), EFFECT, ALONE),
        Row("Cox", "efron, errors of independent persons",
            lambda t: naive(t(ev.cox, cause="1")), EFFECT, TOGETHER),
        Row("Cox", "efron, by strata", lambda t: row(t.thirds(ev.cox, cause="1"), "x"), EFFECT),
        *each("Cox, steps", ("x(0-26]", "x(26-]"), lambda t, term: row(t(ev.cox, **steps), term), EFFECT),
        Row("Cox, effect of log weeks", "x:log",
            lambda t: row(t(ev.cox, cause="1", varying={"x": np.log}), "x:log"),
            0.0),
        Row("Cox, ridge", "theta 1", lambda t: row(t(ev.cox, cause="1", ridge=1.0), "x"), EFFECT),
        Row("Cox, Firth", "profile", lambda t: row(t(ev.cox, cause="1", firth=True), "x"), EFFECT, ALONE),
        Row("Cox, predicted survival at x = 1", "log", one, LEFT1),
        *each("Cox, predicted survival at x = 1, by persons", LIMITS,
              lambda t, kind: one(t, at_risk=t.at_risk, conf_type=kind), LEFT1),
        Row("Cox, predicted cumulative hazard at x = 1, by persons", "log",
            lambda t: one(t, at_risk=t.at_risk, quantity="cumulative_hazard"), -np.log(LEFT1)),
        Row("Concordance", "",
            lambda t: row(ev.concordance(t.at_risk, score=t.x), "concordance"), worlds.concordance),
    ]


def standardised():
    """Ask for what would be, had all persons one x, where x goes with a covariate that matters."""
    def contrast(t, kind):
        options = {"exposure": "x", "cause": "1", "weeks": [WEEK], "horizon_weeks": [HORIZON]}
        return row(t(ev.standardised_contrasts, **options), f"{kind}_difference")

    def gap(weeks):
        return lambda setting: np.sum(np.subtract(*(worlds.standardised(weeks, x, setting) for x in (1, 0))))

    return [
        Row("Cox, x beside z", "efron", lambda t: row(t(ev.cox, cause="1"), "x"), EFFECT),
        *each("Cox, standardised survival", LIMITS, lambda t, kind: row(
            t(ev.standardised_survival, exposure="x", cause="1", weeks=[WEEK], conf_type=kind), "survival",
            group="1", time_weeks=WEEK), partial(worlds.standardised, WEEK, 1)),
        Row("Cox, standardised difference of survival", "", lambda t: contrast(t, "survival"), gap([WEEK])),
        Row("Cox, standardised difference of restricted means", "", lambda t: contrast(t, "restricted_mean"),
            gap(WEEKS)),
    ]


def weekly():
    """Ask models of weekly hazards."""
    steps, log_odds = {"duration": {"breaks": [13, 26]}}, np.log(1 / worlds.of_group(1, np.arange(2)) - 1)
    predicted = {"term": "survival", "time_weeks": WEEK}
    return [
        *each("Weekly hazards, cloglog", ("a level a week", "steps", "spline"), lambda t, kind: row(t(
            ev.discrete_hazard, duration={"a level a week": "week", "steps": {"breaks": [13, 26]},
                                          "spline": {"knots": 4}}[kind]), "x"), ANY),
        Row("Weekly hazards, logit", "steps",
            lambda t: row(t(ev.discrete_hazard, link="logit", **steps), "x"),
            np.diff(log_odds)[0]),
        Row("Weekly hazards, predicted hazard at x = 1", "cloglog", lambda t: row(
            ev.predict_hazard(t(ev.discrete_hazard, **steps), ONE, weeks=WEEK), "hazard", time_weeks=WEEK),
            1 - worlds.of_group(1, 1)),
        Row("Weekly hazards, predicted survival at x = 1", "log-log", lambda t: row(
            ev.predict_hazard(t(ev.discrete_hazard, **steps), ONE, weeks=WEEK), **predicted), LEFT1),
        Row("Piecewise exponential, weeks taken for moments", "", lambda t: row(
            t(ev.piecewise_exponential, breaks=[13, 26]), "x"), ANY),
    ]


def causes():
    """Ask for the hazards of each cause, and the share that leaves by one."""
    def one(t, **options):
        return at(ev.predict_incidence(t(ev.cause_specific), ONE, weeks=[WEEK], **options), WEEK, "1")

    return [
        Row("Cause-specific Cox, jobs", "efron", lambda t: row(t(ev.cause_specific), "x", group="1"), EFFECT),
        Row("Cause-specific Cox, education", "efron",
            lambda t: row(t(ev.cause_specific), "x", group="2"), 0.0),
        Row("Cause-specific Cox, predicted jobs at x = 1", "log", one, JOBS[1]),
        *each("Cause-specific Cox, predicted jobs at x = 1, by persons", LIMITS,
              lambda t, kind: one(t, at_risk=t.at_risk, conf_type=kind), JOBS[1]),
    ]


def competing():
    """Ask for the subdistribution hazard."""
    def one(t, **options):
        return at(ev.predict_incidence(t(ev.fine_gray, cause="1"), ONE, weeks=[WEEK], **options), WEEK, "1")

    truth = float(worlds.subdistributed(WEEK, 1))
    return [
        *each("Fine-Gray", ("influence", "fixed_weights"),
              lambda t, errors: row(t(ev.fine_gray, cause="1", errors=errors), "x"), EFFECT),
        Row("Fine-Gray", "fine_gray",
            lambda t: row(t(ev.fine_gray, cause="1", errors="fine_gray"), "x"), EFFECT,
            ("ties", *TOGETHER)),
        Row("Fine-Gray", "influence, breslow",
            lambda t: row(t(ev.fine_gray, cause="1", ties="breslow"), "x"), EFFECT),
        Row("Fine-Gray, predicted jobs at x = 1", "log", one, truth),
        Row("Fine-Gray, predicted jobs at x = 1, by persons", "log",
            lambda t: one(t, at_risk=t.at_risk), truth),
    ]


def frailty():
    """Ask within groups that share a factor."""
    return [
        Row("Shared frailty", "errors given the variance", lambda t: row(t(ev.shared_frailty), "x"), EFFECT),
        Row("Shared frailty, variance", "profile", lambda t: row(t(ev.shared_frailty), "frailty_variance"),
            worlds.FRAILTY),
    ]


def resampled():
    """Ask for the restricted mean with the limits of its bootstrap."""
    def found(t, kind):
        unit = "cluster" if t.setting == "clusters" else "person"
        drawn = t(ev.bootstrap, statistic=_mean, n_replications=200, seed=1, unit=unit)
        estimate, replications = drawn.table["estimate"].iloc[0], drawn.model["replications"][:, 0]
        return estimate, *limits_of(estimate, replications[np.isfinite(replications)], 0.95, kind)[1:]

    return each("Bootstrap, restricted mean", ("percentile", "basic", "normal"), found, MEANS.mean())


def _mean(at_risk):
    return ev.restricted_mean(at_risk, horizon_weeks=HORIZON)


def tests():
    """Ask whether each test rejects at 5 % where nothing is to be found."""
    families = {kind: {"weights": kind} for kind in ("log_rank", "gehan", "tarone_ware", "peto")}
    families |= {"rho 1": {"rho": 1.0}, "gamma 1": {"gamma": 1.0}}
    return [
        *each("Log-rank test", families,
              lambda t, kind: p_of(t.by_x(ev.log_rank, **families[kind])), 0.0, ALONE),
        Row("Log-rank test", "stratified", lambda t: p_of(ev.log_rank(
            t.by_x.at_risk, stratify=t.thirds.at_risk.strata)), 0.0, ALONE),
        Row("Log-rank test, three groups", "", lambda t: p_of(t.thirds(ev.log_rank)), 0.0, ALONE),
        Row("Log-rank test, three groups", "trend",
            lambda t: p_of(t.thirds(ev.log_rank, trend=[0, 1, 2])), 0.0,
            ALONE),
        *each("Gray's test", ("rho 0", "rho 1"), lambda t, kind: p_of(
            t.by_x(ev.gray_test, cause="1", rho=float(kind[-1]))), 0.0, ("ties",)),
        Row("Gray's test", "stratified", lambda t: p_of(ev.gray_test(
            t.by_x.at_risk, cause="1", stratify=t.thirds.at_risk.strata)), 0.0, ("ties",)),
        *each("Cox's tests", ("likelihood_ratio", "score", "wald"),
              lambda t, kind: rejects(t(ev.cox, cause="1").diagnostics[f"{kind}_p_value"]), 0.0),
        *each("Proportionality test", ("km", "rank", "identity", "log"), lambda t, kind: p_of(
            t(ev.proportionality_test, cause="1", transform=kind), -1), 0.0),
    ]


PARTS = (
    Part("curves", worlds.exits, curves(), (500, 200, 400)),
    Part("means", worlds.exits, means(), (500, 200, 400)),
    Part("competing", worlds.subdistribution, competing(), (300, 180, 150)),
    Part("frailty", worlds.shared, frailty(), (200, 120, 100), ("clusters",)),
    Part("hazards", worlds.exits, hazards(), (500, 180, 150)),
    Part("standardised", worlds.confounded, standardised(), (500, 120, 150)),
    Part("tests", partial(worlds.exits, effect=0.0), tests(), (300, 180, 150)),
    Part("causes", worlds.exits, causes(), (200, 120, 100)),
    Part("weekly", worlds.exits, weekly(), (500, 120, 150)),
    Part("returns", worlds.states, returns(), (300, 180, 45)),
    Part("shared", partial(worlds.states, back=EFFECT), shared(), (200, 120, 45)),
    *(Part(family, partial(worlds.times, family=family), parametric(family), (200, 120, 45))
      for family in FAMILIES),
    *(Part(f"cured {family}", partial(worlds.times, family=family, cured=worlds.CURED), cured(family),
           (200, 120, 45)) for family in ("weibull", "lognormal")),
    Part("resampled", worlds.exits, resampled(), (60, 45, 20)),
)
