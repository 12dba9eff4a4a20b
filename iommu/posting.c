/* SPDX-License-Identifier: BSD-3-Clause */
/* posting: see posting.h. The order is that in which one would have to repair things. */
#include "iommu/posting.h"

#include <stddef.h>

#define DELIVERY_FIXED	0u
#define DELIVERY_LOWEST 1u

static bool has_one_target(const struct iommu_posting_facts *f)
{
	unsigned delivery = f->data >> 8 & 7, target = (unsigned)(f->address >> 12) & 0xff;
	bool logical = f->address & 4;

	if (delivery != DELIVERY_FIXED && delivery != DELIVERY_LOWEST)
		return false; /* NMI and the like have no vector to post */
	if (f->cpus <= 1)
		return true;
	if (target == 0xff)
		return false;
	return !logical || !(target & (target - 1));
}

enum iommu_posting iommu_posting_of(const struct iommu_posting_facts *f)
{
	if (f->entry_posted == IOMMU_YES)
		return IOMMU_POSTED;
	if (f->wire)
		return IOMMU_WIRE;
	if (!f->remapped)
		return IOMMU_NOT_REMAPPED;
	if (f->unit_can == IOMMU_NO)
		return IOMMU_NO_CAPABILITY;
	if (f->virtual_apic == IOMMU_NO)
		return f->amd_cpu ? IOMMU_NO_AVIC : IOMMU_NO_APICV;
	if (f->amd_cpu && f->pit_reinjection)
		return IOMMU_PIT_REINJECTION;
	if (f->masked)
		return IOMMU_MASKED;
	if (!has_one_target(f))
		return IOMMU_MULTI_DESTINATION;
	return f->entry_posted == IOMMU_NO ? IOMMU_NOT_LINKED : IOMMU_POSTED_LIKELY;
}

const char *iommu_posting_words(enum iommu_posting posting)
{
	static const char *const words[] = {
		[IOMMU_POSTED] = "posted",
		[IOMMU_POSTED_LIKELY] =
			"nothing stands against posting; the live table cannot be read",
		[IOMMU_NOT_REMAPPED] = "not remapped: boot with interrupt remapping on",
		[IOMMU_WIRE] = "INTx, a level on a wire, is never posted",
		[IOMMU_MASKED] = "the guest has masked it, or given it no target yet",
		[IOMMU_NO_CAPABILITY] = "the IOMMU cannot post (CAP.PI is 0)",
		[IOMMU_NO_APICV] = "APICv is absent, or off (kvm_intel.enable_apicv)",
		[IOMMU_NO_AVIC] = "AVIC is absent, or off (kvm_amd.avic)",
		[IOMMU_PIT_REINJECTION] = "the VM's PIT reinjects lost ticks, which turns AVIC off",
		[IOMMU_MULTI_DESTINATION] = "the guest sends it to more than one CPU",
		[IOMMU_NOT_LINKED] =
			"it could be posted and is not: KVM and VFIO were not linked (irqbypass)",
	};

	return words[posting];
}
