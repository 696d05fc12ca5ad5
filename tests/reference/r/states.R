# Reference values of states with returns. From the repository's root, with a folder for the inputs:
#   python tests/reference/reference_data.py INPUTS
#   Rscript tests/reference/r/states.R INPUTS tests/reference/expected/states.json
# survival, jsonlite from Debian; mstate 0.3.3 from CRAN.
suppressMessages({library(survival); library(mstate); library(jsonlite)})
args <- commandArgs(trailingOnly = TRUE)
read <- function(name) read.csv(file.path(args[1], paste0(name, ".csv")))
frames <- list(prothrombin = read("prothrombin"), transplants = read("transplants"), movements = read("movements"))
cases <- list()
keep <- function(name, call, rows) cases[[name]] <<- list(call = call, rows = rows)
states_of <- function(d) sort(setdiff(unique(c(d$now, d$then)), "censor"))

# One row per possible movement, as msprep makes them.
stacked <- function(d, states = states_of(d)) {
  moves <- unique(d[d$then != "censor", c("now", "then")])
  moves <- moves[order(match(moves$now, states), match(moves$then, states)), ]
  trans <- matrix(NA, length(states), length(states), dimnames = list(from = states, to = states))
  parts <- lapply(seq_len(nrow(moves)), function(move) {
    rows <- d[d$now == moves$now[move], ]
    rows$from <- match(moves$now[move], states); rows$to <- match(moves$then[move], states); rows$trans <- move
    rows$Tstart <- rows$start; rows$Tstop <- rows$stop; rows$status <- as.numeric(rows$then == moves$then[move])
    rows
  })
  for (k in seq_len(nrow(moves))) trans[moves$now[k], moves$then[k]] <- k
  out <- do.call(rbind, parts); out <- out[order(out$id, out$Tstart, out$trans), ]; rownames(out) <- NULL
  class(out) <- c("msdata", "data.frame"); attr(out, "trans") <- trans
  out
}
movement_names <- function(m) {
  trans <- attr(m, "trans"); at <- which(!is.na(trans), arr.ind = TRUE); at <- at[order(trans[at]), ]
  paste(rownames(trans)[at[, 1]], "->", colnames(trans)[at[, 2]])
}

# Estimates by mstate; Breslow hazards make probtrans the Aalen-Johansen estimate, ties included.
by_mstate <- function(d, s, weeks) {
  m <- stacked(d); states <- states_of(d); trans <- attr(m, "trans")
  pt <- probtrans(msfit(coxph(Surv(Tstart, Tstop, status) ~ strata(trans), m, method = "breslow"), trans = trans), predt = s, variance = FALSE)
  do.call(rbind, lapply(seq_along(states), function(h) {
    p <- pt[[h]][findInterval(weeks, pt[[h]]$time), paste0("pstate", seq_along(states))]
    data.frame(term = paste(states[h], "->", rep(states, each = length(weeks))), time_weeks = weeks, estimate = unlist(p))
  }))
}
# Errors: survfit's infinitesimal jackknife with the state at s given. Its start.time counts movements in that very
# moment, so it is put a little later (no time falls between). Clusters, which survfit 3.5 leaves out of
# several states' errors: the derivative of the estimate by the cluster's weight, a central difference.
at <- function(fit, weeks, what) {
  x <- summary(fit, times = weeks, extend = TRUE)[[what]]
  as.vector(matrix(x, nrow = length(weeks)))
}
by_survfit <- function(d, s, weeks, w = rep(1, nrow(d)), cluster = NULL, select = function(from) rep(TRUE, nrow(d))) {
  states <- states_of(d)
  from <- intersect(states, d$now)
  do.call(rbind, lapply(from, function(h) {
    rows <- select(h); part <- d[rows, ]; weight <- w[rows]
    fit <- function(w) { part$w <- w; survfit(Surv(start, stop, factor(then, c("censor", states))) ~ 1, part, id = id,
      istate = factor(now, states), weights = w, start.time = s + 0.25, p0 = as.numeric(states == h)) }
    x <- fit(weight); error <- at(x, weeks, "std.err")
    if (!is.null(cluster)) {
      place <- cluster[rows]
      error <- sqrt(rowSums(sapply(unique(place), function(p) {
        step <- 1e-4 * (place == p)
        (at(fit(weight * (1 + step)), weeks, "pstate") - at(fit(weight * (1 - step)), weeks, "pstate")) / 2e-4
      })^2))
    }
    data.frame(term = paste(h, "->", rep(x$states, each = length(weeks))), time_weeks = weeks, estimate = at(x, weeks, "pstate"), std_error = error)
  }))
}
seen_at <- function(d, s) function(h) d$id %in% d$id[d$start <= s & d$stop > s & d$now == h] & d$stop > s

