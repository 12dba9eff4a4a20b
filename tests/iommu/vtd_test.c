/* SPDX-License-Identifier: BSD-3-Clause */
/* The VT-d driver on a unit made of memory, which remembers what it is not told to forget: every
 * mode, every stage, every error that such a unit knows. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "iommu/vtd.h"
#include "iommu/vtd_journal.h"
#include "tests/fakes/fake_vtd.h"

#define PAGE UINT64_C(4096)
#define RW   (PAGETABLE_READ | PAGETABLE_WRITE)
#define DEV  0x0018 /* 00:03.0 */

static const struct bdf dev = {0, 0, 3, 0};

struct rig {
	struct fake_chunks chunks;
	struct vtd_mem *mem;
	struct fake_vtd fake;
	struct vtd_config config;
	struct vtd_unit *unit;
	struct vtd_fault fault; /* the last one told */
	unsigned faults;
};

static void take_fault(void *opaque, const struct vtd_fault *fault)
{
	struct rig *rig = opaque;

	rig->fault = *fault;
	rig->faults++;
}

static struct rig *rig_make(uint64_t cap, uint64_t ecap)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	fake_chunks_init(&rig->chunks);
	assert_int_equal(vtd_mem_create(&rig->chunks.source, false, &rig->mem), 0);
	fake_vtd_init(&rig->fake, rig->mem, cap, ecap);
	rig->config = (struct vtd_config){
		.name = "iommu fake",
		.io = rig->fake.io,
		.mem = rig->mem,
		.host_width = 46,
		.timeout_ms = 20,
		.fault = take_fault,
		.opaque = rig,
	};
	return rig;
}

static void rig_start(struct rig *rig)
{
	assert_int_equal(vtd_unit_create(&rig->config, &rig->unit), 0);
}

/* Every page the driver took is back when it ends. */
static void rig_free(struct rig *rig, bool all_back)
{
	uint64_t phys;

	vtd_unit_destroy(rig->unit);
	rig->chunks.limit = rig->chunks.count;
	if (all_back)
		for (size_t i = 0; i < rig->chunks.count; i++)
			assert_non_null(vtd_mem_alloc(rig->mem, VTD_CHUNK_PAGES, &phys));
	vtd_mem_destroy(rig->mem);
	free(rig);
}

static uint8_t dma(struct rig *rig, uint64_t iova, bool write, uint64_t *phys)
{
	return fake_vtd_dma(&rig->fake, DEV, iova, write, phys);
}

static void assert_reaches(struct rig *rig, uint64_t iova, uint64_t wanted)
{
	uint64_t phys;

	assert_int_equal(dma(rig, iova, false, &phys), 0);
	assert_int_equal(phys, wanted);
}

static void assert_blocked(struct rig *rig, uint64_t iova)
{
	unsigned before = rig->faults;
	uint64_t phys;

	uint8_t reason = dma(rig, iova, false, &phys);
	assert_int_not_equal(reason, 0);
	assert_int_equal(vtd_unit_poll(rig->unit), 1);
	assert_int_equal(rig->faults, before + 1);
	assert_int_equal(rig->fault.reason, reason);
	assert_int_equal(rig->fault.source, DEV);
	assert_int_equal(rig->fault.address, ALIGN_DOWN(iova, PAGE));
}

/* ---- all that a space does, on every kind of unit ---- */

