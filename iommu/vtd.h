/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vtd: our own driver of a VT-d unit that the kernel leaves alone.
 *
 *     vtd_unit     registers, root table, invalidation queue, interrupt table, fault records
 *      └ vtd_space one I/O address space: a domain id and a page table; functions are attached
 *
 * The unit sees what is in memory whenever it likes, and remembers what it saw. So the order is
 * always the same: write the table, flush it if the unit does not snoop, then invalidate what it
 * may remember, wait for that, and only then free or reuse (VT-d 6.5, 6.6). What remembering means
 * is the unit's: one with caching mode (an emulated one) also remembers that something was absent.
 *
 * Functions that are attached to no space either keep reaching everything (the host's own devices,
 * when the host is alive beside us) or are blocked; vtd_config says which.
 *
 * One thread drives a unit. Errors of the hardware are decoded, logged with the unit's name and
 * bounded in time; after one that leaves its state unknown the unit is *broken*: everything that
 * needs an invalidation answers -EIO, nothing is freed that the unit might still read, and only
 * vtd_unit_destroy is left.
 */
#ifndef IOMMU_VTD_H
#define IOMMU_VTD_H

#include "base/bdf.h"
#include "iommu/vtd_format.h"
#include "iommu/vtd_mem.h"

/* ---- registers ---- */

/* Access to a unit's registers: /dev/mem, or a made-up unit in tests. */
struct vtd_io {
	uint32_t (*read32)(void *opaque, unsigned reg);
	uint64_t (*read64)(void *opaque, unsigned reg);
	void (*write32)(void *opaque, unsigned reg, uint32_t value);
	void (*write64)(void *opaque, unsigned reg, uint64_t value);
	void *opaque;
};

/* Maps `size` bytes (whole pages) at the physical address `base` of `memory`, which is VTD_MEMORY
 * outside tests. -EPERM: with what to boot. */
struct vtd_window;
#define VTD_MEMORY "/dev/mem"
int vtd_window_open(const char *memory, uint64_t base, size_t size, struct vtd_window **out,
		    struct vtd_io *io);
void vtd_window_close(struct vtd_window *window);

/* ---- unit ---- */

struct vtd_config {
	const char *name; /* of messages: "iommu 0xfed90000" */
	struct vtd_io io;
	struct vtd_mem *mem;
	unsigned host_width; /* bits of a physical address: HAW of the DMAR table */
	bool scalable;	     /* scalable mode; legacy otherwise */
	bool pass_through;   /* functions attached to nothing reach everything; else: nothing */
	unsigned interrupts; /* entries of the interrupt table, a power of two; 0: no remapping */
	bool x2apic;	     /* 32-bit APIC identities */
	unsigned timeout_ms; /* for the unit to answer; 0: 1000 */
	/* Called for every fault told (that is: not for those beyond the rate); may be NULL. */
	void (*fault)(void *opaque, const struct vtd_fault *fault);
	void *opaque;
};

struct vtd_unit;

/* Takes the unit: switches off what is on, sets up tables, switches translation on. -EOPNOTSUPP: it
 * lacks what the config asks for; -ETIMEDOUT, -ENOMEM, -EINVAL, logged. Then it is off. */
int vtd_unit_create(const struct vtd_config *config, struct vtd_unit **out);
/* Switches it off; the spaces must be gone. */
void vtd_unit_destroy(struct vtd_unit *unit);
/* Switches off a unit that somebody left on. 0 or -ETIMEDOUT, logged. */
int vtd_switch_off(const struct vtd_io *io, const char *name, unsigned timeout_ms);

const struct vtd_cap *vtd_unit_cap(const struct vtd_unit *unit);
const struct vtd_ecap *vtd_unit_ecap(const struct vtd_unit *unit);

/* Reads the fault records, logs what they say (at most VTD_FAULT_RATE lines per ten seconds, then
 * a count) and gives them back to the unit. Returns the number of records taken, or -EFAULT when
 * pinned memory has moved. Call it a few times a second. */
#define VTD_FAULT_RATE 10
int vtd_unit_poll(struct vtd_unit *unit);
struct vtd_fault_counts {
	uint64_t taken, told, overflows;
};
struct vtd_fault_counts vtd_unit_faults(const struct vtd_unit *unit);

/* ---- spaces ---- */

enum vtd_stage { VTD_SECOND_STAGE, VTD_FIRST_STAGE };

struct vtd_space;

/* -EOPNOTSUPP: the unit has no such stage in its mode; -ENOSPC: out of domain ids; -ENOMEM. */
int vtd_space_create(struct vtd_unit *unit, enum vtd_stage stage, struct vtd_space **out);
/* Detaches what is attached. */
void vtd_space_destroy(struct vtd_space *space);

/* -EBUSY: attached elsewhere; the same space again is 0. `bdf.domain` is the unit's to ignore. */
int vtd_attach(struct vtd_space *space, struct bdf bdf);
int vtd_detach(struct vtd_space *space, struct bdf bdf);

/* As pagetable_map and pagetable_unmap, done when they return. Logged. */
int vtd_map(struct vtd_space *space, uint64_t iova, uint64_t phys, uint64_t size, unsigned attrs);
int vtd_unmap(struct vtd_space *space, uint64_t iova, uint64_t size, uint64_t *unmapped);

struct vtd_space_info {
	uint16_t domain;
	unsigned levels, input_bits;
	uint64_t page_sizes;
	size_t tables;
};
struct vtd_space_info vtd_space_info(const struct vtd_space *space);
const struct pagetable *vtd_space_table(const struct vtd_space *space);

/* ---- interrupts ---- */

/* `count` neighbouring entries (a power of two: what multi-message MSI takes), all absent. Their
 * first index, or -ENOSPC (the table is full), -EOPNOTSUPP (no remapping). Logged. */
int vtd_interrupt_alloc(struct vtd_unit *unit, unsigned count);
void vtd_interrupt_free(struct vtd_unit *unit, unsigned index, unsigned count);
/* Writes one entry; not present to block it. */
int vtd_interrupt_set(struct vtd_unit *unit, unsigned index, const struct vtd_irte *irte);

#endif
