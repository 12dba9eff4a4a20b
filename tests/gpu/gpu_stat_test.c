/* SPDX-License-Identifier: BSD-3-Clause */
/* What GPUs tell of themselves: by a made-up NVML, by hwmon, by amdgpu's files; and inventory. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/gpu/rig.h"

/* The library lies beside this program. */
static void open_with_nvml(struct rig *rig)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 32);
	struct gpu_config config = {.sriov = rig->sriov,
				    .sysfs = rig->sysfs.dir,
				    .root = rig->sysfs.dir,
				    .nvml = path,
				    .smi = rig->smi};

	assert_true(n > 0);
	path[n] = '\0';
	strcpy(strrchr(path, '/') + 1, "libfake-nvml.so");
	gpu_close(rig->gpu);
	assert_int_equal(gpu_open(&config, &rig->gpu), 0);
}

static void test_nvml(void **state)
{
	struct rig *rig = *state;
	struct gpu_stat stat;

	rig_plain(rig, RIG_GPU, "nvidia");
	rig_plain(rig, RIG_GPU2, "nvidia");
	struct gpu_device dev = rig_find(rig, RIG_GPU), other = rig_find(rig, RIG_GPU2);
	gpu_stat(rig->gpu, &dev, &stat); /* no library: no numbers, no complaint */
	assert_string_equal(stat.source, "");
	assert_true(stat.celsius < 0);
	open_with_nvml(rig);
	gpu_stat(rig->gpu, &dev, &stat);
	assert_string_equal(stat.source, "nvml");
	assert_true(stat.celsius == 61 && stat.busy == 37 && stat.watts == 120.5);
	assert_true(stat.memory_used == 8589934592.0 && stat.memory_total == 51539607552.0);
	gpu_stat(rig->gpu, &other, &stat);
	assert_string_equal(stat.source, "");
}

static void test_files(void **state)
{
	struct rig *rig = *state;
	const char *const dir = "bus/pci/devices/" RIG_GPU;
	struct gpu_stat stat;

	rig_plain(rig, RIG_GPU, "amdgpu");
	fake_put(&rig->sysfs.fs, "45500\n", "%s/hwmon/hwmon3/temp1_input", dir);
	fake_put(&rig->sysfs.fs, "30000000\n", "%s/hwmon/hwmon3/power1_average", dir);
	struct gpu_device dev = rig_find(rig, RIG_GPU);
	gpu_stat(rig->gpu, &dev, &stat);
	assert_string_equal(stat.source, "hwmon");
	assert_true(stat.celsius == 45.5 && stat.watts == 30 && stat.busy < 0);
	fake_put(&rig->sysfs.fs, "12\n", "%s/gpu_busy_percent", dir);
	fake_put(&rig->sysfs.fs, "1048576\n", "%s/mem_info_vram_used", dir);
	gpu_stat(rig->gpu, &dev, &stat);
	assert_true(stat.busy == 12 && stat.memory_used == 1048576);
}

static void test_inventory(void **state)
{
	struct rig *rig = *state;
	static const struct {
		const char *class;
		bool gpu;
	} classes[] = {{"0x030000\n", true}, {"0x030200\n", true},  {"0x038000\n", true},
		       {"0x120000\n", true}, {"0x030100\n", false}, {"0x020000\n", false},
		       {"0x120100\n", false}};
	struct gpu_device *list;
	size_t count;

	rig_plain(rig, RIG_GPU, "somegpu");
	for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++) {
		fake_put(&rig->sysfs.fs, classes[i].class, "bus/pci/devices/" RIG_GPU "/class");
		assert_int_equal(gpu_list(rig->gpu, &list, &count), 0);
		assert_int_equal(count, classes[i].gpu);
		free(list);
	}
	fake_put(&rig->sysfs.fs, "0x030000\n", "bus/pci/devices/" RIG_GPU "/class");
	struct gpu_device dev = rig_find(rig, RIG_GPU);
	assert_int_equal(dev.bar_count, 1);
	assert_true(dev.bars[0].is64 && dev.bars[0].prefetchable);
	assert_int_equal(dev.bars[0].size, 256 << 20);
	assert_int_equal(dev.vram, 256 << 20);
	assert_int_equal(dev.modes, 1u << GPU_WHOLE);
	assert_string_equal(dev.why_not[GPU_VF], "it has no SR-IOV capability");
	assert_string_equal(dev.why_not[GPU_MDEV], "driver somegpu offers no mediated devices");
	assert_non_null(strstr(dev.why_not[GPU_MIG], "NVIDIA's"));
	fake_unlink(&rig->sysfs.fs, "bus/pci/devices/" RIG_GPU "/iommu_group");
	dev = rig_find(rig, RIG_GPU);
	assert_int_equal(dev.modes, 0);
	assert_string_equal(dev.why_not[GPU_WHOLE],
			    "it has no IOMMU group: the IOMMU is absent or off");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {T(test_nvml), T(test_files), T(test_inventory)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
