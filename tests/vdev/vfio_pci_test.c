/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vfio_pci_test: a hostile guest: half a million accesses of any kind to configuration space and
 * the MSI-X table, from a fixed seed. The fakes abort on a wrong order, the sanitizers on the rest;
 * afterwards a reset must bring back a device that works.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <linux/pci_regs.h>

#include "tests/vdev/rig.h"

static uint32_t next(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)(*seed >> 33);
}

/* Registers whose meaning a blind walk would seldom reach. */
static unsigned pick_offset(uint64_t *seed)
{
	static const unsigned dense[] = {PCI_COMMAND,	  PCI_BASE_ADDRESS_0, FAKE_MSI,
					 FAKE_MSIX,	  FAKE_EXP + 8,	      PCI_PRIMARY_BUS,
					 PCI_MEMORY_BASE, PCI_BRIDGE_CONTROL, 0x100};
	uint32_t r = next(seed);

	if (r & 3)
		return (dense[(r >> 2) % 9] + (r >> 8) % 8) & 0xfff;
	return r >> 8 & 0xfff;
}

static void step(struct rig *rig, uint64_t *seed)
{
	uint32_t r = next(seed);
	unsigned len = 1u << (r & 3), bus = r >> 2 & 1, dev = r >> 3 & 1;
	uint64_t value = (uint64_t)next(seed) << 32 | next(seed);
	uint64_t at = 0xe0000000 + ((uint64_t)bus << 20 | dev << 15 | pick_offset(seed));

	if ((r >> 4 & 7) == 0) /* all ones and all zeros are what drivers write most */
		value = (r >> 7 & 1) ? ~UINT64_C(0) : 0;
	if ((r >> 8 & 3) == 0)
		at = rig_bar(rig, 3) + next(seed) % 64; /* the table, and across its end */
	if (fake_hv_is_mapped(rig->vm, at))
		return;
	if (r >> 10 & 1)
		fake_hv_write(rig->vm, HV_MMIO, at, value, len);
	else
		fake_hv_read(rig->vm, HV_MMIO, at, len);
}

/* A few registers wrong and most of the machine is out of reach, so it starts anew often. */
static void start_anew(struct rig *rig, uint64_t *seed)
{
	assert_int_equal(vdev_machine_reset(rig->machine), 0);
	rig_decode(rig, true);
	if (next(seed) & 1)
		rig_write(rig, FAKE_MSIX + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
}

static void fuzz(const struct fake_vfio_config *vf, uint64_t seed)
{
	struct rig *rig = rig_create(vf);
	struct vdev_vfio_stat stat;

	for (unsigned i = 0; i < 125000; i++) {
		if (i % 50 == 0)
			start_anew(rig, &seed);
		step(rig, &seed);
	}
	assert_int_equal(vdev_vfio_stat(rig->machine, 0, &stat), 0);
	assert_true(stat.config_writes > 10000); /* it did get somewhere */
	assert_true(stat.table_writes > 2000);
	assert_int_equal(rig->vm->locked, 0);
	start_anew(rig, &seed);
	assert_true(fake_hv_is_mapped(rig->vm, rig_bar(rig, 0)));
	rig_destroy(rig);
}

static void test_hostile_guest(void **state)
{
	static const struct fake_vfio_config kinds[] = {
		{.vectors = 3},
		{.vectors = 3, .noresize = true},
		{.vectors = 1, .intx = true},
		{.vectors = 64, .no_reset = true, .intx = true},
	};

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		fuzz(&kinds[i], 4711 + i);
}

/* RAM is in the domain while the machine lives, and nothing stays behind. */
static void test_domain(void **state)
{
	struct rig *rig = rig_create(&(struct fake_vfio_config){.vectors = 3});
	unsigned used = 0;

	(void)state;
	assert_true(rig->domain.map[0].used);
	assert_int_equal(rig->domain.map[0].iova, 0);
	rig_decode(rig, true);
	vdev_machine_destroy(rig->machine);
	rig->machine = NULL;
	for (unsigned i = 0; i < FAKE_SLOTS; i++)
		used += rig->domain.map[i].used || rig->vm->slot[i].used || rig->vm->region[i].used;
	assert_int_equal(used, 0);
	/* it is reset by being opened and closed, and not once more */
	assert_int_equal(rig->vfio->resets, 0);
	assert_int_equal(fcntl(rig->vfio->given, F_GETFD), -1);
	rig_destroy(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hostile_guest),
		cmocka_unit_test(test_domain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
