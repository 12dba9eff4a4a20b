/* SPDX-License-Identifier: BSD-3-Clause */
/* rig: see rig.h. */
#include "tests/gpu/rig.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)

struct rig_kernel *rig_kernel(void)
{
	static struct rig_kernel *kernel;

	if (!kernel)
		kernel = mmap(NULL, sizeof(*kernel), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return kernel;
}

/* ---- mediated devices ---- */

static const struct {
	const char *name;
	unsigned mib;
} mbochs_types[] = {{"mbochs-small", 4}, {"mbochs-medium", 16}, {"mbochs-large", 64}};

static void mbochs_count(const struct sysfs *fs)
{
	for (size_t i = 0; i < 3; i++) {
		char text[32];
		if (!sysfs_exists(fs, "class/mdev_bus/" RIG_MDEV "/mdev_supported_types/%s/create",
				  mbochs_types[i].name))
			continue;
		snprintf(text, sizeof(text), "%u\n",
			 (unsigned)(rig_kernel()->mbochs / (mbochs_types[i].mib * MIB)));
		fake_put(fs, text,
			 "class/mdev_bus/" RIG_MDEV "/mdev_supported_types/%s/available_instances",
			 mbochs_types[i].name);
	}
}

static int mbochs_create(const struct sysfs *fs, const char *type, const char *uuid)
{
	char target[128];

	for (size_t i = 0; i < 3; i++) {
		if (strcmp(type, mbochs_types[i].name) != 0)
			continue;
		if (!sysfs_exists(fs, "class/mdev_bus/" RIG_MDEV "/mdev_supported_types/%s/create",
				  type))
			return -ENOENT;
		if (sysfs_exists(fs, "bus/mdev/devices/%s", uuid))
			return -EEXIST;
		if (rig_kernel()->mbochs < mbochs_types[i].mib * MIB)
			return -ENOSPC;
		rig_kernel()->mbochs -= mbochs_types[i].mib * MIB;
		fake_put(fs, "", "bus/mdev/devices/%s/remove", uuid);
		snprintf(target, sizeof(target), "../../../kernel/iommu_groups/%u",
			 100 + (unsigned)strtoul(uuid + 33, NULL, 16) % 500);
		fake_link(fs, target, "bus/mdev/devices/%s/iommu_group", uuid);
		snprintf(target, sizeof(target), "../mdev_supported_types/%s", type);
		fake_link(fs, target, "bus/mdev/devices/%s/mdev_type", uuid);
		fake_link(fs, uuid,
			  "class/mdev_bus/" RIG_MDEV "/mdev_supported_types/%s/devices/%s", type,
			  uuid);
		mbochs_count(fs);
		return 0;
	}
	return -ENOENT;
}

static int mbochs_remove(const struct sysfs *fs, const char *uuid)
{
	char type[64];

	if (sysfs_link_name(fs, type, sizeof(type), "bus/mdev/devices/%s/mdev_type", uuid))
		return -ENOENT;
	for (size_t i = 0; i < 3; i++)
		if (!strcmp(type, mbochs_types[i].name))
			rig_kernel()->mbochs += mbochs_types[i].mib * MIB;
	fake_unlink(fs, "class/mdev_bus/" RIG_MDEV "/mdev_supported_types/%s/devices/%s", type,
		    uuid);
	fake_remove(fs, "bus/mdev/devices/%s", uuid);
	mbochs_count(fs);
	return 0;
}

/* ---- NVIDIA's vGPUs ---- */

static const char *const nvidia_types[] = {"1428 : NVIDIA A40-8Q", "1430 : NVIDIA A40-16Q",
					   "1432 : NVIDIA A40-48Q"};
static const unsigned nvidia_gib[] = {8, 16, 48};

/* What is left of 48 GiB; and with one type, where mixes are off, no other. */
static void nvidia_count(const struct sysfs *fs)
{
	unsigned used = 0, only = 0;
	char text[256] = "";

	for (unsigned i = 0; i < 4; i++) {
		uint64_t type = 0;
		sysfs_read_u64(fs, &type,
			       "bus/pci/devices/" RIG_GPU "/virtfn%u/nvidia/current_vgpu_type", i);
		used += type ? nvidia_gib[(type - 1428) / 2] : 0;
		only = type ? (unsigned)type : only;
	}
	for (size_t i = 0; i < 3; i++) {
		bool same = !only || only == 1428 + 2 * i || !rig_kernel()->homogeneous;
		if (same && used + nvidia_gib[i] <= 48)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s\n",
				 nvidia_types[i]);
	}
	for (unsigned i = 0; i < 4; i++)
		if (sysfs_exists(fs, "bus/pci/devices/" RIG_GPU "/virtfn%u/nvidia", i))
			fake_put(fs, text,
				 "bus/pci/devices/" RIG_GPU "/virtfn%u/nvidia/creatable_vgpu_types",
				 i);
}

