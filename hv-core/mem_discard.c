/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mem_discard: RAM that the guest does not need for now goes back to the host.
 *
 * The addresses stay the guest's: what it touches again is there again, with pages of the host's
 * choice. A shared memfd has its pages in the file, so a hole is punched into that; private memory
 * has them in the mapping alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "base/util.h"
#include "hv-core/hv.h"

static int discard(const struct hv_ram_block *b, uint64_t offset, uint64_t len)
{
	const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	int rc = b->fd < 0 ? madvise((uint8_t *)b->hva + offset, len, MADV_DONTNEED)
			   : fallocate(b->fd, punch, (off_t)(b->offset + offset), (off_t)len);

	return rc < 0 ? -errno : 0;
}

int hv_mem_discard(const struct hv_vm *vm, const void *hva, uint64_t len)
{
	const struct hv_ram_block *blocks;
	size_t count = hv_mem_blocks(vm, &blocks);

	for (size_t i = 0; i < count; i++) {
		const struct hv_ram_block *b = &blocks[i];
		uint64_t first = (uint64_t)((uintptr_t)hva - (uintptr_t)b->hva);

		if ((uintptr_t)hva < (uintptr_t)b->hva || first >= b->size || len > b->size - first)
			continue;
		uint64_t start = ALIGN_UP(first, 4 * KIB), end = ALIGN_DOWN(first + len, 4 * KIB);
		return start < end ? discard(b, start, end - start) : 0;
	}
	return -EFAULT;
}
