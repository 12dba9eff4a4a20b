/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * topology: why a function is in its IOMMU group.
 *
 * The kernel decides about groups and tells only the result. The reasons are in the configuration
 * space of what lies between a function and the root: a PCIe port may pass a request from one
 * neighbour straight to another, past the IOMMU, unless Access Control Services keep it from that
 * (PCIe 6.0, 6.12); functions of one device may talk to each other inside it; and behind a bridge
 * to conventional PCI all requests carry the bridge's requester id, so that the IOMMU sees one
 * device.
 */
#ifndef IOMMU_TOPOLOGY_H
#define IOMMU_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bdf.h"
#include "base/sysfs.h"

/* What of ACS keeps neighbours apart (PCIe 6.0, 7.7.11): the four that Linux asks for too. */
#define IOMMU_ACS_SOURCE   (1u << 0) /* SV: a sender's id is checked */
#define IOMMU_ACS_REDIRECT (1u << 2) /* RR: requests between neighbours go up */
#define IOMMU_ACS_COMPLETE (1u << 3) /* CR: completions too */
#define IOMMU_ACS_UPSTREAM (1u << 4) /* UF: and what comes from below */
#define IOMMU_ACS_NEEDED \
	(IOMMU_ACS_SOURCE | IOMMU_ACS_REDIRECT | IOMMU_ACS_COMPLETE | IOMMU_ACS_UPSTREAM)

enum iommu_hop_kind { /* PCIe 6.0, 7.5.3.2: device/port type, and what has none */
		      IOMMU_HOP_ENDPOINT,
		      IOMMU_HOP_ROOT_PORT,
		      IOMMU_HOP_UPSTREAM,
		      IOMMU_HOP_DOWNSTREAM,
		      IOMMU_HOP_PCI_BRIDGE,   /* PCIe above, PCI below, or PCI on both sides */
		      IOMMU_HOP_INTEGRATED,   /* root complex integrated endpoint */
		      IOMMU_HOP_CONVENTIONAL, /* PCI function without a PCIe capability */
};
const char *iommu_hop_name(enum iommu_hop_kind kind); /* "root port" */

struct iommu_hop {
	struct bdf bdf;
	enum iommu_hop_kind kind;
	bool virtual_function, multifunction;
	bool known;   /* all of its configuration space could be read; else ACS is not known */
	bool has_acs; /* the capability is there */
	uint16_t acs_able, acs_on;
	uint8_t secondary, subordinate; /* of a bridge */
};

#define IOMMU_HOPS_MAX 16

/* From the function itself up to the root; a VF's way is its PF's. -ENODEV: no such function;
 * -ELOOP: bridges that lead in a circle; -E2BIG. Logged. */
int iommu_hops_read(const struct sysfs *fs, struct bdf bdf, struct iommu_hop hops[IOMMU_HOPS_MAX],
		    size_t *count);
/* Does this hop keep its neighbours (functions, or what is below its siblings) apart? */
bool iommu_hop_isolates(const struct iommu_hop *hop);

#define IOMMU_REASON_TEXT 320
/* Why `a` and `b` (their hops) cannot be told apart, in words; false: nothing here joins them. */
bool iommu_join_reason(const struct iommu_hop *a, size_t a_count, const struct iommu_hop *b,
		       size_t b_count, char text[IOMMU_REASON_TEXT]);
/* "ACS on: source validation, request redirect", "no ACS capability", … */
char *iommu_acs_words(const struct iommu_hop *hop, char text[IOMMU_REASON_TEXT]);

#endif
