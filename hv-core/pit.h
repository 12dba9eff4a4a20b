/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pit: the 8254 interval timer of a PC, and the byte at port 0x61 that gates its third counter.
 * Private to hv-core; there only for machines that boot by firmware.
 *
 * A counter is a start time and a reload value; what it shows and whether its output is up follow
 * from the clock when somebody asks. Only counter 0 acts by itself: its output is interrupt 0, so
 * it says when it must be looked at next. Ticks that nobody had time for are lost, not repeated.
 *
 * Registers: Intel 8254 datasheet; port 0x61: ICH9 datasheet, 13.7.1. Device lock held.
 */
#ifndef HV_CORE_PIT_H
#define HV_CORE_PIT_H

#include <stdbool.h>
#include <stdint.h>

#include "hv-core/hv.h"

#define HV_PIT_HZ UINT64_C(1193182)

struct hv_pit_counter {
	uint64_t start;	 /* ns, of the present count */
	uint32_t reload; /* 1..65536; 0: not programmed yet */
	uint8_t mode;	 /* 0..5 */
	uint8_t access;	 /* 1 low byte, 2 high byte, 3 low then high */
	bool bcd, gate;
	bool write_high, read_high; /* the second byte of two comes next */
	uint8_t low;		    /* the first byte written */
	bool latched, status_latched;
	uint16_t latch;
	uint8_t status;
};

struct hv_pit {
	struct hv_pit_counter counter[3];
	bool speaker;
	bool fired; /* counter 0 in a mode without repetition has done its work */
	/* The way out. now: ns. wake: call hv_pit_tick at that time; 0: never. interrupt: one edge.
	 */
	uint64_t (*now)(void *opaque);
	void (*wake)(void *opaque, uint64_t at);
	void (*interrupt)(void *opaque);
	void *opaque;
};

void hv_pit_init(struct hv_pit *pit);
void hv_pit_tick(struct hv_pit *pit);

/* Starts are moments of `now`, which must be the same clock when the state is loaded. */
void hv_pit_save(const struct hv_pit *pit, struct state *s);
void hv_pit_load(struct hv_pit *pit, struct state *s);

/* opaque: struct hv_pit. Ports 0x40..0x43, and 0x61. */
extern const struct hv_region_ops hv_pit_ops, hv_pit_gate_ops;

#endif
