/* SPDX-License-Identifier: BSD-3-Clause */
/* Slices of every backend over made-up machines: made, listed, given away, taken back, destroyed,
 * refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/log.h"
#include "tests/gpu/rig.h"

#define GIB (UINT64_C(1) << 30)
#define XE  "bus/pci/devices/" RIG_GPU "/sriov_admin"

static bool said(const char *text)
{
	return strstr(log_last(), text) != NULL;
}

/* A VM that lives takes it, gives it back. */
static void cycle(struct rig *rig, const char *name)
{
	struct gpu_slice s = rig_slice(rig, name);
	int life = sriov_owner_lock(rig->sriov, "web");

	assert_true(life >= 0);
	assert_int_equal(gpu_claim(rig->gpu, &s, "web"), 0);
	s = rig_slice(rig, name);
	assert_int_equal(s.state, GPU_HELD);
	assert_string_equal(s.owner, "web");
	assert_int_equal(gpu_slice_destroy(rig->gpu, &s), -EBUSY);
	assert_true(said("vm web has it"));
	assert_int_equal(gpu_claim(rig->gpu, &s, "web"), -EBUSY);
	assert_int_equal(sriov_release(rig->sriov, s.bdf, "web"), 0);
	io_close(&life);
	assert_int_equal(rig_slice(rig, name).state, GPU_FREE);
}

static void destroy(struct rig *rig, const char *name)
{
	struct gpu_slice s = rig_slice(rig, name);

	assert_int_equal(gpu_slice_destroy(rig->gpu, &s), 0);
	assert_int_equal(gpu_slice_find(rig->gpu, name, &s), -ENOENT);
}

/* ---- mediated devices ---- */

static void test_mdev(void **state)
{
	struct rig *rig = *state;
	struct gpu_slice s;
	char uuid[64];

	rig_mbochs(rig);
	struct gpu_device dev = rig_find(rig, RIG_MDEV);
	assert_int_equal(dev.modes, 1u << GPU_MDEV);
	assert_true(bdf_is_stand_in(dev.bdf));
	assert_int_equal(rig_create(rig, RIG_MDEV, "memory=10M", &s), 0);
	assert_string_equal(s.profile, "mbochs-medium"); /* the smallest that does */
	assert_int_equal(s.state, GPU_FREE);
	assert_int_equal(s.memory, 16 << 20);
	assert_true(s.iommu_group >= 100);
	strcpy(uuid, s.vfio);
	assert_true(sysfs_exists(&rig->sysfs.fs, "bus/mdev/devices/%s", uuid));
	assert_true(sysfs_exists(&rig->sysfs.fs, "etc/mdevctl.d/" RIG_MDEV "/%s", uuid));
	cycle(rig, RIG_MDEV "/0");
	assert_int_equal(gpu_slice_find(rig->gpu, uuid, &s), 0); /* by its UUID too */
	assert_int_equal(rig_create(rig, RIG_MDEV, "profile=mbochs-small", &s), 0);
	assert_int_equal(s.index, 1);
	destroy(rig, RIG_MDEV "/0");
	destroy(rig, RIG_MDEV "/1");
	assert_false(sysfs_exists(&rig->sysfs.fs, "etc/mdevctl.d/" RIG_MDEV "/%s", uuid));
	assert_int_equal(rig_kernel()->mbochs, 256 << 20);
	assert_int_equal(rig_slices(rig), 0);
	/* The same place has the same UUID again. */
	assert_int_equal(rig_create(rig, RIG_MDEV, "profile=mbochs-large", &s), 0);
	assert_string_equal(s.vfio, uuid);
}

