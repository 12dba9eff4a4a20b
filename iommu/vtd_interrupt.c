/* SPDX-License-Identifier: BSD-3-Clause */
/* vtd_interrupt: the interrupt remapping table (VT-d 5.1.4, 9.10). See vtd.h. */
#include <errno.h>

#include "base/log.h"
#include "base/util.h"
#include "iommu/vtd_priv.h"

#define CFI_WAIT_MS 20u

static int forget(struct vtd_unit *unit, enum vtd_inv_scope scope, unsigned index, unsigned mask)
{
	const struct vtd_inv inv = {
		.type = VTD_INV_INTERRUPT,
		.scope = scope,
		.index = (uint16_t)index,
		.mask = (uint8_t)mask,
	};

	return vtd_queue_run(unit, &inv, 1);
}

/* The kernel that lives beside us sends its interrupts in compatibility format, past our table.
 * Units with 32-bit APIC identities block that format whatever we say (5.1.4). QEMU's never tells
 * that it has heard, and lets them pass. */
static void let_compatibility_pass(struct vtd_unit *unit)
{
	const struct vtd_io *io = &unit->config.io;
	uint32_t state = io->read32(io->opaque, VTD_GSTS) & ~VTD_GS_ONE_SHOT;
	uint64_t deadline = vtd_now_ms() + CFI_WAIT_MS;

	io->write32(io->opaque, VTD_GCMD, state | VTD_GS_CFI);
	while (!(io->read32(io->opaque, VTD_GSTS) & VTD_GS_CFI) && vtd_now_ms() < deadline)
		__builtin_ia32_pause();
	if (!(io->read32(io->opaque, VTD_GSTS) & VTD_GS_CFI))
		log_info(unit->name, "does not say that it lets compatibility interrupts pass");
}

int vtd_interrupt_start(struct vtd_unit *unit)
{
	const struct vtd_io *io = &unit->config.io;
	size_t bytes = unit->config.interrupts * sizeof(struct vtd_irte_raw);

	unit->irt_pages = (unsigned)ALIGN_UP(bytes, (size_t)VTD_PAGE) / VTD_PAGE;
	int err = bitmap_init(&unit->interrupts, unit->config.interrupts);
	if (err)
		return err;
	void *table = vtd_mem_alloc(unit->config.mem, unit->irt_pages, &unit->irt);
	if (!table)
		return -ENOMEM;
	vtd_mem_flush(unit->config.mem, table, (size_t)unit->irt_pages * VTD_PAGE);
	const struct vtd_irta irta = {unit->irt, unit->config.interrupts, unit->config.x2apic};
	io->write64(io->opaque, VTD_IRTA, vtd_irta_encode(&irta));
	err = vtd_command(io, unit->name, unit->config.timeout_ms, VTD_GS_IRTP, true);
	if (!err)
		err = forget(unit, VTD_SCOPE_GLOBAL, 0, 0);
	if (!err && unit->config.pass_through && !unit->config.x2apic)
		let_compatibility_pass(unit);
	if (!err)
		err = vtd_command(io, unit->name, unit->config.timeout_ms, VTD_GS_IRE, true);
	return err;
}

void vtd_interrupt_finish(struct vtd_unit *unit)
{
	if (unit->irt)
		vtd_mem_free(unit->config.mem, unit->irt, unit->irt_pages);
	unit->irt = 0;
}

static int check_entry(const struct vtd_unit *unit, unsigned index)
{
	if (!unit->irt)
		return log_fail(-EOPNOTSUPP, unit->name, "interrupt remapping is off");
	if (!bitmap_test(&unit->interrupts, index))
		return log_fail(-EINVAL, unit->name, "interrupt entry %u was not given out", index);
	return 0;
}

int vtd_interrupt_alloc(struct vtd_unit *unit, unsigned count)
{
	if (!unit->irt)
		return log_fail(-EOPNOTSUPP, unit->name, "interrupt remapping is off");
	if (!count || count > unit->config.interrupts || count & (count - 1))
		return log_fail(-EINVAL, unit->name,
				"%u interrupt entries: no power of two up to %u", count,
				unit->config.interrupts);
	int first = bitmap_alloc_range(&unit->interrupts, 0, count, count);
	return first < 0 ? log_fail(first, unit->name,
				    "the interrupt table is full: of %u entries no %u neighbours "
				    "are free",
				    unit->config.interrupts, count)
			 : first;
}

static void write_entry(struct vtd_unit *unit, uint64_t *at, uint64_t value)
{
	__atomic_store_n(at, value, __ATOMIC_RELEASE);
	vtd_mem_flush(unit->config.mem, at, sizeof(*at));
}

int vtd_interrupt_set(struct vtd_unit *unit, unsigned index, const struct vtd_irte *irte)
{
	int err = check_entry(unit, index);

	if (err)
		return err;
	struct vtd_irte_raw *table = vtd_mem_at(unit->config.mem, unit->irt);
	struct vtd_irte_raw raw = vtd_irte_encode(irte);
	bool was = table[index].lo & 1;
	/* Two stores cannot change 128 bits at once: over absent, and the present bit last. */
	if (was)
		write_entry(unit, &table[index].lo, 0);
	if (was)
		err = forget(unit, VTD_SCOPE_INDEX, index, 0);
	if (err)
		return err;
	write_entry(unit, &table[index].hi, raw.hi);
	write_entry(unit, &table[index].lo, raw.lo);
	if (unit->cap.caching_mode)
		return forget(unit, VTD_SCOPE_INDEX, index, 0);
	return vtd_flush_writes(unit);
}

void vtd_interrupt_free(struct vtd_unit *unit, unsigned index, unsigned count)
{
	const struct vtd_irte absent = {0};

	for (unsigned i = index; i < index + count; i++)
		/* An entry that the unit may still know is not given out again. */
		if (vtd_interrupt_set(unit, i, &absent) == 0)
			bitmap_clear(&unit->interrupts, i);
}
