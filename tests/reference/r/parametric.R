# Reference values of the parametric models. From the repository's root, with a folder for the inputs:
#   python tests/reference/reference_data.py INPUTS
#   Rscript tests/reference/r/parametric.R INPUTS > tests/reference/expected/parametric.csv
# survreg where there is no truncation. Elsewhere flexsurv: its optimiser stops early and its Hessian is a coarse
# difference, so the log likelihood made of its densities is maximised further here, by Newton's method on numDeriv's
# derivatives. Terms "fit" hold the log likelihood that flexsurvreg, flexsurvspline or flexsurvcure itself reached.
suppressMessages({library(flexsurv); library(flexsurvcure); library(numDeriv)})
inputs <- commandArgs(trailingOnly = TRUE)[1]
cat(sprintf("# %s, survival %s, flexsurv %s, flexsurvcure %s, numDeriv %s\n", R.version.string, packageVersion("survival"),
            packageVersion("flexsurv"), packageVersion("flexsurvcure"), packageVersion("numDeriv")))
data <- list()
for (name in c("heart", "lung", "mgus2", "movers", "recurrence", "veteran", "weekly")) {
  data[[name]] <- read.csv(file.path(inputs, paste0(name, ".csv")))
  cat(sprintf("# input: %s %s\n", name, readLines(file.path(inputs, paste0(name, ".sha256")), warn = FALSE)))
}
cat("case,term,estimate,std_error\n")
keep <- function(case, term, estimate, std_error = NA)
  cat(sprintf("%s,%s,%.15g,%.15g\n", case, term, as.numeric(estimate), as.numeric(std_error)), sep = "")

# survreg --------------------------------------------------------------------------------------------------------
# vcov of survreg with weights and cluster leaves the weights out of the residuals that it squares (rows repeated by
# a whole weight show it): here the sandwich is made of its weighted residuals.
regression <- function(case, formula, d, weights = NULL, cluster = NULL) for (dist in c("exponential", "weibull", "lognormal", "loglogistic")) {
  fit <- do.call(survreg, list(formula, d, dist = dist, weights = weights,
                               control = list(rel.tolerance = 1e-15, maxiter = 100)))
  V <- if (is.null(cluster)) vcov(fit)
       else crossprod(rowsum(as.matrix(residuals(fit, "dfbeta", weighted = TRUE)), cluster))
  value <- c(coef(fit), if (dist != "exponential") log(fit$scale))
  name <- paste(case, dist, sep = "_")
  keep(name, c(names(coef(fit)), if (dist != "exponential") "log(scale)"), value, sqrt(diag(V)))
  keep(name, "log_likelihood", fit$loglik[2])
  if (case == "lung") {
    q <- predict(fit, data.frame(age = 60, sex = 2), type = "uquantile", p = c(0.25, 0.5, 0.75), se.fit = TRUE)
    keep(name, paste0("log_quantile[", c(0.25, 0.5, 0.75), "]"), q$fit, q$se.fit)
  }
}
regression("lung", Surv(time, status) ~ age + sex, data$lung)
regression("veteran", Surv(time, status) ~ trt + karno + age, data$veteran)
regression("lung_clustered", Surv(time, status) ~ age + sex, data$lung, weights = data$lung$pw, cluster = data$lung$inst)

