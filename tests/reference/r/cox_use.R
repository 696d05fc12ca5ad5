# Reference values of what is asked of Cox's model: effects that change with time, predicted and standardised survival,
# the test of proportional hazards, residuals and concordance. From the repository's root, with a folder for the inputs:
#   python tests/reference/reference_data.py INPUTS
#   Rscript tests/reference/r/cox_use.R INPUTS tests/reference/expected/cox_use.json
# A case is its input, the R call and the numbers. Where no package has the errors, they are numerical derivatives of the
# whole computation by the weight of each row or cluster (the infinitesimal jackknife). Takes about four minutes.
suppressMessages({library(survival); library(riskRegression); library(jsonlite)})
args <- commandArgs(trailingOnly = TRUE)
inputs <- c("lung", "veteran", "heart", "cgd", "rotterdam", "bladder2", "weekly")
frames <- sapply(inputs, function(n) read.csv(file.path(args[1], paste0(n, ".csv"))), simplify = FALSE)
hashes <- sapply(inputs, function(n) readLines(file.path(args[1], paste0(n, ".sha256")), warn = FALSE), simplify = FALSE)
exact <- coxph.control(eps = 1e-13, iter.max = 60, toler.chol = 1e-14)
cases <- list()
case <- function(name, input, call, answer) {
  d <<- frames[[input]]
  cases[[name]] <<- list(input = unbox(input), call = unbox(call), values = answer(eval(parse(text = call))))
}
fit <- function(formula, ties = "efron", ...) sprintf("coxph(%s, d, ties = '%s', control = exact%s)", formula, ties, paste0("", ...))

# Effects that change with time.
model <- function(f) list(estimate = unname(coef(f)), std_error = unname(sqrt(diag(vcov(f)))), log_likelihood = f$loglik[2])
steps <- function(formula, cut, column) {
  s <- survSplit(as.formula(formula), d, cut = cut, episode = "step")
  for (k in seq_len(length(cut) + 1)) s[[paste0("s", k)]] <- s[[column]] * (s$step == k)
  s
}
at_each_week <- function(formula, event_time, column, f) {
  s <- survSplit(as.formula(formula), d, cut = event_time)
  s$changing <- s[[column]] * f(s$exit)
  s
}
for (ties in c("efron", "breslow")) {
  case(paste0("steps_veteran_", ties), "veteran",
       sprintf("coxph(Surv(tstart, time, status) ~ trt + prior + s1 + s2 + s3, steps('Surv(time, status) ~ .', c(90, 180), 'karno'), ties = '%s', control = exact)", ties), model)
  case(paste0("steps_weekly_", ties), "weekly",
       sprintf("coxph(Surv(entry, exit, event) ~ x + s1 + s2 + s3 + strata(place), steps('Surv(entry, exit, event) ~ .', c(10, 26), 'treated'), weights = pw, cluster = cluster, ties = '%s', control = exact)", ties), model)
  case(paste0("steps_count_", ties), "weekly",
       sprintf("coxph(Surv(entry, exit, event) ~ x + s1 + s2 + s3, steps('Surv(entry, exit, event) ~ .', c(10, 26), 'treated')[rep(seq_len(nrow(steps('Surv(entry, exit, event) ~ .', c(10, 26), 'treated'))), steps('Surv(entry, exit, event) ~ .', c(10, 26), 'treated')$k), ], ties = '%s', control = exact)", ties), model)
  case(paste0("function_veteran_", ties), "veteran",
       fit("Surv(time, status) ~ trt + prior + karno + tt(karno)", ties, ", tt = function(x, t, ...) x * log(t + 20)"), model)
  case(paste0("function_weekly_", ties), "weekly",
       fit("Surv(entry, exit, event) ~ x + tt(x) + treated + tt(treated)", ties, ", tt = list(function(x, t, ...) x * log(t), function(x, t, ...) x * log(t))"), model)
  case(paste0("function_clustered_", ties), "weekly",
       sprintf("coxph(Surv(entry, exit, event) ~ x + changing + treated + strata(place), at_each_week('Surv(entry, exit, event) ~ .', sort(unique(d$exit[d$event == 1])), 'x', log), weights = pw, cluster = cluster, ties = '%s', control = exact)", ties), model)
}

