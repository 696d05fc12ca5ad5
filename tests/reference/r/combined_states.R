# States with returns: groups, weights, clusters and late entry at once. From the repository's root:
#   python tests/reference/reference_data.py INPUTS
#   Rscript tests/reference/r/combined_states.R INPUTS tests/reference/expected/combined_states.json
# Errors are derivatives of survfit's estimates by the weights of clusters or persons (survfit leaves clusters out of the
# errors of several states, and weights out of those of its means).
source("tests/reference/r/cases.R")
weeks_of <- list(movements = c(10, 26, 40), restless = c(2, 4, 5))
types <- c(log = "log", loglog = "log-log", plain = "plain")
states_of <- function(d) sort(setdiff(unique(c(d$now, d$then)), "censor"))
chain <- function(d, w, states, ...) {
  d$w <- w
  survfit(Surv(start, stop, factor(then, c("censor", states))) ~ 1, d, id = id, istate = factor(now, states), weights = w, se.fit = FALSE, ...)
}
share <- function(fit, weeks) c(summary(fit, times = weeks, extend = TRUE)$pstate)
by_arm <- function(d, f) unlist(lapply(sort(unique(d$arm)), function(a) f(d$arm == a)))

occupations <- function(name, d, weeks) {
  states <- states_of(d); horizon <- max(weeks)
  value <- function(w) by_arm(d, function(own) {
    s <- chain(d[own, ], w[own], states, start.time = 0)
    c(summary(s, rmean = horizon)$table[, "rmean"], share(s, weeks))
  })
  e <- influence_error(value, d$pw, d$cluster); p <- value(d$pw); n <- length(p) / length(unique(d$arm))
  call <- "survfit(Surv(start, stop, then) ~ 1, id = id, istate = now, weights = w): mean weeks, then shares by state, arm by arm"
  keep("occupation", name, call, list(weeks = weeks, horizon = horizon, estimate = p, std_error = e))
  for (type in names(types)) {
    limits <- survival:::survfit_confint(p, e, logse = FALSE, types[[type]], 0.95)
    shares <- rep(seq_len(n) > length(states), length.out = length(p))
    keep(paste0("share_limits_", type), name, "survfit_confint of them", list(weeks = weeks, horizon = horizon, conf_low = limits$lower[shares], conf_high = limits$upper[shares]))
  }
  first <- d[d$arm == 0, ]; persons <- unique(first$id)[1:12]
  mean_weeks <- function(w) summary(chain(first, w, states, start.time = 0), rmean = horizon)$table[, "rmean"]
  change <- sapply(persons, function(p) { step <- 1e-4 * (first$id == p); (mean_weeks(first$pw * (1 + step)) - mean_weeks(first$pw * (1 - step))) / 2e-4 })
  keep("occupation_influence", name, "derivatives by the weights of twelve persons of the first arm", list(horizon = horizon, persons = persons, influence = t(change)))
  d$id <- d$id * 10; many <- d[rep(seq_len(nrow(d)), d$k), ]; many$id <- many$id + sequence(d$k); many <- many[order(many$id, many$start), ]
  # survfit's own errors differ in the first weeks where persons enter late.
  value <- function(w) share(chain(many, w, states, start.time = 0), weeks)
  keep("share_counts", name, "survfit on rows k times, derivatives by the persons' weights",
       list(weeks = weeks, horizon = horizon, estimate = value(rep(1, nrow(many))), std_error = influence_error(value, rep(1, nrow(many)), many$id)))
}

