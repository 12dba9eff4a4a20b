/* SPDX-License-Identifier: BSD-3-Clause */
/* timing: see timing.h. */
#include "hv-core/timing.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/util.h"
#include "hv-core/vm.h"

#define NS_PER_S  UINT64_C(1000000000)
#define TRACE_MAX ((size_t)1 << 20) /* events */

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

void hv_timing_init(struct hv_timing *timing)
{
	*timing = (struct hv_timing){0};
	pthread_mutex_init(&timing->lock, NULL);
}

void hv_timing_finish(struct hv_timing *timing)
{
	free(timing->ring);
	timing->ring = NULL;
	pthread_mutex_destroy(&timing->lock);
}

uint64_t hv_timing_begin(const struct hv_timing *timing)
{
	if (!atomic_load_explicit(&timing->on, memory_order_relaxed) &&
	    !atomic_load_explicit(&timing->tracing, memory_order_relaxed))
		return 0;
	return now();
}

uint64_t hv_timing_since(uint64_t begin)
{
	return begin ? now() - begin : 0;
}

void hv_timing_add(atomic_uint_fast64_t *counter, uint64_t begin)
{
	uint_fast64_t sum;

	if (!begin)
		return;
	sum = atomic_load_explicit(counter, memory_order_relaxed);
	atomic_store_explicit(counter, sum + hv_timing_since(begin), memory_order_relaxed);
}

void hv_timing_trace(struct hv_timing *timing, const struct hv_trace_event *event)
{
	if (!atomic_load_explicit(&timing->tracing, memory_order_relaxed))
		return;
	pthread_mutex_lock(&timing->lock);
	if (timing->ring) {
		timing->ring[(timing->first + timing->used) % timing->capacity] = *event;
		if (timing->used < timing->capacity) {
			timing->used++;
		} else {
			timing->first = (timing->first + 1) % timing->capacity;
			timing->lost++;
		}
	}
	pthread_mutex_unlock(&timing->lock);
}

/* ---- hv.h ---- */

void hv_timing_set(struct hv_vm *vm, bool on)
{
	atomic_store(&vm->timing.on, on);
}

bool hv_timing_get(const struct hv_vm *vm)
{
	return atomic_load(&vm->timing.on);
}

int hv_trace_start(struct hv_vm *vm, size_t events)
{
	struct hv_timing *t = &vm->timing;
	int err = events == 0 || events > TRACE_MAX ? -EINVAL : 0;

	pthread_mutex_lock(&t->lock);
	if (!err && t->ring)
		err = -EALREADY;
	if (!err) {
		t->ring = calloc(events, sizeof(*t->ring));
		err = t->ring ? 0 : -ENOMEM;
	}
	if (!err) {
		t->capacity = events;
		t->first = t->used = 0;
		t->lost = 0;
		atomic_store(&t->tracing, true);
	}
	pthread_mutex_unlock(&t->lock);
	return err;
}

size_t hv_trace_read(struct hv_vm *vm, struct hv_trace_event *out, size_t max, uint64_t *lost)
{
	struct hv_timing *t = &vm->timing;
	size_t count = 0;

	pthread_mutex_lock(&t->lock);
	for (; count < max && t->used; count++) {
		out[count] = t->ring[t->first];
		t->first = (t->first + 1) % t->capacity;
		t->used--;
	}
	*lost = t->lost;
	pthread_mutex_unlock(&t->lock);
	return count;
}

void hv_trace_stop(struct hv_vm *vm)
{
	struct hv_timing *t = &vm->timing;

	atomic_store(&t->tracing, false);
	pthread_mutex_lock(&t->lock);
	free(t->ring);
	t->ring = NULL;
	t->used = 0;
	pthread_mutex_unlock(&t->lock);
}
