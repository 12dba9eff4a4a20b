/* SPDX-License-Identifier: BSD-3-Clause */
/* elf_load: what the two ways to start an ELF kernel share: its file, and its parts in memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"
#include "hv-core/boot.h"

#define KERNEL_FILE_MAX (UINT64_C(1) << 30)

int hv_boot_not_kernel(const struct hv_boot *boot, const char *why)
{
	return log_fail(-ENOEXEC, boot->config->kernel_name, "not a kernel that can be started: %s",
			why);
}

int hv_boot_read_kernel(struct hv_boot *boot, uint64_t size, uint8_t **file)
{
	uint8_t *buffer;
	int err;

	if (size > KERNEL_FILE_MAX)
		return hv_boot_not_kernel(boot, "a file larger than any kernel");
	buffer = malloc(size);
	if (!buffer)
		return -ENOMEM;
	err = io_pread_full(boot->config->kernel_fd, buffer, size, 0);
	if (err < 0) {
		free(buffer);
		return log_fail(err, boot->config->kernel_name, "cannot be read: %s",
				strerror(-err));
	}
	*file = buffer;
	return 0;
}

int hv_boot_segment(struct hv_boot *boot, const uint8_t *file, const struct hv_elf_segment *seg,
		    struct range low)
{
	struct range room = hv_boot_room(boot);
	struct range want = {seg->paddr, seg->paddr + seg->memsz - 1};
	char text[PARSE_SIZE_TEXT];
	int err;

	if (want.start < room.start && !range_contains(low, want))
		return hv_boot_not_kernel(boot, "a segment below 1 MiB, where our own tables are");
	if (want.start >= room.start && !range_contains(room, want))
		return log_fail(-EFBIG, boot->config->kernel_name,
				"%s and its initrd do not fit the VM's memory; give it more with "
				"--memory",
				format_size(want.last + 1, text));
	err = hv_mem_write(boot->vm, seg->paddr, file + seg->offset, seg->filesz);
	if (err == 0 && seg->memsz > seg->filesz)
		err = hv_boot_zero(boot, seg->paddr + seg->filesz, seg->memsz - seg->filesz);
	return err;
}
