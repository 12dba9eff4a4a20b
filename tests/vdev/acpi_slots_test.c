/* SPDX-License-Identifier: BSD-3-Clause */
/* acpi_slots_test: a function comes and goes as the code in the DSDT sees it, in a guest that
 * leaves the slots to the platform. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <linux/pci_regs.h>

#include "tests/vdev/rig.h"

enum { INSERT = 0, REMOVE = 4, EJECT = 8 };

#define EXPRESS 0x40u /* in a root port */
#define SLOT	2u
#define BIT	(1u << SLOT)

static const struct fake_vfio_config vf = {.vectors = 3};

static uint32_t get(struct rig *rig, unsigned set)
{
	unsigned port = vdev_machine_acpi(rig->machine)->slot_port;

	return (uint32_t)fake_hv_read(rig->vm, HV_PIO, port + set, 4);
}

static void put(struct rig *rig, unsigned set, uint32_t bits)
{
	fake_hv_write(rig->vm, HV_PIO, vdev_machine_acpi(rig->machine)->slot_port + set, bits, 4);
}

/* What _EVT does: reads what happened, which takes the interrupt away. */
static uint32_t events(struct rig *rig)
{
	const struct hv_acpi_config *acpi = vdev_machine_acpi(rig->machine);

	return (uint32_t)fake_hv_read(rig->vm, HV_PIO, acpi->event_port, 4);
}

static bool interrupted(struct rig *rig)
{
	return rig->vm->level[vdev_machine_acpi(rig->machine)->event_gsi];
}

static struct fake_vfio *attach(struct rig *rig)
{
	struct fake_vfio *vfio = fake_vfio_create(&rig->vm->log, &vf);
	struct vdev_vfio_config device = {
		.name = "vf test/1", .host = {0, 1, 0x11, 0}, .device_fd = vfio->given};
	struct vdev_vfio *dev;

	assert_int_equal(vdev_vfio_add(rig->machine, &device, &dev), 0);
	assert_int_equal(vdev_vfio_slot(dev), SLOT);
	return vfio;
}

static void hear(struct rig *rig, uint32_t insert, uint32_t remove)
{
	assert_true(interrupted(rig));
	assert_int_equal(events(rig), HV_ACPI_EVENT_SLOT);
	assert_false(interrupted(rig));
	assert_int_equal(get(rig, INSERT), insert);
	assert_int_equal(get(rig, REMOVE), remove);
	put(rig, INSERT, insert);
	put(rig, REMOVE, remove);
	assert_int_equal(get(rig, INSERT) | get(rig, REMOVE), 0);
}

static void test_offered(void **state)
{
	struct rig *rig = rig_create_slots(&vf, 2);

	(void)state;
	assert_int_equal(vdev_machine_acpi(rig->machine)->slots, 0xe);
	assert_int_equal(get(rig, INSERT) | get(rig, REMOVE) | get(rig, EJECT), 0);
	assert_false(interrupted(rig));
	rig_destroy(rig);
}

/* The whole way, fifty times; the last time a guest asks for it again in between. */
static void test_rounds(void **state)
{
	struct rig *rig = rig_create_slots(&vf, 2);

	(void)state;
	for (int i = 0; i < 50; i++) {
		struct fake_vfio *vfio = attach(rig);
		int fd = vfio->given;

		hear(rig, BIT, 0);
		assert_int_equal(rig_config(rig, SLOT, 0, 0, 4), 0x10ca8086); /* power is on */
		assert_int_equal(vdev_slot_eject(rig->machine, SLOT, 60000), 0);
		hear(rig, 0, BIT);
		assert_int_equal(vdev_slot_eject(rig->machine, SLOT, 60000), 0);
		assert_int_equal(get(rig, REMOVE), 0); /* it has heard that */
		assert_int_equal(vdev_slot_state(rig->machine, SLOT), VDEV_SLOT_PENDING);
		rig_spin(rig);
		assert_int_equal(rig->ejected, 0);
		put(rig, EJECT, BIT);
		assert_int_equal(rig_config(rig, SLOT, 0, 0, 4), 0xffffffff);
		rig_spin(rig);
		assert_int_equal(rig->ejected, SLOT);
		assert_int_equal(vdev_slot_state(rig->machine, SLOT), VDEV_SLOT_EMPTY);
		assert_int_equal(fcntl(fd, F_GETFD), -1);
		rig->ejected = 0;
		fake_vfio_destroy(vfio);
	}
	assert_int_equal(vdev_vfio_count(rig->machine), 1);
	rig_destroy(rig);
}

