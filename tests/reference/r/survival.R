# Reference values of the survival estimators. From the repository's root, with a folder for the inputs:
#   python tests/reference/reference_data.py INPUTS
#   Rscript tests/reference/r/survival.R INPUTS tests/reference/expected
# Each case writes expected/survival_<case>.csv: versions, the R call and the input's hash, then the numbers.
suppressMessages({library(survival); library(cmprsk)})
args <- commandArgs(trailingOnly = TRUE)
version <- sprintf("%s, survival %s, cmprsk %s", R.version.string, packageVersion("survival"), packageVersion("cmprsk"))

case <- function(name, input, call, answer) {
  d <- read.csv(file.path(args[1], paste0(input, ".csv")))
  fit <- eval(parse(text = call))
  out <- answer(fit, d)
  path <- file.path(args[2], paste0("survival_", name, ".csv"))
  hash <- readLines(file.path(args[1], paste0(input, ".sha256")), warn = FALSE)
  file <- file(path, "wb")
  writeLines(c(paste("#", version), paste("# call:", call), paste0("# input: ", input, " ", hash)), file)
  out[] <- lapply(out, function(v) if (is.numeric(v)) sprintf("%.15g", v) else v)
  write.csv(out, file, row.names = FALSE, quote = FALSE, eol = "\n")
  close(file)
}

group_of <- function(strata) if (is.null(strata)) "" else gsub("[a-z]+=", "", as.character(strata))
# Long curves are read at about forty of their times.
thin <- function(out) if (nrow(out) > 60) out[sort(unique(round(seq(1, nrow(out), length.out = 40)))), ] else out