static void life_of_a_space(uint64_t cap, bool scalable, enum vtd_stage stage)
{
	struct rig *rig = rig_make(cap, FAKE_ECAP);
	struct vtd_space *space;
	uint64_t bytes, phys;

	rig->config.scalable = scalable;
	rig_start(rig);
	assert_blocked(rig, 0x1000); /* attached to nothing, and remembered as that */
	assert_int_equal(vtd_space_create(rig->unit, stage, &space), 0);
	assert_int_equal(vtd_attach(space, dev), 0);
	assert_int_equal(vtd_attach(space, dev), 0);
	assert_blocked(rig, 0x1000);
	assert_int_equal(vtd_map(space, 0x1000, 0x55000, PAGE, RW), 0);
	assert_reaches(rig, 0x1234, 0x55234);
	assert_int_equal(vtd_map(space, 2 * MIB, GIB, 2 * MIB, PAGETABLE_READ), 0);
	assert_reaches(rig, 2 * MIB + 0x123456, GIB + 0x123456);
	assert_int_not_equal(dma(rig, 2 * MIB, true, &phys), 0);
	assert_int_equal(vtd_unit_poll(rig->unit), 1);
	/* A hole in the large page, and the pages around it. */
	assert_reaches(rig, 2 * MIB + 7 * PAGE, GIB + 7 * PAGE);
	assert_int_equal(vtd_unmap(space, 2 * MIB + 7 * PAGE, PAGE, &bytes), 0);
	assert_int_equal(bytes, PAGE);
	assert_blocked(rig, 2 * MIB + 7 * PAGE);
	assert_reaches(rig, 2 * MIB + 6 * PAGE, GIB + 6 * PAGE);
	assert_int_equal(vtd_map(space, 2 * MIB + 7 * PAGE, GIB + 7 * PAGE, PAGE, PAGETABLE_READ),
			 0);
	assert_reaches(rig, 2 * MIB + 7 * PAGE, GIB + 7 * PAGE);
	assert_int_equal(vtd_space_info(space).tables, vtd_space_table(space)->tables);
	/* Something else at the same address. */
	assert_int_equal(vtd_unmap(space, 0, 4 * MIB, &bytes), 0);
	assert_int_equal(bytes, 2 * MIB + PAGE);
	assert_blocked(rig, 0x1000);
	assert_int_equal(vtd_map(space, 0x1000, 0x66000, PAGE, RW), 0);
	assert_reaches(rig, 0x1000, 0x66000);
	assert_int_equal(vtd_detach(space, dev), 0);
	assert_blocked(rig, 0x1000);
	assert_int_equal(vtd_detach(space, dev), -ENOENT);
	assert_int_equal(vtd_attach(space, dev), 0);
	assert_reaches(rig, 0x1000, 0x66000);
	vtd_space_destroy(space);
	assert_blocked(rig, 0x1000);
	rig_free(rig, true);
}

static void legacy(void **state)
{
	(void)state;
	life_of_a_space(FAKE_CAP, false, VTD_SECOND_STAGE);
	life_of_a_space(FAKE_CAP | FAKE_CM, false, VTD_SECOND_STAGE);
	life_of_a_space((FAKE_CAP | FAKE_CM) & ~FAKE_PSI, false, VTD_SECOND_STAGE);
}

static void scalable_second_stage(void **state)
{
	(void)state;
	life_of_a_space(FAKE_CAP, true, VTD_SECOND_STAGE);
	life_of_a_space(FAKE_CAP | FAKE_CM, true, VTD_SECOND_STAGE);
}

static void scalable_first_stage(void **state)
{
	(void)state;
	life_of_a_space(FAKE_CAP, true, VTD_FIRST_STAGE);
	life_of_a_space((FAKE_CAP | FAKE_CM) & ~FAKE_PSI, true, VTD_FIRST_STAGE);
}

/* Others pass through; the one attached does not, and not after it was detached either. */
static void others_pass_through(void **state)
{
	(void)state;
	for (int scalable = 0; scalable < 2; scalable++) {
		struct rig *rig = rig_make(FAKE_CAP | FAKE_CM, FAKE_ECAP);
		struct vtd_space *space;
		uint64_t phys;
		rig->config.scalable = scalable;
		rig->config.pass_through = true;
		rig_start(rig);
		assert_reaches(rig, 0x7000, 0x7000);
		assert_int_equal(fake_vtd_dma(&rig->fake, 0xfff8, 0x7000, true, &phys), 0);
		assert_int_equal(vtd_space_create(rig->unit, VTD_SECOND_STAGE, &space), 0);
		assert_int_equal(vtd_attach(space, dev), 0);
		assert_blocked(rig, 0x7000);
		assert_int_equal(fake_vtd_dma(&rig->fake, DEV + 1, 0x7000, true, &phys), 0);
		assert_int_equal(fake_vtd_dma(&rig->fake, 0x00f8, 0x7000, true, &phys), 0);
		vtd_space_destroy(space);
		assert_blocked(rig, 0x7000);
		rig_free(rig, true);
	}
}

