# Reference values of competing exits. From the repository's root, with a folder for the inputs:
#   python tests/reference/reference_data.py INPUTS
#   Rscript tests/reference/r/competing.R INPUTS tests/reference/expected/competing.json
# survival, cmprsk, jsonlite from Debian.
suppressMessages({library(survival); library(cmprsk); library(jsonlite)})
args <- commandArgs(trailingOnly = TRUE)
read <- function(name) read.csv(file.path(args[1], paste0(name, ".csv")))
hash <- function(name) readLines(file.path(args[1], paste0(name, ".sha256")), warn = FALSE)
weekly <- read("weekly"); mgus2 <- read("mgus2"); pbc <- read("pbc"); pbc$id <- seq_len(nrow(pbc))
cases <- list()
# The call is what a reader would write; the rows are its numbers.
keep <- function(name, call, rows) cases[[name]] <<- list(call = call, rows = rows)
table_of <- function(term, estimate, std_error = NA, group = "", time_weeks = NA)
  data.frame(term = term, group = group, time_weeks = time_weeks, estimate = estimate, std_error = std_error)
start <- weekly[weekly$entry == 0, ]
# crr and cuminc let censorings of a time precede its events, where the latter come first: half a week apart they do not.
late <- function(time, cause) time + 0.5 * (cause == 0)

# Gray's test
tests <- function(name, call, fit) {
  t <- fit$Tests
  keep(name, call, data.frame(term = "gray", group = rownames(t), time_weeks = NA, estimate = t[, "stat"], p_value = t[, "pv"], df = t[, "df"]))
}
tests("gray_weekly", "cuminc(exit, cause, place)", cuminc(start$exit, start$cause, start$place))
tests("gray_weekly_rho", "cuminc(exit, cause, place, rho = 1)", cuminc(start$exit, start$cause, start$place, rho = 1))
tests("gray_weekly_within", "cuminc(exit, cause, place, strata = treated)", cuminc(start$exit, start$cause, start$place, strata = start$treated))
many <- start[rep(seq_len(nrow(start)), start$k), ]
tests("gray_weekly_count", "cuminc(exit, cause, place) on rows k times", cuminc(many$exit, many$cause, many$place))
tests("gray_mgus2", "cuminc(months, cause, sex)", cuminc(mgus2$months, mgus2$cause, mgus2$sex))
tests("gray_pbc", "cuminc(week, cause, trt, rho = 0.5)", cuminc(pbc$week, pbc$cause, pbc$trt, rho = 0.5))

# Fine and Gray on the rows of finegray: weights of the censoring as known
expanded <- function(name, call, formula, rows, model, ties, cluster = "id") {
  f <- finegray(formula, data = rows, etype = 1, id = id)
  f$unit <- f[[cluster]]; fit <- coxph(model, f, weights = fgwt, ties = ties, cluster = unit)
  keep(name, call, table_of(names(coef(fit)), unname(coef(fit)), sqrt(diag(fit$var)), group = "1"))
}
fg <- Surv(fgstart, fgstop, fgstatus) ~ x + treated
entering <- Surv(entry, exit, factor(cause)) ~ .
for (ties in c("breslow", "efron")) {
  tail <- sprintf(", ties = '%s', cluster = id)", ties)
  expanded(paste0("fg_entry_", ties), paste0("coxph(finegray(Surv(entry, exit, cause))", tail), entering, weekly, fg, ties)
  expanded(paste0("fg_mgus2_", ties), paste0("coxph(finegray(Surv(months, cause))", tail), Surv(months, factor(cause)) ~ ., mgus2,
           Surv(fgstart, fgstop, fgstatus) ~ sex + age, ties)
}
expanded("fg_mgus2_age", "coxph(finegray(Surv(entry, exit, cause)) on the age scale, breslow", entering, mgus2,
         Surv(fgstart, fgstop, fgstatus) ~ sex + age, "breslow")
