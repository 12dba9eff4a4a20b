/* SPDX-License-Identifier: BSD-3-Clause */
/* pci_slot_test: a function comes and goes while the guest runs, and only when the guest lets it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>

#include "tests/vdev/rig.h"

#define EXPRESS 0x40u /* in a root port, with MSI behind it */
#define MSI	(EXPRESS + 0x3c)
#define ENABLED (PCI_EXP_SLTCTL_HPIE | PCI_EXP_SLTCTL_ABPE | PCI_EXP_SLTCTL_DLLSCE)
#define SLOT	2u

static const struct fake_vfio_config vf = {.vectors = 3};

static uint32_t port(struct rig *rig, unsigned offset)
{
	return rig_config(rig, 0, SLOT, EXPRESS + offset, 2);
}

static void port_set(struct rig *rig, unsigned offset, uint32_t value)
{
	rig_config_set(rig, 0, SLOT, EXPRESS + offset, 2, value);
}

/* Reads and clears the slot's events, as an interrupt handler does. */
static uint32_t events(struct rig *rig)
{
	uint32_t status = port(rig, PCI_EXP_SLTSTA);

	port_set(rig, PCI_EXP_SLTSTA, status);
	return status & ~(uint32_t)PCI_EXP_SLTSTA_PDS;
}

/* What a guest's hot-plug driver does at its start. */
static void load_driver(struct rig *rig)
{
	assert_int_equal(rig_config(rig, 0, SLOT, EXPRESS, 1), PCI_CAP_ID_EXP);
	assert_int_equal(rig_config(rig, 0, SLOT, MSI, 1), PCI_CAP_ID_MSI);
	rig_config_set(rig, 0, SLOT, MSI + PCI_MSI_ADDRESS_LO, 4, 0xfee01000);
	rig_config_set(rig, 0, SLOT, MSI + PCI_MSI_DATA_64, 2, 0x41);
	rig_config_set(rig, 0, SLOT, MSI + PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_ENABLE);
	port_set(rig, PCI_EXP_SLTCTL, port(rig, PCI_EXP_SLTCTL) | ENABLED);
}

static void control(struct rig *rig, uint32_t power, uint32_t indicator)
{
	port_set(rig, PCI_EXP_SLTCTL, ENABLED | power | indicator);
}

static struct fake_vfio *attach(struct rig *rig, const struct fake_vfio_config *config)
{
	struct fake_vfio *vfio = fake_vfio_create(&rig->vm->log, config);
	struct vdev_vfio_config device = {
		.name = "vf test/1", .host = {0, 1, 0x11, 0}, .device_fd = vfio->given};
	struct vdev_vfio *dev;

	assert_int_equal(vdev_vfio_add(rig->machine, &device, &dev), 0);
	assert_int_equal(vdev_vfio_slot(dev), SLOT);
	return vfio;
}

/* The guest's part of putting it into service. */
static void bring_up(struct rig *rig)
{
	assert_int_equal(events(rig), PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_DLLSC);
	assert_true(port(rig, PCI_EXP_SLTSTA) & PCI_EXP_SLTSTA_PDS);
	assert_true(port(rig, PCI_EXP_LNKSTA) & PCI_EXP_LNKSTA_DLLLA);
	control(rig, PCI_EXP_SLTCTL_PWR_ON, PCI_EXP_SLTCTL_PWR_IND_BLINK);
	assert_int_equal(rig_config(rig, SLOT, 0, 0, 4), 0x10ca8086);
	control(rig, PCI_EXP_SLTCTL_PWR_ON, PCI_EXP_SLTCTL_PWR_IND_ON);
	assert_int_equal(events(rig), 0);
}

static struct rig *start(void)
{
	struct rig *rig = rig_create_slots(&vf, 2);

	load_driver(rig);
	return rig;
}

