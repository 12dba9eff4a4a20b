/* SPDX-License-Identifier: BSD-3-Clause */
/* vtd_fault: what a unit writes down about a request that it blocked (VT-d 9.9; reasons:
 * chapter 7.1). See vtd_format.h. */
#include <inttypes.h>
#include <stdio.h>

#include "base/util.h"
#include "iommu/bits.h"
#include "iommu/vtd_format.h"

struct reason {
	uint8_t code;
	const char *text;
};

static const struct reason reasons[] = {
	/* legacy mode */
	{0x01, "the root entry of its bus is not present"},
	{0x02, "it has no context entry, so it is attached to nothing"},
	{0x03, "its context entry is invalid"},
	{0x04, "the address is beyond the width of its tables"},
	{0x05, "nothing is mapped there for writing"},
	{0x06, "nothing is mapped there for reading"},
	{0x07, "a paging entry points where no table can be read"},
	{0x08, "the root table cannot be read"},
	{0x09, "the context table cannot be read"},
	{0x0a, "the root entry has reserved bits set"},
	{0x0b, "the context entry has reserved bits set"},
	{0x0c, "a paging entry has reserved bits set"},
	{0x0d, "its context entry blocks translation requests"},
	{0x0e, "an interrupt address where the tables were to be used"},
	/* interrupts */
	{0x20, "the interrupt message has reserved bits set"},
	{0x21, "the interrupt index is beyond the table"},
	{0x22, "the interrupt entry is not present"},
	{0x23, "the interrupt table cannot be read"},
	{0x24, "the interrupt entry has reserved bits set"},
	{0x25, "a compatibility format interrupt, which is blocked"},
	{0x26, "the interrupt entry belongs to another device"},
	{0x27, "the posted-interrupt descriptor cannot be read"},
	{0x28, "the posted-interrupt descriptor has reserved bits set"},
	/* scalable mode: root table address */
	{0x30, "the root table cannot be read"},
	{0x31, "a request with a PASID, in legacy mode"},
	{0x32, "a page-group request, in legacy mode"},
	/* root and context entry */
	{0x38, "the root entry cannot be read"},
	{0x39, "the root entry is not present"},
	{0x3a, "the root entry has reserved bits set"},
	{0x40, "the context entry cannot be read"},
	{0x41, "it has no context entry, so it is attached to nothing"},
	{0x42, "the context entry has reserved bits set"},
	{0x43, "its context entry is invalid"},
	{0x44, "its context entry has device TLBs off"},
	{0x45, "its context entry has PASIDs off"},
	{0x46, "the PASID is beyond its directory"},
	{0x47, "its context entry has page requests off"},
	{0x48, "the PASID for requests without one is invalid"},
	/* PASID directory and table */
	{0x50, "the PASID directory cannot be read"},
	{0x51, "the PASID directory entry is not present"},
	{0x52, "the PASID directory entry has reserved bits set"},
	{0x58, "the PASID table cannot be read"},
	{0x59, "the PASID entry is not present"},
	{0x5a, "the PASID entry has reserved bits set"},
	{0x5b, "the PASID entry is invalid"},
	{0x5c, "the PASID entry has execute requests off"},
	{0x5d, "the PASID entry has supervisor requests off"},
	/* first stage */
	{0x70, "a first-stage table cannot be read"},
	{0x71, "nothing is mapped there (first stage)"},
	{0x72, "a first-stage entry has reserved bits set"},
	{0x73, "the first-stage table cannot be read"},
	{0x74, "a first-stage table lies beyond the second stage's width"},
	{0x75, "the second stage does not let the first-stage root be read"},
	{0x76, "the second stage does not let a first-stage table be read"},
	{0x77, "the second stage does not let a first-stage table be written"},
	/* second stage */
	{0x78, "a second-stage table cannot be read"},
	{0x79, "nothing is mapped there for that access (second stage)"},
	{0x7a, "a second-stage entry has reserved bits set"},
	{0x7b, "the second-stage table cannot be read"},
	{0x7c, "a second-stage entry needs A or D set, without snooping"},
	/* both */
	{0x80, "the address is not canonical"},
	{0x81, "the page is the supervisor's"},
	{0x82, "the page may not be executed"},
	{0x83, "the result is beyond the host's width"},
	{0x84, "the address is beyond the second stage's width"},
	{0x85, "nothing is mapped there for writing"},
	{0x86, "nothing is mapped there for reading"},
	{0x87, "the address is one of interrupts"},
	{0x90, "a first-stage entry needs A or D set, without snooping"},
	{0x91, "a first-stage entry needs the extended accessed flag, without snooping"},
};

struct vtd_fault_raw vtd_fault_encode(const struct vtd_fault *in)
{
	uint64_t info = vtd_fault_is_interrupt(in->reason) ? bits_put(in->index, 63, 48)
							   : in->address & ~bits_mask(11, 0);

	return (struct vtd_fault_raw){
		.lo = info,
		.hi = bits_put(in->source, 15, 0) | bit_put(in->request & 1, 28) |
		      bit_put(in->privileged, 29) | bit_put(in->execute, 30) |
		      bit_put(in->has_pasid, 31) | bits_put(in->reason, 39, 32) |
		      bits_put(in->pasid, 59, 40) | bits_put(in->address_type, 61, 60) |
		      bit_put(in->request & 2, 62) | bit_put(in->fault, 63),
	};
}

void vtd_fault_decode(const struct vtd_fault_raw *raw, struct vtd_fault *out)
{
	uint64_t hi = raw->hi;
	/* T1 is bit 126, T2 bit 92. */
	unsigned request = (unsigned)(bits_get(hi, 62, 62) << 1 | bits_get(hi, 28, 28));

	*out = (struct vtd_fault){
		.fault = bit_get(hi, 63),
		.source = (uint16_t)bits_get(hi, 15, 0),
		.reason = (uint8_t)bits_get(hi, 39, 32),
		.request = (enum vtd_request)request,
		.address_type = (uint8_t)bits_get(hi, 61, 60),
		.has_pasid = bit_get(hi, 31),
		.execute = bit_get(hi, 30),
		.privileged = bit_get(hi, 29),
		.pasid = (uint32_t)bits_get(hi, 59, 40),
	};
	if (vtd_fault_is_interrupt(out->reason))
		out->index = (uint16_t)bits_get(raw->lo, 63, 48);
	else
		out->address = raw->lo & ~bits_mask(11, 0);
}

bool vtd_fault_is_interrupt(uint8_t reason)
{
	return reason >= 0x20 && reason < 0x30;
}

const char *vtd_fault_reason(uint8_t reason)
{
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (reasons[i].code == reason)
			return reasons[i].text;
	return "a reason that the specification does not name";
}

char *vtd_fault_text(const struct vtd_fault *fault, char text[VTD_FAULT_TEXT])
{
	static const char *const requests[] = {"write to", "page request for", "read of",
					       "atomic access to"};
	char pasid[32] = "";

	if (fault->has_pasid)
		snprintf(pasid, sizeof(pasid), " with PASID %u", fault->pasid);
	if (vtd_fault_is_interrupt(fault->reason))
		snprintf(text, VTD_FAULT_TEXT, "interrupt through entry %u blocked: %s (0x%02x)",
			 fault->index, vtd_fault_reason(fault->reason), fault->reason);
	else
		snprintf(text, VTD_FAULT_TEXT, "%s 0x%" PRIx64 "%s blocked: %s (0x%02x)",
			 requests[fault->request & 3], fault->address, pasid,
			 vtd_fault_reason(fault->reason), fault->reason);
	return text;
}
