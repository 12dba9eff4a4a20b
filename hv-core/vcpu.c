/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vcpu: one thread per virtual CPU, which runs the guest until the VM ends.
 *
 * Getting a CPU out: the end is written first, then every CPU is kicked. A CPU looks at the end
 * before each entry, and a kick that comes after it has looked makes the entry return at once.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "hv-core/vm.h"

#define THREAD_NAME 16 /* with its end: pthread_setname_np(3) */

static int create_one(struct hv_vcpu *vcpu, const struct hv_cpuid_entry *host, size_t host_count)
{
	struct hv_vm *vm = vcpu->vm;
	struct hv_cpuid_entry *cpuid = NULL;
	size_t count = 0;
	int rc = vm->ops->vcpu_create(vm->engine, vcpu->apic_id, &vcpu->engine);

	if (rc == 0)
		rc = hv_cpuid_build(host, host_count, &vm->topology, vcpu->apic_id, &cpuid, &count);
	if (rc == 0)
		rc = vm->ops->vcpu_set_cpuid(vcpu->engine, cpuid, count);
	free(cpuid);
	return rc < 0 ? log_fail(rc, vm->subject, "not created: CPU %u: %s", vcpu->index,
				 strerror(-rc))
		      : 0;
}

static void place(struct hv_vcpu *vcpu)
{
	int node = hv_numa_of_cpu(&vcpu->vm->numa, vcpu->index);

	CPU_ZERO(&vcpu->affinity);
	if (vcpu->pin >= 0 && vcpu->pin < CPU_SETSIZE)
		CPU_SET((size_t)vcpu->pin, &vcpu->affinity);
	else if (vcpu->pin < 0 && node >= 0)
		vcpu->affinity = vcpu->vm->numa.node[node].run;
}

int hv_vcpus_create(struct hv_vm *vm, const int *pin, const struct hv_cpuid_entry *host,
		    size_t host_count)
{
	int rc = 0;

	vm->vcpus = calloc(vm->cpus, sizeof(*vm->vcpus));
	if (!vm->vcpus)
		return -ENOMEM;
	for (unsigned i = 0; rc == 0 && i < vm->cpus; i++) {
		struct hv_vcpu *vcpu = &vm->vcpus[i];

		vcpu->vm = vm;
		vcpu->index = i;
		vcpu->apic_id = hv_cpuid_apic_id(&vm->topology, i);
		vcpu->pin = pin ? pin[i] : -1;
		place(vcpu);
		rc = create_one(vcpu, host, host_count);
	}
	return rc;
}

void hv_vcpus_destroy(struct hv_vm *vm)
{
	for (unsigned i = 0; vm->vcpus && i < vm->cpus; i++)
		vm->ops->vcpu_destroy(vm->vcpus[i].engine);
	free(vm->vcpus);
	vm->vcpus = NULL;
}

int hv_vcpu_set_boot_entry(struct hv_vm *vm, const struct hv_entry_state *entry)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < vm->cpus; i++)
		rc = vm->ops->vcpu_set_entry(vm->vcpus[i].engine, i == 0 ? entry : NULL);
	return rc < 0 ? log_fail(rc, vm->subject, "its CPUs cannot be set up for the start: %s",
				 strerror(-rc))
		      : 0;
}

unsigned hv_vcpu_apic_id(const struct hv_vm *vm, unsigned cpu)
{
	return vm->vcpus[cpu].apic_id;
}

/* ---- the thread ---- */

/* "NAME/cpuN"; the end is what tells CPUs apart, so it is the name that is cut. */
static void name_thread(const struct hv_vcpu *vcpu)
{
	char suffix[THREAD_NAME], text[2 * THREAD_NAME];
	int len = snprintf(suffix, sizeof(suffix), "/cpu%u", vcpu->index);

	snprintf(text, sizeof(text), "%.*s%s", THREAD_NAME - 1 - len, vcpu->vm->name, suffix);
	pthread_setname_np(pthread_self(), text);
}

static void count_exit(struct hv_vcpu *vcpu, enum hv_exit_reason reason)
{
	uint_fast64_t n = atomic_load_explicit(&vcpu->exits[reason], memory_order_relaxed);

	atomic_store_explicit(&vcpu->exits[reason], n + 1, memory_order_relaxed);
}

