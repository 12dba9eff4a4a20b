/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chan_msix: how many interrupt vectors a VF has, out of the PF's budget.
 *
 * The VF's file sriov_vf_msix_count is written, and only while the VF has no driver
 * (drivers/pci/iov.c, sriov_vf_msix_count_store). What came of it stands in the VF's configuration
 * space: the size of its MSI-X table.
 */
#include <errno.h>
#include <stdio.h>

#include "sriov/channel.h"
#include "sriov/config_space.h"
#include "sriov/pf.h"

static bool has_budget(const struct sriov *ctx, const struct sriov_pf *pf)
{
	char dev[BDF_TEXT];
	uint64_t total = 0;

	/* Kernels before 5.13 have no such file. */
	sysfs_read_u64(&ctx->fs, &total, "bus/pci/devices/%s/sriov_vf_total_msix",
		       bdf_format(pf->bdf, dev));
	return total > 0;
}

static int msix_read(const struct sriov *ctx, const struct sriov_pf *pf, struct sriov_attrs *out,
		     size_t count)
{
	if (!has_budget(ctx, pf))
		return 0;
	for (unsigned i = 0; i < count; i++) {
		struct bdf vf;
		uint32_t size;
		if (pf_virtfn(ctx, pf->bdf, i, &vf) || config_msix_size(ctx, vf, &size))
			continue;
		out[i].set |= SRIOV_MSIX;
		out[i].msix = size;
	}
	return 0;
}

static int msix_write(const struct sriov *ctx, const struct sriov_pf *pf, unsigned index,
		      enum sriov_attr attr, const struct sriov_attrs *attrs,
		      char words[NETLINK_WORDS])
{
	char dev[BDF_TEXT], text[16];
	struct bdf vf;
	int err = pf_virtfn(ctx, pf->bdf, index, &vf);

	(void)attr;
	words[0] = '\0';
	if (err)
		return err;
	snprintf(text, sizeof(text), "%u", attrs->msix);
	err = sysfs_write(&ctx->fs, text, "bus/pci/devices/%s/sriov_vf_msix_count",
			  bdf_format(vf, dev));
	return err == -ENOENT ? -EOPNOTSUPP : err;
}

static struct channel_verdict msix_probe(const struct sriov *ctx, const struct sriov_pf *pf)
{
	bool can = has_budget(ctx, pf);

	return (struct channel_verdict){can ? SRIOV_MSIX : 0, can ? 0 : SRIOV_MSIX};
}

const struct channel channel_msix = {
	.name = "sriov_vf_msix_count",
	.speaker = "kernel",
	.bits = SRIOV_MSIX,
	.read = msix_read,
	.write = msix_write,
	.probe = msix_probe,
};
