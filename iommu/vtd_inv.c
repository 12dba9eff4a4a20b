/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vtd_inv: invalidation descriptors (VT-d 6.5.2). See vtd_format.h.
 *
 * The type stands in bits 3:0; bits 11:9 continue it and are 0 for every type there is. The scope
 * (G) is a number that each kind counts for itself, so there is a table of which kind knows which.
 */
#include <errno.h>

#include "base/util.h"
#include "iommu/bits.h"
#include "iommu/vtd_format.h"

struct kind {
	enum vtd_inv_type type;
	enum vtd_inv_scope scope;
	unsigned g;
};

static const struct kind kinds[] = {
	{VTD_INV_CONTEXT, VTD_SCOPE_GLOBAL, 1},		/* 6.5.2.1 */
	{VTD_INV_CONTEXT, VTD_SCOPE_DOMAIN, 2},		/* */
	{VTD_INV_CONTEXT, VTD_SCOPE_DEVICE, 3},		/* */
	{VTD_INV_PASID_CACHE, VTD_SCOPE_DOMAIN, 0},	/* 6.5.2.2 */
	{VTD_INV_PASID_CACHE, VTD_SCOPE_PASID, 1},	/* */
	{VTD_INV_PASID_CACHE, VTD_SCOPE_GLOBAL, 3},	/* */
	{VTD_INV_IOTLB, VTD_SCOPE_GLOBAL, 1},		/* 6.5.2.3 */
	{VTD_INV_IOTLB, VTD_SCOPE_DOMAIN, 2},		/* */
	{VTD_INV_IOTLB, VTD_SCOPE_PAGES, 3},		/* */
	{VTD_INV_PASID_IOTLB, VTD_SCOPE_PASID, 2},	/* 6.5.2.4 */
	{VTD_INV_PASID_IOTLB, VTD_SCOPE_PAGES, 3},	/* */
	{VTD_INV_DEVICE_TLB, VTD_SCOPE_PAGES, 0},	/* 6.5.2.5: no G */
	{VTD_INV_PASID_DEVICE_TLB, VTD_SCOPE_PAGES, 0}, /* 6.5.2.6: G, all PASIDs, in q1 */
	{VTD_INV_PASID_DEVICE_TLB, VTD_SCOPE_GLOBAL, 1},
	{VTD_INV_INTERRUPT, VTD_SCOPE_GLOBAL, 0}, /* 6.5.2.7 */
	{VTD_INV_INTERRUPT, VTD_SCOPE_INDEX, 1},  /* */
	{VTD_INV_WAIT, VTD_SCOPE_GLOBAL, 0},	  /* 6.5.2.8: no G */
};

const char *vtd_inv_name(enum vtd_inv_type type)
{
	static const char *const names[] = {
		[VTD_INV_CONTEXT] = "context-cache invalidation",
		[VTD_INV_IOTLB] = "IOTLB invalidation",
		[VTD_INV_DEVICE_TLB] = "device-TLB invalidation",
		[VTD_INV_INTERRUPT] = "interrupt-entry-cache invalidation",
		[VTD_INV_WAIT] = "invalidation wait",
		[VTD_INV_PASID_IOTLB] = "PASID-based IOTLB invalidation",
		[VTD_INV_PASID_CACHE] = "PASID-cache invalidation",
		[VTD_INV_PASID_DEVICE_TLB] = "PASID-based device-TLB invalidation",
	};

	if ((size_t)type >= ARRAY_SIZE(names) || !names[type])
		return "unknown invalidation";
	return names[type];
}

/* ---- encoding ---- */

static uint64_t pf_source_bits(uint16_t source)
{
	return bits_put(source, 15, 12) | bits_put(source >> 4, 63, 52);
}

static uint64_t first_half(const struct vtd_inv *in, unsigned g)
{
	switch (in->type) {
	case VTD_INV_CONTEXT:
		return bits_put(g, 5, 4) | bits_put(in->domain, 31, 16) |
		       bits_put(in->source, 47, 32) | bits_put(in->function_mask, 49, 48);
	case VTD_INV_IOTLB:
		return bits_put(g, 5, 4) | bit_put(in->drain_writes, 6) |
		       bit_put(in->drain_reads, 7) | bits_put(in->domain, 31, 16);
	case VTD_INV_PASID_IOTLB:
	case VTD_INV_PASID_CACHE:
		return bits_put(g, 5, 4) | bits_put(in->domain, 31, 16) |
		       bits_put(in->pasid, 51, 32);
	case VTD_INV_DEVICE_TLB:
		return bits_put(in->max_pending, 20, 16) | bits_put(in->source, 47, 32) |
		       pf_source_bits(in->pf_source);
	case VTD_INV_PASID_DEVICE_TLB:
		return bits_put(in->max_pending, 8, 4) | bits_put(in->source, 31, 16) |
		       bits_put(in->pasid, 51, 32) | pf_source_bits(in->pf_source);
	case VTD_INV_INTERRUPT:
		return bits_put(g, 4, 4) | bits_put(in->mask, 31, 27) | bits_put(in->index, 47, 32);
	case VTD_INV_WAIT:
		return bit_put(in->interrupt, 4) | bit_put(in->write_status, 5) |
		       bit_put(in->fence, 6) | bit_put(in->page_drain, 7) |
		       bits_put(in->status, 63, 32);
	}
	return 0;
}

