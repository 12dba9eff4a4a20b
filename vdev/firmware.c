/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * firmware: see firmware.h.
 *
 * Where things lie: the code ends at 4 GiB, where a CPU starts after power-on; the variables
 * lie right below it. Of a legacy BIOS the last 128 KiB are also found below 1 MiB, in RAM, which
 * is what shadowing would make of them.
 */
#include "vdev/firmware.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"
#include "base/xxh64.h"
#include "vdev/bootorder.h"
#include "vdev/debugcon.h"
#include "vdev/flash.h"
#include "vdev/fw_cfg.h"
#include "vdev/fw_image.h"
#include "vdev/pci_ports.h"
#include "vdev/pm.h"
#include "vdev/q35.h"
#include "vdev/rtc.h"
#include "vdev/smbios.h"

#define SHADOW_SIZE  (128 * KIB)
#define SHADOW_END   MIB
#define SETUP_SECTOR 512u
#define INITRD_MAX   UINT64_C(0x7fffffff)

struct vdev_firmware {
	struct hv_vm *vm;
	struct vdev_host *host;
	struct vdev_fw_image image;
	bool mapped;
	unsigned slot;
	struct vdev_flash *vars;
	struct vdev_pci_ports *ports;
	struct vdev_pm *pm;
	struct vdev_rtc *rtc;
	struct vdev_debugcon *debugcon;
	struct vdev_fw_cfg *cfg;
	const struct hv_acpi_config *acpi;
	uint64_t acpi_ecam; /* what the tables say */
	struct {
		void *data;
		size_t size;
	} kernel, initrd;
};

/* ---- memory ---- */

/* Two VMs with one store would each overwrite what the other remembers. */
static int lock_vars(int fd, const char *name)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	return log_fail(-errno, name, "not used: %s",
			errno == EAGAIN || errno == EACCES
				? "another VM has it open; each needs its own"
				: strerror(errno));
}

static int place_vars(struct vdev_firmware *fw, const struct vdev_firmware_config *config)
{
	uint64_t size = 0;
	int err = vdev_fw_vars_check(config->vars_fd, config->vars_name, &size);

	if (!err)
		err = lock_vars(config->vars_fd, config->vars_name);
	return err ? err
		   : vdev_flash_create(fw->vm, 4 * GIB - fw->image.size - size, size,
				       config->vars_fd, config->vars_name, &fw->vars);
}

static int place_image(struct vdev_firmware *fw, const struct vdev_firmware_config *config)
{
	int err = vdev_fw_image_read(config->code_fd, config->code_name, &fw->image);

	if (err < 0)
		return err;
	if (fw->image.kind == VDEV_FW_UEFI && config->vars_fd < 0)
		return log_fail(-EINVAL, config->code_name,
				"UEFI firmware needs a store for its variables");
	if (fw->image.kind == VDEV_FW_BIOS && config->kernel_fd >= 0)
		return log_fail(-ENOTSUP, config->code_name,
				"a BIOS starts disks, no kernel that it is given; boot the disk "
				"(--boot disk), or the kernel without firmware");
	if (fw->image.kind == VDEV_FW_BIOS) {
		uint64_t n = MIN(fw->image.size, SHADOW_SIZE);

		err = hv_mem_write(fw->vm, SHADOW_END - n, fw->image.data + fw->image.size - n, n);
	}
	if (!err)
		err = hv_mem_map_device(fw->vm, 4 * GIB - fw->image.size, fw->image.size,
					fw->image.data, true, &fw->slot);
	fw->mapped = !err;
	if (!err && fw->image.kind == VDEV_FW_UEFI)
		err = place_vars(fw, config);
	return err;
}

/* ---- what it is told ---- */

struct e820_entry {
	uint64_t start, size;
	uint32_t type;
} __attribute__((packed));

