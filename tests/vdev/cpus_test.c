/* SPDX-License-Identifier: BSD-3-Clause */
/* cpus_test: processors come and go, as the code in the DSDT sees it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "tests/vdev/rig.h"

enum { PRESENT = 0, INSERT = 8, REMOVE = 16, EJECT = 24 };

static unsigned get(struct rig *rig, unsigned set)
{
	unsigned port = vdev_machine_acpi(rig->machine)->cpu_port;

	return (unsigned)fake_hv_read(rig->vm, HV_PIO, port + set, 1);
}

static void put(struct rig *rig, unsigned set, unsigned bits)
{
	fake_hv_write(rig->vm, HV_PIO, vdev_machine_acpi(rig->machine)->cpu_port + set, bits, 1);
}

static void expect(struct rig *rig, unsigned present, unsigned unheard)
{
	unsigned now, left;

	vdev_cpus_get(rig->machine, &now, &left);
	assert_int_equal(now, present);
	assert_int_equal(left, unheard);
}

static unsigned event(struct rig *rig)
{
	const struct hv_acpi_config *acpi = vdev_machine_acpi(rig->machine);

	return (unsigned)fake_hv_read(rig->vm, HV_PIO, acpi->event_port, 4);
}

static void test_fixed(void **state)
{
	struct rig *rig = rig_create(NULL);

	(void)state;
	assert_int_equal(vdev_machine_acpi(rig->machine)->cpu_port, 0);
	assert_int_equal(vdev_cpus_set(rig->machine, 2), -ENOTSUP);
	expect(rig, FAKE_CPUS, 0);
	rig_destroy(rig);
}

static void test_come(void **state)
{
	struct rig *rig = rig_create_cpus(2);

	(void)state;
	assert_int_equal(vdev_machine_acpi(rig->machine)->cpus_present, 2);
	assert_int_equal(get(rig, PRESENT), 0x03);
	assert_int_equal(vdev_cpus_set(rig->machine, 4), 0);
	assert_int_equal(event(rig), HV_ACPI_EVENT_CPU);
	assert_int_equal(get(rig, PRESENT), 0x0f);
	assert_int_equal(get(rig, INSERT), 0x0c);
	expect(rig, 4, 2);
	put(rig, INSERT, 0x04);
	assert_int_equal(get(rig, INSERT), 0x08);
	put(rig, INSERT, 0x08);
	expect(rig, 4, 0);
	assert_int_equal(vdev_cpus_set(rig->machine, 0), -EINVAL);
	assert_int_equal(vdev_cpus_set(rig->machine, FAKE_CPUS + 1), -EINVAL);
	rig_destroy(rig);
}

static void test_go(void **state)
{
	struct rig *rig = rig_create_cpus(4);

	(void)state;
	assert_int_equal(vdev_cpus_set(rig->machine, 1), 0);
	assert_int_equal(get(rig, REMOVE), 0x0e);
	put(rig, REMOVE, 0x0e);
	expect(rig, 4, 0); /* heard, and not done */
	put(rig, EJECT, 0x08);
	put(rig, EJECT, 0x04);
	expect(rig, 2, 0);
	/* a guest that keeps the last one: the wish is taken back, or repeated */
	assert_int_equal(vdev_cpus_set(rig->machine, 1), 0);
	assert_int_equal(get(rig, REMOVE), 0x02);
	vdev_cpus_keep(rig->machine);
	assert_int_equal(get(rig, REMOVE), 0);
	assert_int_equal(vdev_cpus_set(rig->machine, 3), 0);
	assert_int_equal(get(rig, INSERT), 0x04);
	assert_int_equal(get(rig, REMOVE), 0);
	rig_destroy(rig);
}

/* Nothing that a guest writes makes CPUs, or takes the first one. */
static void test_hostile(void **state)
{
	struct rig *rig = rig_create_cpus(2);
	unsigned port = vdev_machine_acpi(rig->machine)->cpu_port;

	(void)state;
	for (unsigned offset = 0; offset < 32; offset++)
		for (unsigned len = 1; len <= 8 && offset + len <= 32; len *= 2)
			fake_hv_write(rig->vm, HV_PIO, port + offset, UINT64_MAX, len);
	assert_int_equal(get(rig, PRESENT), 0x01);
	expect(rig, 1, 0);
	assert_int_equal(fake_hv_read(rig->vm, HV_PIO, port + 6, 4), 0); /* across two sets */
	rig_destroy(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixed),
		cmocka_unit_test(test_come),
		cmocka_unit_test(test_go),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
