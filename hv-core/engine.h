/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * engine: the narrow boundary below which virtualization hardware lives.
 *
 * Above this line nobody knows who runs the guest: KVM today (engine_kvm.c, the only file that
 * issues KVM ioctls), another VMX root-mode core later, a fake in unit tests. An engine offers a
 * table of operations on a VM and its vCPUs; everything it reports is decoded into the plain
 * types below, so no structure of KVM's leaks upwards.
 *
 * The engine owns the local APICs (for x2APIC, TSC deadline and posting they belong beside the
 * CPU); I/O APIC and every other interrupt controller are ours, above ("split irqchip"), unless the
 * VM is made with them in the engine (hv_engine_config.irqchip).
 *
 * Threads: vcpu_run is called only by that vCPU's thread; vcpu_kick, msi_signal and irqfd_* may
 * be called by any; the rest by one thread at a time.
 */
#ifndef HV_CORE_ENGINE_H
#define HV_CORE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/state.h"

struct hv_engine;      /* one VM inside the engine */
struct hv_engine_vcpu; /* one vCPU of it */

struct hv_msi {
	uint64_t addr; /* 0xfeexxxxx; SDM vol. 3, 11.11 */
	uint32_t data;
};

struct hv_cpuid_entry {
	uint32_t leaf;
	uint32_t subleaf;
	bool has_subleaf;
	uint32_t eax, ebx, ecx, edx;
};

/* Why vcpu_run came back. The order is the order of `vm stat`. */
enum hv_exit_reason {
	HV_EXIT_IO_READ,
	HV_EXIT_IO_WRITE,
	HV_EXIT_MMIO_READ,
	HV_EXIT_MMIO_WRITE,
	HV_EXIT_EOI,  /* end of interrupt of a level-triggered I/O APIC vector */
	HV_EXIT_HALT, /* only where the engine does not halt by itself */
	HV_EXIT_MSR_READ,
	HV_EXIT_MSR_WRITE,
	HV_EXIT_SIGNAL,	  /* vcpu_kick */
	HV_EXIT_SHUTDOWN, /* triple fault */
	HV_EXIT_SYSTEM_EVENT,
	HV_EXIT_FAIL_ENTRY, /* the hardware refused the guest's state: code */
	HV_EXIT_INTERNAL_ERROR,
	HV_EXIT_OTHER,
	HV_EXIT_COUNT
};

struct hv_exit {
	enum hv_exit_reason reason;
	union {
		/* IO and MMIO. For reads the handler fills data before the next vcpu_run. `data`
		 * points into the engine's own buffer; `count` > 1 for string I/O: that many
		 * elements of `len` bytes, one after the other, all at the same port. */
		struct {
			uint64_t addr;
			uint8_t len; /* 1, 2, 4, 8; a piece of an MMIO access across pages: 1..8 */
			uint32_t count;
			void *data;
		} io;
		uint8_t eoi_vector;
		struct {
			uint32_t index;
			uint64_t data; /* read: filled by the handler */
			bool *error;   /* set to true to inject #GP */
		} msr;
		uint64_t code; /* FAIL_ENTRY, INTERNAL_ERROR, SYSTEM_EVENT, OTHER: the engine's own
				*/
	};
};

/* State at entry. Everything not named starts as after INIT (SDM vol. 3, table 10-1). */
struct hv_entry_state {
	/* HV_ENTRY_RESET: the reset vector, and nothing else of what follows is looked at. */
	enum { HV_ENTRY_LONG, HV_ENTRY_PROTECTED, HV_ENTRY_RESET } mode;
	/* rsi: boot_params (long); rbx: start_info (PVH); rax, rbx: magic, info (Multiboot) */
	uint64_t rip, rsp, rax, rsi, rbx;
	uint64_t cr3;	   /* HV_ENTRY_LONG: identity page tables */
	uint64_t gdt_base; /* GDT in guest memory: null, 64-bit or 32-bit code, data */
	uint16_t gdt_limit;
	uint16_t code_selector, data_selector;
};

/* A named number read from the engine, e.g. KVM's binary statistics "exits", "pages_2m". */
struct hv_engine_stat {
	char name[48];
	uint64_t value;
};

struct hv_engine_caps {
	unsigned max_vcpus;
	unsigned max_memory_slots;
	unsigned max_routes;
	bool posted_interrupts; /* the CPU can deliver a device's interrupt without an exit */
	bool stats;
	uint32_t tsc_khz; /* 0: unknown */
};

struct hv_engine_config {
	unsigned ioapic_pins; /* reserves routes 0..pins-1, whose end of interrupt is reported */
	bool irqchip;	      /* the engine has the I/O APIC, and a PIC pair: nothing is reported */
	bool pit;	      /* and a PIT */
};

/*
 * Results are 0 or negative errno unless said otherwise. create: `fd` is an open /dev/kvm (or the
 * engine's counterpart) which stays the caller's.
 */
struct hv_engine_ops {
	const char *name;
	int (*create)(int fd, const struct hv_engine_config *config, struct hv_engine **out);
	void (*destroy)(struct hv_engine *engine);
	void (*caps)(const struct hv_engine *engine, struct hv_engine_caps *out);

