/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nvme: the Virtualization Management of an NVMe controller (NVM Express Base 2.0, section 8.26).
 *
 * A PF is a *primary* controller, each VF a *secondary* one. Queues (VQ) and interrupts (VI) are
 * resources. Some are the primary's own; the *flexible* ones are given to secondaries, which can
 * work ("online") only once they have both. What the primary holds of the flexible ones at
 * power-on it lets go at its next reset, after it was told to.
 *
 * This is the seam where tests put their own controller. Nothing is logged.
 */
#ifndef SRIOV_NVME_H
#define SRIOV_NVME_H

#include "sriov/sriov.h"
#include "sriov/words.h"

enum nvme_resource { NVME_QUEUES, NVME_INTERRUPTS };

struct nvme_pool {
	unsigned flexible; /* all that there are */
	unsigned assigned; /* to secondaries */
	unsigned primary;  /* held by the primary beside its own */
	unsigned most;	   /* that one secondary may have */
};

struct nvme_secondary {
	uint16_t id;
	int vf;	     /* index of the VF; -1: none */
	bool online; /* can be used */
	unsigned queues, interrupts;
};

struct nvme_virt {
	struct nvme_pool queues, interrupts;
	size_t count;
	struct nvme_secondary secondary[127]; /* one Secondary Controller List */
};

/* `path`: "/dev/nvme0". -EOPNOTSUPP: the controller has no Virtualization Management. */
int nvme_virt_read(const char *path, struct nvme_virt *out);

/* Gives secondary `id` exactly `count`; it must be offline. */
int nvme_virt_assign(const char *path, uint16_t id, enum nvme_resource resource, unsigned count,
		     char words[NETLINK_WORDS]);
int nvme_virt_online(const char *path, uint16_t id, bool online, char words[NETLINK_WORDS]);
/* How many flexible ones the primary holds after its next reset. */
int nvme_virt_keep(const char *path, enum nvme_resource resource, unsigned count,
		   char words[NETLINK_WORDS]);

#endif