static int nvidia_type(const struct sysfs *fs, const char *path, const char *text)
{
	char list[256] = "", dir[128], line[64];

	snprintf(dir, sizeof(dir), "%.*s", (int)(strstr(path, "/current") - path), path);
	sysfs_read_text(fs, list, sizeof(list), "%s/creatable_vgpu_types", dir);
	snprintf(line, sizeof(line), "%s : ", text);
	if (strcmp(text, "0") && !strstr(list, line))
		return -EINVAL;
	fake_put(fs, text, "%s", path);
	nvidia_count(fs);
	return 0;
}

/* ---- any driver's files ---- */

static bool is_intel(const char *path)
{
	return strstr(path, "sriov_admin/") || strstr(path, "prelim_iov/") ||
	       strstr(path, "/iov/") || strstr(path, "kernel/debug/dri/");
}

static int intel_write(const struct sysfs *fs, const char *text, const char *path)
{
	char rounded[32];

	if (rig_kernel()->clamps && (strstr(path, "vram_quota") || strstr(path, "lmem_quota"))) {
		snprintf(rounded, sizeof(rounded), "%llu",
			 strtoull(text, NULL, 10) / (64 * MIB) * (64 * MIB));
		text = rounded;
	}
	fake_put(fs, text, "%s", path);
	return 0;
}

static bool act(const struct sysfs *fs, const char *text, const char *path, int *err)
{
	char parent[64], type[64], uuid[64];
	struct rig_kernel *k = rig_kernel();
	bool create = sscanf(path, "class/mdev_bus/%63[^/]/mdev_supported_types/%63[^/]/create",
			     parent, type) == 2;
	bool drop = sscanf(path, "bus/mdev/devices/%63[^/]/remove", uuid) == 1;
	bool nvidia = strstr(path, "/nvidia/"), vt = strstr(path, "vtconsole/");
	bool platform = strstr(path, "bus/platform/drivers/");

	if (!create && !drop && !nvidia && !is_intel(path) && !vt && !platform)
		return false;
	if (k->fails_at && !--k->fails_at) {
		*err = k->error;
		return true;
	}
	*err = 0;
	if (create)
		*err = mbochs_create(fs, type, text);
	else if (drop)
		*err = mbochs_remove(fs, uuid);
	else if (nvidia && strstr(path, "current_vgpu_type"))
		*err = nvidia_type(fs, path, text);
	else if (platform && strstr(path, "/unbind"))
		fake_unlink(fs, "bus/platform/drivers/%s/%s", "efi-framebuffer", text);
	else if (platform)
		fake_put(fs, "", "bus/platform/drivers/efi-framebuffer/%s", text);
	else if (is_intel(path))
		*err = intel_write(fs, text, path);
	else
		fake_put(fs, strcmp(text, "\n") ? text : "", "%s", path);
	return true;
}

/* ---- life ---- */

void rig_reopen(struct rig *rig)
{
	struct sriov_config config = {.sysfs = rig->sysfs.dir,
				      .state_dir = rig->state_dir,
				      .run_dir = rig->run_dir,
				      .root = rig->sysfs.dir};
	struct gpu_config gpu = {.sysfs = rig->sysfs.dir,
				 .root = rig->sysfs.dir,
				 .nvml = "/nonexistent/libnvidia-ml.so",
				 .smi = rig->smi,
				 .tool_ms = 2000};

	gpu_close(rig->gpu);
	sriov_close(rig->sriov);
	rig->gpu = NULL;
	assert_int_equal(sriov_open(&config, &rig->sriov), 0);
	gpu.sriov = rig->sriov;
	assert_int_equal(gpu_open(&gpu, &rig->gpu), 0);
}