probabilities <- function(name, d, weeks) {
  states <- states_of(d); from <- weeks[1]; weeks <- weeks[-1]
  inside <- function(h) d$id %in% d$id[d$start <= from & d$stop > from & d$now == h] & d$stop > from
  everybody <- function(h) rep(TRUE, nrow(d))
  seen <- states[sapply(states, function(h) any(d$start <= from & d$stop > from & d$now == h))]
  to <- function(select) function(w) by_arm(d, function(own) lapply(seen, function(h) {
    rows <- own & select(h)
    share(chain(d[rows, ], w[rows], states, start.time = from + 0.25, p0 = as.numeric(states == h)), weeks)
  }))
  call <- "survfit(Surv(start, stop, then) ~ 1, weights = w, start.time = from + 0.25, p0): arm by arm, from by from, to by to, week by week"
  kinds <- list(markov = everybody, landmark = inside)
  for (kind in names(kinds)) {
    value <- to(kinds[[kind]]); p <- value(d$pw); e <- influence_error(value, d$pw, d$cluster)
    keep(paste0("probability_", kind), name, if (kind == "markov") call else paste(call, "of those in the state at from"),
         c(list(from = from, weeks = weeks, estimate = p, std_error = e)))
    for (type in names(types)) {
      limits <- survival:::survfit_confint(p, e, logse = FALSE, types[[type]], 0.9)
      keep(paste0("probability_limits_", kind, "_", type), name, "survfit_confint(conf.int = 0.9) of them", list(from = from, weeks = weeks, conf_low = limits$lower, conf_high = limits$upper))
    }
  }
  value <- function(w) to(inside)(w) - to(everybody)(w)
  change <- by_weight(value, d$pw, d$cluster); covariance <- change %*% t(change); difference <- value(d$pw)
  # By arm, week and state at from: the statistic over all states it leads to.
  k <- length(states); m <- length(weeks); per_arm <- k * m * length(seen)
  statistic <- sapply(seq_len(length(difference) / (k * m)), function(block) sapply(seq_len(m), function(week) {
    own <- (block - 1) * k * m + (seq_len(k) - 1) * m + week
    s <- eigen(covariance[own, own], symmetric = TRUE); use <- s$values > 1e-9 * s$values[1]
    sum((t(s$vectors[, use]) %*% difference[own])^2 / s$values[use])
  }))
  keep("markov_difference", name, "landmark less Aalen-Johansen, derivatives by the clusters' weights, and chi-squares",
       list(from = from, weeks = weeks, estimate = difference, std_error = { e <- sqrt(diag(covariance)); ifelse(e < 1e-10 * max(e), 0, e) }, statistic = statistic))
}

stacked <- function(d, moves) do.call(rbind, lapply(seq_len(nrow(moves)), function(k) {
  rows <- d[d$now == moves$now[k], ]
  cbind(rows, trans = k, status = as.numeric(rows$then == moves$then[k]))
}))
regressions <- function(name, d, weeks) {
  moves <- unique(d[d$then != "censor", c("now", "then")]); moves <- moves[order(moves$now, moves$then), ]
  moves <- moves[moves$then != "DEATH", ]; unit <- sd(d$age); d$age <- d$age / unit
  fit <- function(d, own, shared, ties, clock) {
    m <- stacked(d, moves); if (clock == "reset") { m$stop <- m$stop - m$start; m$start <- 0 }
    columns <- c()
    for (k in seq_len(nrow(moves))) for (x in own) { c <- paste0(x, k); m[[c]] <- m[[x]] * (m$trans == k); columns <- c(columns, c) }
    f <- coxph(as.formula(paste("Surv(start, stop, status) ~", paste(c(columns, shared), collapse = " + "), "+ strata(trans, arm)")), m,
               weights = pw, cluster = cluster, ties = ties, control = exact)
    by <- c(rep(unit, nrow(moves)), 1)
    list(estimate = coef(f) / by, std_error = errors_of(f$var) / by, naive_error = errors_of(f$naive.var) / by, log_likelihood = f$loglik)
  }
  start <- ave(d$start, d$id, FUN = min)
  for (ties in c("efron", "breslow")) {
    keep(paste0("cox_forward_", ties), name, "coxph(Surv(start, stop, status) ~ age of each movement + course + strata(trans, arm), weights = pw, cluster = cluster), no movement to DEATH",
         fit(d, "age", "course", ties, "forward"))
    keep(paste0("cox_reset_", ties), name, "the same on Surv(stop - start, status), persons seen from time zero", fit(d[start == 0, ], "age", "course", ties, "reset"))
  }
}

for (name in frames_or(c("movements", "restless"))) {
  d <- read_frame(name); weeks <- if (is.null(weeks_of[[name]])) c(2, 4, 5) else weeks_of[[name]]
  for (ask in list(occupations, probabilities, regressions)) ask(name, d, weeks)
}
finish()