static void two_spaces_do_not_meet(void **state)
{
	struct rig *rig = rig_make(FAKE_CAP | FAKE_CM, FAKE_ECAP);
	const struct bdf other = {0, 1, 0, 1};
	struct vtd_space *one, *two;
	uint64_t phys;

	(void)state;
	rig_start(rig);
	assert_int_equal(vtd_space_create(rig->unit, VTD_SECOND_STAGE, &one), 0);
	assert_int_equal(vtd_space_create(rig->unit, VTD_SECOND_STAGE, &two), 0);
	assert_int_not_equal(vtd_space_info(one).domain, vtd_space_info(two).domain);
	assert_int_equal(vtd_attach(one, dev), 0);
	assert_int_equal(vtd_attach(two, dev), -EBUSY);
	assert_int_equal(vtd_attach(two, other), 0);
	assert_int_equal(vtd_map(one, 0x1000, 0x11000, PAGE, RW), 0);
	assert_int_equal(vtd_map(two, 0x1000, 0x22000, PAGE, RW), 0);
	assert_reaches(rig, 0x1000, 0x11000);
	assert_int_equal(fake_vtd_dma(&rig->fake, 0x0101, 0x1000, true, &phys), 0);
	assert_int_equal(phys, 0x22000);
	vtd_space_destroy(two);
	assert_reaches(rig, 0x1000, 0x11000);
	vtd_space_destroy(one);
	vtd_space_destroy(NULL);
	rig_free(rig, true);
}

/* ---- limits ---- */

static void domain_ids_run_out(void **state)
{
	struct rig *rig = rig_make(FAKE_CAP & ~UINT64_C(7), FAKE_ECAP); /* 16 */
	struct vtd_space *spaces[15];

	(void)state;
	rig_start(rig);
	for (size_t i = 0; i < 14; i++)
		assert_int_equal(vtd_space_create(rig->unit, VTD_SECOND_STAGE, &spaces[i]), 0);
	assert_int_equal(vtd_space_create(rig->unit, VTD_SECOND_STAGE, &spaces[14]), -ENOSPC);
	for (size_t i = 0; i < 14; i++)
		vtd_space_destroy(spaces[i]);
	assert_int_equal(vtd_space_create(rig->unit, VTD_SECOND_STAGE, &spaces[0]), 0);
	vtd_space_destroy(spaces[0]);
	rig_free(rig, true);
}

static void addresses_are_checked(void **state)
{
	struct rig *rig = rig_make(FAKE_CAP, FAKE_ECAP);
	struct vtd_space *space;

	(void)state;
	rig_start(rig);
	assert_int_equal(vtd_space_create(rig->unit, VTD_SECOND_STAGE, &space), 0);
	assert_int_equal(vtd_space_info(space).input_bits, 48);
	assert_int_equal(vtd_map(space, UINT64_C(1) << 48, 0, PAGE, RW), -ERANGE);
	assert_int_equal(vtd_map(space, 0x1001, 0, PAGE, RW), -EINVAL);
	assert_int_equal(vtd_map(space, 0x1000, 0, PAGE, 0), -EINVAL);
	assert_int_equal(vtd_map(space, 0x1000, 0, PAGE, RW), 0);
	assert_int_equal(vtd_map(space, 0, 0, 2 * PAGE, RW), -EEXIST);
	assert_int_equal(vtd_unmap(space, 0, PAGE - 1, NULL), -EINVAL);
	vtd_space_destroy(space);
	rig_free(rig, true);
}

