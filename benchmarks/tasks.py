"""What each Python library does for a work: a frame in, a callable out that does the work and nothing else.

A callable returns the numbers in which libraries can be compared: estimates, then (for Cox) their errors.
"""

import data
import numpy as np

AT_WEEKS = (52.0, 104.0)


def task(library, work):
    """Return the task of a library, or None where it has none."""
    return globals().get(f"{library.replace('-', '_')}_{work}")


def _terms(frame):
    return [name for name in frame if name not in ("person", "group", "entry", "exit", "event", "state")]


def _at_risk(frame, terms=None, **columns):
    from evalkit.atrisk import AtRisk

    entry = "entry" if (frame["entry"] > 0).any() else None
    terms = _terms(frame) if terms is None else terms
    return AtRisk.from_frame(frame, exit="exit", event="event", entry=entry, covariates=terms, **columns)


def _coefficients(result):
    return [*result.table["estimate"], *result.table["std_error"]]


def _read(table, weeks=AT_WEEKS, **wanted):
    """Read a step function of a tidy table at some weeks."""
    for name, value in wanted.items():
        table = table[table[name] == value]
    at = np.searchsorted(table["time_weeks"].to_numpy(), weeks, side="right") - 1
    return table["estimate"].to_numpy()[at].tolist()


# --- evalkit


def evalkit_cox(frame):
    from evalkit import estimators

    at_risk = _at_risk(frame)
    return lambda: _coefficients(estimators.cox(at_risk))


evalkit_cox_right = evalkit_cox


def evalkit_cox_clustered(frame):
    from evalkit import estimators

    at_risk = _at_risk(frame, person="person")
    return lambda: _coefficients(estimators.cox(at_risk, robust=True))


def evalkit_cox_cells(frame):
    from evalkit import estimators

    cells = _at_risk(frame).compress()
    return lambda: _coefficients(estimators.cox(cells))


def evalkit_standardised(frame):
    """With Breslow's ties, as riskRegression takes them."""
    from evalkit import estimators

    at_risk = _at_risk(frame)

    def work():
        table = estimators.standardised_survival(at_risk, exposure="sex", weeks=np.arange(1.0, 53),
                                                 ties="breslow").table
        return (1 - table["estimate"][table["time_weeks"].isin((26, 52))]).tolist()

    return work


def evalkit_frailty(frame):
    from evalkit import estimators

    at_risk = _at_risk(frame, cluster="group")

    def work():
        fit = estimators.shared_frailty(at_risk)
        return [*fit.model["estimates"], fit.diagnostics["frailty_variance"]]

    return work


def evalkit_compress(frame):
    at_risk = _at_risk(frame)
    return lambda: [float(at_risk.compress().count.sum())]


def evalkit_kaplan_meier(frame):
    from evalkit import estimators

    at_risk = _at_risk(frame, terms=())
    return lambda: _read(estimators.kaplan_meier(at_risk).table)


def evalkit_aalen_johansen(frame):
    from evalkit import estimators

    at_risk = _at_risk(frame, terms=(), causes=("a", "b", "c"))
    return lambda: _read(estimators.aalen_johansen(at_risk).table, term="a")


def evalkit_fine_gray(frame):
    from evalkit import estimators

    at_risk = _at_risk(frame, causes=("a", "b", "c"))
    return lambda: estimators.fine_gray(at_risk, cause="a").table["estimate"].tolist()


def evalkit_states(frame):
    """Probabilities of moving from week 0 on, and of being in each state, each with its errors."""
    from evalkit import estimators
    from evalkit.atrisk import AtRisk

    words = {k + 1.0: state for k, state in enumerate(data.STATES)}
    named = frame.assign(state=frame["state"].map(words), event=frame["event"].map(words))
    at_risk = AtRisk.from_frame(named, entry="entry", exit="exit", event="event", state="state",
                                person="person", causes=data.STATES)

    def work():
        moves = estimators.transition_probabilities(at_risk, from_weeks=0.0, to_weeks=AT_WEEKS)
        lived = estimators.state_occupation(at_risk, horizon_weeks=104, weeks=AT_WEEKS)
        shares = lived.table[lived.table["term"] == "share[SELF_SUFFICIENT]"]
        assert len(moves.table)
        return shares["estimate"].tolist()

    return work


def evalkit_weibull(frame):
    from evalkit import estimators

    terms = _terms(frame)[:5]
    at_risk = _at_risk(frame, terms=terms)

    def work():
        table = estimators.parametric(at_risk, distribution="weibull").table
        return table.set_index("term").loc[terms, "estimate"].tolist()

    return work


