# Reference values of quantiles, restricted means, residual time, the log-rank family and pseudo-observations. From the
# repository's root, with a folder for the inputs:
#   python tests/reference/reference_data.py INPUTS
#   Rscript tests/reference/r/curves.R INPUTS tests/reference/expected/curves.json
# A case is its input, the R call and the numbers. survRM2 1.0-4 and pseudo 1.4.3 are from CRAN, the rest from Debian.
suppressMessages({library(survival); library(survRM2); library(survMisc); library(pseudo); library(geepack); library(prodlim)
                  library(jsonlite)})
args <- commandArgs(trailingOnly = TRUE)
inputs <- c("lung", "veteran", "rotterdam", "mgus2", "weekly")
frames <- sapply(inputs, function(n) read.csv(file.path(args[1], paste0(n, ".csv"))), simplify = FALSE)
hashes <- sapply(inputs, function(n) readLines(file.path(args[1], paste0(n, ".sha256")), warn = FALSE), simplify = FALSE)
cases <- list()
case <- function(name, input, call, answer) {
  # Some of the packages evaluate the call again, where only the workspace is seen.
  d <<- frames[[input]]
  fit <- eval(parse(text = call))
  cases[[name]] <<- list(input = unbox(input), call = unbox(call), values = answer(fit, d))
}

# Quantiles: estimate, lower, upper; one row a group and share.
shares <- c(0.1, 0.25, 0.5, 0.6)
quantiles <- function(fit, d) {
  q <- quantile(fit, shares)
  rows <- function(m) c(t(rbind(m, deparse.level = 0)))
  list(estimate = rows(q$quantile), conf_low = rows(q$lower), conf_high = rows(q$upper))
}
for (type in c("log", "log-log", "plain")) {
  case(paste0("quantiles_lung_", type), "lung", sprintf("survfit(Surv(week, status) ~ sex, d, conf.type = '%s')", type), quantiles)
  case(paste0("quantiles_weekly_", type), "weekly", sprintf("survfit(Surv(entry, exit, event) ~ place, d, conf.type = '%s')", type), quantiles)
}
case("quantiles_clustered", "weekly", "survfit(Surv(entry, exit, event) ~ 1, d, weights = pw, cluster = cluster)", quantiles)
case("quantiles_rotterdam", "rotterdam", "survfit(Surv(dtime, death) ~ chemo, d)", quantiles)

# Restricted means of two arms: mean and error of each, difference and ratio with limits and p-value.
two_arms <- function(fit, d) list(
  estimate = c(fit$RMST.arm0$rmst[1], fit$RMST.arm1$rmst[1], fit$unadjusted.result[1, 1], fit$unadjusted.result[2, 1]),
  std_error = c(fit$RMST.arm0$rmst[2], fit$RMST.arm1$rmst[2]),
  conf_low = fit$unadjusted.result[1:2, 2], conf_high = fit$unadjusted.result[1:2, 3], p_value = fit$unadjusted.result[1:2, 4])
case("rmst2_lung", "lung", "rmst2(d$week, d$status, d$sex - 1, tau = 52)", two_arms)
case("rmst2_rotterdam", "rotterdam", "rmst2(d$dtime, d$death, d$chemo, tau = 2000)", two_arms)
case("rmst2_veteran_90", "veteran", "rmst2(d$week, d$status, d$trt - 1, tau = 40, alpha = 0.1)", two_arms)

# Curves from a start on. R counts an event in the very week of start.time, so it is asked from half a week later.
curve <- function(fit, d) {
  s <- summary(fit)
  list(time_weeks = s$time, estimate = s$surv, std_error = s$std.err, conf_low = s$lower, conf_high = s$upper)
}
case("start_20", "weekly", "survfit(Surv(entry, exit, event) ~ 1, d, start.time = 20.5)", curve)