int rig_setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	fake_kernel_reset();
	memset(rig_kernel(), 0, sizeof(*rig_kernel()));
	fake_kernel()->more = act;
	fake_sysfs_make(&rig->sysfs);
	fake_put(&rig->sysfs.fs, "", "module/vfio_iommu_type1/refcnt");
	snprintf(rig->state_dir, sizeof(rig->state_dir), "%s/var/lib", rig->sysfs.dir);
	snprintf(rig->run_dir, sizeof(rig->run_dir), "%s/run", rig->sysfs.dir);
	snprintf(rig->smi, sizeof(rig->smi), "%s/nvidia-smi", rig->sysfs.dir);
	rig_reopen(rig);
	*state = rig;
	return 0;
}

int rig_teardown(void **state)
{
	struct rig *rig = *state;

	gpu_close(rig->gpu);
	sriov_close(rig->sriov);
	fake_sysfs_remove(&rig->sysfs);
	free(rig);
	return 0;
}

/* ---- machines ---- */

/* Documentation/ABI/testing/sysfs-bus-pci; BAR 0 of 256 MiB, 64 bits, prefetchable. */
void rig_plain(struct rig *rig, const char *bdf, const char *driver)
{
	const struct sysfs *fs = &rig->sysfs.fs;

	fake_device(fs, bdf, strcmp(bdf, RIG_GPU2) ? 30 : 31, driver);
	fake_put(fs, "0x030000\n", "bus/pci/devices/%s/class", bdf);
	fake_put(fs, "0x1234\n", "bus/pci/devices/%s/vendor", bdf);
	fake_put(fs, "0x1111\n", "bus/pci/devices/%s/device", bdf);
	fake_put(fs, "-1\n", "bus/pci/devices/%s/numa_node", bdf);
	fake_put(fs,
		 "0x00000000c0000000 0x00000000cfffffff 0x000000000014220c\n"
		 "0x0000000000000000 0x0000000000000000 0x0000000000000000\n",
		 "bus/pci/devices/%s/resource", bdf);
}

void rig_mbochs(struct rig *rig)
{
	const struct sysfs *fs = &rig->sysfs.fs;
	char text[128];

	rig_kernel()->mbochs = 256 * MIB;
	for (size_t i = 0; i < 3; i++) {
		snprintf(text, sizeof(text), "virtual display, %u MB video memory\n",
			 mbochs_types[i].mib);
		fake_put(fs, text,
			 "class/mdev_bus/" RIG_MDEV "/mdev_supported_types/%s/description",
			 mbochs_types[i].name);
		fake_put(fs, "", "class/mdev_bus/" RIG_MDEV "/mdev_supported_types/%s/create",
			 mbochs_types[i].name);
	}
	mbochs_count(fs);
}

static void make_pf(struct rig *rig, const char *driver, const char *vendor, unsigned vfs)
{
	const struct sysfs *fs = &rig->sysfs.fs;
	struct sriov_pf pf;

	rig_plain(rig, RIG_GPU, driver);
	fake_put(fs, vendor, "bus/pci/devices/" RIG_GPU "/vendor");
	fake_put(fs, "7\n", "bus/pci/devices/" RIG_GPU "/sriov_totalvfs");
	fake_put(fs, "0\n", "bus/pci/devices/" RIG_GPU "/sriov_numvfs");
	fake_put(fs, "1\n", "bus/pci/devices/" RIG_GPU "/sriov_drivers_autoprobe");
	assert_int_equal(sriov_pf_find(rig->sriov, RIG_GPU, &pf), 0);
	assert_int_equal(sriov_vfs_create(rig->sriov, &pf, vfs, false), 0);
}

/* Documentation/ABI/testing/sysfs-driver-intel-xe-sriov; two tiles of 8 GiB. debugfs: drivers/gpu/
 * drm/xe/xe_tile_sriov_pf_debugfs.c, and before 6.18 xe_gt_sriov_pf_debugfs.c. */
