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
#include "sriov/change.h"
#include "sriov/holder.h"
#include "sriov/owner.h"
#include "sriov/pf.h"
#include "sriov/plan.h"

char *vf_subject(const struct sriov_vf *vf, char text[VF_SUBJECT])
{
	snprintf(text, VF_SUBJECT, "vf %s/%u", vf->pf, vf->index);
	return text;
}

/* rtnetlink shows a MAC that the VF's driver rolled like one that an administrator set; the
 * interface's addr_assign_type tells them apart (1: NET_ADDR_RANDOM). A rolled one is the
 * interface's own; one that was set meanwhile reaches the interface only when its driver is loaded
 * again. */
bool vf_mac_is_random(const struct sriov *ctx, struct bdf bdf, const uint8_t shown[6])
{
	char dev[BDF_TEXT], ifname[SRIOV_NAME], text[32];
	uint64_t type = 0;
	uint8_t own[6];

	context_ifname(ctx, bdf_format(bdf, dev), ifname);
	if (!ifname[0] || sysfs_read_u64(&ctx->fs, &type,
					 "bus/pci/devices/%s/net/%s/addr_assign_type", dev, ifname))
		return false;
	bool known = !sysfs_read(&ctx->fs, text, sizeof(text), "bus/pci/devices/%s/net/%s/address",
				 dev, ifname) &&
		     !parse_mac(text, own);
	return type == 1 && !(known && memcmp(own, shown, sizeof(own)) != 0);
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

/* What says whose a VF is. */
struct books {
	struct ledger_claim *claims;
	struct bdf *strangers;
	struct sriov_wish *wishes; /* of the PF */
	size_t claim_count, stranger_count, wish_count;
	struct holders holders;
};

static int books_open(struct sriov *ctx, const struct sriov_pf *pf, bool vfio, struct books *b)
{
	char boot[CONTEXT_BOOT];
	struct wish_place place;
	struct ledger *ledger;
	int err = context_ledger(ctx, &ledger);

	*b = (struct books){.holders.complete = true};
	context_boot(boot);
	if (!err)
		err = ledger_list(ledger, NULL, &b->claims, &b->claim_count);
	if (!err)
		err = ledger_stranger_list(ledger, boot, &b->strangers, &b->stranger_count);
	if (!err)
		err = place_find(ledger, pf, &place);
	if (!err)
		err = wish_list(ledger, place.key, &b->wishes, &b->wish_count);
	/* The kernel offers /dev/vfio/N only for functions on a VFIO driver. */
	if (!err && vfio)
		err = holders_scan(HOLDER_PROC, &b->holders);
	return err;
}

static void books_close(struct books *b)
{
	holders_free(&b->holders);
	free(b->claims);
	free(b->strangers);
	free(b->wishes);
}

static bool wished_driver(const struct books *b, const struct sriov_vf *vf)
{
	for (size_t i = 0; i < b->wish_count; i++)
		if (b->wishes[i].vf == (int)vf->index && !strcmp(b->wishes[i].name, "driver") &&
		    !strcmp(b->wishes[i].value, vf->driver))
			return true;
	return false;
}

static bool is_foreign(const struct books *b, const struct sriov_vf *vf)
{
	for (size_t i = 0; i < b->stranger_count; i++)
		if (bdf_equal(b->strangers[i], vf->bdf))
			return true;
	/* Where not everybody could be looked into, one may be using it. */
	return context_is_vfio(vf->driver) && !(wished_driver(b, vf) && b->holders.complete);
}

static void judge(const struct sriov *ctx, const struct books *b, struct sriov_vf *vf)
{
	const struct holder *holder = holders_find(&b->holders, vf->iommu_group, 0);
	pid_t pid;

	vf->state = holder || is_foreign(b, vf) ? SRIOV_VF_FOREIGN : SRIOV_VF_FREE;
	for (size_t i = 0; i < b->claim_count; i++) {
		if (!bdf_equal(b->claims[i].bdf, vf->bdf))
			continue;
		bool held = owner_holds(ctx, &b->claims[i], &pid);
		vf->state = held ? SRIOV_VF_HELD : SRIOV_VF_ORPHANED;
		vf->pid = held ? pid : 0;
		memcpy(vf->owner, b->claims[i].owner, sizeof(vf->owner));
	}
	if (holder)
		vf->pid = holder->pid;
}

static int read_states(struct sriov *ctx, const struct sriov_pf *pf, struct sriov_vf *list,
		       size_t count)
{
	struct books books;
	bool vfio = false;

	for (size_t i = 0; i < count; i++)
		vfio |= context_is_vfio(list[i].driver);
	int err = books_open(ctx, pf, vfio, &books);
	for (size_t i = 0; !err && i < count; i++)
		judge(ctx, &books, &list[i]);
	books_close(&books);
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
	err = read_states(ctx, &now, list, n);
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
	char name[SRIOV_NAME];
	struct sriov_vf *list = NULL;
	size_t count = 0;
	int err = sriov_vf_list(ctx, pf, &list, &count);

	for (size_t i = 0; !err && i < count; i++) {
		char blocker[SRIOV_BLOCKER];
		plan_blocker(&list[i], blocker);
		if (blocker[0])
			err = log_fail(-EBUSY, pf_name(pf, name), "%s: %s", what, blocker);
	}
	free(list);
	return err;
}
