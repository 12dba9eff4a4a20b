/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backend: the five things that a domain asks of whatever programs the hardware for it.
 *
 *     type1     a VFIO container; attaches groups
 *     iommufd   an I/O address space of /dev/iommu; attaches VFIO device files
 *     vtd       our own driver of a unit; attaches requester ids
 *
 * A backend answers 0 or a negative errno. What concerns maps it leaves to the domain to log, which
 * knows what the map was for; the rest it logs itself. `handle` in attach and detach is what the
 * backend takes, and stays the caller's.
 */
#ifndef IOMMU_BACKEND_H
#define IOMMU_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

struct iommu_domain;
struct iommu_map_entry;

enum iommu_handle {
	IOMMU_HANDLE_GROUP,  /* an open /dev/vfio/N */
	IOMMU_HANDLE_DEVICE, /* an open /dev/vfio/devices/vfioN */
	IOMMU_HANDLE_RID,    /* bus << 8 | device << 3 | function */
};

struct iommu_backend_ops {
	const char *name;
	enum iommu_handle handle;
	int (*attach)(struct iommu_domain *domain, int handle, const char *name);
	/* After the last one the backend forgets every map. */
	void (*detach)(struct iommu_domain *domain, int handle);
	int (*map)(struct iommu_domain *domain, const struct iommu_map_entry *entry);
	/* 0 as well when the hardware's side is gone already. */
	int (*unmap)(struct iommu_domain *domain, const struct iommu_map_entry *entry);
	/* Fills usable, page_sizes and maps_left of the domain. */
	int (*info)(struct iommu_domain *domain);
};

extern const struct iommu_backend_ops iommu_backend_type1;
extern const struct iommu_backend_ops iommu_backend_iommufd;
extern const struct iommu_backend_ops iommu_backend_vtd; /* its `backend`: vtd_backend.h */

/* A domain on any backend; `backend` is the backend's own and stays the caller's. */
int iommu_domain_create_on(const struct iommu_backend_ops *ops, void *backend,
			   struct iommu_domain **out);

/* Is `fd` an open /dev/iommu? */
bool iommu_is_iommufd(int fd);
/* -EOPNOTSUPP, logged: no container that can type1v2. */
int iommu_type1_check(int fd);

#endif