expanded("fg_cluster", "coxph(finegray(Surv(entry, exit, cause)), cluster = cluster), breslow", entering, weekly, fg, "breslow", "cluster")
# Censoring by stratum and one baseline is crr's cengroup, below: finegray's rows cover the events of the own stratum only.
expanded("fg_both", "coxph(finegray(~ . + strata(place)) ~ . + strata(place)), efron", Surv(entry, exit, factor(cause)) ~ . + strata(place),
         weekly, Surv(fgstart, fgstop, fgstatus) ~ x + treated + strata(place), "efron")
expanded("fg_baseline", "coxph(finegray(...) ~ . + strata(place)), efron", entering, weekly,
         Surv(fgstart, fgstop, fgstatus) ~ x + treated + strata(place), "efron")
# finegray leaves weights out of the censoring distribution: rows a hundred times their weight put them in.
heavy <- weekly[rep(seq_len(nrow(weekly)), round(10 * weekly$pw)), ]; heavy$row <- seq_len(nrow(heavy))
f <- finegray(entering, data = heavy, etype = 1, id = row)
fit <- coxph(fg, f, weights = fgwt, ties = "breslow", cluster = id)
keep("fg_weighted", "coxph(finegray(...), cluster = id) on rows 10 x weight times, breslow", table_of(names(coef(fit)), unname(coef(fit)), sqrt(diag(fit$var)), group = "1"))
counted <- weekly[rep(seq_len(nrow(weekly)), weekly$k), ]; counted$id <- seq_len(nrow(counted))
expanded("fg_count", "coxph(finegray(...), cluster = id) on rows k times, efron", entering, counted, fg, "efron")

# Fine and Gray by crr: errors with the part of the estimated censoring distribution
by_crr <- function(name, call, fit) keep(name, call, table_of(names(fit$coef), unname(fit$coef), sqrt(diag(fit$var)), group = "1"))
x <- as.matrix(start[, c("x", "treated")])
crr_weekly <- crr(late(start$exit, start$cause), start$cause, x, gtol = 1e-10)
by_crr("crr_weekly", "crr(exit + 0.5 (cause == 0), cause, cbind(x, treated))", crr_weekly)
m <- cbind("sex[M]" = as.numeric(mgus2$sex == "M"), age = mgus2$age)
by_crr("crr_mgus2", "crr(months + 0.5 (cause == 0), cause, cbind(sex, age))", crr(late(mgus2$months, mgus2$cause), mgus2$cause, m, gtol = 1e-10))
fit <- crr(late(start$exit, start$cause), start$cause, x, gtol = 1e-10, cengroup = start$place)
keep("crr_cengroup", "crr(..., cengroup = place)", table_of(names(fit$coef), unname(fit$coef), group = "1"))
# Nobody is censored: who left otherwise stays at risk for good, whatever the groups of censoring. crr(cengroup = ) drops
# them after the last exit of their group, so its answer depends on the groups.
settled <- start[start$cause > 0, ]
fit <- coxph(Surv(ifelse(cause == 1, exit, 1000), cause == 1) ~ x + treated, settled, ties = "breslow", robust = TRUE)
keep("fg_settled", "coxph(Surv(ifelse(cause == 1, exit, 1000), cause == 1) ~ x + treated, robust = TRUE) of those with an exit",
     table_of(names(coef(fit)), unname(coef(fit)), sqrt(diag(fit$var)), group = "1"))

# Predicted incidence of the subdistribution
weeks <- c(5, 20, 50)
profiles <- data.frame(x = c(-1, 0.5), treated = c(0, 1)); rownames(profiles) <- c("low", "high")
p <- predict(crr_weekly, as.matrix(profiles)); at <- p[findInterval(weeks, p[, 1]), -1]
keep("predict_crr", "predict(crr(...), cov1 = profiles)", table_of("1", c(at), group = rep(rownames(profiles), each = 3), time_weeks = weeks))
f <- finegray(entering, data = weekly, etype = 1, id = id)
fit <- coxph(fg, f, weights = fgwt, ties = "efron"); s <- summary(survfit(fit, newdata = profiles), times = weeks)
keep("predict_fg", "survfit(coxph(finegray(Surv(entry, exit, cause)))), newdata = profiles)",
     table_of("1", c(1 - s$surv), group = rep(rownames(profiles), each = 3), time_weeks = weeks))

