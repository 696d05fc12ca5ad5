# Models of time and of pseudo-observations with everything at once, and what they predict. From the repository's root:
#   python tests/reference/reference_data.py INPUTS
#   Rscript tests/reference/r/combined_models.R INPUTS tests/reference/expected/combined_models.json   (two minutes)
# Likelihoods of splines and cure are written out here and maximised by Newton's method on numDeriv's derivatives; errors
# of predictions are the delta method on its gradients.
source("tests/reference/r/cases.R")
suppressMessages({library(numDeriv); library(geepack)})
tight <- glm.control(epsilon = 1e-13, maxit = 100)
weeks_of <- function(d) {
  last <- min(tapply(d$exit, d$place, max)) - 1; first <- max(tapply(d$exit[d$event == 1], d$place[d$event == 1], min))
  t <- sort(unique(d$exit[d$event == 1])); t <- t[t >= first & t <= max(last, first)]
  unique(t[ceiling(length(t) * c(0.3, 0.6, 1))])
}
# Errors of functions of parameters by the delta method.
delta <- function(f, b, V) { g <- jacobian(f, b); sqrt(pmax(rowSums((g %*% V) * g), 0)) }

# A fit with x divided by unit, as if it were not.
model <- function(f, unit) {
  by <- c(1 / unit, rep(1, length(coef(f)) - 1))
  list(estimate = coef(f) * by, std_error = errors_of(f$var) * by, naive_error = errors_of(f$naive.var) * by, log_likelihood = f$loglik)
}

# Effects of Cox's model that change, with strata, offset, weights, late entry and clusters --------------------------
changing <- function(name, d) {
  weeks <- weeks_of(d); d$z <- (d$id %% 5) / 4; cut <- weeks[-length(weeks)]; if (!length(cut)) cut <- weeks[1] - 1
  unit <- sd(d$x); d$x <- d$x / unit; x <- unname(quantile(d$x, 0.7, type = 1)); places <- sort(unique(d$place))
  split <- function(d, at) { s <- survSplit(Surv(entry, exit, event) ~ ., d, cut = at, episode = "step"); s }
  for (ties in c("efron", "breslow")) {
    s <- split(d, cut); names <- paste0("treated", seq_len(length(cut) + 1)); for (k in seq_along(names)) s[[names[k]]] <- s$treated * (s$step == k)
    formula <- as.formula(paste("Surv(entry, exit, event) ~ x +", paste(names, collapse = "+"), "+ offset(z) + strata(place)"))
    fit <- function(w, control = exact, ...) { s$w <- w[match(s$id, d$id)]; environment(formula) <- environment(); coxph(formula, s, weights = w, ties = ties, control = control, ...) }
    f <- fit(d$pw, cluster = s$cluster); 
    # Not where a step has one event week: within it nothing can change.
    zph <- if (name != "crowded") list(zph = cox.zph(fit(d$pw, robust = FALSE), "identity", terms = FALSE)$table[, "chisq"])
    keep(paste0("steps_", ties), name, "coxph on survSplit rows: x + treated by step + offset(z) + strata(place), weights = pw, cluster = cluster; cox.zph(., 'identity')",
         c(list(cut = cut), zph, model(f, unit)))
    new <- function(p) { rows <- data.frame(entry = c(0, cut), exit = c(cut, max(weeks)), event = 0, x = x, place = p, z = 0, id = 1); for (k in seq_along(names)) rows[[names[k]]] <- as.numeric(seq_along(names) == k); rows[rows$exit > rows$entry, ] }
    path <- function(f, what = "surv") unlist(lapply(places, function(p) { g <- survfit(f, newdata = new(p), id = id); g[[what]][findInterval(weeks, g$time)] }))
    surv <- function(w) path(fit(w, robust = FALSE, init = coef(f)))
    # survfit's own errors of a path are not those of the delta method: those of the hazards with the coefficients known
    # add up over the steps, and those of the coefficients follow from the derivative of the whole.
    known <- f; known$var[] <- 0; ends <- c(cut, max(weeks))
    own <- unlist(lapply(places, function(p) { rows <- new(p); rows$id <- NULL
      v <- sapply(seq_len(nrow(rows)), function(k) { g <- survfit(known, newdata = rows[k, ]); e <- c(0, g$std.err^2); at <- function(t) e[findInterval(t, g$time) + 1]; at(pmax(pmin(weeks, rows$exit[k]), rows$entry[k])) - at(rows$entry[k]) })
      rowSums(matrix(v, length(weeks))) }))
    hazard <- function(b) path(fit(d$pw, robust = FALSE, init = b, control = coxph.control(iter.max = 0)), "cumhaz")
    g <- jacobian(hazard, coef(f)); error <- surv(d$pw) * sqrt(own + rowSums((g %*% f$var) * g))
    keep(paste0("steps_curve_", ties), name, "survfit of it, newdata with id: a treated person, place by place; delta method and derivatives by the clusters' weights",
         list(cut = cut, weeks = weeks, estimate = surv(d$pw), std_error = error, influence_error = influence_error(surv, d$pw, d$cluster)))
    s <- split(d, sort(unique(d$exit[d$event == 1]))); s$moving <- s$treated * log(s$exit)
    f <- coxph(Surv(entry, exit, event) ~ x + treated + moving + offset(z) + strata(place), s, weights = pw, cluster = cluster, ties = ties, control = exact)
    keep(paste0("function_", ties), name, "the same with treated + treated * log(week)", model(f, unit))
  }
}
frailties <- function() {
  d <- read_frame("shared"); d$k <- d$id %% 3 + 1; d <- d[rep(seq_len(nrow(d)), d$k), ]
  for (ties in c("efron", "breslow")) {
    f <- coxph(Surv(start, stop, event) ~ x + arm + strata(place) + frailty(town, eps = 1e-10, sparse = FALSE), d, ties = ties, control = coxph.control(eps = 1e-12, toler.chol = 1e-14, iter.max = 100, outer.max = 100))
    keep(paste0("frailty_", ties), "shared", "coxph(Surv(start, stop, event) ~ x + arm + strata(place) + frailty(town, eps = 1e-10, sparse = FALSE)) on rows id %% 3 + 1 times",
         list(near = coef(f)[1:2], near_error = errors_of(f$var)[1:2], log_likelihood = f$history[[1]]$c.loglik))
  }
}