# Predicted survival.
curve <- function(newdata, weeks, ...) function(f) {
  s <- summary(survfit(f, newdata = newdata, ...), times = weeks)
  list(estimate = c(s$surv), std_error = c(s$std.err), conf_low = c(s$lower), conf_high = c(s$upper), hazard = c(s$cumhaz))
}
two <- data.frame(age = c(50, 70), sex = c(1, 2), ecog = c(0, 2))
for (type in c("log", "log-log", "plain"))
  case(paste0("predict_lung_", type), "lung", fit("Surv(week, status) ~ age + sex + ecog"), curve(two, c(13, 26, 52, 104), conf.type = type))
case("predict_lung_breslow", "lung", fit("Surv(week, status) ~ age + sex + ecog", "breslow"), curve(two, c(13, 26, 52, 104), conf.int = 0.9))
case("predict_heart", "heart", fit("Surv(start, stop, event) ~ age + surgery"), curve(data.frame(age = c(-10, 5), surgery = 0:1), c(10, 100, 500)))
case("predict_offset", "lung", fit("Surv(week, status) ~ sex + ecog + offset(age / 50)"), curve(data.frame(age = 0, sex = 1, ecog = 1), c(13, 26)))
# Robust: R takes the robust covariance of the coefficients, and events as independent in the hazards.
for (ties in c("efron", "breslow"))
  case(paste0("predict_weekly_", ties), "weekly", fit("Surv(entry, exit, event) ~ x + treated + strata(place)", ties, ", weights = pw, cluster = cluster"),
       curve(data.frame(x = 0.5, treated = 1), c(5, 10, 30)))
# An effect that changes, by hand: cumulative hazard from the sums over risk sets, its error from that of the hazards with
# the coefficients known and, numerically, from the derivative by the coefficients.
changing <- function(f) {
  b <- unname(coef(f)); t <- sort(unique(d$exit[d$event == 1])); t <- t[t <= 40]
  hazard <- function(b) sapply(t, function(s) {
    r <- d$entry < s & d$exit >= s; e <- exp(b[1] * d$x + b[2] * d$x * log(s) + b[3] * d$treated)
    n <- sum(d$event == 1 & d$exit == s)
    z <- exp(b[1] * 0.5 + b[2] * 0.5 * log(s) + b[3])
    c(n * z / sum(e[r]), n * (z / sum(e[r]))^2) })
  h <- hazard(b)
  slope <- sapply(1:3, function(k) { e <- 1e-5 * (1:3 == k); (sum(hazard(b + e)[1, ]) - sum(hazard(b - e)[1, ])) / 2e-5 })
  list(estimate = sum(h[1, ]), std_error = sqrt(sum(h[2, ]) + c(slope %*% vcov(f) %*% slope)))
}
case("predict_function", "weekly", fit("Surv(entry, exit, event) ~ x + tt(x) + treated", "breslow", ", tt = function(x, t, ...) x * log(t)"), changing)
by_steps <- function(f) {
  new <- data.frame(tstart = c(0, 90, 180), time = c(90, 180, 300), status = 0, trt = 2, prior = 0, s1 = c(60, 0, 0), s2 = c(0, 60, 0), s3 = c(0, 0, 60), id = 1)
  s <- survfit(f, newdata = new, id = id)
  list(estimate = s$surv[findInterval(c(50, 100, 250), s$time)])
}
case("predict_steps", "veteran", "coxph(Surv(tstart, time, status) ~ trt + prior + s1 + s2 + s3, steps('Surv(time, status) ~ .', c(90, 180), 'karno'), control = exact)", by_steps)

