/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop: see loop.h.
 *
 * A removed source may still stand in the batch of events that epoll_wait has just returned. So
 * removal only marks it dead and puts it on a list; the memory goes when the batch is done. That
 * also holds for a removal by another thread: epoll_wait cannot return what was removed before it
 * began.
 */
#include "base/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/io.h"

struct loop_source {
	struct loop *loop;
	struct loop_source *next, **link; /* in loop->live or loop->dead */
	int fd;
	bool timer; /* fd is ours, and fires once */
	bool dead;
	loop_fn fn;
	void *opaque;
};

struct loop {
	int epoll;
	int wake;	      /* eventfd that loop_stop writes */
	pthread_mutex_t lock; /* the lists, and who is dead */
	struct loop_source *live, *dead;
	atomic_int value;
	atomic_bool stop;
};

static void list_move(struct loop_source *source, struct loop_source **list)
{
	if (source->link) {
		*source->link = source->next;
		if (source->next)
			source->next->link = source->link;
	}
	source->next = *list;
	if (*list)
		(*list)->link = &source->next;
	*list = source;
	source->link = list;
}

static void bury(struct loop *loop)
{
	pthread_mutex_lock(&loop->lock);
	while (loop->dead) {
		struct loop_source *source = loop->dead;
		loop->dead = source->next;
		free(source);
	}
	pthread_mutex_unlock(&loop->lock);
}

int loop_create(struct loop **out)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	struct epoll_event event = {.events = EPOLLIN};

	if (!loop)
		return -ENOMEM;
	pthread_mutex_init(&loop->lock, NULL);
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	loop->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->epoll < 0 || loop->wake < 0 ||
	    epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->wake, &event) < 0) {
		int err = -errno;
		loop_destroy(loop);
		return err;
	}
	*out = loop;
	return 0;
}

void loop_destroy(struct loop *loop)
{
	if (!loop)
		return;
	while (loop->live)
		loop_remove(loop->live);
	bury(loop);
	io_close(&loop->wake);
	io_close(&loop->epoll);
	pthread_mutex_destroy(&loop->lock);
	free(loop);
}

static int add(struct loop *loop, int fd, bool timer, uint32_t events, loop_fn fn, void *opaque,
	       struct loop_source **out)
{
	struct loop_source *source = calloc(1, sizeof(*source));

	if (!source)
		return -ENOMEM;
	*source = (struct loop_source){
		.loop = loop, .fd = fd, .timer = timer, .fn = fn, .opaque = opaque};
	struct epoll_event event = {.events = events, .data.ptr = source};
	if (out)
		*out = source; /* before it can call back */
	pthread_mutex_lock(&loop->lock);
	int err = epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
	if (!err)
		list_move(source, &loop->live);
	pthread_mutex_unlock(&loop->lock);
	if (!err)
		return 0;
	if (out)
		*out = NULL;
	free(source);
	return err;
}

int loop_add(struct loop *loop, int fd, uint32_t events, loop_fn fn, void *opaque,
	     struct loop_source **out)
{
	return add(loop, fd, false, events, fn, opaque, out);
}

int loop_timer(struct loop *loop, unsigned ms, loop_fn fn, void *opaque, struct loop_source **out)
{
	/* A value of zero would disarm the timer instead of firing at once. */
	struct itimerspec when = {.it_value = {ms / 1000, (long)(ms % 1000) * 1000000 + 1}};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	if (fd < 0)
		return -errno;
	int err = timerfd_settime(fd, 0, &when, NULL) < 0 ? -errno : 0;
	if (!err)
		err = add(loop, fd, true, EPOLLIN, fn, opaque, out);
	if (err)
		io_close(&fd);
	return err;
}

int loop_modify(struct loop_source *source, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = source};

	return epoll_ctl(source->loop->epoll, EPOLL_CTL_MOD, source->fd, &event) < 0 ? -errno : 0;
}

/* The caller holds the lock. */
static void kill_source(struct loop_source *source)
{
	source->dead = true;
	epoll_ctl(source->loop->epoll, EPOLL_CTL_DEL, source->fd, NULL);
	if (source->timer)
		io_close(&source->fd);
	list_move(source, &source->loop->dead);
}

void loop_remove(struct loop_source *source)
{
	if (!source)
		return;
	struct loop *loop = source->loop;

	pthread_mutex_lock(&loop->lock);
	if (!source->dead)
		kill_source(source);
	pthread_mutex_unlock(&loop->lock);
}

static void dispatch(struct loop_source *source, uint32_t events)
{
	struct loop *loop = source->loop;
	loop_fn fn = NULL;
	void *opaque = source->opaque;

	pthread_mutex_lock(&loop->lock);
	if (!source->dead) {
		fn = source->fn;
		if (source->timer)
			kill_source(source);
	}
	pthread_mutex_unlock(&loop->lock);
	if (fn)
		fn(opaque, events);
}

int loop_run(struct loop *loop)
{
	struct epoll_event events[32];

	while (!atomic_exchange(&loop->stop, false)) {
		int n = epoll_wait(loop->epoll, events, 32, -1);
		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n; i++) {
			uint64_t count;
			if (events[i].data.ptr)
				dispatch(events[i].data.ptr, events[i].events);
			else if (read(loop->wake, &count, sizeof(count)) < 0 && errno != EAGAIN)
				return -errno;
		}
		bury(loop);
	}
	return atomic_load(&loop->value);
}

void loop_stop(struct loop *loop, int value)
{
	uint64_t one = 1;
	int saved = errno;

	atomic_store(&loop->value, value);
	atomic_store(&loop->stop, true);
	ssize_t n = write(loop->wake, &one, sizeof(one));
	(void)n; /* full means that a wake-up is pending anyway */
	errno = saved;
}
