/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm: what a struct hv_vm is made of. Private to hv-core.
 *
 * One handle, several owners of its parts: mem*.c the memory, vcpu.c and exit.c the CPUs, bus.c the
 * regions, irq.c and ioapic.c the interrupts, boot*.c what is put into memory before the start.
 *
 * Locks, in the order in which they nest:
 *   park_lock     who stands still; nothing else is taken inside it
 *   device_lock   all device state, the I/O APIC, device memory slots, changes to the buses
 *   bus.lock      the arrays of regions, so that statistics can walk them without device_lock
 *   routes.lock   the routes; hv_route_* and hv_irqfd_* are called from several threads
 */
#ifndef HV_CORE_VM_H
#define HV_CORE_VM_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/bitmap.h"
#include "hv-core/bus.h"
#include "hv-core/clock.h"
#include "hv-core/cpuid.h"
#include "hv-core/hv.h"
#include "hv-core/ioapic.h"
#include "hv-core/irq.h"
#include "hv-core/legacy.h"
#include "hv-core/mem.h"
#include "hv-core/numa.h"
#include "hv-core/timing.h"

struct hv_vcpu {
	struct hv_vm *vm;
	unsigned index;
	unsigned apic_id;
	int pin;	    /* host CPU, or -1 */
	cpu_set_t affinity; /* where its thread may run; empty: anywhere */
	struct hv_engine_vcpu *engine;
	pthread_t thread;
	bool started;
	atomic_int tid;
	atomic_uint_fast64_t exits[HV_EXIT_COUNT]; /* written by the vCPU's own thread only */
	atomic_uint_fast64_t ns[HV_EXIT_COUNT];	   /* and so is this */
};

struct hv_vm {
	char name[64];
	char subject[72]; /* "vm NAME": what log messages are about */
	const struct hv_engine_ops *ops;
	struct hv_engine *engine;
	struct hv_engine_caps caps;

	struct hv_cpuid_topology topology;
	unsigned cpus;
	struct hv_vcpu *vcpus;

	struct hv_numa numa;
	struct hv_mem mem;
	struct hv_bus bus;
	struct hv_timing timing;
	struct hv_ioapic ioapic;
	struct hv_region *ioapic_region;
	struct hv_routes routes;
	struct hv_legacy *legacy; /* NULL: the machine has no PIC and no PIT, or the engine has */
	bool irqchip;		  /* the engine has all; of `ioapic` only levels are used then */

	struct hv_clock clock;

	pthread_mutex_t device_lock;
	atomic_int end; /* enum hv_end; set once */

	/* Standing still: pause.c. live and parked count vCPU threads, under park_lock. */
	pthread_mutex_t park_lock;
	pthread_cond_t park_changed;
	atomic_bool pausing;
	unsigned live, parked;
	bool paused; /* the clocks stand; only of the thread that pauses and resumes */
	void (*on_event)(void *opaque, const struct hv_event *event);
	void *on_event_opaque;
	void (*thread_begin)(enum hv_thread kind);
	void (*on_end)(void *opaque, enum hv_end end);
	void *on_end_opaque;
};

/* ---- vcpu.c ---- */

int hv_vcpus_create(struct hv_vm *vm, const int *pin, const struct hv_cpuid_entry *host,
		    size_t host_count);
void hv_vcpus_destroy(struct hv_vm *vm);
int hv_vcpus_start(struct hv_vm *vm);
void hv_vcpus_kick(struct hv_vm *vm);
void hv_vcpus_join(struct hv_vm *vm);
void hv_vcpus_stop(struct hv_vm *vm); /* ends what runs, without telling hv_vm_on_end */

/* ---- pause.c ---- */

void hv_park_init(struct hv_vm *vm);
void hv_park_finish(struct hv_vm *vm);
/* A vCPU's thread enters and leaves the count of those that a pause waits for. */
void hv_park_join(struct hv_vm *vm);
void hv_park_leave(struct hv_vm *vm);
/* On the vCPU's thread, after HV_EXIT_SIGNAL: stays as long as the VM is to stand still. */
void hv_park(struct hv_vm *vm);
/* Those who wait look again: something has changed. */
void hv_park_wake(struct hv_vm *vm);

/* Where CPU 0 starts; the other CPUs wait for INIT and SIPI. Before hv_vm_start. */
int hv_vcpu_set_boot_entry(struct hv_vm *vm, const struct hv_entry_state *entry);
/* The APIC ID of a CPU, as CPUID tells it and MADT must. */
unsigned hv_vcpu_apic_id(const struct hv_vm *vm, unsigned cpu);

/* ---- exit.c ---- */

/* Does what the guest asked for, or ends the VM where that cannot be done. */
void hv_exit_dispatch(struct hv_vcpu *vcpu, struct hv_exit *exit);

#endif