/* What nobody has asked for stays, whatever the guest writes; so does what has timed out. */
static void test_not_asked(void **state)
{
	struct rig *rig = rig_create_slots(&vf, 2);
	struct fake_vfio *vfio = attach(rig);

	(void)state;
	hear(rig, BIT, 0);
	put(rig, EJECT, 0xffffffff);
	rig_spin(rig);
	assert_int_equal(rig->ejected, 0);
	assert_int_equal(rig_config(rig, SLOT, 0, 0, 4), 0x10ca8086);
	assert_int_equal(vdev_slot_eject(rig->machine, SLOT, 1), 0);
	assert_int_equal(get(rig, REMOVE), BIT);
	rig_spin(rig);
	assert_int_equal(vdev_slot_state(rig->machine, SLOT), VDEV_SLOT_TIMED_OUT);
	assert_int_equal(get(rig, REMOVE), 0); /* the wish was withdrawn before it was seen */
	put(rig, EJECT, BIT);
	rig_spin(rig);
	assert_int_equal(rig->ejected, 0);
	rig_destroy(rig);
	fake_vfio_destroy(vfio);
}

/* A guest whose own driver takes the slot while it is asked hears of it there. */
static void test_driver_comes(void **state)
{
	struct rig *rig = rig_create_slots(&vf, 2);
	struct fake_vfio *vfio = attach(rig);

	(void)state;
	assert_int_equal(vdev_slot_eject(rig->machine, SLOT, 60000), 0);
	rig_config_set(rig, 0, SLOT, EXPRESS + PCI_EXP_SLTCTL, 2,
		       PCI_EXP_SLTCTL_HPIE | PCI_EXP_SLTCTL_ABPE | PCI_EXP_SLTCTL_PWR_IND_ON);
	assert_true(rig_config(rig, 0, SLOT, EXPRESS + PCI_EXP_SLTSTA, 2) & PCI_EXP_SLTSTA_ABP);
	put(rig, EJECT, BIT); /* no business of its ACPI any more */
	rig_spin(rig);
	assert_int_equal(rig->ejected, 0);
	rig_config_set(rig, 0, SLOT, EXPRESS + PCI_EXP_SLTCTL, 2,
		       PCI_EXP_SLTCTL_HPIE | PCI_EXP_SLTCTL_PCC | PCI_EXP_SLTCTL_PWR_IND_OFF);
	rig_spin(rig);
	assert_int_equal(rig->ejected, SLOT);
	rig_destroy(rig);
	fake_vfio_destroy(vfio);
}

/* Any width, any offset, all ones: nothing is taken out and nothing breaks. */
static void test_hostile(void **state)
{
	struct rig *rig = rig_create_slots(&vf, 2);
	unsigned port = vdev_machine_acpi(rig->machine)->slot_port;

	(void)state;
	for (unsigned offset = 0; offset < 12; offset++)
		for (unsigned len = 1; len <= 8 && offset + len <= 12; len *= 2) {
			fake_hv_write(rig->vm, HV_PIO, port + offset, UINT64_MAX, len);
			assert_int_equal(fake_hv_read(rig->vm, HV_PIO, port + offset, len), 0);
		}
	assert_int_equal(vdev_vfio_count(rig->machine), 1);
	/* a reset of the machine forgets what the guest was told */
	assert_int_equal(vdev_slot_eject(rig->machine, 1, 60000), 0);
	assert_int_equal(vdev_machine_reset(rig->machine), 0);
	assert_int_equal(get(rig, REMOVE), 0);
	assert_false(interrupted(rig));
	rig_destroy(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offered),	  cmocka_unit_test(test_rounds),
		cmocka_unit_test(test_not_asked), cmocka_unit_test(test_driver_comes),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