static int tell_memory(struct vdev_firmware *fw)
{
	struct e820_entry map[2];
	struct hv_mem_layout layout;
	uint64_t total;
	size_t n = 1;

	hv_mem_layout(fw->vm, &layout);
	total = range_size(layout.low_ram);
	map[0] = (struct e820_entry){0, total, 1};
	if (layout.high_ram.start < layout.high_ram.last) {
		uint64_t size = range_size(layout.high_ram);

		map[n++] = (struct e820_entry){layout.high_ram.start, size, 1};
		total += size;
	}
	int err = vdev_fw_cfg_file(fw->cfg, "etc/e820", map, n * sizeof(map[0]));
	return err ? err : vdev_fw_cfg_item(fw->cfg, FW_CFG_RAM_SIZE, &total, sizeof(total));
}

static int tell_cpus(struct vdev_firmware *fw)
{
	uint16_t cpus = (uint16_t)hv_vm_cpus(fw->vm);
	int err = vdev_fw_cfg_item(fw->cfg, FW_CFG_CPUS, &cpus, sizeof(cpus));

	return err ? err : vdev_fw_cfg_item(fw->cfg, FW_CFG_MAX_CPUS, &cpus, sizeof(cpus));
}

static int tell_smbios(struct vdev_firmware *fw)
{
	struct hv_mem_layout layout;
	struct vdev_smbios smbios;
	uint64_t high = 0;

	hv_mem_layout(fw->vm, &layout);
	if (layout.high_ram.start < layout.high_ram.last)
		high = range_size(layout.high_ram);
	vdev_smbios_build(hv_vm_name(fw->vm), hv_vm_cpus(fw->vm), range_size(layout.low_ram), high,
			  &smbios);
	int err = vdev_fw_cfg_file(fw->cfg, "etc/smbios/smbios-anchor", smbios.anchor,
				   sizeof(smbios.anchor));
	return err ? err
		   : vdev_fw_cfg_file(fw->cfg, "etc/smbios/smbios-tables", smbios.tables,
				      smbios.size);
}

/* ---- a kernel for it to start ---- */

static int map_file(int fd, const char *name, void **data, size_t *size)
{
	struct stat st;
	void *at;

	if (fstat(fd, &st) < 0 || st.st_size <= 0 || (uint64_t)st.st_size > INITRD_MAX)
		return log_fail(-EINVAL, name, "cannot be handed to firmware: empty or over 2 GiB");
	at = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		  0);
	if (at == MAP_FAILED)
		return log_fail(-ENOMEM, name, "no memory for it");
	*data = at;
	*size = (size_t)st.st_size;
	int err = io_pread_full(fd, at, *size, 0);
	return err < 0 ? log_fail(err, name, "not read: %s", strerror(-err)) : 0;
}

/* The setup part is what precedes the protected-mode kernel (Linux boot protocol, setup_sects). */
static int tell_kernel(struct vdev_firmware *fw, const struct vdev_firmware_config *config)
{
	int err = map_file(config->kernel_fd, config->kernel_name, &fw->kernel.data,
			   &fw->kernel.size);
	const uint8_t *k = fw->kernel.data;
	size_t setup;

	if (err)
		return err;
	if (fw->kernel.size < 0x400 || memcmp(k + 0x202, "HdrS", 4) != 0)
		return log_fail(-ENOEXEC, config->kernel_name,
				"firmware can start a Linux bzImage only");
	setup = ((k[0x1f1] ? k[0x1f1] : 4u) + 1u) * SETUP_SECTOR;
	if (setup >= fw->kernel.size)
		return log_fail(-ENOEXEC, config->kernel_name, "it is truncated");
	err = vdev_fw_cfg_number(fw->cfg, FW_CFG_SETUP_SIZE, (uint32_t)setup);
	vdev_fw_cfg_item_at(fw->cfg, FW_CFG_SETUP_DATA, k, setup);
	if (!err)
		err = vdev_fw_cfg_number(fw->cfg, FW_CFG_KERNEL_SIZE,
					 (uint32_t)(fw->kernel.size - setup));
	vdev_fw_cfg_item_at(fw->cfg, FW_CFG_KERNEL_DATA, k + setup, fw->kernel.size - setup);
	return err;
}