# Weekly hazards and rates: places 0 to 2, each with steps of its own ------------------------------------------------
sandwich_of <- function(fit, X, w, unit) {
  bread <- vcov(fit) / summary(fit)$dispersion; u <- rowsum(X * residuals(fit, "working") * weights(fit, "working"), unit)
  bread %*% crossprod(u) %*% bread
}
hazards <- function(name, d) {
  d <- d[d$place < 3, ]; weeks <- weeks_of(d); cut <- weeks[1]; x <- unname(quantile(d$x, 0.7, type = 1)); unit <- sd(d$x)
  for (cause in c("any", "2")) for (link in c("cloglog", "logit")) {
    d$hit <- if (cause == "2") as.numeric(d$cause == 2) else d$event
    # A step without events has no finite term.
    if (any(table(factor(d$place[d$hit == 1]), d$exit[d$hit == 1] > cut) == 0)) next
    n <- d$exit - d$entry; w <- d[rep(seq_len(nrow(d)), n), ]; w$t <- w$entry + sequence(n); w$y <- as.numeric(w$t == w$exit & w$hit == 1)
    steps <- sapply(0:2, function(p) cbind(w$place == p & w$t <= cut, w$place == p & w$t > cut), simplify = FALSE)
    X <- cbind(w$x / unit, w$treated, do.call(cbind, steps) * 1); by <- c(1 / unit, rep(1, ncol(X) - 1))
    f <- suppressWarnings(glm(w$y ~ 0 + X, family = binomial(link), weights = w$pw, start = c(0, 0, rep(-1, ncol(X) - 2)), control = tight)); V <- sandwich_of(f, X, w$pw, w$cluster)
    keep(paste("discrete", link, cause, sep = "_"), name, "glm(y ~ 0 + x + treated + steps of each place, binomial, weights = pw) on person-weeks; scores by cluster",
         list(cut = cut, estimate = coef(f) * by, std_error = errors_of(V) * by, naive_error = errors_of(vcov(f)) * by))
    last <- max(weeks); asked <- unique(round(seq(1, last, length.out = 8))); inverse <- binomial(link)$linkinv
    predicted <- function(b) unlist(lapply(0:2, function(p) {
      eta <- b[1] * x / unit + b[2] + b[3 + 2 * p + (seq_len(last) > cut)]; h <- inverse(eta); c(h[asked], cumprod(1 - h)[asked]) }))
    keep(paste("discrete_curve", link, cause, sep = "_"), name, "hazards and survival of a treated person from it, place by place, errors by the delta method",
         list(cut = cut, asked = asked, estimate = predicted(coef(f)), std_error = delta(predicted, coef(f), V)))
  }
  for (cause in c("any", "2")) {
    d$hit <- if (cause == "2") as.numeric(d$cause == 2) else d$event
    # A step without events has no finite term.
    if (any(table(factor(d$place[d$hit == 1]), d$exit[d$hit == 1] > cut) == 0)) next
    s <- survSplit(Surv(entry, exit, hit) ~ ., d, cut = cut, episode = "piece")
    X <- cbind(s$x / unit, s$treated, do.call(cbind, lapply(0:2, function(p) cbind(s$place == p & s$piece == 1, s$place == p & s$piece == 2))) * 1); by <- c(1 / unit, rep(1, ncol(X) - 1))
    f <- suppressWarnings(glm(s$hit ~ 0 + X, family = poisson, offset = log(exit - entry), data = s, weights = pw, control = tight)); V <- sandwich_of(f, X, s$pw, s$cluster)
    keep(paste0("rates_", cause), name, "glm(event ~ 0 + x + treated + pieces of each place, poisson, offset = log(weeks), weights = pw) on survSplit rows; scores by cluster",
         list(cut = cut, estimate = coef(f) * by, std_error = errors_of(V) * by, naive_error = errors_of(vcov(f)) * by))
    last <- max(weeks); asked <- unique(round(seq(1, last, length.out = 8)))
    predicted <- function(b) unlist(lapply(0:2, function(p) { h <- exp(b[1] * x / unit + b[2] + b[3 + 2 * p + (seq_len(last) > cut)]); c(h[asked], exp(-cumsum(h))[asked]) }))
    keep(paste0("rates_curve_", cause), name, "rates and survival of a treated person from it, place by place, errors by the delta method",
         list(cut = cut, asked = asked, estimate = predicted(coef(f)), std_error = delta(predicted, coef(f), V)))
  }
}
nobody <- function() keep("no_event", "lung", "poisson.test(0, 250)$conf.int", list(conf_high = poisson.test(0, 250)$conf.int[2], conf_high_90 = poisson.test(0, 250, conf.level = 0.9)$conf.int[2]))