static void test_mdev_pool(void **state)
{
	struct rig *rig = *state;

	rig_mbochs(rig);
	for (int i = 0; i < 4; i++)
		assert_int_equal(rig_create(rig, RIG_MDEV, "profile=mbochs-large", NULL), 0);
	assert_int_equal(rig_create(rig, RIG_MDEV, "profile=mbochs-small", NULL), -ENOSPC);
	assert_true(said("no more 'mbochs-small': its pool is used up; slice mbochs/0 has"));
	assert_int_equal(rig_slices(rig), 4);
	assert_int_equal(rig_create(rig, RIG_MDEV, "profile=mbochs-huge", NULL), -ENOENT);
	assert_int_equal(rig_assert(rig), 0);
}

/* A definition of mdevctl's own is shown, left alone, and keeps its other keys. */
static void test_mdevctl(void **state)
{
	struct rig *rig = *state;
	const char *theirs = "11111111-2222-3333-4444-555555555555";
	char path[128];

	rig_mbochs(rig);
	snprintf(path, sizeof(path), "etc/mdevctl.d/" RIG_MDEV "/%s", theirs);
	fake_put(
		&rig->sysfs.fs,
		"{\"mdev_type\": \"mbochs-small\", \"start\": \"manual\", \"attrs\": [{\"a\": \"1\"}]}",
		"%s", path);
	struct gpu_slice s = rig_slice(rig, theirs);
	assert_int_equal(s.state, GPU_FOREIGN);
	assert_string_equal(s.profile, "mbochs-small");
	assert_int_equal(gpu_slice_destroy(rig->gpu, &s), -EPERM);
	assert_true(said("was not made by sluice"));
	assert_int_equal(rig_create(rig, RIG_MDEV, "profile=mbochs-small", NULL), 0);
	assert_string_equal(rig_text(rig, "%s", path),
			    "{\"mdev_type\": \"mbochs-small\", \"start\": \"manual\", \"attrs\": "
			    "[{\"a\": \"1\"}]}");
}

/* After a boot nothing of it is there; apply makes it, with the same UUID. A type that is gone with
 * a driver's update is said, and does not keep the others. */
static void test_mdev_boot(void **state)
{
	struct rig *rig = *state;
	struct gpu_slice a, b;

	rig_mbochs(rig);
	assert_int_equal(rig_create(rig, RIG_MDEV, "profile=mbochs-small", &a), 0);
	assert_int_equal(rig_create(rig, RIG_MDEV, "profile=mbochs-medium", &b), 0);
	fake_remove(&rig->sysfs.fs, "bus/mdev/devices/%s", a.vfio);
	fake_remove(&rig->sysfs.fs, "bus/mdev/devices/%s", b.vfio);
	fake_remove(&rig->sysfs.fs, "class/mdev_bus");
	rig_mbochs(rig);
	assert_int_equal(rig_slice(rig, RIG_MDEV "/0").state, GPU_MISSING);
	assert_int_equal(rig_assert(rig), 2);
	assert_int_equal(rig_apply(rig), 2);
	assert_int_equal(rig_assert(rig), 0);
	assert_string_equal(rig_slice(rig, RIG_MDEV "/0").vfio, a.vfio);
	fake_remove(&rig->sysfs.fs, "bus/mdev/devices/%s", a.vfio);
	fake_remove(&rig->sysfs.fs, "bus/mdev/devices/%s", b.vfio);
	fake_remove(&rig->sysfs.fs, "class/mdev_bus");
	rig_mbochs(rig);
	fake_remove(&rig->sysfs.fs,
		    "class/mdev_bus/" RIG_MDEV "/mdev_supported_types/mbochs-small");
	assert_true(rig_apply(rig) < 0);
	assert_int_equal(rig_slice(rig, RIG_MDEV "/1").state, GPU_FREE);
	assert_int_equal(rig_slice(rig, RIG_MDEV "/0").state, GPU_MISSING);
}

/* ---- Intel ---- */