# log S and log f of flexsurv's distributions: location eta, shapes a ----------------------------------------------
inside <- function(d, p) list(f = d, s = p)
families <- list(
  exponential = inside(function(t, eta, a) dexp(t, exp(-eta), log = TRUE),
                       function(t, eta, a) pexp(t, exp(-eta), lower.tail = FALSE, log.p = TRUE)),
  weibull = inside(function(t, eta, a) dweibull(t, exp(-a), exp(eta), log = TRUE),
                   function(t, eta, a) pweibull(t, exp(-a), exp(eta), lower.tail = FALSE, log.p = TRUE)),
  lognormal = inside(function(t, eta, a) dlnorm(t, eta, exp(a), log = TRUE),
                     function(t, eta, a) plnorm(t, eta, exp(a), lower.tail = FALSE, log.p = TRUE)),
  loglogistic = inside(function(t, eta, a) dllogis(t, exp(-a), exp(eta), log = TRUE),
                       function(t, eta, a) pllogis(t, exp(-a), exp(eta), lower.tail = FALSE, log.p = TRUE)),
  gompertz = inside(function(t, eta, a) dgompertz(t, a, exp(eta), log = TRUE),
                    function(t, eta, a) pgompertz(t, a, exp(eta), lower.tail = FALSE, log.p = TRUE)),
  generalised_gamma = inside(function(t, eta, a) dgengamma(t, eta, exp(a[1]), a[2], log = TRUE),
                             function(t, eta, a) pgengamma(t, eta, exp(a[1]), a[2], lower.tail = FALSE, log.p = TRUE)))
spline <- function(scale, knots) {
  values <- function(t, eta, a, what) {
    gamma <- cbind(eta, matrix(a, length(t), length(a), byrow = TRUE))
    if (what == "f") dsurvspline(t, gamma, knots = knots, scale = scale, log = TRUE)
    else psurvspline(t, gamma, knots = knots, scale = scale, lower.tail = FALSE, log.p = TRUE)
  }
  inside(function(t, eta, a) values(t, eta, a, "f"), function(t, eta, a) values(t, eta, a, "s"))
}
plain <- function(X, n_shapes) function(par) list(eta = drop(X %*% par[1:ncol(X)]), a = par[-(1:ncol(X))])
contributions <- function(par, family, split, d) {
  p <- split(par)
  out <- ifelse(d$event == 1, family$f(d$exit, p$eta, p$a), family$s(d$exit, p$eta, p$a))
  late <- d$entry > 0
  out[late] <- out[late] - family$s(d$entry[late], p$eta[late], p$a)
  out
}
# Newton's method on numerical derivatives, from where flexsurv stopped; the last ones are taken on the scale of the
# errors (par + root u, steps of a tenth of an error), where numDeriv is exact to about 1e-8.
finish <- function(start, rows, weights, cluster = NULL) {
  total <- function(par) sum(weights * rows(par))
  par <- start
  even <- list(eps = 0.1, zero.tol = 1, r = 6)
  for (step in 1:12) {
    g <- grad(total, par); H <- hessian(total, par)
    change <- -solve(H, g)
    while (!is.finite(total(par + change)) || total(par + change) < total(par) - 1e-9) change <- change / 2
    par <- par + change
    if (sum(g * change) < 1e-13) break
  }
  for (step in 1:3) {
    root <- t(chol(solve(-hessian(total, par))))
    white <- function(u) total(par + drop(root %*% u))
    H <- hessian(white, rep(0, length(par)), method.args = even)
    par <- par + drop(root %*% solve(-H, grad(white, rep(0, length(par)), method.args = even)))
  }
  V <- root %*% solve(-H) %*% t(root)
  if (!is.null(cluster)) {
    scores <- jacobian(function(u) rows(par + drop(root %*% u)), rep(0, length(par)), method.args = even)
    U <- rowsum(weights * scores, cluster)
    V <- root %*% solve(-H, crossprod(U)) %*% solve(-H) %*% t(root)
  }
  list(par = par, V = V, value = total(par))
}
save <- function(case, terms, fit, own) {
  keep(case, terms, fit$par, sqrt(diag(fit$V)))
  keep(case, c("log_likelihood", "fit"), c(fit$value, own))
}
flex <- c(exponential = "exp", weibull = "weibull", lognormal = "lnorm", loglogistic = "llogis", gompertz = "gompertz",
          generalised_gamma = "gengamma")
shapes <- list(exponential = NULL, weibull = "log(scale)", lognormal = "log(scale)", loglogistic = "log(scale)",
               gompertz = "shape", generalised_gamma = c("log(scale)", "Q"))