static void test_empty(void **state)
{
	struct rig *rig = rig_create_slots(&vf, 2);

	(void)state;
	assert_int_equal(vdev_slot_count(rig->machine), 3);
	assert_int_equal(vdev_slot_state(rig->machine, 1), VDEV_SLOT_IN_USE);
	assert_int_equal(vdev_slot_state(rig->machine, SLOT), VDEV_SLOT_EMPTY);
	assert_int_equal(vdev_machine_acpi(rig->machine)->last_bus, 3);
	assert_int_equal(vdev_machine_acpi(rig->machine)->intx_count, 3);
	assert_int_equal(rig_config(rig, SLOT, 0, 0, 4), 0xffffffff);
	assert_int_equal(port(rig, PCI_EXP_SLTSTA), 0);
	assert_false(port(rig, PCI_EXP_LNKSTA) & PCI_EXP_LNKSTA_DLLLA);
	uint32_t cap = rig_config(rig, 0, SLOT, EXPRESS + PCI_EXP_SLTCAP, 4);
	assert_int_equal(cap >> 19, SLOT);
	assert_false(cap & PCI_EXP_SLTCAP_HPS); /* nothing goes by surprise */
	assert_int_equal(vdev_slot_eject(rig->machine, SLOT, 1000), -ENOENT);
	assert_int_equal(vdev_slot_eject(rig->machine, 9, 1000), -ENOENT);
	/* windows: 2 MiB below 4 GiB, a share of the one above, apart from the neighbour's */
	uint32_t w32 = rig_config(rig, 0, SLOT, PCI_MEMORY_BASE, 4);
	assert_int_equal((w32 >> 16 & 0xfff0) - (w32 & 0xfff0), 0x10);
	uint32_t upper1 = rig_config(rig, 0, 1, PCI_PREF_LIMIT_UPPER32, 4);
	uint32_t upper2 = rig_config(rig, 0, SLOT, PCI_PREF_BASE_UPPER32, 4);
	assert_true(upper2 > upper1);
	rig_destroy(rig);
}

