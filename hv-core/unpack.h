/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * unpack: the compressed payload of a kernel image, decompressed by us instead of the guest.
 *
 * The format is told by its magic. A bzImage's payload ends in the unpacked size, 32 bits
 * little-endian (Linux scripts/Makefile.lib, size_append), except where gzip's own trailer is the
 * same thing.
 */
#ifndef HV_CORE_UNPACK_H
#define HV_CORE_UNPACK_H

#include <stddef.h>

/* The largest kernel we unpack: what a kernel can map of itself (KERNEL_IMAGE_SIZE). */
#define HV_UNPACK_MAX ((size_t)1 << 30)

/* "zstd", "xz", "lz4", "gzip", or NULL for one that we do not know. */
const char *hv_unpack_format(const void *data, size_t len);

/* Loads what unpacking this will need, for good: for a process that can open no library later.
 * Nothing when it is not known, or not installed. */
void hv_unpack_prepare(const void *data, size_t len);

/* *out is a mapping of *out_len bytes for munmap. -EOPNOTSUPP: a format that we do not know, or
 * whose library is not installed; -EBADMSG: damaged; -ENOMEM. */
int hv_unpack(const void *data, size_t len, void **out, size_t *out_len);

#endif
