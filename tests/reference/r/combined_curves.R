# Curves, tests and competing exits with groups, weights, late entry and clusters at once. From the repository's root:
#   python tests/reference/reference_data.py INPUTS
#   Rscript tests/reference/r/combined_curves.R INPUTS tests/reference/expected/combined_curves.json
# Errors by clusters are numerical derivatives of the whole computation by their weights.
source("tests/reference/r/cases.R")

# Weeks at which every place has a curve that has moved and not ended.
weeks_of <- function(d) {
  last <- min(tapply(d$exit, d$place, max)) - 1; first <- max(tapply(d$exit[d$event == 1], d$place[d$event == 1], min))
  t <- sort(unique(d$exit[d$event == 1])); t <- t[t >= first & t <= max(last, first)]
  unique(t[ceiling(length(t) * c(0.3, 0.6, 1))])
}
at <- function(fit, weeks) summary(fit, times = weeks, extend = TRUE)
types <- c(log = "log", loglog = "log-log", plain = "plain")
# What is asked of a curve by weights w: survival and mean up to the last week, by place.
curve <- function(d, w, weeks, ...) {
  d$w <- w; s <- survfit(Surv(entry, exit, event) ~ place, d, weights = w, se.fit = FALSE, ...)
  share <- matrix(at(s, weeks)$surv, length(weeks))
  list(share = share, mean = unname(summary(s, rmean = max(weeks))$table[, "rmean"]))
}
compared <- function(v) c(v, v[-1] - v[1], v[-1] / v[1])

curves <- function(name, d, weeks) {
  call <- "survfit(Surv(entry, exit, event) ~ place, weights = pw, cluster = cluster, conf.int = 0.9)"
  for (type in names(types)) {
    s <- survfit(Surv(entry, exit, event) ~ place, d, weights = pw, cluster = cluster, conf.type = types[[type]], conf.int = 0.9)
    p <- at(s, weeks)
    keep(paste0("survival_", type), name, call, list(weeks = weeks, estimate = p$surv, std_error = p$std.err, conf_low = p$lower, conf_high = p$upper))
    # Where a limit rises again R sorts it first, evalkit takes its first crossing.
    rises <- function(v) any(diff(v) > 0 & diff(rep(seq_along(s$strata), s$strata)) == 0, na.rm = TRUE)
    if (rises(s$lower) || rises(s$upper)) next
    q <- quantile(s, c(0.1, 0.3, 0.5))
    keep(paste0("quantiles_", type), name, paste0("quantile(", call, ")"), list(estimate = t(q$quantile), conf_low = t(q$lower), conf_high = t(q$upper)))
  }
  p <- at(survfit(Surv(entry, exit, event) ~ place, d, cluster = id), weeks)
  keep("survival_robust", name, "survfit(Surv(entry, exit, event) ~ place, cluster = id)", list(weeks = weeks, estimate = p$surv, std_error = p$std.err, hazard = p$cumhaz, hazard_error = p$std.chaz))
  d$hit <- as.numeric(d$cause == 2)
  p <- at(survfit(Surv(entry, exit, hit) ~ 1, d[rep(seq_len(nrow(d)), d$k), ]), weeks)
  keep("survival_cause", name, "survfit(Surv(entry, exit, cause == 2) ~ 1) on rows k times", list(weeks = weeks, estimate = p$surv, std_error = p$std.err, hazard = p$cumhaz, hazard_error = p$std.chaz))
  start <- weeks[1] - 1
  p <- at(survfit(Surv(entry, exit, event) ~ 1, d, weights = pw, cluster = cluster, start.time = start + 0.5), weeks)
  keep("survival_start", name, "survfit(Surv(entry, exit, event) ~ 1, weights = pw, cluster = cluster, start.time = start + 0.5)",
       list(weeks = weeks, start = start, estimate = p$surv, std_error = p$std.err, hazard = p$cumhaz, hazard_error = p$std.chaz))
}
means <- function(name, d, weeks) {
  value <- function(w) compared(curve(d, w, weeks)$mean)
  # The error of a ratio is the ratio times that of its logarithm: the same derivative.
  keep("mean_clustered", name, "summary(survfit(Surv(entry, exit, event) ~ place, weights = w), rmean)$table: means, differences, ratios",
       list(weeks = weeks, estimate = value(d$pw), std_error = influence_error(value, d$pw, d$cluster)))
  t <- summary(survfit(Surv(entry, exit, event) ~ place, d), rmean = max(weeks))$table[, c("rmean", "se(rmean)")]
  m <- t[, 1]; v <- t[, 2]^2
  keep("mean_plain", name, "summary(survfit(Surv(entry, exit, event) ~ place), rmean)$table, differences, ratios",
       list(weeks = weeks, estimate = compared(m), std_error = sqrt(c(v, v[-1] + v[1], (v[-1] / m[-1]^2 + v[1] / m[1]^2) * (m[-1] / m[1])^2)),
            ratio_high = m[-1] / m[1] * exp(qnorm(0.975) * sqrt(v[-1] / m[-1]^2 + v[1] / m[1]^2))))
  # Residual time: from elapsed weeks on, up to a horizon, differences between places.
  elapsed <- weeks[1] - 1; horizon <- max(max(weeks) - elapsed, 1)
  residual <- function(w) {
    d$w <- w; s <- survfit(Surv(entry, exit, event) ~ place, d, weights = w, start.time = elapsed + 0.5, se.fit = FALSE)
    share <- at(s, elapsed + horizon)$surv
    t <- summary(s, rmean = elapsed + horizon)$table[, "rmean"] - elapsed
    c(share, t, share[-1] - share[1], t[-1] - t[1])
  }
  keep("residual_conditional", name, "survfit(Surv(entry, exit, event) ~ place, weights = w, start.time = elapsed + 0.5)",
       list(elapsed = elapsed, horizon = horizon, estimate = residual(d$pw), std_error = influence_error(residual, d$pw, d$cluster)))
}

