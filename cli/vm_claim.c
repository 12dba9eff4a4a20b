/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_claim: see vm_claim.h. */
#include "cli/vm_claim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "iommu/iommu.h"

const char *vm_pick_name(const struct vm_pick *pick, char name[VM_PICK_NAME])
{
	char bdf[BDF_TEXT], slice[GPU_SLICE_NAME];

	bdf_format(pick->bdf, bdf);
	if (pick->is_gpu)
		snprintf(name, VM_PICK_NAME, "gpu %s (%s)", gpu_slice_name(&pick->slice, slice),
			 pick->slice.vfio);
	else if (pick->is_vf)
		snprintf(name, VM_PICK_NAME, "vf %s/%u (%s)", pick->vf.pf, pick->vf.index, bdf);
	else
		snprintf(name, VM_PICK_NAME, "device %s", bdf);
	return name;
}

/* What the last VM left in it is cleared before, where that can be done. */
static int claim_gpu(struct cli *cli, const struct vm_request *r, const struct vm_pick *pick)
{
	static const char *const by[] = {"by the hardware", "by us", "not possible"};
	char words[GPU_WHY], name[VM_PICK_NAME];
	enum gpu_scrub scrub = GPU_SCRUB_NONE;
	int err = gpu_slice_reset(cli->gpu, &pick->slice, &scrub, words);

	if (err)
		return err;
	fprintf(stderr, "%s: %s: memory cleared: %s (%s)\n", r->subject, vm_pick_name(pick, name),
		by[scrub], words);
	return gpu_claim(cli->gpu, &pick->slice, r->name);
}

int vm_pick_group(struct cli *cli, const struct vm_pick *pick, int *id)
{
	struct iommu_group *group = NULL;

	*id = pick->slice.iommu_group;
	if (pick->is_gpu && bdf_is_stand_in(pick->bdf))
		return *id >= 0 ? 0 : -ENOENT;
	int err = iommu_group_read(cli_sysfs(cli), pick->bdf, &group);
	if (!err)
		*id = group->id;
	free(group);
	return err;
}

int vm_find_slice(struct cli *cli, const char *text, struct bdf *out)
{
	struct gpu *gpu = cli_gpu(cli);
	struct gpu_slice *list = NULL;
	size_t count = 0;
	int found = gpu ? gpu_slice_list(gpu, NULL, &list, &count) : -EIO;

	for (size_t i = 0; i < count && !found; i++) {
		char name[GPU_SLICE_NAME];
		found = !strcmp(gpu_slice_name(&list[i], name), text) ||
			!strcmp(list[i].vfio, text);
		if (found)
			*out = list[i].bdf;
	}
	free(list);
	return found;
}

int vm_claim_pick(struct cli *cli, const struct vm_request *r, const struct vm_pick *pick)
{
	struct sriov *sriov = cli_sriov(cli);
	struct sriov_vf now; /* taking back may have changed it */
	char name[64];
	int err = sriov ? 0 : -EIO;

	if (!err && pick->along)
		return 0;
	if (!err && pick->is_gpu)
		return claim_gpu(cli, r, pick);
	if (!err && !pick->is_vf)
		return sriov_claim_device(sriov, pick->bdf, r->name);
	if (!err && pick->vf.state == SRIOV_VF_ORPHANED)
		err = sriov_release(sriov, pick->bdf, NULL);
	snprintf(name, sizeof(name), "%s/%u", pick->vf.pf, pick->vf.index);
	if (!err)
		err = sriov_vf_find(sriov, name, &now);
	return err ? err : sriov_claim_vf(sriov, &now, &pick->spec.attrs, r->name);
}

int vm_open_group(const char *subject, int group, int *fd)
{
	*fd = iommu_open_group(subject, group);
	return *fd < 0 ? *fd : 0;
}

int vm_open_container(const char *subject, int *fd)
{
	*fd = iommu_open(subject);
	return *fd < 0 ? *fd : 0;
}

int vm_find_function(struct sriov *sriov, const char *text, struct bdf *out)
{
	struct sriov_vf vf;

	if (!strchr(text, '/') && bdf_parse(text, out) == 0)
		return 0;
	int err = sriov_vf_find(sriov, text, &vf);
	if (!err)
		*out = vf.bdf;
	return err;
}

int vm_device_node(const struct sysfs *fs, struct bdf bdf)
{
	char text[16] = "", dev[BDF_TEXT];

	if (!fs || sysfs_read(fs, text, sizeof(text), "bus/pci/devices/%s/numa_node",
			      bdf_format(bdf, dev)))
		return -1;
	return atoi(text); /* NOLINT: the kernel writes numbers */
}
