/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * iothread: see iothread.h.
 *
 * A call is an object on the caller's stack, handed over through one pointer under a mutex; an
 * eventfd in the loop makes the thread look. One call at a time is enough: callers hold the device
 * lock anyway, or are alone.
 */
#include "vdev/iothread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "hv-core/hv.h"

struct call {
	void (*fn)(void *opaque);
	void *opaque;
	bool done;
};

struct vdev_iothread {
	const struct hv_vm *vm; /* or NULL */
	char name[16];		/* TASK_COMM_LEN */
	struct loop *loop;
	pthread_t thread;
	bool started;
	int wake;
	struct loop_source *source;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct call *call; /* handed over, not done */
};

static void take_call(void *opaque, uint32_t events)
{
	struct vdev_iothread *t = opaque;
	uint64_t count;

	(void)events;
	if (read(t->wake, &count, sizeof(count)) < 0)
		return; /* nothing there */
	pthread_mutex_lock(&t->lock);
	struct call *call = t->call;
	pthread_mutex_unlock(&t->lock);
	if (!call)
		return;
	call->fn(call->opaque);
	pthread_mutex_lock(&t->lock);
	call->done = true;
	t->call = NULL;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

static void *run(void *opaque)
{
	struct vdev_iothread *t = opaque;
	int err;

	pthread_setname_np(pthread_self(), t->name);
	if (t->vm)
		hv_vm_thread_begin(t->vm, HV_THREAD_IO);
	err = loop_run(t->loop);
	if (err < 0) /* a loop that cannot wait is a bug of ours: stop here, visibly */
		abort();
	return NULL;
}

/* Signals are for the main loop. */
static int start(struct vdev_iothread *t)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int err = -pthread_create(&t->thread, NULL, run, t);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	t->started = !err;
	return err;
}

int vdev_iothread_create(const struct hv_vm *vm, const char *name, struct vdev_iothread **out)
{
	struct vdev_iothread *t = calloc(1, sizeof(*t));

	if (!t)
		return log_fail(-ENOMEM, name, "no memory for its I/O thread");
	t->vm = vm;
	snprintf(t->name, sizeof(t->name), "%s", name);
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->changed, NULL);
	t->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int err = t->wake < 0 ? -errno : loop_create(&t->loop);
	if (!err)
		err = loop_add(t->loop, t->wake, EPOLLIN, take_call, t, &t->source);
	if (!err)
		err = start(t);
	if (err < 0) {
		vdev_iothread_destroy(t);
		return log_fail(err, name, "its I/O thread does not start: %s", strerror(-err));
	}
	*out = t;
	return 0;
}

void vdev_iothread_destroy(struct vdev_iothread *t)
{
	if (!t)
		return;
	if (t->started) {
		loop_stop(t->loop, 0);
		pthread_join(t->thread, NULL);
	}
	loop_destroy(t->loop);
	io_close(&t->wake);
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

struct loop *vdev_iothread_loop(struct vdev_iothread *t)
{
	return t->loop;
}

void vdev_iothread_call(struct vdev_iothread *t, void (*fn)(void *opaque), void *opaque)
{
	struct call call = {.fn = fn, .opaque = opaque};
	uint64_t one = 1;

	if (pthread_equal(pthread_self(), t->thread)) {
		fn(opaque);
		return;
	}
	pthread_mutex_lock(&t->lock);
	while (t->call) /* another caller's */
		pthread_cond_wait(&t->changed, &t->lock);
	t->call = &call;
	ssize_t n = write(t->wake, &one, sizeof(one));
	(void)n; /* the counter cannot be full: every call reads it */
	while (!call.done)
		pthread_cond_wait(&t->changed, &t->lock);
	pthread_mutex_unlock(&t->lock);
}