both <- function(d, s, weeks) merge(by_mstate(d, s, weeks), by_survfit(d, s, weeks)[, c("term", "time_weeks", "std_error")])
call <- "probtrans(msfit(coxph(Surv(start, stop, status) ~ strata(trans), method = 'breslow')), predt = s); survfit(..., start.time = s+, p0)"
for (arm in c("Placebo", "Prednisone")) {
  d <- subset(frames$prothrombin, treat == arm)
  keep(paste0("markov_prothrombin_", arm), call, both(d, 200, c(500, 1000, 2000)))
  keep(paste0("landmark_prothrombin_", arm), "survfit of those in the state at s", by_survfit(d, 200, c(500, 1000, 2000), select = seen_at(d, 200)))
}
keep("markov_transplants", call, both(frames$transplants, 100, c(365, 1825)))
keep("landmark_transplants", "survfit of those in the state at s", by_survfit(frames$transplants, 100, c(365, 1825), select = seen_at(frames$transplants, 100)))
d <- frames$movements; weeks <- c(26, 40)
keep("markov_movements", call, both(d, 10, weeks))
keep("markov_movements_weighted", "survfit(weights = pw)", by_survfit(d, 10, weeks, w = d$pw))
keep("markov_movements_clustered", "derivative of survfit(weights = pw) by the cluster's weight", by_survfit(d, 10, weeks, w = d$pw, cluster = d$cluster))
counted <- function(d) { out <- d[rep(seq_len(nrow(d)), d$k), ]; out$id <- out$id * 10 + sequence(d$k); out[order(out$id, out$start), ] }
keep("markov_movements_counted", "survfit of every row k times", by_survfit(counted(d), 10, weeks))
keep("landmark_movements", "survfit of those in the state at s", by_survfit(d, 10, weeks, select = seen_at(d, 10)))
keep("landmark_movements_clustered", "derivative of survfit(weights = pw) of those in the state at s by the cluster's weight",
     by_survfit(d, 10, weeks, w = d$pw, cluster = d$cluster, select = seen_at(d, 10)))
# The size of mstate's own errors, for the documentation.
m <- stacked(d); fit <- coxph(Surv(Tstart, Tstop, status) ~ strata(trans), m, method = "breslow")
for (type in c("greenwood", "aalen")) {
  pt <- suppressWarnings(probtrans(msfit(fit, trans = attr(m, "trans"), vartype = type), predt = 10, method = type))[[4]]
  row <- pt[findInterval(weeks, pt$time), ]
  keep(paste0("mstate_errors_", type), paste0("probtrans(msfit(vartype = '", type, "'), predt = 10)"),
       data.frame(term = paste("SUPPORT ->", rep(states_of(d), each = 2)), time_weeks = weeks, estimate = unlist(row[, 2:5]), std_error = unlist(row[, 6:9])))
}
# Expected time in each state from time zero: mstate::ELOS, weighted by where persons begin.
d <- frames$prothrombin; m <- stacked(d); begin <- table(factor(d$now[d$start == 0], states_of(d))); begin <- begin / sum(begin)
pt <- probtrans(msfit(coxph(Surv(Tstart, Tstop, status) ~ strata(trans), m, method = "breslow"), trans = attr(m, "trans")), predt = 0, variance = FALSE)
keep("weeks_prothrombin", "ELOS(probtrans(predt = 0), tau = 1000)",
     data.frame(term = paste0("weeks[", states_of(d), "]"), time_weeks = 1000, estimate = c(begin %*% ELOS(pt, 1000))))

