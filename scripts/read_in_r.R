#!/usr/bin/env Rscript
# Reads a run's submission tables in R, unchanged, and holds them against each other and the run's own estimates.
#
# Counts, medians and log-rank tests of every endpoint: survfit and survdiff of the package survival on adtte.csv beside
# table_survival.csv; every Cox model of table_cox.csv, by coxph on adtte.csv and covariates.csv. Best responses:
# derived here from the OVR rows by the rules of RECIST 1.1 (minimum 42 days, confirmation 28 days, one NE between,
# disease after CR is PD), beside BOR and CBOR. Sums, responses and sources: adtr.csv beside tr.csv, adrs.csv beside
# rs.csv, SRCDOM/SRCSEQ of adtte.csv beside the rows they name.
#
# Where admiralonco is installed it derives BOR and CBOR from the same OVR rows; elsewhere that line says NOT RUN.
# Run on their sources from the public repositories (events of 1.x); CRAN was not at hand. Theirs differs where a partial
# response without disease follows a complete one that was partial first (theirs forgets the response), and LSTA, which
# leaves out visits that are not evaluable here.
#
# Needs: Rscript with the package survival. Ends with 1 where anything differs.
#
#     scripts/read_in_r.R OUT/cohort

suppressMessages(library(survival))
folder <- commandArgs(TRUE)[1]
if (is.na(folder)) stop("expected the folder with adtte.csv: scripts/read_in_r.R OUT/cohort")
TOLERANCE <- 1e-9 # relative: medians are observed times divided by the length of a month
P_TOLERANCE <- 1e-8 # relative: sums of hypergeometric terms in another order
read_table <- function(name) {
  read.csv(file.path(folder, paste0(name, ".csv")), stringsAsFactors = FALSE, na.strings = "", check.names = FALSE)
}
failed <- 0
say <- function(what, compared, differing) {
  cat(sprintf("%-58s %6d compared %5d differ%s\n", what, compared, differing, if (differing > 0) "  <--" else ""))
  failed <<- failed + differing
}
differ <- function(a, b, tolerance) {
  both_missing <- is.na(a) & is.na(b)
  !(both_missing | (!is.na(a) & !is.na(b) & abs(a - b) <= tolerance * pmax(abs(a), abs(b), 1e-300)))
}

tables <- sapply(c("adrs", "adtr", "adtte", "rs", "tu", "tr"), read_table, simplify = FALSE)
for (name in names(tables)) {
  cat(sprintf("%-6s %7d rows %3d columns\n", name, nrow(tables[[name]]), ncol(tables[[name]])))
}
adrs <- tables$adrs; adtr <- tables$adtr; adtte <- tables$adtte
adrs$ADT <- as.Date(adrs$ADT)

