/* SPDX-License-Identifier: BSD-3-Clause */
/* audit_priv: what the files of the audit share. */
#ifndef IOMMU_AUDIT_PRIV_H
#define IOMMU_AUDIT_PRIV_H

#include "iommu/audit.h"
#include "iommu/pagetable.h"
#include "iommu/vtd_format.h"

struct audit_page {
	uint64_t phys;
	bool bad; /* could not be read */
	uint64_t words[512];
};

struct audit_pages {
	struct audit_page **slots;
	size_t room, count; /* room: a power of two */
};

/* A zeroed page, in the place of any other at `phys`; NULL: no memory. */
struct audit_page *audit_page_add(struct audit *audit, uint64_t phys);

/* The format of a context's table, on `unit`. */
struct pagetable_format audit_format(const struct audit_unit *unit,
				     const struct audit_context *context);
struct pagetable_memory audit_memory(struct audit *audit);

/* Index of the first run of `owner`; its runs follow. */
size_t audit_first_run(const struct audit *audit, int owner);

#define audit_bus(rid) ((rid) >> 8)
#define AUDIT_RID_TEXT 13
/* "0000:01:10.0" */
char *audit_rid_format(uint32_t segment, uint16_t rid, char text[AUDIT_RID_TEXT]);

#endif
