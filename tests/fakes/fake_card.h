/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_card: the far side of devlink and of NVMe's Virtualization Management: a card with a switch,
 * and a controller with secondaries. Linked in place of sriov/devlink.o and sriov/nvme.o; absent
 * until a test puts one in.
 */
#ifndef TESTS_FAKE_CARD_H
#define TESTS_FAKE_CARD_H

#include "base/sysfs.h"
#include "sriov/devlink.h"
#include "sriov/nvme.h"

#define FAKE_PORTS 4

struct fake_card {
	bool present;		 /* devlink knows it as pci/0000:01:00.0 */
	enum sriov_eswitch mode; /* ports of VFs are shown in switchdev mode alone */
	struct devlink_port port[FAKE_PORTS];
	unsigned fails;	   /* settings and, as bit 31, modes that are refused with -EINVAL ... */
	const char *words; /* ... in these words */
	const struct sysfs
		*bound;	 /* where a VF's driver is looked up: with one, ports answer -EBUSY */
	bool controller; /* /dev/nvme0 has the feature */
	struct nvme_virt virt;
	char log[512]; /* what the controller was told, one word each */
};

/* One per test program, shared with its children. */
struct fake_card *fake_card(void);
void fake_card_reset(void);

#endif
