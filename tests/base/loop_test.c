/* SPDX-License-Identifier: BSD-3-Clause */
/* The event loop: callbacks, timers, stopping from outside, and removal inside a callback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/loop.h"

struct pair {
	struct loop *loop;
	struct loop_source *source[2];
	int calls;
};

/* Both sources are ready in the same batch: whichever is called first removes the other. */
static void on_ready(void *opaque, uint32_t events)
{
	struct pair *pair = opaque;

	assert_true(events & EPOLLIN);
	pair->calls++;
	loop_remove(pair->source[0]);
	loop_remove(pair->source[1]);
	loop_stop(pair->loop, 7);
}

static void test_remove_inside(void **state)
{
	struct pair pair = {0};
	int fds[2];
	(void)state;
	assert_int_equal(loop_create(&pair.loop), 0);
	assert_int_equal(pipe(fds), 0);
	int twin = dup(fds[0]);
	assert_int_equal(loop_add(pair.loop, fds[0], EPOLLIN, on_ready, &pair, &pair.source[0]), 0);
	assert_int_equal(loop_add(pair.loop, twin, EPOLLIN, on_ready, &pair, &pair.source[1]), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(loop_run(pair.loop), 7);
	assert_int_equal(pair.calls, 1);
	loop_destroy(pair.loop);
	close(fds[0]);
	close(fds[1]);
	close(twin);
}

static void on_timer(void *opaque, uint32_t events)
{
	struct pair *pair = opaque;

	(void)events;
	if (++pair->calls == 2)
		loop_stop(pair->loop, 0);
}

static void test_timers(void **state)
{
	struct pair pair = {0};
	(void)state;
	assert_int_equal(loop_create(&pair.loop), 0);
	assert_int_equal(loop_timer(pair.loop, 0, on_timer, &pair, NULL), 0);
	assert_int_equal(loop_timer(pair.loop, 5, on_timer, &pair, NULL), 0);
	assert_int_equal(loop_timer(pair.loop, 60000, on_timer, &pair, NULL), 0);
	assert_int_equal(loop_run(pair.loop), 0);
	assert_int_equal(pair.calls, 2);
	loop_destroy(pair.loop); /* frees the one that never fired */
}

static void test_stop_before_run(void **state)
{
	struct loop *loop;
	(void)state;
	assert_int_equal(loop_create(&loop), 0);
	loop_stop(loop, 3);
	assert_int_equal(loop_run(loop), 3);
	loop_destroy(loop);
	loop_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_remove_inside),
		cmocka_unit_test(test_timers),
		cmocka_unit_test(test_stop_before_run),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
