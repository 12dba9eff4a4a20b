/* SPDX-License-Identifier: BSD-3-Clause */
/* vtd_irte: the way of an interrupt: message, remapping entry, posted-interrupt descriptor
 * (VT-d 5.1.5.2, 9.10 – 9.12). See vtd_format.h. */
#include "base/util.h"
#include "iommu/bits.h"
#include "iommu/vtd_format.h"

#define IRTE_IM		(UINT64_C(1) << 15)
#define MSI_WINDOW	0xfee00000u
#define MSI_REMAPPABLE	(1u << 4)
#define MSI_SUBHANDLE	(1u << 3)
#define SUBHANDLE_VALID 0xffffu

/* ---- remapping entry ---- */

struct vtd_irte_raw vtd_irte_encode(const struct vtd_irte *in)
{
	struct vtd_irte_raw raw = {
		.lo = bits_put(in->vector, 23, 16) | bits_put(in->available, 11, 8) |
		      bit_put(in->fault_disable, 1) | bit_put(in->present, 0),
		.hi = bits_put(in->check, 19, 18) | bits_put(in->qualifier, 17, 16) | in->source,
	};

	if (in->posted) {
		raw.lo |= IRTE_IM | bit_put(in->urgent, 14) | bits_put(in->descriptor >> 6, 63, 38);
		raw.hi |= bits_put(in->descriptor >> 32, 63, 32);
	} else {
		raw.lo |= bits_put(in->destination, 63, 32) | bits_put(in->delivery, 7, 5) |
			  bit_put(in->level, 4) | bit_put(in->hint, 3) | bit_put(in->logical, 2);
	}
	return raw;
}

static const char *irte_check(const struct vtd_irte_raw *raw, const struct vtd_irte *in)
{
	uint64_t lo = bits_mask(23, 15) | bits_mask(11, 8) | 3, hi = bits_mask(19, 0);

	if (in->posted) {
		lo |= bits_mask(63, 38) | bits_mask(14, 14);
		hi |= bits_mask(63, 32);
	} else {
		lo |= bits_mask(63, 32) | bits_mask(7, 2);
	}
	if (raw->lo & ~lo || raw->hi & ~hi)
		return "reserved bits are set";
	if (bits_get(raw->hi, 19, 18) == 3)
		return "source check 3, which is reserved";
	if (!in->posted && (in->delivery == 3 || in->delivery == 6))
		return "a delivery mode that does not exist";
	return NULL;
}

const char *vtd_irte_decode(const struct vtd_irte_raw *raw, struct vtd_irte *out)
{
	*out = (struct vtd_irte){
		.present = raw->lo & 1,
		.fault_disable = bit_get(raw->lo, 1),
		.posted = raw->lo & IRTE_IM,
		.vector = (uint8_t)bits_get(raw->lo, 23, 16),
		.available = (uint8_t)bits_get(raw->lo, 11, 8),
		.check = (enum vtd_source_check)bits_get(raw->hi, 19, 18),
		.qualifier = (uint8_t)bits_get(raw->hi, 17, 16),
		.source = (uint16_t)raw->hi,
	};
	if (out->posted) {
		out->urgent = bit_get(raw->lo, 14);
		out->descriptor = bits_get(raw->lo, 63, 38) << 6 | bits_get(raw->hi, 63, 32) << 32;
	} else {
		out->logical = bit_get(raw->lo, 2);
		out->hint = bit_get(raw->lo, 3);
		out->level = bit_get(raw->lo, 4);
		out->delivery = (uint8_t)bits_get(raw->lo, 7, 5);
		out->destination = (uint32_t)bits_get(raw->lo, 63, 32);
	}
	return out->present ? irte_check(raw, out) : NULL;
}

bool vtd_irte_accepts(const struct vtd_irte *irte, uint16_t source)
{
	static const uint16_t ignored[] = {0, 4, 6, 7}; /* of the function number, by SQ */

	switch (irte->check) {
	case VTD_SVT_NONE:
		return true;
	case VTD_SVT_REQUESTER:
		return !((source ^ irte->source) & ~ignored[irte->qualifier & 3] & 0xffff);
	case VTD_SVT_BUS:
		return source >> 8 >= irte->source >> 8 && source >> 8 <= (irte->source & 0xff);
	default:
		return false;
	}
}

/* ---- message ---- */

struct vtd_msi vtd_msi_encode(uint16_t index, bool subhandle)
{
	return (struct vtd_msi){
		.address = MSI_WINDOW | (index & 0x7fffu) << 5 | MSI_REMAPPABLE |
			   (subhandle ? MSI_SUBHANDLE : 0) | (uint32_t)(index >> 15) << 2,
		.data = 0,
	};
}

bool vtd_msi_decode(struct vtd_msi msi, uint32_t *index)
{
	if ((msi.address & 0xfff00000u) != MSI_WINDOW || !(msi.address & MSI_REMAPPABLE))
		return false;
	*index = (msi.address >> 5 & 0x7fff) | (msi.address >> 2 & 1) << 15;
	if (msi.address & MSI_SUBHANDLE)
		*index += msi.data & SUBHANDLE_VALID;
	return true;
}

/* ---- posted-interrupt descriptor ---- */

struct vtd_pid_raw vtd_pid_encode(const struct vtd_pid *in)
{
	struct vtd_pid_raw raw = {
		.control = bits_put(in->destination, 63, 32) | bits_put(in->vector, 23, 16) |
			   bit_put(in->suppress, 1) | bit_put(in->outstanding, 0),
	};

	for (size_t i = 0; i < ARRAY_SIZE(raw.requests); i++)
		raw.requests[i] = in->requests[i];
	return raw;
}

const char *vtd_pid_decode(const struct vtd_pid_raw *raw, struct vtd_pid *out)
{
	*out = (struct vtd_pid){
		.outstanding = raw->control & 1,
		.suppress = bit_get(raw->control, 1),
		.vector = (uint8_t)bits_get(raw->control, 23, 16),
		.destination = (uint32_t)bits_get(raw->control, 63, 32),
	};
	for (size_t i = 0; i < ARRAY_SIZE(raw->requests); i++)
		out->requests[i] = raw->requests[i];
	bool reserved = raw->control & ~(bits_mask(63, 32) | bits_mask(23, 16) | 3);
	for (size_t i = 0; i < ARRAY_SIZE(raw->reserved); i++)
		reserved |= raw->reserved[i] != 0;
	return reserved ? "reserved bits are set" : NULL;
}
