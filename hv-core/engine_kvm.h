/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * engine_kvm: the engine on top of Linux's KVM. Private to engine_kvm*.c, the only files that issue
 * KVM ioctls (Documentation/virt/kvm/api.rst, "api.rst" below).
 *
 * engine_kvm.c the VM, engine_kvm_vcpu.c its CPUs, engine_kvm_clock.c and engine_kvm_state.c both
 * of them standing still, engine_kvm_irqchip.c the interrupt controllers when they are KVM's,
 * engine_kvm_stats.c what KVM counts.
 */
#ifndef HV_CORE_ENGINE_KVM_H
#define HV_CORE_ENGINE_KVM_H

#include <linux/kvm.h>
#include <signal.h>
#include <stdatomic.h>

#include "hv-core/engine.h"

struct hv_engine {
	int kvm; /* /dev/kvm, borrowed */
	int vm;
	int vfio;     /* KVM_DEV_TYPE_VFIO, made with the first group */
	int stats;    /* -1: KVM has none */
	int run_size; /* bytes of a struct kvm_run mapping */
	unsigned vcpus;
	unsigned routes_room; /* entries in `routing` */
	struct kvm_irq_routing *routing;
	struct hv_engine_caps caps;
	struct hv_engine_vcpu *list; /* all its vCPUs */

	bool irqchip, pit;		 /* KVM has all interrupt controllers, and the timer */
	struct kvm_pit_state2 pit_state; /* while the clocks stand */

	bool stopped;	/* the clocks stand, and this is what they show: */
	uint64_t clock; /* the paravirtual clock, nanoseconds */
};

struct hv_engine_vcpu {
	struct hv_engine *engine;
	unsigned apic_id;
	int fd;
	int stats;
	struct kvm_run *run;
	atomic_int tid;	  /* who runs it; 0 before the first time */
	bool msr_pending; /* an MSR exit waits for its answer */
	bool msr_error;
	struct hv_engine_vcpu *next;

	/* while the clocks stand */
	uint64_t tsc;	   /* what the guest read last, or would have */
	uint64_t deadline; /* IA32_TSC_DEADLINE; 0: no timer runs */
};

/* The signal that gets a vCPU out of the guest. Its handler does nothing. */
static inline int hv_kvm_kick_signal(void)
{
	return SIGRTMIN;
}

int hv_kvm_vcpu_create(struct hv_engine *engine, unsigned apic_id, struct hv_engine_vcpu **out);
void hv_kvm_vcpu_destroy(struct hv_engine_vcpu *vcpu);
int hv_kvm_vcpu_set_cpuid(struct hv_engine_vcpu *vcpu, const struct hv_cpuid_entry *entries,
			  size_t count);
int hv_kvm_vcpu_set_entry(struct hv_engine_vcpu *vcpu, const struct hv_entry_state *entry);
int hv_kvm_vcpu_run(struct hv_engine_vcpu *vcpu, struct hv_exit *exit);
int hv_kvm_vcpu_kick(struct hv_engine_vcpu *vcpu);
bool hv_kvm_vcpu_ready(const struct hv_engine_vcpu *vcpu);
int hv_kvm_vcpu_extint(struct hv_engine_vcpu *vcpu, uint8_t vector);
int hv_kvm_vcpu_describe(struct hv_engine_vcpu *vcpu, char *text, size_t size);

/* One ioctl of a vCPU: its result, or negative errno. */
int hv_kvm_vcpu_ioctl(const struct hv_engine_vcpu *vcpu, unsigned long request, const void *arg);
/* 1, 0 when KVM does not have this MSR (or not this value), or negative errno. */
int hv_kvm_get_msr(const struct hv_engine_vcpu *vcpu, uint32_t index, uint64_t *value);
int hv_kvm_set_msr(const struct hv_engine_vcpu *vcpu, uint32_t index, uint64_t value);

int hv_kvm_irqchip_create(struct hv_engine *engine, bool pit);
/* What the routing table begins with: at most HV_KVM_IRQCHIP_ROUTES entries. */
#define HV_KVM_IRQCHIP_ROUTES 40u
size_t hv_kvm_irqchip_routes(const struct hv_engine *engine, struct kvm_irq_routing_entry *out);
int hv_kvm_irq_line(struct hv_engine *engine, uint32_t gsi, bool level);
int hv_kvm_irqfd_level(struct hv_engine *engine, int trigger, int ended, uint32_t gsi, bool attach);
int hv_kvm_pit_stop(struct hv_engine *engine);
int hv_kvm_pit_start(struct hv_engine *engine);
int hv_kvm_irqchip_save(struct hv_engine *engine, struct state *s);
int hv_kvm_irqchip_load(struct hv_engine *engine, struct state *s);

int hv_kvm_clock_stop(struct hv_engine *engine);
int hv_kvm_clock_start(struct hv_engine *engine);
int hv_kvm_save(struct hv_engine *engine, struct hv_engine_vcpu *vcpu, struct state *s);
int hv_kvm_load(struct hv_engine *engine, struct hv_engine_vcpu *vcpu, struct state *s);
/* A KVM structure as our entries; allocated. NULL without memory. */
struct hv_cpuid_entry *hv_kvm_cpuid_entries(const struct kvm_cpuid2 *cpuid);

int hv_kvm_stats(struct hv_engine *engine, struct hv_engine_vcpu *vcpu, struct hv_engine_stat **out,
		 size_t *count);

#endif
