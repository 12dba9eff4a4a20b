/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clock: what struct hv_vm keeps of its guest's time; clock.c says what that is. Private to
 * hv-core: hv_clock_now and the timers are in hv.h.
 *
 * It stops and starts when no vCPU's thread runs, with the device lock, which timers are set under.
 */
#ifndef HV_CORE_CLOCK_H
#define HV_CORE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct hv_timer;
struct hv_vm;

struct hv_clock {
	uint64_t offset;   /* monotonic clock - guest's time, modulo 2^64: it may be negative */
	uint64_t stood_at; /* the time, while it stands */
	bool stands;
	struct hv_timer *timers;
};

void hv_clock_init(struct hv_clock *clock);
void hv_clock_stop(struct hv_vm *vm);  /* twice is once */
void hv_clock_start(struct hv_vm *vm); /* from where it stood */
/* A saved VM's time: it stands there. Before any timer is set. */
void hv_clock_set(struct hv_vm *vm, uint64_t now);

#endif