static void test_xe(void **state)
{
	struct rig *rig = *state;
	struct gpu_slice s;

	rig_xe(rig, 7, false, false);
	assert_string_equal(rig_find(rig, RIG_GPU).backend[GPU_VF], "xe");
	assert_int_equal(
		rig_create(rig, RIG_GPU, "memory=4G,quantum=20,preempt=1000,priority=high", &s), 0);
	assert_int_equal(s.index, 0);
	assert_string_equal(rig_text(rig, XE "/vf1/profile/vram_quota"), "4294967296");
	assert_string_equal(rig_text(rig, XE "/vf1/profile/exec_quantum_ms"), "20");
	assert_string_equal(rig_text(rig, XE "/vf1/profile/preempt_timeout_us"), "1000");
	assert_string_equal(rig_text(rig, XE "/vf1/profile/sched_priority"), "high");
	assert_int_equal(rig_create(rig, RIG_GPU, "memory=10G", NULL), 0);
	assert_int_equal(rig_create(rig, RIG_GPU, "memory=4G", NULL), -ENOSPC);
	assert_true(said("4 GiB asked for, 2 GiB left of its memory"));
	cycle(rig, RIG_GPU "/0");
	destroy(rig, RIG_GPU "/0");
	assert_string_equal(rig_text(rig, XE "/vf1/profile/vram_quota"), "0");
	assert_int_equal(rig_create(rig, RIG_GPU, "memory=4G", NULL), 0);
	assert_int_equal(rig_create(rig, RIG_GPU, "policy=fair", NULL), -EOPNOTSUPP);
	for (int i = 0; i < 5; i++)
		assert_int_equal(rig_create(rig, RIG_GPU, "quantum=5", NULL), 0);
	assert_int_equal(rig_create(rig, RIG_GPU, "quantum=5", NULL), -ENOSPC);
	assert_true(said("all its places have slices"));
	assert_int_equal(rig_slices(rig), 7);
}

/* A quota that the driver rounds is refused, and put back. */
static void test_xe_clamps(void **state)
{
	struct rig *rig = *state;

	rig_xe(rig, 2, false, false);
	rig_kernel()->clamps = true;
	assert_int_equal(rig_create(rig, RIG_GPU, "memory=100M", NULL), -ERANGE);
	assert_true(said("104857600 was asked for, and the driver made it 67108864"));
	assert_int_equal(rig_slices(rig), 0);
	assert_string_equal(rig_text(rig, XE "/vf1/profile/vram_quota"), "0");
	assert_int_equal(rig_create(rig, RIG_GPU, "memory=128M", NULL), 0);
	assert_int_equal(rig_assert(rig), 0);
}

/* Scheduling may change below a VM that runs, memory not. */
static void test_xe_live(void **state)
{
	struct rig *rig = *state;
	struct gpu_request request;
	struct gpu_slice s;

	rig_xe(rig, 2, false, false);
	assert_int_equal(rig_create(rig, RIG_GPU, "memory=1G", &s), 0);
	int life = sriov_owner_lock(rig->sriov, "web");
	assert_int_equal(gpu_claim(rig->gpu, &s, "web"), 0);
	gpu_request_parse("test", "quantum=30", &request);
	assert_int_equal(gpu_slice_set(rig->gpu, &s, &request), 0);
	assert_string_equal(rig_text(rig, XE "/vf1/profile/exec_quantum_ms"), "30");
	gpu_request_parse("test", "memory=2G", &request);
	assert_int_equal(gpu_slice_set(rig->gpu, &s, &request), -EBUSY);
	assert_true(said("vm web has it"));
	assert_int_equal(sriov_release(rig->sriov, s.bdf, "web"), 0);
	io_close(&life);
	assert_int_equal(gpu_slice_set(rig->gpu, &s, &request), 0);
	assert_string_equal(rig_text(rig, XE "/vf1/profile/vram_quota"), "2147483648");
	/* What VFs lose with a boot is set again. */
	fake_put(&rig->sysfs.fs, "0\n", XE "/vf1/profile/vram_quota");
	assert_int_equal(rig_assert(rig), 1);
	assert_int_equal(rig_apply(rig), 1);
	assert_string_equal(rig_text(rig, XE "/vf1/profile/vram_quota"), "2147483648");
}

