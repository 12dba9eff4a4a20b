/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * engine_kvm_stats: the numbers KVM keeps about a VM and its CPUs.
 *
 * A statistics descriptor begins with a header that says where the descriptions and where the
 * values lie (api.rst, 4.131 KVM_GET_STATS_FD). A description with one value is a plain number;
 * those with more are histograms, which are left out here. The descriptors are opened when the VM
 * and the vCPU are made: opening one later would wait until the vCPU leaves the guest.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/util.h"
#include "hv-core/engine_kvm.h"

#define STATS_MAX      4096 /* descriptions; KVM has about a hundred */
#define STATS_NAME_MAX 4096 /* bytes */

static int read_header(int fd, struct kvm_stats_header *header)
{
	int rc = io_pread_full(fd, header, sizeof(*header), 0);

	if (rc < 0)
		return rc;
	if (header->num_desc > STATS_MAX || header->name_size > STATS_NAME_MAX ||
	    header->name_size == 0)
		return -EPROTO;
	return 0;
}

static int read_one(int fd, const struct kvm_stats_header *header, const char *desc,
		    struct hv_engine_stat *out)
{
	struct kvm_stats_desc head;
	const char *name = desc + sizeof(head);

	memcpy(&head, desc, sizeof(head));
	if (head.size != 1)
		return 0;
	snprintf(out->name, sizeof(out->name), "%.*s", (int)header->name_size, name);
	int rc = io_pread_full(fd, &out->value, sizeof(out->value),
			       (off_t)header->data_offset + (off_t)head.offset);
	return rc < 0 ? rc : 1;
}

static int read_all(int fd, const struct kvm_stats_header *header, struct hv_engine_stat **out,
		    size_t *count)
{
	size_t stride = sizeof(struct kvm_stats_desc) + header->name_size;
	char *descs = calloc(MAX(header->num_desc, 1u), stride);
	struct hv_engine_stat *stats = calloc(MAX(header->num_desc, 1u), sizeof(*stats));
	int rc = descs && stats ? 0 : -ENOMEM;
	size_t n = 0;

	if (rc == 0)
		rc = io_pread_full(fd, descs, header->num_desc * stride,
				   (off_t)header->desc_offset);
	for (uint32_t i = 0; rc >= 0 && i < header->num_desc; i++) {
		rc = read_one(fd, header, descs + i * stride, &stats[n]);
		if (rc > 0)
			n++;
	}
	free(descs);
	if (rc < 0) {
		free(stats);
		return rc;
	}
	*out = stats;
	*count = n;
	return 0;
}

int hv_kvm_stats(struct hv_engine *engine, struct hv_engine_vcpu *vcpu, struct hv_engine_stat **out,
		 size_t *count)
{
	int fd = vcpu ? vcpu->stats : engine->stats;
	struct kvm_stats_header header;

	if (fd < 0)
		return -EOPNOTSUPP;
	int rc = read_header(fd, &header);
	return rc < 0 ? rc : read_all(fd, &header, out, count);
}