	/* What the engine can offer a guest; the array is allocated, the caller frees it. */
	int (*supported_cpuid)(struct hv_engine *engine, struct hv_cpuid_entry **out,
			       size_t *count);

	/* slot: 0..max_memory_slots-1. Page-aligned gpa, size, hva. */
	int (*map)(struct hv_engine *engine, unsigned slot, uint64_t gpa, uint64_t size, void *hva,
		   bool read_only, bool dirty_log);
	int (*unmap)(struct hv_engine *engine, unsigned slot);
	/* One bit per 4K page since the last call. bitmap has size/4096/64 words, rounded up. */
	int (*dirty_log)(struct hv_engine *engine, unsigned slot, uint64_t *bitmap);

	int (*vcpu_create)(struct hv_engine *engine, unsigned apic_id, struct hv_engine_vcpu **out);
	void (*vcpu_destroy)(struct hv_engine_vcpu *vcpu);
	int (*vcpu_set_cpuid)(struct hv_engine_vcpu *vcpu, const struct hv_cpuid_entry *entries,
			      size_t count);
	/* The boot CPU gets an entry; every other one waits for INIT-SIPI (entry NULL). Both leave
	 * the CPU as firmware would: memory write-back by default (MTRR), fast strings on; an entry
	 * at the reset vector leaves that to the firmware. */
	int (*vcpu_set_entry)(struct hv_engine_vcpu *vcpu, const struct hv_entry_state *entry);
	/* `exit` also carries the answer to the exit before: always the same object. Negative errno
	 * when the engine cannot run this vCPU any more, e.g. -EFAULT: guest memory is not there.
	 */
	int (*vcpu_run)(struct hv_engine_vcpu *vcpu, struct hv_exit *exit);
	/* Makes a running or the next vcpu_run return HV_EXIT_SIGNAL. */
	int (*vcpu_kick)(struct hv_engine_vcpu *vcpu);
	/*
	 * ExtINT, the way of an 8259 (SDM vol. 3, 11.8.1). vcpu_ready: whether the vCPU, where its
	 * last run left it, would take an external interrupt at once. vcpu_extint hands it one
	 * vector, which is acknowledged by then; -EAGAIN when it has not taken the one before.
	 * Called by the vCPU's own thread.
	 */
	bool (*vcpu_ready)(const struct hv_engine_vcpu *vcpu);
	int (*vcpu_extint)(struct hv_engine_vcpu *vcpu, uint8_t vector);
	/* For the report of a guest that died. */
	int (*vcpu_describe)(struct hv_engine_vcpu *vcpu, char *text, size_t size);

	/* -EAGAIN: no CPU took it (none has this destination, or its APIC is switched off). */
	int (*msi_signal)(struct hv_engine *engine, const struct hv_msi *msi);
	/* The whole table at once: entry i routes gsi[i] to msi[i]. */
	int (*set_routes)(struct hv_engine *engine, const uint32_t *gsi, const struct hv_msi *msi,
			  size_t count);
	int (*irqfd)(struct hv_engine *engine, int eventfd, uint32_t gsi, bool attach);
	/* With the engine's irqchip only, else -ENOTSUP. irq_line: an input of I/O APIC and PIC.
	 * irqfd_level: `trigger` raises a level input; at the end of the interrupt it falls, and
	 * then `ended` is signalled. */
	int (*irq_line)(struct hv_engine *engine, uint32_t gsi, bool level);
	int (*irqfd_level)(struct hv_engine *engine, int trigger, int ended, uint32_t gsi,
			   bool attach);
	int (*ioeventfd)(struct hv_engine *engine, int eventfd, uint64_t addr, unsigned len,
			 bool pio, bool match, uint64_t value, bool attach);
	/* A VFIO group that this VM uses; must come before its devices are opened. */
	int (*vfio_group)(struct hv_engine *engine, int group_fd, bool add);

	/*
	 * Standing still: no thread is inside vcpu_run, and none will be until clock_start. Between
	 * the two calls the guest's clocks (TSC, paravirtual clock, APIC timers) do not move.
	 * clock_stop also makes what an exit left half done complete: so every vCPU must have come
	 * out with HV_EXIT_SIGNAL. Twice is once.
	 */
	int (*clock_stop)(struct hv_engine *engine);
	int (*clock_start)(struct hv_engine *engine);
	/* Everything the engine knows of a vCPU (NULL: of the VM), clocks stopped. load: into a new
	 * vCPU that has its CPUID, instead of vcpu_set_entry; the VM's last, with the clocks, which
	 * then stand as if stopped. -ENOTSUP names what this host lacks. */
	int (*save)(struct hv_engine *engine, struct hv_engine_vcpu *vcpu, struct state *s);
	int (*load)(struct hv_engine *engine, struct hv_engine_vcpu *vcpu, struct state *s);

	/* Allocated array of VM-wide (vcpu NULL) or per-vCPU numbers. -EOPNOTSUPP when there are
	 * none. */
	int (*stats)(struct hv_engine *engine, struct hv_engine_vcpu *vcpu,
		     struct hv_engine_stat **out, size_t *count);
};

extern const struct hv_engine_ops hv_engine_kvm;

#endif