# Pseudo-observations on the weeks after entry, place by place, leaving out one after the other ----------------------
pseudo_values <- function(d, read) unlist(lapply(split(seq_len(nrow(d)), d$place), function(i) {
  n <- length(i); whole <- read(d[i, ]); t(sapply(seq_len(n), function(k) n * whole - (n - 1) * read(d[i[-k], ]))) }))
pseudos <- function(name, d) {
  d <- d[d$place < 3, ]; d$time <- d$exit - d$entry; weeks <- unique(unname(quantile(d$time[d$event == 1], c(0.3, 0.7), type = 1))); weeks <- weeks[weeks > 1]; m <- length(weeks); some <- seq(1, nrow(d), by = 9)
  d$state <- factor(d$cause, 0:3)
  reads <- list(
    survival = function(d) summary(survfit(Surv(time, event) ~ 1, d, se.fit = FALSE), times = weeks)$surv,
    cause = function(d) summary(survfit(Surv(time, cause == 2) ~ 1, d, se.fit = FALSE), times = weeks)$surv,
    mean = function(d) sapply(weeks, function(t) summary(survfit(Surv(time, event) ~ 1, d, se.fit = FALSE), rmean = t)$table["rmean"]),
    incidence = function(d) { s <- survfit(Surv(time, state) ~ 1, d, se.fit = FALSE); summary(s, times = weeks)$pstate[, match("2", s$states)] })
  links <- list(survival = c("identity", "logit"), cause = "cloglog", mean = c("identity", "log"), incidence = c("identity", "log", "logit", "cloglog"))
  for (what in names(reads)) {
    # Rows as they stood: each place gives its values week by week.
    p <- matrix(NA, nrow(d), m)
    for (i in split(seq_len(nrow(d)), d$place)) { n <- length(i); whole <- reads[[what]](d[i, ]); p[i, ] <- t(matrix(sapply(seq_len(n), function(k) n * whole - (n - 1) * reads[[what]](d[i[-k], ])), m)) }
    keep(paste0("pseudo_", what), name, "n survfit - (n - 1) survfit without the row, by place, of every ninth row", list(weeks = weeks, estimate = t(p[some, ])))
    unit <- sd(d$x); o <- order(d$cluster)
    long <- data.frame(y = c(t(p[o, ])), week = factor(rep(weeks, nrow(d))), x = rep(d$x[o] / unit, each = m), treated = rep(d$treated[o], each = m), cluster = rep(d$cluster[o], each = m))
    for (link in links[[what]]) {
      # geepack's cloglog is log(-log(1 - y)).
      if (link == "cloglog" && what != "incidence") long$y <- 1 - long$y
      level <- mean(long$y); start <- switch(link, identity = level, log = log(level), logit = qlogis(level), cloglog = log(-log(1 - level)))
      formula <- if (m > 1) y ~ week - 1 + x + treated else y ~ x + treated
      f <- geese(formula, id = cluster, data = long, mean.link = link, family = gaussian, corstr = "independence", scale.fix = TRUE,
                 b = c(rep(start, m), 0, 0), control = geese.control(epsilon = 1e-13, maxit = 500))
      by <- c(rep(1, m), 1 / unit, 1)
      keep(paste("regression", what, link, sep = "_"), name, "geese(y ~ week - 1 + x + treated, id = cluster, mean.link, corstr = 'independence', scale.fix = TRUE)",
           list(weeks = weeks, estimate = f$beta * by, std_error = sqrt(diag(f$vbeta)) * by))
    }
  }
}

