/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chan_nvme: queues and interrupts of NVMe VFs.
 *
 * A secondary controller is taken offline, given its resources, and put online again as soon as it
 * has enough to work with: an interrupt, and an admin queue with at least one other. The rest of
 * that order is in the table of settings: interrupts before queues.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sriov/channel.h"
#include "sriov/nvme.h"
#include "sriov/nvme_pf.h"

#define QUEUES_LEAST 2u

static int nvme_read(const struct sriov *ctx, const struct sriov_pf *pf, struct sriov_attrs *out,
		     size_t count)
{
	char path[NVME_PATH];
	struct nvme_virt virt;

	if (!nvme_path(ctx, pf->bdf, path) || nvme_virt_read(path, &virt))
		return 0; /* no such controller, or nobody may ask it */
	for (size_t i = 0; i < virt.count; i++) {
		const struct nvme_secondary *s = &virt.secondary[i];
		if (s->vf < 0 || (size_t)s->vf >= count)
			continue;
		out[s->vf].set |= SRIOV_NVME_QUEUES | SRIOV_NVME_INTERRUPTS;
		out[s->vf].nvme_queues = s->queues;
		out[s->vf].nvme_interrupts = s->interrupts;
	}
	return 0;
}

static const struct nvme_secondary *find(const struct nvme_virt *virt, unsigned vf)
{
	for (size_t i = 0; i < virt->count; i++)
		if (virt->secondary[i].vf == (int)vf)
			return &virt->secondary[i];
	return NULL;
}

/* Is there enough? What the primary keeps it gives back only at a reset. */
static int check_pool(const struct nvme_pool *pool, unsigned had, unsigned wanted,
		      char words[NETLINK_WORDS])
{
	if (pool->most && wanted > pool->most) {
		snprintf(words, NETLINK_WORDS, "one VF may have at most %u", pool->most);
		return -ERANGE;
	}
	unsigned others = pool->assigned > had ? pool->assigned - had : 0;
	unsigned left = pool->flexible > others + pool->primary
				? pool->flexible - others - pool->primary
				: 0;

	if (wanted <= left || wanted <= had)
		return 0;
	snprintf(words, NETLINK_WORDS,
		 "%u of %u can be had: other VFs have %u, the controller itself keeps %u%s", left,
		 pool->flexible, others, pool->primary,
		 pool->primary ? " until `sluice pf set PF --nvme-keep 0`" : "");
	return -ENOSPC;
}

static int nvme_write(const struct sriov *ctx, const struct sriov_pf *pf, unsigned index,
		      enum sriov_attr attr, const struct sriov_attrs *attrs,
		      char words[NETLINK_WORDS])
{
	bool queues = attr == SRIOV_NVME_QUEUES;
	unsigned wanted = queues ? attrs->nvme_queues : attrs->nvme_interrupts;
	char path[NVME_PATH];
	struct nvme_virt virt;

	words[0] = '\0';
	if (!nvme_path(ctx, pf->bdf, path))
		return -EOPNOTSUPP;
	int err = nvme_virt_read(path, &virt);
	const struct nvme_secondary *s = err ? NULL : find(&virt, index);
	if (!s)
		return err ? err : -ENXIO;
	unsigned had = queues ? s->queues : s->interrupts;
	err = check_pool(queues ? &virt.queues : &virt.interrupts, had, wanted, words);
	if (!err && s->online)
		err = nvme_virt_online(path, s->id, false, words);
	if (!err)
		err = nvme_virt_assign(path, s->id, queues ? NVME_QUEUES : NVME_INTERRUPTS, wanted,
				       words);
	unsigned has_queues = queues ? wanted : s->queues;
	unsigned has_interrupts = queues ? s->interrupts : wanted;
	if (!err && has_queues >= QUEUES_LEAST && has_interrupts)
		err = nvme_virt_online(path, s->id, true, words);
	return err;
}

static struct channel_verdict nvme_probe(const struct sriov *ctx, const struct sriov_pf *pf)
{
	char path[NVME_PATH];
	struct nvme_virt virt;
	bool there = nvme_path(ctx, pf->bdf, path);
	int err = there ? nvme_virt_read(path, &virt) : -EOPNOTSUPP;

	if (!err)
		return (struct channel_verdict){.can = channel_nvme.bits};
	return (struct channel_verdict){.cannot = err == -EOPNOTSUPP ? channel_nvme.bits : 0};
}

const struct channel channel_nvme = {
	.name = "NVMe virtualization management",
	.speaker = "controller",
	.bits = SRIOV_NVME_QUEUES | SRIOV_NVME_INTERRUPTS,
	.read = nvme_read,
	.write = nvme_write,
	.probe = nvme_probe,
};