# Standardised survival. Shares at 10 and 30 weeks and the mean up to 40 weeks without and with treatment, differences.
standardised <- function(w, formula, ties, start = NULL) {
  d$w <<- w
  f <- if (is.null(start)) coxph(formula, d, weights = w, ties = ties, control = exact) else coxph(formula, d, weights = w, ties = ties, init = start, control = exact)
  s <- survfit(f, newdata = data.frame(x = 0, treated = 0), se.fit = FALSE)
  stratum <- if (is.null(s$strata)) rep(1, length(s$time)) else rep(seq_along(s$strata), s$strata)
  own <- if (is.null(s$strata)) rep(1, nrow(d)) else d$place + 1
  times <- c(0, sort(unique(s$time))); b <- coef(f)
  hazard <- sapply(seq_len(max(stratum)), function(k) c(0, s$cumhaz[stratum == k])[findInterval(times, s$time[stratum == k]) + 1])
  level <- function(a) {
    share <- c(exp(-hazard[, own] %*% diag(exp(d$x * b[1] + a * b[2]))) %*% w) / sum(w)
    before <- times < 40
    c(share[findInterval(c(10, 30), times)], sum(share[before] * diff(c(times[before], 40))))
  }
  list(c(level(0), level(1), level(1) - level(0)), b)
}
jackknife <- function(formula, ties, w, unit) {
  found <- standardised(w, formula, ties)
  change <- sapply(unique(unit), function(u) {
    step <- 1e-4 * (unit == u)
    (standardised(w * (1 + step), formula, ties, found[[2]])[[1]] - standardised(w * (1 - step), formula, ties, found[[2]])[[1]]) / 2e-4 })
  list(estimate = found[[1]], std_error = sqrt(rowSums(change^2)))
}
plain <- "Surv(entry, exit, event) ~ x + treated"
for (ties in c("efron", "breslow"))
  case(paste0("standardised_", ties), "weekly", sprintf("jackknife(%s, '%s', rep(1, nrow(d)), seq_len(nrow(d)))", plain, ties), identity)
case("standardised_weighted", "weekly", sprintf("jackknife(%s + strata(place), 'efron', d$pw, seq_len(nrow(d)))", plain), identity)
case("standardised_clustered", "weekly", sprintf("jackknife(%s + strata(place), 'efron', d$pw, d$cluster)", plain), identity)
untied <- function() { d <- d[d$entry == 0, ]; d$time <- d$exit + seq_len(nrow(d)) / 1000; d$treated <- factor(d$treated); d }
case("standardised_untied", "weekly", "ate(coxph(Surv(time, event) ~ x + treated, untied(), x = TRUE, y = TRUE, control = exact), data = untied(), treatment = 'treated', times = c(10, 30), se = TRUE, verbose = FALSE)",
     function(a) list(estimate = c(1 - a$meanRisk$estimate, -a$diffRisk$estimate), std_error = c(a$meanRisk$se, a$diffRisk$se)))

# The test of proportional hazards.
zph <- function(f) {
  one <- function(transform, terms) unname(cox.zph(f, transform, terms = terms)$table[, "chisq"])
  transforms <- c("km", "rank", "identity", "log")
  c(sapply(transforms, one, terms = FALSE, simplify = FALSE),
    list(p_value = unname(cox.zph(f, "km", terms = FALSE)$table[, "p"]), whole = one("km", TRUE)))
}
for (ties in c("efron", "breslow")) {
  case(paste0("zph_veteran_", ties), "veteran", fit("Surv(time, status) ~ trt + celltype + karno + age", ties), zph)
  case(paste0("zph_weekly_", ties), "weekly", fit("Surv(entry, exit, event) ~ x + treated + strata(place)", ties, ", weights = pw"), zph)
}
case("zph_heart", "heart", fit("Surv(start, stop, event) ~ age + year + surgery + transplant"), zph)
case("zph_rotterdam", "rotterdam", fit("Surv(dtime, death) ~ age + nodes + er + chemo + hormon"), zph)
case("zph_cgd", "cgd", fit("Surv(tstart, tstop, status) ~ treat + sex + age + strata(hospital)"), zph)
case("zph_count", "weekly", "coxph(Surv(entry, exit, event) ~ x + treated, d[rep(seq_len(nrow(d)), d$k), ], control = exact)", zph)
case("zph_offset", "lung", fit("Surv(week, status) ~ sex + ecog + offset(age / 50)"), zph)

