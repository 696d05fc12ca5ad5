# Reference values of the panel designs and of weighting. From the repository's root, with three folders: the R files
# of synthdid 0.0.9 and of Synth 1.1-8 (their public sources), and the published panels (california_prop99.csv, basque.csv):
#   Rscript tests/reference/r/panel.R SYNTHDID/R SYNTH/R PANELS
# Writes expected/panel.csv and expected/weighting.csv.
suppressMessages({library(sandwich); library(kernlab); library(optimx)})
args <- commandArgs(trailingOnly = TRUE)
for (folder in args[1:2]) for (file in list.files(folder, "[.]R$", full.names = TRUE))
  if (!grepl("plot|zzz|package", file)) source(file)
here <- "tests/reference"
hash <- function(path) sub(" .*", "", system2("sha256sum", path, stdout = TRUE))
rows <- list()
keep <- function(case, quantity, name, value)
  rows[[length(rows) + 1]] <<- data.frame(case, quantity, name, value = sprintf("%.15g", as.numeric(value)))

# Algorithm 4's placebos, one for each comparison unit instead of random draws.
each_placebo <- function(estimate) {
  setup <- attr(estimate, "setup"); weights <- attr(estimate, "weights"); opts <- attr(estimate, "opts")
  sapply(1:setup$N0, function(i) {
    order <- c(setdiff(1:setup$N0, i), i)
    w <- weights; w$omega <- sum_normalize(weights$omega[order[-setup$N0]])
    do.call(synthdid_estimate, c(list(Y = setup$Y[order, ], N0 = setup$N0 - 1, T0 = setup$T0, X = setup$X[order, , ],
                                      weights = w), opts))
  })
}
estimates <- function(case, Y, N0, T0, placebos = TRUE) {
  for (design in c("synthdid_estimate", "sc_estimate", "did_estimate")) {
    fit <- do.call(design, list(Y, N0, T0))
    keep(case, design, "effect", fit)
    keep(case, design, rownames(Y)[1:N0], attr(fit, "weights")$omega)
    # For sc, placebos keep lambda = 0; the estimate's own options say so.
    if (placebos) keep(case, paste0(design, "_placebo"), rownames(Y)[1:N0], each_placebo(fit))
  }
}
wide <- function(name) as.matrix(read.csv(file.path(here, "inputs", name), row.names = 1, check.names = FALSE))

one <- wide("panel_one.csv"); estimates("one", one, 19, 16)
block <- wide("panel_block.csv"); estimates("block", block, 20, 12, placebos = FALSE)
long <- data.frame(y = c(block), unit = rep(rownames(block), ncol(block)), period = rep(1:ncol(block), each = nrow(block)))
long$d <- as.numeric(grepl("treated", long$unit) & long$period > 12)
fit <- lm(y ~ d + factor(unit) + factor(period), long)
keep("block", "vcovCL_HC0_cadjust", "effect", coef(fit)["d"])
keep("block", "vcovCL_HC0_cadjust", "std_error",
     sqrt(vcovCL(fit, cluster = long$unit, type = "HC0", cadjust = TRUE)["d", "d"]))

prop99 <- read.csv(file.path(args[3], "california_prop99.csv"), sep = ";")
Y <- xtabs(PacksPerCapita ~ State + Year, prop99); Y <- matrix(Y, nrow(Y), dimnames = dimnames(Y))
Y <- Y[c(setdiff(rownames(Y), "California"), "California"), ]
estimates("prop99", Y, 38, 19)

# Synth: as in Abadie and Gardeazabal (2003), and with the pre-period outcome alone. Synth divides predictors by their
# standard deviation, so that v = variance weighs every year the same.
basque <- subset(read.csv(file.path(args[3], "basque.csv")), regionno != 1)
Z <- xtabs(gdpcap ~ year + regionno, basque); Z <- matrix(Z, nrow(Z), dimnames = dimnames(Z))
years <- as.character(1960:1969); own <- Z[, "17", drop = FALSE]; others <- Z[, colnames(Z) != "17"]
v <- apply(Z[years, ], 1, var)
invisible(capture.output(same <- synth(X1 = own[years, , drop = FALSE], X0 = others[years, ], Z1 = own[years, , drop = FALSE],
                                       Z0 = others[years, ], custom.v = v, Sigf.ipop = 7, Margin.ipop = 1e-6)))
