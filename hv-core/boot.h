/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * boot: what the files that load a kernel share. Private to hv-core.
 *
 * boot.c decides which kind of kernel it has; bzimage_load.c (Linux boot protocol), pvh.c (PVH) and
 * multiboot_load.c know the ways in; vmlinux_load.c puts an unpacked kernel into memory, elf_load.c
 * one in ELF form; bootmem.c lays out the rest.
 *
 * Below 1 MiB a guest finds at its start:
 *
 *     0x00500  GDT                    0x09000  page tables (identity, 4 GiB)
 *     0x06000  PVH start info         0x20000  command line
 *     0x07000  boot parameters        0xe0000  ACPI tables, the RSDP first
 *     0x08000  setup data, then stack 0xffff0  code that resets the machine
 *
 * but for a Multiboot kernel, see multiboot_load.c.
 */
#ifndef HV_CORE_BOOT_H
#define HV_CORE_BOOT_H

#include "hv-core/bzimage.h"
#include "hv-core/elf.h"
#include "hv-core/hv.h"
#include "hv-core/multiboot.h"

#define HV_BOOT_GDT	    UINT64_C(0x500)
#define HV_BOOT_START_INFO  UINT64_C(0x6000)
#define HV_BOOT_PARAMS	    UINT64_C(0x7000)
#define HV_BOOT_SETUP_DATA  UINT64_C(0x8000)
#define HV_BOOT_STACK	    UINT64_C(0x9000)
#define HV_BOOT_TABLES	    UINT64_C(0x9000)
#define HV_BOOT_CMDLINE	    UINT64_C(0x20000)
#define HV_BOOT_CMDLINE_MAX 65536u
#define HV_BOOT_ACPI	    UINT64_C(0xe0000)
#define HV_BOOT_RESET	    UINT64_C(0xffff0)
#define HV_BOOT_ACPI_END    UINT64_C(0x100000)

/* __BOOT_CS and __BOOT_DS of the Linux boot protocol; PVH leaves the choice to us. */
#define HV_BOOT_CS 0x10
#define HV_BOOT_DS 0x18

struct hv_boot {
	struct hv_vm *vm;
	const struct hv_boot_config *config;
	struct hv_mem_layout layout;
	struct range initrd; /* last < start: none */
	uint64_t initrd_size;
};

/* ---- bootmem.c ---- */

/* The numbers of E820 and of the PVH memory map alike. */
enum hv_memmap_type { HV_MEMMAP_RAM = 1, HV_MEMMAP_RESERVED = 2, HV_MEMMAP_ACPI = 3 };

struct hv_memmap_entry {
	struct range range;
	enum hv_memmap_type type;
};

#define HV_MEMMAP_ENTRIES 5

/* Returns how many entries it filled. */
size_t hv_boot_memmap(const struct hv_mem_layout *layout,
		      struct hv_memmap_entry map[HV_MEMMAP_ENTRIES]);
/* Low RAM from 1 MiB on, up to the initrd where there is one: where a kernel may go. */
struct range hv_boot_room(const struct hv_boot *boot);
/* Reads the initrd to the top of low RAM, at or below `limit`. */
int hv_boot_initrd(struct hv_boot *boot, uint64_t limit);
/* -E2BIG beyond `max` bytes without the end. */
int hv_boot_cmdline(struct hv_boot *boot, uint32_t max);
int hv_boot_gdt(struct hv_boot *boot, bool long_mode);
int hv_boot_page_tables(struct hv_boot *boot);
/* Makes RAM zero; pages that the host has not given yet are, and stay away. */
int hv_boot_zero(struct hv_boot *boot, uint64_t gpa, uint64_t len);

/* ---- vmlinux_load.c ---- */

/* Unpacks the payload of `bz`, or takes it from the cache, and puts it into memory. *entry is the
 * physical address of its first instruction; *moved says that its virtual address was randomized.
 * -EOPNOTSUPP: this image must unpack itself. */
int hv_boot_unpacked(struct hv_boot *boot, const struct hv_bzimage *bz, uint64_t *entry,
		     bool *moved);

/* ---- elf_load.c ---- */

/* Logs the reason; returns -ENOEXEC. */
int hv_boot_not_kernel(const struct hv_boot *boot, const char *why);
/* All of the file; *file is the caller's to free. */
int hv_boot_read_kernel(struct hv_boot *boot, uint64_t size, uint8_t **file);
/* Into hv_boot_room, or into `low` (last < start: nothing below 1 MiB is allowed). */
int hv_boot_segment(struct hv_boot *boot, const uint8_t *file, const struct hv_elf_segment *seg,
		    struct range low);

/* ---- bzimage_load.c, pvh.c, multiboot_load.c ---- */

int hv_boot_linux(struct hv_boot *boot, const struct hv_bzimage *bz);
int hv_boot_pvh(struct hv_boot *boot, uint64_t file_size);
int hv_boot_multiboot(struct hv_boot *boot, const struct hv_multiboot *mb, uint64_t file_size);

#endif