curve <- function(fit, d) {
  s <- summary(fit)
  thin(data.frame(term = "survival", group = group_of(s$strata), time_weeks = s$time, estimate = s$surv, std_error = s$std.err,
                  conf_low = s$lower, conf_high = s$upper))
}
cumulated <- function(fit, d) {
  s <- summary(fit)
  thin(data.frame(term = "cumulative_hazard", group = group_of(s$strata), time_weeks = s$time, estimate = s$cumhaz,
                  std_error = s$std.chaz))
}
area <- function(horizon) function(fit, d) {
  t <- summary(fit, rmean = horizon)$table
  if (is.null(dim(t))) t <- t(as.matrix(t))
  group <- if (is.null(rownames(t))) "" else gsub("[a-z]+=", "", rownames(t))
  data.frame(term = "restricted_mean", group = group, time_weeks = horizon, estimate = t[, "rmean"], std_error = t[, "se(rmean)"])
}
# Robust: survfit keeps the influence of each cluster on S; the mean is its integral.
area_robust <- function(horizon) function(fit, d) {
  at <- c(0, fit$time[fit$time < horizon]); width <- diff(c(at, horizon)); k <- length(at) - 1
  inf <- cbind(0, fit$influence.surv[, seq_len(k), drop = FALSE]) %*% width
  data.frame(term = "restricted_mean", group = "", time_weeks = horizon,
             estimate = sum(c(1, fit$surv[seq_len(k)]) * width), std_error = sqrt(sum(inf^2)))
}
shares <- function(fit, d) {
  s <- summary(fit)
  states <- ifelse(fit$states == "(s0)", "survival", fit$states)
  parts <- lapply(seq_along(states), function(k) data.frame(
    term = states[k], group = group_of(s$strata), time_weeks = s$time, estimate = s$pstate[, k], std_error = s$std.err[, k],
    conf_low = s$lower[, k], conf_high = s$upper[, k]))
  do.call(rbind, lapply(parts, thin))
}
incidence <- function(fit, d) {
  parts <- lapply(grep("^1 ", names(fit), value = TRUE), function(k) {
    p <- unique(data.frame(time = fit[[k]]$time, est = fit[[k]]$est))
    p <- p[!duplicated(p$time, fromLast = TRUE), ]
    thin(data.frame(term = sub("^1 ", "", k), group = "", time_weeks = p$time, estimate = p$est))
  })
  do.call(rbind, parts)
}
weeks <- function(horizon) function(fit, d) {
  t <- summary(fit, rmean = horizon)$table
  data.frame(term = paste0("weeks[", fit$states, "]"), group = "", time_weeks = horizon, estimate = t[, "rmean"], std_error = t[, "se(rmean)"])
}
at_week <- function(week) function(fit, d) {
  s <- summary(fit, times = week)
  data.frame(term = paste0("share[", fit$states, "]"), group = "", time_weeks = week, estimate = c(s$pstate), std_error = c(s$std.err))
}
# With id and cluster both given, survfit 3.5 leaves cluster out of the errors of several states. The influence of a cluster
# is the derivative of survfit's estimate by the cluster's weight, here a central difference. Likewise by person for
# the restricted mean of weighted rows, whose error survfit sums without the weights.
clustered <- function(fit_with, read, by = "cluster") {
  derivative <- function(place) {
    step <- 1e-4 * (d[[by]] == place)
    (read(fit_with(d$pw * (1 + step))) - read(fit_with(d$pw * (1 - step)))) / 2e-4
  }
  d <- get("d", envir = parent.frame())
  list(fit = fit_with(d$pw), std_error = sqrt(rowSums(sapply(unique(d[[by]]), derivative)^2)))
}
table_of <- function(terms, week) function(answer, d) {
  fit <- answer$fit
  estimate <- if (startsWith(terms, "weeks")) summary(fit, rmean = week)$table[, "rmean"] else c(summary(fit, times = week)$pstate)
  states <- ifelse(fit$states == "(s0)", "survival", fit$states)
  data.frame(term = sprintf(terms, states), group = "", time_weeks = week, estimate = estimate, std_error = answer$std_error)
}
coefs <- function(fit, d) {
  p <- length(coef(fit))
  data.frame(term = c(names(coef(fit)), "log_likelihood_null", "log_likelihood", "score_chi_square", "wald_chi_square"),
             estimate = c(coef(fit), fit$loglik, fit$score, fit$wald.test), std_error = c(sqrt(diag(fit$var)), rep(NA, 4)),
             naive_error = c(sqrt(diag(if (is.null(fit$naive.var)) fit$var else fit$naive.var)), rep(NA, 4)))
}
baseline <- function(fit, d) {
  b <- basehaz(fit, centered = FALSE)
  thin(data.frame(term = "baseline_hazard", group = if (is.null(b$strata)) "" else gsub("[a-z]+=", "", as.character(b$strata)), time_weeks = b$time, estimate = b$hazard))
}
chi_square <- function(fit, d) {
  obs <- if (is.matrix(fit$obs)) rowSums(fit$obs) else fit$obs
  exp <- if (is.matrix(fit$exp)) rowSums(fit$exp) else fit$exp
  data.frame(term = c("log_rank", rep("observed", length(obs)), rep("expected", length(exp))), estimate = c(fit$chisq, obs, exp))
}
# survdiff takes no delayed entry: the same sums written out.
entry_log_rank <- function(d, g) {
  levels <- sort(unique(g)); o <- e <- rep(0, length(levels)); v <- matrix(0, length(levels), length(levels))
  for (t in sort(unique(d$exit[d$event == 1]))) {
    at <- d$entry < t & d$exit >= t; died <- d$exit == t & d$event == 1
    n <- sum(at); k <- sum(died); share <- sapply(levels, function(l) sum(at & g == l)) / n
    o <- o + sapply(levels, function(l) sum(died & g == l)); e <- e + k * share
    if (n > 1) v <- v + k * (n - k) / (n - 1) * (diag(share) - share %o% share)
  }
  last <- length(levels)
  list(obs = o, exp = e, chisq = c(t(o - e)[-last] %*% solve(v[-last, -last], (o - e)[-last])))
}

