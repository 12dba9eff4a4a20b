/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench_report: a report as JSON, and what is made of it. Its shape, version BENCH_SCHEMA:
 *
 *     schema, kind ("nic"), started (UTC), complete, rounds, environment {…}
 *     paths []   name, label, available, why_not (null when it is), why (a sentence)
 *                works [] name, unit, better ("more" or "less"), values [], invalid, median, spread
 *                latency {p50, p99, p999, max (ns), cdf [[share, ns]…]} of the work "rr-1"
 *                cost {…} of the work "cost" (bench_cost.h)
 *     checks []  name, ok, detail: what must hold of such numbers
 */
#ifndef CLI_BENCH_REPORT_H
#define CLI_BENCH_REPORT_H

#include <jansson.h>
#include <stdio.h>

#define BENCH_SCHEMA 1

/* The machine that is measured; "emulated" when it is one itself. */
json_t *bench_environment(void);
/* Medians, spreads, sentences and checks, from the values. */
void bench_report_finish(json_t *report);
void bench_report_print(FILE *out, const json_t *report);
/* One file with everything in it, charts too. */
void bench_report_html(FILE *out, const json_t *report);
/* -EINVAL with *what: it is no report of this version. */
int bench_report_check(const json_t *report, const char **what);

#endif
