/* SPDX-License-Identifier: BSD-3-Clause */
/* sample: what a few repeated trials say: see bench.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"

#define EXACT_MAX 20u /* of each sample: 41 counts times 400 sums */

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The value below which `share` of them lie, between neighbours where it falls there. */
static double quantile(const double *values, size_t count, double share)
{
	double *sorted = calloc(count ? count : 1, sizeof(*sorted)), at, result;
	size_t low;

	if (!sorted || !count) {
		free(sorted);
		return 0;
	}
	memcpy(sorted, values, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), ascending);
	at = share * (double)(count - 1);
	low = (size_t)at;
	result = sorted[low];
	if (low + 1 < count)
		result += (at - (double)low) * (sorted[low + 1] - sorted[low]);
	free(sorted);
	return result;
}

double bench_median(const double *values, size_t count)
{
	return quantile(values, count, 0.5);
}

double bench_spread(const double *values, size_t count)
{
	return (quantile(values, count, 0.75) - quantile(values, count, 0.25)) / 2;
}

/* U of the first sample; *ties: values that both have. */
static double statistic(const double *a, size_t n, const double *b, size_t m, size_t *ties)
{
	double u = 0;

	*ties = 0;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < m; j++) {
			bool equal = !(a[i] < b[j]) && !(a[i] > b[j]);

			u += equal ? 0.5 : a[i] > b[j] ? 1 : 0;
			*ties += equal;
		}
	return u;
}

/* How many of the orders of n and m values have U at most `u`, as a share of all: the recurrence
 * of Mann and Whitney, one value of the first sample after the other. */
static double exact_tail(size_t n, size_t m, size_t u)
{
	size_t sums = n * m + 1;
	double *ways = calloc((n + 1) * sums, sizeof(*ways)), below = 0, all = 0;

	if (!ways)
		return 1;
	ways[0] = 1;
	for (size_t rank = 1; rank <= n + m; rank++) /* who has this rank: one of the first? */
		for (size_t k = rank < n ? rank : n; k >= 1; k--) {
			size_t gain = rank - k; /* values of the second below it */

			for (size_t s = sums; gain <= m && s-- > gain;)
				ways[k * sums + s] += ways[(k - 1) * sums + s - gain];
		}
	for (size_t s = 0; s < sums; s++) {
		all += ways[n * sums + s];
		below += s <= u ? ways[n * sums + s] : 0;
	}
	free(ways);
	return below / all;
}

double bench_mann_whitney(const double *a, size_t n, const double *b, size_t m)
{
	double u, mean = (double)n * (double)m / 2, p;
	size_t ties;

	if (!n || !m)
		return 1;
	u = statistic(a, n, b, m, &ties);
	u = u > mean ? 2 * mean - u : u;
	if (!ties && n <= EXACT_MAX && m <= EXACT_MAX) {
		p = 2 * exact_tail(n, m, (size_t)u);
	} else {
		double sigma = sqrt((double)n * (double)m * ((double)(n + m) + 1) / 12);

		p = erfc((mean - u - 0.5) / sigma / sqrt(2));
	}
	return p < 1 ? p : 1;
}