static void memory_runs_out(void **state)
{
	struct rig *rig = rig_make(FAKE_CAP, FAKE_ECAP);
	struct vtd_space *space;
	uint64_t phys, pages = 0;

	(void)state;
	rig->config.scalable = true;
	rig->config.pass_through = true;
	rig->config.interrupts = 512;
	/* With one page more each time, until the unit starts. */
	int err = -ENOMEM;
	rig->chunks.limit = 1;
	for (uint64_t spare = 0; err == -ENOMEM; spare++) {
		uint64_t taken[VTD_CHUNK_PAGES];
		for (pages = 0; pages < VTD_CHUNK_PAGES - spare; pages++)
			assert_non_null(vtd_mem_alloc(rig->mem, 1, &taken[pages]));
		err = vtd_unit_create(&rig->config, &rig->unit);
		for (uint64_t i = 0; i < pages; i++)
			vtd_mem_free(rig->mem, taken[i], 1);
	}
	assert_int_equal(err, 0);
	/* The same for a space, with all that is done to it. */
	err = -ENOMEM;
	for (uint64_t spare = 0; err == -ENOMEM; spare++) {
		uint64_t taken[VTD_CHUNK_PAGES];
		space = NULL;
		for (pages = 0; vtd_mem_alloc(rig->mem, 1, &taken[pages]); pages++)
			continue;
		for (uint64_t i = 0; i < spare; i++)
			vtd_mem_free(rig->mem, taken[--pages], 1);
		err = vtd_space_create(rig->unit, VTD_FIRST_STAGE, &space);
		if (!err)
			err = vtd_attach(space, dev);
		if (!err)
			err = vtd_map(space, 0, 0, PAGE, RW);
		vtd_space_destroy(space);
		for (uint64_t i = 0; i < pages; i++)
			vtd_mem_free(rig->mem, taken[i], 1);
	}
	assert_int_equal(err, 0);
	assert_null(vtd_mem_alloc(rig->mem, 1024, &phys));
	rig_free(rig, true);
}

static void what_a_unit_lacks(void **state)
{
	static const struct {
		uint64_t cap, ecap;
		bool scalable, pass_through, x2apic;
		unsigned interrupts;
		int err;
	} cases[] = {
		{FAKE_CAP, FAKE_ECAP & ~2u, .err = -EOPNOTSUPP},
		{FAKE_CAP, FAKE_ECAP & ~(UINT64_C(1) << 43), .scalable = true, .err = -EOPNOTSUPP},
		{FAKE_CAP, FAKE_ECAP & ~(1u << 6), .pass_through = true, .err = -EOPNOTSUPP},
		{FAKE_CAP, FAKE_ECAP & ~(1u << 3), .interrupts = 256, .err = -EOPNOTSUPP},
		{FAKE_CAP, FAKE_ECAP & ~(1u << 4), .interrupts = 256, .x2apic = true,
		 .err = -EOPNOTSUPP},
		{FAKE_CAP, FAKE_ECAP, .interrupts = 255, .err = -EINVAL},
		{FAKE_CAP, FAKE_ECAP, .interrupts = 131072, .err = -EINVAL},
	};
	struct vtd_space *space;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rig *rig = rig_make(cases[i].cap, cases[i].ecap);
		rig->config.scalable = cases[i].scalable;
		rig->config.pass_through = cases[i].pass_through;
		rig->config.x2apic = cases[i].x2apic;
		rig->config.interrupts = cases[i].interrupts;
		assert_int_equal(vtd_unit_create(&rig->config, &rig->unit), cases[i].err);
		assert_int_equal(rig->fake.gsts & VTD_GS_TE, 0);
		rig->unit = NULL;
		rig_free(rig, true);
	}
	struct rig *rig =
		rig_make(FAKE_CAP & ~(UINT64_C(0x1f) << 8), FAKE_ECAP & ~(UINT64_C(3) << 46));
	rig_start(rig);
	assert_int_equal(vtd_space_create(rig->unit, VTD_FIRST_STAGE, &space), -EOPNOTSUPP);
	assert_int_equal(vtd_space_create(rig->unit, VTD_SECOND_STAGE, &space), -EOPNOTSUPP);
	assert_int_equal(vtd_interrupt_alloc(rig->unit, 1), -EOPNOTSUPP);
	assert_int_equal(vtd_interrupt_set(rig->unit, 0, &(struct vtd_irte){0}), -EOPNOTSUPP);
	vtd_unit_destroy(rig->unit);
	rig->config.scalable = true;
	rig_start(rig);
	assert_int_equal(vtd_space_create(rig->unit, VTD_FIRST_STAGE, &space), -EOPNOTSUPP);
	assert_int_equal(vtd_space_create(rig->unit, VTD_SECOND_STAGE, &space), -EOPNOTSUPP);
	rig_free(rig, true);
}

/* ---- errors of the hardware ---- */

