/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Unit tests of hv_boot as a whole: made-up kernels into the memory of a made-up VM, which this
 * file stands in for (memory, name, CPUs, the boot CPU's entry).
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/util.h"
#include "hv-core/boot.h"
#include "hv-core/vm.h"
#include "tests/hv-core/kernel_image.h"

#define RAM (64 * MIB)

/* ---- the VM ---- */

struct rig {
	struct hv_ram_block block;
	struct hv_entry_state entry;
	unsigned entries; /* how often it was set */
	struct hv_acpi_config acpi;
	struct hv_boot_config config;
};

static struct rig *rig_of(const struct hv_vm *vm)
{
	return (struct rig *)(uintptr_t)vm;
}

const char *hv_vm_name(const struct hv_vm *vm)
{
	(void)vm;
	return "test";
}

const struct hv_numa *hv_vm_numa(const struct hv_vm *vm)
{
	(void)vm;
	return NULL;
}

unsigned hv_vm_cpus(const struct hv_vm *vm)
{
	(void)vm;
	return 2;
}

unsigned hv_vcpu_apic_id(const struct hv_vm *vm, unsigned cpu)
{
	(void)vm;
	return cpu;
}

int hv_vcpu_set_boot_entry(struct hv_vm *vm, const struct hv_entry_state *entry)
{
	rig_of(vm)->entry = *entry;
	rig_of(vm)->entries++;
	return 0;
}

void hv_mem_layout(const struct hv_vm *vm, struct hv_mem_layout *out)
{
	*out = (struct hv_mem_layout){
		.low_ram = {0, rig_of(vm)->block.size - 1},
		.high_ram = {1, 0},
		.pci32 = {0xc0000000, 0xdfffffff},
		.ecam = {0xe0000000, 0xefffffff},
		.pci64 = {0x100000000, 0x1ffffffff},
	};
}

size_t hv_mem_blocks(const struct hv_vm *vm, const struct hv_ram_block **out)
{
	*out = &rig_of(vm)->block;
	return 1;
}

void *hv_mem_ptr(const struct hv_vm *vm, uint64_t gpa, uint64_t len)
{
	const struct hv_ram_block *block = &rig_of(vm)->block;

	return gpa <= block->size && len <= block->size - gpa ? (uint8_t *)block->hva + gpa : NULL;
}

int hv_mem_write(struct hv_vm *vm, uint64_t gpa, const void *buf, uint64_t len)
{
	void *at = hv_mem_ptr(vm, gpa, len);

	if (!at)
		return -EFAULT;
	memcpy(at, buf, len);
	return 0;
}

/* ---- helpers ---- */

static uint8_t *guest(const struct rig *r, uint64_t gpa)
{
	return (uint8_t *)r->block.hva + gpa;
}

static const char *guest_text(const struct rig *r, uint64_t gpa)
{
	return (const char *)guest(r, gpa);
}

static int file_with(const void *bytes, size_t len)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	return fd;
}

/* The small kernel with its table, gzipped, in a bzImage. */
static int packed_kernel(int with_table)
{
	uint8_t elf[KI_ELF_LEN + 64], packed[2 * KI_ELF_LEN] = {0}, *image;
	size_t len = KI_ELF_LEN;
	z_stream z = {.next_in = elf, .next_out = packed, .avail_out = sizeof(packed)};
	int fd;

	ki_elf(elf);
	if (with_table)
		len += ki_relocs(elf + KI_ELF_LEN, 1);
	z.avail_in = (uInt)len;
	assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), 0);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	image = ki_bzimage(packed, (uint32_t)z.total_out, &len);
	fd = file_with(image, len);
	free(image);
	return fd;
}

static void give_kernel(struct rig *r, int fd)
{
	if (r->config.kernel_fd >= 0)
		close(r->config.kernel_fd);
	r->config.kernel_fd = fd;
}

static int boot(struct rig *r)
{
	return hv_boot((struct hv_vm *)r, &r->config);
}

static const struct boot_params *params(const struct rig *r)
{
	return (const struct boot_params *)(void *)guest(r, HV_BOOT_PARAMS);
}