case("zph_steps", "veteran", "coxph(Surv(tstart, time, status) ~ trt + prior + s1 + s2, steps('Surv(time, status) ~ .', 90, 'karno'), control = exact)", zph)

# Residuals of every thirteenth row; those of Schoenfeld, which R sorts by stratum and time, as their sorted first column.
residual <- function(f) {
  some <- seq(1, f$n, by = 13); of <- function(kind) c(t(as.matrix(residuals(f, kind))[some, ]))
  kinds <- c("martingale", "deviance", "score", "dfbeta")
  c(sapply(kinds, of, simplify = FALSE),
    list(schoenfeld = sort(as.matrix(residuals(f, "schoenfeld"))[, 1]), scaled_schoenfeld = sort(as.matrix(residuals(f, "scaledsch"))[, 1])))
}
for (ties in c("efron", "breslow")) {
  case(paste0("residuals_heart_", ties), "heart", fit("Surv(start, stop, event) ~ age + surgery + transplant", ties), residual)
  case(paste0("residuals_weekly_", ties), "weekly", fit("Surv(entry, exit, event) ~ x + treated + strata(place)", ties, ", weights = pw"), residual)
}
case("residuals_offset", "lung", fit("Surv(week, status) ~ sex + ecog + offset(age / 50)"), residual)

# Concordance.
harrell <- function(c) { n <- c$count; n <- if (is.matrix(n)) colSums(n) else n
  list(estimate = unname(c$concordance), std_error = sqrt(c$var), pairs = unname(n[1:3])) }
case("concordance_lung", "lung", sprintf("concordance(%s)", fit("Surv(week, status) ~ age + sex + ecog")), harrell)
case("concordance_rotterdam", "rotterdam", sprintf("concordance(%s)", fit("Surv(dtime, death) ~ age + nodes + er + chemo + hormon")), harrell)
case("concordance_heart", "heart", sprintf("concordance(%s)", fit("Surv(start, stop, event) ~ age + surgery + transplant")), harrell)
case("concordance_ties", "veteran", sprintf("concordance(%s)", fit("Surv(week, status) ~ trt + prior")), harrell)
case("concordance_weekly", "weekly", sprintf("concordance(%s)", fit("Surv(entry, exit, event) ~ x + treated + strata(place)", "efron", ", weights = pw")), harrell)
case("concordance_clustered", "weekly", sprintf("concordance(%s)", fit("Surv(entry, exit, event) ~ x + treated + strata(place)", "efron", ", weights = pw, cluster = cluster")), harrell)
case("concordance_count", "weekly", "concordance(coxph(Surv(entry, exit, event) ~ x + treated, d[rep(seq_len(nrow(d)), d$k), ], control = exact))", harrell)
case("concordance_bladder2", "bladder2", sprintf("concordance(%s)", fit("Surv(start, stop, event) ~ rx + number + size", "efron", ", cluster = id")), harrell)
case("concordance_score", "lung", "concordance(Surv(week, status) ~ age, d, reverse = TRUE)", harrell)

packages <- c("survival", "riskRegression")
versions <- as.list(c(R = R.version.string, sapply(packages, function(p) as.character(packageVersion(p)))))
write_json(list(versions = lapply(versions, unbox), inputs = lapply(hashes, unbox), cases = cases), args[2], digits = I(15), auto_unbox = FALSE, pretty = FALSE, na = "null")
