/* SPDX-License-Identifier: BSD-3-Clause */
/* vtd_table: the tables that lead from a requester to its page table (VT-d 9.1 – 9.6), and the two
 * registers that point at the first one. See vtd_format.h. */
#include "base/util.h"
#include "iommu/bits.h"
#include "iommu/vtd_format.h"

/* AW: 1 is a table of 3 levels and 39 bits, 2 of 4 and 48, 3 of 5 and 57. */
static const char *levels_decode(uint64_t aw, unsigned *levels)
{
	*levels = (unsigned)aw + 2;
	return aw >= 1 && aw <= 3 ? NULL : "an address width that does not exist";
}

uint64_t vtd_rtaddr_encode(const struct vtd_rtaddr *in)
{
	return (in->table & BITS_PAGE) | bits_put(in->mode, 11, 10);
}

const char *vtd_rtaddr_decode(uint64_t raw, struct vtd_rtaddr *out)
{
	*out = (struct vtd_rtaddr){
		.table = raw & BITS_PAGE,
		.mode = (enum vtd_table_mode)bits_get(raw, 11, 10),
	};
	if (bits_get(raw, 11, 10) == 2)
		return "table mode 2, which is reserved";
	return raw & ~(BITS_PAGE | bits_mask(11, 10)) ? "reserved bits are set" : NULL;
}

uint64_t vtd_irta_encode(const struct vtd_irta *in)
{
	unsigned size = 0; /* 2^(size + 1) entries */

	while (size < 15 && 2u << size < in->entries)
		size++;
	return (in->table & BITS_PAGE) | (in->x2apic ? VTD_IRTA_EIME : 0) | size;
}

const char *vtd_irta_decode(uint64_t raw, struct vtd_irta *out)
{
	*out = (struct vtd_irta){
		.table = raw & BITS_PAGE,
		.entries = 2u << bits_get(raw, 3, 0),
		.x2apic = raw & VTD_IRTA_EIME,
	};
	return raw & ~(BITS_PAGE | VTD_IRTA_EIME | 0xf) ? "reserved bits are set" : NULL;
}

/* ---- root (9.1, 9.2) ---- */

struct vtd_root_raw vtd_root_encode(const struct vtd_root *in)
{
	return (struct vtd_root_raw){
		.lo = (in->lower & BITS_PAGE) | bit_put(in->lower_present, 0),
		.hi = (in->upper & BITS_PAGE) | bit_put(in->upper_present, 0),
	};
}

const char *vtd_root_decode(const struct vtd_root_raw *raw, enum vtd_table_mode mode,
			    struct vtd_root *out)
{
	uint64_t known = BITS_PAGE | 1;

	*out = (struct vtd_root){
		.lower_present = raw->lo & 1,
		.upper_present = raw->hi & 1,
		.lower = raw->lo & BITS_PAGE,
		.upper = raw->hi & BITS_PAGE,
	};
	if (mode == VTD_MODE_LEGACY && raw->lo & 1 && raw->hi)
		return "reserved bits are set";
	if ((raw->lo & 1 && raw->lo & ~known) || (raw->hi & 1 && raw->hi & ~known))
		return "reserved bits are set";
	return NULL;
}

/* ---- context, legacy (9.3) ---- */

struct vtd_context_raw vtd_context_encode(const struct vtd_context *in)
{
	return (struct vtd_context_raw){
		.lo = (in->table & BITS_PAGE) | bits_put(in->type, 3, 2) |
		      bit_put(in->fault_disable, 1) | bit_put(in->present, 0),
		/* Without a level the width is left 0: an absent entry is all zero. */
		.hi = bits_put(in->domain, 23, 8) | bits_put(in->levels ? in->levels - 2 : 0, 2, 0),
	};
}

const char *vtd_context_decode(const struct vtd_context_raw *raw, struct vtd_context *out)
{
	*out = (struct vtd_context){
		.present = raw->lo & 1,
		.fault_disable = bit_get(raw->lo, 1),
		.type = (enum vtd_translation)bits_get(raw->lo, 3, 2),
		.table = raw->lo & BITS_PAGE,
		.domain = (uint16_t)bits_get(raw->hi, 23, 8),
	};
	const char *why = levels_decode(bits_get(raw->hi, 2, 0), &out->levels);
	if (!out->present) {
		out->levels = why ? 0 : out->levels;
		return NULL;
	}
	if (bits_get(raw->lo, 3, 2) == 3)
		return "translation type 3, which is reserved";
	if (raw->lo & ~(BITS_PAGE | 0xf) || raw->hi & ~(bits_mask(23, 8) | bits_mask(6, 0)))
		return "reserved bits are set";
	return why;
}

/* ---- context, scalable (9.4) ---- */

struct vtd_scontext_raw vtd_scontext_encode(const struct vtd_scontext *in)
{
	unsigned size = 0; /* 2^(size + 7) directory entries */

	while (size < 7 && 128u << size < in->directory_entries)
		size++;
	return (struct vtd_scontext_raw){{
		(in->directory & BITS_PAGE) | bits_put(size, 11, 9) |
			bit_put(in->page_requests, 4) | bit_put(in->pasid_enable, 3) |
			bit_put(in->device_tlb, 2) | bit_put(in->fault_disable, 1) |
			bit_put(in->present, 0),
		bits_put(in->rid_pasid, 19, 0) | bit_put(in->rid_privileged, 20),
		0,
		0,
	}};
}

