/* SPDX-License-Identifier: BSD-3-Clause */
/* The event loop: callbacks, timers, stopping from outside, and removal inside a callback. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
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

/* Another thread's sources come and go while the loop runs. A callback that has begun may end late,
 * so what it works on stays; none may begin once the loop has come round again. */
struct visitor {
	struct loop *loop;
	int fd;
	atomic_uint calls;
};

static void visited(void *opaque, uint32_t events)
{
	struct visitor *v = opaque;

	(void)events;
	atomic_fetch_add(&v->calls, 1);
}

static void *come_and_go(void *opaque)
{
	struct visitor *v = opaque;
	struct loop_source *source;

	for (int i = 0; i < 2000; i++) {
		if (loop_add(v->loop, v->fd, EPOLLIN, visited, v, &source))
			abort();
		if (i % 4 == 0)
			sched_yield();
		loop_remove(source);
	}
	loop_stop(v->loop, 5);
	return NULL;
}

static void test_other_thread(void **state)
{
	struct visitor v = {.fd = eventfd(1, EFD_CLOEXEC)}; /* readable all the time */
	pthread_t thread;

	(void)state;
	assert_int_equal(loop_create(&v.loop), 0);
	assert_int_equal(pthread_create(&thread, NULL, come_and_go, &v), 0);
	assert_int_equal(loop_run(v.loop), 5);
	assert_int_equal(pthread_join(thread, NULL), 0);
	/* the last is gone: a round without it ends by the stop alone */
	unsigned calls = atomic_load(&v.calls);
	loop_stop(v.loop, 6);
	assert_int_equal(loop_run(v.loop), 6);
	assert_int_equal(atomic_load(&v.calls), calls);
	loop_destroy(v.loop);
	close(v.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_other_thread),
		cmocka_unit_test(test_remove_inside),
		cmocka_unit_test(test_timers),
		cmocka_unit_test(test_stop_before_run),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
