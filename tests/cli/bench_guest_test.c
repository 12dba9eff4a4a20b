/* SPDX-License-Identifier: BSD-3-Clause */
/* bench_guest_test: shell scripts stand for guests: those that work, those that do not, those that
 * die. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/bench_guest.h"

static void start(struct bench_guest *guest, const char *script)
{
	char *const argv[] = {(char *)"sh", (char *)"-c", (char *)(uintptr_t)script, NULL};

	assert_int_equal(bench_guest_spawn(guest, argv, false), 0);
}

static void test_works(void **state)
{
	struct bench_guest guest;
	json_t *result = NULL;

	(void)state;
	start(&guest,
	      "echo noise; echo 'WORK: ready {}'; while read id what; do "
	      "[ $id = quit ] && exit; echo chatter; echo \"WORK: $id {\\\"value\\\": 7}\"; done");
	assert_int_equal(bench_guest_ready(&guest, 30, -1), 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(bench_guest_do(&guest, "up ms=1", 30, -1, &result), 0);
		assert_int_equal(json_integer_value(json_object_get(result, "value")), 7);
		json_decref(result);
	}
	bench_guest_stop(&guest);
	assert_int_equal(guest.pid, 0);
	bench_guest_stop(&guest); /* twice is once */
}

static void test_fails(void **state)
{
	struct bench_guest guest;
	json_t *result = NULL;

	(void)state;
	start(&guest, "echo 'WORK: ready {}'; read id what; "
		      "echo \"WORK: $id {\\\"error\\\": \\\"no route\\\"}\"; read id what; exit 3");
	assert_int_equal(bench_guest_ready(&guest, 30, -1), 0);
	assert_int_equal(bench_guest_do(&guest, "up ms=1", 30, -1, &result), -EIO);
	assert_null(result);
	assert_string_equal(guest.last, "no route");
	assert_int_equal(bench_guest_do(&guest, "up ms=1", 30, -1, &result), -ECHILD);
	bench_guest_stop(&guest);
}

static void test_never_ready(void **state)
{
	struct bench_guest guest;
	int stop[2];

	(void)state;
	start(&guest, "echo 'WORK: - {\"error\": \"no link\"}'; read line");
	assert_int_equal(bench_guest_ready(&guest, 30, -1), -EIO);
	assert_non_null(strstr(guest.last, "no link"));
	bench_guest_stop(&guest);
	start(&guest, "echo panic; exit 1");
	assert_int_equal(bench_guest_ready(&guest, 30, -1), -ECHILD);
	assert_string_equal(guest.last, "panic");
	bench_guest_stop(&guest);
	start(&guest, "read line");
	assert_int_equal(bench_guest_ready(&guest, 0, -1), -ETIMEDOUT);
	assert_int_equal(pipe(stop), 0);
	assert_int_equal(write(stop[1], "x", 1), 1);
	assert_int_equal(bench_guest_ready(&guest, 30, stop[0]), -EINTR); /* Ctrl-C */
	bench_guest_stop(&guest);
	close(stop[0]);
	close(stop[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_works),
		cmocka_unit_test(test_fails),
		cmocka_unit_test(test_never_ready),
	};

	signal(SIGPIPE, SIG_IGN); /* as the command has it */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
