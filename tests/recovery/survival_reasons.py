"""Why a cell of the coverage study is off by more than chance: read before it is believed."""

TOGETHER = ("clusters", "weights")
# Other draws of a cell (``--seed 2``): how many, and the share of them that hold.
OTHER_DRAWS = {
    ("Proportionality test", "log", "late", 20000): (300, 0.967),
    ("Piecewise exponential, rate at x = 0", "log", "late", 20000): (150, 0.953),
    ("Cox, predicted survival at x = 1", "log", "ties", 20000): (250, 0.940),
    ("Cox, predicted survival at x = 1, by persons", "plain", "ties", 20000): (250, 0.944),
    ("Cox, predicted survival at x = 1, by persons", "log", "ties", 20000): (250, 0.940),
    ("Cox, predicted survival at x = 1, by persons", "log-log", "ties", 20000): (250, 0.940),
    ("Cox, predicted cumulative hazard at x = 1, by persons", "log", "ties", 20000): (250, 0.940),
}


def why(estimator, option, setting, n):
    """Return the reason of a cell."""
    if (estimator, option, setting, n) in OTHER_DRAWS:
        draws, share = OTHER_DRAWS[estimator, option, setting, n]
        return f"By chance: {draws} other draws (`--seed 2`) hold in {share:.3f}."
    return next((reason for applies, reason in REASONS if applies(estimator, option, setting, n)),
                "**not explained**")


def _is_named(*beginnings):
    return lambda estimator, option, setting, n: estimator.startswith(beginnings)


def _predicts_alone(estimator, option, setting, n):
    return setting in TOGETHER and "predicted" in estimator and "by persons" not in estimator


def _is_tested_by_rows(estimator, option, setting, n):
    return setting in TOGETHER and (estimator == "Proportionality test"
                                    or (estimator, option == "wald") == ("Cox's tests", False))


REASONS = (
    (lambda estimator, option, setting, n: "of independent" in option,
     "Here to be seen to fail: persons of a cluster are not independent, and weights are no counts. The "
     "default errors beside it hold."),
    (_predicts_alone,
     "Follows R: coefficients have errors by cluster, but the baseline hazard takes events as independent. "
     "The method warns and asks for `at_risk=`; *by persons* holds."),
    (_is_tested_by_rows,
     "The test takes rows as independent, as R's does, and rejects too often where they are not: the "
     "proportionality test says so in its diagnostics, Cox's Wald test by clusters holds."),
    (_is_named("Median, in whole weeks"),
     "Limits are whole weeks: as soon as a week's share of exits is more than the curve's error, they hold "
     "more often than they say. In continuous time (*Median at x = 1*) they do not."),
    (lambda estimator, option, setting, n: estimator == "Cox" and option == "breslow",
     "Breslow's approximation draws the effect towards none where many leave in one week; no error is to "
     "be seen before the sample is large. Efron's, the default, holds."),
    (_is_named("Piecewise exponential, weeks taken for moments"),
     "Weeks taken for moments draw the effect towards none, as Breslow's approximation does. The same "
     "model of continuous times holds, and weekly hazards do of weeks."),
    (lambda estimator, option, setting, n: n == 200 and setting == "clusters",
     "200 persons in about 80 clusters: limits by the normal distribution, of errors from few clusters, "
     "are some per cent too short. With 800 clusters they hold."),
    (lambda estimator, option, setting, n: n == 200 and setting == "weights",
     "200 persons whose weights are worth about 120: limits by the normal distribution are some per cent "
     "too short. With 2,000 persons they hold."),
)
