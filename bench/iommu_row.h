/* SPDX-License-Identifier: BSD-3-Clause */
/* iommu_row: one line of the table that `make bench-iommu` prints; the walker and VFIO have the
 * same. */
#ifndef BENCH_IOMMU_ROW_H
#define BENCH_IOMMU_ROW_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/parse.h"

struct row {
	const char *who; /* "walker", "vfio-type1" */
	uint64_t page, call, range;
	double map, unmap, lookup; /* nanoseconds for all of `range`; lookup: for one, < 0: none */
	int64_t tables;		   /* bytes; < 0: not told */
};

static inline void row_number(double value, int width)
{
	if (value < 0)
		printf(" %*s", width, "-");
	else
		printf(" %*.1f", width, value);
}

static inline void row_head(void)
{
	printf("%-18s %-8s %-9s %-8s %9s %10s %10s %10s %12s\n", "WHO", "PAGES", "PER CALL",
	       "RANGE", "COUNT", "MAP ns", "UNMAP ns", "LOOKUP ns", "TABLE BYTES");
}

static inline void row_print(const struct row *row)
{
	char page[PARSE_SIZE_TEXT], call[PARSE_SIZE_TEXT], range[PARSE_SIZE_TEXT];
	double count = (double)row->range / (double)row->page;

	printf("%-18s %-8s %-9s %-8s %9.0f", row->who, format_size(row->page, page),
	       format_size(row->call, call), format_size(row->range, range), count);
	row_number(row->map / count, 10);
	row_number(row->unmap / count, 10);
	row_number(row->lookup, 10);
	if (row->tables < 0)
		printf(" %12s\n", "-");
	else
		printf(" %12lld\n", (long long)row->tables);
	fflush(stdout);
}

static inline double row_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static inline void row_must(int err, const char *what)
{
	if (!err)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(-err));
	exit(1);
}

#endif