# Cause-specific hazards and the incidence that they imply
states <- function(ties, d = weekly, w = rep(1, nrow(d)), ...) {
  d$w <- w
  coxph(Surv(entry, exit, factor(cause)) ~ x + treated, d, id = id, weights = w, ties = ties, ...)
}
curves <- function(fit) {
  s <- survfit(fit, newdata = profiles)
  at <- s$pstate[findInterval(weeks, s$time), , , drop = FALSE]
  table_of(rep(c("survival", "1", "2", "3"), each = length(weeks) * nrow(profiles)), c(at),
           group = rep(rep(rownames(profiles), each = length(weeks)), 4), time_weeks = weeks)
}
fit <- states("breslow"); b <- coef(fit, matrix = TRUE)
keep("cs_breslow", "coxph(Surv(entry, exit, cause) ~ x + treated, id = id, ties = 'breslow')",
     table_of(rep(rownames(b), ncol(b)), c(b), sqrt(diag(fit$var)), group = rep(c("1", "2", "3"), each = nrow(b))))
keep("cs_predict_breslow", "survfit(coxph(Surv(entry, exit, cause) ~ x + treated), newdata = profiles)", curves(fit))
# A multi-state coxph takes Breslow's ties only: Efron's one cause at a time.
by_cause <- function(d, ties) function(one) { d$own <- d$cause == one; coxph(Surv(entry, exit, own) ~ x + treated, d, ties = ties, cluster = id) }
fits <- lapply(1:3, by_cause(weekly, "efron"))
keep("cs_efron", "coxph(Surv(entry, exit, cause == k) ~ x + treated, cluster = id)",
     table_of(rep(c("x", "treated"), 3), c(sapply(fits, coef)), c(sapply(fits, function(f) sqrt(diag(f$var)))), group = rep(c("1", "2", "3"), each = 2)))