# ---- times to event
code_of <- function(endpoint) toupper(substr(gsub("[^A-Za-z0-9]", "", endpoint), 1, 8))
plus <- unique(adtte$AVAL - as.numeric(as.Date(adtte$ADT) - as.Date(adtte$STARTDT)))
say("AVAL is ADT - STARTDT, or one day more, everywhere", nrow(adtte), as.integer(length(plus) != 1 || !plus %in% 0:1))
endpoints <- read_table("endpoints")
month <- median(endpoints$days[endpoints$days > 0] / endpoints$months[endpoints$days > 0])
adtte$time <- adtte$AVAL - plus[1]
adtte$group <- ifelse(is.na(adtte$DIAG), "diagnosis not recorded", adtte$DIAG)
table <- read_table("table_survival")
in_group <- function(endpoint, group) {
  adtte[adtte$PARAMCD == code_of(endpoint) & adtte$ANL01FL %in% "Y" & (group == "all" | adtte$group == group), ]
}
# R takes the middle of a plateau at 0.5, SPSS its beginning.
median_of <- function(fit, convention) {
  if (identical(convention, "SPSS")) return(fit$time[fit$surv <= 0.5 + 1e-12][1])
  unname(quantile(fit, 0.5, conf.int = FALSE))
}
medians <- vapply(seq_len(nrow(table)), function(i) {
  rows <- in_group(table$endpoint[i], table$group[i])
  if (nrow(rows) == 0) return(NA_real_)
  median_of(survfit(Surv(time, CNSR == 0) ~ 1, data = rows), table$median_convention[i]) / month
}, 0)
counts <- vapply(seq_len(nrow(table)), function(i) {
  rows <- in_group(table$endpoint[i], table$group[i])
  c(nrow(rows), sum(rows$CNSR == 0))
}, c(0, 0))
say("numbers at risk and of events (table_survival.csv)", length(counts), sum(counts != rbind(table$n, table$events)))
say("medians by survfit(Surv(AVAL, CNSR == 0))", nrow(table), sum(differ(medians, table$median_months, TOLERANCE)))
tested <- table[table$group == "all" & !is.na(table$log_rank_p), ]
p_of <- function(endpoint) {
  test <- survdiff(Surv(time, CNSR == 0) ~ group, data = in_group(endpoint, "all"))
  pchisq(test$chisq, length(test$n) - 1, lower.tail = FALSE)
}
p <- vapply(tested$endpoint, p_of, 0)
say("log-rank tests by survdiff over the diagnoses", nrow(tested), sum(differ(p, tested$log_rank_p, P_TOLERANCE)))
print(data.frame(endpoint = tested$endpoint, R = signif(p, 10), here = signif(tested$log_rank_p, 10), row.names = NULL))
cox <- if (file.exists(file.path(folder, "table_cox.csv"))) read_table("table_cox") else NULL
cox <- cox[!is.na(cox$hazard_ratio), ]
covariates <- if (NROW(cox) > 0) read_table("covariates") else NULL
# Every model of the table, fitted anew on adtte.csv and covariates.csv; rows of one patient are a cluster.
model_of <- function(rows, ties) {
  data <- in_group(rows$endpoint[1], "all")
  own <- covariates[match(data$USUBJID, covariates$patient_id), , drop = FALSE]
  variables <- unique(rows$variable)
  frame <- data.frame(row.names = seq_len(nrow(data)))
  for (n in seq_along(variables)) {
    values <- own[[variables[n]]]
    reference <- rows$reference[rows$variable == variables[n]][1]
    if (!is.na(reference)) values <- relevel(factor(as.character(values)), ref = reference)
    frame[[paste0("v", n, "_")]] <- values
  }
  frame$time <- data$time; frame$event <- data$CNSR == 0; frame$patient <- data$USUBJID
  formula <- as.formula(paste("Surv(time, event) ~", paste0("v", seq_along(variables), "_", collapse = " + ")))
  fit <- if (anyDuplicated(data$USUBJID)) {
    coxph(formula, data = frame, ties = ties, cluster = patient, control = coxph.control(eps = 1e-12, iter.max = 100))
  } else {
    coxph(formula, data = frame, ties = ties, control = coxph.control(eps = 1e-12, iter.max = 100))
  }
  found <- summary(fit)
  name <- paste0("v", match(rows$variable, variables), "_", ifelse(is.na(rows$level), "", rows$level))
  at <- match(name, rownames(found$coefficients))
  p_column <- ncol(found$coefficients)
  cbind(found$conf.int[at, c(1, 3, 4), drop = FALSE], found$coefficients[at, p_column])
}
if (NROW(cox) > 0) {
  key <- ifelse(cox$model == "univariable", paste(cox$endpoint, cox$variable), paste(cox$endpoint, "together"))
  off <- sapply(c("breslow", "efron"), function(ties) {
    sum(sapply(split(cox, key), function(rows) {
      own <- suppressWarnings(model_of(rows, ties))
      here <- as.matrix(rows[, c("hazard_ratio", "low", "high", "p")])
      # Estimates to 1e-6; p to 1e-5, or both below 1e-12, where digits are lost.
      sum(differ(own[, 1:3], here[, 1:3], 1e-6)) + sum(differ(own[, 4], here[, 4], 1e-5) & pmax(own[, 4], here[, 4]) > 1e-12)
    }))
  })
  # The preset names the ties; one of the two must fit everywhere.
  say(sprintf("Cox models by coxph (%s): ratios, intervals, p", names(off)[which.min(off)]), 4 * nrow(cox), min(off))
} else {
  cat("Cox models by coxph: NOT RUN, table_cox.csv has none\n")
}

