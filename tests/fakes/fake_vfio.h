/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_vfio: a VFIO device descriptor made of a memfd. Regions are parts of the file, so that
 * pread, pwrite and mmap are the real ones; ioctl is wrapped (-Wl,--wrap=ioctl).
 *
 * The device is an 82576 virtual function as vfio-pci shows it, with capabilities added that a
 * guest must not see: BAR 0 and BAR 3 of 16 KiB, MSI-X with `vectors` entries at the start of BAR
 * 3, MSI with four vectors and mask bits, PCIe with FLR, PM, ATS, SR-IOV, ARI.
 */
#ifndef TESTS_FAKES_FAKE_VFIO_H
#define TESTS_FAKES_FAKE_VFIO_H

#include <linux/vfio.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/fakes/fake_log.h"

#define FAKE_BAR_SIZE 0x4000u
#define FAKE_PM	      0x40
#define FAKE_MSI      0x50
#define FAKE_MSIX     0x70
#define FAKE_EXP      0xa0
#define FAKE_VNDR     0xe0
#define FAKE_VECTORS  64

struct fake_vfio {
	struct fake_log *log;
	int fd;
	int given; /* for the code under test, which takes it over */
	bool no_reset, noresize, intx;
	unsigned resets;
	/* A display: what VFIO_DEVICE_QUERY_GFX_PLANE answers; `size` 0: it is none. With
	 * `plane_fd`, the pixels are in that buffer instead of in a region. */
	struct vfio_device_gfx_plane_info plane;
	int plane_fd; /* 0: none */
	unsigned enabled[VFIO_PCI_NUM_IRQS];
	int eventfd[VFIO_PCI_NUM_IRQS][FAKE_VECTORS];
};

struct fake_vfio_config {
	unsigned vectors;
	bool no_reset; /* as some whole GPUs */
	bool noresize; /* kernel before 6.5 */
	bool intx;
	uint8_t header_type;
};

struct fake_vfio *fake_vfio_create(struct fake_log *log, const struct fake_vfio_config *config);
void fake_vfio_destroy(struct fake_vfio *vfio);
/* The device's own registers. */
uint32_t fake_vfio_config_get(const struct fake_vfio *vfio, unsigned offset, unsigned len);
void fake_vfio_config_set(struct fake_vfio *vfio, unsigned offset, unsigned len, uint32_t value);
uint32_t fake_vfio_bar_get(const struct fake_vfio *vfio, unsigned bar, unsigned offset);
void fake_vfio_bar_set(struct fake_vfio *vfio, unsigned bar, unsigned offset, uint32_t value);
/* The device raises an interrupt. */
void fake_vfio_raise(struct fake_vfio *vfio, unsigned index, unsigned vector);

#endif