void rig_xe(struct rig *rig, unsigned vfs, bool debugfs, bool old)
{
	const struct sysfs *fs = &rig->sysfs.fs;

	make_pf(rig, "xe", "0x8086\n", vfs);
	fake_put(fs, "17179869184\n", "bus/pci/devices/" RIG_GPU "/mem_info_vram_total");
	for (unsigned n = 1; n <= vfs && !debugfs; n++) {
		const char *const dir = "bus/pci/devices/" RIG_GPU "/sriov_admin/vf";
		fake_put(fs, "0\n", "%s%u/profile/exec_quantum_ms", dir, n);
		fake_put(fs, "0\n", "%s%u/profile/preempt_timeout_us", dir, n);
		fake_put(fs, "[low] normal high\n", "%s%u/profile/sched_priority", dir, n);
		fake_put(fs, "0\n", "%s%u/profile/vram_quota", dir, n);
	}
	for (unsigned n = 1; n <= vfs && debugfs; n++)
		for (unsigned t = 0; t < 2; t++) {
			char dir[96];
			snprintf(dir, sizeof(dir),
				 old ? "kernel/debug/dri/" RIG_GPU "/gt%u/vf%u"
				     : "kernel/debug/dri/" RIG_GPU "/sriov/vf%2$u/tile%1$u",
				 t, n);
			fake_put(fs, "0\n", old ? "%s/lmem_quota" : "%s/vram_quota", dir);
			fake_put(fs, "0\n", old ? "%s/exec_quantum_ms" : "%s/gt0/exec_quantum_ms",
				 dir);
			fake_put(fs, "0\n",
				 old ? "%s/preempt_timeout_us" : "%s/gt0/preempt_timeout_us", dir);
		}
}

/* strongtz/i915-sriov-dkms, drivers/gpu/drm/i915/gt/iov/intel_iov_sysfs.c */
void rig_i915(struct rig *rig, unsigned vfs, const char *dir)
{
	const struct sysfs *fs = &rig->sysfs.fs;

	make_pf(rig, "i915", "0x8086\n", vfs);
	for (unsigned n = 1; n <= vfs; n++) {
		const char *const base = "bus/pci/devices/" RIG_GPU "/drm/card0/";
		fake_put(fs, "0\n", "%s%s/vf%u/gt0/exec_quantum_ms", base, dir, n);
		fake_put(fs, "0\n", "%s%s/vf%u/gt0/preempt_timeout_us", base, dir, n);
	}
}

/* NVIDIA/vgpu-device-manager and the README of kubevirt-gpu-device-plugin: directory nvidia/ of a
 * VF */
void rig_nvidia(struct rig *rig, unsigned vfs)
{
	const struct sysfs *fs = &rig->sysfs.fs;

	make_pf(rig, "nvidia", "0x10de\n", vfs);
	fake_put(fs, "51539607552\n", "bus/pci/devices/" RIG_GPU "/mem_info_vram_total");
	fake_driver(fs, "nvidia");
	for (unsigned i = 0; i < vfs; i++) {
		char vf[32];
		assert_int_equal(sysfs_link_name(fs, vf, sizeof(vf),
						 "bus/pci/devices/" RIG_GPU "/virtfn%u", i),
				 0);
		fake_bind(fs, vf, "nvidia");
		fake_put(fs, "0", "bus/pci/devices/%s/nvidia/current_vgpu_type", vf);
		fake_put(fs, "-1", "bus/pci/devices/%s/nvidia/gpu_instance_id", vf);
		fake_put(fs, "", "bus/pci/devices/%s/nvidia/placement_id", vf);
		fake_put(fs, "", "bus/pci/devices/%s/nvidia/vgpu_params", vf);
	}
	nvidia_count(fs);
}

/* amd/MxGPU-Virtualization, gim_shim/gim_config.c */
void rig_gim(struct rig *rig, unsigned vfs)
{
	make_pf(rig, "gim", "0x1002\n", vfs);
	fake_put(&rig->sysfs.fs, "17179869184\n",
		 "bus/pci/devices/" RIG_GPU "/mem_info_vram_total");
	fake_put(&rig->sysfs.fs, "4\n", "module/gim/parameters/sch_policy");
}

void rig_generic(struct rig *rig, unsigned vfs)
{
	make_pf(rig, "somegpu", "0x1ee0\n", vfs);
}

/* As docs.nvidia.com's mig-user-guide prints them, for an A100 40GB. Its state is a file beside it:
 * lines "NAME ID INSTANCE START SIZE". */