keep("basque", "synth_outcome_only", "loss", same$loss.v)
keep("basque", "synth_outcome_only", rownames(Z), own - others %*% same$solution.w)
basque$school.high <- basque$school.high + basque$school.post.high
invisible(capture.output({
  prepared <- dataprep(foo = basque, predictors = c("school.illit", "school.prim", "school.med", "school.high", "invest"),
    predictors.op = "mean", dependent = "gdpcap", unit.variable = "regionno", time.variable = "year",
    special.predictors = c(list(list("gdpcap", 1960:1969, "mean")),
      lapply(c("agriculture", "energy", "industry", "construction", "services.venta", "services.nonventa"),
             function(s) list(paste0("sec.", s), seq(1961, 1969, 2), "mean")), list(list("popdens", 1969, "mean"))),
    treatment.identifier = 17, controls.identifier = c(2:16, 18), time.predictors.prior = 1964:1969,
    time.optimize.ssr = 1960:1969, unit.names.variable = "regionname", time.plot = 1955:1997)
  full <- synth(prepared)}))
keep("basque", "synth_predictors", "loss", full$loss.v)
keep("basque", "synth_predictors", rownames(prepared$Y1plot), prepared$Y1plot - prepared$Y0plot %*% full$solution.w)

out <- function(name, header, frame) {
  file <- file(file.path(here, "expected", name), "wb")
  writeLines(paste("#", header), file)
  write.csv(frame, file, row.names = FALSE, quote = FALSE, eol = "\n")
  close(file)
}
out("panel.csv", c(sprintf("%s, synthdid 0.0.9, Synth 1.1-8, sandwich %s", R.version.string, packageVersion("sandwich")),
  "call: synthdid_estimate, sc_estimate, did_estimate(Y, N0, T0); lm + vcovCL(type = HC0, cadjust = TRUE); synth()",
  paste("input: panel_one.csv", hash(file.path(here, "inputs/panel_one.csv"))),
  paste("input: panel_block.csv", hash(file.path(here, "inputs/panel_block.csv"))),
  paste("input: california_prop99.csv", hash(file.path(args[3], "california_prop99.csv"))),
  paste("input: basque.csv", hash(file.path(args[3], "basque.csv")))), do.call(rbind, rows))

d <- read.csv(file.path(here, "inputs/weighting.csv")); rows <- list()
score <- fitted(glm(treated ~ age + sex + weeks, binomial, d, control = glm.control(epsilon = 1e-14)))
weights <- list(att = ifelse(d$treated == 1, 1, score / (1 - score)), ate = ifelse(d$treated == 1, 1 / score, 1 / (1 - score)),
                overlap = ifelse(d$treated == 1, 1 - score, score))
for (row in c(1, 50, 120, 200, 240)) keep("score", "fitted", row, score[row])
for (x in c("age", "sex", "weeks")) {
  spread <- sqrt((var(d[d$treated == 1, x]) + var(d[d$treated == 0, x])) / 2)
  difference <- function(w) (weighted.mean(d[d$treated == 1, x], w[d$treated == 1]) -
                             weighted.mean(d[d$treated == 0, x], w[d$treated == 0])) / spread
  keep("balance", "before", x, difference(rep(1, nrow(d))))
  for (kind in names(weights)) keep("balance", kind, x, difference(weights[[kind]]))
}
out("weighting.csv", c(R.version.string, "call: fitted(glm(treated ~ age + sex + weeks, binomial)); weighted.mean",
  paste("input: weighting.csv", hash(file.path(here, "inputs/weighting.csv")))), do.call(rbind, rows))
