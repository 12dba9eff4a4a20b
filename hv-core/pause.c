/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pause: a VM that stands still, every vCPU's thread parked.
 *
 * A vCPU parks only after the engine came back with HV_EXIT_SIGNAL. Then nothing of an exit before
 * is left half done: a kick that comes while the thread serves an exit is remembered, and the
 * engine completes that exit (the value read goes into its register) before it gives in to it.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "hv-core/vm.h"

void hv_park_init(struct hv_vm *vm)
{
	pthread_mutex_init(&vm->park_lock, NULL);
	pthread_cond_init(&vm->park_changed, NULL);
}

void hv_park_finish(struct hv_vm *vm)
{
	pthread_cond_destroy(&vm->park_changed);
	pthread_mutex_destroy(&vm->park_lock);
}

void hv_park_join(struct hv_vm *vm)
{
	pthread_mutex_lock(&vm->park_lock);
	vm->live++;
	pthread_mutex_unlock(&vm->park_lock);
}

void hv_park_leave(struct hv_vm *vm)
{
	pthread_mutex_lock(&vm->park_lock);
	vm->live--;
	pthread_cond_broadcast(&vm->park_changed);
	pthread_mutex_unlock(&vm->park_lock);
}

void hv_park_wake(struct hv_vm *vm)
{
	pthread_mutex_lock(&vm->park_lock);
	pthread_cond_broadcast(&vm->park_changed);
	pthread_mutex_unlock(&vm->park_lock);
}

static bool stays(struct hv_vm *vm)
{
	return atomic_load(&vm->pausing) && atomic_load(&vm->end) == HV_END_NONE;
}

void hv_park(struct hv_vm *vm)
{
	if (!stays(vm))
		return;
	pthread_mutex_lock(&vm->park_lock);
	vm->parked++;
	pthread_cond_broadcast(&vm->park_changed);
	while (stays(vm))
		pthread_cond_wait(&vm->park_changed, &vm->park_lock);
	vm->parked--;
	pthread_mutex_unlock(&vm->park_lock);
}

static void release(struct hv_vm *vm)
{
	atomic_store(&vm->pausing, false);
	hv_park_wake(vm);
}

/* An ended VM's threads do not park, they leave; either way all are out of the guest then. */
static void wait_parked(struct hv_vm *vm)
{
	pthread_mutex_lock(&vm->park_lock);
	while (vm->parked < vm->live)
		pthread_cond_wait(&vm->park_changed, &vm->park_lock);
	pthread_mutex_unlock(&vm->park_lock);
}

int hv_vm_pause(struct hv_vm *vm)
{
	if (vm->paused)
		return 0;
	atomic_store(&vm->pausing, true);
	hv_vcpus_kick(vm);
	wait_parked(vm);
	int rc = atomic_load(&vm->end) == HV_END_NONE ? 0 : -ECANCELED;
	if (rc == 0) {
		rc = vm->ops->clock_stop(vm->engine);
		if (rc < 0)
			log_fail(rc, vm->subject, "not paused: its clocks do not stop: %s",
				 strerror(-rc));
	}
	if (rc < 0)
		release(vm);
	else
		hv_clock_stop(vm);
	vm->paused = rc == 0;
	return rc;
}

int hv_vm_resume(struct hv_vm *vm)
{
	if (!vm->paused)
		return 0;
	int rc = vm->ops->clock_start(vm->engine);
	if (rc < 0)
		return log_fail(rc, vm->subject, "not resumed: its clocks do not start: %s",
				strerror(-rc));
	hv_clock_start(vm);
	vm->paused = false;
	release(vm);
	return 0;
}

bool hv_vm_paused(const struct hv_vm *vm)
{
	return vm->paused;
}
