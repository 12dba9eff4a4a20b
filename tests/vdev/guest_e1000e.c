/* SPDX-License-Identifier: BSD-3-Clause */
/* guest_e1000e: see guest_e1000e.h. */
#include "tests/vdev/guest_e1000e.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define ECAM 0xe0100000u /* bus 1, device 0 */

const uint8_t guest_nic_mac[6] = {2, 0, 0, 0x12, 0x34, 0x56};

int __wrap_ioctl(int fd, unsigned long request, void *arg);

int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
	(void)fd;
	(void)arg;
	if (request == TUNSETVNETHDRSZ || request == TUNSETOFFLOAD)
		return 0;
	errno = ENOTTY;
	return -1;
}

uint32_t guest_nic_config(struct guest_e1000e *g, unsigned offset, unsigned len)
{
	return (uint32_t)fake_hv_read(g->vm, HV_MMIO, ECAM + offset, len);
}

void guest_nic_config_set(struct guest_e1000e *g, unsigned offset, unsigned len, uint32_t value)
{
	fake_hv_write(g->vm, HV_MMIO, ECAM + offset, value, len);
}

static void probe(struct guest_e1000e *g)
{
	g->regs = guest_nic_config(g, PCI_BASE_ADDRESS_0, 4) & ~15u;
	g->table = guest_nic_config(g, PCI_BASE_ADDRESS_3, 4) & ~15u;
	for (unsigned cap = guest_nic_config(g, PCI_CAPABILITY_LIST, 1); cap;
	     cap = guest_nic_config(g, cap + 1, 1)) {
		if (guest_nic_config(g, cap, 1) == PCI_CAP_ID_MSI)
			g->cap_msi = cap;
		if (guest_nic_config(g, cap, 1) == PCI_CAP_ID_MSIX)
			g->cap_msix = cap;
	}
}

void guest_nic_init(struct guest_e1000e *g)
{
	struct vdev_net_config config = {.name = "net t", .mtu = 1500, .pairs = 1, .e1000e = true};
	int fd[2];

	*g = (struct guest_e1000e){.vm = fake_hv_create()};
	fake_hv_add_ram(g->vm);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fd) < 0)
		abort();
	g->wire = fd[0];
	g->device = fd[1];
	config.tap = &g->device;
	memcpy(config.mac, guest_nic_mac, sizeof(config.mac));
	if (loop_create(&g->loop) < 0 || vdev_host_create(g->vm, &g->host) < 0 ||
	    vdev_e1000e_create(g->vm, g->loop, &config, &g->nic) < 0)
		abort();
	hv_device_lock(g->vm);
	if (vdev_host_add(g->host, vdev_e1000e_function(g->nic)) < 0 ||
	    vdev_host_assign(g->host) < 0)
		abort();
	hv_device_unlock(g->vm);
	guest_nic_config_set(g, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	probe(g);
}

void guest_nic_finish(struct guest_e1000e *g)
{
	hv_device_lock(g->vm);
	vdev_host_destroy(g->host);
	hv_device_unlock(g->vm);
	loop_destroy(g->loop);
	fake_hv_destroy(g->vm);
	close(g->wire);
	close(g->device);
}

uint32_t guest_nic_get(struct guest_e1000e *g, unsigned at)
{
	return (uint32_t)fake_hv_read(g->vm, HV_MMIO, g->regs + at, 4);
}

void guest_nic_set(struct guest_e1000e *g, unsigned at, uint32_t value)
{
	fake_hv_write(g->vm, HV_MMIO, g->regs + at, value, 4);
}

uint32_t guest_nic_phy(struct guest_e1000e *g, unsigned reg)
{
	guest_nic_set(g, E1000E_MDIC, 1u << 21 | reg << 16 | E1000E_MDIC_READ);
	return guest_nic_get(g, E1000E_MDIC) & 0xffff;
}

