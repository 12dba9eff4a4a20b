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
	char bdf[BDF_TEXT];

	bdf_format(pick->bdf, bdf);
	if (pick->is_vf)
		snprintf(name, VM_PICK_NAME, "vf %s/%u (%s)", pick->vf.pf, pick->vf.index, bdf);
	else
		snprintf(name, VM_PICK_NAME, "device %s", bdf);
	return name;
}

int vm_claim_pick(struct cli *cli, const struct vm_request *r, const struct vm_pick *pick)
{
	struct sriov *sriov = cli_sriov(cli);
	struct sriov_vf now; /* taking back may have changed it */
	char name[64];
	int err = sriov ? 0 : -EIO;

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
