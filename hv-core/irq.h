/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * irq: the table that turns numbers ("GSIs") into messages. Private to hv-core.
 *
 * Numbers below HV_IOAPIC_PINS mirror the I/O APIC; the rest belong to whoever allocates them. The
 * engine takes the whole table at once and waits for every CPU to see it, so changes are gathered
 * and committed together, and a commit that would change nothing is none.
 */
#ifndef HV_CORE_IRQ_H
#define HV_CORE_IRQ_H

#include <pthread.h>

#include "base/bitmap.h"
#include "hv-core/hv.h"

struct hv_routes {
	pthread_mutex_t lock;
	struct bitmap used; /* numbers that are handed out, pins included */
	struct bitmap set;  /* those that have a message */
	struct hv_msi *msi;
	uint32_t *gsi_buf; /* for commit, as long as the table */
	struct hv_msi *msi_buf;
	unsigned max;
	bool dirty;
};

/* The levels of the engine's inputs, which only who raises them knows. load: raises them again. */
void hv_lines_save(const struct hv_vm *vm, struct state *s);
void hv_lines_load(struct hv_vm *vm, struct state *s);

int hv_routes_init(struct hv_vm *vm);
void hv_routes_finish(struct hv_vm *vm);

#endif
