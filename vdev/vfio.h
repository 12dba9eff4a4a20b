/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vfio: a host PCI function lent to the guest (private to vdev/vfio_*.c and machine.c).
 *
 * The guest sees our configuration space, in which single bytes are passed to the device (`pass`);
 * reaches BARs without exits except for the page of the MSI-X table; and gets interrupts through
 * eventfds. The host may ask for the device back at any time: then `fd` is closed and becomes -1,
 * and everything here answers like an empty slot.
 */
#ifndef VDEV_VFIO_H
#define VDEV_VFIO_H

#include <linux/vfio.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bdf.h"
#include "base/loop.h"
#include "iommu/iommu.h"
#include "vdev/msi.h"
#include "vdev/msix.h"
#include "vdev/pci.h"
#include "vdev/vdev.h"
#include "vdev/vector.h"

#define VDEV_VFIO_CHUNKS 8u

/* A piece of a BAR that the guest reaches directly. */
struct vdev_vfio_chunk {
	uint64_t offset, size; /* in the BAR */
	void *hva;
	unsigned slot;
	bool mapped; /* in the guest */
	bool dma;    /* in the IOMMU domain */
};

struct vdev_vfio_region {
	struct vdev_vfio *dev;
	unsigned index;
	uint64_t size, fd_offset;
	uint32_t flags; /* VFIO_REGION_INFO_FLAG_* */
	struct vdev_vfio_chunk chunk[VDEV_VFIO_CHUNKS];
	unsigned chunks;
	void *reserved; /* address space that the chunks lie in */
	uint64_t reserved_size;
	struct hv_region *trap; /* the whole BAR, for what no chunk covers */
};

enum vdev_vfio_mode { VDEV_VFIO_NONE, VDEV_VFIO_INTX, VDEV_VFIO_MSI, VDEV_VFIO_MSIX };

/* An eventfd that the loop watches for us. */
struct vdev_vfio_event {
	int fd;
	struct loop_source *source;
};

struct vdev_vfio {
	struct vdev_function fn;
	struct hv_vm *vm;
	struct loop *loop;
	struct iommu_domain *domain;
	char *name;
	struct bdf host;
	int fd;
	uint32_t flags; /* VFIO_DEVICE_FLAGS_* */

	struct vdev_vfio_region config; /* no chunks */
	bool pass[VDEV_CONFIG_SIZE];	/* bytes that the device answers for */
	unsigned cap_express, cap_power;
	struct vdev_msi msi;
	struct vdev_msix msix;
	struct vdev_vfio_region bar[VDEV_BARS];
	bool p2p_warned;

	uint32_t irq_count[VFIO_PCI_NUM_IRQS], irq_flags[VFIO_PCI_NUM_IRQS];
	enum vdev_vfio_mode mode;
	struct vdev_vector *vector; /* MSI, MSI-X */
	unsigned vectors;
	unsigned host_vectors; /* how many the device's side has enabled; 0: off */
	struct vdev_vfio_event intx, error, request;
	int intx_ended; /* -1: INTx comes to us */

	uint64_t config_reads, config_writes, table_writes, intx_count;
};

/* vfio_config.c */
int vdev_vfio_config_build(struct vdev_vfio *dev);
uint32_t vdev_vfio_config_read(struct vdev_function *fn, unsigned offset, unsigned len);
void vdev_vfio_config_write(struct vdev_function *fn, unsigned offset, unsigned len,
			    uint32_t value);
/* Our registers as after power-on. */
void vdev_vfio_config_reset(struct vdev_vfio *dev);
/* The device's command register. */
void vdev_vfio_config_command(struct vdev_vfio *dev, uint16_t command);

/* vfio_region.c */
int vdev_vfio_region_info(struct vdev_vfio *dev, unsigned index, struct vdev_vfio_region *region);
/* Needs the configuration space: the BAR types and where the MSI-X table is. */
int vdev_vfio_regions_init(struct vdev_vfio *dev);
void vdev_vfio_regions_finish(struct vdev_vfio *dev);
int vdev_vfio_bar_map(struct vdev_function *fn, unsigned index, uint64_t gpa);
void vdev_vfio_bar_unmap(struct vdev_function *fn, unsigned index);
bool vdev_vfio_bar_direct(const struct vdev_vfio *dev, unsigned index);

/* vfio_irq.c */
void vdev_vfio_irq_info(struct vdev_vfio *dev);
int vdev_vfio_irq_watch(struct vdev_vfio *dev); /* error and request interrupts */
/* Follows the registers: mode, masks, messages. */
void vdev_vfio_irq_update(struct vdev_vfio *dev);
/* Vectors first..last of the MSI-X table were written. */
void vdev_vfio_irq_vectors(struct vdev_vfio *dev, unsigned first, unsigned last);
void vdev_vfio_irq_off(struct vdev_vfio *dev);
void vdev_vfio_irq_finish(struct vdev_vfio *dev);
void vdev_vfio_irq_eoi(struct vdev_function *fn);
bool vdev_vfio_irq_masked(const struct vdev_vfio *dev, unsigned vector);

/* vfio_picture.c */
int vdev_vfio_take_picture(struct vdev_vfio *dev, int out, struct vdev_picture *picture);

/* vfio_reset.c */
#define VDEV_VFIO_BOCHS 0x11111234u /* device and vendor of QEMU's and Bochs' display */
/* Memory of a display that has no reset, where it can be reached: between owners. */
void vdev_vfio_clear(struct vdev_vfio *dev);
/* Quiet, function level reset, registers as after power-on; the BARs answer nowhere. */
void vdev_vfio_reset(struct vdev_vfio *dev);
/* The host wants it back: out of the guest at once. */
void vdev_vfio_remove(struct vdev_vfio *dev);

/* vfio_pci.c */
struct vdev_vfio *vdev_vfio_of(struct vdev_function *fn); /* NULL when it is something else */
void vdev_vfio_destroy(struct vdev_vfio *dev);
void vdev_vfio_fill_stat(const struct vdev_vfio *dev, struct vdev_vfio_stat *out);
int vdev_vfio_create(struct hv_vm *vm, struct loop *loop, struct iommu_domain *domain,
		     const struct vdev_vfio_config *config, struct vdev_vfio **out);

#endif
