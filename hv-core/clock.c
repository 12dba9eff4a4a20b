/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clock: the time that a guest has lived, for its devices' timers. It runs as the monotonic clock
 * does and stands together with the engine's clocks (TSC, APIC timers): a device whose timer went
 * on while the guest stood still would disagree with the TSC afterwards, and the guest's kernel
 * would distrust one of the two.
 *
 * A timer names a moment of that time. While the clock stands nothing fires, and a moment set then
 * waits for the start.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "hv-core/vm.h"

struct hv_timer {
	struct hv_vm *vm;
	struct deadline *deadline;
	void (*fn)(void *opaque);
	void *opaque;
	uint64_t at; /* guest time; 0: unset */
	struct hv_timer *next;
};

void hv_clock_init(struct hv_clock *clock)
{
	clock->offset = deadline_now();
}

uint64_t hv_clock_now(const struct hv_vm *vm)
{
	const struct hv_clock *clock = &vm->clock;

	return clock->stands ? clock->stood_at : deadline_now() - clock->offset;
}

static void arm(const struct hv_timer *t)
{
	deadline_set(t->deadline, t->at && !t->vm->clock.stands ? t->at + t->vm->clock.offset : 0);
}

void hv_clock_stop(struct hv_vm *vm)
{
	hv_device_lock(vm);
	vm->clock.stood_at = hv_clock_now(vm);
	vm->clock.stands = true;
	for (struct hv_timer *t = vm->clock.timers; t; t = t->next)
		arm(t);
	hv_device_unlock(vm);
}

void hv_clock_start(struct hv_vm *vm)
{
	hv_device_lock(vm);
	vm->clock.offset = deadline_now() - vm->clock.stood_at;
	vm->clock.stands = false;
	for (struct hv_timer *t = vm->clock.timers; t; t = t->next)
		arm(t);
	hv_device_unlock(vm);
}

void hv_clock_set(struct hv_vm *vm, uint64_t now)
{
	vm->clock.stood_at = now;
	vm->clock.stands = true;
}

/* ---- timers ---- */

/* One that was moved, or whose clock stopped, after it had fired is for later. */
static void on_deadline(void *opaque)
{
	struct hv_timer *t = opaque;

	hv_device_lock(t->vm);
	bool due = t->at && !t->vm->clock.stands && hv_clock_now(t->vm) >= t->at;
	if (due)
		t->at = 0;
	hv_device_unlock(t->vm);
	if (due)
		t->fn(t->opaque);
}

int hv_timer_create(struct hv_vm *vm, struct loop *loop, void (*fn)(void *opaque), void *opaque,
		    struct hv_timer **out)
{
	struct hv_timer *t = calloc(1, sizeof(*t));
	int rc;

	if (!t)
		return -ENOMEM;
	*t = (struct hv_timer){.vm = vm, .fn = fn, .opaque = opaque, .next = vm->clock.timers};
	rc = deadline_create(loop, on_deadline, t, &t->deadline);
	if (rc < 0) {
		free(t);
		return rc;
	}
	vm->clock.timers = t;
	*out = t;
	return 0;
}

void hv_timer_destroy(struct hv_timer *t)
{
	if (!t)
		return;
	for (struct hv_timer **at = &t->vm->clock.timers; *at; at = &(*at)->next) {
		if (*at == t) {
			*at = t->next;
			break;
		}
	}
	deadline_destroy(t->deadline);
	free(t);
}

void hv_timer_set(struct hv_timer *t, uint64_t at)
{
	t->at = at;
	arm(t);
}
