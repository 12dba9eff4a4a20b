/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mem_file: RAM whose first contents are a file's: a VM that goes on where another was saved.
 *
 * The file is mapped over the memory, privately: a page is read when the guest first touches it,
 * and becomes the guest's own when it writes there. So a VM starts at once whatever its size, and
 * many VMs from one file share what none of them has changed. Where the file has a hole the memory
 * stays as it is, zeroes that cost nothing. Huge pages cannot be mapped from such a file, and
 * memory that other processes map cannot be private: there the data is copied.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "hv-core/mem.h"

/* Data and holes are told apart in pieces of this size, so that the number of mappings stays far
 * below the kernel's limit (vm.max_map_count), and holes are made of huge pages. */
#define PIECE (2 * MIB)

bool hv_mem_file_mapped(const struct hv_config *config)
{
	return config->ram_file && !config->share_ram &&
	       (config->pages == HV_PAGES_4K || config->pages == HV_PAGES_THP);
}

static int copy(int fd, uint64_t from, uint8_t *to, uint64_t len)
{
	while (len) {
		ssize_t n = pread(fd, to, len, (off_t)from);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENODATA;
		from += (uint64_t)n;
		to += n;
		len -= (uint64_t)n;
	}
	return 0;
}

static int place(const struct hv_config *config, uint8_t *hva, uint64_t at, uint64_t len)
{
	const struct hv_ram_file *file = config->ram_file;
	off_t offset = (off_t)(file->offset + at);

	if (!hv_mem_file_mapped(config))
		return copy(file->fd, file->offset + at, hva + at, len);
	if (mmap(hva + at, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, file->fd,
		 offset) == MAP_FAILED)
		return -errno;
	madvise(hva + at, len, MADV_DONTDUMP); /* a hint */
	return 0;
}

/* The next stretch of data from *at on, in whole pieces; false: there is none. A file system that
 * knows no holes says that all is data (lseek(2)). */
static bool next_data(const struct hv_config *config, uint64_t *at, uint64_t *end)
{
	const struct hv_ram_file *file = config->ram_file;
	off_t data = lseek(file->fd, (off_t)(file->offset + *at), SEEK_DATA);
	off_t hole = data < 0 ? -1 : lseek(file->fd, data, SEEK_HOLE);

	if (data < 0 && errno == ENXIO)
		return false;
	if (data < 0 || hole < 0) {
		*end = config->ram;
		return true;
	}
	*at = ALIGN_DOWN((uint64_t)data - file->offset, PIECE);
	*end = MIN(ALIGN_UP((uint64_t)hole - file->offset, PIECE), config->ram);
	return *at < config->ram;
}

int hv_mem_file_fill(const char *subject, const struct hv_config *config, void *hva)
{
	uint64_t at = 0, end = 0;
	int rc = 0;

	if (!IS_ALIGNED(config->ram_file->offset, PIECE))
		rc = -EINVAL;
	for (; rc == 0 && at < config->ram && next_data(config, &at, &end); at = end)
		rc = place(config, hva, at, end - at);
	return rc < 0 ? log_fail(rc, subject,
				 "not created: its memory cannot be had from the "
				 "file: %s",
				 strerror(-rc))
		      : 0;
}
