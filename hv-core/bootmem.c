/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bootmem: the memory map, and what stands in guest memory besides the kernel: initrd, command
 * line, descriptor and page tables.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/util.h"
#include "hv-core/boot.h"

#define PAGE	  UINT64_C(4096)
#define VGA_START UINT64_C(0xa0000) /* RAM ends here for a PC, and firmware begins after it */

/* Page-table bits (SDM vol. 3, 4.5.4). */
#define PTE_PRESENT_WRITE UINT64_C(3)
#define PTE_LARGE	  (UINT64_C(1) << 7)

size_t hv_boot_memmap(const struct hv_mem_layout *layout,
		      struct hv_memmap_entry map[HV_MEMMAP_ENTRIES])
{
	size_t n = 0;

	map[n++] = (struct hv_memmap_entry){{0, VGA_START - 1}, HV_MEMMAP_RAM};
	map[n++] = (struct hv_memmap_entry){{HV_BOOT_ACPI, HV_BOOT_ACPI_END - 1}, HV_MEMMAP_ACPI};
	map[n++] =
		(struct hv_memmap_entry){{HV_BOOT_ACPI_END, layout->low_ram.last}, HV_MEMMAP_RAM};
	/* Linux uses ECAM only when the map says that nothing else does. */
	map[n++] = (struct hv_memmap_entry){layout->ecam, HV_MEMMAP_RESERVED};
	if (layout->high_ram.start <= layout->high_ram.last)
		map[n++] = (struct hv_memmap_entry){layout->high_ram, HV_MEMMAP_RAM};
	return n;
}

struct range hv_boot_room(const struct hv_boot *boot)
{
	struct range room = {HV_BOOT_ACPI_END, boot->layout.low_ram.last};

	if (boot->initrd_size)
		room.last = boot->initrd.start - 1;
	return room;
}

static int initrd_size(struct hv_boot *boot)
{
	struct stat st;

	if (fstat(boot->config->initrd_fd, &st) < 0)
		return log_fail(-errno, boot->config->initrd_name, "cannot be read: %s",
				strerror(errno));
	if (!S_ISREG(st.st_mode))
		return log_fail(-EINVAL, boot->config->initrd_name,
				"not an initrd: not a regular file");
	boot->initrd_size = (uint64_t)st.st_size;
	return 0;
}

int hv_boot_initrd(struct hv_boot *boot, uint64_t limit)
{
	uint64_t last = MIN(limit, boot->layout.low_ram.last), size;
	char text[PARSE_SIZE_TEXT];
	int err;

	boot->initrd_size = 0;
	if (boot->config->initrd_fd < 0)
		return 0;
	err = initrd_size(boot);
	if (err < 0 || boot->initrd_size == 0)
		return err;
	size = boot->initrd_size;
	if (last < HV_BOOT_ACPI_END || size > last + 1 - HV_BOOT_ACPI_END)
		return log_fail(-EFBIG, boot->config->initrd_name,
				"%s do not fit the VM's memory; give it more with --memory",
				format_size(size, text));
	boot->initrd.start = ALIGN_DOWN(last + 1 - size, PAGE);
	boot->initrd.last = boot->initrd.start + size - 1;
	err = io_pread_full(boot->config->initrd_fd, hv_mem_ptr(boot->vm, boot->initrd.start, size),
			    size, 0);
	if (err < 0)
		return log_fail(err, boot->config->initrd_name, "cannot be read: %s",
				strerror(-err));
	return 0;
}

int hv_boot_cmdline(struct hv_boot *boot, uint32_t max)
{
	size_t len = strlen(boot->config->cmdline);

	max = MIN(max, HV_BOOT_CMDLINE_MAX - 1);
	if (len > max)
		return log_fail(-E2BIG, hv_vm_name(boot->vm),
				"command line of %zu bytes is too long: this kernel takes %u", len,
				max);
	return hv_mem_write(boot->vm, HV_BOOT_CMDLINE, boot->config->cmdline, len + 1);
}

/* Flat segments over everything (SDM vol. 3, 3.4.5): present, ring 0, 4K granularity, accessed. */
int hv_boot_gdt(struct hv_boot *boot, bool long_mode)
{
	const uint64_t gdt[] = {
		0,
		0,
		long_mode ? UINT64_C(0x00af9b000000ffff) : UINT64_C(0x00cf9b000000ffff),
		UINT64_C(0x00cf93000000ffff),
	};

	_Static_assert(HV_BOOT_CS == 2 * 8 && HV_BOOT_DS == 3 * 8, "selectors are table offsets");
	return hv_mem_write(boot->vm, HV_BOOT_GDT, gdt, sizeof(gdt));
}

