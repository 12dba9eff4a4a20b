/* SPDX-License-Identifier: BSD-3-Clause */
/* vtd_hugefile: hugepages of a file, and where they lie physically. See vtd_mem.h.
 * Linux: admin-guide/mm/hugetlbpage.rst, admin-guide/mm/pagemap.rst. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"
#include "iommu/bits.h"
#include "iommu/vtd_mem.h"

struct vtd_hugefile {
	int fd, pagemap;
	off_t size;
	char *path;
};

/* One 64-bit word per page: bit 63 present, frame in 54:0, which is 0 for who may not know. */
static int find(void *opaque, const void *at, uint64_t *phys)
{
	struct vtd_hugefile *file = opaque;
	uint64_t word, page = (uint64_t)sysconf(_SC_PAGESIZE);
	off_t offset = (off_t)((uintptr_t)at / page * sizeof(word));
	int err = io_pread_full(file->pagemap, &word, sizeof(word), offset);

	if (err)
		return log_fail(err, file->path, "where it lies is unknown: %s", strerror(-err));
	if (!bit_get(word, 63))
		return log_fail(-EFAULT, file->path, "a locked page is not in memory");
	if (!bits_get(word, 54, 0))
		return log_fail(-EPERM, file->path,
				"physical addresses are hidden; it takes CAP_SYS_ADMIN");
	*phys = bits_get(word, 54, 0) * page;
	return 0;
}

static int grow(void *opaque, void **at, uint64_t *phys)
{
	struct vtd_hugefile *file = opaque;
	off_t offset = file->size;
	int err = fallocate(file->fd, 0, offset, VTD_CHUNK) < 0 ? -errno : 0;

	if (err)
		return log_fail(err, file->path,
				"no hugepage of 2 MiB left (%s); raise "
				"/proc/sys/vm/nr_hugepages",
				strerror(-err));
	file->size += VTD_CHUNK;
	void *map = mmap(NULL, VTD_CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			 file->fd, offset);
	if (map == MAP_FAILED)
		return log_fail(-errno, file->path, "not mapped: %m");
	if (mlock(map, VTD_CHUNK) < 0)
		err = log_fail(-errno, file->path, "not locked into memory: %m");
	if (!err)
		err = find(file, map, phys);
	if (!err && !IS_ALIGNED(*phys, VTD_CHUNK))
		err = log_fail(-EFAULT, file->path, "a hugepage at 0x%" PRIx64 " is none", *phys);
	if (err) {
		munmap(map, VTD_CHUNK);
		return err;
	}
	*at = map;
	return 0;
}

static void release(void *opaque, void *at)
{
	(void)opaque;
	munmap(at, VTD_CHUNK);
}

static int check_fs(const struct vtd_hugefile *file)
{
	struct statfs fs;

	if (fstatfs(file->fd, &fs) < 0)
		return log_fail(-errno, file->path, "of unknown kind: %m");
	if (fs.f_type == HUGETLBFS_MAGIC && fs.f_bsize == VTD_CHUNK)
		return 0;
	return log_fail(-EINVAL, file->path,
			"not on a hugetlbfs with pages of 2 MiB; mount -t hugetlbfs -o "
			"pagesize=2M none DIRECTORY");
}

int vtd_hugefile_open(const char *path, const char *pagemap, struct vtd_hugefile **out,
		      struct vtd_mem_source *source)
{
	struct vtd_hugefile *file = calloc(1, sizeof(*file));
	int err = 0;

	if (!file)
		return -ENOMEM;
	file->path = strdup(path);
	file->pagemap = open(pagemap, O_RDONLY | O_CLOEXEC);
	file->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (!file->path)
		err = -ENOMEM;
	else if (file->fd < 0)
		err = log_fail(-errno, path, "not made: %m");
	else
		err = check_fs(file);
	if (!err && file->pagemap < 0)
		err = log_fail(-EPERM, pagemap, "cannot be read");
	if (err && file->fd >= 0)
		unlink(path);
	if (err) {
		vtd_hugefile_close(file);
		return err;
	}
	*source = (struct vtd_mem_source){grow, find, release, file};
	*out = file;
	return 0;
}

void vtd_hugefile_close(struct vtd_hugefile *file)
{
	if (!file)
		return;
	io_close(&file->fd);
	io_close(&file->pagemap);
	free(file->path);
	free(file);
}
