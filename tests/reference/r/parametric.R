# Rscript tests/reference/r/parametric.R > tests/reference/expected/parametric.csv
library(survival)
cat(sprintf("# %s, survival %s; data: survival::lung\n", R.version.string, packageVersion("survival")))
cat("# survreg(Surv(time, status == 2) ~ age + sex, lung, dist, control = list(rel.tolerance = 1e-14))\n")
cat("distribution,term,estimate,std_error,log_likelihood\n")
for (dist in c("weibull", "lognormal")) {
  fit <- survreg(Surv(time, status == 2) ~ age + sex, lung, dist = dist, control = list(rel.tolerance = 1e-14))
  value <- c(coef(fit), log(fit$scale))
  term <- c(names(coef(fit)), "log(scale)")
  cat(sprintf("%s,%s,%.15g,%.15g,%.15g\n", dist, term, value, sqrt(diag(vcov(fit))), fit$loglik[2]), sep = "")
}
