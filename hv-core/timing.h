/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * timing: how long exits and accesses to regions take us, and a trace of them. Private to hv-core;
 * the public half is in hv.h.
 *
 * Both are off unless somebody looks: then an exit costs one relaxed load more. What is counted is
 * the time in our handlers, the wait for the device lock included; not the way into the kernel and
 * back, nor what the kernel does alone.
 */
#ifndef HV_CORE_TIMING_H
#define HV_CORE_TIMING_H

#include <pthread.h>
#include <stdatomic.h>

#include "hv-core/hv.h"

struct hv_timing {
	atomic_bool on, tracing;
	pthread_mutex_t lock;	     /* the rest */
	struct hv_trace_event *ring; /* NULL while nobody traces */
	size_t capacity, first, used;
	uint64_t lost;
};

void hv_timing_init(struct hv_timing *timing);
void hv_timing_finish(struct hv_timing *timing);

/* Nanoseconds of CLOCK_MONOTONIC, or 0 when nobody wants to know. */
uint64_t hv_timing_begin(const struct hv_timing *timing);
/* Nanoseconds since `begin`; 0 when that is 0. */
uint64_t hv_timing_since(uint64_t begin);
/* Adds to a counter that one thread at a time writes, and others read. */
void hv_timing_add(atomic_uint_fast64_t *counter, uint64_t begin);
/* Into the ring, if there is one; the oldest event makes room. */
void hv_timing_trace(struct hv_timing *timing, const struct hv_trace_event *event);

#endif
