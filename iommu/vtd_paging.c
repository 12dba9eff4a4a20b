/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vtd_paging: the two page-table formats of VT-d, for the walker.
 *
 *   second stage (9.8)                          first stage (9.7), as the processor's own
 *   63 ignored                                  63   XD
 *   61:52 ignored                               62:52 ignored
 *   51:12 table or page                         51:12 table or page
 *   11   SNP, leaf (reserved without SC)        11   ignored
 *   9    D, leaf (SSADE)                        8    G, leaf
 *   8    A (SSADE)                              7    PS, levels 2 and 3
 *   7    PS, levels 2 and 3                     6    D, leaf
 *   6:3  memory type, leaf                      5    A
 *   2    X (SSEE)                               4:3  PCD PWT
 *   1    W                                      2    U/S
 *   0    R                                      1    R/W
 *                                               0    P
 *
 * An entry of the second stage is present when it allows something; one of the first stage when P
 * is set, and then it allows reading.
 */
#include "base/util.h"
#include "iommu/bits.h"
#include "iommu/vtd_format.h"

#define SS_READ	 (UINT64_C(1) << 0)
#define SS_WRITE (UINT64_C(1) << 1)
#define SS_EXEC	 (UINT64_C(1) << 2)
#define SS_LARGE (UINT64_C(1) << 7)
#define SS_A	 (UINT64_C(1) << 8)
#define SS_D	 (UINT64_C(1) << 9)
#define SS_SNOOP (UINT64_C(1) << 11)

#define FS_PRESENT (UINT64_C(1) << 0)
#define FS_WRITE   (UINT64_C(1) << 1)
#define FS_USER	   (UINT64_C(1) << 2)
#define FS_A	   (UINT64_C(1) << 5)
#define FS_D	   (UINT64_C(1) << 6)
#define FS_LARGE   (UINT64_C(1) << 7)
#define FS_PAT	   (UINT64_C(1) << 12) /* of a large page */
#define FS_XD	   (UINT64_C(1) << 63)

static unsigned level_shift(unsigned level)
{
	return 12 + 9 * (level - 1);
}

/* What both formats ask of an entry that is present; `low` are bits below the page's size that mean
 * something all the same. */
static const char *check_common(const struct pagetable_format *format, unsigned level, uint64_t raw,
				uint64_t low, const struct pagetable_entry *entry)
{
	uint64_t address = raw & BITS_PAGE;

	if (address & ~bits_mask(format->phys_bits - 1, 0))
		return "the address is beyond the host's width";
	if (entry->kind == PAGETABLE_TABLE)
		return NULL;
	if (!bit_get(format->page_sizes, level_shift(level)))
		return level > 3 ? "a page where only tables can be"
				 : "a page of a size that the unit lacks";
	if (address & ~low & (bits_mask(level_shift(level), 0) >> 1))
		return "reserved bits below the page's size are set";
	return NULL;
}

static enum pagetable_kind kind_of(unsigned level, uint64_t raw, uint64_t large)
{
	return level == 1 || raw & large ? PAGETABLE_LEAF : PAGETABLE_TABLE;
}

/* ---- second stage ---- */

static uint64_t second_leaf(const struct pagetable_format *format, unsigned level, uint64_t phys,
			    unsigned attrs)
{
	uint64_t raw = phys;

	raw |= attrs & PAGETABLE_READ ? SS_READ : 0;
	raw |= attrs & PAGETABLE_WRITE ? SS_WRITE : 0;
	raw |= attrs & PAGETABLE_EXEC && format->flags & VTD_PAGING_EXECUTE ? SS_EXEC : 0;
	raw |= attrs & PAGETABLE_SNOOP && format->flags & VTD_PAGING_SNOOP ? SS_SNOOP : 0;
	if (format->flags & VTD_PAGING_ACCESSED_DIRTY) {
		raw |= attrs & PAGETABLE_ACCESSED ? SS_A : 0;
		raw |= attrs & PAGETABLE_DIRTY ? SS_D : 0;
	}
	return raw | (level > 1 ? SS_LARGE : 0);
}

static uint64_t second_table(const struct pagetable_format *format, uint64_t phys)
{
	uint64_t exec = format->flags & VTD_PAGING_EXECUTE ? SS_EXEC : 0;

	return phys | SS_READ | SS_WRITE | exec;
}

static unsigned second_attrs(const struct pagetable_format *format, uint64_t raw, bool leaf)
{
	unsigned attrs =
		(raw & SS_READ ? PAGETABLE_READ : 0) | (raw & SS_WRITE ? PAGETABLE_WRITE : 0);

	if (format->flags & VTD_PAGING_EXECUTE && raw & SS_EXEC)
		attrs |= PAGETABLE_EXEC;
	if (format->flags & VTD_PAGING_ACCESSED_DIRTY && raw & SS_A)
		attrs |= PAGETABLE_ACCESSED;
	if (format->flags & VTD_PAGING_ACCESSED_DIRTY && leaf && raw & SS_D)
		attrs |= PAGETABLE_DIRTY;
	if (format->flags & VTD_PAGING_SNOOP && leaf && raw & SS_SNOOP)
		attrs |= PAGETABLE_SNOOP;
	return attrs;
}

