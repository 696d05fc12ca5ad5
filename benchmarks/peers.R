# R's packages in a process of their own: Rscript peers.R PACKAGE SECONDS WORK=DATA ...; a line of JSON a work.
# User and system seconds of the work alone, as measure.py takes them for Python.
args <- commandArgs(trailingOnly = TRUE)
library_name <- args[1]; seconds <- as.numeric(args[2])
# Delayed-entry models of the whole stack stand on survival; data.table must not start threads.
if (requireNamespace("data.table", quietly = TRUE)) data.table::setDTthreads(1)

read_data <- function(path) {
  names <- readLines(paste0(path, ".names"))
  file <- paste0(path, ".bin")
  values <- readBin(file, "double", file.size(file) / 8)
  as.data.frame(matrix(values, ncol = length(names), dimnames = list(NULL, names)))
}
terms_of <- function(d) setdiff(names(d), c("person", "group", "entry", "exit", "event", "state"))
model <- function(left, d, most = Inf) reformulate(head(terms_of(d), most), left)
status <- function(field) {
  lines <- if (file.exists("/proc/self/status")) readLines("/proc/self/status") else character()
  as.numeric(gsub("[^0-9]", "", grep(paste0("^", field), lines, value = TRUE)))
}
at_weeks <- c(52, 104)
all_errors <- function(fit) c(coef(fit), sqrt(diag(vcov(fit))))
step_at <- function(time, value) value[findInterval(at_weeks, time)]

tasks <- list(
  survival = list(
    cox = function(d) { f <- model("Surv(entry, exit, event)", d); function() all_errors(coxph(f, d)) },
    cox_right = function(d) { f <- model("Surv(exit, event)", d); function() all_errors(coxph(f, d)) },
    cox_clustered = function(d) {
      f <- model("Surv(entry, exit, event)", d)
      function() all_errors(coxph(f, d, cluster = person))
    },
    cox_cells = function(d) { f <- model("Surv(exit, event)", d); function() all_errors(coxph(f, d)) },
    frailty = function(d) {
      f <- update(model("Surv(exit, event)", d), ~ . + frailty(group, sparse = TRUE))
      function() { fit <- coxph(f, d); c(coef(fit), fit$history[[1]]$theta) }
    },
    kaplan_meier = function(d) function() {
      fit <- survfit(Surv(entry, exit, event) ~ 1, d)
      step_at(fit$time, fit$surv)
    },
    aalen_johansen = function(d) {
      d$event <- factor(d$event, 0:3)
      function() { fit <- survfit(Surv(exit, event) ~ 1, d); step_at(fit$time, fit$pstate[, 2]) }
    },
    fine_gray = function(d) {
      d$event <- factor(d$event, 0:3)
      f <- model("Surv(fgstart, fgstop, fgstatus)", d)
      function() {
        long <- finegray(Surv(exit, event) ~ ., d[setdiff(names(d), "entry")], etype = "1")
        coef(coxph(f, long, weights = fgwt, robust = FALSE))
      }
    },
    states = function(d) {
      d$event <- factor(d$event, 0:4); d$state <- factor(d$state, 1:4); levels(d$event) <- c("none", 1:4)
      function() {
        fit <- survfit(Surv(entry, exit, event) ~ 1, d, id = person, istate = state)
        step_at(fit$time, fit$pstate[, 2])
      }
    },
    weibull_right = function(d) {
      f <- model("Surv(exit, event)", d, 5)
      function() coef(survreg(f, d, dist = "weibull"))[2:6]
    }
  ),
  riskRegression = list(
    standardised = function(d) {
      d$sex <- factor(d$sex)
      f <- model("Surv(exit, event)", d)
      function() {
        fit <- coxph(f, d, ties = "breslow", x = TRUE, y = TRUE)
        risks <- ate(fit, data = d, treatment = "sex", times = 1:52, cause = 1, se = TRUE, verbose = FALSE)
        asked <- as.data.frame(risks$meanRisk)
        asked <- asked[asked$time %in% c(26, 52), ]
        asked$estimate[order(asked$treatment, asked$time)]
      }
    }
  ),
  prodlim = list(
    kaplan_meier = function(d) function() {
      fit <- prodlim(Hist(time = exit, event = event, entry = entry) ~ 1, d)
      step_at(fit$time, fit$surv)
    },
    aalen_johansen = function(d) function() {
      fit <- prodlim(Hist(exit, event) ~ 1, d)
      step_at(fit$time, fit$cuminc[[1]])
    }
  ),
  cmprsk = list(
    aalen_johansen = function(d) function() {
      fit <- cuminc(d$exit, d$event)
      as.numeric(timepoints(fit, at_weeks)$est[1, ])
    },
    fine_gray = function(d) {
      x <- as.matrix(d[terms_of(d)])
      function() crr(d$exit, d$event, x, failcode = 1)$coef
    }
  ),
  mstate = list(
    states = function(d) {
      # mstate wants a row for every movement that was possible, not only for the one that happened.
      paths <- list(c(2, 3, 4), c(1, 3, 4), c(1, 2, 4), integer())
      moves <- transMat(paths, names = as.character(1:4))
      long <- do.call(rbind, lapply(1:3, function(from) {
        own <- d[d$state == from, ]
        do.call(rbind, lapply(paths[[from]], function(to) data.frame(
          id = own$person, from = from, to = to, trans = moves[from, to], Tstart = own$entry, Tstop = own$exit,
          status = as.numeric(own$event == to))))
      }))
      function() {
        fit <- coxph(Surv(Tstart, Tstop, status) ~ strata(trans), long, method = "breslow")
        chances <- probtrans(msfit(fit, trans = moves), predt = 0, variance = TRUE)[[1]]
        step_at(chances$time, chances$pstate2)
      }
    }
  ),
  flexsurv = list(
    weibull = function(d) {
      f <- model("Surv(entry, exit, event)", d, 5)
      function() coef(flexsurvreg(f, data = d, dist = "weibull"))[3:7]
    }
  )
)

timed <- function(call) {
  invisible(gc(reset = TRUE))
  if (file.exists("/proc/self/clear_refs")) cat("5", file = "/proc/self/clear_refs")
  resident <- status("VmRSS")
  spent <- c()
  repeat {
    before <- sum(proc.time()[1:2])
    answer <- call()
    spent <- c(spent, sum(proc.time()[1:2]) - before)
    if (length(spent) == 1) megabytes <- (status("VmHWM") - resident) / 1024
    if (sum(spent) >= seconds || length(spent) >= 20) break
  }
  sprintf('"first": %.4f, "best": %.4f, "megabytes": %.1f, "answer": [%s]', spent[1], min(spent),
          if (length(megabytes)) megabytes else -1, paste(sprintf("%.12g", answer), collapse = ", "))
}

installed <- suppressMessages(suppressWarnings(require(library_name, character.only = TRUE, quietly = TRUE)))
if (installed) suppressMessages({library(survival); library(stats)})
for (job in args[-(1:2)]) {
  work <- sub("=.*", "", job)
  line <- if (!installed) '"error": "not installed"' else tryCatch(
    timed(tasks[[library_name]][[work]](read_data(sub("^[^=]*=", "", job)))),
    error = function(e) sprintf('"error": "%s"', gsub('[^A-Za-z0-9 .,:()-]', " ", conditionMessage(e))))
  cat(sprintf('{"work": "%s", %s}\n', work, line))
}