static void queue_errors_are_told_and_passed(void **state)
{
	struct rig *rig = rig_make(FAKE_CAP | FAKE_CM, FAKE_ECAP);
	struct vtd_space *space;

	(void)state;
	rig_start(rig);
	assert_int_equal(vtd_space_create(rig->unit, VTD_SECOND_STAGE, &space), 0);
	assert_int_equal(vtd_attach(space, dev), 0);
	rig->fake.refuse = VTD_INV_IOTLB;
	assert_int_equal(vtd_map(space, 0, 0, PAGE, RW), -EIO);
	assert_blocked(rig, 0); /* not known to work: so it is not there */
	assert_int_equal(vtd_map(space, 0, 0, PAGE, RW), 0);
	assert_reaches(rig, 0, 0);
	rig->fake.error_at_wait = VTD_FSTS_ICE;
	rig->fake.silent = true;
	assert_int_equal(vtd_unmap(space, 0, PAGE, NULL), -ETIMEDOUT);
	vtd_space_destroy(space);
	rig_free(rig, false);
}

static void an_ice_is_an_error_that_passes(void **state)
{
	struct rig *rig = rig_make(FAKE_CAP | FAKE_CM, FAKE_ECAP);
	struct vtd_space *space;

	(void)state;
	rig_start(rig);
	assert_int_equal(vtd_space_create(rig->unit, VTD_SECOND_STAGE, &space), 0);
	rig->fake.error_at_wait = VTD_FSTS_ICE;
	assert_int_equal(vtd_map(space, 0, 0, PAGE, RW), -EIO);
	assert_int_equal(vtd_map(space, 0, 0, PAGE, RW), 0);
	vtd_space_destroy(space);
	rig_free(rig, true);
}

/* The wait itself is refused, and what is put in its place answers nothing. */
static void a_refused_wait_is_a_time_out(void **state)
{
	struct rig *rig = rig_make(FAKE_CAP | FAKE_CM, FAKE_ECAP);
	struct vtd_space *space;

	(void)state;
	rig_start(rig);
	assert_int_equal(vtd_space_create(rig->unit, VTD_SECOND_STAGE, &space), 0);
	rig->fake.refuse = VTD_INV_WAIT;
	assert_int_equal(vtd_map(space, 0, 0, PAGE, RW), -ETIMEDOUT);
	vtd_space_destroy(space);
	rig_free(rig, false);
}

/* What the unit did is not known: nothing is given back to be used again. */
static void a_time_out_breaks_the_unit(void **state)
{
	(void)state;
	for (int device = 0; device < 2; device++) {
		struct rig *rig = rig_make(FAKE_CAP | FAKE_CM, FAKE_ECAP);
		struct vtd_space *space;
		rig_start(rig);
		assert_int_equal(vtd_space_create(rig->unit, VTD_SECOND_STAGE, &space), 0);
		rig->fake.silent = true;
		rig->fake.error_at_wait = device ? VTD_FSTS_ITE : 0;
		assert_int_equal(vtd_map(space, 0, 0, PAGE, RW), -ETIMEDOUT);
		rig->fake.silent = false;
		assert_int_equal(vtd_map(space, 0, 0, PAGE, RW), -EIO);
		assert_int_equal(vtd_attach(space, dev), -EIO);
		vtd_space_destroy(space);
		assert_int_not_equal(rig->fake.gsts & VTD_GS_TE, 0);
		vtd_unit_destroy(rig->unit);
		assert_int_equal(rig->fake.gsts & VTD_GS_TE, 0);
		rig->unit = NULL;
		rig_free(rig, false);
	}
}

static void commands_that_do_not_end(void **state)
{
	static const uint32_t stuck[] = {VTD_GS_RTP, VTD_GS_QIE, VTD_GS_IRTP, VTD_GS_IRE,
					 VTD_GS_TE};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(stuck); i++) {
		struct rig *rig = rig_make(FAKE_CAP, FAKE_ECAP);
		rig->config.interrupts = 256;
		rig->fake.stuck = stuck[i];
		assert_int_equal(vtd_unit_create(&rig->config, &rig->unit), -ETIMEDOUT);
		rig->unit = NULL;
		rig_free(rig, true);
	}
	/* One that does not go off keeps its tables. */
	struct rig *rig = rig_make(FAKE_CAP, FAKE_ECAP);
	uint64_t phys;
	rig_start(rig);
	rig->fake.stuck = VTD_GS_TE;
	rig->chunks.limit = 1;
	vtd_unit_destroy(rig->unit);
	rig->unit = NULL;
	assert_null(vtd_mem_alloc(rig->mem, VTD_CHUNK_PAGES, &phys));
	rig_free(rig, false);
}