competing <- function(name, d, weeks) {
  incidence <- function(w, ...) { d$w <- w; survfit(Surv(entry, exit, factor(cause)) ~ place, d, id = id, weights = w, ...) }
  for (type in names(types)) {
    s <- at(incidence(d$pw, conf.type = types[[type]]), weeks)
    keep(paste0("incidence_", type), name, "survfit(Surv(entry, exit, factor(cause)) ~ place, id = id, weights = pw)",
         list(weeks = weeks, estimate = s$pstate, std_error = s$std.err, conf_low = s$lower, conf_high = s$upper))
  }
  share <- function(w) c(at(incidence(w, se.fit = FALSE), weeks)$pstate)
  keep("incidence_clustered", name, "survfit(Surv(entry, exit, factor(cause)) ~ place, id = id, weights = w)",
       list(weeks = weeks, estimate = share(d$pw), std_error = influence_error(share, d$pw, d$cluster)))
  lost <- function(w) {
    t <- summary(incidence(w, se.fit = FALSE), rmean = max(weeks))$table[, "rmean"]
    m <- matrix(t, ncol = 4)[, 1:4, drop = FALSE]
    c(m, sweep(m, 2, m[1, ])[-1, ])
  }
  keep("time_lost", name, "summary(survfit(Surv(entry, exit, factor(cause)) ~ place, id = id, weights = w), rmean)$table and differences",
       list(weeks = weeks, estimate = lost(d$pw), std_error = influence_error(lost, d$pw, d$cluster)))
}