static int tell_boot(struct vdev_firmware *fw, const struct vdev_firmware_config *config)
{
	size_t line = config->cmdline ? strlen(config->cmdline) + 1 : 0;
	int err;

	if (config->kernel_fd < 0)
		return 0;
	err = tell_kernel(fw, config);
	if (!err && config->initrd_fd >= 0) {
		err = map_file(config->initrd_fd, config->initrd_name, &fw->initrd.data,
			       &fw->initrd.size);
		if (!err)
			err = vdev_fw_cfg_number(fw->cfg, FW_CFG_INITRD_SIZE,
						 (uint32_t)fw->initrd.size);
		vdev_fw_cfg_item_at(fw->cfg, FW_CFG_INITRD_DATA, fw->initrd.data, fw->initrd.size);
	}
	if (!err && line)
		err = vdev_fw_cfg_number(fw->cfg, FW_CFG_CMDLINE_SIZE, (uint32_t)line);
	if (!err && line)
		err = vdev_fw_cfg_item(fw->cfg, FW_CFG_CMDLINE_DATA, config->cmdline, line);
	return err;
}

/* ---- ACPI ---- */

static int tell_acpi(struct vdev_firmware *fw)
{
	struct hv_acpi_blob blob;
	uint64_t ecam = vdev_host_ecam(fw->host);
	int err = hv_acpi_blob_build(fw->vm, fw->acpi, ecam, &blob);

	if (!err)
		err = vdev_fw_cfg_file(fw->cfg, "etc/acpi/rsdp", blob.rsdp, blob.rsdp_size);
	if (!err)
		err = vdev_fw_cfg_file(fw->cfg, "etc/acpi/tables", blob.tables, blob.tables_size);
	if (!err)
		err = vdev_fw_cfg_file(fw->cfg, "etc/table-loader", blob.script, blob.script_size);
	hv_acpi_blob_free(&blob);
	fw->acpi_ecam = ecam;
	return err;
}

/* The tables name ECAM's place, which the firmware has chosen by the time it reads them. */
static void on_acpi_select(void *opaque)
{
	struct vdev_firmware *fw = opaque;

	if (fw->acpi_ecam != vdev_host_ecam(fw->host))
		tell_acpi(fw);
}

/* Nobody is there to press a key: no menu, and a machine with nothing to boot stays as it is, for
 * its console to be read, in place of a restart each minute (SeaBIOS, Runtime_config). */
static int tell_order(struct vdev_firmware *fw)
{
	static const uint32_t never = UINT32_MAX, no = 0;
	char *order = vdev_bootorder(fw->host);
	int err = order ? 0 : -ENOMEM;

	if (!err && order[0])
		err = vdev_fw_cfg_file(fw->cfg, "bootorder", order, strlen(order) + 1);
	if (!err)
		err = vdev_fw_cfg_file(fw->cfg, "etc/boot-fail-wait", &never, sizeof(never));
	if (!err)
		err = vdev_fw_cfg_file(fw->cfg, "etc/show-boot-menu", &no, sizeof(no));
	free(order);
	return err;
}

int vdev_firmware_finish(struct vdev_firmware *fw, struct hv_acpi_config *acpi)
{
	acpi->pm_port = VDEV_PM_PORT;
	acpi->sci_gsi = VDEV_PM_SCI;
	acpi->event_port = VDEV_PM_EVENT_PORT;
	acpi->reset_port = VDEV_RESET_PORT;
	acpi->reset_value = VDEV_RESET_VALUE;
	fw->acpi = acpi;
	int err = tell_order(fw);

	if (!err)
		err = tell_acpi(fw);
	vdev_fw_cfg_on_select(fw->cfg, "etc/table-loader", on_acpi_select, fw);
	return err;
}

/* ---- making ---- */