# ---- sources
of_adrs <- adtte[adtte$SRCDOM %in% "ADRS", ]
from <- adrs[match(paste(of_adrs$USUBJID, of_adrs$SRCSEQ), paste(adrs$USUBJID, adrs$ASEQ)), ]
wrong <- is.na(from$ADT) | from$ADT != as.Date(of_adrs$ADT)
say("dates of adtte.csv that name a row of adrs.csv", nrow(of_adrs), sum(wrong))
of_tr <- adtte[adtte$SRCDOM %in% "TR", ]
from <- tables$tr[match(paste(of_tr$USUBJID, of_tr$SRCSEQ), paste(tables$tr$USUBJID, tables$tr$TRSEQ)), ]
say("dates of adtte.csv that name a row of tr.csv", nrow(of_tr), sum(is.na(from$TRDTC) | from$TRDTC != of_tr$ADT))
nowhere <- sum(is.na(adtte$SRCDOM))
cat(sprintf("dates of adtte.csv from no table (last contact, cut-off): %d of %d\n", nowhere, nrow(adtte)))

# ---- responses and sums
overall <- adrs[adrs$PARAMCD == "OVR", ]
rs <- tables$rs[tables$rs$RSTESTCD == "OVRLRESP", ]
key <- paste(overall$USUBJID, overall$PARCAT1, overall$AVISITN)
found <- rs$RSORRES[match(key, paste(rs$USUBJID, rs$RSCAT, rs$VISITNUM))]
wrong <- sum(is.na(found) | found != overall$AVALC) + abs(nrow(rs) - nrow(overall))
say("OVR of adrs.csv beside OVRLRESP of rs.csv", nrow(overall), wrong)
sums <- tables$tr[tables$tr$TRTESTCD == "SUMDIAM", ]
own <- adtr[adtr$PARAMCD == "SDIAM" & is.na(adtr$ABLFL) & !is.na(adtr$AVAL), ]
first <- if (any(own$PARCAT1 == "RECIST 1.1")) "RECIST 1.1" else own$PARCAT1[1]
own <- own[own$PARCAT1 %in% first, ]
found <- sums$TRSTRESN[match(paste(own$USUBJID, own$AVISITN), paste(sums$USUBJID, sums$VISITNUM))]
say("SDIAM of adtr.csv beside SUMDIAM of tr.csv", nrow(own), sum(differ(own$AVAL, found, 1e-6)))

# ---- best responses
# After CR disease is PD; a partial response without disease (targets gone, a non-target not evaluated) is none.
until_progression <- function(words, disease) {
  seen <- which(words == "CR")
  if (length(seen) > 0) {
    after <- seq_along(words) > seen[1] & words %in% c("PR", "SD", "NON-CR/NON-PD") & disease
    words[after] <- "PD"
  }
  end <- which(words == "PD")
  if (length(end) > 0) words[seq_len(end[1])] else words
}
is_confirmed <- function(words, day, wanted) {
  good <- if (wanted == "CR") "CR" else c("CR", "PR")
  any(vapply(which(words == wanted), function(i) {
    later <- which(seq_along(words) > i & words %in% good & day - day[i] >= 28)
    any(vapply(later, function(j) {
      between <- words[setdiff(seq_len(j), c(seq_len(i), j))]
      all(between %in% c(good, "NE")) && sum(between == "NE") <= 1
    }, TRUE))
  }, TRUE))
}
best_of <- function(words, day, disease, confirmed) {
  words <- until_progression(words, disease); day <- day[seq_along(words)]
  has <- function(wanted) if (confirmed) is_confirmed(words, day, wanted) else wanted %in% words
  late <- function(wanted) any(words %in% wanted & day >= 42)
  if (has("CR")) "CR" else if (has("PR")) "PR" else if (late(c("CR", "PR", "SD"))) "SD" else if (late("NON-CR/NON-PD"))
    "NON-CR/NON-PD" else if ("PD" %in% words) "PD" else if (length(words) > 0 && all(words == "NED")) "NED" else "NE"
}
# Whether disease is seen: by the targets of the same reading, or by a non-target that is there and no normal node.
target <- tables$rs[tables$rs$RSTESTCD == "TRGRESP", ]
word <- function(d, name) if (name %in% names(d)) d[[name]] else rep(NA, nrow(d))
reader <- function(d) paste(word(d, "RSEVAL"), word(d, "RSEVALID"), sep = "\r")
target <- target$RSORRES[match(paste(overall$USUBJID, overall$PARCAT1, overall$AVISITN, reader(overall)),
                               paste(target$USUBJID, target$RSCAT, target$VISITNUM, reader(target)))]
