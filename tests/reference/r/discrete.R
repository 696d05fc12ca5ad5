# Reference values of the weekly and piecewise constant hazards. From the repository's root, with a folder for inputs:
#   python tests/reference/reference_data.py INPUTS
#   Rscript tests/reference/r/discrete.R INPUTS tests/reference/expected/discrete.json
# Every case lays out one row per person and week (or survSplit rows) and fits it with glm: what evalkit does without them.
suppressMessages({library(survival); library(sandwich); library(Hmisc); library(jsonlite)})
args <- commandArgs(trailingOnly = TRUE)
tight <- glm.control(epsilon = 1e-13, maxit = 100)
inputs <- list()

read <- function(name) {
  inputs[[name]] <<- readLines(file.path(args[1], paste0(name, ".sha256")), warn = FALSE)
  read.csv(file.path(args[1], paste0(name, ".csv")))
}

# One row per person and week: week t is (t - 1, t]; the event, if any, at its end.
weeks <- function(d, entry, exit, event) {
  n <- d[[exit]] - d[[entry]]
  w <- d[rep(seq_len(nrow(d)), n), , drop = FALSE]
  w$row <- rep(seq_len(nrow(d)), n)
  w$t <- w[[entry]] + sequence(n)
  w$y <- as.integer(w$t == w[[exit]] & w[[event]] == 1)
  w
}
dummies <- function(f, prefix) {
  m <- sapply(levels(f), function(l) as.numeric(f == l))
  colnames(m) <- sprintf("%s[%s]", prefix, levels(f)); m
}
steps <- function(t, breaks) {
  low <- c(0, breaks) + 1; high <- c(breaks, Inf)
  label <- ifelse(low == high, low, ifelse(is.infinite(high), paste0(low, "-"), paste0(low, "-", high)))
  dummies(factor(label[findInterval(t, breaks, left.open = TRUE) + 1], levels = label), "duration")
}
spline <- function(t, knots) {
  m <- rcspline.eval(t, knots = knots, inclx = TRUE)
  colnames(m) <- paste0("duration", strrep("'", seq_len(ncol(m)) - 1)); cbind("(Intercept)" = 1, m)
}
each_week <- function(w) {
  hit <- tapply(w$y, w$t, sum); risk <- tapply(w$y, w$t, length)
  told <- as.integer(names(hit)[hit > 0 & hit < risk])
  w$t_level <- factor(ifelse(w$t %in% told, w$t, NA), levels = told); w[!is.na(w$t_level), ]
}
thursday <- function(w) as.Date("1990-01-01") + 7 * (w$start + w$t - 1) + 3
period <- function(w, what) {
  day <- thursday(w)
  label <- if (what == "year") format(day, "%Y") else paste0(format(day, "%Y"), quarters(day))
  dummies(factor(label), "calendar")[, -1]
}
month <- function(w) dummies(factor(format(thursday(w), "%m")), "season")[, -1]
waves <- function(w, k) {
  angle <- 2 * pi * (as.integer(format(thursday(w), "%V")) - 0.5) / 52.1775
  m <- do.call(cbind, lapply(seq_len(k), function(j) cbind(sin(j * angle), cos(j * angle))))
  colnames(m) <- paste0(rep(c("season_sin_", "season_cos_"), k), rep(seq_len(k), each = 2)); m
}

answer <- function(fit, X, cluster = NULL) {
  V <- if (is.null(cluster)) vcov(fit) else vcovCL(fit, cluster = cluster, type = "HC0", cadjust = FALSE)
  list(call = paste(deparse(fit$call), collapse = " "), term = colnames(X), estimate = unname(coef(fit)),
       std_error = unname(sqrt(diag(V))), log_likelihood = -fit$deviance / 2)
}
binary <- function(w, X, link, weight = rep(1, nrow(w)), cluster = NULL) {
  y <- w$y
  answer(suppressWarnings(glm(y ~ 0 + X, family = binomial(link), weights = weight, control = tight)), X, cluster)
}
poisson_rows <- function(d, X_of, breaks, entry, exit, event, weight = NULL, cluster = NULL) {
  d$begin <- d[[entry]]; d$end <- d[[exit]]; d$hit <- d[[event]]
  s <- survSplit(Surv(begin, end, hit) ~ ., d, cut = breaks, episode = "piece")
  X <- X_of(s); y <- s$hit; time <- s$end - s$begin
  s$weight <- if (is.null(weight)) rep(1, nrow(s)) else s[[weight]]
  fit <- suppressWarnings(glm(y ~ 0 + X, family = poisson, offset = log(time), weights = s$weight, control = tight))
  out <- answer(fit, X, if (!is.null(cluster)) s[[cluster]])
  out$log_likelihood <- sum(s$weight * (y * log(fitted(fit) / time) - fitted(fit))); out
}
pieces <- function(s, breaks) {
  m <- sapply(seq_len(length(breaks) + 1), function(j) as.numeric(s$piece == j)); colnames(m) <- paste0("rate", seq_len(ncol(m))); m
}

lung <- read("lung"); lung$zero <- 0
veteran <- read("veteran"); veteran$zero <- 0
rotterdam <- read("rotterdam"); rotterdam$zero <- 0; rotterdam$month <- ceiling(rotterdam$dtime / 30)
weekly <- read("weekly"); weekly$start <- 1400 + 3 * (weekly$id %% 50); weekly$first <- as.integer(weekly$cause == 1)

