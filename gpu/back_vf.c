/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * back_vf: VFs of any PF: a slice is a VF as its driver makes it, and what all other ways of
 * sharing by VFs have in common. The number of VFs is a wish of the PF's (`sluice vf create`).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "gpu/backend.h"

static int find_pf(const struct gpu *gpu, const struct gpu_device *dev, struct sriov_pf *out)
{
	if (bdf_is_stand_in(dev->bdf) ||
	    !sysfs_exists(&gpu->fs, "bus/pci/devices/%s/sriov_totalvfs", dev->name))
		return -ENODEV;
	return sriov_pf_find(gpu->sriov, dev->name, out);
}

bool gpu_vf_discover(const struct gpu *gpu, const struct gpu_device *dev, char why[GPU_WHY])
{
	uint64_t total = 0, now = 0;

	if (bdf_is_stand_in(dev->bdf) ||
	    sysfs_read_u64(&gpu->fs, &total, "bus/pci/devices/%s/sriov_totalvfs", dev->name)) {
		snprintf(why, GPU_WHY, "it has no SR-IOV capability");
		return false;
	}
	sysfs_read_u64(&gpu->fs, &now, "bus/pci/devices/%s/sriov_numvfs", dev->name);
	if (!total)
		snprintf(why, GPU_WHY, "its driver %s allows no VFs; see its module parameters",
			 dev->driver);
	else if (!dev->driver[0])
		snprintf(why, GPU_WHY, "no driver has it, and VFs are made by one");
	else if (!now)
		snprintf(why, GPU_WHY, "it has no VFs yet; `sluice vf create %.20s --count N`",
			 dev->name);
	return now > 0;
}

static void fill(const struct gpu *gpu, const struct gpu_device *dev, const struct sriov_vf *vf,
		 struct gpu_found *out)
{
	char name[BDF_TEXT], dir[64];

	*out = (struct gpu_found){.busy = vf->state == SRIOV_VF_FOREIGN};
	out->slice.gpu_bdf = dev->bdf;
	out->slice.index = (int)vf->index;
	out->slice.bdf = vf->bdf;
	out->slice.access = GPU_AS_VF;
	snprintf(out->slice.profile, sizeof(out->slice.profile), "default");
	snprintf(out->slice.vfio, sizeof(out->slice.vfio), "%s", bdf_format(vf->bdf, name));
	snprintf(dir, sizeof(dir), "bus/pci/devices/%s", name);
	out->slice.iommu_group = gpu_group(gpu, dir);
}

int gpu_vf_query(const struct gpu *gpu, const struct gpu_device *dev, struct gpu_found **out,
		 size_t *count)
{
	struct sriov_vf *vfs = NULL;
	struct sriov_pf pf;
	size_t n = 0;
	int err = find_pf(gpu, dev, &pf);

	*out = NULL;
	*count = 0;
	if (err == -ENODEV)
		return 0;
	if (!err)
		err = sriov_vf_list(gpu->sriov, &pf, &vfs, &n);
	if (err)
		return err;
	struct gpu_found *list = calloc(n + 1, sizeof(*list));
	for (size_t i = 0; list && i < n; i++)
		fill(gpu, dev, &vfs[i], &list[i]);
	free(vfs);
	*out = list;
	*count = list ? n : 0;
	return list ? 0 : -ENOMEM;
}

int gpu_vf_profiles(const struct gpu *gpu, const struct gpu_device *dev, struct gpu_profile **out,
		    size_t *count)
{
	struct gpu_profile *p = calloc(1, sizeof(*p));
	uint64_t vfs = 0;

	if (!p)
		return -ENOMEM;
	sysfs_read_u64(&gpu->fs, &vfs, "bus/pci/devices/%s/sriov_numvfs", dev->name);
	snprintf(p->name, sizeof(p->name), "default");
	snprintf(p->text, sizeof(p->text), "a VF as %.40s makes it", dev->driver);
	p->available = -1;
	p->memory = vfs ? dev->vram / vfs : 0;
	*out = p;
	*count = 1;
	return 0;
}

/* A VF is made with all others; what is kept of this slice is only that it is one. */
int gpu_vf_create(const struct gpu *gpu, const struct gpu_device *dev, int index,
		  const char *profile)
{
	if (strcmp(profile, "default"))
		return log_fail(-EINVAL, dev->name, "a VF has no profile '%s', only 'default'",
				profile);
	if (sysfs_exists(&gpu->fs, "bus/pci/devices/%s/virtfn%d", dev->name, index))
		return 0;
	return log_fail(-ENODEV, dev->name,
			"no slice %d: it has no such VF; `sluice vf create` makes more", index);
}

int gpu_vf_destroy(const struct gpu *gpu, const struct gpu_device *dev, int index)
{
	(void)gpu, (void)dev, (void)index;
	return 0;
}

int gpu_vf_reset(const struct gpu *gpu, const struct gpu_device *dev, const struct gpu_slice *slice,
		 enum gpu_scrub *scrub, char words[GPU_WHY])
{
	bool can = sysfs_exists(&gpu->fs, "bus/pci/devices/%s/reset", slice->vfio);
	char path[SYSFS_PATH];

	*scrub = can ? GPU_SCRUB_HARDWARE : GPU_SCRUB_NONE;
	snprintf(path, sizeof(path), "bus/pci/devices/%s/reset", slice->vfio);
	int err = can ? sriov_slow_write(gpu->sriov, "1", path) : 0;
	snprintf(words, GPU_WHY, "%s",
		 can ? "function level reset of the VF; the PF's driver clears its memory"
		     : "the VF has no reset: what its last VM left stays in its memory");
	return err ? log_fail(err, dev->name, "VF %d not reset: %s", slice->index, strerror(-err))
		   : 0;
}

static int no_set(const struct gpu *gpu, const struct gpu_device *dev, int index,
		  const struct gpu_setting *setting, const char *value)
{
	(void)gpu, (void)value;
	return log_fail(-EOPNOTSUPP, dev->name, "slice %d: driver %s has no %s for a VF", index,
			dev->driver, setting->name);
}

const struct gpu_backend gpu_back_vf = {
	.name = "vf",
	.mode = GPU_VF,
	.can = GPU_CAN_RESET,
	.places = true,
	.discover = gpu_vf_discover,
	.profiles = gpu_vf_profiles,
	.query = gpu_vf_query,
	.create = gpu_vf_create,
	.destroy = gpu_vf_destroy,
	.set = no_set,
	.reset = gpu_vf_reset,
};