evalkit_weibull_right = evalkit_weibull


def _difference(rows):
    from evalkit import estimators

    return estimators.restricted_mean(rows, horizon_weeks=104)


def evalkit_bootstrap(frame):
    from evalkit import estimators

    at_risk = _at_risk(frame, terms=(), strata="sex")

    def work():
        answer = estimators.bootstrap(at_risk, _difference, n_replications=1000, seed=1)
        return answer.table["estimate"].tolist()[-1:]

    return work


def evalkit_from_frame(frame):
    return lambda: [_at_risk(frame).n_rows]


# The peer that reading a frame is held against.
evalkit_cox_from_frame = evalkit_cox


# --- lifelines


def lifelines_cox(frame):
    import lifelines

    entry = "entry" if (frame["entry"] > 0).any() else None
    columns = frame if entry else frame.drop(columns="entry")

    def work():
        fit = lifelines.CoxPHFitter().fit(columns, "exit", "event", entry_col=entry)
        return [*fit.params_, *fit.standard_errors_]

    return work


lifelines_cox_right = lifelines_cox


def lifelines_kaplan_meier(frame):
    import lifelines

    def work():
        fit = lifelines.KaplanMeierFitter().fit(frame["exit"], frame["event"], entry=frame["entry"])
        return fit.predict(list(AT_WEEKS)).tolist()

    return work


def lifelines_aalen_johansen(frame):
    """One fit a cause; it jitters ties, so it is quick and differs."""
    import lifelines

    def work():
        fits = [lifelines.AalenJohansenFitter(seed=1).fit(frame["exit"], frame["event"], cause)
                for cause in (1, 2, 3)]
        return [float(fits[0].predict(week + 0.5)) for week in AT_WEEKS]

    return work


def lifelines_weibull(frame):
    import lifelines

    terms = _terms(frame)[:5]
    entry = "entry" if (frame["entry"] > 0).any() else None
    columns = frame[[*terms, "exit", "event", *([entry] if entry else [])]]

    def work():
        fit = lifelines.WeibullAFTFitter().fit(columns, "exit", "event", entry_col=entry)
        return fit.params_["lambda_"][terms].tolist()

    return work


lifelines_weibull_right = lifelines_weibull


# --- statsmodels


def statsmodels_cox(frame):
    """It takes a row that enters in the week of an event for one at risk; half a week later it does not."""
    from statsmodels.duration.hazard_regression import PHReg

    entry = frame["entry"] + 0.5 * (frame["entry"] > 0)

    def work():
        model = PHReg(frame["exit"], frame[_terms(frame)], frame["event"], entry=entry, ties="efron")
        fit = model.fit()
        return [*fit.params, *fit.bse]

    return work


def statsmodels_kaplan_meier(frame):
    from statsmodels.duration.survfunc import SurvfuncRight

    def work():
        fit = SurvfuncRight(frame["exit"], frame["event"], entry=frame["entry"])
        at = np.searchsorted(fit.surv_times, AT_WEEKS, side="right") - 1
        return fit.surv_prob[at].tolist()

    return work


# --- scikit-survival


def scikit_survival_cox_right(frame):
    """No errors, so it does less than the others."""
    from sksurv.linear_model import CoxPHSurvivalAnalysis
    from sksurv.util import Surv

    outcome, terms = Surv.from_arrays(frame["event"] == 1, frame["exit"]), frame[_terms(frame)]
    return lambda: CoxPHSurvivalAnalysis(ties="efron").fit(terms, outcome).coef_.tolist()


def scikit_survival_kaplan_meier(frame):
    from sksurv.nonparametric import kaplan_meier_estimator

    entry = frame["entry"].to_numpy()

    def work():
        times, survival, _ = kaplan_meier_estimator(
            frame["event"].to_numpy() == 1, frame["exit"].to_numpy(), time_enter=entry, conf_type="log-log")
        return survival[np.searchsorted(times, AT_WEEKS, side="right") - 1].tolist()

    return work


def scikit_survival_aalen_johansen(frame):
    from sksurv.nonparametric import cumulative_incidence_competing_risks as incidence

    def work():
        times, shares, _ = incidence(frame["event"].to_numpy().astype(int), frame["exit"].to_numpy(),
                                     conf_type="log-log")
        return shares[1][np.searchsorted(times, AT_WEEKS, side="right") - 1].tolist()

    return work
