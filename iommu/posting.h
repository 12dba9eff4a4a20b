/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * posting: does an interrupt of an assigned device reach the guest without the host, and why not.
 *
 * A remapped interrupt ends in the host, which then injects it. A posted one is written into a
 * descriptor of the virtual CPU by the IOMMU itself (VT-d 5.2); that takes an IOMMU that can, a
 * processor whose virtual APIC can take it (APICv, AVIC), and a guest's interrupt with one target.
 */
#ifndef IOMMU_POSTING_H
#define IOMMU_POSTING_H

#include <stdbool.h>
#include <stdint.h>

enum iommu_yes { IOMMU_UNKNOWN, IOMMU_NO, IOMMU_YES };

struct iommu_posting_facts {
	bool remapped;		     /* /proc/interrupts names the chip IR-… */
	bool wire;		     /* INTx */
	bool masked;		     /* by the guest, or it has no target yet */
	enum iommu_yes entry_posted; /* what the live table says, where it can be read */
	enum iommu_yes unit_can;     /* CAP.PI */
	bool amd_cpu;
	enum iommu_yes virtual_apic; /* kvm_intel.enable_apicv, kvm_amd.avic */
	bool pit_reinjection;	     /* the VM's PIT repeats lost ticks, which turns AVIC off */
	unsigned cpus;		     /* the VM's */
	uint64_t address;	     /* the guest's own message: SDM vol. 3, 11.11 */
	uint32_t data;
};

enum iommu_posting {
	IOMMU_POSTED,
	IOMMU_POSTED_LIKELY, /* nothing stands against it, and the table cannot be read */
	IOMMU_NOT_REMAPPED,
	IOMMU_WIRE,
	IOMMU_MASKED,
	IOMMU_NO_CAPABILITY,
	IOMMU_NO_APICV,
	IOMMU_NO_AVIC,
	IOMMU_PIT_REINJECTION,
	IOMMU_MULTI_DESTINATION,
	IOMMU_NOT_LINKED, /* it could be, and is not */
};

enum iommu_posting iommu_posting_of(const struct iommu_posting_facts *facts);
const char *iommu_posting_words(enum iommu_posting posting);

#endif
