/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * multiboot_load: a kernel entered the Multiboot way: 32-bit protected mode without paging, EAX a
 * magic number, EBX at an information structure (Multiboot Specification 0.6.96, 3.2 and 3.3). The
 * initrd is its one module.
 *
 * Kernels of this kind are small and may want to be almost anywhere, so what they are told stands
 * at the end of conventional memory:
 *
 *     0x90000   information, module list, memory map, then the texts     0x9fbff
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "hv-core/boot.h"
#include "hv-core/elf.h"
#include "hv-core/vm.h"

#define INFO_AT	    UINT64_C(0x90000)
#define INFO_END    UINT64_C(0x9fc00) /* where a PC may keep an extended BIOS data area */
#define ENTRY_MAGIC 0x2badb002u
#define LOADER_NAME "Sluice"

/* 3.3, which fields are valid */
#define INFO_MEMORY  (1u << 0)
#define INFO_CMDLINE (1u << 2)
#define INFO_MODULES (1u << 3)
#define INFO_MMAP    (1u << 6)
#define INFO_LOADER  (1u << 9)

struct info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
	uint32_t syms[4], mmap_length, mmap_addr, drives_length, drives_addr, config_table;
	uint32_t boot_loader_name, apm_table;
	uint8_t video[48]; /* VBE and frame buffer; neither is there */
};

struct module {
	uint32_t start, end, string, reserved;
};

/* `size` does not count itself. */
struct mmap_entry {
	uint32_t size;
	uint64_t base, length;
	uint32_t type;
} __attribute__((packed));

struct info_page {
	struct info info;
	struct module module;
	struct mmap_entry map[HV_MEMMAP_ENTRIES];
	char texts[]; /* loader, command line, module's */
};

_Static_assert(offsetof(struct info, mmap_length) == 44, "Multiboot 0.6.96, 3.3");
_Static_assert(offsetof(struct info, boot_loader_name) == 64, "Multiboot 0.6.96, 3.3");
_Static_assert(offsetof(struct info, video) == 72, "Multiboot 0.6.96, 3.3");
_Static_assert(sizeof(struct info) == 120, "Multiboot 0.6.96, 3.3, with a frame buffer's fields");
_Static_assert(sizeof(struct module) == 16, "Multiboot 0.6.96, 3.3");
_Static_assert(sizeof(struct mmap_entry) == 24, "Multiboot 0.6.96, 3.3");

/* ---- the kernel ---- */

static int load_elf(struct hv_boot *boot, const uint8_t *file, size_t len, struct range low,
		    uint64_t *entry)
{
	struct hv_elf elf;
	const char *why;
	int err = hv_elf_parse(file, len, &elf, &why);

	if (err < 0)
		return hv_boot_not_kernel(boot, why);
	*entry = hv_elf_physical(&elf, elf.entry);
	if (*entry > UINT32_MAX)
		return hv_boot_not_kernel(boot, "an ELF file whose entry is above 4 GiB");
	for (unsigned i = 0; i < elf.segments && err == 0; i++)
		err = hv_boot_segment(boot, file, &elf.segment[i], low);
	return err;
}

static int load_kernel(struct hv_boot *boot, const struct hv_multiboot *mb, uint64_t file_size,
		       uint64_t *entry)
{
	/* The first page has the real-mode vectors and our descriptor table. */
	const struct range low = {0x1000, INFO_AT - 1};
	const struct hv_elf_segment only = {
		.offset = mb->offset,
		.filesz = mb->filesz,
		.paddr = mb->load,
		.memsz = mb->memsz,
	};
	uint8_t *file;
	int err = hv_boot_read_kernel(boot, file_size, &file);

	if (err < 0)
		return err;
	*entry = mb->entry;
	if (mb->addresses)
		err = hv_boot_segment(boot, file, &only, low);
	else
		err = load_elf(boot, file, file_size, low, entry);
	free(file);
	return err;
}

/* ---- what it is told ---- */

/* Appends a text and its end. Returns its address in guest memory. */
static uint32_t add_text(struct info_page *page, size_t *used, const char *text)
{
	uint32_t at = (uint32_t)(INFO_AT + offsetof(struct info_page, texts) + *used);

	strcpy(page->texts + *used, text);
	*used += strlen(text) + 1;
	return at;
}

