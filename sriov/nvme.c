/* SPDX-License-Identifier: BSD-3-Clause */
/* nvme: see nvme.h. Commands by libnvme, on the controller's character device. */
#include "sriov/nvme.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <libnvme.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"

#define TIMEOUT_MS 10000

/* What libnvme returns: -1 with errno, or the command's status. */
static int to_errno(int status, char words[NETLINK_WORDS])
{
	if (status < 0)
		return -errno;
	if (!status)
		return 0;
	if (words)
		snprintf(words, NETLINK_WORDS, "%s", nvme_status_to_string(status, false));
	switch (status & 0x7ff) { /* without Do Not Retry and More */
	case NVME_SC_INVALID_OPCODE:
		return -EOPNOTSUPP;
	case NVME_SC_INVALID_CTRL_ID:
		return -ENXIO;
	case NVME_SC_INVALID_SEC_CTRL_STATE:
		return -EBUSY;
	default:
		return -EINVAL;
	}
}

static int identify(int fd, enum nvme_identify_cns cns, void *page)
{
	struct nvme_identify_args args = {
		.data = page,
		.args_size = sizeof(args),
		.fd = fd,
		.timeout = TIMEOUT_MS,
		.cns = cns,
	};

	return to_errno(nvme_identify(&args), NULL);
}

static void take_pools(const struct nvme_primary_ctrl_cap *cap, struct nvme_virt *out)
{
	out->queues = (struct nvme_pool){
		.flexible = le32toh(cap->vqfrt),
		.assigned = le32toh(cap->vqrfa),
		.primary = le16toh(cap->vqrfap),
		.most = le16toh(cap->vqfrsm),
	};
	out->interrupts = (struct nvme_pool){
		.flexible = le32toh(cap->vifrt),
		.assigned = le32toh(cap->virfa),
		.primary = le16toh(cap->virfap),
		.most = le16toh(cap->vifrsm),
	};
}

static void take_secondaries(const struct nvme_secondary_ctrl_list *list, struct nvme_virt *out)
{
	const size_t most = sizeof(out->secondary) / sizeof(out->secondary[0]);

	for (size_t i = 0; i < list->num && i < most; i++) {
		const struct nvme_secondary_ctrl *entry = &list->sc_entry[i];
		out->secondary[out->count++] = (struct nvme_secondary){
			.id = le16toh(entry->scid),
			.vf = le16toh(entry->vfn) - 1, /* the specification counts from 1 */
			.online = entry->scs & 1,
			.queues = le16toh(entry->nvq),
			.interrupts = le16toh(entry->nvi),
		};
	}
}

/* What Identify answers with: 4 KiB (section 5.17.2). */
union nvme_page {
	struct nvme_id_ctrl ctrl;
	struct nvme_primary_ctrl_cap capabilities;
	struct nvme_secondary_ctrl_list secondaries;
};
_Static_assert(sizeof(union nvme_page) == 4096, "an Identify data structure");

static int read_open(int fd, union nvme_page *page, struct nvme_virt *out)
{
	int err = identify(fd, NVME_IDENTIFY_CNS_CTRL, page);

	if (!err && !(le16toh(page->ctrl.oacs) & NVME_CTRL_OACS_VIRT_MGMT))
		err = -EOPNOTSUPP;
	if (!err)
		err = identify(fd, NVME_IDENTIFY_CNS_PRIMARY_CTRL_CAP, page);
	if (err)
		return err;
	take_pools(&page->capabilities, out);
	err = identify(fd, NVME_IDENTIFY_CNS_SECONDARY_CTRL_LIST, page);
	if (!err)
		take_secondaries(&page->secondaries, out);
	return err;
}

int nvme_virt_read(const char *path, struct nvme_virt *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err = fd < 0 ? -errno : 0;
	union nvme_page *page = NULL;

	*out = (struct nvme_virt){.count = 0};
	if (!err && posix_memalign((void **)&page, sizeof(*page), sizeof(*page)))
		err = -ENOMEM;
	if (!err)
		err = read_open(fd, page, out);
	free(page);
	io_close(&fd);
	return err;
}

static int manage(const char *path, struct nvme_virtual_mgmt_args *args, char words[NETLINK_WORDS])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	words[0] = '\0';
	if (fd < 0)
		return -errno;
	args->args_size = sizeof(*args);
	args->fd = fd;
	args->timeout = TIMEOUT_MS;
	int err = to_errno(nvme_virtual_mgmt(args), words);
	io_close(&fd);
	return err;
}

static enum nvme_virt_mgmt_rt type_of(enum nvme_resource resource)
{
	return resource == NVME_QUEUES ? NVME_VIRT_MGMT_RT_VQ_RESOURCE
				       : NVME_VIRT_MGMT_RT_VI_RESOURCE;
}

int nvme_virt_assign(const char *path, uint16_t id, enum nvme_resource resource, unsigned count,
		     char words[NETLINK_WORDS])
{
	struct nvme_virtual_mgmt_args args = {
		.act = NVME_VIRT_MGMT_ACT_ASSIGN_SEC_CTRL,
		.rt = type_of(resource),
		.cntlid = id,
		.nr = (__u16)count,
	};

	return manage(path, &args, words);
}

int nvme_virt_online(const char *path, uint16_t id, bool online, char words[NETLINK_WORDS])
{
	struct nvme_virtual_mgmt_args args = {
		.act = online ? NVME_VIRT_MGMT_ACT_ONLINE_SEC_CTRL
			      : NVME_VIRT_MGMT_ACT_OFFLINE_SEC_CTRL,
		.cntlid = id,
	};

	return manage(path, &args, words);
}

int nvme_virt_keep(const char *path, enum nvme_resource resource, unsigned count,
		   char words[NETLINK_WORDS])
{
	struct nvme_virtual_mgmt_args args = {
		.act = NVME_VIRT_MGMT_ACT_PRIM_CTRL_FLEX_ALLOC,
		.rt = type_of(resource),
		.nr = (__u16)count,
	};

	return manage(path, &args, words);
}