for (type in c("log", "log-log", "plain")) {
  case(paste0("km_lung_", type), "lung", sprintf("survfit(Surv(week, status) ~ sex, d, conf.type = '%s')", type), curve)
  case(paste0("km_weekly_", type), "weekly", sprintf("survfit(Surv(entry, exit, event) ~ 1, d, conf.type = '%s')", type), curve)
}
case("km_90", "veteran", "survfit(Surv(week, status) ~ celltype, d, conf.int = 0.9)", curve)
case("km_weighted", "lung", "survfit(Surv(week, status) ~ 1, d, weights = pw)", curve)
case("km_clustered", "lung", "survfit(Surv(week, status) ~ 1, d, weights = pw, cluster = inst)", curve)
case("km_entry_clustered", "weekly", "survfit(Surv(entry, exit, event) ~ place, d, weights = pw, cluster = cluster)", curve)
case("km_count", "weekly", "survfit(Surv(entry, exit, event) ~ 1, d[rep(seq_len(nrow(d)), d$k), ])", curve)
case("km_rotterdam", "rotterdam", "survfit(Surv(dtime, death) ~ chemo, d)", curve)
case("km_heart", "heart", "survfit(Surv(start, stop, event) ~ 1, d, id = id)", curve)
case("na_lung", "lung", "survfit(Surv(week, status) ~ sex, d, ctype = 1)", cumulated)
case("na_weekly", "weekly", "survfit(Surv(entry, exit, event) ~ 1, d, ctype = 1)", cumulated)
case("na_clustered", "weekly", "survfit(Surv(entry, exit, event) ~ 1, d, weights = pw, cluster = cluster, ctype = 1)", cumulated)
case("rmean_lung", "lung", "survfit(Surv(week, status) ~ sex, d)", area(52))
case("rmean_weekly", "weekly", "survfit(Surv(entry, exit, event) ~ place, d)", area(60))
case("rmean_rotterdam", "rotterdam", "survfit(Surv(dtime, death) ~ chemo, d)", area(2000))
case("rmean_clustered", "weekly", "survfit(Surv(entry, exit, event) ~ 1, d, weights = pw, cluster = cluster, influence = 1)", area_robust(60))
case("aj_mgus2", "mgus2", "survfit(Surv(months, factor(cause)) ~ sex, d, id = id)", shares)
case("aj_mgus2_age", "mgus2", "survfit(Surv(entry, exit, factor(cause)) ~ 1, d, id = id)", shares)
case("aj_pbc", "pbc", "survfit(Surv(week, factor(cause)) ~ trt, d, conf.type = 'log-log')", shares)
case("aj_weekly", "weekly", "survfit(Surv(entry, exit, factor(cause)) ~ 1, d, id = id)", shares)
case("aj_weekly_weighted", "weekly", "survfit(Surv(entry, exit, factor(cause)) ~ 1, d, id = id, weights = pw, conf.type = 'plain')", shares)
case("aj_weekly_clustered", "weekly", "clustered(function(w) survfit(Surv(entry, exit, factor(cause)) ~ 1, d, id = id, weights = w), function(f) c(summary(f, times = 26)$pstate))", table_of("%s", 26))
case("aj_count", "weekly", "survfit(Surv(entry, exit, factor(cause)) ~ 1, d[rep(seq_len(nrow(d)), d$k), ], id = seq_len(sum(d$k)))", shares)
case("aj_cuminc", "mgus2", "cuminc(d$months, d$cause)", incidence)
chain <- "survfit(Surv(start, stop, factor(then, c('censor', 'DEATH', 'EDUCATION', 'SELF', 'SUPPORT'))) ~ 1, d, id = id, istate = factor(now, c('DEATH', 'EDUCATION', 'SELF', 'SUPPORT')), start.time = 0, influence = TRUE%s)"
case("aj_states", "states", sprintf(chain, ""), shares)
case("aj_states_weighted", "states", sprintf(chain, ", weights = pw"), shares)
case("weeks_states", "states", sprintf(chain, ""), weeks(52))
case("weeks_states_26", "states", sprintf(chain, ""), weeks(26))
case("weeks_states_weighted", "states", sprintf("clustered(function(w) %s, function(f) summary(f, rmean = 52)$table[, 'rmean'], by = 'id')",
                                                sprintf(chain, ", weights = w")), table_of("weeks[%s]", 52))