# Sums of weighted log-rank tests written out, on rows k times: within strata, for a trend, a cause.
weighted_log_rank <- function(d, event, g, within, weight, scores = NULL) {
  levels <- sort(unique(g)); o <- e <- rep(0, length(levels)); v <- matrix(0, length(levels), length(levels))
  for (b in unique(within)) {
    s <- 1; p <- 1
    for (t in sort(unique(d$exit[event == 1 & within == b]))) {
      here <- d$entry < t & d$exit >= t & within == b; died <- here & d$exit == t & event == 1
      n <- sum(here); k <- sum(died); share <- sapply(levels, function(l) sum(here & g == l)) / n
      p <- p * (1 - k / (n + 1)); w <- weight(n, s, p); s <- s * (1 - k / n)
      o <- o + w * sapply(levels, function(l) sum(died & g == l)); e <- e + w * k * share
      if (n > 1) v <- v + w^2 * k * (n - k) / (n - 1) * (diag(share) - share %o% share)
    }
  }
  if (!is.null(scores)) return(sum(scores * (o - e))^2 / c(scores %*% v %*% scores))
  i <- -length(levels); c(t(o - e)[i] %*% solve(v[i, i], (o - e)[i]))
}
tests <- function(name, d, weeks) {
  weights <- list(log_rank = function(n, s, p) 1, gehan = function(n, s, p) n, tarone_ware = function(n, s, p) sqrt(n), peto = function(n, s, p) p,
                  fleming = function(n, s, p) s^0.5 * (1 - s)^1)
  d <- d[rep(seq_len(nrow(d)), d$k), ]
  for (w in names(weights)) {
    one <- function(event, within, scores = NULL) weighted_log_rank(d, event, d$place, within, weights[[w]], scores)
    all <- rep(1, nrow(d)); scores <- c(0, 1, 5, 7)[seq_along(unique(d$place))]
    keep(paste0("log_rank_", w), name, "hypergeometric sums on rows k times: plain, stratified, trend, both, both for cause == 2",
         list(estimate = c(one(d$event, all), one(d$event, d$treated), one(d$event, all, scores), one(d$event, d$treated, scores), one(as.numeric(d$cause == 2), d$treated, scores))))
  }
}