static void check_kernel_at(const struct rig *r, uint64_t phys)
{
	static const uint8_t zero[KI_PAGE];

	assert_int_equal(guest(r, phys)[0], 0xa5);
	assert_memory_equal(guest(r, phys + KI_PAGE), zero, KI_PAGE);
	assert_int_equal(guest(r, phys + 2 * KI_PAGE)[0], 0x5a);
	assert_int_equal(guest(r, phys + KI_SEG1_AT)[0], 0x77);
	assert_memory_equal(guest(r, phys + KI_SEG1_AT + KI_SEG1_FILE), zero, KI_PAGE);
}

/* ---- Linux ---- */

static void starts_an_unpacked_kernel(void **state)
{
	struct rig *r = *state;

	give_kernel(r, packed_kernel(1));
	assert_int_equal(boot(r), 0);
	check_kernel_at(r, KI_LOAD);
	assert_int_equal(r->entries, 1);
	assert_int_equal(r->entry.mode, HV_ENTRY_LONG);
	assert_int_equal(r->entry.rip, KI_LOAD + KI_ENTRY);
	assert_int_equal(r->entry.rsi, HV_BOOT_PARAMS);
	assert_int_equal(r->entry.cr3, HV_BOOT_TABLES);
	assert_int_equal(r->entry.code_selector, 0x10);
	assert_int_equal(params(r)->hdr.loadflags & KASLR_FLAG, 0);
	assert_int_equal(params(r)->acpi_rsdp_addr, HV_BOOT_ACPI);
	assert_memory_equal(guest(r, HV_BOOT_ACPI), "RSD PTR ", 8);
	/* mov dx, 0x604; mov al, 0x42; out dx, al */
	assert_memory_equal(guest(r, HV_BOOT_RESET), "\xba\x04\x06\xb0\x42\xee", 6);
	assert_string_equal(guest_text(r, params(r)->hdr.cmd_line_ptr), "console=ttyS0");
}

static void identity_maps_four_gigabytes(void **state)
{
	struct rig *r = *state;
	const uint64_t *table = (const uint64_t *)(void *)guest(r, HV_BOOT_TABLES);

	give_kernel(r, packed_kernel(1));
	assert_int_equal(boot(r), 0);
	for (uint64_t at = 0; at < 4 * GIB; at += 2 * MIB + 4096 * 512) {
		uint64_t pdpt = table[0], pd, pte;

		assert_int_equal(pdpt & 3, 3);
		pd = ((const uint64_t *)(void *)guest(r, pdpt & ~UINT64_C(0xfff)))[at >> 30];
		assert_int_equal(pd & 3, 3);
		pte = ((const uint64_t *)(void *)guest(r, pd & ~UINT64_C(0xfff)))[at >> 21 & 511];
		assert_int_equal(pte & 0x83, 0x83);
		assert_int_equal(pte & ~UINT64_C(0x1fffff), ALIGN_DOWN(at, 2 * MIB));
	}
}

static void reserves_ecam_in_e820(void **state)
{
	struct rig *r = *state;
	const struct boot_e820_entry *e;

	give_kernel(r, packed_kernel(1));
	assert_int_equal(boot(r), 0);
	e = params(r)->e820_table;
	assert_int_equal(params(r)->e820_entries, 4);
	assert_int_equal(e[0].size, 0xa0000);
	assert_int_equal(e[1].type, 3);
	assert_int_equal(e[2].addr, 0x100000);
	assert_int_equal(e[2].addr + e[2].size, RAM);
	assert_int_equal(e[3].addr, 0xe0000000);
	assert_int_equal(e[3].size, 0x10000000);
	assert_int_equal(e[3].type, 2);
}

/* Linux without EFI reboots by jumping to f000:fff0. */
static void resets_from_the_reset_vector(void **state)
{
	/* mov dx, 0x602; mov al, 0x42; out dx, al; 1: hlt; jmp 1b */
	static const uint8_t code[] = {0xba, 0x02, 0x06, 0xb0, 0x42, 0xee, 0xf4, 0xeb, 0xfd};
	struct rig *r = *state;

	give_kernel(r, packed_kernel(1));
	r->acpi.reset_port = 0x602;
	r->acpi.reset_value = 0x42;
	assert_int_equal(boot(r), 0);
	assert_memory_equal(guest(r, 0xffff0), code, sizeof(code));
}