static void debugfs(struct rig *rig, bool old, const char *memory, const char *quantum)
{
	rig_xe(rig, 7, true, old);
	assert_string_equal(rig_find(rig, RIG_GPU).backend[GPU_VF], "xe-debugfs");
	assert_int_equal(rig_create(rig, RIG_GPU, "memory=4G,quantum=10", NULL), 0);
	/* Both tiles have half of it. */
	assert_string_equal(rig_text(rig, memory, 0), "2147483648");
	assert_string_equal(rig_text(rig, memory, 1), "2147483648");
	assert_string_equal(rig_text(rig, quantum, 1), "10");
	assert_int_equal(rig_slice(rig, RIG_GPU "/0").memory, 4 * GIB);
	destroy(rig, RIG_GPU "/0");
	assert_string_equal(rig_text(rig, memory, 1), "0");
}

static void test_xe_debugfs(void **state)
{
	debugfs(*state, false, "kernel/debug/dri/" RIG_GPU "/sriov/vf1/tile%d/vram_quota",
		"kernel/debug/dri/" RIG_GPU "/sriov/vf1/tile%d/gt0/exec_quantum_ms");
}

static void test_xe_debugfs_old(void **state)
{
	debugfs(*state, true, "kernel/debug/dri/" RIG_GPU "/gt%d/vf1/lmem_quota",
		"kernel/debug/dri/" RIG_GPU "/gt%d/vf1/exec_quantum_ms");
}

static void i915(struct rig *rig, const char *dir)
{
	rig_i915(rig, 7, dir);
	assert_string_equal(rig_find(rig, RIG_GPU).backend[GPU_VF], "i915");
	assert_int_equal(rig_create(rig, RIG_GPU, "quantum=40,preempt=500", NULL), 0);
	assert_string_equal(
		rig_text(rig, "bus/pci/devices/" RIG_GPU "/drm/card0/%s/vf1/gt0/exec_quantum_ms",
			 dir),
		"40");
	cycle(rig, RIG_GPU "/0");
	assert_int_equal(rig_create(rig, RIG_GPU, "priority=high", NULL), -EOPNOTSUPP);
	destroy(rig, RIG_GPU "/0");
}

static void test_i915(void **state)
{
	i915(*state, "prelim_iov");
}

static void test_i915_older(void **state)
{
	i915(*state, "iov");
}

/* ---- NVIDIA ---- */

static void test_nvidia_mixed(void **state)
{
	struct rig *rig = *state;
	struct gpu_slice s;

	rig_nvidia(rig, 4);
	assert_int_equal(rig_create(rig, RIG_GPU, "memory=12G", &s), 0);
	assert_string_equal(s.profile, "1430");
	assert_int_equal(s.access, GPU_AS_IS);
	assert_int_equal(rig_create(rig, RIG_GPU, "memory=8G,params=frame_rate_limiter=0", &s), 0);
	assert_string_equal(s.profile, "1428");
	assert_string_equal(s.value[5], "frame_rate_limiter=0");
	cycle(rig, RIG_GPU "/1");
	assert_int_equal(rig_create(rig, RIG_GPU, "profile=1432", NULL), -EXDEV);
	assert_true(said("'1432' cannot be made beside its '1430'"));
	destroy(rig, RIG_GPU "/0");
	destroy(rig, RIG_GPU "/1");
	assert_int_equal(rig_create(rig, RIG_GPU, "profile=1432", NULL), 0);
	assert_int_equal(rig_assert(rig), 0);
}

