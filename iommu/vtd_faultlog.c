/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vtd_faultlog: what a unit has blocked, told with measure (VT-d 7.2: primary fault logging).
 *
 * A device can fault without end, and every record is only good for one fault until it is given
 * back. So a poll reads each record once, tells so many per ten seconds, and then how many it did
 * not tell.
 */
#include <inttypes.h>

#include "base/log.h"
#include "iommu/vtd_priv.h"

#define WINDOW_SECONDS 10

/* Whether one more line is due; ends the window when it is over. */
static bool may_tell(struct vtd_unit *unit)
{
	struct vtd_faults *faults = &unit->faults;
	time_t now = (time_t)(vtd_now_ms() / 1000);

	if (!faults->in_window || now - faults->window >= WINDOW_SECONDS) {
		if (faults->suppressed)
			log_warn(unit->name, "%" PRIu64 " more faults were not told",
				 faults->suppressed);
		faults->suppressed = 0;
		faults->window = now;
		faults->in_window = 0;
	}
	if (faults->in_window == VTD_FAULT_RATE) {
		faults->suppressed++;
		return false;
	}
	faults->in_window++;
	return true;
}

static void tell(struct vtd_unit *unit, const struct vtd_fault *fault)
{
	const struct bdf bdf = {0, (uint8_t)(fault->source >> 8), fault->source >> 3 & 31,
				fault->source & 7};
	char text[VTD_FAULT_TEXT], name[BDF_TEXT];

	unit->faults.counts.taken++;
	if (!may_tell(unit))
		return;
	unit->faults.counts.told++;
	log_warn(bdf_format(bdf, name), "%s", vtd_fault_text(fault, text));
	if (unit->config.fault)
		unit->config.fault(unit->config.opaque, fault);
}

static int take_records(struct vtd_unit *unit, unsigned first)
{
	const struct vtd_io *io = &unit->config.io;
	unsigned records = unit->cap.fault_records;
	int taken = 0;

	for (unsigned i = 0; i < records; i++) {
		unsigned reg = unit->cap.fault_offset + 16 * ((first + i) % records);
		struct vtd_fault_raw raw = {.hi = io->read64(io->opaque, reg + 8)};
		struct vtd_fault fault;
		if (!(raw.hi >> 63))
			continue;
		raw.lo = io->read64(io->opaque, reg);
		vtd_fault_decode(&raw, &fault);
		/* Given back before it is told: the next one is not lost meanwhile. */
		io->write64(io->opaque, reg + 8, UINT64_C(1) << 63);
		tell(unit, &fault);
		taken++;
	}
	return taken;
}

int vtd_unit_poll(struct vtd_unit *unit)
{
	const struct vtd_io *io = &unit->config.io;
	uint32_t fsts = io->read32(io->opaque, VTD_FSTS);
	int taken = 0, err = vtd_mem_check(unit->config.mem);

	if (err)
		return err;
	if (fsts & VTD_FSTS_PPF)
		taken = take_records(unit, vtd_fsts_index(fsts));
	if (fsts & VTD_FSTS_PFO) {
		unit->faults.counts.overflows++;
		io->write32(io->opaque, VTD_FSTS, VTD_FSTS_PFO);
	}
	return taken;
}

struct vtd_fault_counts vtd_unit_faults(const struct vtd_unit *unit)
{
	return unit->faults.counts;
}
