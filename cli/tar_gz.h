/* SPDX-License-Identifier: BSD-3-Clause */
/* tar_gz: writes an archive of texts (POSIX.1 ustar, gzip). */
#ifndef CLI_TAR_GZ_H
#define CLI_TAR_GZ_H

#include <stddef.h>

struct tar_gz;

/* `fd` is taken over, also on failure. */
int tar_gz_open(int fd, struct tar_gz **out);
/* A file "NAME", at most 99 characters. -ENAMETOOLONG, -EIO. */
int tar_gz_add(struct tar_gz *tar, const char *name, const void *bytes, size_t len);
/* 0 when all of it is written. */
int tar_gz_close(struct tar_gz *tar);

#endif
