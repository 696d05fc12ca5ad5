# Reference values of offsets, penalties and shared frailty. From the repository's root, with a folder for inputs:
#   python tests/reference/reference_data.py INPUTS
#   Rscript tests/reference/r/cox.R INPUTS tests/reference/expected/cox.json
# coxphf (cran/coxphf 1.13.4) fits Firth's penalty with Breslow's ties; survival everything else.
suppressMessages({library(survival); library(coxphf); library(jsonlite)})
args <- commandArgs(trailingOnly = TRUE)
tight <- coxph.control(eps = 1e-12, toler.chol = 1e-14, iter.max = 100, outer.max = 100)
cases <- list(); inputs <- list()
read <- function(name) {
  inputs[[name]] <<- readLines(file.path(args[1], paste0(name, ".sha256")), warn = FALSE)
  read.csv(file.path(args[1], paste0(name, ".csv")))
}
lung <- read("lung"); weekly <- read("weekly"); separated <- read("separated"); shared <- read("shared"); kidney <- read("kidney")
weekly$z <- (weekly$id %% 5) / 4
error <- function(v) unname(sqrt(diag(v)))

plain <- function(name, fit) {
  naive <- if (is.null(fit$naive.var)) fit$var else fit$naive.var
  cases[[name]] <<- list(call = paste(deparse(fit$call), collapse = " "), estimate = unname(coef(fit)),
    std_error = error(fit$var), naive_error = error(naive), log_likelihood = fit$loglik[2], log_likelihood_null = fit$loglik[1],
    df = if (is.null(fit$df)) length(coef(fit)) else sum(fit$df))
}
for (ties in c("efron", "breslow")) {
  plain(paste0("offset_", ties), coxph(Surv(entry, exit, event) ~ x + treated + offset(z) + strata(place), weekly, ties = ties, control = tight))
  plain(paste0("offset_weighted_", ties),
        coxph(Surv(entry, exit, event) ~ x + treated + offset(z) + cluster(cluster), weekly, weights = pw, ties = ties, control = tight))
  plain(paste0("ridge_", ties), coxph(Surv(week, status) ~ ridge(age, sex, ecog, theta = 10), lung, ties = ties, control = tight))
}
plain("ridge_unscaled", coxph(Surv(week, status) ~ ridge(age, sex, ecog, theta = 10, scale = FALSE), lung, control = tight))
plain("ridge_some", coxph(Surv(entry, exit, event) ~ ridge(x, theta = 40) + treated + strata(place), weekly, control = tight))
plain("ridge_clustered", coxph(Surv(week, status) ~ ridge(age, sex, ecog, theta = 10) + cluster(inst), lung, control = tight))

firth <- function(name, formula, data) {
  fit <- coxphf(formula, data = data, maxit = 2000, maxhs = 50, gconv = 1e-06)
  cases[[name]] <<- list(call = paste(deparse(fit$call), collapse = " "), formula = deparse(formula), estimate = unname(fit$coefficients),
    std_error = error(fit$var), conf_low = unname(log(fit$ci.lower)), conf_high = unname(log(fit$ci.upper)), p_value = unname(fit$prob),
    penalised_ratio = 2 * diff(fit$loglik))
}
firth("firth_separated", Surv(entry, exit, event) ~ course + age, separated)
firth("firth_lung", Surv(week, status) ~ age + sex + ecog, lung)
firth("firth_one", Surv(entry, exit, event) ~ course, separated)

# The variance is searched for until eps is reached; the default leaves three digits.
frail <- function(name, fit) {
  p <- sum(!grepl("gamma", names(coef(fit)))); found <- fit$history[[1]]
  cases[[name]] <<- list(call = paste(deparse(fit$call), collapse = " "), estimate = unname(coef(fit)[seq_len(p)]),
    std_error = error(fit$var)[seq_len(p)], variance = found$theta, log_likelihood = found$c.loglik, log_likelihood_null = fit$loglik[1])
}
for (ties in c("efron", "breslow")) {
  frail(paste0("frailty_kidney_", ties),
        coxph(Surv(time, status) ~ age + sex + frailty(id, eps = 1e-10, sparse = FALSE), kidney, ties = ties, control = tight))
  frail(paste0("frailty_shared_", ties), coxph(Surv(start, stop, event) ~ x + arm + later + frailty(town, eps = 1e-10, sparse = FALSE),
                                               shared, ties = ties, control = tight))
}
frail("frailty_strata", coxph(Surv(start, stop, event) ~ x + arm + strata(place) + frailty(town, eps = 1e-10, sparse = FALSE), shared, control = tight))
frail("frailty_alone", coxph(Surv(start, stop, event) ~ frailty(town, eps = 1e-10, sparse = FALSE), shared, control = tight))
frail("frailty_lung", coxph(Surv(week, status) ~ age + sex + ecog + frailty(inst, eps = 1e-10, sparse = FALSE), lung, control = tight))

versions <- sprintf("%s, survival %s, coxphf %s", R.version.string, packageVersion("survival"), packageVersion("coxphf"))
write_json(list(versions = versions, inputs = inputs, cases = cases), args[2], auto_unbox = TRUE, digits = NA, pretty = 1)
