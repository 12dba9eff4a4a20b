/* SPDX-License-Identifier: BSD-3-Clause */
/* vtd_unit: takes a unit and gives it back (VT-d 6.6, 11.4). See vtd.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "iommu/bits.h"
#include "iommu/vtd_priv.h"

#define TIMEOUT_MS   1000u
#define PMEN_EPM     (1u << 31)
#define PMEN_PRS     1u
#define FECTL_MASKED (1u << 31)
#define ALL_GONE     UINT32_MAX /* what a read of nothing gives */

uint64_t vtd_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Waits until (register & mask) == want. */
static int await32(const struct vtd_io *io, unsigned timeout_ms, unsigned reg, uint32_t mask,
		   uint32_t want)
{
	uint64_t deadline = vtd_now_ms() + timeout_ms;

	while ((io->read32(io->opaque, reg) & mask) != want) {
		if (vtd_now_ms() > deadline)
			return -ETIMEDOUT;
		__builtin_ia32_pause();
	}
	return 0;
}

static const char *command_name(uint32_t bit)
{
	switch (bit) {
	case VTD_GS_TE:
		return "translation";
	case VTD_GS_RTP:
		return "the root table";
	case VTD_GS_QIE:
		return "queued invalidation";
	case VTD_GS_IRE:
		return "interrupt remapping";
	case VTD_GS_IRTP:
		return "the interrupt table";
	default:
		return "a command";
	}
}

int vtd_command(const struct vtd_io *io, const char *name, unsigned timeout_ms, uint32_t bit,
		bool on)
{
	/* Everything that is on must be said again; one command at a time (11.4: GCMD). */
	uint32_t state = io->read32(io->opaque, VTD_GSTS) & ~VTD_GS_ONE_SHOT;

	io->write32(io->opaque, VTD_GCMD, on ? state | bit : state & ~bit);
	int err = await32(io, timeout_ms, VTD_GSTS, bit, on ? bit : 0);
	if (err)
		log_error(name, "%s does not go %s within %u ms", command_name(bit),
			  on ? "on" : "off", timeout_ms);
	return err;
}

int vtd_flush_writes(struct vtd_unit *unit)
{
	const struct vtd_io *io = &unit->config.io;

	if (!unit->cap.write_buffer_flush)
		return 0;
	uint32_t state = io->read32(io->opaque, VTD_GSTS) & ~VTD_GS_ONE_SHOT;
	io->write32(io->opaque, VTD_GCMD, state | VTD_GS_WBF);
	int err = await32(io, unit->config.timeout_ms, VTD_GSTS, VTD_GS_WBF, 0);
	return err ? log_fail(err, unit->name, "its write buffer does not empty") : 0;
}

/* ---- off ---- */

int vtd_switch_off(const struct vtd_io *io, const char *name, unsigned timeout_ms)
{
	static const uint32_t order[] = {VTD_GS_TE, VTD_GS_IRE, VTD_GS_QIE};
	int result = 0;

	timeout_ms = timeout_ms ? timeout_ms : TIMEOUT_MS;
	if (io->read32(io->opaque, VTD_VER) == ALL_GONE)
		return log_fail(-ENODEV, name, "no registers there");
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		if (!(io->read32(io->opaque, VTD_GSTS) & order[i]))
			continue;
		int err = vtd_command(io, name, timeout_ms, order[i], false);
		result = result ? result : err;
	}
	return result;
}

/* ---- on ---- */

static int check_support(const struct vtd_unit *unit)
{
	const struct vtd_config *config = &unit->config;
	const char *lacks = NULL;

	if (!unit->ecap.queued)
		lacks = "queued invalidation";
	else if (config->scalable && !unit->ecap.scalable)
		lacks = "scalable mode";
	else if (config->pass_through && !unit->ecap.pass_through)
		lacks = "pass-through entries";
	else if (config->interrupts && !unit->ecap.interrupt_remapping)
		lacks = "interrupt remapping";
	else if (config->interrupts && config->x2apic && !unit->ecap.x2apic)
		lacks = "32-bit APIC identities";
	if (lacks)
		return log_fail(-EOPNOTSUPP, unit->name, "the unit has no %s", lacks);
	if (config->interrupts > 65536 || config->interrupts == 1 ||
	    !IS_ALIGNED(config->interrupts, 1u << (31 - __builtin_clz(config->interrupts | 1))))
		return log_fail(-EINVAL, unit->name, "%u interrupt entries: not a power of two",
				config->interrupts);
	return 0;
}