static int add_chipset(struct vdev_firmware *fw, struct loop *loop)
{
	int err = vdev_q35_create(fw->host);

	if (!err)
		err = vdev_pci_ports_create(fw->host, &fw->ports);
	if (!err)
		err = vdev_pm_create(fw->vm, &fw->pm);
	if (!err)
		err = vdev_rtc_create(fw->vm, loop, &fw->rtc);
	if (!err)
		vdev_rtc_on_alarm(fw->rtc, vdev_pm_alarm, fw->pm);
	if (!err)
		err = vdev_debugcon_create(fw->vm, &fw->debugcon);
	return err ? err : vdev_fw_cfg_create(fw->vm, &fw->cfg);
}

int vdev_firmware_create(const struct vdev_firmware_config *config, struct vdev_host *host,
			 struct loop *loop, struct vdev_firmware **out)
{
	struct vdev_firmware *fw = calloc(1, sizeof(*fw));
	int err;

	if (!fw)
		return log_fail(-ENOMEM, hv_vm_name(host->vm), "no memory for its firmware");
	fw->vm = host->vm;
	fw->host = host;
	err = place_image(fw, config);
	if (!err)
		err = add_chipset(fw, loop);
	if (!err)
		err = tell_memory(fw);
	if (!err)
		err = tell_cpus(fw);
	if (!err)
		err = tell_smbios(fw);
	if (!err)
		err = tell_boot(fw, config);
	if (err < 0) {
		vdev_firmware_destroy(fw);
		return err;
	}
	*out = fw;
	return 0;
}

void vdev_firmware_destroy(struct vdev_firmware *fw)
{
	if (!fw)
		return;
	vdev_fw_cfg_destroy(fw->cfg);
	vdev_debugcon_destroy(fw->debugcon);
	vdev_rtc_destroy(fw->rtc);
	vdev_pm_destroy(fw->pm);
	vdev_pci_ports_destroy(fw->ports);
	vdev_q35_destroy(fw->host);
	vdev_flash_destroy(fw->vars);
	if (fw->mapped)
		hv_mem_unmap_device(fw->vm, fw->slot);
	vdev_fw_image_free(&fw->image);
	if (fw->kernel.data)
		munmap(fw->kernel.data, fw->kernel.size);
	if (fw->initrd.data)
		munmap(fw->initrd.data, fw->initrd.size);
	free(fw);
}

int vdev_firmware_press(struct vdev_firmware *fw)
{
	vdev_pm_press(fw->pm);
	return 0;
}

void vdev_firmware_raise(struct vdev_firmware *fw, uint32_t events)
{
	vdev_pm_raise(fw->pm, events);
}

/* ---- standing still ---- */

/* Tells images apart, no more. */
static uint64_t image_sum(const struct vdev_fw_image *image)
{
	return xxh64(image->data, image->size, 0);
}

void vdev_firmware_save(struct vdev_firmware *fw, struct state *s)
{
	state_put(s, "image", image_sum(&fw->image));
	if (fw->vars)
		vdev_flash_save(fw->vars, state_child(s, "vars"));
	vdev_q35_save(fw->host, state_child(s, "isa"));
	vdev_pci_ports_save(fw->ports, state_child(s, "ports"));
	vdev_pm_save(fw->pm, state_child(s, "pm"));
	vdev_rtc_save(fw->rtc, state_child(s, "rtc"));
	vdev_fw_cfg_save(fw->cfg, state_child(s, "fw_cfg"));
}

void vdev_firmware_load(struct vdev_firmware *fw, struct state *s)
{
	if (state_take(s, "image", UINT64_MAX) != image_sum(&fw->image))
		state_refuse(s, -EINVAL,
			     "the VM was started with another firmware image; give it that one "
			     "(--firmware), or start it anew");
	if (state_error(s))
		return;
	if (fw->vars)
		vdev_flash_load(fw->vars, state_open(s, "vars"));
	vdev_q35_load(fw->host, state_open(s, "isa"));
	vdev_pci_ports_load(fw->ports, state_open(s, "ports"));
	vdev_pm_load(fw->pm, state_open(s, "pm"));
	vdev_rtc_load(fw->rtc, state_open(s, "rtc"));
	vdev_fw_cfg_load(fw->cfg, state_open(s, "fw_cfg"));
}
