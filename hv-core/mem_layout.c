/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mem_layout: which guest physical addresses are RAM, and which are left for devices.
 *
 * A device that is passed through addresses guest memory by guest physical addresses, so RAM may
 * lie only where the host's IOMMU lets I/O addresses be: outside the MSI window, outside regions
 * that firmware keeps for its own devices (RMRR), outside what AMD keeps for HyperTransport below
 * 1 TiB, and inside the unit's address width. `config->iova` lists what is left.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/util.h"
#include "hv-core/mem.h"

#define CUT	     (2 * MIB) /* where RAM is cut, so that large pages fit both parts */
#define HIGH_START   (4 * GIB)
#define PCI64_ALIGN  GIB
#define GROW_ALIGN   (2 * GIB)
#define GROW_BLOCK   (2 * MIB)	 /* a large page; more, where there would be too many */
#define PCI64_ENOUGH (512 * GIB) /* a window this large is taken without looking for a larger */

uint64_t hv_mem_page_size(enum hv_pages pages)
{
	switch (pages) {
	case HV_PAGES_2M:
		return 2 * MIB;
	case HV_PAGES_1G:
		return GIB;
	case HV_PAGES_4K:
	case HV_PAGES_THP:
		break;
	}
	return 4 * KIB;
}

uint64_t hv_mem_block_size(uint64_t size)
{
	uint64_t block = GROW_BLOCK;

	while (size > block * HV_GROW_BLOCKS)
		block *= 2;
	return block;
}

uint64_t hv_mem_growth_size(uint64_t ram, uint64_t ram_max)
{
	return ram_max <= ram ? 0 : ALIGN_DOWN(ram_max - ram, hv_mem_block_size(ram_max - ram));
}

/* The usable range that address 0 lies in; false when there is none. */
static bool range_at_zero(const struct hv_config *config, struct range *out)
{
	if (!config->iova_count) {
		*out = (struct range){0, UINT64_MAX};
		return true;
	}
	*out = config->iova[0];
	return out->start == 0;
}

/* Firmware of a q35 board places ECAM at 0xb0000000, or wants that address free; and where RAM must
 * be split, such boards split it at 2 GiB. */
static uint64_t low_ram_max(const struct hv_config *config)
{
	if (!config->legacy)
		return HV_LOW_RAM_MAX;
	return config->ram <= HV_LEGACY_ECAM ? HV_LEGACY_ECAM : 2 * GIB;
}

static int place_low(const char *subject, const struct hv_config *config, uint64_t cut,
		     uint64_t *size)
{
	uint64_t wanted = MIN(config->ram, low_ram_max(config));
	struct range usable;

	if (!range_at_zero(config, &usable))
		return log_fail(
			-ENOSPC, subject,
			"not created: RAM starts at address 0, and the IOMMU of its devices "
			"keeps that for the host; leave out the device that needs it");
	if (usable.last < wanted - 1)
		wanted = usable.last + 1;
	*size = wanted == config->ram ? wanted : ALIGN_DOWN(wanted, cut);
	if (*size < MIN(config->ram, HV_RAM_MIN))
		return log_fail(
			-ENOSPC, subject,
			"not created: the IOMMU of its devices lets RAM only reach 0x%" PRIx64
			" from address 0; leave out the device that reserves what follows",
			usable.last);
	return 0;
}

static int place_high(const char *subject, const struct hv_config *config, struct range window,
		      uint64_t size, uint64_t cut, struct range *out)
{
	char text[PARSE_SIZE_TEXT];
	uint64_t start;

	if (window.start > window.last ||
	    range_place(window, config->iova, config->iova_count, NULL, 0, size, cut, &start) < 0)
		return log_fail(-ENOSPC, subject,
				"not created: no %s in one piece between 4 GiB and 0x%" PRIx64
				" that devices may reach; give it less memory",
				format_size(size, text), window.last);
	*out = (struct range){start, start + size - 1};
	return 0;
}

/* What RAM may grow by lies behind it, at a multiple of what systems take as a piece (Linux: 128
 * MiB to 2 GiB). */
static int place_growth(const char *subject, const struct hv_config *config, struct range *above,
			struct range *out)
{
	uint64_t size = hv_mem_growth_size(config->ram, config->ram_max);
	int rc = size ? place_high(subject, config, *above, size, GROW_ALIGN, out) : 0;

	if (size && rc == 0)
		above->start = out->last + 1;
	return rc;
}

/* The 64-bit PCI window: the first gap above RAM that is large, or else the largest. */
static struct range pick_pci64(const struct hv_config *config, struct range window)
{
	static const struct range everything = {0, UINT64_MAX};
	const struct range *usable = config->iova_count ? config->iova : &everything;
	size_t count = config->iova_count ? config->iova_count : 1;
	struct range best = {1, 0};
	uint64_t best_size = 0;

	for (size_t i = 0; i < count && best_size < PCI64_ENOUGH; i++) {
		if (!range_overlaps(window, usable[i]))
			continue;
		uint64_t start = ALIGN_UP(MAX(window.start, usable[i].start), PCI64_ALIGN);
		uint64_t end = ALIGN_DOWN(MIN(window.last, usable[i].last) + 1, PCI64_ALIGN);

		if (end <= start || end - start <= best_size)
			continue;
		best = (struct range){start, end - 1};
		best_size = end - start;
	}
	return best;
}

int hv_mem_plan(const char *subject, const struct hv_config *config, unsigned phys_bits,
		struct hv_mem_layout *out)
{
	uint64_t cut = MAX(CUT, hv_mem_page_size(config->pages));
	uint64_t phys_last = (UINT64_C(1) << phys_bits) - 1;
	struct range high = {1, 0}, grow = {1, 0}, above = {HIGH_START, phys_last};
	uint64_t low = 0;
	int rc = place_low(subject, config, cut, &low);

	if (rc == 0 && low < config->ram)
		rc = place_high(subject, config, above, config->ram - low, cut, &high);
	if (rc < 0)
		return rc;
	if (low < config->ram)
		above.start = high.last + 1;
	rc = place_growth(subject, config, &above, &grow);
	if (rc < 0)
		return rc;
	*out = (struct hv_mem_layout){
		.low_ram = {0, low - 1},
		.high_ram = high,
		.grow = grow,
		.pci32 = {0xc0000000, 0xdfffffff},
		.ecam = {0xe0000000, 0xefffffff},
		.pci64 = above.start <= above.last ? pick_pci64(config, above)
						   : (struct range){1, 0},
	};
	if (config->legacy) { /* one window, whatever the firmware places where in it */
		out->ecam = (struct range){HV_LEGACY_ECAM, HV_LEGACY_ECAM + 256 * MIB - 1};
		out->pci32 = (struct range){0xc0000000, 0xfebfffff};
	}
	return 0;
}