out <- list()
lw <- weeks(lung, "zero", "week", "status"); lx <- as.matrix(lw[c("age", "sex", "ecog")])
lk <- each_week(lw); lkx <- as.matrix(lk[c("age", "sex", "ecog")])
for (link in c("cloglog", "logit")) {
  out[[paste0("lung_week_", link)]] <- binary(lk, cbind(lkx, dummies(lk$t_level, "duration")), link)
  out[[paste0("lung_steps_", link)]] <- binary(lw, cbind(lx, steps(lw$t, c(8, 26, 52))), link)
  out[[paste0("lung_constant_", link)]] <- binary(lw, cbind(lx, "(Intercept)" = 1), link)
}
vw <- weeks(veteran, "zero", "week", "status"); vx <- as.matrix(vw[c("karno", "age")])
out$veteran_knots <- binary(vw, cbind(vx, spline(vw$t, c(1, 5, 15, 40))), "cloglog")
place <- quantile(veteran$week[veteran$status == 1], c(.05, .275, .5, .725, .95), type = 1)
out$veteran_placed <- binary(vw, cbind(vx, spline(vw$t, place)), "logit")

ww <- weeks(weekly, "entry", "exit", "event"); wx <- as.matrix(ww[c("x", "treated")])
time <- function(w) spline(w$t, c(2, 10, 25, 60))
# Rows of at most a year, so that every quarter has an event.
ws <- ww[ww$exit <= 52, ]; sx <- as.matrix(ws[c("x", "treated")])
for (link in c("cloglog", "logit")) {
  out[[paste0("year_month_", link)]] <-
    binary(ws, cbind(sx, spline(ws$t, c(2, 10, 25, 45)), period(ws, "year"), month(ws)), link)
  out[[paste0("quarter_waves_", link)]] <- binary(ws, cbind(sx, steps(ws$t, c(13, 26)), period(ws, "quarter"), waves(ws, 2)), link)
  out[[paste0("weekly_clustered_", link)]] <-
    binary(ww, cbind(wx, time(ww)), link, weight = ww$pw, cluster = ww$cluster)
  out[[paste0("weekly_robust_", link)]] <- binary(ww, cbind(wx, steps(ww$t, c(13, 26))), link, weight = ww$pw, cluster = ww$row)
}
out$weekly_count <- binary(ww[rep(seq_len(nrow(ww)), ww$k), ], cbind(wx, time(ww))[rep(seq_len(nrow(ww)), ww$k), ], "cloglog")
wc <- weeks(weekly, "entry", "exit", "first")
out$weekly_cause <- binary(wc, cbind(as.matrix(wc[c("x", "treated")]), steps(wc$t, c(13, 26))), "cloglog")
own <- function(w) do.call(cbind, lapply(0:2, function(p) {
  m <- steps(w$t, c(13, 26)) * (w$place == p); colnames(m) <- paste(colnames(m), "of", p); m }))
out$weekly_strata <- binary(ww, cbind(wx, own(ww)), "cloglog")
rw <- weeks(rotterdam, "zero", "month", "death"); rx <- as.matrix(rw[c("age", "nodes", "er", "chemo")])
out$rotterdam_knots <- binary(rw, cbind(rx, spline(rw$t, c(10, 30, 60, 120))), "cloglog")

# Breaks at event times, so that an event on a break must fall in the interval that ends there.
breaks <- sort(unique(lung$time[lung$status == 1]))[c(20, 60, 100)]
out$lung_rates <- poisson_rows(lung, function(s) pieces(s, breaks), breaks, "zero", "time", "status")
out$lung_rate_ratios <- poisson_rows(lung, function(s) cbind(as.matrix(s[c("age", "sex", "ecog")]), pieces(s, breaks)),
                                     breaks, "zero", "time", "status")
ratios <- function(s) cbind(as.matrix(s[c("x", "treated")]), pieces(s, c(13, 26)))
out$weekly_rate_ratios <- poisson_rows(weekly, ratios, c(13, 26), "entry", "exit", "event")
out$weekly_rates_clustered <- poisson_rows(weekly, ratios, c(13, 26), "entry", "exit", "event", "pw", "cluster")
out$weekly_rates_robust <- poisson_rows(weekly, ratios, c(13, 26), "entry", "exit", "event", "pw", "id")
lung$age0 <- tcut(rep(0, nrow(lung)), c(0, breaks, 1e6))
years <- pyears(Surv(time, status) ~ age0, lung, scale = 1)
out$lung_pyears <- list(call = deparse(years$call), weeks = unname(as.vector(years$pyears)), events = unname(as.vector(years$event)))

x <- c(0, 0.5, 2, 3, 7, 10, 15, 40); knots <- c(1, 4, 9, 20)
out$basis <- list(call = "Hmisc::rcspline.eval(x, knots, inclx = TRUE)", x = x, knots = knots,
                  value = as.vector(rcspline.eval(x, knots = knots, inclx = TRUE)))
# boot.ci on given replications: its percentile, basic and normal limits.
set.seed(3); t <- round(rexp(199), 6); t0 <- 1.05
ci <- suppressWarnings(boot::boot.ci(list(R = 199, call = quote(boot(1, 1, 199))), conf = 0.9, type = c("norm", "basic", "perc"), t0 = t0, t = t))
out$boot_ci <- list(call = "boot::boot.ci(conf = 0.9, t0 = , t = )", t0 = t0, t = t, normal = ci$normal[2:3],
                    basic = ci$basic[4:5], percentile = ci$percent[4:5])
versions <- paste0(R.version.string, ", survival ", packageVersion("survival"), ", sandwich ", packageVersion("sandwich"),
                   ", Hmisc ", packageVersion("Hmisc"), ", boot ", packageVersion("boot"))
writeLines(toJSON(list(versions = versions, inputs = inputs, breaks = breaks, cases = out), digits = I(15), auto_unbox = TRUE,
                  pretty = 1), args[2])
