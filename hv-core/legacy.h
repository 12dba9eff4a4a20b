/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * legacy: the interrupt controllers and the timer that a PC had before APICs, put on the buses of
 * a VM that boots by firmware. Private to hv-core.
 *
 * The output of the PIC pair is a wire to the boot CPU (ExtINT). A thread that raises it gets that
 * CPU out of the guest; the CPU's own thread, before it enters again, asks the engine whether an
 * interrupt could be taken now, and only then acknowledges it at the PIC. Where it could not, it is
 * asked again at the CPU's next exit, for which it is kicked within a millisecond.
 *
 * (KVM could tell the moment, by an interrupt window. Only a guest that is content with an 8259
 * waits here, for a millisecond at most; who minds has them in the kernel, hv_config.irqchip.)
 */
#ifndef HV_CORE_LEGACY_H
#define HV_CORE_LEGACY_H

#include <stdatomic.h>

#include "base/deadline.h"
#include "hv-core/hv.h"
#include "hv-core/pic.h"
#include "hv-core/pit.h"

#define HV_LEGACY_REGIONS 5

struct hv_vcpu;

struct hv_legacy {
	struct hv_vm *vm;
	struct hv_pic pic;
	struct hv_pit pit;
	struct hv_timer *tick;
	struct deadline *retry;
	struct hv_region *region[HV_LEGACY_REGIONS];
	atomic_bool wire;
	int taken; /* vector acknowledged that the engine has not got yet; -1: none */
};

int hv_legacy_create(struct hv_vm *vm, struct loop *loop, struct hv_legacy **out);
void hv_legacy_destroy(struct hv_legacy *legacy); /* accepts NULL */
/* An ISA interrupt, gsi 0..15. Device lock held. */
void hv_legacy_set(struct hv_legacy *legacy, unsigned gsi, bool level);
/* Before the boot CPU enters the guest, on its thread. Negative errno of the engine. */
int hv_legacy_enter(struct hv_legacy *legacy, struct hv_vcpu *vcpu);

/* Of a VM that stands still. Device lock held. */
void hv_legacy_save(const struct hv_legacy *legacy, struct state *s);
void hv_legacy_load(struct hv_legacy *legacy, struct state *s);

#endif
