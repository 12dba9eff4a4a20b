/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker: the threads that move frames.
 *
 * A round is: take the view, ask each queue of ours for a burst, switch it. After it the worker
 * holds nothing, and says so (quiescent). When rounds stay empty it sleeps, longer each time up to
 * a limit, and in the end until a guest kicks (doze.h). It is then offline for RCU, so that nobody
 * waits for a sleeper.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_lcore.h>

#include "base/log.h"
#include "base/util.h"
#include "netqueue/doze.h"
#include "netqueue/shaper.h"
#include "netqueue/switch.h"

#define EMPTY_ROUNDS 256       /* before the first sleep */
#define NO_QUEUE_US  5000u     /* a worker without queues waits for a new view */
#define TIMED	     64	       /* bursts */
#define DOZE_NS	     10000000u /* of silence before a worker waits for a kick */
#define TIMER_SLACK  1000ul    /* ns; the default of 50 us is longer than most sleeps */

/* One burst in so many tells where its cycles go. */
static void begin_timing(struct worker *w, uint64_t before, unsigned count)
{
	if (++w->bursts % TIMED)
		return;
	w->timed_at = rte_rdtsc();
	count_add(&w->cycles[NQ_STAGE_RX], w->timed_at - before);
	count_add(&w->timed_frames, count);
}

static unsigned poll_one(struct worker *w, const struct view *view, const struct view_poll *poll,
			 uint64_t *before)
{
	struct rte_mbuf *frames[NQ_BURST];
	struct port *port = poll->port->port;
	unsigned count = port->ops->rx(port, poll->queue, frames, NQ_BURST);

	if (!count)
		return 0;
	begin_timing(w, *before, count);
	forward(w, view, poll->port, poll->queue, frames, count);
	w->timed_at = 0;
	uint64_t after = rte_rdtsc();
	count_add(&port->rx[poll->queue].cycles, after - *before);
	*before = after;
	return count;
}

unsigned worker_round(struct worker *w)
{
	/* Acquire: pairs with the release of switch_publish; the view is complete. */
	const struct view *view = atomic_load_explicit(&w->sw->view, memory_order_acquire);
	unsigned polls = view->poll_count[w->index], sum = 0, empty = 0;
	uint64_t before = rte_rdtsc();

	w->now_ns = switch_time(w->sw, before);
	for (unsigned i = 0; i < polls; i++) {
		unsigned count = poll_one(w, view, &view->polls[w->index][i], &before);

		sum += count;
		empty += !count;
	}
	if (unlikely(w->shaped_count))
		shaper_round(w, view);
	count_add(&w->polls, polls);
	count_add(&w->empty, empty);
	return sum;
}

static void sleep_us(struct worker *w, unsigned us)
{
	struct timespec time = {.tv_nsec = (long)us * 1000};

	rte_rcu_qsbr_thread_offline(w->sw->rcu, w->index);
	nanosleep(&time, NULL);
	rte_rcu_qsbr_thread_online(w->sw->rcu, w->index);
	count_add(&w->sleeps, 1);
}

/* How long to sleep after so many empty rounds; 0: go on polling. */
static unsigned pause_us(const struct worker *w, unsigned empty_rounds)
{
	const struct view *view = atomic_load_explicit(&w->sw->view, memory_order_acquire);
	unsigned most = w->sw->options.sleep_max_us;

	if (!most || empty_rounds < EMPTY_ROUNDS || w->shaped_count)
		return 0;
	if (!view->poll_count[w->index])
		return MAX(most, NO_QUEUE_US);
	unsigned steps = MIN(empty_rounds - EMPTY_ROUNDS, 16u);
	return MIN(1u << steps, most);
}

static void work(struct worker *w)
{
	unsigned empty_rounds = 0;
	uint64_t busy_ns = 0;

	while (!atomic_load_explicit(&w->stop, memory_order_relaxed)) {
		empty_rounds = worker_round(w) ? 0 : empty_rounds + (empty_rounds < 4096);
		busy_ns = empty_rounds ? busy_ns : w->now_ns;
		doze_look(w);
		rte_rcu_qsbr_quiescent(w->sw->rcu, w->index);
		unsigned us = pause_us(w, empty_rounds);
		if (us && w->now_ns - busy_ns > DOZE_NS && doze_wait(w))
			busy_ns = w->now_ns; /* whoever kicked will have more */
		else if (us)
			sleep_us(w, us);
	}
}

static int settle(struct worker *w)
{
	cpu_set_t set;

	if (w->cpu >= 0) {
		CPU_ZERO(&set);
		CPU_SET((size_t)w->cpu, &set);
		if (sched_setaffinity(0, sizeof(set), &set) < 0)
			return -errno;
	}
	prctl(PR_SET_TIMERSLACK, TIMER_SLACK, 0, 0, 0);
	/* After the CPU is chosen: it is looked at, for the NUMA node. */
	return rte_thread_register() < 0 ? -rte_errno : 0;
}

static void *thread(void *opaque)
{
	struct worker *w = opaque;
	int err = settle(w);

	if (!err) {
		rte_rcu_qsbr_thread_register(w->sw->rcu, w->index);
		rte_rcu_qsbr_thread_online(w->sw->rcu, w->index);
	}
	atomic_store(&w->failed, err);
	if (err)
		return NULL;
	work(w);
	rte_rcu_qsbr_thread_offline(w->sw->rcu, w->index);
	rte_rcu_qsbr_thread_unregister(w->sw->rcu, w->index);
	rte_thread_unregister();
	return NULL;
}

static int start(struct worker *w)
{
	struct timespec moment = {.tv_nsec = 100000};
	char name[16];
	int err;

	atomic_store(&w->failed, 1);
	atomic_store(&w->stop, false);
	err = w->doze ? 0 : doze_create(&w->doze);
	if (err)
		return err;
	err = -pthread_create(&w->thread, NULL, thread, w);
	if (err)
		return err;
	w->started = true;
	snprintf(name, sizeof(name), "worker%u", w->index);
	pthread_setname_np(w->thread, name);
	while ((err = atomic_load(&w->failed)) == 1)
		nanosleep(&moment, NULL);
	return err;
}

int workers_start(struct nq_switch *sw, unsigned first)
{
	for (unsigned i = first; i < sw->options.workers; i++) {
		struct worker *w = &sw->workers[i];
		int err = start(w);

		if (err && w->cpu >= 0)
			return log_fail(err, "sluice-switch",
					"worker %u not started on CPU %d: %s; see lscpu for those "
					"there are",
					i, w->cpu, strerror(-err));
		if (err)
			return log_fail(err, "sluice-switch", "worker %u not started: %s", i,
					strerror(-err));
	}
	return 0;
}

void workers_wake(struct nq_switch *sw)
{
	for (unsigned i = 0; sw->workers && i < NQ_WORKERS; i++)
		doze_wake(sw->workers[i].doze);
}

void workers_stop(struct nq_switch *sw, unsigned first)
{
	for (unsigned i = first; sw->workers && i < NQ_WORKERS; i++)
		atomic_store(&sw->workers[i].stop, true);
	if (sw->workers)
		workers_wake(sw);
	for (unsigned i = first; sw->workers && i < NQ_WORKERS; i++) {
		struct worker *w = &sw->workers[i];

		if (w->started)
			pthread_join(w->thread, NULL);
		w->started = false;
		doze_destroy(w->doze);
		w->doze = NULL;
	}
}