/* The list of what can be made is read again after each: one size, where mixes are off. */
static void test_nvidia_homogeneous(void **state)
{
	struct rig *rig = *state;
	struct gpu_request request;

	rig_kernel()->homogeneous = true;
	rig_nvidia(rig, 4);
	assert_int_equal(rig_create(rig, RIG_GPU, "profile=1428", NULL), 0);
	assert_int_equal(rig_create(rig, RIG_GPU, "profile=1430", NULL), -EXDEV);
	assert_true(said("slice 0000:03:00.0/0 has '1428'"));
	assert_int_equal(rig_create(rig, RIG_GPU, "profile=1428", NULL), 0);
	/* Another profile for one of two: the other must go first, and is named. */
	struct gpu_slice s = rig_slice(rig, RIG_GPU "/1");
	gpu_request_parse("test", "profile=1430", &request);
	assert_int_equal(gpu_slice_set(rig->gpu, &s, &request), -EBUSY);
	assert_true(said("stop and destroy first: 0000:03:00.0/0"));
	destroy(rig, RIG_GPU "/0");
	destroy(rig, RIG_GPU "/1");
	assert_int_equal(rig_create(rig, RIG_GPU, "profile=1430", NULL), 0);
}

static void test_mig(void **state)
{
	struct rig *rig = *state;
	struct gpu_slice s;

	rig_mig(rig, false);
	assert_true(rig_find(rig, RIG_GPU).modes & 1u << GPU_MIG);
	assert_int_equal(rig_create(rig, RIG_GPU, "mode=mig,share=20%,memory=8G", &s), 0);
	assert_string_equal(s.profile, "2g.10gb");
	assert_int_equal(s.index, 0);
	assert_int_equal(rig_create(rig, RIG_GPU, "mode=mig,profile=1g.5gb", &s), 0);
	assert_int_equal(s.index, 2);
	assert_int_equal(rig_create(rig, RIG_GPU, "mode=mig,profile=3g.20gb", &s), 0);
	assert_int_equal(s.index, 4);
	assert_int_equal(rig_create(rig, RIG_GPU, "mode=mig,profile=3g.20gb", NULL), -ENOSPC);
	/* A partition alone is nothing for a VM. */
	int life = sriov_owner_lock(rig->sriov, "web");
	assert_int_equal(gpu_claim(rig->gpu, &s, "web"), -EOPNOTSUPP);
	assert_true(said("with place=5"));
	io_close(&life);
	destroy(rig, RIG_GPU "/mig2");
	assert_int_equal(rig_create(rig, RIG_GPU, "mode=mig,profile=1g.5gb", &s), 0);
	/* After a boot they are gone, and made again. */
	fake_put(&rig->sysfs.fs, "", "mig.state");
	assert_int_equal(rig_assert(rig), 3);
	assert_int_equal(rig_apply(rig), 3);
	assert_int_equal(rig_assert(rig), 0);
}

/* A vendor's tool that hangs costs its deadline and a word, nothing else. */
static void test_mig_tool(void **state)
{
	struct rig *rig = *state;

	rig_mig(rig, true);
	struct gpu_device dev = rig_find(rig, RIG_GPU);
	assert_false(dev.modes & 1u << GPU_MIG);
	assert_non_null(strstr(dev.why_not[GPU_MIG], "has not answered for 2000 ms"));
	assert_true(dev.modes & 1u << GPU_WHOLE);
	fake_unlink(&rig->sysfs.fs, "nvidia-smi");
	dev = rig_find(rig, RIG_GPU);
	assert_non_null(strstr(dev.why_not[GPU_MIG], "is not installed"));
}

/* ---- AMD, and others ---- */

static void test_gim(void **state)
{
	struct rig *rig = *state;
	struct gpu_slice s;

	rig_gim(rig, 4);
	assert_int_equal(rig_create(rig, RIG_GPU, "policy=sw-round-robin", &s), 0);
	assert_int_equal(s.memory, 4 * GIB);
	assert_string_equal(s.value[4], "sw-round-robin");
	assert_int_equal(rig_create(rig, RIG_GPU, "policy=hybrid", NULL), -EBUSY);
	assert_true(said("modprobe -r gim"));
	assert_int_equal(rig_slices(rig), 1);
	cycle(rig, RIG_GPU "/0");
	destroy(rig, RIG_GPU "/0");
}

