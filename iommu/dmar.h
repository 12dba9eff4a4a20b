/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dmar: what the firmware says about the machine's VT-d units (the ACPI table DMAR, VT-d chapter
 * 8).
 *
 * The table is a list of structures. A DRHD is one unit: where its registers are, and which devices
 * it stands before. RMRR is memory that firmware keeps using by DMA, ATSR and SATC tell about
 * device TLBs, RHSA about NUMA, ANDD names devices without a PCI address. Which devices is said by
 * *scopes*: a bus, and a path through bridges from there, because firmware does not know which
 * numbers the operating system will give to buses.
 *
 * The table comes from firmware, and what is wrong in it is refused as a whole and by name: a unit
 * that is misread guards the wrong devices.
 */
#ifndef IOMMU_DMAR_H
#define IOMMU_DMAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bdf.h"
#include "base/range.h"
#include "base/sysfs.h"

enum dmar_type { /* 8.2 */
		 DMAR_DRHD = 0,
		 DMAR_RMRR = 1,
		 DMAR_ATSR = 2,
		 DMAR_RHSA = 3,
		 DMAR_ANDD = 4,
		 DMAR_SATC = 5,
};

enum dmar_scope_type { /* 8.3.1 */
		       DMAR_SCOPE_ENDPOINT = 1,
		       DMAR_SCOPE_BRIDGE = 2, /* and everything below it */
		       DMAR_SCOPE_IOAPIC = 3,
		       DMAR_SCOPE_HPET = 4,
		       DMAR_SCOPE_NAMESPACE = 5,
};

#define DMAR_PATH_MAX 16

struct dmar_scope {
	enum dmar_scope_type type;
	uint8_t id; /* of an I/O APIC, HPET or ANDD */
	uint8_t bus;
	uint8_t depth; /* of path: 1 … DMAR_PATH_MAX */
	struct {
		uint8_t dev, fn;
	} path[DMAR_PATH_MAX];
};

/* One structure of the table; which fields count depends on its type. */
struct dmar_entry {
	enum dmar_type type;
	uint16_t segment;
	bool all;	    /* DRHD: every device no other unit claims; ATSR: every port */
	bool required;	    /* SATC: translation by the device is a must */
	struct range range; /* DRHD: registers; RMRR: memory; RHSA: start is the unit's */
	uint32_t proximity; /* RHSA */
	uint8_t number;	    /* ANDD */
	char name[64];	    /* ANDD: ACPI path */
	struct dmar_scope *scopes;
	size_t scope_count;
};

struct dmar {
	unsigned host_width; /* bits of a physical address */
	bool interrupt_remapping, x2apic_opt_out, dma_opt_in;
	struct dmar_entry *entries;
	size_t count;
};

/* -EINVAL with what is wrong, or -ENOMEM; logged. */
int dmar_parse(const void *table, size_t len, struct dmar **out);
void dmar_destroy(struct dmar *dmar);
/* From firmware/acpi/tables/DMAR. -ENOENT when the machine has none; logged. */
int dmar_read(const struct sysfs *fs, struct dmar **out);

const char *dmar_type_name(enum dmar_type type);
const char *dmar_scope_name(enum dmar_scope_type type);

/* Where a scope leads: its path followed through the bridges' secondary buses as they are now.
 * -ENODEV: nothing is there; -ELOOP: a bridge that leads back; -ENOTSUP: no PCI device. */
int dmar_scope_resolve(const struct sysfs *fs, uint16_t segment, const struct dmar_scope *scope,
		       struct bdf *out);
/* Does one of the entry's scopes cover the function? A VF is where its PF is. */
bool dmar_covers(const struct sysfs *fs, const struct dmar_entry *entry, struct bdf bdf);
/* The unit in front of a function; NULL when there is none. */
const struct dmar_entry *dmar_unit_of(const struct dmar *dmar, const struct sysfs *fs,
				      struct bdf bdf);

#endif
