/* SPDX-License-Identifier: BSD-3-Clause */
/* patience_test: a signal ends the wait, not the process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/patience.h"

static void test_time(void **state)
{
	struct patience p;

	(void)state;
	patience_begin(&p);
	assert_true(patience_wait(&p, 1));
	patience_end(&p);
}

static void test_signal(void **state)
{
	struct patience p;

	(void)state;
	patience_begin(&p);
	kill(getpid(), SIGINT);
	assert_false(patience_wait(&p, 60000));
	assert_false(patience_wait(&p, 60000)); /* and no later one is begun */
	patience_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_signal),
	};

	alarm(30);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
