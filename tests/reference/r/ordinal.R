# Rscript tests/reference/r/ordinal.R > tests/reference/expected/ordinal.csv
library(MASS)
cat(sprintf("# %s, MASS %s; data: MASS::housing\n", R.version.string, packageVersion("MASS")))
cat("# polr(Sat ~ Infl + Type + Cont, housing, weights = Freq, Hess = TRUE, control = list(reltol = 1e-14, maxit = 1000))\n")
cat("term,estimate,std_error\n")
housing <- transform(MASS::housing, Infl = factor(as.character(Infl)), Type = factor(as.character(Type)),
                     Cont = factor(as.character(Cont)))
fit <- polr(Sat ~ Infl + Type + Cont, housing, weights = Freq, Hess = TRUE, control = list(reltol = 1e-14, maxit = 1000))
value <- c(coef(fit), fit$zeta)
cat(sprintf("%s,%.12g,%.12g\n", names(value), value, sqrt(diag(vcov(fit)))), sep = "")
