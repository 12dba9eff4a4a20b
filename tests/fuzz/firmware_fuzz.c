/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any accesses to what a machine has for its firmware: the clock, the PM block, fw_cfg with its DMA
 * requests in RAM, the flash chip, the chipset's configuration space. The VM may end by it; nothing
 * may be read or written but guest RAM, and what has come of it can be saved and loaded.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fakes/fake_hv.h"
#include "vdev/flash.h"
#include "vdev/fw_cfg.h"
#include "vdev/pci_ports.h"
#include "vdev/pm.h"
#include "vdev/q35.h"
#include "vdev/rtc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FLASH_AT   UINT64_C(0xffc00000)
#define FLASH_SIZE 8192u

struct board {
	struct hv_vm *vm;
	struct loop *loop;
	struct vdev_host *host;
	struct vdev_pci_ports *ports;
	struct vdev_pm *pm;
	struct vdev_rtc *rtc;
	struct vdev_fw_cfg *cfg;
	struct vdev_flash *flash;
	int fd;
};

static void make(struct board *b)
{
	b->vm = fake_hv_create();
	fake_hv_add_ram(b->vm);
	b->fd = memfd_create("vars", MFD_CLOEXEC);
	if (ftruncate(b->fd, FLASH_SIZE) < 0 || loop_create(&b->loop) < 0 ||
	    vdev_host_create(b->vm, &b->host) < 0 || vdev_q35_create(b->host) < 0 ||
	    vdev_pci_ports_create(b->host, &b->ports) < 0 || vdev_host_add_ports(b->host, 2) < 0 ||
	    vdev_host_assign(b->host) < 0 || vdev_pm_create(b->vm, &b->pm) < 0 ||
	    vdev_rtc_create(b->vm, b->loop, &b->rtc) < 0 ||
	    vdev_fw_cfg_create(b->vm, &b->cfg) < 0 ||
	    vdev_fw_cfg_file(b->cfg, "etc/file", "content", 7) < 0 ||
	    vdev_flash_create(b->vm, FLASH_AT, FLASH_SIZE, b->fd, "vars", &b->flash) < 0)
		abort();
}

static void unmake(struct board *b)
{
	vdev_flash_destroy(b->flash);
	vdev_fw_cfg_destroy(b->cfg);
	vdev_rtc_destroy(b->rtc);
	vdev_pm_destroy(b->pm);
	vdev_pci_ports_destroy(b->ports);
	vdev_q35_destroy(b->host);
	vdev_host_destroy(b->host);
	loop_destroy(b->loop);
	close(b->fd);
	fake_hv_destroy(b->vm);
}

/* Writes reach the chip however it is mapped, as exits of a read-only slot do. */
static void flash_write(struct board *b, uint64_t offset, uint8_t value)
{
	for (unsigned i = 0; i < FAKE_REGIONS; i++) {
		const struct hv_region *r = &b->vm->region[i];

		if (r->used && r->space == HV_MMIO && r->base == FLASH_AT)
			r->ops->write(r->opaque, offset % FLASH_SIZE, &value, 1);
	}
}

static void step(struct board *b, const uint8_t in[8])
{
	static const uint16_t ports[] = {0x70,	0x71,  0x600, 0x604, 0x92,  0x64,  0x510,
					 0x511, 0x514, 0x518, 0xcf8, 0xcfc, 0xcf9, 0x602};
	uint16_t port = (uint16_t)(ports[in[0] % 14] + (in[1] >> 6));
	unsigned len = 1u << (in[1] & 3);
	uint32_t value;

	memcpy(&value, in + 4, 4);
	if (in[1] & 0x20)
		fake_hv_read(b->vm, HV_PIO, port, len);
	else if (in[1] & 0x10)
		flash_write(b, (uint64_t)in[2] << 8 | in[3], in[4]);
	else if (in[1] & 0x08)
		hv_mem_write(b->vm, FAKE_RAM_GPA + in[2] % 64 * 4, in + 4, 4);
	else
		fake_hv_write(b->vm, HV_PIO, port, value, len);
}

static void save(struct board *b, struct state *s)
{
	vdev_host_save(b->host, state_child(s, "pci"));
	vdev_q35_save(b->host, state_child(s, "isa"));
	vdev_pci_ports_save(b->ports, state_child(s, "ports"));
	vdev_pm_save(b->pm, state_child(s, "pm"));
	vdev_rtc_save(b->rtc, state_child(s, "rtc"));
	vdev_fw_cfg_save(b->cfg, state_child(s, "fw_cfg"));
	vdev_flash_save(b->flash, state_child(s, "vars"));
}

static void load(struct board *b, struct state *s)
{
	vdev_host_load(b->host, state_open(s, "pci"));
	vdev_q35_load(b->host, state_open(s, "isa"));
	vdev_pci_ports_load(b->ports, state_open(s, "ports"));
	vdev_pm_load(b->pm, state_open(s, "pm"));
	vdev_rtc_load(b->rtc, state_open(s, "rtc"));
	vdev_fw_cfg_load(b->cfg, state_open(s, "fw_cfg"));
	vdev_flash_load(b->flash, state_open(s, "vars"));
}

/* Whatever a guest has made of the machine can be put into another one. */
static void move(struct board *b)
{
	struct board other = {0};
	struct state *s = state_new();

	make(&other);
	save(b, s);
	load(&other, s);
	if (state_error(s))
		abort();
	state_free(s);
	unmake(&other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct board b = {0};

	make(&b);
	for (size_t i = 0; i + 8 <= size; i += 8)
		step(&b, data + i);
	move(&b);
	unmake(&b);
	return 0;
}
