# Cox's model with everything at once: ties, strata, offset, weights, late entry, clusters. From the repository's root:
#   python tests/reference/reference_data.py INPUTS
#   Rscript tests/reference/r/combined_cox.R INPUTS tests/reference/expected/combined_cox.json
# Where no package has the errors, they are numerical derivatives of the whole computation by weight (five minutes).
source("tests/reference/r/cases.R")
suppressMessages(library(numDeriv))

# Two profiles, and weeks at which the curves are asked, from the frame itself.
profiles_of <- function(d) data.frame(x = unname(quantile(d$x, c(0.2, 0.7), type = 1)), treated = 0:1)
weeks_of <- function(d) {
  last <- min(tapply(d$exit, d$place, max)); first <- max(tapply(d$exit[d$event == 1], d$place[d$event == 1], min))
  t <- sort(unique(d$exit[d$event == 1])); t <- t[t >= first & t <= last]
  unique(t[ceiling(length(t) * c(0.3, 0.6, 1))])
}
model <- function(f) list(estimate = coef(f), std_error = errors_of(f$var),
                          naive_error = errors_of(if (is.null(f$naive.var)) f$var else f$naive.var), log_likelihood = f$loglik)
full <- Surv(entry, exit, event) ~ x + treated + offset(z) + strata(place)
fit <- function(d, ties, formula = full, w = d$pw, unit = NULL, control = exact, ...) {
  d$w <- w; d$unit <- unit; environment(formula) <- environment()
  if (is.null(unit)) coxph(formula, d, weights = w, ties = ties, control = control, ...)
  else coxph(formula, d, weights = w, ties = ties, cluster = unit, control = control, ...)
}

regressions <- function(name, d, ties) {
  all <- "coxph(Surv(entry, exit, event) ~ x + treated + offset(z) + strata(place), weights = pw, cluster = cluster)"
  f <- fit(d, ties, unit = d$cluster)
  keep(paste0("all_", ties), name, all, c(model(f), list(wald = f$wald.test, score = f$score)))
  many <- d[rep(seq_len(nrow(d)), d$k), ]
  keep(paste0("counts_", ties), name, "the same on rows k times, each its own cluster", model(fit(many, ties, unit = seq_len(nrow(many)))))
  d$event <- as.numeric(d$cause == 2)
  keep(paste0("cause_", ties), name, "the same for cause == 2, clusters by row", model(fit(d, ties, unit = seq_len(nrow(d)))))
}
# coxph's ridge neither converges nor answers rightly for weighted rows with Efron's ties: the penalised likelihood is
# maximised here, with likelihood, information and score residuals of coxph at given coefficients. A scaled penalty has
# the variance over rows. Where R's ridge does converge (Breslow's ties), it says the same.
ridges <- function(name, d, ties) {
  s <- c(sd(d$x), sd(d$treated)); theta <- 5 * s^2; b <- 0 * s
  at <- function(b, unit = NULL) fit(d, ties, init = b, unit = unit, robust = !is.null(unit), control = coxph.control(iter.max = 0))
  for (step in 1:30) {
    f <- suppressWarnings(at(b)); score <- colSums(d$pw * residuals(f, "score")); H <- solve(f$var) + diag(theta)
    b <- b + solve(H, score - theta * b)
  }
  V <- solve(H); change <- rowsum(d$pw * residuals(f, "score"), d$cluster) %*% V
  keep(paste0("ridge_", ties), name, "coxph(... ~ ridge(x, treated, theta = 5) + offset(z) + strata(place), weights = pw, cluster = cluster) written out",
       list(estimate = b, std_error = errors_of(crossprod(change)), naive_error = errors_of(V), log_likelihood = c(at(0 * b)$loglik[1], f$loglik[1])))
  if (ties == "efron") return()
  d$x <- d$x / s[1]; formula <- Surv(entry, exit, event) ~ ridge(x, treated, theta = 5) + offset(z) + strata(place)
  f <- fit(d, ties, formula, unit = d$cluster)
  stopifnot(all.equal(unname(coef(f) / c(s[1], 1)), b, tolerance = 1e-8), all.equal(unname(f$var / outer(c(s[1], 1), c(s[1], 1))), unname(crossprod(change)), tolerance = 1e-7))
}
# Firth's penalty written out: coxph gives likelihood and information at given coefficients.
firths <- function(name, d, ties) {
  scale <- c(sd(d$x), 1)
  at <- function(b) fit(d, ties, init = b / scale, robust = FALSE, control = coxph.control(iter.max = 0))
  value <- function(b) { f <- suppressWarnings(at(b)); f$loglik[length(f$loglik)] - 0.5 * log(det(f$var * (scale %o% scale))) }
  rise <- function(b, free) {
    for (step in 1:20) {
      g <- grad(function(u) value(replace(b, free, u)), b[free]); h <- hessian(function(u) value(replace(b, free, u)), b[free])
      change <- -solve(h, g)
      while (value(replace(b, free, b[free] + change)) < value(b) - 1e-10) change <- change / 2
      b[free] <- b[free] + change
      if (max(abs(change)) < 1e-8) break
    }
    b
  }
  best <- rise(c(0, 0), 1:2); top <- value(best); s <- errors_of(at(best)$var) * scale
  limit <- function(k, side) {
    edge <- function(v) 2 * (top - value(rise(replace(best, k, v), setdiff(1:2, k)))) - qchisq(0.95, 1)
    far <- 2; while (edge(best[k] + side * far * s[k]) < 0) far <- far * 1.5
    uniroot(function(u) edge(best[k] + side * u * s[k]), c(0.5, far), tol = 1e-9)$root * side * s[k] + best[k]
  }
  keep(paste0("firth_", ties), name, "log likelihood and information of coxph(iter.max = 0, init = b), maximised with half the log determinant",
       list(estimate = best / scale, std_error = s / scale, conf_low = sapply(1:2, limit, -1) / scale, conf_high = sapply(1:2, limit, 1) / scale))
}

