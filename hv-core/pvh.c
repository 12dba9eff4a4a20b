/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pvh: a kernel in ELF form that is entered the PVH way: 32-bit protected mode without paging, EBX
 * at a start-info structure (Xen public/arch-x86/hvm/start_info.h, docs/misc/pvh.pandoc).
 *
 * The entry is told by an ELF note, XEN_ELFNOTE_PHYS32_ENTRY.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "hv-core/boot.h"
#include "hv-core/elf.h"
#include "hv-core/vm.h"

#define NOTE_PHYS32_ENTRY 18
#define START_MAGIC	  0x336ec578u
#define START_VERSION	  1u

struct start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modlist_paddr, cmdline_paddr, rsdp_paddr, memmap_paddr;
	uint32_t memmap_entries, reserved;
};

struct modlist_entry {
	uint64_t paddr, size, cmdline_paddr, reserved;
};

struct memmap_entry {
	uint64_t addr, size;
	uint32_t type, reserved;
};

/* All of it, one after the other, in one page. */
struct start_page {
	struct start_info info;
	struct modlist_entry module;
	struct memmap_entry map[HV_MEMMAP_ENTRIES];
};

_Static_assert(sizeof(struct start_info) == 56, "start_info.h, version 1");
_Static_assert(offsetof(struct start_info, memmap_paddr) == 40, "start_info.h");
_Static_assert(sizeof(struct modlist_entry) == 32, "start_info.h");
_Static_assert(sizeof(struct memmap_entry) == 24, "start_info.h");
_Static_assert(sizeof(struct start_page) <= 4096, "one page");

static int load_elf(struct hv_boot *boot, const uint8_t *file, size_t len, uint64_t *entry)
{
	struct hv_elf elf;
	const char *why;
	const void *note;
	uint32_t start = 0;
	size_t size;
	int err = hv_elf_parse(file, len, &elf, &why);

	if (err < 0)
		return hv_boot_not_kernel(boot, why);
	note = hv_elf_note(file, &elf, "Xen", NOTE_PHYS32_ENTRY, &size);
	if (!note || size < sizeof(start))
		return hv_boot_not_kernel(boot, "an ELF file without a PVH entry note");
	memcpy(&start, note, sizeof(start)); /* 4 or 8 bytes; the entry is below 4 GiB */
	for (unsigned i = 0; i < elf.segments; i++) {
		err = hv_boot_segment(boot, file, &elf.segment[i], (struct range){1, 0});
		if (err < 0)
			return err;
	}
	*entry = start;
	return 0;
}

static int write_start_info(struct hv_boot *boot)
{
	struct hv_memmap_entry map[HV_MEMMAP_ENTRIES];
	size_t count = hv_boot_memmap(&boot->layout, map);
	struct start_page page = {
		.info =
			{
				.magic = START_MAGIC,
				.version = START_VERSION,
				.nr_modules = boot->initrd_size ? 1 : 0,
				.modlist_paddr =
					HV_BOOT_START_INFO + offsetof(struct start_page, module),
				.cmdline_paddr = HV_BOOT_CMDLINE,
				.rsdp_paddr = HV_BOOT_ACPI,
				.memmap_paddr =
					HV_BOOT_START_INFO + offsetof(struct start_page, map),
				.memmap_entries = (uint32_t)count,
			},
		.module = {.paddr = boot->initrd.start, .size = boot->initrd_size},
	};

	for (size_t i = 0; i < count; i++)
		page.map[i] = (struct memmap_entry){
			.addr = map[i].range.start,
			.size = range_size(map[i].range),
			.type = map[i].type,
		};
	return hv_mem_write(boot->vm, HV_BOOT_START_INFO, &page, sizeof(page));
}

static int read_kernel(struct hv_boot *boot, uint64_t size, uint64_t *entry)
{
	uint8_t *file;
	int err = hv_boot_read_kernel(boot, size, &file);

	if (err < 0)
		return err;
	err = load_elf(boot, file, size, entry);
	free(file);
	return err;
}

int hv_boot_pvh(struct hv_boot *boot, uint64_t file_size)
{
	struct hv_entry_state entry = {
		.mode = HV_ENTRY_PROTECTED,
		.rbx = HV_BOOT_START_INFO,
		.gdt_base = HV_BOOT_GDT,
		.gdt_limit = HV_BOOT_DS + 7,
		.code_selector = HV_BOOT_CS,
		.data_selector = HV_BOOT_DS,
	};
	int err = hv_boot_cmdline(boot, HV_BOOT_CMDLINE_MAX);

	if (err == 0)
		err = hv_boot_initrd(boot, UINT32_MAX);
	if (err == 0)
		err = read_kernel(boot, file_size, &entry.rip);
	if (err == 0)
		err = write_start_info(boot);
	if (err == 0)
		err = hv_boot_gdt(boot, false);
	return err < 0 ? err : hv_vcpu_set_boot_entry(boot->vm, &entry);
}
