/* SPDX-License-Identifier: BSD-3-Clause */
/* sample_test: medians, spreads, and probabilities that tables of the U test give. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench/bench.h"

static void near(double a, double b, double by)
{
	if (!(fabs(a - b) <= by))
		fail_msg("%f is not %f", a, b);
}

static void test_median(void **state)
{
	static const double odd[] = {5, 1, 9}, even[] = {4, 1, 2, 3}, one[] = {7};

	(void)state;
	near(bench_median(odd, 3), 5, 0);
	near(bench_median(even, 4), 2.5, 1e-9);
	near(bench_median(one, 1), 7, 0);
	near(bench_median(one, 0), 0, 0);
	near(bench_spread(even, 4), 0.75, 1e-9);
	near(bench_spread(one, 1), 0, 0);
}

static void test_mann_whitney(void **state)
{
	static const double low[] = {1, 2, 3, 4, 5}, high[] = {6, 7, 8, 9, 10};
	static const double mixed[] = {1.5, 2.5, 3.5, 4.5, 0.5}, tied[] = {1, 1, 2, 2, 3};
	double a[30], b[30];

	(void)state;
	near(bench_mann_whitney(low, 5, high, 5), 2.0 / 252, 1e-9); /* 10 over 5 orders */
	near(bench_mann_whitney(high, 5, low, 5), 2.0 / 252, 1e-9);
	near(bench_mann_whitney(low, 3, high, 3), 0.1, 1e-9);
	near(bench_mann_whitney(low, 4, high, 4), 2.0 / 70, 1e-9);
	assert_true(bench_mann_whitney(low, 5, mixed, 5) > 0.4);
	near(bench_mann_whitney(tied, 5, tied, 5), 1, 0.1);
	near(bench_mann_whitney(low, 5, high, 0), 1, 0);
	for (int i = 0; i < 30; i++) { /* large ones, by the normal approximation */
		a[i] = i;
		b[i] = i + 100;
	}
	assert_true(bench_mann_whitney(a, 30, b, 30) < 1e-9);
	for (int i = 0; i < 30; i++)
		b[i] = i + 0.5;
	assert_true(bench_mann_whitney(a, 30, b, 30) > 0.5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_median),
		cmocka_unit_test(test_mann_whitney),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