static const char *second_decode(const struct pagetable_format *format, unsigned level,
				 uint64_t raw, struct pagetable_entry *out)
{
	uint64_t allows = SS_READ | SS_WRITE | (format->flags & VTD_PAGING_EXECUTE ? SS_EXEC : 0);

	*out = (struct pagetable_entry){.kind = PAGETABLE_ABSENT};
	if (!(raw & allows))
		return NULL;
	out->kind = kind_of(level, raw, SS_LARGE);
	out->phys = raw & BITS_PAGE;
	out->attrs = second_attrs(format, raw, out->kind == PAGETABLE_LEAF);
	bool snoop = format->flags & VTD_PAGING_SNOOP && out->kind == PAGETABLE_LEAF;
	if (raw & SS_SNOOP && !snoop)
		return "bit 11 is reserved here";
	return check_common(format, level, raw, 0, out);
}

struct pagetable_format vtd_second_stage(unsigned levels, unsigned host_width, uint64_t page_sizes,
					 unsigned flags)
{
	return (struct pagetable_format){
		.name = "second stage",
		.levels = levels,
		.input_bits = level_shift(levels + 1),
		.phys_bits = MIN(host_width, 52u),
		.page_sizes = page_sizes | PAGETABLE_PAGE,
		.flags = flags,
		.leaf = second_leaf,
		.table = second_table,
		.decode = second_decode,
	};
}

uint64_t vtd_second_stage_sizes(const struct vtd_cap *cap)
{
	return 4 * KIB | (cap->second_2m ? 2 * MIB : 0) | (cap->second_1g ? GIB : 0);
}

/* ---- first stage ---- */

static uint64_t first_leaf(const struct pagetable_format *format, unsigned level, uint64_t phys,
			   unsigned attrs)
{
	/* Requests carry user privilege. A and D are set at once: that nobody reads them here saves
	 * the unit an atomic write per page, which it may not even be able to make (9.7). */
	uint64_t raw = phys | FS_PRESENT | FS_USER | FS_A;

	raw |= attrs & PAGETABLE_WRITE ? FS_WRITE | FS_D : 0;
	raw |= level > 1 ? FS_LARGE : 0;
	if (format->flags & VTD_PAGING_EXECUTE && !(attrs & PAGETABLE_EXEC))
		raw |= FS_XD;
	return raw;
}

static uint64_t first_table(const struct pagetable_format *format, uint64_t phys)
{
	(void)format;
	return phys | FS_PRESENT | FS_WRITE | FS_USER | FS_A;
}

static const char *first_decode(const struct pagetable_format *format, unsigned level, uint64_t raw,
				struct pagetable_entry *out)
{
	*out = (struct pagetable_entry){.kind = PAGETABLE_ABSENT};
	if (!(raw & FS_PRESENT))
		return NULL;
	out->kind = kind_of(level, raw, FS_LARGE);
	bool leaf = out->kind == PAGETABLE_LEAF;
	uint64_t pat = leaf && level > 1 ? FS_PAT : 0;
	out->phys = raw & BITS_PAGE & ~pat;
	out->attrs = PAGETABLE_READ | (raw & FS_WRITE ? PAGETABLE_WRITE : 0) |
		     (raw & FS_A ? PAGETABLE_ACCESSED : 0) |
		     (leaf && raw & FS_D ? PAGETABLE_DIRTY : 0);
	if (format->flags & VTD_PAGING_EXECUTE && !(raw & FS_XD))
		out->attrs |= PAGETABLE_EXEC;
	if (raw & FS_XD && !(format->flags & VTD_PAGING_EXECUTE))
		return "bit 63 is reserved without NXE";
	if (!(raw & FS_USER))
		return "the entry is the supervisor's, which no device is";
	return check_common(format, level, raw, pat, out);
}

struct pagetable_format vtd_first_stage(unsigned levels, unsigned host_width, uint64_t page_sizes,
					unsigned flags)
{
	return (struct pagetable_format){
		.name = "first stage",
		.levels = levels,
		.input_bits = level_shift(levels + 1) - 1,
		.phys_bits = MIN(host_width, 52u),
		.page_sizes = page_sizes | PAGETABLE_PAGE,
		.flags = flags,
		.leaf = first_leaf,
		.table = first_table,
		.decode = first_decode,
	};
}

uint64_t vtd_first_stage_sizes(const struct vtd_cap *cap)
{
	return 4 * KIB | 2 * MIB | (cap->first_1g ? GIB : 0);
}