# flexsurv's parameters (on the real line) in the order and form of the families above.
reorder <- function(fit, name) {
  v <- fit$res.t[, "est"]; k <- length(shapes[[name]]); b <- names(v) %in% fit$covdata$covnames
  switch(name, exponential = -v, weibull = c(v["scale"], v[b], -v["shape"]), lognormal = c(v["meanlog"], v[b], v["sdlog"]),
         loglogistic = c(v["scale"], v[b], -v["shape"]), gompertz = c(v["rate"], v[b], v["shape"]),
         generalised_gamma = c(v["mu"], v[b], v["sigma"], v["Q"]))
}
tight <- list(reltol = 1e-15, maxit = 20000)
parametric <- function(case, d, x, names = base::names(flex), weights = rep(1, nrow(d)), cluster = NULL) {
  d$w <- weights
  formula <- reformulate(x, quote(Surv(entry, exit, event)))
  X <- model.matrix(reformulate(x), d)
  for (name in names) {
    # flexsurv's own fit of the generalised gamma may fail to start: then from its Weibull.
    fit <- tryCatch(suppressWarnings(flexsurvreg(formula, data = d, weights = w, dist = flex[[name]], control = tight)),
                    error = function(e) NULL)
    start <- if (is.null(fit)) c(reorder(flexsurvreg(formula, data = d, weights = w, dist = "weibull"), "weibull"), 1)
             else reorder(fit, name)
    rows <- function(par) contributions(par, families[[name]], plain(X), d)
    save(paste(case, name, sep = "_"), c(colnames(X), shapes[[name]]), finish(unname(start), rows, weights, cluster),
         if (is.null(fit)) NA else fit$loglik)
  }
}
w <- data$weekly
parametric("weekly", w, c("x", "treated"))
parametric("weekly_weighted", w, c("x", "treated"), weights = w$pw, cluster = w$cluster)
parametric("weekly_cause", transform(w, event = as.numeric(cause == 2)), c("x", "treated"))
parametric("weekly_count", w[rep(seq_len(nrow(w)), w$k), ], c("x", "treated"), c("weibull", "generalised_gamma"))
parametric("mgus2", transform(data$mgus2, event = as.numeric(cause == 2), male = as.numeric(sex == "M")), "male")
h <- transform(data$heart, entry = start, exit = stop)
parametric("heart", h, c("age", "year", "transplant"), c("exponential", "weibull", "gompertz"), cluster = h$id)

# splines ----------------------------------------------------------------------------------------------------------
splines <- function(case, d, x, k, scales = c("hazard", "odds", "normal"), weights = rep(1, nrow(d)), cluster = NULL) {
  # flexsurvspline would weigh the events that place knots, roughly (weights rounded to counts); here they count once.
  log_weeks <- log(d$exit[d$event == 1])
  d$w <- weights
  X <- model.matrix(reformulate(x), d)
  for (scale in scales) {
    fit <- flexsurvspline(reformulate(x, quote(Surv(entry, exit, event))), data = d, weights = w, scale = scale,
                          knots = quantile(log_weeks, 1:k / (k + 1)), bknots = range(log_weeks), control = tight)
    v <- fit$res.t[, "est"]; b <- seq_len(k + 2)
    rows <- function(par) contributions(par, spline(scale, fit$knots), plain(X), d)
    save(paste(case, scale, sep = "_"), c("gamma0", colnames(X)[-1], paste0("gamma", 1:(k + 1))),
         finish(unname(c(v[1], v[-b], v[b][-1])), rows, weights, cluster), fit$loglik)
    keep(paste(case, scale, sep = "_"), paste0("knot", seq_along(fit$knots)), fit$knots)
  }
}
splines("spline_lung", transform(data$lung, entry = 0, exit = time, event = status), c("age", "sex"), 2)
splines("spline_weekly", w, c("x", "treated"), 3)
splines("spline_weighted", w, c("x", "treated"), 2, "hazard", w$pw, w$cluster)
splines("spline_count", w[rep(seq_len(nrow(w)), w$k), ], c("x", "treated"), 2, "hazard")
splines("spline_mgus2", transform(data$mgus2, event = as.numeric(cause == 2), male = as.numeric(sex == "M")), "male", 1)
splines("spline_heart", h, c("age", "transplant"), 1, "hazard", cluster = h$id)