/* RAM still holds what the last run left there. */
static void starts_again_in_used_memory(void **state)
{
	struct rig *r = *state;

	give_kernel(r, packed_kernel(1));
	for (int backing = 0; backing < 2; backing++) {
		memset(r->block.hva, 0xee, RAM);
		assert_int_equal(boot(r), 0);
		check_kernel_at(r, KI_LOAD);
		r->block.fd = -1; /* and as private memory */
	}
}

static void holes_stay_holes(void **state)
{
	struct rig *r = *state;
	struct stat st;

	give_kernel(r, packed_kernel(1));
	assert_int_equal(boot(r), 0);
	assert_int_equal(fstat(r->block.fd, &st), 0);
	assert_true((uint64_t)st.st_blocks * 512 < MIB); /* 64 MiB of RAM, 3 MiB of kernel span */
}

static void randomizes_when_asked(void **state)
{
	struct rig *r = *state;
	bool moved = false;

	give_kernel(r, packed_kernel(1));
	r->config.kaslr = true;
	for (int i = 0; i < 20; i++) {
		uint64_t phys, place, delta;

		assert_int_equal(boot(r), 0);
		phys = r->entry.rip - KI_ENTRY;
		assert_true(IS_ALIGNED(phys, 2 * MIB));
		assert_in_range(phys, KI_LOAD, RAM - KI_SPAN);
		memcpy(&place, guest(r, phys + KI_PLACE64), sizeof(place));
		delta = place - (KI_VIRT + KI_LOAD + 0x1234);
		assert_true(IS_ALIGNED(delta, 2 * MIB));
		assert_in_range(delta, 0, GIB - KI_LOAD - KI_SPAN);
		if (delta && phys != KI_LOAD) {
			moved = true;
			assert_int_equal(params(r)->hdr.loadflags & KASLR_FLAG, KASLR_FLAG);
		}
	}
	assert_true(moved);
}

static void does_not_move_what_cannot_move(void **state)
{
	struct rig *r = *state;

	give_kernel(r, packed_kernel(0));
	r->config.kaslr = true;
	assert_int_equal(boot(r), 0);
	assert_int_equal(r->entry.rip, KI_LOAD + KI_ENTRY);
	assert_int_equal(params(r)->hdr.loadflags & KASLR_FLAG, 0);
}

static void lets_unknown_payloads_unpack_themselves(void **state)
{
	struct rig *r = *state;
	uint8_t payload[64] = {1, 2, 3}, *image;
	size_t len;

	image = ki_bzimage(payload, sizeof(payload), &len);
	give_kernel(r, file_with(image, len));
	free(image);
	assert_int_equal(boot(r), 0);
	assert_int_equal(r->entry.rip, KI_LOAD + 0x200);
	assert_int_equal(guest(r, KI_LOAD)[0], 0x90);
	assert_memory_equal(guest(r, KI_LOAD + 0x400), payload, sizeof(payload));
}

static void places_the_initrd(void **state)
{
	struct rig *r = *state;
	uint8_t initrd[5000];
	uint64_t at;

	memset(initrd, 0x42, sizeof(initrd));
	r->config.initrd_fd = file_with(initrd, sizeof(initrd));
	give_kernel(r, packed_kernel(1));
	assert_int_equal(boot(r), 0);
	at = params(r)->hdr.ramdisk_image;
	assert_int_equal(params(r)->hdr.ramdisk_size, sizeof(initrd));
	assert_true(IS_ALIGNED(at, 4096u));
	assert_in_range(at, RAM - 3 * 4096, RAM - sizeof(initrd));
	assert_memory_equal(guest(r, at), initrd, sizeof(initrd));
}

/* ---- the cache ---- */

