# What the scripts of combined options share: frames with their hashes, a case for each question and frame, errors by
# numerical derivatives. A script names its default frames; others may follow its two arguments.
suppressMessages({library(survival); library(jsonlite)})
arguments <- commandArgs(trailingOnly = TRUE)
cases <- list(); hashes <- list()
exact <- coxph.control(eps = 1e-13, iter.max = 100, toler.chol = 1e-14)

read_frame <- function(name) {
  hashes[[name]] <<- readLines(file.path(arguments[1], paste0(name, ".sha256")), warn = FALSE)
  read.csv(file.path(arguments[1], paste0(name, ".csv")))
}
frames_or <- function(names) if (length(arguments) > 2) arguments[-(1:2)] else names
# The call is what a reader would write; its numbers are named vectors.
keep <- function(question, frame, call, values)
  cases[[length(cases) + 1]] <<- list(question = question, frame = frame, call = call, values = lapply(values, function(v) I(unname(c(v)))))
# Changes of a computation f(w) with each unit's weight (the infinitesimal jackknife), and the errors that they make.
by_weight <- function(f, w, unit) {
  slope <- function(u) { step <- 1e-4 * (unit == u); (f(w * (1 + step)) - f(w * (1 - step))) / 2e-4 }
  do.call(cbind, lapply(unique(unit), slope))
}
# What no weight moves has the error 0, not that of the last digit.
influence_error <- function(f, w, unit) { e <- sqrt(rowSums(by_weight(f, w, unit)^2)); ifelse(e < 1e-10 * max(e), 0, e) }
errors_of <- function(v) unname(sqrt(diag(as.matrix(v))))
finish <- function(packages = "survival") {
  versions <- sapply(packages, function(p) as.character(packageVersion(p)))
  text <- toJSON(list(versions = paste(R.version.string, paste(packages, versions, collapse = ", "), sep = ", "),
                      inputs = hashes, cases = cases), digits = I(15), auto_unbox = TRUE, na = "null")
  writeLines(gsub('},{"question"', '},\n{"question"', text, fixed = TRUE), arguments[2])
}