static void test_generic(void **state)
{
	struct rig *rig = *state;

	rig_generic(rig, 3);
	assert_string_equal(rig_find(rig, RIG_GPU).backend[GPU_VF], "vf");
	assert_int_equal(rig_create(rig, RIG_GPU, "", NULL), 0);
	cycle(rig, RIG_GPU "/0");
	assert_int_equal(rig_create(rig, RIG_GPU, "quantum=1", NULL), -EOPNOTSUPP);
	assert_int_equal(rig_create(rig, RIG_GPU, "mode=whole", NULL), -EOPNOTSUPP);
	assert_true(said("it has 3 VFs, which would go with it"));
	destroy(rig, RIG_GPU "/0");
}

/* ---- all of it ---- */

static void test_whole(void **state)
{
	struct rig *rig = *state;
	const struct sysfs *fs = &rig->sysfs.fs;

	rig_plain(rig, RIG_GPU, "somegpu");
	fake_put(fs, "1\n", "bus/pci/devices/" RIG_GPU "/boot_vga");
	fake_put(fs, "(M) frame buffer device\n", "class/vtconsole/vtcon1/name");
	fake_put(fs, "1", "class/vtconsole/vtcon1/bind");
	fake_put(fs, "(S) dummy device\n", "class/vtconsole/vtcon0/name");
	fake_put(fs, "0", "class/vtconsole/vtcon0/bind");
	fake_put(fs, "", "bus/platform/devices/efi-framebuffer.0/uevent");
	fake_put(fs, "", "bus/platform/drivers/efi-framebuffer/efi-framebuffer.0");
	assert_int_equal(rig_create(rig, RIG_GPU, "", NULL), 0);
	assert_string_equal(rig_text(rig, "class/vtconsole/vtcon1/bind"), "0");
	assert_false(sysfs_exists(fs, "bus/platform/drivers/efi-framebuffer/efi-framebuffer.0"));
	cycle(rig, RIG_GPU "/whole");
	destroy(rig, RIG_GPU "/whole");
	assert_string_equal(rig_text(rig, "class/vtconsole/vtcon1/bind"), "1");
	assert_true(sysfs_exists(fs, "bus/platform/drivers/efi-framebuffer/efi-framebuffer.0"));
}

static void test_whole_audio(void **state)
{
	struct rig *rig = *state;
	const struct sysfs *fs = &rig->sysfs.fs;

	rig_plain(rig, RIG_GPU, "somegpu");
	fake_device(fs, "0000:03:00.1", 30, "snd_hda_intel");
	fake_put(fs, "0x040300\n", "bus/pci/devices/0000:03:00.1/class");
	struct gpu_slice s;
	assert_int_equal(rig_create(rig, RIG_GPU, "", &s), 0);
	assert_string_equal(s.audio, "0000:03:00.1");
	int life = sriov_owner_lock(rig->sriov, "web");
	assert_int_equal(gpu_claim(rig->gpu, &s, "web"), 0);
	char driver[64];
	assert_int_equal(
		sysfs_link_name(fs, driver, sizeof(driver), "bus/pci/devices/0000:03:00.1/driver"),
		0);
	assert_string_equal(driver, "vfio-pci");
	assert_int_equal(sriov_release_all(rig->sriov, "web"), 0);
	assert_int_equal(
		sysfs_link_name(fs, driver, sizeof(driver), "bus/pci/devices/0000:03:00.1/driver"),
		0);
	assert_string_equal(driver, "snd_hda_intel");
	io_close(&life);
	/* Another function in the group is another matter. */
	fake_device(fs, "0000:03:00.2", 30, "xhci_hcd");
	struct gpu_device dev = rig_find(rig, RIG_GPU);
	assert_false(dev.modes & 1u << GPU_WHOLE);
	assert_non_null(strstr(dev.why_not[GPU_WHOLE],
			       "0000:03:00.2, which the host uses (driver xhci_hcd)"));
}