# Splines, cure and their predictions with late entry, weights and clusters ------------------------------------------
# Natural cubic splines of log weeks as Royston and Parmar write them (power 3), and their derivative (factor 3, power 2).
basis <- function(u, knots, power = 3, factor = 1, first = cbind(1, u)) {
  k <- length(knots); low <- knots[1]; high <- knots[k]; part <- function(v) factor * pmax(v, 0)^power
  inner <- sapply(knots[-c(1, k)], function(t) { l <- (high - t) / (high - low); part(u - t) - l * part(u - low) - (1 - l) * part(u - high) })
  cbind(first, matrix(inner, length(u)))
}
slope <- function(u, knots) basis(u, knots, 2, 3, cbind(0, rep(1, length(u))))
scales <- list(
  hazard = list(s = function(e) -exp(e), d = function(e) e - exp(e)),
  odds = list(s = function(e) plogis(-e, log.p = TRUE), d = function(e) plogis(e, log.p = TRUE) + plogis(-e, log.p = TRUE)),
  normal = list(s = function(e) pnorm(-e, log.p = TRUE), d = function(e) dnorm(e, log = TRUE)))
# log S and log f at times t for rows of covariates z (x scaled, treated): parameters as evalkit names them.
spline_model <- function(scale, knots) list(
  s = function(t, z, b) scales[[scale]]$s(drop(basis(log(t), knots) %*% b[-(2:3)] + z %*% b[2:3])),
  f = function(t, z, b) { u <- log(t); e <- drop(basis(u, knots) %*% b[-(2:3)] + z %*% b[2:3]); scales[[scale]]$d(e) + log(drop(slope(u, knots) %*% b[-(2:3)])) - u })