case("share_states", "states", sprintf(chain, ""), at_week(26))
case("share_states_weighted", "states", sprintf(chain, ", weights = pw"), at_week(26))
case("weeks_states_clustered", "states", sprintf("clustered(function(w) %s, function(f) summary(f, rmean = 52)$table[, 'rmean'])",
                                                 sprintf(chain, ", weights = w")), table_of("weeks[%s]", 52))
case("share_states_clustered", "states", sprintf("clustered(function(w) %s, function(f) c(summary(f, times = 26)$pstate))",
                                                 sprintf(chain, ", weights = w")), table_of("share[%s]", 26))

for (ties in c("efron", "breslow")) {
  tie <- function(call) sprintf(call, ties)
  name <- function(n) paste0("cox_", n, "_", ties)
  case(name("lung"), "lung", tie("coxph(Surv(week, status) ~ age + sex + ecog, d, ties = '%s')"), coefs)
  case(name("veteran"), "veteran", tie("coxph(Surv(time, status) ~ trt + karno + age + prior + strata(celltype), d, ties = '%s')"), coefs)
  case(name("heart"), "heart", tie("coxph(Surv(start, stop, event) ~ age + year + surgery + transplant, d, ties = '%s', cluster = id)"), coefs)
  case(name("rotterdam"), "rotterdam", tie("coxph(Surv(dtime, death) ~ age + nodes + er + chemo + hormon + meno, d, ties = '%s', robust = TRUE)"), coefs)
  case(name("colon"), "colon", tie("coxph(Surv(week, status) ~ age + sex + nodes + strata(etype), d, ties = '%s', cluster = id)"), coefs)
  case(name("bladder2"), "bladder2", tie("coxph(Surv(start, stop, event) ~ rx + number + size, d, ties = '%s', cluster = id)"), coefs)
  case(name("cgd"), "cgd", tie("coxph(Surv(tstart, tstop, status) ~ treat + sex + age + strata(hospital), d, ties = '%s', cluster = id)"), coefs)
  case(name("pbc"), "pbc", tie("coxph(Surv(week, cause == 2) ~ age + log(bili) + edema, d, ties = '%s')"), coefs)
  case(name("weekly"), "weekly", tie("coxph(Surv(entry, exit, event) ~ x + treated, d, ties = '%s')"), coefs)
  case(name("weekly_strata"), "weekly", tie("coxph(Surv(entry, exit, event) ~ x + treated + strata(place), d, ties = '%s')"), coefs)
  case(name("weekly_weighted"), "weekly", tie("coxph(Surv(entry, exit, event) ~ x + treated, d, weights = pw, ties = '%s', cluster = id)"), coefs)
  case(name("weekly_all"), "weekly", tie("coxph(Surv(entry, exit, event) ~ x + treated + strata(place), d, weights = pw, ties = '%s', cluster = cluster)"), coefs)
  case(name("weekly_count"), "weekly", tie("coxph(Surv(entry, exit, event) ~ x + treated, d[rep(seq_len(nrow(d)), d$k), ], ties = '%s')"), coefs)
  case(name("weekly_baseline"), "weekly", tie("coxph(Surv(entry, exit, event) ~ x + treated + strata(place), d, ties = '%s')"), baseline)
}
case("log_rank_lung", "lung", "survdiff(Surv(week, status) ~ sex, d)", chi_square)
case("log_rank_veteran", "veteran", "survdiff(Surv(week, status) ~ celltype, d)", chi_square)
case("log_rank_within", "veteran", "survdiff(Surv(week, status) ~ celltype + strata(trt), d)", chi_square)
case("log_rank_entry", "weekly", "entry_log_rank(d, d$place)", chi_square)
case("log_rank_count", "lung", "survdiff(Surv(week, status) ~ sex, d[rep(seq_len(nrow(d)), d$ecog + 1), ])", chi_square)