static void what_was_on_is_switched_off(void **state)
{
	struct rig *rig = rig_make(FAKE_CAP | UINT64_C(3) << 5, FAKE_ECAP);

	(void)state;
	rig->fake.gsts = VTD_GS_TE | VTD_GS_IRE | VTD_GS_QIE;
	assert_int_equal(vtd_switch_off(&rig->fake.io, "iommu fake", 0), 0);
	assert_int_equal(rig->fake.gsts, 0);
	rig->fake.gsts = VTD_GS_TE;
	rig->fake.stuck = VTD_GS_TE;
	assert_int_equal(vtd_switch_off(&rig->fake.io, "iommu fake", 5), -ETIMEDOUT);
	rig->fake.stuck = 0;
	rig->fake.pmen = 1u << 31 | 1;
	rig_start(rig);
	assert_int_equal(rig->fake.pmen, 0);
	assert_int_not_equal(rig->fake.gsts & VTD_GS_TE, 0);
	vtd_unit_destroy(rig->unit);
	rig->fake.pmen = 1u << 31 | 1;
	rig->fake.stuck = 1;
	assert_int_equal(vtd_unit_create(&rig->config, &rig->unit), -ETIMEDOUT);
	rig->unit = NULL;
	rig_free(rig, true);
}

static void write_buffers_are_flushed(void **state)
{
	struct rig *rig = rig_make(FAKE_CAP | FAKE_RWBF, FAKE_ECAP);
	struct vtd_space *space;

	(void)state;
	rig_start(rig);
	assert_int_equal(vtd_space_create(rig->unit, VTD_SECOND_STAGE, &space), 0);
	assert_int_equal(vtd_attach(space, dev), 0);
	unsigned before = rig->fake.write_flushes;
	assert_true(before > 0);
	assert_int_equal(vtd_map(space, 0, 0, PAGE, RW), 0);
	assert_int_equal(rig->fake.write_flushes, before + 1);
	rig->fake.stuck = VTD_GS_WBF;
	assert_int_equal(vtd_map(space, PAGE, 0, PAGE, RW), -ETIMEDOUT);
	rig->fake.stuck = 0;
	rig->fake.gsts &= ~VTD_GS_WBF;
	vtd_space_destroy(space);
	rig_free(rig, true);
}

/* Only what changed is invalidated, as one aligned power of two, or the domain. */
static void invalidations_are_as_small_as_can_be(void **state)
{
	struct rig *rig = rig_make(FAKE_CAP, FAKE_ECAP);
	struct vtd_space *space;

	(void)state;
	rig_start(rig);
	assert_int_equal(vtd_space_create(rig->unit, VTD_SECOND_STAGE, &space), 0);
	size_t before = rig->fake.log_count;
	assert_int_equal(vtd_map(space, 0, 0, 64 * GIB, RW), 0);
	assert_int_equal(rig->fake.log_count, before); /* nothing to forget */
	assert_int_equal(vtd_unmap(space, 0x3000, 2 * PAGE, NULL), 0);
	const struct vtd_inv *inv = &rig->fake.log[before];
	assert_int_equal(inv->type, VTD_INV_IOTLB);
	assert_int_equal(inv->scope, VTD_SCOPE_PAGES);
	assert_int_equal(inv->address, 0);
	assert_int_equal(inv->mask, 3); /* 3 and 4 share the first 8 */
	assert_int_equal(vtd_unmap(space, 0, 64 * GIB, NULL), 0);
	inv = &rig->fake.log[before + 2];
	assert_int_equal(inv->scope, VTD_SCOPE_DOMAIN);
	vtd_space_destroy(space);
	rig_free(rig, true);
}

/* ---- interrupts ---- */