cure_model <- function(kind) {
  part <- function(t, z, b, density) { eta <- drop(cbind(1, z) %*% b[1:3])
    if (kind == "weibull") (if (density) dweibull(t, exp(-b[7]), exp(eta), log = TRUE) else pweibull(t, exp(-b[7]), exp(eta), FALSE, TRUE))
    else (if (density) dlnorm(t, eta, exp(b[7]), TRUE) else plnorm(t, eta, exp(b[7]), FALSE, TRUE)) }
  moves <- function(z, b) drop(cbind(1, z) %*% b[4:6])
  list(s = function(t, z, b) log(plogis(-moves(z, b)) + plogis(moves(z, b)) * exp(part(t, z, b, FALSE))),
       f = function(t, z, b) plogis(moves(z, b), log.p = TRUE) + part(t, z, b, TRUE))
}
plain_model <- function(kind) list(
  s = function(t, z, b) { e <- drop(cbind(1, z) %*% b[1:3]); switch(kind, weibull = pweibull(t, exp(-b[4]), exp(e), FALSE, TRUE), lognormal = plnorm(t, e, exp(b[4]), FALSE, TRUE), loglogistic = plogis(-(log(t) - e) / exp(b[4]), log.p = TRUE),
    gompertz = -exp(e) * expm1(b[4] * t) / b[4]) },
  f = function(t, z, b) { e <- drop(cbind(1, z) %*% b[1:3]); switch(kind, weibull = dweibull(t, exp(-b[4]), exp(e), TRUE), lognormal = dlnorm(t, e, exp(b[4]), TRUE), loglogistic = dlogis((log(t) - e) / exp(b[4]), log = TRUE) - b[4] - log(t),
    gompertz = e + b[4] * t - exp(e) * expm1(b[4] * t) / b[4]) })