static const char smi_text[] =
	"#!/bin/bash\n"
	"s=${0%/*}/mig.state; touch $s\n"
	"used() { awk '{ n += $5 } END { print n + 0 }' $s; }\n"
	"case \"$*\" in\n"
	"*mig.mode.current*) echo Enabled ;;\n"
	"*-lgipp*) echo 'GPU  0 Profile ID 19 Placements: {0,1,2,3,4,5,6}:1'\n"
	"  echo 'GPU  0 Profile ID 14 Placements: {0,2,4}:2'\n"
	"  echo 'GPU  0 Profile ID  9 Placements: {0,4}:4' ;;\n"
	"*-lgip*) u=$(used); f() { n=$(((8 - u) / $3)); [ $n -le $4 ] || n=$4\n"
	"  printf '|   0  MIG %-12s %2d     %d/%d        %s       No     14     0     0   |\\n' $1 $2 $n $4 $5; }\n"
	"  f 1g.5gb 19 1 7 4.75; f 2g.10gb 14 2 3 9.75; f 3g.20gb 9 4 2 19.62 ;;\n"
	"*-lgi*) [ -s $s ] || { echo 'No GPU instances found: Not Found'; exit 6; }\n"
	"  while read -r n p i b z; do printf '|   0  MIG %-12s %2d       %d         %d:%d     |\\n' $n $p $i $b $z; done <$s ;;\n"
	"*-cgi*) what=$(sed 's/.*-cgi \\([0-9:]*\\).*/\\1/' <<<\"$*\"); id=${what%:*} b=${what#*:}\n"
	"  case $id in 19) n=1g.5gb z=1 ;; 14) n=2g.10gb z=2 ;; 9) n=3g.20gb z=4 ;; esac\n"
	"  awk -v b=$b -v z=$z '$4 < b + z && b < $4 + $5 { bad = 1 } END { exit bad }' $s || {\n"
	"    echo 'Failed to create GPU instance: Insufficient Resources'; exit 19; }\n"
	"  echo $n $id $((b + 1)) $b $z >>$s; echo \"Successfully created GPU instance ID $((b + 1))\" ;;\n"
	"*-dci*) ;;\n"
	"*-dgi*) id=${*: -1}; awk -v i=$id '$3 != i' $s >$s.new; mv $s.new $s ;;\n"
	"*) echo \"unknown: $*\"; exit 2 ;;\n"
	"esac\n";

void rig_mig(struct rig *rig, bool hangs)
{
	rig_plain(rig, RIG_GPU, "nvidia");
	fake_put(&rig->sysfs.fs, hangs ? "#!/bin/sh\nexec sleep 100\n" : smi_text, "nvidia-smi");
	assert_int_equal(fchmodat(rig->sysfs.fs.root, "nvidia-smi", 0755, 0), 0);
}

/* ---- short words ---- */

struct gpu_device rig_find(struct rig *rig, const char *name)
{
	struct gpu_device dev;

	assert_int_equal(gpu_find(rig->gpu, name, &dev), 0);
	return dev;
}

int rig_create(struct rig *rig, const char *gpu, const char *text, struct gpu_slice *out)
{
	struct gpu_device dev = rig_find(rig, gpu);
	struct gpu_request request;
	struct gpu_slice slice;

	assert_int_equal(gpu_request_parse("test", text, &request), 0);
	return gpu_slice_create(rig->gpu, &dev, &request, "", out ? out : &slice);
}

size_t rig_slices(struct rig *rig)
{
	struct gpu_slice *list = NULL;
	size_t count;

	assert_int_equal(gpu_slice_list(rig->gpu, NULL, &list, &count), 0);
	free(list);
	return count;
}

struct gpu_slice rig_slice(struct rig *rig, const char *name)
{
	struct gpu_slice slice;

	assert_int_equal(gpu_slice_find(rig->gpu, name, &slice), 0);
	return slice;
}

const char *rig_text(const struct rig *rig, const char *fmt, ...)
{
	static char text[256];
	char path[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(path, sizeof(path), fmt, args);
	va_end(args);
	if (sysfs_read(&rig->sysfs.fs, text, sizeof(text), "%s", path))
		text[0] = '\0';
	return text;
}

static void take_line(const char *subject, const char *text, void *opaque)
{
	struct rig *rig = opaque;

	snprintf(rig->told, sizeof(rig->told), "%s: %s", subject, text);
}

int rig_assert(struct rig *rig)
{
	rig->told[0] = '\0';
	return gpu_assert(rig->gpu, take_line, rig);
}

static void ignore(const char *subject, const char *what, const char *before, const char *after,
		   void *opaque)
{
	(void)subject, (void)what, (void)before, (void)after, (void)opaque;
}

int rig_apply(struct rig *rig)
{
	return gpu_apply(rig->gpu, false, ignore, NULL);
}