# mixture cure: incidence on the log odds of not being cured --------------------------------------------------------
cure <- function(case, d, x, cluster = NULL, both = TRUE) for (name in c("weibull", "lognormal")) {
  X <- model.matrix(reformulate(x), d); p <- ncol(X); Z <- if (both) X else X[, 1, drop = FALSE]; q <- ncol(Z)
  base <- families[[name]]
  split <- function(par) list(eta = cbind(drop(Z %*% par[1:q]), drop(X %*% par[q + 1:p])), a = par[p + q + 1])
  mixed <- list(
    f = function(t, eta, a) plogis(eta[, 2], log.p = TRUE) + base$f(t, eta[, 1], a),
    s = function(t, eta, a) log(plogis(-eta[, 2]) + plogis(eta[, 2]) * exp(base$s(t, eta[, 1], a))))
  rows <- function(par) {
    v <- split(par); late <- d$entry > 0
    out <- ifelse(d$event == 1, mixed$f(d$exit, v$eta, v$a), mixed$s(d$exit, v$eta, v$a))
    out[late] <- out[late] - mixed$s(d$entry[late], v$eta[late, , drop = FALSE], v$a)
    out
  }
  # flexsurvcure has covariates in the incidence alone; with them in both parts, and at times otherwise, it fails.
  begin <- if (name == "weibull") c(0.5, 1, mean(d$exit)) else c(0.5, log(mean(d$exit)), 1)
  fit <- if (!both) tryCatch(
    flexsurvcure(reformulate(x, quote(Surv(entry, exit, event))), data = d, dist = flex[[name]], link = "logistic",
                 inits = c(begin, rep(0, length(x))), control = tight), error = function(e) NULL)
  start <- c(log(mean(d$exit[d$event == 1])), rep(0, q - 1), 0, rep(0, p - 1), 0)
  own <- optim(start, function(par) -sum(rows(par)), method = "BFGS", control = tight)
  save(paste(case, name, sep = "_"), c(colnames(Z), paste0("incidence:", colnames(X)), "log(scale)"),
       finish(own$par, rows, rep(1, nrow(d)), cluster), if (is.null(fit)) NA else fit$loglik)
}
cure("cure_recurrence", transform(data$recurrence, entry = 0, exit = years, event = status), c("age", "nodes"))
cure("cure_incidence", transform(data$recurrence, entry = 0, exit = years, event = status), c("age", "nodes"), both = FALSE)
cure("cure_movers", data$movers, "x")
cure("cure_clustered", data$movers, "x", data$movers$cluster)

# means and survival of a profile, errors by the delta method on numDeriv's gradient ---------------------------------
predicted <- function(case, d, x, profile, names, horizon = 100) {
  X <- model.matrix(reformulate(x), d); last <- max(d$exit)
  for (name in names) {
    fit <- flexsurvreg(reformulate(x, quote(Surv(entry, exit, event))), data = d, dist = flex[[name]], control = tight)
    rows <- function(par) contributions(par, families[[name]], plain(X), d)
    best <- finish(unname(reorder(fit, name)), rows, rep(1, nrow(d)))
    S <- function(par) function(t) exp(families[[name]]$s(t, sum(profile * par[1:ncol(X)]), par[-(1:ncol(X))]))
    area <- function(par, from, to) integrate(S(par), from, to, rel.tol = 1e-11, subdivisions = 5000)$value
    beyond <- function(par) { b <- area(par, last, Inf); b / (area(par, 0, last) + b) }
    asked <- list(survival = function(par) S(par)(horizon), restricted_mean = function(par) area(par, 0, horizon),
                  mean = function(par) area(par, 0, last) + area(par, last, Inf), share_beyond = beyond)
    for (term in base::names(asked)) {
      g <- grad(asked[[term]], best$par)
      keep(paste(case, name, sep = "_"), term, asked[[term]](best$par), sqrt(g %*% best$V %*% g))
    }
  }
}
predicted("predicted", w, c("x", "treated"), c(1, 0.5, 1), names(flex))
