/* SPDX-License-Identifier: BSD-3-Clause */
/* facts: what a PF can and has, asked of its driver, its card and the kernel. See
 * sriov_pf_facts(). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sriov/channel.h"
#include "sriov/config_space.h"
#include "sriov/devlink.h"
#include "sriov/nvme.h"
#include "sriov/nvme_pf.h"

static unsigned read_number(const struct sriov *ctx, const char *dev, const char *file)
{
	uint64_t value = 0;

	/* Absent, or told only by a driver with link ("-1", EINVAL): 0. */
	return sysfs_read_u64(&ctx->fs, &value, "bus/pci/devices/%s/%s", dev, file)
		       ? 0
		       : (unsigned)value;
}

static void read_text(const struct sriov *ctx, const char *dev, const char *file, char *out,
		      size_t size)
{
	if (sysfs_read(&ctx->fs, out, size, "bus/pci/devices/%s/%s", dev, file))
		out[0] = '\0';
}

/* "8.0 GT/s PCIe" and "4" into "8.0 GT/s x4"; "" when the port has no link. */
static void read_lane(const struct sriov *ctx, const char *dev, const char *which, char *out,
		      size_t size)
{
	char speed[32], width[16], file[48];

	snprintf(file, sizeof(file), "%s_link_speed", which);
	read_text(ctx, dev, file, speed, sizeof(speed));
	snprintf(file, sizeof(file), "%s_link_width", which);
	read_text(ctx, dev, file, width, sizeof(width));
	char *unit = strstr(speed, " PCIe");
	if (unit)
		*unit = '\0';
	out[0] = '\0';
	if (speed[0] && width[0] && strcmp(width, "0") != 0)
		snprintf(out, size, "%s x%.8s", speed, width);
}

static void read_pcie(const struct sriov *ctx, const char *dev, struct sriov_pf_facts *out)
{
	char now[48], most[48];

	read_lane(ctx, dev, "current", now, sizeof(now));
	read_lane(ctx, dev, "max", most, sizeof(most));
	if (!now[0] || !most[0] || !strcmp(now, most))
		snprintf(out->pcie, sizeof(out->pcie), "%s", now);
	else
		snprintf(out->pcie, sizeof(out->pcie), "%.28s of %.28s", now, most);
}

static void read_card(const struct sriov_pf *pf, const char *dev, struct sriov_pf_facts *out)
{
	struct devlink_handle card;

	if (devlink_find(dev, pf->ifname, &card))
		return;
	snprintf(out->card, sizeof(out->card), "%s/%s", card.bus, card.dev);
	if (devlink_eswitch_read(&card, &out->eswitch))
		out->eswitch = SRIOV_ESWITCH_NONE;
}

static unsigned free_of(const struct nvme_pool *pool)
{
	unsigned used = pool->assigned + pool->primary;

	return pool->flexible > used ? pool->flexible - used : 0;
}

static void read_nvme(const struct sriov *ctx, const struct sriov_pf *pf,
		      struct sriov_pf_facts *out)
{
	char path[NVME_PATH];
	struct nvme_virt virt;

	if (!nvme_path(ctx, pf->bdf, path) || nvme_virt_read(path, &virt))
		return;
	out->nvme_queues = virt.queues.flexible;
	out->nvme_interrupts = virt.interrupts.flexible;
	out->nvme_queues_free = free_of(&virt.queues);
	out->nvme_interrupts_free = free_of(&virt.interrupts);
}

static int read_owner(struct sriov *ctx, const struct sriov_pf *pf, struct sriov_pf_facts *out)
{
	struct ledger_claim claim;
	struct ledger *ledger;
	int err = context_ledger(ctx, &ledger);
	int found = err ? err : ledger_get(ledger, pf->bdf, &claim);

	if (found > 0)
		memcpy(out->owner, claim.owner, sizeof(out->owner));
	return found < 0 ? found : 0;
}

int sriov_pf_facts(struct sriov *ctx, const struct sriov_pf *pf, struct sriov_pf_facts *out)
{
	char dev[BDF_TEXT], file[64];
	size_t count;
	const struct channel *const *channels = channel_list(&count);

	*out = (struct sriov_pf_facts){.link_mbps = 0};
	bdf_format(pf->bdf, dev);
	if (pf->ifname[0]) {
		snprintf(file, sizeof(file), "net/%s/speed", pf->ifname);
		out->link_mbps = read_number(ctx, dev, file);
	}
	read_pcie(ctx, dev, out);
	read_text(ctx, dev, "reset_method", out->resets, sizeof(out->resets));
	if (config_msix_size(ctx, pf->bdf, &out->msix))
		out->msix = 0;
	out->vf_msix = read_number(ctx, dev, "sriov_vf_total_msix");
	if (config_ari(ctx, pf->bdf, &out->ari))
		out->ari = false;
	read_card(pf, dev, out);
	read_nvme(ctx, pf, out);
	for (size_t i = 0; i < count; i++) {
		struct channel_verdict verdict = channels[i]->probe(ctx, pf);
		out->can |= verdict.can;
		out->cannot |= verdict.cannot;
	}
	return read_owner(ctx, pf, out);
}