curves <- function(name, d, ties) {
  weeks <- weeks_of(d); new <- merge(profiles_of(d), data.frame(place = sort(unique(d$place)))); new$z <- 0
  f <- fit(d, ties, unit = d$cluster)
  call <- "survfit(coxph(..., weights = pw, cluster = cluster), newdata = profiles in each place)"
  for (type in c("log", "log-log", "plain")) {
    at <- lapply(seq_len(nrow(new)), function(i) summary(survfit(f, newdata = new[i, ], conf.type = type), times = weeks))
    of <- function(what) sapply(at, function(s) s[[what]])
    keep(paste0("curve_", sub("-", "", type), "_", ties), name, call, list(weeks = weeks, estimate = of("surv"), std_error = of("std.err"), conf_low = of("lower"), conf_high = of("upper")))
  }
  value <- function(w) c(sapply(seq_len(nrow(new)), function(i) summary(survfit(fit(d, ties, w = w, init = coef(f)), newdata = new[i, ], se.fit = FALSE), times = weeks)$surv))
  keep(paste0("curve_influence_", ties), name, "derivatives of survfit(coxph(..., weights = w)) by the clusters' weights",
       list(weeks = weeks, estimate = value(d$pw), std_error = influence_error(value, d$pw, d$cluster)))
}

