/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kcache: unpacked kernels, kept as files so that the next start reads instead of unpacks.
 *
 * An entry is found by the identity of the kernel file (device, inode, size, both times), so a
 * kernel that was replaced or touched is simply another one. Entries are written aside, synced and
 * renamed; each carries checksums of its tables and its data, and one that does not add up is
 * treated as absent. The directory holds at most HV_KCACHE_KEEP of them, the newest.
 *
 * Nothing here is needed for correctness: every failure means "unpack again".
 */
#ifndef HV_CORE_KCACHE_H
#define HV_CORE_KCACHE_H

#include <stdint.h>

#include "hv-core/vmlinux.h"

#define HV_KCACHE_KEEP 4
#define HV_KCACHE_NAME 40

struct hv_kcache_key {
	uint64_t dev, ino, size, mtime_ns, ctime_ns;
};

int hv_kcache_key(int kernel_fd, struct hv_kcache_key *key);
/* File name of the entry. */
void hv_kcache_name(const struct hv_kcache_key *key, char name[HV_KCACHE_NAME]);

/* An open entry; `image` holds its tables (extents without data). */
struct hv_kcache {
	int fd;
	uint64_t data_at;
	uint64_t data_sum;
	struct hv_vmlinux image;
};

/* -ENOENT: none; -EBADMSG: damaged, or of another version; or what the file system says. */
int hv_kcache_open(int dir, const struct hv_kcache_key *key, struct hv_kcache *out);
/* Reads the extents into `memory` (image.span bytes); -EBADMSG when they are not what was stored,
 * and then `memory` holds garbage. */
int hv_kcache_read(const struct hv_kcache *entry, uint8_t *memory);
void hv_kcache_close(struct hv_kcache *entry);

/* `image` must have its data. */
int hv_kcache_store(int dir, const struct hv_kcache_key *key, const struct hv_vmlinux *image);

#endif