static uint64_t second_half(const struct vtd_inv *in, unsigned g)
{
	uint64_t page = in->address & ~bits_mask(11, 0);

	switch (in->type) {
	case VTD_INV_IOTLB:
	case VTD_INV_PASID_IOTLB:
		if (in->scope != VTD_SCOPE_PAGES)
			return 0;
		return page | bit_put(in->leaf_only, 6) | bits_put(in->mask, 5, 0);
	case VTD_INV_DEVICE_TLB:
		return page | bit_put(in->size, 0);
	case VTD_INV_PASID_DEVICE_TLB:
		return page | bit_put(in->size, 11) | bit_put(g, 0);
	case VTD_INV_WAIT:
		return in->address & ~UINT64_C(3);
	default:
		return 0;
	}
}

static bool fits(const struct vtd_inv *in)
{
	if (in->pasid >> 20 || in->function_mask > 3 || in->max_pending > 31)
		return false;
	if (in->type == VTD_INV_WAIT)
		return IS_ALIGNED(in->address, 4u);
	if (in->scope == VTD_SCOPE_INDEX)
		return in->mask < 16 && IS_ALIGNED(in->index, 1u << in->mask);
	if (in->scope != VTD_SCOPE_PAGES)
		return true;
	/* Hardware ignores address bits that the mask covers; who sets them means another range. */
	return in->mask < 52 && IS_ALIGNED(in->address, UINT64_C(4096) << in->mask);
}

int vtd_inv_encode(const struct vtd_inv *in, struct vtd_inv_raw *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct kind *k = &kinds[i];
		if (k->type != in->type || k->scope != in->scope)
			continue;
		if (!fits(in))
			return -EINVAL;
		*out = (struct vtd_inv_raw){
			{first_half(in, k->g) | k->type, second_half(in, k->g), 0, 0}};
		return 0;
	}
	return -EINVAL;
}

/* ---- decoding ---- */

static unsigned g_of(enum vtd_inv_type type, const struct vtd_inv_raw *raw)
{
	switch (type) {
	case VTD_INV_DEVICE_TLB:
	case VTD_INV_WAIT:
		return 0;
	case VTD_INV_PASID_DEVICE_TLB:
		return raw->q[1] & 1;
	case VTD_INV_INTERRUPT:
		return (unsigned)bits_get(raw->q[0], 4, 4);
	default:
		return (unsigned)bits_get(raw->q[0], 5, 4);
	}
}

static uint16_t pf_source_of(uint64_t q0)
{
	return (uint16_t)(bits_get(q0, 15, 12) | bits_get(q0, 63, 52) << 4);
}

static void decode_fields(const struct vtd_inv_raw *raw, struct vtd_inv *out)
{
	uint64_t q0 = raw->q[0], q1 = raw->q[1];

	switch (out->type) {
	case VTD_INV_CONTEXT:
		out->domain = (uint16_t)bits_get(q0, 31, 16);
		out->source = (uint16_t)bits_get(q0, 47, 32);
		out->function_mask = (uint8_t)bits_get(q0, 49, 48);
		break;
	case VTD_INV_IOTLB:
		out->drain_writes = bit_get(q0, 6);
		out->drain_reads = bit_get(q0, 7);
		out->domain = (uint16_t)bits_get(q0, 31, 16);
		break;
	case VTD_INV_PASID_IOTLB:
	case VTD_INV_PASID_CACHE:
		out->domain = (uint16_t)bits_get(q0, 31, 16);
		out->pasid = (uint32_t)bits_get(q0, 51, 32);
		break;
	case VTD_INV_DEVICE_TLB:
		out->max_pending = (uint8_t)bits_get(q0, 20, 16);
		out->source = (uint16_t)bits_get(q0, 47, 32);
		out->pf_source = pf_source_of(q0);
		out->size = q1 & 1;
		break;
	case VTD_INV_PASID_DEVICE_TLB:
		out->max_pending = (uint8_t)bits_get(q0, 8, 4);
		out->source = (uint16_t)bits_get(q0, 31, 16);
		out->pasid = (uint32_t)bits_get(q0, 51, 32);
		out->pf_source = pf_source_of(q0);
		out->size = bit_get(q1, 11);
		break;
	case VTD_INV_INTERRUPT:
		out->mask = (uint8_t)bits_get(q0, 31, 27);
		out->index = (uint16_t)bits_get(q0, 47, 32);
		break;
	case VTD_INV_WAIT:
		out->interrupt = bit_get(q0, 4);
		out->write_status = bit_get(q0, 5);
		out->fence = bit_get(q0, 6);
		out->page_drain = bit_get(q0, 7);
		out->status = (uint32_t)bits_get(q0, 63, 32);
		out->address = q1;
		return;
	}
	if (out->scope == VTD_SCOPE_PAGES)
		out->address = q1 & ~bits_mask(11, 0);
	if (out->scope == VTD_SCOPE_PAGES &&
	    (out->type == VTD_INV_IOTLB || out->type == VTD_INV_PASID_IOTLB)) {
		out->leaf_only = bit_get(q1, 6);
		out->mask = (uint8_t)bits_get(q1, 5, 0);
	}
}

const char *vtd_inv_decode(const struct vtd_inv_raw *raw, struct vtd_inv *out)
{
	enum vtd_inv_type type = (enum vtd_inv_type)bits_get(raw->q[0], 3, 0);
	struct vtd_inv_raw again;

	*out = (struct vtd_inv){.type = type};
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (kinds[i].type != type || kinds[i].g != g_of(type, raw))
			continue;
		out->scope = kinds[i].scope;
		decode_fields(raw, out);
		if (vtd_inv_encode(out, &again) < 0)
			return "fields contradict each other";
		for (size_t q = 0; q < ARRAY_SIZE(raw->q); q++)
			if (raw->q[q] != again.q[q])
				return "reserved bits are set";
		return NULL;
	}
	return "a type or scope that does not exist";
}
