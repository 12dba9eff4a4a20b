/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel_kind: which way in a file offers. The order matters where a file offers several: Linux
 * says so in one fixed place; a Multiboot header is searched for, and goes before a PVH note,
 * because a kernel with both was most likely tried the Multiboot way.
 */
#include "hv-core/kernel_kind.h"

#include <errno.h>
#include <sys/types.h>
#include <unistd.h>

#include "hv-core/bzimage.h"
#include "hv-core/elf.h"
#include "hv-core/multiboot.h"

enum hv_kernel_kind hv_kernel_kind_of(const void *head, size_t len)
{
	if (hv_bzimage_magic(head, len))
		return HV_KERNEL_LINUX;
	if (hv_multiboot_magic(head, len))
		return HV_KERNEL_MULTIBOOT;
	return hv_elf_magic(head, len) ? HV_KERNEL_PVH : HV_KERNEL_UNKNOWN;
}

int hv_kernel_kind(int fd)
{
	uint8_t head[HV_KERNEL_HEAD];
	ssize_t got = pread(fd, head, sizeof(head), 0);

	return got < 0 ? -errno : (int)hv_kernel_kind_of(head, (size_t)got);
}