static void interrupts(bool caching, bool x2apic)
{
	struct rig *rig = rig_make(FAKE_CAP | (caching ? FAKE_CM : 0), FAKE_ECAP);
	struct vtd_irte irte = {
		.present = true,
		.vector = 0x41,
		.destination = 1,
		.check = VTD_SVT_REQUESTER,
		.source = DEV,
	};
	uint8_t vector = 0;

	rig->config.interrupts = 1024;
	rig->config.x2apic = x2apic;
	rig->config.pass_through = true;
	rig_start(rig);
	assert_int_equal(!(rig->fake.gsts & VTD_GS_CFI), x2apic);
	int one = vtd_interrupt_alloc(rig->unit, 1);
	assert_int_equal(one, 0);
	assert_int_equal(fake_vtd_interrupt(&rig->fake, DEV, 0, &vector), 0x22);
	assert_int_equal(vtd_unit_poll(rig->unit), 1);
	assert_int_equal(rig->fault.index, 0);
	assert_int_equal(vtd_interrupt_set(rig->unit, 0, &irte), 0);
	assert_int_equal(fake_vtd_interrupt(&rig->fake, DEV, 0, &vector), 0);
	assert_int_equal(vector, 0x41);
	assert_int_equal(fake_vtd_interrupt(&rig->fake, DEV + 8, 0, &vector), 0x26);
	irte.vector = 0x42;
	assert_int_equal(vtd_interrupt_set(rig->unit, 0, &irte), 0);
	assert_int_equal(fake_vtd_interrupt(&rig->fake, DEV, 0, &vector), 0);
	assert_int_equal(vector, 0x42);
	/* A block starts at a multiple of itself. */
	assert_int_equal(vtd_interrupt_alloc(rig->unit, 32), 32);
	assert_int_equal(vtd_interrupt_alloc(rig->unit, 1), 1);
	assert_int_equal(vtd_interrupt_set(rig->unit, 2, &irte), -EINVAL);
	assert_int_equal(vtd_interrupt_alloc(rig->unit, 3), -EINVAL);
	assert_int_equal(vtd_interrupt_alloc(rig->unit, 2048), -EINVAL);
	assert_int_equal(vtd_interrupt_alloc(rig->unit, 1024), -ENOSPC);
	vtd_interrupt_free(rig->unit, 0, 1);
	assert_int_equal(fake_vtd_interrupt(&rig->fake, DEV, 0, &vector), 0x22);
	vtd_interrupt_free(rig->unit, 32, 32);
	vtd_interrupt_free(rig->unit, 1, 1);
	for (unsigned i = 0; i < 1024; i++)
		assert_int_equal(vtd_interrupt_alloc(rig->unit, 1), i);
	assert_int_equal(vtd_interrupt_alloc(rig->unit, 1), -ENOSPC);
	rig_free(rig, true);
}

static void interrupts_are_remapped(void **state)
{
	(void)state;
	interrupts(false, false);
	interrupts(true, false);
	interrupts(true, true);
}

static void a_silent_cfi_is_no_error(void **state)
{
	struct rig *rig = rig_make(FAKE_CAP, FAKE_ECAP);

	(void)state;
	rig->config.interrupts = 2;
	rig->config.pass_through = true;
	rig->fake.stuck = VTD_GS_CFI;
	rig_start(rig);
	rig_free(rig, true);
}

/* ---- faults ---- */

static void a_storm_of_faults_is_told_with_measure(void **state)
{
	struct rig *rig = rig_make(FAKE_CAP, FAKE_ECAP);
	uint64_t phys;

	(void)state;
	rig_start(rig);
	for (unsigned round = 0; round < 250; round++) {
		for (unsigned i = 0; i < 6; i++) /* more than there are records */
			assert_int_not_equal(dma(rig, i * PAGE, true, &phys), 0);
		assert_int_equal(vtd_unit_poll(rig->unit), 4);
		assert_int_equal(vtd_unit_poll(rig->unit), 0);
	}
	struct vtd_fault_counts counts = vtd_unit_faults(rig->unit);
	assert_int_equal(counts.taken, 1000);
	assert_int_equal(counts.overflows, 250);
	assert_int_equal(counts.told, rig->faults);
	assert_in_range(counts.told, VTD_FAULT_RATE, 2 * VTD_FAULT_RATE);
	rig_free(rig, true);
}