# Log-rank of each movement after s between the states at s: hypergeometric sums written out.
log_rank <- function(d, s, from, to) {
  here <- d[d$start <= s & d$stop > s, ]; d$landmark <- here$now[match(d$id, here$id)]
  d <- d[d$now == from & d$stop > s & !is.na(d$landmark), ]; d$start <- pmax(d$start, s)
  levels <- sort(unique(d$landmark)); o <- e <- rep(0, length(levels)); v <- matrix(0, length(levels), length(levels))
  for (t in sort(unique(d$stop[d$then == to]))) {
    at <- d$start < t & d$stop >= t; died <- d$stop == t & d$then == to
    n <- sum(at); k <- sum(died); share <- sapply(levels, function(l) sum(at & d$landmark == l)) / n
    o <- o + sapply(levels, function(l) sum(died & d$landmark == l)); e <- e + k * share
    if (n > 1) v <- v + k * (n - k) / (n - 1) * (diag(share, length(share)) - share %o% share)
  }
  last <- length(levels)
  data.frame(term = paste(from, "->", to), time_weeks = s, estimate = c(t(o - e)[-last] %*% solve(v[-last, -last], (o - e)[-last])))
}
pairs <- function(d) { m <- unique(d[d$then != "censor", c("now", "then")]); m[order(m$now, m$then), ] }
tested <- function(d, weeks) do.call(rbind, lapply(weeks, function(s) do.call(rbind, Map(function(f, t) log_rank(d, s, f, t), pairs(d)$now, pairs(d)$then))))
keep("log_rank_movements", "hypergeometric log-rank sums", tested(frames$movements, c(10, 20)))
keep("log_rank_prothrombin", "hypergeometric log-rank sums", tested(frames$prothrombin, 300))
# Untied and all seen from time zero, MarkovTest has the same z.
d <- frames$movements; d <- d[!d$id %in% d$id[ave(d$start, d$id, FUN = min) > 0], ]
for (x in c("start", "stop")) d[[x]] <- ifelse(d[[x]] > 0, d[[x]] * 1000 + d$id, 0)
m <- stacked(d); names <- movement_names(m); trans <- attr(m, "trans"); set.seed(1)
m <- m[, c("id", "from", "to", "trans", "Tstart", "Tstop", "status")]; attr(m, "trans") <- trans
keep("markov_test_untied", "MarkovTest(grid = c(10500, 20500), B = 2)$zbar", do.call(rbind, lapply(seq_along(names), function(k) {
  test <- MarkovTest(m, id = "id", transition = k, grid = c(10500, 20500), B = 2)
  data.frame(term = names[k], group = states_of(d)[test$qualset], estimate = c(test$zbar[1, ]))
})))

# Hazards of movements.
regression <- function(name, d, own, shared, clock, ties, extra = "", more = list()) {
  m <- stacked(d); names <- movement_names(m)
  if (clock == "reset") { m$Tstop <- m$Tstop - m$Tstart; m$Tstart <- 0 }
  columns <- c()
  for (k in seq_along(names)) for (x in own) { column <- sprintf("%s.%d", x, k); m[[column]] <- m[[x]] * (m$trans == k); columns <- c(columns, column) }
  class(m) <- "data.frame"
  formula <- paste("Surv(Tstart, Tstop, status) ~", paste(c(columns, shared), collapse = " + "), "+ strata(trans", extra, ")")
  fit <- do.call(coxph, c(list(as.formula(formula), data = m, ties = ties), more(m)))
  keep(name, paste("coxph(", formula, ", ties =", ties, ")"), data.frame(
    term = c(rep(own, length(names)), shared), group = c(rep(names, each = length(own)), rep("", length(shared))), estimate = unname(coef(fit)),
    std_error = sqrt(diag(fit$var)), naive_error = sqrt(diag(if (is.null(fit$naive.var)) fit$var else fit$naive.var))))
}
by_id <- function(m) list(cluster = m$id)
for (ties in c("efron", "breslow")) {
  regression(paste0("cox_transplants_", ties), frames$transplants, c("old", "proph", "mismatch"), c(), "forward", ties, more = by_id)
  regression(paste0("cox_transplants_shared_", ties), frames$transplants, c("proph"), c("old", "mismatch"), "forward", ties, more = by_id)
  regression(paste0("cox_transplants_reset_", ties), frames$transplants, c("old", "proph", "mismatch"), c(), "reset", ties, more = by_id)
}
d <- frames$movements
regression("cox_movements", d, "course", "age", "forward", "efron", more = by_id)
regression("cox_movements_all", d, "course", "age", "forward", "breslow", ", arm", function(m) list(cluster = m$cluster, weights = m$pw))
regression("cox_movements_counted", counted(d), "course", "age", "forward", "efron", more = by_id)
early <- d[!d$id %in% d$id[ave(d$start, d$id, FUN = min) > 0], ]
regression("cox_movements_reset", early, "course", "age", "reset", "efron", more = by_id)
regression("cox_movements_reset_shared", early, c(), c("age", "course"), "reset", "efron", more = by_id)

hash <- function(name) readLines(file.path(args[1], paste0(name, ".sha256")), warn = FALSE)
out <- list(versions = sprintf("%s, survival %s, mstate %s", R.version.string, packageVersion("survival"), packageVersion("mstate")),
            inputs = sapply(names(frames), hash, simplify = FALSE), cases = cases)
out$inputs <- setNames(out$inputs, c("prothrombin", "transplants", "movements"))
writeLines(toJSON(out, digits = 15, auto_unbox = TRUE, dataframe = "columns", pretty = FALSE), args[2])
