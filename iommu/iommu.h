/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * iommu: which memory a device may reach, and which devices can be told apart.
 *
 * Two nouns. A *group* is the smallest set of PCI functions that the IOMMU can tell from all
 * others; it is handed out as a whole, and only when every member is free of host drivers
 * ("viable"). A *domain* is one I/O address space: groups are attached to it and memory is mapped
 * into it. For a VM, I/O address = guest physical address, so that a guest's driver can give its
 * device the addresses it knows.
 *
 * A domain stands on one of three backends behind five operations (backend.h): VFIO type1v2 (one
 * domain = one container), iommufd, or our own VT-d driver. Descriptors are opened by the caller,
 * which has the privilege, and stay the caller's unless said otherwise.
 * Kernel interface: Documentation/driver-api/vfio.rst, include/uapi/linux/vfio.h.
 */
#ifndef IOMMU_IOMMU_H
#define IOMMU_IOMMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bdf.h"
#include "base/range.h"
#include "base/sysfs.h"
#include "iommu/audit.h"
#include "iommu/dmar.h"
#include "iommu/posting.h"
#include "iommu/topology.h"

/* ---- groups ---- */

enum iommu_member_state {
	IOMMU_MEMBER_FREE,   /* no driver */
	IOMMU_MEMBER_VFIO,   /* vfio-pci or a variant, pci-stub: fine */
	IOMMU_MEMBER_BRIDGE, /* a PCIe port of pcieport: fine */
	IOMMU_MEMBER_HOST,   /* a host driver holds it: the group is not viable */
};

struct iommu_member {
	struct bdf bdf;
	enum iommu_member_state state;
	char driver[64]; /* "" for none */
};

struct iommu_group {
	int id;	       /* changes across reboots: never store it */
	char type[16]; /* "DMA", "DMA-FQ", "identity", … */
	size_t count;
	struct iommu_member members[]; /* sorted by address */
};

/* The group of `bdf`. -ENODEV: no such device; -ENOENT: it has no group, because there is no IOMMU
 * or it is off (logged with what to do). *out is one allocation; free() it. */
int iommu_group_read(const struct sysfs *fs, struct bdf bdf, struct iommu_group **out);

/* The first member, other than `except`, which keeps the group from being viable once `except`
 * itself is on vfio-pci; NULL when nothing is in the way. */
const struct iommu_member *iommu_group_blocker(const struct iommu_group *group, struct bdf except);

/* Reserved ranges of the group from sysfs (MSI window, RMRRs): sorted, allocated. */
struct iommu_reserved {
	struct range range;
	char type[24]; /* "msi", "direct", "direct-relaxable", "reserved" */
};
int iommu_group_reserved(const struct sysfs *fs, int group, struct iommu_reserved **out,
			 size_t *count);

/* ---- units ---- */

/* Units that our own driver (vtd) left on when it was killed are switched off, and the memory of
 * their tables given back; devices behind them that nobody drives are kept from DMA first. `each`
 * hears of every unit that the driver ever had: 1 when it was left on, 0 when not, or a negative
 * errno (-EBUSY: its driver lives), logged. With `dry_run` nothing is changed. The first error, or
 * 0. */
int iommu_units_release(const struct sysfs *fs, const char *run_dir, bool dry_run,
			void (*each)(void *opaque, uint64_t base, int result), void *opaque);
/* The same for the one unit in front of a device. What `each` would hear; or -ENOENT, -ENODEV:
 * there is no such unit. */
int iommu_unit_release(const struct sysfs *fs, const char *run_dir, struct bdf bdf, bool dry_run);

/* ---- domains ---- */

struct iommu_domain;

#define IOMMU_READ  1u
#define IOMMU_WRITE 2u
/* Device memory, mapped so that other devices reach it: the host may well refuse, and where it lies
 * is the guest's choice. So a refusal is not logged; the caller tells what it means. */
#define IOMMU_PEER  4u

/* Opens what iommu_domain_create and iommu_domain_attach take: on kernels with iommufd and VFIO
 * device files those, else the VFIO container and group. A descriptor, or a negative errno, logged.
 */
int iommu_open(const char *subject);
int iommu_open_group(const char *subject, int group);
#define IOMMU_PATH 96
/* The device file of a group's only VFIO device; -EOPNOTSUPP when it has several. */
int iommu_device_file(const struct sysfs *fs, int group, char path[IOMMU_PATH]);

/* `fd`: an open /dev/iommu or /dev/vfio/vfio, which decides the backend; stays the caller's.
 * -EOPNOTSUPP when it can neither. The first attach decides what hardware stands behind it, so maps
 * come after that. */
int iommu_domain_create(int fd, struct iommu_domain **out);
const char *iommu_domain_backend(const struct iommu_domain *domain); /* "vfio-type1" */
/* Unmaps what is mapped, detaches what is attached. */
void iommu_domain_destroy(struct iommu_domain *domain);

/* `group_fd`: an open /dev/vfio/N, or on iommufd an open /dev/vfio/devices/vfioN; stays the
 * caller's. -EPERM: the group is not viable. */
int iommu_domain_attach(struct iommu_domain *domain, int group_fd, const char *name);
void iommu_domain_detach(struct iommu_domain *domain, int group_fd);

/* Page-aligned. -EEXIST when it overlaps a map that differs; the very same map again is 0.
 * -ENOMEM: locked-memory limit (the message names it); -ENOSPC: no map entries left. */
int iommu_map(struct iommu_domain *domain, uint64_t iova, uint64_t size, void *hva, unsigned prot);
/* Exactly what was mapped at `iova`. */
int iommu_unmap(struct iommu_domain *domain, uint64_t iova, uint64_t size);

struct iommu_info {
	const struct range
		*usable; /* sorted I/O addresses that may be mapped; owned by the domain */
	size_t usable_count;
	uint64_t page_sizes; /* bit n: pages of 2^n */
	uint32_t maps_left;  /* VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL; UINT32_MAX where not told */
};
/* After the first attach. */
int iommu_domain_info(struct iommu_domain *domain, struct iommu_info *out);

struct iommu_map_entry {
	uint64_t iova, size;
	void *hva;
	unsigned prot;
};
/* What is mapped now, sorted by iova; owned by the domain, valid until the next change. */
size_t iommu_domain_maps(const struct iommu_domain *domain, const struct iommu_map_entry **out);

/* Which pages devices may have written, where the backend can tell (else -EOPNOTSUPP; nothing here
 * is logged). Without help of the hardware that is all that is pinned. `bitmap`: a bit per smallest
 * page of [iova, iova + size), which is cut from what is mapped; in words of 64. -E2BIG beyond what
 * the kernel takes at once. Reading does not clear what the hardware cannot tell. */
int iommu_dirty_start(struct iommu_domain *domain);
int iommu_dirty_read(struct iommu_domain *domain, uint64_t iova, uint64_t size, uint64_t *bitmap);
int iommu_dirty_stop(struct iommu_domain *domain);

/* The VFIO device descriptor of `name` ("0000:01:10.0", or with " vf_token=…"). The caller owns it.
 * -EBUSY, -EACCES (vf_token), -ENODEV, logged. */
int iommu_device_open(struct iommu_domain *domain, int group_fd, const char *name);

/* Locked memory needed to map `ram` bytes, against what the process may lock. 0 when it fits or the
 * process has CAP_IPC_LOCK; else -ENOMEM with both numbers and the remedy in the message. */
int iommu_locked_check(const char *name, uint64_t ram);

#endif
