/* SPDX-License-Identifier: BSD-3-Clause */
/* msix: the MSI-X capability and vector table of a function; see msix.c. */
#ifndef VDEV_MSIX_H
#define VDEV_MSIX_H

#include <stdbool.h>
#include <stdint.h>

#include "vdev/pci.h"

/* PCIe 6.0, 7.7.2.5 to 7.7.2.8. */
struct vdev_msix_entry {
	uint32_t addr_low, addr_high, data, control;
};
_Static_assert(sizeof(struct vdev_msix_entry) == PCI_MSIX_ENTRY_SIZE, "MSI-X table entry");

struct vdev_msix {
	unsigned cap;	/* 0: the function has none */
	unsigned count; /* entries of the table */
	struct vdev_msix_entry *table;
	uint8_t table_bar;
	uint64_t table_offset;
};

/* Takes over the capability whose registers already stand at `cap`. */
int vdev_msix_init(struct vdev_msix *msix, struct vdev_config *config, unsigned cap);
void vdev_msix_finish(struct vdev_msix *msix);
/* Disabled, every vector masked. */
void vdev_msix_reset(struct vdev_msix *msix, struct vdev_config *config);
bool vdev_msix_enabled(const struct vdev_msix *msix, const struct vdev_config *config);
/* By its own bit or the function's. */
bool vdev_msix_masked(const struct vdev_msix *msix, const struct vdev_config *config,
		      unsigned vector);
struct hv_msi vdev_msix_message(const struct vdev_msix *msix, unsigned vector);
/* Accesses to the table: offset from its start, anything inside it. A write returns the vector it
 * touched (the first one, and there can be two where an access is not aligned: *last). */
void vdev_msix_read(const struct vdev_msix *msix, uint64_t offset, void *data, unsigned len);
unsigned vdev_msix_write(struct vdev_msix *msix, uint64_t offset, const void *data, unsigned len,
			 unsigned *last);
/* The table; the capability's registers are configuration space. */
void vdev_msix_save(const struct vdev_msix *msix, struct state *s);
void vdev_msix_load(struct vdev_msix *msix, struct state *s);

#endif