void guest_nic_phy_set(struct guest_e1000e *g, unsigned reg, uint16_t value)
{
	guest_nic_set(g, E1000E_MDIC, 1u << 21 | reg << 16 | E1000E_MDIC_WRITE | value);
}

uint8_t *guest_nic_at(struct guest_e1000e *g, uint64_t gpa)
{
	return hv_mem_ptr(g->vm, gpa, 1);
}

static void give_buffers(struct guest_e1000e *g, unsigned step)
{
	for (unsigned i = 0; i < GUEST_NIC_RING; i += step) {
		uint64_t addr = GUEST_NIC_BUFFER + 0x800u * i;
		uint8_t *desc = guest_nic_at(g, GUEST_NIC_RX + 16 * i);

		memset(desc, 0, 16 * step);
		memcpy(desc, &addr, 8);
		for (unsigned b = 1; step == 2 && b < 4; b++) {
			uint64_t more = addr + 0x400u * b;

			memcpy(desc + 8 * b, &more, 8);
		}
	}
}

void guest_nic_up(struct guest_e1000e *g, uint32_t rctl, uint32_t rfctl)
{
	unsigned step = rctl & E1000E_RCTL_SPLIT ? 2 : 1;

	guest_nic_set(g, E1000E_TDBAL, GUEST_NIC_TX);
	guest_nic_set(g, E1000E_TDLEN, 16 * GUEST_NIC_RING);
	guest_nic_set(g, E1000E_TCTL, E1000E_TCTL_EN);
	guest_nic_set(g, E1000E_RFCTL, rfctl);
	guest_nic_set(g, E1000E_RDBAL, GUEST_NIC_RX);
	guest_nic_set(g, E1000E_RDLEN, 16 * GUEST_NIC_RING);
	give_buffers(g, step);
	guest_nic_set(g, E1000E_RCTL, rctl | E1000E_RCTL_EN);
	guest_nic_set(g, E1000E_RDT, GUEST_NIC_RING - step);
}

void guest_nic_send(struct guest_e1000e *g, uint64_t addr, uint32_t lower, uint32_t upper)
{
	uint8_t *desc = guest_nic_at(g, GUEST_NIC_TX + 16 * g->tail);

	memcpy(desc, &addr, 8);
	memcpy(desc + 8, &lower, 4);
	memcpy(desc + 12, &upper, 4);
	g->tail = (g->tail + 1) % GUEST_NIC_RING;
	guest_nic_set(g, E1000E_TDT, g->tail);
}

void guest_nic_msix_on(struct guest_e1000e *g)
{
	for (unsigned v = 0; v < E1000E_VECTORS; v++) {
		fake_hv_write(g->vm, HV_MMIO, g->table + 16 * v, 0xfee00000u, 4);
		fake_hv_write(g->vm, HV_MMIO, g->table + 16 * v + 8, 0x40 + v, 4);
		fake_hv_write(g->vm, HV_MMIO, g->table + 16 * v + 12, 0, 4);
	}
	guest_nic_config_set(g, g->cap_msix + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
	guest_nic_set(g, E1000E_IVAR, 0x800a0908);
}

/* The eventfd of the route that has this vector's message stands for the engine. */
uint64_t guest_nic_messages(struct guest_e1000e *g, unsigned vector)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < FAKE_ROUTES; i++)
		if (g->vm->route[i].used && g->vm->route[i].eventfd >= 0 &&
		    g->vm->route[i].msi.data == 0x40 + vector &&
		    read(g->vm->route[i].eventfd, &count, sizeof(count)) != sizeof(count))
			count = 0;
	return count;
}

static void halt(void *opaque, uint32_t events)
{
	(void)events;
	loop_stop(opaque, 0);
}

bool guest_nic_wait(struct guest_e1000e *g, bool (*cond)(struct guest_e1000e *g))
{
	for (unsigned i = 0; i < 1000; i++) {
		if (cond(g))
			return true;
		if (loop_timer(g->loop, 2, halt, g->loop, NULL) < 0 || loop_run(g->loop) < 0)
			abort();
	}
	return false;
}
