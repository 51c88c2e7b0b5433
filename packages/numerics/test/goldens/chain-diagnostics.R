# Goldens of chain-diagnostics.json and pareto.json: R packages posterior 1.4.0 and loo 2.5.1 (Debian 12).
# Run: Rscript chain-diagnostics.R
suppressMessages({ library(posterior); library(loo) })
ar1 <- function(n, phi) { x <- numeric(n); x[1] <- rnorm(1); for (i in 2:n) x[i] <- phi * x[i - 1] + sqrt(1 - phi^2) * rnorm(1); x }
set.seed(1)
cases <- list(
  independent = replicate(4, rnorm(100)),
  autocorrelated = replicate(4, ar1(200, 0.8)),
  antithetic = replicate(2, ar1(151, -0.6)),
  shifted = sapply(c(0, 0, 0, 1), function(m) rnorm(100) + m),
  scaled = sapply(c(1, 1, 4, 1), function(s) rnorm(100) * s),
  oneChain = matrix(ar1(101, 0.5)),
  cauchy = replicate(4, rcauchy(80)),
  ties = replicate(3, rpois(60, 1))
)
quote_ <- function(x, digits = 10) paste0("[", paste(trimws(formatC(x, digits = digits, format = "g")), collapse = ","), "]")
rows <- sapply(names(cases), function(name) {
  x <- round(cases[[name]], 6)
  chains <- paste(apply(x, 2, quote_), collapse = ",")
  values <- c(rHat = rhat(x), bulkEss = ess_bulk(x), tailEss = ess_tail(x), meanEss = ess_mean(x), meanStandardError = mcse_mean(x),
    varianceStandardError = 2 * sd(as.vector(x)) * mcse_sd(x) * sqrt(mean((x - mean(x))^2)) / sd(as.vector(x)))
  n <- length(x)
  # posterior divides by S in the variance of (x - mean)^2, here S - 1
  values["varianceStandardError"] <- values["varianceStandardError"] * sqrt(n / (n - 1))
  paste0('"', name, '":{"chains":[', chains, '],"expected":{', paste0('"', names(values), '":', formatC(values, digits = 17, format = "g"), collapse = ","), '}}')
})
writeLines(paste0("{", paste(rows, collapse = ",\n"), "}"), "chain-diagnostics.json")
weights <- list(normal = rnorm(400) * 0.7, heavy = -1.2 * log(runif(300)), light = log(runif(250) + 0.5), few = rnorm(24))
rows <- sapply(names(weights), function(name) {
  w <- round(weights[[name]], 6)
  fit <- suppressWarnings(psis(w, r_eff = 1))
  paste0('"', name, '":{"logWeights":', quote_(w), ',"expected":{"paretoShape":', formatC(pareto_k_values(fit), digits = 17, format = "g"), ',"weights":', quote_(as.vector(weights(fit, log = FALSE)), 15), '}}')
})
writeLines(paste0("{", paste(rows, collapse = ",\n"), "}"), "pareto.json")