# Incidence of the hazards at each time.
incidence_of <- function(h, times) {
  all <- rowSums(h); before <- exp(-c(0, cumsum(all)[-length(all)]))
  f <- apply(before * (1 - exp(-all)) * h / ifelse(all > 0, all, 1), 2, cumsum)
  c(exp(-cumsum(all))[findInterval(weeks, times)], f[findInterval(weeks, times), ])
}
rows <- do.call(rbind, lapply(rownames(profiles), function(name) {
  s <- lapply(fits, function(f) survfit(f, newdata = profiles[name, ]))
  h <- sapply(s, function(v) diff(c(0, v$cumhaz)))
  table_of(rep(c("survival", "1", "2", "3"), each = length(weeks)), incidence_of(h, s[[1]]$time), group = name, time_weeks = weeks)
}))
keep("cs_predict_efron", "increments of survfit(coxph(Surv(entry, exit, cause == k) ~ x + treated), newdata = profiles)", rows)
# survfit gives no errors here. By influence: the derivative of its estimates by each person's weight.
few <- weekly[weekly$place == 0 & weekly$id %% 2 == 0, ]
moved <- function(i, step) curves(states("breslow", few, 1 + step * (seq_len(nrow(few)) == i)))$estimate
slope <- sapply(seq_len(nrow(few)), function(i) (moved(i, 1e-4) - moved(i, -1e-4)) / 2e-4)
rows <- curves(states("breslow", few)); rows$std_error <- sqrt(rowSums(slope^2))
keep("cs_predict_influence", "derivatives of survfit(coxph(...)) by weights, squared and summed", rows)
# By the delta method: Breslow's hazards of each cause with variance d / S0^2, and coefficients with their naive covariance.
delta <- function(d, z) {
  fits <- lapply(1:3, by_cause(d, "breslow"))
  times <- sort(unique(d$exit[d$cause > 0])); X <- as.matrix(d[, c("x", "treated")])
  hazards <- function(b) sapply(1:3, function(k) sapply(times, function(t) {
    at <- d$entry < t & d$exit >= t
    sum(d$exit == t & d$cause == k) / sum(exp(X[at, , drop = FALSE] %*% b[, k]))
  }))
  variances <- sapply(1:3, function(k) sapply(times, function(t) {
    at <- d$entry < t & d$exit >= t
    sum(d$exit == t & d$cause == k) / sum(exp(X[at, , drop = FALSE] %*% coef(fits[[k]])))^2
  }))
  incidence <- function(h, b) incidence_of(h * rep(exp(c(z %*% b)), each = length(times)), times)
  b <- sapply(fits, coef); h <- hazards(b); step <- 1e-5
  by_hazard <- sapply(which(variances > 0), function(i) { e <- h * 0; e[i] <- step; (incidence(h + e, b) - incidence(h - e, b)) / (2 * step) })
  by_beta <- sapply(seq_along(b), function(i) { e <- b * 0; e[i] <- step; (incidence(hazards(b + e), b + e) - incidence(hazards(b - e), b - e)) / (2 * step) })
  cov <- matrix(0, 6, 6); for (k in 1:3) cov[2 * k - 1:0, 2 * k - 1:0] <- fits[[k]]$naive.var
  table_of(rep(c("survival", "1", "2", "3"), each = length(weeks)), incidence(h, b), group = "low", time_weeks = weeks,
           sqrt(by_hazard^2 %*% variances[variances > 0] + rowSums((by_beta %*% cov) * by_beta)))
}
keep("cs_predict_delta", "delta method written out on coxph(..., ties = 'breslow')", delta(weekly, as.matrix(profiles)[1, ]))

# Weeks lost: the area under survfit's states, with the squared influence of each person on it
lost <- function(d, formula, horizon) {
  s <- survfit(formula, d, id = id, influence = 2)
  at <- s$time < horizon; width <- diff(c(0, s$time[at], horizon)); u <- s$influence.pstate[, -1, ]  # its first time is 0
  inf <- apply(u[, at, , drop = FALSE], 3, function(v) v %*% width[-1])
  table_of(c("restricted_mean", sprintf("time_lost[%s]", s$states[-1])), summary(s, rmean = horizon)$table[, "rmean"], sqrt(colSums(inf^2)),
           time_weeks = horizon)
}
keep("lost_weekly", "summary(survfit(Surv(entry, exit, cause) ~ 1, id = id), rmean = 60)", lost(weekly, Surv(entry, exit, factor(cause)) ~ 1, 60))
by_sex <- lapply(c("F", "M"), function(g) cbind(lost(mgus2[mgus2$sex == g, ], Surv(months, factor(cause)) ~ 1, 120), sex = g))
rows <- do.call(rbind, by_sex); rows$group <- rows$sex; rows$sex <- NULL
change <- table_of(sub("(\\[|$)", "_difference\\1", by_sex[[1]]$term), by_sex[[2]]$estimate - by_sex[[1]]$estimate,
                   sqrt(by_sex[[1]]$std_error^2 + by_sex[[2]]$std_error^2), group = "M", time_weeks = 120)
keep("lost_mgus2", "summary(survfit(Surv(months, cause) ~ sex), rmean = 120)", rbind(rows, change))

versions <- sprintf("%s, survival %s, cmprsk %s", R.version.string, packageVersion("survival"), packageVersion("cmprsk"))
inputs <- list(weekly = hash("weekly"), mgus2 = hash("mgus2"), pbc = hash("pbc"))
write(toJSON(list(versions = versions, inputs = inputs, cases = cases), digits = 15, auto_unbox = TRUE, dataframe = "columns", na = "null"), args[2])