static void test_whole_in_use(void **state)
{
	struct rig *rig = *state;
	const struct sysfs *fs = &rig->sysfs.fs;

	rig_plain(rig, RIG_GPU, "somegpu");
	fake_put(fs, "", "bus/pci/devices/" RIG_GPU "/drm/renderD128/dev");
	fake_link(fs, "/dev/dri/renderD128", "proc/812/fd/7");
	fake_put(fs, "drm-pdev:\t0000:03:00.0\ndrm-total-vram0:\t4096 KiB\n", "proc/812/fdinfo/7");
	fake_put(fs, "blender\n", "proc/812/comm");
	assert_int_equal(rig_create(rig, RIG_GPU, "", NULL), -EBUSY);
	assert_true(said("blender (pid 812) has /dev/dri/renderD128 open"));
	assert_int_equal(rig_slices(rig), 0);
	struct gpu_device dev = rig_find(rig, RIG_GPU);
	struct gpu_user *users;
	size_t count;
	bool all;
	assert_int_equal(gpu_users(rig->gpu, &dev, &users, &count, &all), 0);
	assert_int_equal(count, 1);
	assert_int_equal(users[0].memory, 4 << 20);
	free(users);
	fake_remove(fs, "proc/812");
	assert_int_equal(rig_create(rig, RIG_GPU, "", NULL), 0);
}

/* No reset: said, and nothing is pretended. */
static void test_whole_reset(void **state)
{
	struct rig *rig = *state;
	char words[GPU_WHY];
	enum gpu_scrub scrub;

	rig_plain(rig, RIG_GPU, "somegpu");
	fake_put(&rig->sysfs.fs, "0x1ee0\n", "bus/pci/devices/" RIG_GPU "/vendor");
	assert_int_equal(rig_create(rig, RIG_GPU, "", NULL), 0);
	struct gpu_slice s = rig_slice(rig, RIG_GPU "/whole");
	assert_int_equal(gpu_slice_reset(rig->gpu, &s, &scrub, words), 0);
	assert_int_equal(scrub, GPU_SCRUB_NONE);
	assert_non_null(strstr(words, "no reset"));
	fake_put(&rig->sysfs.fs, "flr bus\n", "bus/pci/devices/" RIG_GPU "/reset_method");
	fake_put(&rig->sysfs.fs, "", "bus/pci/devices/" RIG_GPU "/reset");
	assert_int_equal(gpu_slice_reset(rig->gpu, &s, &scrub, words), 0);
	assert_int_equal(scrub, GPU_SCRUB_HARDWARE);
	assert_int_equal(fake_kernel()->resets, 1);
}

/* ---- pools ---- */