maximum <- function(model, d, starts) {
  z <- cbind(d$x / sd(d$x), d$treated); late <- d$entry > 0
  rows <- function(b) { v <- ifelse(d$event == 1, model$f(d$exit, z, b), model$s(d$exit, z, b)); v[late] <- v[late] - model$s(d$entry[late], z[late, , drop = FALSE], b); v }
  value <- function(b) suppressWarnings({ v <- sum(d$pw * rows(b)); if (is.finite(v)) v else -1e10 })
  # From several starts: the likelihood of splines has more than one maximum under late entry.
  climbed <- lapply(starts, function(b) optim(b, function(b) -value(b), method = "BFGS", control = list(maxit = 2000, reltol = 1e-14)))
  b <- climbed[[which.min(sapply(climbed, function(o) o$value))]]$par
  for (k in 1:3) b <- optim(b, function(b) -value(b), method = "BFGS", control = list(maxit = 2000, reltol = 1e-14, parscale = pmax(abs(b), 0.1)))$par
  for (step in 1:20) {
    g <- grad(value, b); change <- -solve(hessian(value, b), g)
    while (value(b + change) < value(b) - 1e-8) change <- change / 2
    b <- b + change; if (abs(sum(g * change)) < 1e-14) break
  }
  # The last derivatives on the scale of the errors.
  even <- list(eps = 0.1, zero.tol = 1, r = 6)
  for (step in 1:3) {
    root <- t(chol(solve(-hessian(value, b)))); white <- function(u) value(b + drop(root %*% u)); zero <- rep(0, length(b))
    H <- hessian(white, zero, method.args = even); b <- b + drop(root %*% solve(-H, grad(white, zero, method.args = even)))
  }
  scores <- rowsum(d$pw * jacobian(function(u) rows(b + drop(root %*% u)), zero, method.args = even), d$cluster)
  V <- root %*% solve(-H, crossprod(scores)) %*% solve(-H) %*% t(root)
  list(b = b, V = V, value = value(b))
}
predictions <- function(case, name, d, model, starts, x_at) {
  best <- maximum(model, d, starts); weeks <- unname(quantile(d$exit, c(0.2, 0.5, 1), type = 1)); horizon <- max(weeks); s <- sd(d$x)
  z <- rbind(c(unname(quantile(d$x, 0.2, type = 1)) / s, 0), c(unname(quantile(d$x, 0.7, type = 1)) / s, 1)); unit <- rep(1, length(best$b)); unit[x_at] <- 1 / s
  keep(paste0(case, "_fit"), name, "likelihood written out, Newton on numDeriv", list(estimate = best$b * unit, std_error = errors_of(best$V) * unit, log_likelihood = best$value))
  S <- function(t, k, b) exp(model$s(t, z[rep(k, length(t)), , drop = FALSE], b)); f <- function(t, k, b) exp(model$f(t, z[rep(k, length(t)), , drop = FALSE], b))
  both <- function(g) function(b) unlist(lapply(1:2, g, b))
  curve <- both(function(k, b) c(S(weeks, k, b), f(weeks, k, b) / S(weeks, k, b)))
  keep(paste0(case, "_curve"), name, "survival and hazard of two profiles, delta method", list(weeks = weeks, estimate = curve(best$b), std_error = delta(curve, best$b, best$V)))
  area <- function(k, b) { cuts <- c(0, 1, 5, 20, horizon); cuts <- unique(cuts[cuts <= horizon]); sum(sapply(seq_along(cuts)[-1], function(j) integrate(S, cuts[j - 1], cuts[j], k, b, rel.tol = 1e-12, subdivisions = 5000)$value)) }
  mean <- function(b) { a <- c(area(1, b), area(2, b)); c(a, a[2] - a[1]) }
  keep(paste0(case, "_mean"), name, "restricted means by integrate and their difference, delta method", list(horizon = horizon, estimate = mean(best$b), std_error = delta(mean, best$b, best$V)))
  asked <- c(0.1, 0.25); times <- both(function(k, b) sapply(asked, function(p) exp(uniroot(function(u) S(exp(u), k, b) - 1 + p, log(c(1e-3, 1e4)), tol = 1e-13)$root)))
  reached <- all(sapply(1:2, function(k) isTRUE(S(1e4, k, best$b) < 0.75) && isTRUE(S(1e-3, k, best$b) > 0.9)))
  if (reached) keep(paste0(case, "_quantiles"), name, "uniroot on survival, delta method", list(estimate = times(best$b), std_error = delta(times, best$b, best$V)))
  best
}
parametrics <- function() {
  for (name in c("weekly", "latecomers")) {
    d <- read_frame(name); k <- unname(quantile(log(d$exit[d$event == 1]), c(0, 0.4, 1))); level <- log(mean(d$exit))
    for (scale in names(scales)) predictions(paste0("spline_", scale), name, d, spline_model(scale, k), list(c(-4, 0, 0, 1, 0), c(-8, 0, 0, 2.4, 0.1)), 2)
    for (kind in c("weibull", "lognormal", "loglogistic", "gompertz"))
      predictions(kind, name, d, plain_model(kind), if (kind == "gompertz") list(c(-level, 0, 0, 0.01)) else list(c(level, 0, 0, 0), c(level, 0, 0, -1)), 2)
  }
  d <- read_frame("movers"); d$treated <- as.numeric(d$x == 1); d$x <- round(sin(seq_len(nrow(d))), 2); d$pw <- 0.5 + (seq_len(nrow(d)) %% 7) / 4
  for (kind in c("weibull", "lognormal")) {
    best <- predictions(paste0("cure_", kind), "movers", d, cure_model(kind), list(c(2.8, 0, 0, 0.5, 0, 0, -0.3)), c(2, 5))
    s <- sd(d$x); z <- rbind(c(1, unname(quantile(d$x, 0.2, type = 1)) / s, 0), c(1, unname(quantile(d$x, 0.7, type = 1)) / s, 1))
    cured <- function(b) plogis(-drop(z %*% b[4:6])); p <- cured(best$b); e <- delta(cured, best$b, best$V)
    keep(paste0("cure_", kind, "_share"), "movers", "logistic shares, delta method, limits on the log odds",
         list(estimate = p, std_error = e, conf_low = plogis(qlogis(p) - qnorm(0.975) * e / (p * (1 - p))), conf_high = plogis(qlogis(p) + qnorm(0.975) * e / (p * (1 - p)))))
  }
}

for (name in frames_or(c("weekly", "crowded", "latecomers"))) {
  d <- read_frame(name)
  for (ask in list(changing, hazards, pseudos)) ask(name, d)
}
if (length(arguments) == 2) { frailties(); nobody(); parametrics() }
finish(c("survival", "geepack", "numDeriv"))
