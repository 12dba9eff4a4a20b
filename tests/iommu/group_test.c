/* SPDX-License-Identifier: BSD-3-Clause */
/* Groups from a made-up sysfs: who is a member, who is in the way, what is reserved. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "iommu/iommu.h"
#include "tests/fakes/fake_sysfs.h"

static const struct bdf nic = {0, 1, 0, 0}, audio = {0, 1, 0, 1};

static int setup(void **state)
{
	struct fake_sysfs *fake = calloc(1, sizeof(*fake));

	fake_sysfs_make(fake);
	fake_device(&fake->fs, "0000:01:00.0", 7, "igb");
	*state = fake;
	return 0;
}

static int teardown(void **state)
{
	fake_sysfs_remove(*state);
	free(*state);
	return 0;
}

static void test_alone(void **state)
{
	struct fake_sysfs *fake = *state;
	struct iommu_group *group;

	assert_int_equal(iommu_group_read(&fake->fs, nic, &group), 0);
	assert_int_equal(group->id, 7);
	assert_string_equal(group->type, "DMA-FQ");
	assert_int_equal(group->count, 1);
	assert_int_equal(group->members[0].state, IOMMU_MEMBER_HOST);
	assert_string_equal(group->members[0].driver, "igb");
	assert_null(iommu_group_blocker(group, nic)); /* its own driver is not in the way */
	free(group);
}

static void test_states(void **state)
{
	static const struct {
		const char *bdf, *driver;
		enum iommu_member_state state;
	} members[] = {
		{"0000:00:1c.0", "pcieport", IOMMU_MEMBER_BRIDGE},
		{"0000:01:00.1", "", IOMMU_MEMBER_FREE},
		{"0000:01:00.2", "vfio-pci", IOMMU_MEMBER_VFIO},
		{"0000:01:00.3", "mlx5_vfio_pci", IOMMU_MEMBER_VFIO},
		{"0000:01:00.4", "pci-stub", IOMMU_MEMBER_VFIO},
	};
	struct fake_sysfs *fake = *state;
	struct iommu_group *group;

	for (size_t i = 5; i-- > 0;)
		fake_device(&fake->fs, members[i].bdf, 7, members[i].driver);
	assert_int_equal(iommu_group_read(&fake->fs, nic, &group), 0);
	assert_int_equal(group->count, 6);
	assert_int_equal(group->members[0].state, members[0].state); /* sorted by address */
	for (size_t i = 1; i < 5; i++)
		assert_int_equal(group->members[i + 1].state, members[i].state);
	assert_null(iommu_group_blocker(group, nic));
	assert_non_null(iommu_group_blocker(group, audio)); /* the NIC is in the way of others */
	free(group);
}

static void test_blocker(void **state)
{
	struct fake_sysfs *fake = *state;
	struct iommu_group *group;

	fake_device(&fake->fs, "0000:01:00.1", 7, "snd_hda_intel");
	assert_int_equal(iommu_group_read(&fake->fs, nic, &group), 0);
	const struct iommu_member *blocker = iommu_group_blocker(group, nic);
	assert_non_null(blocker);
	assert_true(bdf_equal(blocker->bdf, audio));
	assert_string_equal(blocker->driver, "snd_hda_intel");
	free(group);
}

static void test_absent(void **state)
{
	struct fake_sysfs *fake = *state;
	struct iommu_group *group;

	assert_int_equal(iommu_group_read(&fake->fs, audio, &group), -ENODEV);
	fake_device(&fake->fs, "0000:01:00.1", -1, "igb");
	assert_int_equal(iommu_group_read(&fake->fs, audio, &group), -ENOENT);
	fake_link(&fake->fs, "../x", "kernel/iommu_groups/7/devices/INT33C3:00");
	assert_int_equal(iommu_group_read(&fake->fs, nic, &group), -ENOTSUP); /* fail closed */
}

static void test_reserved(void **state)
{
	struct fake_sysfs *fake = *state;
	struct iommu_reserved *list;
	size_t count;

	fake_put(&fake->fs,
		 "0x00000000fee00000 0x00000000feefffff msi\n"
		 "0x00000000000e0000 0x00000000000fffff direct-relaxable\n",
		 "kernel/iommu_groups/7/reserved_regions");
	assert_int_equal(iommu_group_reserved(&fake->fs, 7, &list, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(list[0].range.start, 0xe0000);
	assert_int_equal(list[0].range.last, 0xfffff);
	assert_string_equal(list[0].type, "direct-relaxable");
	assert_string_equal(list[1].type, "msi");
	free(list);
	fake_put(&fake->fs, "", "kernel/iommu_groups/7/reserved_regions");
	assert_int_equal(iommu_group_reserved(&fake->fs, 7, &list, &count), 0);
	assert_int_equal(count, 0);
	free(list);
	fake_put(&fake->fs, "0x9 0x1 msi\n", "kernel/iommu_groups/7/reserved_regions");
	assert_int_equal(iommu_group_reserved(&fake->fs, 7, &list, &count), -EINVAL);
	assert_int_equal(iommu_group_reserved(&fake->fs, 8, &list, &count), -ENOENT);
}

static void test_device_file(void **state)
{
	struct fake_sysfs fake;
	char path[IOMMU_PATH];
	(void)state;

	fake_sysfs_make(&fake);
	fake_device(&fake.fs, "0000:01:10.0", 5, "vfio-pci");
	fake_device(&fake.fs, "0000:00:01.0", 5, "pcieport");
	assert_int_equal(iommu_device_file(&fake.fs, 5, path), -ENOENT); /* no device files */
	fake_put(&fake.fs, "", "bus/pci/devices/0000:01:10.0/vfio-dev/vfio3/dev");
	assert_int_equal(iommu_device_file(&fake.fs, 5, path), 0);
	assert_string_equal(path, "/dev/vfio/devices/vfio3");
	fake_put(&fake.fs, "", "bus/pci/devices/0000:00:01.0/vfio-dev/vfio4/dev");
	assert_int_equal(iommu_device_file(&fake.fs, 5, path), -EOPNOTSUPP);
	assert_int_equal(iommu_device_file(&fake.fs, 6, path), -ENOENT);
	fake_sysfs_remove(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_device_file),
		cmocka_unit_test_setup_teardown(test_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_states, setup, teardown),
		cmocka_unit_test_setup_teardown(test_blocker, setup, teardown),
		cmocka_unit_test_setup_teardown(test_absent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reserved, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