static void test_pool(void **state)
{
	struct rig *rig = *state;
	struct gpu_pool pool = {.name = "vdi", .mode = -1, .policy = GPU_BINPACK};
	struct gpu_slice a, b;
	char why[GPU_WHY];

	rig_mbochs(rig);
	strcpy(pool.gpus, RIG_MDEV);
	strcpy(pool.profile, "mbochs-small");
	assert_int_equal(gpu_pool_set(rig->gpu, &pool), 0);
	assert_int_equal(gpu_take(rig->gpu, "vdi", -1, true, NULL, NULL, &a, why), 0);
	assert_string_equal(a.vfio, "new");
	assert_int_equal(rig_slices(rig), 0);
	assert_int_equal(gpu_take(rig->gpu, "vdi", -1, false, NULL, NULL, &a, why), 0);
	assert_string_equal(a.profile, "mbochs-small");
	assert_string_equal(a.pool, "vdi");
	/* The free one is taken before another is made. */
	assert_int_equal(gpu_take(rig->gpu, "vdi", -1, false, NULL, NULL, &b, why), 0);
	assert_string_equal(b.vfio, a.vfio);
	assert_non_null(strstr(why, "was free"));
	assert_int_equal(gpu_take(rig->gpu, "vdi:memory=60M", -1, false, NULL, NULL, &b, why), 0);
	assert_string_equal(b.profile, "mbochs-large");
	assert_int_equal(gpu_take(rig->gpu, "vdi:memory=1G", -1, false, NULL, NULL, &b, why),
			 -ENOENT);
	assert_true(said("has no profile so large"));
	assert_int_equal(gpu_pool_drop(rig->gpu, "vdi"), -EBUSY);
	assert_true(said("slice mbochs/0 belongs to it"));
	struct gpu_room *rooms;
	size_t count;
	assert_int_equal(gpu_rooms(rig->gpu, "vdi", &rooms, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(rooms[0].slices, 2);
	assert_int_equal(rooms[0].free, 188 << 20);
	assert_int_equal(rooms[0].largest, 64 << 20);
	free(rooms);
	destroy(rig, RIG_MDEV "/0");
	destroy(rig, RIG_MDEV "/1");
	assert_int_equal(gpu_pool_drop(rig->gpu, "vdi"), 0);
	assert_int_equal(gpu_take(rig->gpu, "nosuch", -1, false, NULL, NULL, &a, why), -ENODEV);
	assert_true(said("no such GPU; there is mbochs"));
}

/* A VM that was killed leaves its slice orphaned; apply takes it back. */
static void test_orphan(void **state)
{
	struct rig *rig = *state;
	struct gpu_slice s;

	rig_mbochs(rig);
	assert_int_equal(rig_create(rig, RIG_MDEV, "profile=mbochs-small", &s), 0);
	int life = sriov_owner_lock(rig->sriov, "web");
	assert_int_equal(gpu_claim(rig->gpu, &s, "web"), 0);
	io_close(&life);
	assert_int_equal(rig_slice(rig, RIG_MDEV "/0").state, GPU_ORPHANED);
	assert_int_equal(rig_assert(rig), 1);
	assert_non_null(strstr(rig->told, "left over from vm web"));
	assert_int_equal(rig_apply(rig), 0);
	assert_int_equal(rig_slice(rig, RIG_MDEV "/0").state, GPU_FREE);
	assert_int_equal(rig_assert(rig), 0);
}

/* A step that fails undoes those before it. */
static void test_undo(void **state)
{
	struct rig *rig = *state;

	rig_xe(rig, 2, false, false);
	for (int at = 1; at <= 3; at++) {
		rig_kernel()->fails_at = at;
		rig_kernel()->error = -EIO;
		assert_int_equal(
			rig_create(rig, RIG_GPU, "memory=1G,quantum=20,priority=high", NULL), -EIO);
		assert_int_equal(rig_slices(rig), 0);
		assert_string_equal(rig_text(rig, XE "/vf1/profile/vram_quota"), "0");
		assert_int_equal(rig_assert(rig), 0);
	}
	assert_int_equal(rig_create(rig, RIG_GPU, "memory=1G,quantum=20,priority=high", NULL), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		T(test_mdev),
		T(test_mdev_pool),
		T(test_mdevctl),
		T(test_mdev_boot),
		T(test_xe),
		T(test_xe_clamps),
		T(test_xe_live),
		T(test_xe_debugfs),
		T(test_xe_debugfs_old),
		T(test_i915),
		T(test_i915_older),
		T(test_nvidia_mixed),
		T(test_nvidia_homogeneous),
		T(test_mig),
		T(test_mig_tool),
		T(test_gim),
		T(test_generic),
		T(test_whole),
		T(test_whole_audio),
		T(test_whole_in_use),
		T(test_whole_reset),
		T(test_pool),
		T(test_orphan),
		T(test_undo),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