/* Firmware may have protected memory from all DMA, mapped or not. */
static int lift_protection(struct vtd_unit *unit)
{
	const struct vtd_io *io = &unit->config.io;

	if (!unit->cap.protected_low && !unit->cap.protected_high)
		return 0;
	uint32_t pmen = io->read32(io->opaque, VTD_PMEN);
	if (!(pmen & PMEN_EPM))
		return 0;
	io->write32(io->opaque, VTD_PMEN, pmen & ~PMEN_EPM);
	int err = await32(io, unit->config.timeout_ms, VTD_PMEN, PMEN_PRS, 0);
	return err ? log_fail(err, unit->name, "protected memory stays protected") : 0;
}

static void forget_faults(const struct vtd_unit *unit)
{
	const struct vtd_io *io = &unit->config.io;

	for (unsigned i = 0; i < unit->cap.fault_records; i++)
		io->write64(io->opaque, unit->cap.fault_offset + 16 * i + 8, UINT64_C(1) << 63);
	io->write32(io->opaque, VTD_FSTS, io->read32(io->opaque, VTD_FSTS));
	io->write32(io->opaque, VTD_FECTL, FECTL_MASKED); /* they are polled */
}

static int set_root(struct vtd_unit *unit)
{
	const struct vtd_io *io = &unit->config.io;
	const struct vtd_rtaddr rtaddr = {
		.table = unit->root,
		.mode = unit->config.scalable ? VTD_MODE_SCALABLE : VTD_MODE_LEGACY,
	};

	io->write64(io->opaque, VTD_RTADDR, vtd_rtaddr_encode(&rtaddr));
	return vtd_command(io, unit->name, unit->config.timeout_ms, VTD_GS_RTP, true);
}

static int start(struct vtd_unit *unit)
{
	const struct vtd_config *config = &unit->config;
	int err = vtd_switch_off(&config->io, unit->name, config->timeout_ms);

	if (!err)
		err = vtd_context_start(unit);
	if (err)
		return err;
	forget_faults(unit);
	err = set_root(unit);
	if (!err)
		err = vtd_queue_start(unit);
	/* What the caches hold is from before the root table; a unit that empties them by itself
	 * (ESRTPS) is told once more, which is harmless. */
	if (!err)
		err = vtd_context_forget_all(unit);
	if (!err && config->interrupts)
		err = vtd_interrupt_start(unit);
	if (!err)
		err = lift_protection(unit);
	if (!err)
		err = vtd_command(&config->io, unit->name, config->timeout_ms, VTD_GS_TE, true);
	return err;
}

int vtd_unit_create(const struct vtd_config *config, struct vtd_unit **out)
{
	const struct vtd_io *io = &config->io;
	struct vtd_unit *unit = calloc(1, sizeof(*unit));

	if (!unit)
		return -ENOMEM;
	unit->config = *config;
	unit->config.timeout_ms = config->timeout_ms ? config->timeout_ms : TIMEOUT_MS;
	unit->name = strdup(config->name);
	vtd_cap_decode(io->read64(io->opaque, VTD_CAP), &unit->cap);
	vtd_ecap_decode(io->read64(io->opaque, VTD_ECAP), &unit->ecap);
	int err = unit->name ? bitmap_init(&unit->domains, unit->cap.domains) : -ENOMEM;
	if (err)
		goto fail;
	bitmap_set(&unit->domains, VTD_DOMAIN_NONE);
	bitmap_set(&unit->domains, VTD_DOMAIN_PASS_THROUGH);
	err = check_support(unit);
	if (!err)
		err = start(unit);
	if (err)
		goto fail;
	*out = unit;
	return 0;
fail:
	vtd_unit_destroy(unit);
	return err;
}

void vtd_unit_destroy(struct vtd_unit *unit)
{
	if (!unit)
		return;
	/* A unit that stays on keeps its tables: memory it walks is not given back. */
	if (!unit->name ||
	    vtd_switch_off(&unit->config.io, unit->name, unit->config.timeout_ms) == 0) {
		vtd_interrupt_finish(unit);
		vtd_queue_finish(unit);
		vtd_context_finish(unit);
	}
	bitmap_finish(&unit->domains);
	bitmap_finish(&unit->interrupts);
	free(unit->name);
	free(unit);
}

const struct vtd_cap *vtd_unit_cap(const struct vtd_unit *unit)
{
	return &unit->cap;
}

const struct vtd_ecap *vtd_unit_ecap(const struct vtd_unit *unit)
{
	return &unit->ecap;
}
