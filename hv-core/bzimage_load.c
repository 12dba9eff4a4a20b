/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bzimage_load: the 64-bit boot protocol (Linux Documentation/arch/x86/boot.rst, "64-bit Boot
 * Protocol"): kernel and boot parameters in memory, RSI at the latter.
 */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/util.h"
#include "hv-core/boot.h"
#include "hv-core/vm.h"

#define ENTRY_64	 0x200
#define LOADER_UNDEFINED 0xff
#define SEED_LEN	 32

_Static_assert(sizeof(struct boot_params) == 4096, "boot.rst: the zero page");
_Static_assert(offsetof(struct boot_params, acpi_rsdp_addr) == 0x70, "zero-page.rst");
_Static_assert(offsetof(struct boot_params, e820_table) == 0x2d0, "zero-page.rst");
_Static_assert(sizeof(struct boot_e820_entry) == 20, "zero-page.rst");

/* The image as it is: it unpacks itself, to where it stands, and wants init_size bytes for that. */
static int load_packed(struct hv_boot *boot, const struct hv_bzimage *bz, uint64_t *entry)
{
	struct range room = hv_boot_room(boot);
	uint64_t size = MAX((uint64_t)bz->header.init_size, bz->kernel_size);
	uint64_t at = bz->header.pref_address;
	char text[PARSE_SIZE_TEXT];
	int err;

	if (bz->header.relocatable_kernel &&
	    (at < HV_BOOT_ACPI_END || at > room.last || size > room.last + 1 - at))
		at = ALIGN_UP(HV_BOOT_ACPI_END, (uint64_t)bz->header.kernel_alignment);
	if (at < HV_BOOT_ACPI_END || at > room.last || size > room.last + 1 - at)
		return log_fail(-EFBIG, boot->config->kernel_name,
				"%s and its initrd do not fit the VM's memory; give it more with "
				"--memory",
				format_size(size, text));
	err = io_pread_full(boot->config->kernel_fd, hv_mem_ptr(boot->vm, at, bz->kernel_size),
			    bz->kernel_size, (off_t)bz->kernel_offset);
	if (err < 0)
		return log_fail(err, boot->config->kernel_name, "cannot be read: %s",
				strerror(-err));
	*entry = at + ENTRY_64;
	return 0;
}

static void fill_e820(const struct hv_boot *boot, struct boot_params *params)
{
	struct hv_memmap_entry map[HV_MEMMAP_ENTRIES];
	size_t count = hv_boot_memmap(&boot->layout, map);

	for (size_t i = 0; i < count; i++)
		params->e820_table[i] = (struct boot_e820_entry){
			.addr = map[i].range.start,
			.size = range_size(map[i].range),
			.type = map[i].type,
		};
	params->e820_entries = (uint8_t)count;
}

/* Randomness for the guest's pool, so that nothing in it waits for entropy. */
static int write_seed(struct hv_boot *boot)
{
	const struct setup_data head = {.type = SETUP_RNG_SEED, .len = SEED_LEN};
	uint8_t node[sizeof(head) + SEED_LEN];

	memcpy(node, &head, sizeof(head));
	if (getrandom(node + sizeof(head), SEED_LEN, 0) != SEED_LEN)
		return log_fail(-EIO, hv_vm_name(boot->vm), "no random seed for the guest: %s",
				strerror(errno));
	return hv_mem_write(boot->vm, HV_BOOT_SETUP_DATA, node, sizeof(node));
}

static int write_params(struct hv_boot *boot, const struct hv_bzimage *bz, bool moved)
{
	struct boot_params params = {0};
	struct setup_header *h = &params.hdr;

	*h = bz->header;
	h->type_of_loader = LOADER_UNDEFINED;
	h->cmd_line_ptr = (uint32_t)HV_BOOT_CMDLINE;
	h->setup_data = HV_BOOT_SETUP_DATA;
	h->vid_mode = 0xffff; /* normal */
	if (moved)	      /* what the kernel's own unpacker notes after randomizing */
		h->loadflags |= KASLR_FLAG;
	if (boot->initrd_size) {
		h->ramdisk_image = (uint32_t)boot->initrd.start;
		h->ramdisk_size = (uint32_t)boot->initrd_size;
	}
	params.acpi_rsdp_addr = HV_BOOT_ACPI;
	fill_e820(boot, &params);
	return hv_mem_write(boot->vm, HV_BOOT_PARAMS, &params, sizeof(params));
}

int hv_boot_linux(struct hv_boot *boot, const struct hv_bzimage *bz)
{
	struct hv_entry_state entry = {
		.mode = HV_ENTRY_LONG,
		.rsp = HV_BOOT_STACK,
		.rsi = HV_BOOT_PARAMS,
		.cr3 = HV_BOOT_TABLES,
		.gdt_base = HV_BOOT_GDT,
		.gdt_limit = HV_BOOT_DS + 7,
		.code_selector = HV_BOOT_CS,
		.data_selector = HV_BOOT_DS,
	};
	bool moved = false;
	int err = hv_boot_cmdline(boot, bz->header.cmdline_size);

	if (err == 0)
		err = hv_boot_initrd(boot, bz->header.initrd_addr_max);
	if (err < 0)
		return err;
	err = hv_boot_unpacked(boot, bz, &entry.rip, &moved);
	if (err == -EOPNOTSUPP)
		err = load_packed(boot, bz, &entry.rip);
	if (err == 0)
		err = write_seed(boot);
	if (err == 0)
		err = write_params(boot, bz, moved);
	if (err == 0)
		err = hv_boot_gdt(boot, true);
	if (err == 0)
		err = hv_boot_page_tables(boot);
	return err < 0 ? err : hv_vcpu_set_boot_entry(boot->vm, &entry);
}