# Residual time: survival at e + 26 and the area from e to e + 26; rmean holds the weeks up to the start, too.
residual <- function(e) function(fit, d) {
  s <- summary(fit, times = e + 26)
  t <- summary(fit, rmean = e + 26)$table
  list(survival = s$surv, survival_error = s$std.err, conf_low = s$lower, conf_high = s$upper,
       mean = unname(t["rmean"]) - e, mean_error = unname(t["se(rmean)"]))
}
from <- function(e) sprintf("survfit(Surv(entry, exit, event) ~ 1, d, start.time = %g)", e + 0.5)
for (e in c(5, 12, 30)) case(paste0("residual_", e), "weekly", from(e), residual(e))
ratio <- function(fit, d) { s <- summary(fit, times = c(12, 38))$surv; list(survival = s[2] / s[1]) }
case("residual_12_ratio", "weekly", "survfit(Surv(entry, exit, event) ~ 1, d)", ratio)
# Robust: survfit keeps the influence of each cluster on S.
robust <- function(e) function(fit, d) {
  keep <- fit$time <= e + 26; at <- c(e, fit$time[fit$time < e + 26]); width <- diff(c(at, e + 26)); k <- length(at) - 1
  list(survival = tail(fit$surv[keep], 1), survival_error = sqrt(sum(fit$influence.surv[, sum(keep)]^2)),
       mean = sum(c(1, fit$surv[seq_len(k)]) * width),
       mean_error = sqrt(sum((cbind(0, fit$influence.surv[, seq_len(k), drop = FALSE]) %*% width)^2)))
}
case("residual_12_clustered", "weekly",
     "survfit(Surv(entry, exit, event) ~ 1, d, weights = pw, cluster = cluster, start.time = 12.5, influence = 1)", robust(12))
by_class <- function(fit, d) {
  s <- summary(fit, times = 26)
  t <- summary(fit, rmean = 26)$table
  list(survival = s$surv, survival_error = s$std.err, mean = unname(t[, "rmean"]), mean_error = unname(t[, "se(rmean)"]))
}
case("residual_classes", "weekly", "survfit(Surv(exit - entry, event) ~ cut(entry, c(0, 10, 20, Inf), right = FALSE), d)", by_class)

# The log-rank family. survdiff takes neither delayed entry nor other weights than S^rho: the same sums written out.
chi_square <- function(fit, d) list(chi_square = fit$chisq)
case("rho_1", "veteran", "survdiff(Surv(week, status) ~ celltype, d, rho = 1)", chi_square)
case("rho_half_stratified", "veteran", "survdiff(Surv(week, status) ~ celltype + strata(trt), d, rho = 0.5)", chi_square)
case("plain_stratified", "lung", "survdiff(Surv(week, status) ~ sex + strata(ecog), d)", chi_square)
score <- function(fit, d) list(chi_square = unname(summary(fit)$sctest[1]))
case("trend", "lung", "coxph(Surv(week, status) ~ ecog, d, ties = 'exact')", score)
case("trend_stratified", "lung", "coxph(Surv(week, status) ~ ecog + strata(sex), d, ties = 'exact')", score)
# survMisc orders groups of text by its own model matrix, and scores with them: so groups are numbers here.
family <- function(fit, d) {
  sink(nullfile()); suppressMessages(comp(fit, p = c(0, 1, 0.5), q = c(1, 1, 2), scores = 1:4)); sink()
  l <- attr(fit, "lrt"); t <- attr(fit, "tft")$tft
  list(weights = as.character(l$W), chi_square = as.numeric(l$chiSq), z = -as.numeric(t$Z))
}
case("family", "veteran", "ten(survfit(Surv(week, status) ~ cell, transform(d, cell = as.integer(factor(celltype)))))", family)
weighted_log_rank <- function(d, g, within, weight, scores = NULL) {
  levels <- sort(unique(g)); o <- e <- rep(0, length(levels)); v <- matrix(0, length(levels), length(levels))
  for (b in unique(within)) {
    s <- 1; p <- 1
    for (t in sort(unique(d$exit[d$event == 1 & within == b]))) {
      at <- d$entry < t & d$exit >= t & within == b; died <- at & d$exit == t & d$event == 1
      n <- sum(at); k <- sum(died); share <- sapply(levels, function(l) sum(at & g == l)) / n
      p <- p * (1 - k / (n + 1))
      w <- weight(n, s, p)
      s <- s * (1 - k / n)
      o <- o + w * sapply(levels, function(l) sum(died & g == l)); e <- e + w * k * share
      if (n > 1) v <- v + w^2 * k * (n - k) / (n - 1) * (diag(share) - share %o% share)
    }
  }
  if (!is.null(scores)) return(list(chisq = sum(scores * (o - e))^2 / c(scores %*% v %*% scores)))
  i <- -length(levels)
  list(chisq = c(t(o - e)[i] %*% solve(v[i, i], (o - e)[i])))
}
weights <- c(gehan = "function(n, s, p) n", tarone_ware = "function(n, s, p) sqrt(n)", peto = "function(n, s, p) p",
             fh = "function(n, s, p) s^0.5 * (1 - s)^2")