static void dispatch(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	struct hv_timing *timing = &vcpu->vm->timing;
	uint64_t begin = hv_timing_begin(timing);
	struct hv_trace_event event = {.start = begin, .cpu = vcpu->index, .reason = exit->reason};

	if (exit->reason <= HV_EXIT_MMIO_WRITE)
		event.addr = exit->io.addr;
	hv_exit_dispatch(vcpu, exit);
	if (!begin)
		return;
	hv_timing_add(&vcpu->ns[event.reason], begin);
	event.ns = hv_timing_since(begin);
	hv_timing_trace(timing, &event);
}

static void *vcpu_thread(void *opaque)
{
	struct hv_vcpu *vcpu = opaque;
	struct hv_vm *vm = vcpu->vm;
	struct hv_exit exit = {0};

	name_thread(vcpu);
	hv_vm_thread_begin(vm, HV_THREAD_CPU);
	atomic_store(&vcpu->tid, (int)gettid());
	while (atomic_load(&vm->end) == HV_END_NONE) {
		int rc = vm->legacy && vcpu->index == 0 ? hv_legacy_enter(vm->legacy, vcpu) : 0;

		if (rc == 0)
			rc = vm->ops->vcpu_run(vcpu->engine, &exit);

		if (rc < 0) {
			log_fail(rc, vm->subject, "CPU %u cannot go on: %s%s", vcpu->index,
				 strerror(-rc),
				 rc == -EFAULT ? "; the host has no memory left for the guest"
					       : "");
			hv_vm_end(vm, HV_END_CRASH);
			break;
		}
		count_exit(vcpu, exit.reason);
		dispatch(vcpu, &exit);
		if (exit.reason == HV_EXIT_SIGNAL)
			hv_park(vm);
	}
	hv_park_leave(vm);
	return NULL;
}

static int prepare_attr(const struct hv_vcpu *vcpu, pthread_attr_t *attr)
{
	pthread_attr_init(attr);
	if (CPU_COUNT(&vcpu->affinity) == 0)
		return vcpu->pin < 0 ? 0 : -EINVAL;
	return -pthread_attr_setaffinity_np(attr, sizeof(vcpu->affinity), &vcpu->affinity);
}

/* Signals are for the thread that waits for them; the engine lets in the one it kicks with. */
static int start_one(struct hv_vcpu *vcpu)
{
	pthread_attr_t attr;
	sigset_t all, before;
	int rc = prepare_attr(vcpu, &attr);

	if (rc == 0) {
		hv_park_join(vcpu->vm);
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &before);
		rc = -pthread_create(&vcpu->thread, &attr, vcpu_thread, vcpu);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
		if (rc < 0)
			hv_park_leave(vcpu->vm);
	}
	pthread_attr_destroy(&attr);
	vcpu->started = rc == 0;
	if (rc == -EINVAL && vcpu->pin >= 0)
		return log_fail(rc, vcpu->vm->subject,
				"not started: CPU %u cannot be pinned to host CPU %d: it is not "
				"there, or not ours to use",
				vcpu->index, vcpu->pin);
	if (rc < 0)
		return log_fail(rc, vcpu->vm->subject, "not started: no thread for CPU %u: %s",
				vcpu->index, strerror(-rc));
	return 0;
}

/* The boot CPU comes last: until then the others wait for it, and the guest has done nothing. */
int hv_vcpus_start(struct hv_vm *vm)
{
	for (unsigned i = vm->cpus; i-- > 0;) {
		int rc = start_one(&vm->vcpus[i]);

		if (rc < 0) {
			hv_vcpus_stop(vm);
			return rc;
		}
	}
	return 0;
}

void hv_vcpus_kick(struct hv_vm *vm)
{
	for (unsigned i = 0; i < vm->cpus; i++) {
		int rc = vm->ops->vcpu_kick(vm->vcpus[i].engine);

		if (rc < 0)
			log_fail(rc, vm->subject, "CPU %u not kicked: %s", i, strerror(-rc));
	}
	hv_park_wake(vm);
}

void hv_vcpus_join(struct hv_vm *vm)
{
	for (unsigned i = 0; vm->vcpus && i < vm->cpus; i++) {
		struct hv_vcpu *vcpu = &vm->vcpus[i];

		if (vcpu->started)
			pthread_join(vcpu->thread, NULL);
		vcpu->started = false;
	}
}

void hv_vcpus_stop(struct hv_vm *vm)
{
	int running = HV_END_NONE;
	bool any = false;

	for (unsigned i = 0; vm->vcpus && i < vm->cpus; i++)
		any = any || vm->vcpus[i].started;
	if (!any)
		return;
	if (atomic_compare_exchange_strong(&vm->end, &running, HV_END_KILLED))
		hv_vcpus_kick(vm);
	hv_vcpus_join(vm);
}