non_target <- tables$tr[tables$tr$TRGRPID %in% "NON-TARGET", ]
at <- function(d) paste(d$USUBJID, d$VISITNUM, d$TRLNKID, sep = "\r")
nodes <- tables$tu[grepl("LYMPH NODE", tables$tu$TULOC), ]
is_node <- paste(non_target$USUBJID, non_target$TRLNKID) %in% paste(nodes$USUBJID, nodes$TULNKID)
is_normal <- is_node & non_target$TRTESTCD == "LPERP" & !is.na(non_target$TRSTRESN) & non_target$TRSTRESN < 10
is_present <- non_target$TRTESTCD == "TUMSTATE" & non_target$TRORRES %in% "PRESENT"
present <- non_target[is_present & !at(non_target) %in% at(non_target[is_normal, ]), ]
overall$DISEASE <- target %in% c("PR", "SD", "PD") |
  paste(overall$USUBJID, overall$AVISITN) %in% paste(present$USUBJID, present$VISITNUM)
immune <- grepl("^i", overall$AVALC) | grepl("IRECIST", overall$PARCAT1)
key <- paste(overall$USUBJID, overall$PARCAT1, overall$RSEVAL, overall$RSEVALID, sep = "\r")
for (parameter in c("BOR", "CBOR")) {
  readings <- split(overall[!immune, ], key[!immune])
  # Partial dates are weighed as ranges of days by the run, not here.
  partial <- vapply(readings, function(one) anyNA(one$ADY), TRUE)
  if (any(partial)) cat(sprintf("%s: %d readings with dates that are not complete left out\n", parameter, sum(partial)))
  readings <- readings[!partial]
  derived <- vapply(readings, function(one) {
    # ADY has no day 0.
    day <- ifelse(one$ADY > 0, one$ADY - 1, one$ADY)
    best_of(one$AVALC, day, one$DISEASE, parameter == "CBOR")
  }, "")
  rows <- adrs[adrs$PARAMCD == parameter, ]
  given <- rows$AVALC[match(names(readings), paste(rows$USUBJID, rows$PARCAT1, rows$RSEVAL, rows$RSEVALID, sep = "\r"))]
  say(paste(parameter, "derived from OVR in R"), length(derived), sum(is.na(given) | derived != given))
  print(table(derived, dnn = parameter))
}
if (requireNamespace("admiralonco", quietly = TRUE) && requireNamespace("admiral", quietly = TRUE)) {
  suppressMessages({library(admiral); library(admiralonco); library(dplyr)})
  versions <- vapply(c("admiral", "admiralonco"), function(name) as.character(packageVersion(name)), "")
  cat(sprintf("admiral %s, admiralonco %s\n", versions[1], versions[2]))
  keys <- exprs(STUDYID, USUBJID)
  # Until admiral 1.0 by derive_param_bor and derive_param_confirmed_bor, which are deprecated since admiralonco 1.4.
  by_functions <- function(ovr, pd, adsl) {
    input <- bind_rows(ovr, pd)
    shared <- list(dataset = input, dataset_adsl = adsl, filter_source = rlang::expr(PARAMCD == "OVR"),
                   source_pd = date_source(dataset_name = "adrs", date = ADT, filter = PARAMCD == "PD"),
                   source_datasets = list(adrs = input), reference_date = rlang::expr(RANDDT), ref_start_window = 42)
    twice <- list(ref_confirm = 28, set_values_to = exprs(PARAMCD = "CBOR"))
    list(BOR = do.call(derive_param_bor, c(shared, list(set_values_to = exprs(PARAMCD = "BOR")))),
         CBOR = do.call(derive_param_confirmed_bor, c(shared, twice)))
  }
  # From admiral 1.0 by derive_extreme_event with the events of admiralonco: 42 and 28 days, one NE.
  by_events <- function(ovr, adsl) {
    late <- list(bor_sd, bor_non_crpd, bor_pd, bor_ne, no_data_missing)
    of <- function(events, code) {
      derive_extreme_event(by_vars = keys, tmp_event_nr_var = event_nr, order = exprs(event_nr, ADT), mode = "first",
                           source_datasets = list(ovr = ovr, adsl = adsl), events = c(events, late),
                           set_values_to = exprs(PARAMCD = !!code))
    }
    list(BOR = of(list(bor_cr, bor_pr), "BOR"), CBOR = of(list(cbor_cr, cbor_pr), "CBOR"))
  }
  kinds <- unique(overall[!immune, c("PARCAT1", "RSEVAL", "RSEVALID")])
  for (kind in seq_len(nrow(kinds))) {
    own <- adrs %>% inner_join(kinds[kind, ], by = names(kinds))
    # admiralonco reads complete dates and the words of RECIST 1.1 alone, and takes the origin from ADSL: here from ADY.
    words <- c("CR", "PR", "SD", "NON-CR/NON-PD", "PD", "NE")
    left_out <- unique(own$USUBJID[own$PARAMCD == "OVR" & (is.na(own$ADT) | is.na(own$ADY) | !own$AVALC %in% words)])
    ovr <- own %>% filter(PARAMCD == "OVR", !USUBJID %in% left_out) %>%
      mutate(RANDDT = ADT - ifelse(ADY > 0, ADY - 1, ADY))
    pd <- own %>% filter(PARAMCD == "PD", AVALC == "Y", !USUBJID %in% left_out)
    if (nrow(ovr) == 0) next
    adsl <- ovr %>% distinct(STUDYID, USUBJID, RANDDT)
    pd <- pd %>% inner_join(adsl, by = c("STUDYID", "USUBJID"))
    derived <- if (packageVersion("admiral") >= "1.0.0") {
      by_events(filter(ovr, ANL01FL %in% "Y"), adsl)
    } else {
      by_functions(ovr, pd, adsl)
    }
    of_whom <- paste(na.omit(unlist(kinds[kind, ])), collapse = ", ")
    if (length(left_out) > 0) cat(sprintf("%s: %d subjects not for admiralonco\n", of_whom, length(left_out)))
    for (parameter in names(derived)) {
      rows <- derived[[parameter]] %>% filter(PARAMCD == parameter)
      given <- own %>% filter(PARAMCD == parameter)
      given <- given[match(rows$USUBJID, given$USUBJID), ]
      wrong <- is.na(given$AVALC) | given$AVALC != rows$AVALC
      say(paste(parameter, "by admiralonco,", of_whom), nrow(rows), sum(wrong))
      dates <- is.na(given$ADT) != is.na(rows$ADT) | (!is.na(given$ADT) & !is.na(rows$ADT) & given$ADT != rows$ADT)
      say("  its date, where the responses agree", sum(!wrong), sum(dates & !wrong))
      say("  its AVAL by aval_resp", nrow(rows), sum(differ(aval_resp(given$AVALC), given$AVAL, 0)))
      if (any(wrong)) print(data.frame(subject = rows$USUBJID, here = given$AVALC, admiralonco = rows$AVALC)[wrong, ])
    }
  }
} else {
  cat("BOR and CBOR by admiralonco: NOT RUN, the package is not installed\n")
}
cat(if (failed == 0) "all agree\n" else sprintf("%d differ\n", failed))
quit(status = if (failed == 0) 0 else 1)
