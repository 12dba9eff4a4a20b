/* SPDX-License-Identifier: BSD-3-Clause */
/* boot: tells the kinds of kernels apart, loads one, and adds the tables that every guest finds. */
#include "hv-core/boot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"
#include "hv-core/acpi.h"
#include "hv-core/kernel_kind.h"
#include "hv-core/unpack.h"
#include "hv-core/vm.h"

static int write_acpi(struct hv_boot *boot)
{
	unsigned apic_ids[HV_MAX_CPUS];
	struct hv_acpi_input input = {
		.config = boot->config->acpi,
		.layout = &boot->layout,
		.apic_ids = apic_ids,
		.cpus = hv_vm_cpus(boot->vm),
		.ioapic_base = (uint32_t)HV_IOAPIC_BASE,
		.numa = hv_vm_numa(boot->vm),
	};
	uint8_t *tables;
	size_t size;
	int err;

	for (unsigned i = 0; i < input.cpus; i++)
		apic_ids[i] = hv_vcpu_apic_id(boot->vm, i);
	err = hv_acpi_build(&input, HV_BOOT_ACPI, &tables, &size);
	if (err < 0)
		return err;
	if (size > HV_BOOT_RESET - HV_BOOT_ACPI)
		err = log_fail(-EFBIG, hv_vm_name(boot->vm),
			       "ACPI tables of %zu bytes do not fit; use fewer devices", size);
	else
		err = hv_mem_write(boot->vm, HV_BOOT_ACPI, tables, size);
	free(tables);
	return err;
}

/*
 * The reset vector as real mode sees it, f000:fff0. On hardware-reduced ACPI Linux does not try the
 * reset register: it asks EFI, and where there is none jumps here, as one would into a BIOS
 * (arch/x86/kernel/reboot.c, efi_reboot_required).
 */
static int write_reset_vector(struct hv_boot *boot)
{
	const struct hv_acpi_config *acpi = boot->config->acpi;
	const uint8_t code[] = {
		0xba,
		(uint8_t)acpi->reset_port,
		(uint8_t)(acpi->reset_port >> 8), /* mov dx */
		0xb0,
		acpi->reset_value, /* mov al */
		0xee,		   /* out dx, al */
		0xf4,
		0xeb,
		0xfd, /* hlt; jmp -1 */
	};

	return hv_mem_write(boot->vm, HV_BOOT_RESET, code, sizeof(code));
}

/* Returns how many bytes of the file's start there are. */
static int read_head(const struct hv_boot_config *config, uint8_t *head, uint64_t *file_size)
{
	struct stat st;
	ssize_t got;

	if (fstat(config->kernel_fd, &st) < 0)
		return log_fail(-errno, config->kernel_name, "cannot be read: %s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return log_fail(-ENOEXEC, config->kernel_name, "not a kernel: not a regular file");
	*file_size = (uint64_t)st.st_size;
	got = pread(config->kernel_fd, head, HV_KERNEL_HEAD, 0);
	if (got < 0)
		return log_fail(-errno, config->kernel_name, "cannot be read: %s", strerror(errno));
	return (int)got;
}

static int load_linux(struct hv_boot *boot, const uint8_t *head, size_t len, uint64_t file_size)
{
	struct hv_bzimage bz;
	const char *why;

	if (hv_bzimage_parse(head, len, file_size, &bz, &why) < 0)
		return hv_boot_not_kernel(boot, why);
	return hv_boot_linux(boot, &bz);
}

static int load_multiboot(struct hv_boot *boot, const uint8_t *head, size_t len, uint64_t file_size)
{
	struct hv_multiboot mb;
	const char *why;

	if (hv_multiboot_parse(head, len, file_size, &mb, &why) < 0)
		return hv_boot_not_kernel(boot, why);
	return hv_boot_multiboot(boot, &mb, file_size);
}

static int load(struct hv_boot *boot)
{
	uint8_t head[HV_KERNEL_HEAD];
	uint64_t file_size = 0;
	int len = read_head(boot->config, head, &file_size);

	if (len < 0)
		return len;
	switch (hv_kernel_kind_of(head, (size_t)len)) {
	case HV_KERNEL_LINUX:
		return load_linux(boot, head, (size_t)len, file_size);
	case HV_KERNEL_MULTIBOOT:
		return load_multiboot(boot, head, (size_t)len, file_size);
	case HV_KERNEL_PVH:
		return hv_boot_pvh(boot, file_size);
	case HV_KERNEL_UNKNOWN:
		break;
	}
	return log_fail(-ENOEXEC, boot->config->kernel_name,
			"not a kernel: neither a Linux bzImage, nor an ELF file, nor a Multiboot "
			"kernel; give a vmlinuz");
}

void hv_boot_prepare(int kernel_fd)
{
	uint8_t head[HV_KERNEL_HEAD], magic[8];
	struct hv_bzimage bz;
	const char *why;
	struct stat st;
	ssize_t len = kernel_fd < 0 ? -1 : pread(kernel_fd, head, sizeof(head), 0);

	if (len < 0 || fstat(kernel_fd, &st) < 0 ||
	    hv_bzimage_parse(head, (size_t)len, (uint64_t)st.st_size, &bz, &why) < 0 ||
	    bz.payload_size < sizeof(magic) ||
	    io_pread_full(kernel_fd, magic, sizeof(magic), (off_t)bz.payload_offset) < 0)
		return;
	hv_unpack_prepare(magic, sizeof(magic));
}

int hv_boot(struct hv_vm *vm, const struct hv_boot_config *config)
{
	struct hv_boot boot = {.vm = vm, .config = config};
	int err;

	hv_mem_layout(vm, &boot.layout);
	err = load(&boot);
	if (err == 0)
		err = write_acpi(&boot);
	return err < 0 ? err : write_reset_vector(&boot);
}
