/* SPDX-License-Identifier: BSD-3-Clause */
/* doze: see doze.h. */
#include "netqueue/doze.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/io.h"
#include "netqueue/switch.h"

/* Nothing needs it: a kick that got lost would cost this, instead of everything. */
#define LOOK_MS 1000

struct doze {
	int epoll, wake;
	uint64_t set_of, seen; /* serial numbers of views; 0: of none */
	bool can;	       /* all queues of that view have a descriptor */
	_Atomic bool asleep;
};

int doze_create(struct doze **out)
{
	struct doze *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->epoll = -1;
	d->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->wake < 0) {
		free(d);
		return -errno;
	}
	*out = d;
	return 0;
}

void doze_destroy(struct doze *doze)
{
	if (!doze)
		return;
	io_close(&doze->epoll);
	io_close(&doze->wake);
	free(doze);
}

void doze_wake(struct doze *doze)
{
	uint64_t one = 1;

	if (doze && atomic_load(&doze->asleep) && write(doze->wake, &one, sizeof(one)) < 0)
		return; /* full: it is readable */
}

static void notify_all(struct worker *w, const struct view *view, bool on)
{
	for (unsigned i = 0; i < view->poll_count[w->index]; i++) {
		const struct view_poll *poll = &view->polls[w->index][i];
		struct port *port = poll->port->port;

		if (port->ops->notify)
			port->ops->notify(port, poll->queue, on);
	}
}

void doze_look(struct worker *w)
{
	const struct view *view = atomic_load_explicit(&w->sw->view, memory_order_acquire);

	if (w->doze->seen == view->serial)
		return;
	w->doze->seen = view->serial;
	notify_all(w, view, false);
}

/* Edge-triggered: the guest's counters are the library's to read, and need not be. A descriptor
 * that the library closes leaves the set by itself. */
static bool watch(struct doze *d, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data = {.fd = fd}};

	return fd >= 0 && epoll_ctl(d->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static void make_set(struct worker *w, const struct view *view)
{
	struct doze *d = w->doze;

	io_close(&d->epoll);
	d->epoll = epoll_create1(EPOLL_CLOEXEC);
	d->set_of = view->serial;
	d->can = d->epoll >= 0 && watch(d, d->wake, EPOLLIN);
	for (unsigned i = 0; d->can && i < view->poll_count[w->index]; i++) {
		const struct view_poll *poll = &view->polls[w->index][i];
		struct port *port = poll->port->port;

		d->can = port->ops->wait_fd &&
			 watch(d, port->ops->wait_fd(port, poll->queue), EPOLLIN | EPOLLET);
	}
}

/* With all queues allowed to tell. */
static void wait_for_kick(struct worker *w)
{
	struct doze *d = w->doze;
	struct epoll_event event;
	uint64_t count;

	rte_rcu_qsbr_thread_offline(w->sw->rcu, w->index);
	int found = epoll_wait(d->epoll, &event, 1, LOOK_MS);
	rte_rcu_qsbr_thread_online(w->sw->rcu, w->index);
	if (found > 0 && event.data.fd == d->wake) {
		if (read(d->wake, &count, sizeof(count)) < 0)
			return; /* somebody woke us, and nothing more is to be known */
	} else if (found > 0) {
		count_add(&w->kicks, 1);
	}
}

bool doze_wait(struct worker *w)
{
	const struct view *view = atomic_load_explicit(&w->sw->view, memory_order_acquire);
	struct doze *d = w->doze;

	if (d->set_of != view->serial)
		make_set(w, view);
	if (!d->can || w->shaped_count)
		return false;
	notify_all(w, view, true);
	/* Whoever publishes a view or wants us to stop after this line wakes us; who did it before
	 * is seen below. */
	atomic_store(&d->asleep, true);
	bool wait = !worker_round(w) && atomic_load(&w->sw->view) == view && !atomic_load(&w->stop);
	if (wait) {
		count_add(&w->dozes, 1);
		wait_for_kick(w);
	}
	atomic_store(&d->asleep, false);
	/* The view may be another one by now. */
	notify_all(w, atomic_load_explicit(&w->sw->view, memory_order_acquire), false);
	return wait;
}
