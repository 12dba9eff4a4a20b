/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vf: the VFs of a PF, their settings, and in whose hands they are.
 *
 * A VF's address comes from the PF's link virtfnN and is never computed: offset and stride may
 * change with the number of VFs (PCIe 6.0 section 9.3.3.9). Whose it is comes from three places:
 * the ledger (ours), the owner's lock (does it live?), and the processes that have its group open.
 */
#include "sriov/vf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "sriov/attrs.h"
#include "sriov/holder.h"
#include "sriov/owner.h"
#include "sriov/pf.h"

char *vf_subject(const struct sriov_vf *vf, char text[VF_SUBJECT])
{
	snprintf(text, VF_SUBJECT, "vf %s/%u", vf->pf, vf->index);
	return text;
}

static int read_vf(const struct sriov *ctx, const struct sriov_pf *pf, unsigned index,
		   struct sriov_vf *out)
{
	char dev[BDF_TEXT];

	*out = (struct sriov_vf){.pf_bdf = pf->bdf, .index = index};
	int err = pf_virtfn(ctx, pf->bdf, index, &out->bdf);
	if (err)
		return err;
	bdf_format(out->bdf, dev);
	pf_name(pf, out->pf);
	out->iommu_group = context_group(ctx, dev);
	context_ifname(ctx, dev, out->ifname);
	return context_driver(ctx, dev, out->driver);
}

static void read_attrs(const struct sriov *ctx, const struct sriov_pf *pf, struct sriov_vf *list,
		       size_t count)
{
	struct sriov_attrs *attrs = calloc(pf->num_vfs + 1u, sizeof(*attrs));

	if (attrs)
		attrs_read_all(ctx, pf, attrs, pf->num_vfs);
	for (size_t i = 0; attrs && i < count; i++)
		if (list[i].index < pf->num_vfs)
			list[i].attrs = attrs[list[i].index];
	free(attrs);
}

static void judge(const struct sriov *ctx, const struct ledger_claim *claims, size_t claim_count,
		  const struct holders *holders, struct sriov_vf *vf)
{
	const struct holder *holder = holders_find(holders, vf->iommu_group, 0);
	pid_t pid;

	vf->state = holder || context_is_vfio(vf->driver) ? SRIOV_VF_FOREIGN : SRIOV_VF_FREE;
	for (size_t i = 0; i < claim_count; i++) {
		if (!bdf_equal(claims[i].bdf, vf->bdf))
			continue;
		bool held = owner_holds(ctx, &claims[i], &pid);
		vf->state = held ? SRIOV_VF_HELD : SRIOV_VF_ORPHANED;
		vf->pid = held ? pid : 0;
		memcpy(vf->owner, claims[i].owner, sizeof(vf->owner));
	}
	if (holder)
		vf->pid = holder->pid;
}

static int read_states(struct sriov *ctx, struct sriov_vf *list, size_t count)
{
	struct holders holders = {.complete = true};
	struct ledger_claim *claims = NULL;
	struct ledger *ledger;
	size_t claim_count = 0;
	bool vfio = false;

	for (size_t i = 0; i < count; i++)
		vfio |= context_is_vfio(list[i].driver);
	int err = context_ledger(ctx, &ledger);
	if (!err)
		err = ledger_list(ledger, NULL, &claims, &claim_count);
	/* The kernel offers /dev/vfio/N only for functions on a VFIO driver. */
	if (!err && vfio)
		err = holders_scan(HOLDER_PROC, &holders);
	for (size_t i = 0; !err && i < count; i++)
		judge(ctx, claims, claim_count, &holders, &list[i]);
	holders_free(&holders);
	free(claims);
	return err;
}

static int by_address(const void *a, const void *b)
{
	return bdf_compare(((const struct sriov_vf *)a)->bdf, ((const struct sriov_vf *)b)->bdf);
}