static void fill_map(const struct hv_boot *boot, struct info_page *page)
{
	struct hv_memmap_entry map[HV_MEMMAP_ENTRIES];
	size_t count = hv_boot_memmap(&boot->layout, map);

	for (size_t i = 0; i < count; i++)
		page->map[i] = (struct mmap_entry){
			.size = sizeof(page->map[i]) - sizeof(page->map[i].size),
			.base = map[i].range.start,
			.length = range_size(map[i].range),
			.type = map[i].type, /* 1, 2, 3 as in 3.3 */
		};
	page->info.mmap_addr = (uint32_t)(INFO_AT + offsetof(struct info_page, map));
	page->info.mmap_length = (uint32_t)(count * sizeof(page->map[0]));
	page->info.mem_lower = (uint32_t)(range_size(map[0].range) / KIB);
	page->info.mem_upper = (uint32_t)((boot->layout.low_ram.last + 1 - HV_BOOT_ACPI_END) / KIB);
}

static void fill_page(const struct hv_boot *boot, struct info_page *page, const char *cmdline)
{
	struct info *info = &page->info;
	size_t used = 0;

	info->flags = INFO_MEMORY | INFO_CMDLINE | INFO_MODULES | INFO_MMAP | INFO_LOADER;
	info->boot_loader_name = add_text(page, &used, LOADER_NAME);
	info->cmdline = add_text(page, &used, cmdline);
	info->mods_addr = (uint32_t)(INFO_AT + offsetof(struct info_page, module));
	if (boot->initrd_size) {
		info->mods_count = 1;
		page->module = (struct module){
			.start = (uint32_t)boot->initrd.start,
			.end = (uint32_t)(boot->initrd.start + boot->initrd_size),
			.string = add_text(page, &used, boot->config->initrd_name),
		};
	}
	fill_map(boot, page);
}

/* As from any loader, the first word of the command line is the kernel's own name. */
static int write_info(struct hv_boot *boot)
{
	const struct hv_boot_config *c = boot->config;
	size_t texts = sizeof(LOADER_NAME) + strlen(c->kernel_name) + 1 + strlen(c->cmdline) + 1 +
		       (boot->initrd_size ? strlen(c->initrd_name) : 0) + 1;
	size_t size = sizeof(struct info_page) + texts;
	struct info_page *page;
	char *cmdline = NULL;
	int err;

	if (size > INFO_END - INFO_AT)
		return log_fail(-E2BIG, hv_vm_name(boot->vm),
				"command line of %zu bytes is too long: this kernel takes %zu",
				strlen(c->cmdline),
				strlen(c->cmdline) - MIN(strlen(c->cmdline),
							 size - (size_t)(INFO_END - INFO_AT)));
	page = calloc(1, size);
	if (!page || asprintf(&cmdline, "%s %s", c->kernel_name, c->cmdline) < 0) {
		free(page);
		return -ENOMEM;
	}
	fill_page(boot, page, cmdline);
	err = hv_mem_write(boot->vm, INFO_AT, page, size);
	free(cmdline);
	free(page);
	return err;
}

int hv_boot_multiboot(struct hv_boot *boot, const struct hv_multiboot *mb, uint64_t file_size)
{
	struct hv_entry_state entry = {
		.mode = HV_ENTRY_PROTECTED,
		.rax = ENTRY_MAGIC,
		.rbx = INFO_AT,
		.gdt_base = HV_BOOT_GDT,
		.gdt_limit = HV_BOOT_DS + 7,
		.code_selector = HV_BOOT_CS,
		.data_selector = HV_BOOT_DS,
	};
	int err = hv_boot_initrd(boot, UINT32_MAX);

	if (err == 0)
		err = load_kernel(boot, mb, file_size, &entry.rip);
	if (err == 0)
		err = write_info(boot);
	if (err == 0)
		err = hv_boot_gdt(boot, false);
	return err < 0 ? err : hv_vcpu_set_boot_entry(boot->vm, &entry);
}