# Standardised survival: the mean over rows of predictions in another world (x, treated, place as given).
standardised <- function(name, d, ties) {
  formula <- Surv(entry, exit, event) ~ x + treated + strata(place)
  weeks <- weeks_of(d); horizon <- max(weeks); places <- sort(unique(d$place))
  start <- coef(fit(d, ties, formula))
  answer <- function(worlds, among, event = d$event) function(w) {
    d$event <- event
    f <- fit(d, ties, formula, w = w, init = start); b <- coef(f)
    s <- survfit(f, newdata = data.frame(x = mean(d$x), treated = 0), se.fit = FALSE)
    stratum <- rep(seq_along(s$strata), s$strata); times <- c(0, sort(unique(s$time)))
    hazard <- sapply(seq_along(places), function(k) c(0, s$cumhaz[stratum == k])[findInterval(times, s$time[stratum == k]) + 1])
    level <- function(a) {
      ratio <- exp((a$x - mean(d$x)) * b[1] + a$treated * b[2])
      share <- c(exp(-(hazard[, match(a$place, places)] * rep(ratio, each = length(times)))[, among]) %*% w[among]) / sum(w[among])
      before <- times < horizon
      c(share[findInterval(weeks, times)], sum(share[before] * diff(c(times[before], horizon))))
    }
    v <- lapply(worlds, level)
    c(unlist(v), unlist(lapply(v[-1], function(u) u - v[[1]])))
  }
  ask <- function(question, call, f) keep(paste0("standardised_", question, "_", ties), name, call,
    list(weeks = weeks, estimate = f(d$pw), std_error = influence_error(f, d$pw, d$cluster)))
  treated <- lapply(0:1, function(a) transform(d, treated = a)); everybody <- rep(TRUE, nrow(d))
  ask("treated", "means of survfit(coxph(...)) over rows, derivatives by the clusters' weights", answer(treated, everybody))
  ask("among", "the same over the treated", answer(treated, d$treated == 1))
  ask("places", "the same with the baseline of each place", answer(lapply(places, function(p) transform(d, place = p)), everybody))
  ask("given", "the same as they are, and with x larger by a fifth of its error", answer(list(d, transform(d, x = x + 0.2 * sd(d$x))), everybody))
  ask("cause", "the same for cause == 2", answer(treated, everybody, as.numeric(d$cause == 2)))
}

checks <- function(name, d, ties) {
  f <- fit(d, ties)
  for (transform in c("km", "rank", "identity", "log"))
    keep(paste0("zph_", transform, "_", ties), name, sprintf("cox.zph(coxph(..., weights = pw), '%s', terms = FALSE)", transform),
         list(estimate = cox.zph(f, transform, terms = FALSE)$table[, "chisq"], p_value = cox.zph(f, transform, terms = FALSE)$table[, "p"]))
  some <- seq(1, nrow(d), by = 11)
  of <- function(kind) t(as.matrix(residuals(f, kind))[some, ])
  sorted <- function(kind) apply(as.matrix(residuals(f, kind)), 2, sort)
  keep(paste0("residuals_", ties), name, "residuals(coxph(..., weights = pw), type) of every eleventh row; those of Schoenfeld by size",
       list(martingale = of("martingale"), deviance = of("deviance"), score = of("score"), dfbeta = of("dfbeta"),
            schoenfeld = sorted("schoenfeld"), scaled_schoenfeld = sorted("scaledsch")))
}
harrell <- function(name, d) {
  value <- function(c) { n <- c$count; n <- if (is.matrix(n)) colSums(n) else n; list(estimate = c$concordance, std_error = sqrt(c$var), pairs = n[1:3]) }
  d$score <- round((d$x - mean(d$x)) / sd(d$x)) + d$treated
  keep("concordance_score", name, "concordance(Surv(entry, exit, event) ~ score + strata(place), weights = pw, cluster = cluster, reverse = TRUE)",
       value(concordance(Surv(entry, exit, event) ~ score + strata(place), d, weights = pw, cluster = cluster, reverse = TRUE)))
  d$event <- as.numeric(d$cause == 2)
  keep("concordance_cause", name, "the same for cause == 2 on rows k times, without clusters",
       value(concordance(Surv(entry, exit, event) ~ score + strata(place), d[rep(seq_len(nrow(d)), d$k), ], weights = pw, reverse = TRUE)))
}

for (name in frames_or(c("weekly", "crowded", "latecomers"))) {
  d <- read_frame(name); d$z <- (d$id %% 5) / 4
  for (ties in c("efron", "breslow"))
    for (ask in list(regressions, ridges, firths, curves, standardised, checks)) ask(name, d, ties)
  harrell(name, d)
}
finish()
