/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vfio_irq_test: the order of masking and unmasking, what gets lost (nothing), and the device being
 * taken back. The fake aborts where an irqfd would meet no route, or a route change under it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <string.h>

#include "tests/vdev/rig.h"

#define FLAGS (FAKE_MSIX + PCI_MSIX_FLAGS)

static struct rig *create(unsigned vectors, bool noresize, bool intx)
{
	struct fake_vfio_config vf = {.vectors = vectors, .noresize = noresize, .intx = intx};
	struct rig *rig = rig_create(&vf);

	rig_decode(rig, true);
	fake_log_clear(&rig->vm->log);
	return rig;
}

static void entry(struct rig *rig, unsigned vector, uint32_t data, bool masked)
{
	uint64_t at = rig_bar(rig, 3) + 16 * vector;

	fake_hv_write(rig->vm, HV_MMIO, at, 0xfee01000, 4);
	fake_hv_write(rig->vm, HV_MMIO, at + 4, 0, 4);
	fake_hv_write(rig->vm, HV_MMIO, at + 8, data, 4);
	fake_hv_write(rig->vm, HV_MMIO, at + 12, masked, 4);
}

static void enable(struct rig *rig)
{
	rig_write(rig, FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
}

static void expect(struct rig *rig, const char *text)
{
	assert_string_equal(rig->vm->log.text, text);
	fake_log_clear(&rig->vm->log);
}

static bool pending(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

/* All masked: the device's enable bit must be set all the same. */
static void test_enable_masked(void **state)
{
	struct rig *rig = create(3, false, false);

	(void)state;
	enable(rig);
	expect(rig, "vfio set 2 0+1\n");
	assert_int_equal(rig->vfio->eventfd[2][0], -1);
	rig_write(rig, FLAGS, 2, 0);
	expect(rig, "vfio off 2\ncommit\n");
	rig_destroy(rig);
}

static void test_unmask_and_mask(void **state)
{
	struct rig *rig = create(3, false, false);

	(void)state;
	enable(rig);
	fake_log_clear(&rig->vm->log);
	entry(rig, 1, 0x41, false);
	expect(rig, "route 24 41\ncommit\nvfio set 2 1+1\nattach 24\n");
	/* the same descriptor on both sides */
	assert_int_equal(rig->vfio->eventfd[2][1], rig->vm->route[24].eventfd);
	entry(rig, 1, 0x41, true);
	expect(rig, "detach 24\n");
	/* raised while masked: kept for the next attach */
	fake_vfio_raise(rig->vfio, 2, 1);
	assert_true(pending(rig->vfio->eventfd[2][1]));
	entry(rig, 1, 0x41, false);
	expect(rig, "attach 24\n");
	assert_true(pending(rig->vm->route[24].eventfd));
	/* a new message: off, changed, on again; the device is left alone */
	entry(rig, 1, 0x42, false);
	expect(rig, "detach 24\nroute 24 42\ncommit\nattach 24\n");
	rig_destroy(rig);
}

/* Several at once, as after a resume: one commit, one call into VFIO. */
static void test_enable_unmasked(void **state)
{
	struct rig *rig = create(3, false, false);

	(void)state;
	rig_write(rig, FLAGS, 2, PCI_MSIX_FLAGS_MASKALL);
	entry(rig, 0, 0x41, false);
	entry(rig, 2, 0x43, false);
	expect(rig, "");
	enable(rig);
	expect(rig, "route 24 41\nroute 25 43\ncommit\nvfio set 2 0+3\nattach 24\nattach 25\n");
	rig_write(rig, FLAGS, 2, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	expect(rig, "detach 24\ndetach 25\n");
	rig_write(rig, FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
	expect(rig, "attach 24\nattach 25\n");
	rig_destroy(rig);
}

static void test_grow_without_resize(void **state)
{
	struct rig *rig = create(3, true, false);

	(void)state;
	enable(rig);
	entry(rig, 0, 0x41, false);
	fake_log_clear(&rig->vm->log);
	entry(rig, 2, 0x43, false);
	expect(rig, "route 25 43\ncommit\nvfio off 2\nvfio set 2 0+3\nattach 25\n");
	assert_int_equal(rig->vfio->eventfd[2][0], rig->vm->route[24].eventfd);
	assert_int_equal(rig->vfio->eventfd[2][1], -1);
	rig_destroy(rig);
}

/* What is no interrupt message gets no route: it would spoil the table for all others. */
static void test_wrong_address(void **state)
{
	struct rig *rig = create(3, false, false);

	(void)state;
	enable(rig);
	fake_log_clear(&rig->vm->log);
	uint64_t at = rig_bar(rig, 3);
	fake_hv_write(rig->vm, HV_MMIO, at + 12, 0, 4); /* address 0 */
	expect(rig, "");
	fake_hv_write(rig->vm, HV_MMIO, at, 0x10fee01000, 8);
	expect(rig, "");
	fake_hv_write(rig->vm, HV_MMIO, at, 0xfee01000, 8);
	expect(rig, "route 24 0\ncommit\nvfio set 2 0+1\nattach 24\n");
	rig_destroy(rig);
}

static void test_table_never_reaches_device(void **state)
{
	struct rig *rig = create(3, false, false);

	(void)state;
	fake_vfio_bar_set(rig->vfio, 3, 0, 0x11111111);
	fake_vfio_bar_set(rig->vfio, 3, 48, 0x22222222);
	entry(rig, 0, 0x41, false);
	assert_int_equal(fake_vfio_bar_get(rig->vfio, 3, 0), 0x11111111);
	uint64_t at = rig_bar(rig, 3);
	assert_int_equal(fake_hv_read(rig->vm, HV_MMIO, at + 8, 8), 0x41);
	/* beside the table, in the same page: the device answers */
	assert_int_equal(fake_hv_read(rig->vm, HV_MMIO, at + 48, 4), 0x22222222);
	fake_hv_write(rig->vm, HV_MMIO, at + 52, 0x33333333, 4);
	assert_int_equal(fake_vfio_bar_get(rig->vfio, 3, 52), 0x33333333);
	/* across the end of it */
	fake_hv_write(rig->vm, HV_MMIO, at + 44, 0x4444444400000001, 8);
	assert_int_equal(fake_vfio_bar_get(rig->vfio, 3, 48), 0x44444444);
	assert_int_equal(fake_hv_read(rig->vm, HV_MMIO, at + 44, 8), 0x4444444400000001);
	/* the next page, with the pending bits, needs no exit */
	assert_false(fake_hv_is_mapped(rig->vm, at));
	assert_true(fake_hv_is_mapped(rig->vm, at + 0x2000));
	rig_destroy(rig);
}

static void test_msi(void **state)
{
	struct rig *rig = create(3, false, false);

	(void)state;
	rig_write(rig, FAKE_MSI + PCI_MSI_ADDRESS_LO, 4, 0xfee02000);
	rig_write(rig, FAKE_MSI + PCI_MSI_DATA_64, 2, 0x60);
	rig_write(rig, FAKE_MSI + PCI_MSI_MASK_64, 4, 2);
	expect(rig, "");
	rig_write(rig, FAKE_MSI + PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_ENABLE | 1 << 4);
	expect(rig, "route 24 60\ncommit\nvfio set 1 0+2\nattach 24\n");
	rig_write(rig, FAKE_MSI + PCI_MSI_MASK_64, 4, 0);
	expect(rig, "route 25 61\ncommit\nattach 25\n");
	rig_write(rig, FAKE_MSI + PCI_MSI_FLAGS, 2, 0);
	expect(rig, "vfio off 1\ndetach 24\ndetach 25\ncommit\n");
	rig_destroy(rig);
}

static void test_intx(void **state)
{
	struct rig *rig = create(3, false, true);

	(void)state;
	assert_int_equal(rig_read(rig, PCI_INTERRUPT_PIN, 1), 1);
	assert_int_equal(rig_read(rig, PCI_INTERRUPT_LINE, 1), 16);
	fake_vfio_raise(rig->vfio, 0, 0);
	rig_spin(rig);
	assert_true(rig->vm->level[16]);
	fake_hv_eoi(rig->vm, 16);
	assert_false(rig->vm->level[16]);
	expect(rig, "vfio unmask 0\n");
	fake_hv_eoi(rig->vm, 16); /* not ours */
	expect(rig, "");
	/* MSI-X takes its place */
	fake_vfio_raise(rig->vfio, 0, 0);
	rig_spin(rig);
	enable(rig);
	assert_false(rig->vm->level[16]);
	expect(rig, "vfio off 0\nvfio set 2 0+1\n");
	rig_destroy(rig);
}

/* With KVM's I/O APIC nothing of it comes to us. */
static void test_intx_short_cut(void **state)
{
	struct rig *rig = create(3, false, true);
	uint32_t command = rig_read(rig, PCI_COMMAND, 2);

	(void)state;
	rig_write(rig, PCI_COMMAND, 2, command | PCI_COMMAND_INTX_DISABLE);
	rig->vm->irqchip = true;
	expect(rig, "vfio off 0\n");
	rig_write(rig, PCI_COMMAND, 2, command);
	expect(rig, "line 16 on\nvfio set 0 0+1\nvfio unmask 0 by eventfd\n");
	fake_vfio_raise(rig->vfio, 0, 0);
	rig_spin(rig);
	assert_false(rig->vm->level[16]);
	rig_write(rig, PCI_COMMAND, 2, command | PCI_COMMAND_INTX_DISABLE);
	expect(rig, "vfio off 0\nline 16 off\n");
	rig_destroy(rig);
}

static void test_error_ends_vm(void **state)
{
	struct rig *rig = create(3, false, false);

	(void)state;
	fake_vfio_raise(rig->vfio, VFIO_PCI_ERR_IRQ_INDEX, 0);
	rig_spin(rig);
	assert_int_equal(rig->vm->end, HV_END_DEVICE);
	rig_destroy(rig);
}

static void test_taken_back(void **state)
{
	struct rig *rig = create(3, false, false);
	uint64_t bar = rig_bar(rig, 0);
	struct vdev_vfio_stat stat;

	(void)state;
	enable(rig);
	entry(rig, 0, 0x41, false);
	fake_vfio_raise(rig->vfio, VFIO_PCI_REQ_IRQ_INDEX, 0);
	rig_spin(rig);
	assert_int_equal(rig->vm->end, HV_END_NONE);
	assert_int_equal(fcntl(rig->vfio->given, F_GETFD), -1);
	assert_false(fake_hv_is_mapped(rig->vm, bar));
	assert_int_equal(rig->vm->route[24].used, false);
	assert_int_equal(rig_read(rig, 0, 4), 0xffffffff);
	rig_decode(rig, true);
	enable(rig);
	rig_write(rig, FAKE_EXP + PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_BCR_FLR);
	assert_false(fake_hv_is_mapped(rig->vm, bar));
	assert_int_equal(vdev_vfio_stat(rig->machine, 0, &stat), 0);
	assert_string_equal(stat.mode, "none");
	assert_int_equal(vdev_machine_reset(rig->machine), 0);
	rig_destroy(rig);
}

static void test_stat(void **state)
{
	struct rig *rig = create(3, false, false);
	struct vdev_vfio_stat stat;

	(void)state;
	enable(rig);
	entry(rig, 2, 0x43, false);
	assert_int_equal(vdev_vfio_stat(rig->machine, 0, &stat), 0);
	assert_string_equal(stat.name, "vf test/0");
	assert_string_equal(stat.mode, "msi-x");
	assert_int_equal(stat.guest_bus, 1);
	assert_int_equal(stat.table_writes, 4);
	assert_true(stat.reset_capable);
	assert_int_equal(stat.vectors, 3);
	assert_true(stat.vector[0].masked);
	assert_int_equal(stat.vector[0].route, -1);
	assert_false(stat.vector[2].masked);
	assert_int_equal(stat.vector[2].msi.data, 0x43);
	assert_int_equal(stat.bars, 2);
	assert_true(stat.bar[0].mapped);
	assert_int_equal(stat.bar[1].index, 3);
	rig_destroy(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_enable_masked),
		cmocka_unit_test(test_unmask_and_mask),
		cmocka_unit_test(test_enable_unmasked),
		cmocka_unit_test(test_grow_without_resize),
		cmocka_unit_test(test_wrong_address),
		cmocka_unit_test(test_table_never_reaches_device),
		cmocka_unit_test(test_msi),
		cmocka_unit_test(test_intx),
		cmocka_unit_test(test_intx_short_cut),
		cmocka_unit_test(test_error_ends_vm),
		cmocka_unit_test(test_taken_back),
		cmocka_unit_test(test_stat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
