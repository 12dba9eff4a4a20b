/* SPDX-License-Identifier: BSD-3-Clause */
/* tar_gz: see tar_gz.h. */
#include "cli/tar_gz.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#define BLOCK 512

struct tar_gz {
	gzFile file;
	int err;
};

/* POSIX.1-2017, pax, "ustar Interchange Format". */
struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100];
	char magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155], pad[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "ustar");

static void put(struct tar_gz *tar, const void *bytes, size_t len)
{
	if (!tar->err && len && gzwrite(tar->file, bytes, (unsigned)len) != (int)len)
		tar->err = -EIO;
}

int tar_gz_open(int fd, struct tar_gz **out)
{
	struct tar_gz *tar = calloc(1, sizeof(*tar));
	gzFile file = tar ? gzdopen(fd, "wb") : NULL;

	if (!file) {
		close(fd);
		free(tar);
		return -ENOMEM;
	}
	tar->file = file;
	*out = tar;
	return 0;
}

/* The sum counts its own field as spaces. */
static void finish_header(struct header *h)
{
	unsigned sum = 0;

	memset(h->sum, ' ', sizeof(h->sum));
	for (size_t i = 0; i < sizeof(*h); i++)
		sum += ((const unsigned char *)h)[i];
	snprintf(h->sum, sizeof(h->sum), "%06o", sum);
}

int tar_gz_add(struct tar_gz *tar, const char *name, const void *bytes, size_t len)
{
	static const char zeroes[BLOCK];
	struct header h = {.mode = "0000600",
			   .uid = "0000000",
			   .gid = "0000000",
			   .type = '0',
			   .magic = "ustar",
			   .version = {'0', '0'}};

	if (strlen(name) >= sizeof(h.name))
		return -ENAMETOOLONG;
	strcpy(h.name, name);
	snprintf(h.size, sizeof(h.size), "%011zo", len);
	snprintf(h.mtime, sizeof(h.mtime), "%011llo", (unsigned long long)time(NULL));
	finish_header(&h);
	put(tar, &h, sizeof(h));
	put(tar, bytes, len);
	put(tar, zeroes, (BLOCK - len % BLOCK) % BLOCK);
	return tar->err;
}

int tar_gz_close(struct tar_gz *tar)
{
	static const char end[2 * BLOCK];

	put(tar, end, sizeof(end));
	int err = tar->err;
	if (gzclose(tar->file) != Z_OK && !err)
		err = -EIO;
	free(tar);
	return err;
}
