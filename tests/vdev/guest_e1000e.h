/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guest_e1000e: a guest's view of an emulated 82574 on fakes. A socket that keeps frames apart
 * stands for the tap; its ioctls are wrapped.
 */
#ifndef TESTS_VDEV_GUEST_E1000E_H
#define TESTS_VDEV_GUEST_E1000E_H

#include "base/loop.h"
#include "tests/fakes/fake_hv.h"
#include "vdev/e1000e.h"
#include "vdev/e1000e_regs.h"
#include "vdev/pci.h"

#define GUEST_NIC_TX	 FAKE_RAM_GPA /* descriptors to send */
#define GUEST_NIC_RX	 (FAKE_RAM_GPA + 0x1000u)
#define GUEST_NIC_DATA	 (FAKE_RAM_GPA + 0x2000u)  /* what is sent */
#define GUEST_NIC_BUFFER (FAKE_RAM_GPA + 0x10000u) /* and received: 2 KiB each */
#define GUEST_NIC_RING	 8u			   /* descriptors of 16 bytes */

struct guest_e1000e {
	struct hv_vm *vm;
	struct loop *loop;
	struct vdev_host *host;
	struct vdev_e1000e *nic;
	int wire, device; /* the two ends */
	uint64_t regs, table;
	unsigned cap_msi, cap_msix;
	uint32_t tail;
};

extern const uint8_t guest_nic_mac[6];

void guest_nic_init(struct guest_e1000e *g);
void guest_nic_finish(struct guest_e1000e *g);
uint32_t guest_nic_get(struct guest_e1000e *g, unsigned at);
void guest_nic_set(struct guest_e1000e *g, unsigned at, uint32_t value);
uint32_t guest_nic_config(struct guest_e1000e *g, unsigned offset, unsigned len);
void guest_nic_config_set(struct guest_e1000e *g, unsigned offset, unsigned len, uint32_t value);
uint32_t guest_nic_phy(struct guest_e1000e *g, unsigned reg);
void guest_nic_phy_set(struct guest_e1000e *g, unsigned reg, uint16_t value);
uint8_t *guest_nic_at(struct guest_e1000e *g, uint64_t gpa);
/* Rings of GUEST_NIC_RING, both directions on; `layout`: RFCTL, `rctl` besides EN. */
void guest_nic_up(struct guest_e1000e *g, uint32_t rctl, uint32_t rfctl);
/* One descriptor more, and the tail with it. */
void guest_nic_send(struct guest_e1000e *g, uint64_t addr, uint32_t lower, uint32_t upper);
/* MSI-X on: vectors 0 (receive), 1 (send), 2 (other), as Linux has them. */
void guest_nic_msix_on(struct guest_e1000e *g);
/* Messages of a vector since the last time: 5 is that of MSI. */
uint64_t guest_nic_messages(struct guest_e1000e *g, unsigned vector);
/* Waits until cond(opaque), running the main loop; false after two seconds. */
bool guest_nic_wait(struct guest_e1000e *g, bool (*cond)(struct guest_e1000e *g));

#endif
