/* SPDX-License-Identifier: BSD-3-Clause */
/* legacy: see legacy.h. */
#include "hv-core/legacy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "hv-core/vm.h"

#define RETRY_NS     UINT64_C(1000000)
#define TIMER_INPUT  0u /* of the PIC */
#define TIMER_IOAPIC 2u /* I/O APIC input that the timer is wired to; MADT says so as well */

static void wire(void *opaque, bool level)
{
	struct hv_legacy *l = opaque;
	struct hv_vcpu *boot = &l->vm->vcpus[0];

	atomic_store(&l->wire, level);
	if (level && boot->started && !pthread_equal(boot->thread, pthread_self()))
		l->vm->ops->vcpu_kick(boot->engine);
}

static void timer_interrupt(void *opaque)
{
	struct hv_legacy *l = opaque;

	for (int level = 1; level >= 0; level--) {
		hv_pic_set(&l->pic, TIMER_INPUT, level);
		hv_ioapic_set(&l->vm->ioapic, TIMER_IOAPIC, level);
	}
}

static uint64_t now(void *opaque)
{
	const struct hv_legacy *l = opaque;

	return hv_clock_now(l->vm);
}

static void wake(void *opaque, uint64_t at)
{
	struct hv_legacy *l = opaque;

	hv_timer_set(l->tick, at);
}

static void on_tick(void *opaque)
{
	struct hv_legacy *l = opaque;

	hv_device_lock(l->vm);
	hv_pit_tick(&l->pit);
	hv_device_unlock(l->vm);
}

static void on_retry(void *opaque)
{
	struct hv_legacy *l = opaque;

	if (l->vm->vcpus[0].started)
		l->vm->ops->vcpu_kick(l->vm->vcpus[0].engine);
}

static int add_regions(struct hv_legacy *l)
{
	const struct {
		const char *name;
		uint16_t port, size;
		const struct hv_region_ops *ops;
		void *opaque;
	} regions[HV_LEGACY_REGIONS] = {
		{"pic-1", 0x20, 2, &hv_pic_first_ops, &l->pic},
		{"pic-2", 0xa0, 2, &hv_pic_second_ops, &l->pic},
		{"pic-elcr", 0x4d0, 2, &hv_pic_elcr_ops, &l->pic},
		{"pit", 0x40, 4, &hv_pit_ops, &l->pit},
		{"pit-gate", 0x61, 1, &hv_pit_gate_ops, &l->pit},
	};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(regions); i++)
		rc = hv_bus_add(l->vm, HV_PIO, regions[i].name, regions[i].port, regions[i].size,
				regions[i].ops, regions[i].opaque, &l->region[i]);
	return rc;
}

int hv_legacy_create(struct hv_vm *vm, struct loop *loop, struct hv_legacy **out)
{
	struct hv_legacy *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->vm = vm;
	l->taken = -1;
	l->pic.wire = wire;
	l->pit.now = now;
	l->pit.wake = wake;
	l->pit.interrupt = timer_interrupt;
	l->pic.opaque = l->pit.opaque = l;
	hv_pic_init(&l->pic);
	hv_pit_init(&l->pit);
	int rc = hv_timer_create(vm, loop, on_tick, l, &l->tick);
	if (rc == 0)
		rc = deadline_create(loop, on_retry, l, &l->retry);
	if (rc == 0)
		rc = add_regions(l);
	if (rc < 0) {
		hv_legacy_destroy(l);
		return log_fail(rc, vm->subject, "not created: no legacy timer: %s", strerror(-rc));
	}
	*out = l;
	return 0;
}

void hv_legacy_destroy(struct hv_legacy *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(l->region); i++)
		if (l->region[i])
			hv_bus_remove(l->vm, l->region[i]);
	deadline_destroy(l->retry);
	hv_timer_destroy(l->tick);
	free(l);
}

void hv_legacy_set(struct hv_legacy *l, unsigned gsi, bool level)
{
	hv_pic_set(&l->pic, gsi, level);
}

/* Hands the CPU one vector; -EAGAIN when it still has the one before. */
static int hand_over(struct hv_legacy *l, struct hv_vcpu *vcpu)
{
	if (l->taken < 0) {
		hv_device_lock(l->vm);
		if (l->pic.output)
			l->taken = hv_pic_ack(&l->pic);
		hv_device_unlock(l->vm);
	}
	if (l->taken < 0)
		return 0;
	int rc = l->vm->ops->vcpu_extint(vcpu->engine, (uint8_t)l->taken);
	if (rc == 0)
		l->taken = -1;
	return rc;
}

int hv_legacy_enter(struct hv_legacy *l, struct hv_vcpu *vcpu)
{
	int rc = -EAGAIN;

	if (!atomic_load(&l->wire) && l->taken < 0)
		return 0;
	if (l->vm->ops->vcpu_ready(vcpu->engine))
		rc = hand_over(l, vcpu);
	/* One that waits behind it cannot be taken yet either. */
	if (rc == -EAGAIN || atomic_load(&l->wire))
		deadline_set(l->retry, deadline_now() + RETRY_NS);
	return rc == -EAGAIN ? 0 : rc;
}

/* ---- standing still ---- */

void hv_legacy_save(const struct hv_legacy *l, struct state *s)
{
	hv_pic_save(&l->pic, state_child(s, "pic"));
	hv_pit_save(&l->pit, state_child(s, "pit"));
	if (l->taken >= 0)
		state_put(s, "taken", (uint64_t)l->taken);
}

void hv_legacy_load(struct hv_legacy *l, struct state *s)
{
	hv_pic_load(&l->pic, state_open(s, "pic"));
	hv_pit_load(&l->pit, state_open(s, "pit"));
	l->taken = state_has(s, "taken") ? (int)state_take(s, "taken", 255) : -1;
}