int sriov_vf_list(struct sriov *ctx, const struct sriov_pf *pf, struct sriov_vf **out,
		  size_t *count)
{
	struct sriov_pf now;
	size_t n = 0;
	int err = pf_read(ctx, pf->bdf, &now);

	if (err)
		return err;
	struct sriov_vf *list = calloc(now.num_vfs + 1u, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (unsigned i = 0; i < now.num_vfs; i++)
		if (!read_vf(ctx, &now, i, &list[n])) /* else removed meanwhile */
			n++;
	read_attrs(ctx, &now, list, n);
	err = read_states(ctx, list, n);
	if (err) {
		free(list);
		return err;
	}
	qsort(list, n, sizeof(*list), by_address);
	*out = list;
	*count = n;
	return 0;
}

static int no_such_vf(const struct sriov_pf *pf, const char *name)
{
	char text[SRIOV_NAME];

	pf_name(pf, text);
	if (!pf->num_vfs)
		return log_fail(-ERANGE, name,
				"no such VF: %s has none; make some with `sluice vf "
				"create %s --count N` (up to %u)",
				text, text, pf->total_vfs);
	return log_fail(-ERANGE, name, "no such VF: %s has %u, %s/0 to %s/%u", text, pf->num_vfs,
			text, text, pf->num_vfs - 1);
}

/* "PF/INDEX" or an address into a PF and an index or address. */
static int split_name(struct sriov *ctx, const char *name, struct sriov_pf *pf, int64_t *index,
		      struct bdf *bdf)
{
	char text[64];
	uint32_t number;
	const char *slash = strrchr(name, '/');

	*index = -1;
	if (!slash) {
		if (bdf_parse(name, bdf) < 0)
			return log_fail(
				-ENODEV, name,
				"no such VF: give PF/INDEX, such as ens1f0/2, or an address");
		char dev[BDF_TEXT];
		if (sysfs_link_name(&ctx->fs, text, sizeof(text), "bus/pci/devices/%s/physfn",
				    bdf_format(*bdf, dev)))
			return log_fail(-ENODEV, name, "no such VF");
		return pf_find(ctx, text, pf);
	}
	if ((size_t)(slash - name) >= sizeof(text))
		return log_fail(-ENODEV, name, "no such PF");
	memcpy(text, name, (size_t)(slash - name));
	text[slash - name] = '\0';
	int err = pf_find(ctx, text, pf);
	if (err)
		return err;
	err = parse_u32(slash + 1, 0, UINT16_MAX, &number);
	*index = number;
	return err == -EINVAL ? log_fail(err, name, "'%s' is no VF index", slash + 1)
	       : err	      ? no_such_vf(pf, name)
			      : 0;
}

int sriov_vf_find(struct sriov *ctx, const char *name, struct sriov_vf *out)
{
	struct sriov_vf *list;
	struct sriov_pf pf = {0};
	struct bdf bdf = {0};
	size_t count;
	int64_t index = -1;
	int err = split_name(ctx, name, &pf, &index, &bdf);

	if (!err)
		err = sriov_vf_list(ctx, &pf, &list, &count);
	if (err)
		return err;
	err = -ERANGE;
	for (size_t i = 0; i < count; i++) {
		if (index >= 0 ? list[i].index != index : !bdf_equal(list[i].bdf, bdf))
			continue;
		*out = list[i];
		err = 0;
	}
	free(list);
	return err ? no_such_vf(&pf, name) : 0;
}

int vf_all_free(struct sriov *ctx, const struct sriov_pf *pf, const char *what)
{
	char subject[VF_SUBJECT], name[SRIOV_NAME];
	struct sriov_vf *list = NULL;
	size_t count = 0;
	int err = sriov_vf_list(ctx, pf, &list, &count);

	for (size_t i = 0; !err && i < count; i++) {
		const struct sriov_vf *vf = &list[i];
		vf_subject(vf, subject);
		if (vf->state == SRIOV_VF_HELD)
			err = log_fail(-EBUSY, pf_name(pf, name),
				       "%s: %s is held by vm %s (pid %d); stop it first", what,
				       subject, vf->owner, (int)vf->pid);
		else if (vf->state == SRIOV_VF_ORPHANED)
			err = log_fail(-EBUSY, pf_name(pf, name),
				       "%s: %s is left over from vm %s; `sluice vf release %s/%u` "
				       "first",
				       what, subject, vf->owner, vf->pf, vf->index);
		else if (vf->state == SRIOV_VF_FOREIGN && vf->pid)
			err = log_fail(-EBUSY, pf_name(pf, name),
				       "%s: %s is in use by process %d, which is not ours; end it "
				       "first",
				       what, subject, (int)vf->pid);
		else if (vf->state == SRIOV_VF_FOREIGN)
			err = log_fail(-EBUSY, pf_name(pf, name),
				       "%s: %s is bound to %s, but not by sluice; unbind it first",
				       what, subject, vf->driver);
	}
	free(list);
	return err;
}