static void test_attach(void **state)
{
	struct rig *rig = start();

	(void)state;
	struct fake_vfio *vfio = attach(rig, &vf);
	assert_int_equal(rig->vm->msi_count, 1);
	assert_int_equal(rig->vm->msi.addr, 0xfee01000);
	assert_int_equal(rig->vm->msi.data, 0x41);
	assert_int_equal(vdev_vfio_count(rig->machine), 2);
	bring_up(rig);
	/* as after power-on, and it works where the guest puts it */
	assert_int_equal(rig_config(rig, SLOT, 0, PCI_COMMAND, 2), 0);
	assert_int_equal(rig_config(rig, SLOT, 0, PCI_BASE_ADDRESS_0, 4), 0xc);
	uint64_t base = (uint64_t)rig_config(rig, 0, SLOT, PCI_PREF_BASE_UPPER32, 4) << 32 |
			(uint64_t)(rig_config(rig, 0, SLOT, PCI_PREF_MEMORY_BASE, 2) & 0xfff0)
				<< 16;
	rig_config_set(rig, SLOT, 0, PCI_BASE_ADDRESS_0, 4, (uint32_t)base);
	rig_config_set(rig, SLOT, 0, PCI_BASE_ADDRESS_1, 4, (uint32_t)(base >> 32));
	rig_config_set(rig, SLOT, 0, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	assert_true(fake_hv_is_mapped(rig->vm, base));
	rig_destroy(rig);
	fake_vfio_destroy(vfio);
}

static void test_no_room(void **state)
{
	struct rig *rig = rig_create_slots(&vf, 1);
	struct fake_vfio *one = attach(rig, &vf);
	struct fake_vfio *two = fake_vfio_create(&rig->vm->log, &vf);
	struct vdev_vfio_config device = {.name = "vf test/2", .device_fd = two->given};
	struct vdev_vfio *dev;

	(void)state;
	assert_int_equal(vdev_vfio_add(rig->machine, &device, &dev), -ENOSPC);
	assert_int_equal(fcntl(two->given, F_GETFD), -1); /* taken over, and closed */
	assert_int_equal(vdev_vfio_count(rig->machine), 2);
	rig_destroy(rig);
	fake_vfio_destroy(one);
	fake_vfio_destroy(two);
}

static unsigned routes(const struct rig *rig)
{
	unsigned n = 0;

	for (unsigned i = 0; i < FAKE_ROUTES; i++)
		n += rig->vm->route[i].used;
	return n;
}

static unsigned maps(const struct rig *rig)
{
	unsigned n = 0;

	for (unsigned i = 0; i < FAKE_SLOTS; i++)
		n += rig->vm->slot[i].used + rig->domain.map[i].used;
	return n;
}

/* The whole way, fifty times: nothing is left behind. */
static void test_rounds(void **state)
{
	struct rig *rig = start();
	unsigned routes_before = routes(rig), maps_before = maps(rig);

	(void)state;
	for (int i = 0; i < 50; i++) {
		struct fake_vfio *vfio = attach(rig, &vf);
		int fd = vfio->given;

		bring_up(rig);
		rig_config_set(rig, SLOT, 0, FAKE_MSIX + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
		unsigned told = rig->vm->msi_count;
		assert_int_equal(vdev_slot_eject(rig->machine, SLOT, 60000), 0);
		assert_int_equal(rig->vm->msi_count, told + 1);
		assert_int_equal(events(rig), PCI_EXP_SLTSTA_ABP);
		/* asked again: the button is not pressed twice, which would call it off */
		assert_int_equal(vdev_slot_eject(rig->machine, SLOT, 60000), 0);
		control(rig, PCI_EXP_SLTCTL_PWR_ON, PCI_EXP_SLTCTL_PWR_IND_BLINK);
		assert_int_equal(vdev_slot_eject(rig->machine, SLOT, 60000), 0);
		assert_int_equal(events(rig), 0);
		assert_int_equal(vdev_slot_state(rig->machine, SLOT), VDEV_SLOT_PENDING);
		control(rig, PCI_EXP_SLTCTL_PWR_OFF, PCI_EXP_SLTCTL_PWR_IND_BLINK);
		assert_int_equal(rig_config(rig, SLOT, 0, 0, 4), 0xffffffff);
		assert_int_equal(events(rig), PCI_EXP_SLTSTA_DLLSC);
		rig_spin(rig);
		assert_int_equal(rig->ejected, 0); /* the indicator still says: not yet */
		control(rig, PCI_EXP_SLTCTL_PWR_OFF, PCI_EXP_SLTCTL_PWR_IND_OFF);
		rig_spin(rig);
		assert_int_equal(rig->ejected, SLOT);
		rig->ejected = 0;
		assert_int_equal(events(rig), PCI_EXP_SLTSTA_PDC);
		assert_int_equal(port(rig, PCI_EXP_SLTSTA), 0);
		assert_int_equal(vdev_slot_state(rig->machine, SLOT), VDEV_SLOT_EMPTY);
		assert_int_equal(fcntl(fd, F_GETFD), -1);
		fake_vfio_destroy(vfio);
	}
	assert_int_equal(routes(rig), routes_before);
	assert_int_equal(maps(rig), maps_before);
	assert_int_equal(vdev_vfio_count(rig->machine), 1);
	rig_destroy(rig);
}

static void test_deaf_guest(void **state)
{
	struct rig *rig = start();
	struct fake_vfio *vfio = attach(rig, &vf);

	(void)state;
	bring_up(rig);
	assert_int_equal(vdev_slot_eject(rig->machine, SLOT, 1), 0);
	rig_spin(rig);
	assert_int_equal(vdev_slot_state(rig->machine, SLOT), VDEV_SLOT_TIMED_OUT);
	assert_string_equal(rig->vm->event, "eject-timed-out");
	assert_int_equal(events(rig), 0); /* the wish was withdrawn before it was seen */
	assert_int_equal(rig->ejected, 0);
	assert_int_equal(rig_config(rig, SLOT, 0, 0, 4), 0x10ca8086);
	/* a slow one, that has begun: a second press calls it off (6.7.1.5) */
	assert_int_equal(vdev_slot_eject(rig->machine, SLOT, 1), 0);
	assert_int_equal(events(rig), PCI_EXP_SLTSTA_ABP);
	control(rig, PCI_EXP_SLTCTL_PWR_ON, PCI_EXP_SLTCTL_PWR_IND_BLINK);
	rig_spin(rig);
	assert_int_equal(events(rig), PCI_EXP_SLTSTA_ABP);
	/* one that goes on all the same: the device is not taken, but the next wish is granted at
	 * once */
	control(rig, PCI_EXP_SLTCTL_PWR_OFF, PCI_EXP_SLTCTL_PWR_IND_OFF);
	rig_spin(rig);
	assert_int_equal(rig->ejected, 0);
	assert_int_equal(vdev_slot_eject(rig->machine, SLOT, 60000), 0);
	rig_spin(rig);
	assert_int_equal(rig->ejected, SLOT);
	rig_destroy(rig);
	fake_vfio_destroy(vfio);
}

/* A guest that is busy with the slot would take the button for an order to stop. */
static void test_busy_guest(void **state)
{
	struct rig *rig = start();
	struct fake_vfio *vfio = attach(rig, &vf);

	(void)state;
	events(rig);
	control(rig, PCI_EXP_SLTCTL_PWR_ON, PCI_EXP_SLTCTL_PWR_IND_BLINK);
	assert_int_equal(vdev_slot_eject(rig->machine, SLOT, 60000), 0);
	assert_int_equal(events(rig), 0);
	control(rig, PCI_EXP_SLTCTL_PWR_ON, PCI_EXP_SLTCTL_PWR_IND_ON);
	assert_int_equal(events(rig), PCI_EXP_SLTSTA_ABP);
	control(rig, PCI_EXP_SLTCTL_PWR_OFF, PCI_EXP_SLTCTL_PWR_IND_OFF);
	rig_spin(rig);
	assert_int_equal(rig->ejected, SLOT);
	rig_destroy(rig);
	fake_vfio_destroy(vfio);
}

/* A guest may cut the power by itself; nobody has asked for the device, so it stays. */
static void test_guest_alone(void **state)
{
	struct rig *rig = start();
	struct fake_vfio *vfio = attach(rig, &vf);

	(void)state;
	bring_up(rig);
	unsigned before = vfio->resets;
	control(rig, PCI_EXP_SLTCTL_PWR_OFF, PCI_EXP_SLTCTL_PWR_IND_OFF);
	assert_int_equal(vfio->resets, before + 1);
	rig_spin(rig);
	assert_int_equal(rig->ejected, 0);
	assert_true(port(rig, PCI_EXP_SLTSTA) & PCI_EXP_SLTSTA_PDS);
	control(rig, PCI_EXP_SLTCTL_PWR_ON, PCI_EXP_SLTCTL_PWR_IND_ON);
	assert_int_equal(rig_config(rig, SLOT, 0, 0, 4), 0x10ca8086);
	rig_destroy(rig);
	fake_vfio_destroy(vfio);
}

/* What was there from the start goes the same way, and its place is free for another. */
static void test_cold(void **state)
{
	struct rig *rig = rig_create_slots(&vf, 1);
	uint32_t off = PCI_EXP_SLTCTL_PWR_OFF | PCI_EXP_SLTCTL_PWR_IND_OFF;

	(void)state;
	assert_int_equal(vdev_slot_eject(rig->machine, 1, 60000), 0);
	rig_config_set(rig, 0, 1, EXPRESS + PCI_EXP_SLTCTL, 2, off);
	rig_spin(rig);
	assert_int_equal(rig->ejected, 1);
	assert_int_equal(vdev_vfio_count(rig->machine), 0);
	struct fake_vfio *vfio = fake_vfio_create(&rig->vm->log, &vf);
	struct vdev_vfio_config device = {.name = "vf test/1", .device_fd = vfio->given};
	struct vdev_vfio *dev;
	assert_int_equal(vdev_vfio_add(rig->machine, &device, &dev), 0);
	assert_int_equal(vdev_vfio_slot(dev), 1);
	/* a reset of the machine finds it where firmware would have put it */
	assert_int_equal(vdev_machine_reset(rig->machine), 0);
	assert_int_equal(rig_bar(rig, 0), 0x1000000000);
	rig_destroy(rig);
	fake_vfio_destroy(vfio);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),	    cmocka_unit_test(test_attach),
		cmocka_unit_test(test_no_room),	    cmocka_unit_test(test_rounds),
		cmocka_unit_test(test_deaf_guest),  cmocka_unit_test(test_busy_guest),
		cmocka_unit_test(test_guest_alone), cmocka_unit_test(test_cold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
