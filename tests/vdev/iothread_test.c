/* SPDX-License-Identifier: BSD-3-Clause */
/* iothread: calls run there, in order, and have happened on return. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "vdev/iothread.h"

struct seen {
	struct vdev_iothread *thread;
	pthread_t self;
	char name[16];
	unsigned count;
	sigset_t mask;
};

static void look(void *opaque)
{
	struct seen *seen = opaque;

	seen->self = pthread_self();
	pthread_getname_np(seen->self, seen->name, sizeof(seen->name));
	pthread_sigmask(SIG_BLOCK, NULL, &seen->mask);
	seen->count++;
}

static void call_itself(void *opaque)
{
	struct seen *seen = opaque;

	vdev_iothread_call(seen->thread, look, seen);
}

static void test_call(void **state)
{
	struct seen seen = {0};

	(void)state;
	assert_int_equal(vdev_iothread_create(NULL, "vm/a-long-name-of-a-disk", &seen.thread), 0);
	for (unsigned i = 0; i < 100; i++) {
		vdev_iothread_call(seen.thread, look, &seen);
		assert_int_equal(seen.count, i + 1);
	}
	assert_false(pthread_equal(seen.self, pthread_self()));
	assert_string_equal(seen.name, "vm/a-long-name-");
	assert_true(sigismember(&seen.mask, SIGTERM));
	vdev_iothread_call(seen.thread, call_itself, &seen);
	assert_int_equal(seen.count, 101);
	vdev_iothread_destroy(seen.thread);
	vdev_iothread_destroy(NULL);
}

static void *many(void *opaque)
{
	struct seen *seen = opaque;

	for (unsigned i = 0; i < 500; i++)
		vdev_iothread_call(seen->thread, look, seen);
	return NULL;
}

/* Callers from several threads take turns: the count is written without a lock. */
static void test_many_callers(void **state)
{
	struct seen seen = {0};
	pthread_t caller[3];

	(void)state;
	assert_int_equal(vdev_iothread_create(NULL, "t", &seen.thread), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&caller[i], NULL, many, &seen), 0);
	for (unsigned i = 0; i < 3; i++)
		pthread_join(caller[i], NULL);
	assert_int_equal(seen.count, 1500);
	vdev_iothread_destroy(seen.thread);
}

struct echo {
	struct vdev_iothread *thread;
	struct loop_source *source;
	int in, out;
};

static void echo_event(void *opaque, uint32_t events)
{
	struct echo *echo = opaque;
	uint64_t count;

	(void)events;
	if (read(echo->in, &count, sizeof(count)) == sizeof(count))
		assert_int_equal(write(echo->out, &count, sizeof(count)), sizeof(count));
}

static void listen_to(void *opaque)
{
	struct echo *echo = opaque;

	assert_int_equal(loop_add(vdev_iothread_loop(echo->thread), echo->in, EPOLLIN, echo_event,
				  echo, &echo->source),
			 0);
}

static void leave(void *opaque)
{
	struct echo *echo = opaque;

	loop_remove(echo->source);
}

static void test_sources(void **state)
{
	struct echo echo = {.in = eventfd(0, EFD_NONBLOCK), .out = eventfd(0, 0)};
	uint64_t count = 7;

	(void)state;
	assert_int_equal(vdev_iothread_create(NULL, "t", &echo.thread), 0);
	vdev_iothread_call(echo.thread, listen_to, &echo);
	assert_int_equal(write(echo.in, &count, sizeof(count)), sizeof(count));
	count = 0;
	assert_int_equal(read(echo.out, &count, sizeof(count)), sizeof(count));
	assert_int_equal(count, 7);
	vdev_iothread_call(echo.thread, leave, &echo);
	vdev_iothread_destroy(echo.thread);
	close(echo.in);
	close(echo.out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_call),
		cmocka_unit_test(test_many_callers),
		cmocka_unit_test(test_sources),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