const char *vtd_scontext_decode(const struct vtd_scontext_raw *raw, struct vtd_scontext *out)
{
	uint64_t q0 = raw->q[0], q1 = raw->q[1];

	*out = (struct vtd_scontext){
		.present = q0 & 1,
		.fault_disable = bit_get(q0, 1),
		.device_tlb = bit_get(q0, 2),
		.pasid_enable = bit_get(q0, 3),
		.page_requests = bit_get(q0, 4),
		.directory_entries = 128u << bits_get(q0, 11, 9),
		.directory = q0 & BITS_PAGE,
		.rid_pasid = (uint32_t)bits_get(q1, 19, 0),
		.rid_privileged = bit_get(q1, 20),
	};
	if (!out->present)
		return NULL;
	if (q0 & ~(BITS_PAGE | bits_mask(11, 9) | bits_mask(4, 0)) || q1 & ~bits_mask(20, 0) ||
	    raw->q[2] || raw->q[3])
		return "reserved bits are set";
	return NULL;
}

/* ---- PASID directory and table (9.5, 9.6) ---- */

uint64_t vtd_pasid_dir_encode(const struct vtd_pasid_dir *in)
{
	return (in->table & BITS_PAGE) | bit_put(in->fault_disable, 1) | bit_put(in->present, 0);
}

const char *vtd_pasid_dir_decode(uint64_t raw, struct vtd_pasid_dir *out)
{
	*out = (struct vtd_pasid_dir){
		.present = raw & 1,
		.fault_disable = bit_get(raw, 1),
		.table = raw & BITS_PAGE,
	};
	return out->present && raw & ~(BITS_PAGE | 3) ? "reserved bits are set" : NULL;
}

struct vtd_pasid_raw vtd_pasid_encode(const struct vtd_pasid *in)
{
	struct vtd_pasid_raw raw = {{0}};

	raw.q[0] = (in->second_table & BITS_PAGE) | bit_put(in->second_accessed_dirty, 9) |
		   bits_put(in->type, 8, 6) | bit_put(in->second_execute, 5) |
		   bits_put(in->second_levels ? in->second_levels - 2 : 0, 4, 2) |
		   bit_put(in->fault_disable, 1) | bit_put(in->present, 0);
	raw.q[1] = bits_put(in->domain, 15, 0) | bit_put(in->walk_snoop, 23) |
		   bit_put(in->page_snoop, 24) | bit_put(in->cache_disable, 25) |
		   bit_put(in->memory_type, 26) | bits_put(in->pat, 63, 32);
	raw.q[2] = (in->first_table & BITS_PAGE) | bit_put(in->extended_accessed, 7) |
		   bit_put(in->smep, 6) | bit_put(in->no_execute, 5) |
		   bit_put(in->write_protect, 4) | bits_put(in->first_levels == 5, 3, 2) |
		   bit_put(in->supervisor, 0);
	return raw;
}

static const char *pasid_check(const struct vtd_pasid_raw *raw, const struct vtd_pasid *in,
			       const char *width)
{
	bool first = in->type == VTD_PGTT_FIRST_STAGE || in->type == VTD_PGTT_NESTED;
	bool second = in->type == VTD_PGTT_SECOND_STAGE || in->type == VTD_PGTT_NESTED;

	if (in->type < VTD_PGTT_FIRST_STAGE || in->type > VTD_PGTT_PASS_THROUGH)
		return "a translation type that does not exist";
	if (second && width)
		return width;
	if (first && bits_get(raw->q[2], 3, 2) > 1)
		return "a first-stage paging mode that does not exist";
	if (raw->q[0] & ~(BITS_PAGE | bits_mask(9, 0)) ||
	    raw->q[1] & ~(bits_mask(15, 0) | bits_mask(26, 23) | bits_mask(63, 32)) ||
	    raw->q[2] & ~(BITS_PAGE | bits_mask(7, 0)))
		return "reserved bits are set";
	for (size_t i = 3; i < ARRAY_SIZE(raw->q); i++)
		if (raw->q[i])
			return "reserved bits are set";
	return NULL;
}

const char *vtd_pasid_decode(const struct vtd_pasid_raw *raw, struct vtd_pasid *out)
{
	uint64_t q0 = raw->q[0], q1 = raw->q[1], q2 = raw->q[2];

	*out = (struct vtd_pasid){
		.present = q0 & 1,
		.fault_disable = bit_get(q0, 1),
		.type = (enum vtd_pasid_type)bits_get(q0, 8, 6),
		.domain = (uint16_t)bits_get(q1, 15, 0),
		.second_table = q0 & BITS_PAGE,
		.second_accessed_dirty = bit_get(q0, 9),
		.second_execute = bit_get(q0, 5),
		.first_table = q2 & BITS_PAGE,
		.supervisor = q2 & 1,
		.write_protect = bit_get(q2, 4),
		.no_execute = bit_get(q2, 5),
		.smep = bit_get(q2, 6),
		.extended_accessed = bit_get(q2, 7),
		.walk_snoop = bit_get(q1, 23),
		.page_snoop = bit_get(q1, 24),
		.cache_disable = bit_get(q1, 25),
		.memory_type = bit_get(q1, 26),
		.pat = (uint32_t)bits_get(q1, 63, 32),
	};
	const char *width = levels_decode(bits_get(q0, 4, 2), &out->second_levels);
	if (width)
		out->second_levels = 0;
	if (out->type == VTD_PGTT_FIRST_STAGE || out->type == VTD_PGTT_NESTED)
		out->first_levels = bits_get(q2, 3, 2) == 1 ? 5 : 4;
	return out->present ? pasid_check(raw, out, width) : NULL;
}
