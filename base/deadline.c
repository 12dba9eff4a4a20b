/* SPDX-License-Identifier: BSD-3-Clause */
/* deadline: see deadline.h. A timerfd with absolute times: the kernel serialises who sets it. */
#include "base/deadline.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"

#define NS_PER_S UINT64_C(1000000000)

struct deadline {
	int fd;
	struct loop_source *source;
	void (*fn)(void *opaque);
	void *opaque;
};

uint64_t deadline_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* A deadline that was moved between the event and the reading has nothing to read: EAGAIN. */
static void on_event(void *opaque, uint32_t events)
{
	struct deadline *d = opaque;
	uint64_t count;

	(void)events;
	if (read(d->fd, &count, sizeof(count)) == sizeof(count))
		d->fn(d->opaque);
}

int deadline_create(struct loop *loop, void (*fn)(void *opaque), void *opaque,
		    struct deadline **out)
{
	struct deadline *d = calloc(1, sizeof(*d));
	int rc;

	if (!d)
		return -ENOMEM;
	*d = (struct deadline){.fn = fn, .opaque = opaque};
	d->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	rc = d->fd < 0 ? -errno : loop_add(loop, d->fd, EPOLLIN, on_event, d, &d->source);
	if (rc < 0) {
		io_close(&d->fd);
		free(d);
		return rc;
	}
	*out = d;
	return 0;
}

void deadline_destroy(struct deadline *d)
{
	if (!d)
		return;
	loop_remove(d->source);
	io_close(&d->fd);
	free(d);
}

void deadline_set(struct deadline *d, uint64_t at)
{
	const struct itimerspec when = {
		.it_value = {.tv_sec = (time_t)(at / NS_PER_S), .tv_nsec = (long)(at % NS_PER_S)}};

	timerfd_settime(d->fd, TFD_TIMER_ABSTIME, &when, NULL);
}