# Fine and Gray with weights in the censoring and entry distributions, which finegray leaves out: one row for each person
# who left otherwise and time of an exit by cause 1. With weights 1 it must be finegray's.
subdistribution <- function(d, w, own_g, own_baseline, ties, w_g = w, ...) {
  zone <- if (own_g) d$place else rep(0, nrow(d)); event <- d$cause == 1; parts <- list()
  for (z in unique(zone)) {
    i <- which(zone == z); entry <- d$entry[i]; exit <- d$exit[i]; cause <- d$cause[i]; v <- w_g[i]
    times <- sort(unique(d$exit[event]))
    s <- sort(unique(c(exit, entry)))
    keep_share <- sapply(s, function(t) { out <- exit == t & cause == 0; here <- entry < t & exit >= t & !(exit == t & cause > 0); if (any(out)) 1 - sum(v[out]) / sum(v[here]) else 1 })
    come_share <- sapply(s, function(t) { come <- entry == t; here <- entry <= t & exit > t; if (any(come)) 1 - sum(v[come]) / sum(v[here]) else 1 })
    left <- i[cause > 1]
    late <- do.call(rbind, lapply(left, function(p) { t <- times[times > d$exit[p]]; if (length(t)) data.frame(row = p, stop = t) }))
    ratio <- function(from, to) { between <- s >= from & s < to; prod(keep_share[between] / come_share[between]) }
    late$g <- mapply(ratio, d$exit[late$row], late$stop); late$start <- late$stop - 0.5
    parts[[length(parts) + 1]] <- rbind(data.frame(row = i, stop = exit, g = 1, start = entry), late)
  }
  rows <- do.call(rbind, parts); x <- d[rows$row, ]
  x$start <- rows$start; x$stop <- rows$stop; x$w <- w[rows$row] * rows$g
  x$own <- as.numeric(event[rows$row] & rows$stop == d$exit[rows$row]); x$baseline <- if (own_baseline) x$place else 0
  x <- x[x$w > 0, ]
  coxph(Surv(start, stop, own) ~ x + treated + strata(baseline), x, weights = w, ties = ties, robust = FALSE, control = exact, ...)
}
subdistributions <- function(name, d, weeks) {
  new <- data.frame(x = unname(quantile(d$x, c(0.2, 0.7), type = 1)), treated = 0:1)
  # Half a week later, as finegray leaves late entry out where nobody enters after the first exit.
  check <- finegray(Surv(entry + 0.5, exit, factor(cause)) ~ ., data = d, etype = 1, id = id)
  known <- coef(coxph(Surv(fgstart, fgstop, fgstatus) ~ x + treated, check, weights = fgwt, ties = "efron", control = exact))
  stopifnot(all.equal(known, coef(subdistribution(d, rep(1, nrow(d)), FALSE, FALSE, "efron")), tolerance = 1e-9))
  for (ties in c("efron", "breslow")) for (g in c(FALSE, TRUE)) for (b in c(FALSE, TRUE)) {
    first <- coef(subdistribution(d, d$pw, g, b, ties))
    value <- function(w) coef(subdistribution(d, w, g, b, ties, init = first))
    fixed <- function(w) coef(subdistribution(d, w, g, b, ties, w_g = d$pw, init = first))
    asked <- paste0(if (g) "censoring", if (b) "baseline")
    keep(paste("fine_gray", asked, ties, sep = "_"), name, "coxph on rows with weights pw g(t) / g(T), g weighted by pw; derivatives by the clusters' weights, with g and with g as known",
         list(estimate = first, std_error = influence_error(value, d$pw, d$cluster), fixed_error = influence_error(fixed, d$pw, d$cluster)))
    if (!(g & b)) next
    share <- function(w) {
      f <- subdistribution(d, w, g, b, ties, init = first)
      s <- lapply(1:2, function(i) at(survfit(f, newdata = new[i, ], se.fit = FALSE), weeks)$surv)
      1 - c(sapply(s, matrix, nrow = length(weeks)))
    }
    keep(paste0("fine_gray_curve_", ties), name, "1 - survfit(...)$surv of the same, profile by profile, place by place",
         list(weeks = weeks, estimate = share(d$pw), std_error = influence_error(share, d$pw, d$cluster)))
  }
}
cause_specifics <- function(name, d, weeks) {
  new <- data.frame(x = unname(quantile(d$x, c(0.2, 0.7), type = 1)), treated = 0:1)
  # Places in which every cause occurs: a cause without events in a stratum has no curve in R.
  d <- d[d$place < 3, ]; times <- sort(unique(d$exit[d$event == 1]))
  for (ties in c("efron", "breslow")) {
    one <- function(w, k, ...) { d$w <- w; d$own <- d$cause == k; coxph(Surv(entry, exit, own) ~ x + treated + strata(place), d, weights = w, ties = ties, robust = FALSE, control = exact, ...) }
    first <- lapply(1:3, function(k) coef(one(d$pw, k)))
    fits <- function(w) lapply(1:3, function(k) one(w, k, init = first[[k]]))
    value <- function(w) unlist(lapply(fits(w), coef))
    change <- by_weight(value, d$pw, d$cluster)
    keep(paste0("causes_", ties), name, "coxph(Surv(entry, exit, cause == k) ~ x + treated + strata(place), weights = w): all causes, derivatives by the clusters' weights",
         list(estimate = unlist(first), covariance = change %*% t(change)))
    share <- function(w) {
      f <- fits(w)
      unlist(lapply(sort(unique(d$place)), function(p) lapply(1:2, function(i) {
        h <- sapply(f, function(m) diff(c(0, at(survfit(m, newdata = cbind(new[i, ], place = p), se.fit = FALSE), times)$cumhaz)))
        all <- rowSums(h); before <- exp(-c(0, cumsum(all)[-length(all)]))
        inc <- apply(before * (1 - exp(-all)) * h / ifelse(all > 0, all, 1), 2, cumsum)
        cbind(exp(-cumsum(all)), inc)[match(weeks, times), ]
      })))
    }
    keep(paste0("causes_curve_", ties), name, "increments of survfit(coxph(...)), added up to incidences: survival, causes 1 to 3, profile by profile, place by place",
         list(weeks = weeks, estimate = share(d$pw), std_error = influence_error(share, d$pw, d$cluster)))
  }
}

for (name in frames_or(c("weekly", "crowded", "latecomers"))) {
  d <- read_frame(name)
  for (ask in list(curves, means, competing, tests, subdistributions, cause_specifics)) ask(name, d, weeks_of(d))
}
finish()