for (w in names(weights)) {
  case(paste0("entry_", w), "weekly", sprintf("weighted_log_rank(d, d$place, rep(1, nrow(d)), %s)", weights[[w]]), chi_square)
  case(paste0("entry_stratified_", w), "weekly", sprintf("weighted_log_rank(d, d$place, d$treated, %s)", weights[[w]]), chi_square)
  case(paste0("entry_trend_", w), "weekly", sprintf("weighted_log_rank(d, d$place, rep(1, nrow(d)), %s, c(0, 1, 5))", weights[[w]]), chi_square)
}

# Pseudo-observations of the first fifty rows.
some <- 1:50
case("pseudo_survival", "lung", "pseudosurv(d$week, d$status, tmax = c(26, 52))", function(fit, d) list(
  week_26 = fit$pseudo[some, 1], week_52 = fit$pseudo[some, 2]))
case("pseudo_mean", "lung", "pseudomean(d$week, d$status, tmax = 52)", function(fit, d) list(week_52 = fit[some]))
case("pseudo_incidence", "mgus2", "pseudoci(d$months, d$cause, tmax = 120)", function(fit, d) list(
  cause_1 = fit$pseudo$cause1[some, 1], cause_2 = fit$pseudo$cause2[some, 1]))
case("pseudo_prodlim", "lung", "jackknife(prodlim(Hist(week, status) ~ 1, d), times = c(26, 52))", function(fit, d) list(
  week_26 = fit[some, 1], week_52 = fit[some, 2]))
case("pseudo_infinitesimal", "lung", "survival::pseudo(survfit(Surv(week, status) ~ 1, d), times = c(26, 52))", function(fit, d) list(
  week_26 = unname(fit[some, 1]), week_52 = unname(fit[some, 2])))

# Regression on them: estimates and sandwich errors of geese, clusters (persons, or institutes) in contiguous rows.
regression <- function(d, link, weeks, id, response) {
  d <- d[order(id), ]; id <- sort(id)
  p <- if (response == "mean") as.matrix(pseudomean(d$week, d$status, tmax = weeks)) else as.matrix(pseudosurv(d$week, d$status, tmax = weeks)$pseudo)
  if (link == "cloglog") p <- 1 - p
  k <- length(weeks)
  long <- data.frame(y = c(t(p)), week = factor(rep(weeks, nrow(d))), d[rep(seq_len(nrow(d)), each = k), c("age", "sex", "ecog")])
  long$id <- rep(id, each = k)
  formula <- if (k > 1) y ~ week - 1 + age + sex + ecog else y ~ age + sex + ecog
  start <- c(rep(switch(link, identity = 0.5, log = -0.7, logit = 0, cloglog = -0.4), k), 0, 0, 0)
  if (response == "mean") start[seq_len(k)] <- if (link == "log") 3 else 20
  geese(formula, id = id, data = long, mean.link = link, family = gaussian, corstr = "independence", scale.fix = TRUE, b = start,
        control = geese.control(epsilon = 1e-12, maxit = 200))
}
sandwich <- function(fit, d) list(estimate = unname(fit$beta), std_error = sqrt(diag(fit$vbeta)))
for (link in c("identity", "log", "logit", "cloglog"))
  case(paste0("regression_", link), "lung", sprintf("regression(d, '%s', c(26, 52), seq_len(nrow(d)), 'survival')", link), sandwich)
case("regression_clustered", "lung", "regression(d, 'logit', c(26, 52), d$inst, 'survival')", sandwich)
for (link in c("identity", "log"))
  case(paste0("regression_mean_", link), "lung", sprintf("regression(d, '%s', 52, seq_len(nrow(d)), 'mean')", link), sandwich)

packages <- c("survival", "survRM2", "survMisc", "pseudo", "geepack", "prodlim")
versions <- as.list(c(R = R.version.string, sapply(packages, function(p) as.character(packageVersion(p)))))
write_json(list(versions = lapply(versions, unbox), inputs = lapply(hashes, unbox), cases = cases), args[2], digits = I(15), auto_unbox = FALSE, pretty = TRUE, na = "null")