/* One PML4, one page-directory-pointer table, four page directories of 2 MiB pages. */
int hv_boot_page_tables(struct hv_boot *boot)
{
	uint64_t *table = hv_mem_ptr(boot->vm, HV_BOOT_TABLES, 6 * PAGE);

	if (!table)
		return -EFAULT;
	memset(table, 0, 2 * PAGE);
	table[0] = (HV_BOOT_TABLES + PAGE) | PTE_PRESENT_WRITE;
	for (uint64_t i = 0; i < 4; i++)
		table[512 + i] = (HV_BOOT_TABLES + (2 + i) * PAGE) | PTE_PRESENT_WRITE;
	for (uint64_t i = 0; i < UINT64_C(4) * 512; i++)
		table[1024 + i] = i * 2 * MIB | PTE_PRESENT_WRITE | PTE_LARGE;
	return 0;
}

static const struct hv_ram_block *find_block(struct hv_vm *vm, uint64_t gpa)
{
	const struct hv_ram_block *block;
	size_t count = hv_mem_blocks(vm, &block);

	for (; count > 0; count--, block++) {
		if (gpa >= block->gpa && gpa - block->gpa < block->size)
			return block;
	}
	return NULL;
}

/* In a sparse file a hole reads as zero, and writing zeros to it would only allocate it. Kernels
 * that cannot tell (hugetlbfs) report everything as data. */
static int zero_data(const struct hv_ram_block *block, uint64_t at, uint64_t len)
{
	off_t next = (off_t)(block->offset + at);
	const off_t end = next + (off_t)len;

	while (next < end) {
		off_t data = lseek(block->fd, next, SEEK_DATA), hole;

		if (data < 0 && errno == ENXIO)
			return 0; /* holes up to the end of the file */
		if (data < 0)
			return -errno;
		if (data >= end)
			return 0;
		hole = lseek(block->fd, data, SEEK_HOLE);
		if (hole < 0)
			return -errno;
		hole = MIN(hole, end);
		memset((uint8_t *)block->hva + ((uint64_t)data - block->offset), 0,
		       (size_t)(hole - data));
		next = hole;
	}
	return 0;
}

#define PAGEMAP_HAS_PAGE                                                        \
	(UINT64_C(3) << 62) /* present or swapped: Documentation/admin-guide/mm \
			     */

/* The same for private memory: what has no page in /proc/self/pagemap was never written. */
static int zero_private(const int *pagemap, uint8_t *mem, uint64_t len)
{
	int opened = pagemap ? -1 : open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	int fd = pagemap ? *pagemap : opened;
	uint64_t entries[512];
	int err = fd < 0 ? -errno : 0;

	for (uint64_t at = 0; err == 0 && at < len;) {
		uint64_t pages = MIN(ARRAY_SIZE(entries), (len - at + PAGE - 1) / PAGE);

		err = io_pread_full(fd, entries, pages * sizeof(entries[0]),
				    (off_t)((uintptr_t)(mem + at) / PAGE * sizeof(entries[0])));
		for (uint64_t i = 0; err == 0 && i < pages; i++, at += PAGE) {
			if (entries[i] & PAGEMAP_HAS_PAGE)
				memset(mem + at, 0, MIN(PAGE, len - at));
		}
	}
	io_close(&opened);
	return err;
}

int hv_boot_zero(struct hv_boot *boot, uint64_t gpa, uint64_t len)
{
	uint8_t *mem = hv_mem_ptr(boot->vm, gpa, len);
	const struct hv_ram_block *block = find_block(boot->vm, gpa);
	uint64_t head = MIN(len, ALIGN_UP(gpa, PAGE) - gpa);
	int err;

	if (!mem || !block)
		return -EFAULT;
	memset(mem, 0, head);
	if (head == len)
		return 0;
	if (block->fd >= 0)
		err = zero_data(block, gpa + head - block->gpa, len - head);
	else
		err = zero_private(boot->config ? boot->config->pagemap : NULL, mem + head,
				   len - head);
	if (err < 0)
		memset(mem, 0, len);
	return 0;
}