static void memory_that_moves_is_noticed(void **state)
{
	struct rig *rig = rig_make(FAKE_CAP, FAKE_ECAP);

	(void)state;
	rig_start(rig);
	assert_int_equal(vtd_unit_poll(rig->unit), 0);
	rig->chunks.moved = VTD_CHUNK;
	assert_int_equal(vtd_unit_poll(rig->unit), -EFAULT);
	rig->chunks.moved = 0;
	rig_free(rig, true);
}

static void capabilities_are_told(void **state)
{
	struct rig *rig = rig_make(FAKE_CAP, FAKE_ECAP);

	(void)state;
	rig_start(rig);
	assert_int_equal(vtd_unit_cap(rig->unit)->fault_records, 4);
	assert_true(vtd_unit_ecap(rig->unit)->first_stage);
	rig_free(rig, true);
	vtd_unit_destroy(NULL);
	vtd_mem_destroy(NULL);
}

/* ---- journal ---- */

static void a_journal_remembers_what_was_left_on(void **state)
{
	char dir[] = "/tmp/vtd-test-XXXXXX", path[128], memory[128];
	struct vtd_journal *journal, *other;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(memory, sizeof(memory), "%s/hugepages", dir);
	FILE *file = fopen(memory, "w");
	assert_non_null(file);
	fclose(file);
	assert_int_equal(vtd_journal_open(dir, 0xfed90000, &journal), 0);
	assert_null(vtd_journal_left(journal));
	assert_int_equal(vtd_journal_open(dir, 0xfed90000, &other), -EBUSY);
	assert_int_equal(vtd_journal_open(dir, 0xfed91000, &other), 0);
	vtd_journal_close(other);
	assert_int_equal(vtd_journal_begin(journal, memory), 0);
	vtd_journal_close(journal); /* as a kill -9 does */
	assert_int_equal(vtd_journal_open(dir, 0xfed90000, &journal), 0);
	assert_string_equal(vtd_journal_left(journal), memory);
	assert_int_equal(vtd_journal_end(journal), 0);
	assert_int_equal(access(memory, F_OK), -1);
	assert_null(vtd_journal_left(journal));
	assert_int_equal(vtd_journal_end(journal), 0);
	vtd_journal_close(journal);
	assert_int_equal(vtd_journal_open(dir, 0xfed90000, &journal), 0);
	assert_null(vtd_journal_left(journal));
	vtd_journal_close(journal);
	vtd_journal_close(NULL);
	assert_int_equal(vtd_journal_open("/proc/nowhere", 0, &journal), -ENOENT);
	snprintf(path, sizeof(path), "rm -r %s", dir);
	assert_int_equal(system(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(legacy),
		cmocka_unit_test(scalable_second_stage),
		cmocka_unit_test(scalable_first_stage),
		cmocka_unit_test(others_pass_through),
		cmocka_unit_test(two_spaces_do_not_meet),
		cmocka_unit_test(domain_ids_run_out),
		cmocka_unit_test(addresses_are_checked),
		cmocka_unit_test(memory_runs_out),
		cmocka_unit_test(what_a_unit_lacks),
		cmocka_unit_test(queue_errors_are_told_and_passed),
		cmocka_unit_test(an_ice_is_an_error_that_passes),
		cmocka_unit_test(a_refused_wait_is_a_time_out),
		cmocka_unit_test(a_time_out_breaks_the_unit),
		cmocka_unit_test(commands_that_do_not_end),
		cmocka_unit_test(what_was_on_is_switched_off),
		cmocka_unit_test(write_buffers_are_flushed),
		cmocka_unit_test(invalidations_are_as_small_as_can_be),
		cmocka_unit_test(interrupts_are_remapped),
		cmocka_unit_test(a_silent_cfi_is_no_error),
		cmocka_unit_test(a_storm_of_faults_is_told_with_measure),
		cmocka_unit_test(memory_that_moves_is_noticed),
		cmocka_unit_test(capabilities_are_told),
		cmocka_unit_test(a_journal_remembers_what_was_left_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