static void open_cache(struct rig *r, char *path)
{
	strcpy(path, "/tmp/boot-XXXXXX");
	assert_non_null(mkdtemp(path));
	r->config.cache_dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void remove_cache(struct rig *r, const char *path)
{
	char command[64];

	close(r->config.cache_dir);
	r->config.cache_dir = -1;
	snprintf(command, sizeof(command), "rm -rf %s", path);
	assert_int_equal(system(command), 0);
}

static void damage_cache(const char *path)
{
	char command[256];

	/* a byte of the last extent's data */
	snprintf(command, sizeof(command),
		 "for f in %s/*; do s=$(stat -c %%s $f); printf X | "
		 "dd of=$f bs=1 seek=$((s - 50)) conv=notrunc status=none; done",
		 path);
	assert_int_equal(system(command), 0);
}

static void uses_and_repairs_the_cache(void **state)
{
	struct rig *r = *state;
	char path[32];

	open_cache(r, path);
	give_kernel(r, packed_kernel(1));
	for (int i = 0; i < 4; i++) {
		if (i == 2)
			damage_cache(path);
		memset(r->block.hva, 0xee, RAM);
		assert_int_equal(boot(r), 0);
		check_kernel_at(r, KI_LOAD);
		assert_int_equal(r->entry.rip, KI_LOAD + KI_ENTRY);
	}
	remove_cache(r, path);
}

/* A kernel that was changed in place is another kernel, however its times were set back. */
static void notices_a_changed_kernel(void **state)
{
	struct rig *r = *state;
	struct timespec when[2];
	uint8_t junk[64] = {0};
	char path[32];
	struct stat st;

	open_cache(r, path);
	give_kernel(r, packed_kernel(1));
	assert_int_equal(boot(r), 0);
	assert_int_equal(r->entry.rip, KI_LOAD + KI_ENTRY);
	assert_int_equal(fstat(r->config.kernel_fd, &st), 0);
	when[0] = st.st_atim;
	when[1] = st.st_mtim;
	assert_int_equal(pwrite(r->config.kernel_fd, junk, sizeof(junk), KI_SETUP_LEN + 0x400), 64);
	usleep(20000); /* the clock of inodes ticks slowly */
	assert_int_equal(futimens(r->config.kernel_fd, when), 0);
	assert_int_equal(boot(r), 0);
	assert_int_equal(r->entry.rip, KI_LOAD + 0x200); /* its payload is none we know */
	remove_cache(r, path);
}

/* ---- PVH ---- */

static int pvh_kernel(uint64_t paddr, bool note)
{
	uint8_t elf[KI_ELF_LEN];
	Elf64_Ehdr *eh = (Elf64_Ehdr *)(void *)elf;
	Elf64_Phdr *ph = (Elf64_Phdr *)(void *)(elf + sizeof(*eh));
	const uint32_t body[] = {4, 4, 18, 0x6e6558, KI_LOAD + 0x80}; /* "Xen" */

	ki_elf(elf);
	ph[1].p_paddr = paddr;
	eh->e_phnum = 3;
	ph[2] = (Elf64_Phdr){
		.p_type = note ? PT_NOTE : PT_NULL, .p_offset = 1024, .p_filesz = sizeof(body)};
	memcpy(elf + 1024, body, sizeof(body));
	return file_with(elf, sizeof(elf));
}

static void starts_a_pvh_kernel(void **state)
{
	struct rig *r = *state;
	uint8_t initrd[100] = {9};
	uint64_t start[7], module[4];

	r->config.initrd_fd = file_with(initrd, sizeof(initrd));
	give_kernel(r, pvh_kernel(KI_LOAD + KI_SEG1_AT, true));
	memset(r->block.hva, 0xee, RAM);
	assert_int_equal(boot(r), 0);
	assert_int_equal(r->entry.mode, HV_ENTRY_PROTECTED);
	assert_int_equal(r->entry.rip, KI_LOAD + 0x80);
	assert_int_equal(r->entry.rbx, HV_BOOT_START_INFO);
	assert_int_equal(guest(r, KI_LOAD + KI_SEG1_AT)[0], 0x77);
	assert_int_equal(guest(r, KI_LOAD + KI_SEG1_AT + KI_SEG1_FILE)[0], 0);
	memcpy(start, guest(r, HV_BOOT_START_INFO), sizeof(start));
	assert_int_equal(start[0], UINT64_C(1) << 32 | 0x336ec578);
	assert_int_equal(start[1] >> 32, 1); /* one module */
	assert_string_equal(guest_text(r, start[3]), "console=ttyS0");
	assert_int_equal(start[4], HV_BOOT_ACPI);
	memcpy(module, guest(r, start[2]), sizeof(module));
	assert_int_equal(module[1], sizeof(initrd));
	assert_memory_equal(guest(r, module[0]), initrd, sizeof(initrd));
	assert_int_equal(start[6] & UINT32_MAX, 4);
}

static void refuses_bad_pvh_kernels(void **state)
{
	struct rig *r = *state;

	give_kernel(r, pvh_kernel(KI_LOAD + KI_SEG1_AT, false));
	assert_int_equal(boot(r), -ENOEXEC);
	give_kernel(r, pvh_kernel(0x8000, true)); /* over our own tables */
	assert_int_equal(boot(r), -ENOEXEC);
	give_kernel(r, pvh_kernel(RAM - KI_PAGE, true));
	assert_int_equal(boot(r), -EFBIG);
	assert_int_equal(r->entries, 0);
}

/* ---- Multiboot ---- */

/* The ELF kernel, its header in the first segment's file range, entered by a virtual address. */
static int multiboot_kernel(uint64_t paddr)
{
	uint8_t elf[KI_ELF_LEN];
	Elf64_Ehdr *eh = (Elf64_Ehdr *)(void *)elf;
	Elf64_Phdr *ph = (Elf64_Phdr *)(void *)(elf + sizeof(*eh));
	const uint32_t header[3] = {0x1badb002, 3, 0u - 0x1badb002 - 3};

	ki_elf(elf);
	ph[1].p_paddr = paddr;
	eh->e_entry = KI_VIRT + KI_LOAD + KI_ENTRY;
	memcpy(elf + 1024, header, sizeof(header));
	return file_with(elf, sizeof(elf));
}

static uint32_t info_field(const struct rig *r, unsigned offset)
{
	uint32_t value;

	memcpy(&value, guest(r, r->entry.rbx + offset), sizeof(value));
	return value;
}

/* Multiboot 0.6.96, 3.2 and 3.3 */
static void starts_a_multiboot_kernel(void **state)
{
	struct rig *r = *state;
	uint8_t initrd[5000] = {9};
	uint32_t module[4], entry[6], at, end;
	uint64_t ram = 0;

	r->config.initrd_fd = file_with(initrd, sizeof(initrd));
	give_kernel(r, multiboot_kernel(KI_LOAD + KI_SEG1_AT));
	memset(r->block.hva, 0xee, RAM);
	assert_int_equal(boot(r), 0);
	assert_int_equal(r->entry.mode, HV_ENTRY_PROTECTED);
	assert_int_equal(r->entry.rip, KI_LOAD + KI_ENTRY);
	assert_int_equal(r->entry.rax, 0x2badb002);
	assert_int_equal(guest(r, KI_LOAD + KI_SEG1_AT)[0], 0x77);
	assert_int_equal(guest(r, KI_LOAD + KI_SEG1_AT + KI_SEG1_FILE)[0], 0);
	assert_int_equal(info_field(r, 0), 1 | 4 | 8 | 0x40 | 0x200);
	assert_int_equal(info_field(r, 4), 640);
	assert_int_equal(info_field(r, 8), (RAM - MIB) / KIB);
	assert_string_equal(guest_text(r, info_field(r, 16)), "kernel console=ttyS0");
	assert_int_equal(info_field(r, 20), 1);
	memcpy(module, guest(r, info_field(r, 24)), sizeof(module));
	assert_int_equal(module[0] % 4096, 0);
	assert_int_equal(module[1] - module[0], sizeof(initrd));
	assert_memory_equal(guest(r, module[0]), initrd, sizeof(initrd));
	assert_string_equal(guest_text(r, module[2]), "initrd");
	assert_string_equal(guest_text(r, info_field(r, 64)), "Sluice");
	at = info_field(r, 48);
	for (end = at + info_field(r, 44); at < end; at += entry[0] + 4) {
		memcpy(entry, guest(r, at), sizeof(entry));
		if (entry[5] == 1)
			ram += entry[3] | (uint64_t)entry[4] << 32;
	}
	assert_int_equal(at, end);
	assert_int_equal(ram, RAM - MIB + 0xa0000);
}

static void refuses_bad_multiboot_kernels(void **state)
{
	struct rig *r = *state;
	char *line = malloc(65536);

	give_kernel(r, multiboot_kernel(0x10000)); /* below what it is told: its to have */
	assert_int_equal(boot(r), 0);
	assert_int_equal(info_field(r, 20), 0);	   /* no module */
	give_kernel(r, multiboot_kernel(0x8f000)); /* into what it is told */
	assert_int_equal(boot(r), -ENOEXEC);
	give_kernel(r, multiboot_kernel(0xe0000)); /* over the ACPI tables */
	assert_int_equal(boot(r), -ENOEXEC);
	give_kernel(r, multiboot_kernel(RAM - KI_PAGE));
	assert_int_equal(boot(r), -EFBIG);
	give_kernel(r, multiboot_kernel(KI_LOAD + KI_SEG1_AT));
	memset(line, 'x', 65535);
	line[65535] = 0;
	r->config.cmdline = line;
	assert_int_equal(boot(r), -E2BIG);
	line[60000] = 0;
	assert_int_equal(boot(r), 0);
	free(line);
}

/* ---- bad input ---- */

static void refuses_what_is_no_kernel(void **state)
{
	struct rig *r = *state;
	static const uint8_t zeros[8192];

	give_kernel(r, file_with(zeros, sizeof(zeros)));
	assert_int_equal(boot(r), -ENOEXEC);
	give_kernel(r, file_with("#!/bin/sh\n", 10));
	assert_int_equal(boot(r), -ENOEXEC);
	give_kernel(r, file_with("", 0));
	assert_int_equal(boot(r), -ENOEXEC);
	give_kernel(r, open("/dev/null", O_RDONLY | O_CLOEXEC));
	assert_int_equal(boot(r), -ENOEXEC);
	assert_int_equal(r->entries, 0);
}

static void refuses_a_damaged_payload(void **state)
{
	struct rig *r = *state;

	give_kernel(r, packed_kernel(1));
	assert_int_equal(pwrite(r->config.kernel_fd, "junk", 4, KI_SETUP_LEN + 0x400 + 30), 4);
	assert_int_equal(boot(r), -ENOEXEC);
}

static void refuses_what_does_not_fit(void **state)
{
	struct rig *r = *state;
	char *line = malloc(4096);
	int big = memfd_create("big", MFD_CLOEXEC);

	give_kernel(r, packed_kernel(1));
	memset(line, 'x', 4095);
	line[2048] = 0;
	r->config.cmdline = line;
	assert_int_equal(boot(r), -E2BIG);
	line[2047] = 0;
	assert_int_equal(boot(r), 0);
	assert_int_equal(ftruncate(big, (off_t)(RAM - KI_LOAD - KI_SPAN + 4096)), 0);
	r->config.initrd_fd = big;
	assert_int_equal(boot(r), -EFBIG);
	assert_int_equal(ftruncate(big, (off_t)RAM), 0);
	assert_int_equal(boot(r), -EFBIG);
	free(line);
}

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	*state = r;
	if (!r)
		return -1;
	r->block.size = RAM;
	r->block.fd = memfd_create("ram", MFD_CLOEXEC);
	if (r->block.fd < 0 || ftruncate(r->block.fd, (off_t)RAM) < 0)
		return -1;
	r->block.hva = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED, r->block.fd, 0);
	r->acpi = (struct hv_acpi_config){.reset_port = 0x604, .reset_value = 0x42};
	r->config = (struct hv_boot_config){
		.kernel_fd = -1,
		.kernel_name = "kernel",
		.initrd_fd = -1,
		.initrd_name = "initrd",
		.cmdline = "console=ttyS0",
		.acpi = &r->acpi,
		.cache_dir = -1,
	};
	return r->block.hva == MAP_FAILED ? -1 : 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	give_kernel(r, -1);
	if (r->config.initrd_fd >= 0)
		close(r->config.initrd_fd);
	munmap(r->block.hva, RAM);
	if (r->block.fd >= 0)
		close(r->block.fd);
	free(r);
	return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(starts_an_unpacked_kernel),
		TEST(identity_maps_four_gigabytes),
		TEST(reserves_ecam_in_e820),
		TEST(resets_from_the_reset_vector),
		TEST(starts_again_in_used_memory),
		TEST(holes_stay_holes),
		TEST(randomizes_when_asked),
		TEST(does_not_move_what_cannot_move),
		TEST(lets_unknown_payloads_unpack_themselves),
		TEST(places_the_initrd),
		TEST(uses_and_repairs_the_cache),
		TEST(notices_a_changed_kernel),
		TEST(starts_a_pvh_kernel),
		TEST(refuses_bad_pvh_kernels),
		TEST(starts_a_multiboot_kernel),
		TEST(refuses_bad_multiboot_kernels),
		TEST(refuses_what_is_no_kernel),
		TEST(refuses_a_damaged_payload),
		TEST(refuses_what_does_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
