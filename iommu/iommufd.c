/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * iommufd: the backend over /dev/iommu, the kernel's successor of VFIO containers.
 *
 * A VFIO device file is bound to the iommufd and attached to an I/O address space (IOAS); maps are
 * made in that space. Debian 12's headers know none of it, so the layouts stand here as the kernel
 * documents them: Documentation/userspace-api/iommufd.rst, include/uapi/linux/iommufd.h, and
 * VFIO_DEVICE_BIND_IOMMUFD and its neighbours in include/uapi/linux/vfio.h.
 */
#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/log.h"
#include "base/util.h"
#include "iommu/domain.h"

/* ---- the kernel's interface ---- */

struct ioas_alloc {
	uint32_t size, flags, out_ioas;
};
struct iommufd_destroy {
	uint32_t size, id;
};
struct ioas_iova_ranges {
	uint32_t size, ioas, count, reserved;
	uint64_t ranges, out_alignment;
};
struct ioas_iova_range {
	uint64_t start, last;
};
struct ioas_map {
	uint32_t size, flags, ioas, reserved;
	uint64_t user_va, length, iova;
};
struct ioas_unmap {
	uint32_t size, ioas;
	uint64_t iova, length;
};
struct device_bind {
	uint32_t argsz, flags;
	int32_t iommufd;
	uint32_t out_device;
};
struct device_attach {
	uint32_t argsz, flags, ioas;
};
struct device_detach {
	uint32_t argsz, flags;
};
_Static_assert(sizeof(struct ioas_alloc) == 12, "struct iommu_ioas_alloc");
_Static_assert(sizeof(struct iommufd_destroy) == 8, "struct iommu_destroy");
_Static_assert(sizeof(struct ioas_iova_ranges) == 32, "struct iommu_ioas_iova_ranges");
_Static_assert(sizeof(struct ioas_map) == 40, "struct iommu_ioas_map");
_Static_assert(sizeof(struct ioas_unmap) == 24, "struct iommu_ioas_unmap");
_Static_assert(sizeof(struct device_bind) == 16, "struct vfio_device_bind_iommufd");
_Static_assert(sizeof(struct device_attach) == 12, "struct vfio_device_attach_iommufd_pt");

#define IOMMUFD(number)	    _IO(';', 0x80 + (number))
#define IOMMUFD_DESTROY	    IOMMUFD(0)
#define IOMMUFD_ALLOC	    IOMMUFD(1)
#define IOMMUFD_IOVA_RANGES IOMMUFD(4)
#define IOMMUFD_MAP	    IOMMUFD(5)
#define IOMMUFD_UNMAP	    IOMMUFD(6)
#define MAP_FIXED_IOVA	    1u
#define MAP_WRITE	    2u
#define MAP_READ	    4u
#define DEVICE_BIND	    _IO(';', 100 + 18)
#define DEVICE_ATTACH	    _IO(';', 100 + 19)
#define DEVICE_DETACH	    _IO(';', 100 + 20)

#define RANGES_MAX 4096u

static int call(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg) < 0 ? -errno : 0;
}

static int alloc_ioas(int fd, uint32_t *ioas)
{
	struct ioas_alloc request = {.size = sizeof(request)};
	int err = call(fd, IOMMUFD_ALLOC, &request);

	*ioas = request.out_ioas;
	return err;
}

static void free_ioas(int fd, uint32_t ioas)
{
	struct iommufd_destroy request = {.size = sizeof(request), .id = ioas};
	int err = call(fd, IOMMUFD_DESTROY, &request);

	if (err)
		log_warn("iommu", "an address space stays until /dev/iommu is closed: %s",
			 strerror(-err));
}

/* A container answers VFIO's questions only, an iommufd may answer both (its compatibility mode).
 */
bool iommu_is_iommufd(int fd)
{
	uint32_t ioas;

	if (alloc_ioas(fd, &ioas))
		return false;
	free_ioas(fd, ioas);
	return true;
}

/* ---- the five operations ---- */

static int attach(struct iommu_domain *domain, int device, const char *name)
{
	struct device_bind bind = {.argsz = sizeof(bind), .iommufd = domain->fd};
	struct device_attach attach = {.argsz = sizeof(attach)};
	int err = call(device, DEVICE_BIND, &bind);

	/* EINVAL: bound already, by a domain before this one; what to, the attaching will tell. */
	if (err && err != -EINVAL)
		return log_fail(err, name, "not taken into the IOMMU: %s",
				err == -EPERM ? "a host driver holds another member of its group; "
						"`sluice host show` names it"
					      : strerror(-err));
	err = domain->ioas ? 0 : alloc_ioas(domain->fd, &domain->ioas);
	if (err)
		return log_fail(err, name, "no I/O address space: %s", strerror(-err));
	attach.ioas = domain->ioas;
	err = call(device, DEVICE_ATTACH, &attach);
	if (err && !domain->group_count) {
		free_ioas(domain->fd, domain->ioas);
		domain->ioas = 0;
	}
	return err ? log_fail(err, name, "not attached to its VM's address space: %s",
			      strerror(-err))
		   : 0;
}

static void detach(struct iommu_domain *domain, int device)
{
	struct device_detach request = {.argsz = sizeof(request)};
	int err = call(device, DEVICE_DETACH, &request);

	if (err && err != -ENODEV)
		log_warn("iommu", "a device stays attached until it is closed: %s", strerror(-err));
	if (domain->group_count)
		return;
	free_ioas(domain->fd, domain->ioas);
	domain->ioas = 0;
}

static int map(struct iommu_domain *domain, const struct iommu_map_entry *entry)
{
	struct ioas_map request = {
		.size = sizeof(request),
		.flags = MAP_FIXED_IOVA | (entry->prot & IOMMU_READ ? MAP_READ : 0) |
			 (entry->prot & IOMMU_WRITE ? MAP_WRITE : 0),
		.ioas = domain->ioas,
		.user_va = (uintptr_t)entry->hva,
		.length = entry->size,
		.iova = entry->iova,
	};

	return call(domain->fd, IOMMUFD_MAP, &request);
}

static int unmap(struct iommu_domain *domain, const struct iommu_map_entry *entry)
{
	struct ioas_unmap request = {.size = sizeof(request),
				     .ioas = domain->ioas,
				     .iova = entry->iova,
				     .length = entry->size};

	return call(domain->fd, IOMMUFD_UNMAP, &request);
}

static int by_start(const void *a, const void *b)
{
	uint64_t x = ((const struct range *)a)->start, y = ((const struct range *)b)->start;

	return (x > y) - (x < y);
}

/* Asked with no room first, the kernel says how many ranges there are. */
static int read_ranges(struct iommu_domain *domain, struct ioas_iova_ranges *request,
		       struct ioas_iova_range **out)
{
	*request = (struct ioas_iova_ranges){.size = sizeof(*request), .ioas = domain->ioas};
	int err = call(domain->fd, IOMMUFD_IOVA_RANGES, request);

	if (err && err != -EMSGSIZE)
		return err;
	if (request->count > RANGES_MAX)
		return -EPROTO;
	const uint32_t room = request->count;
	*out = calloc(room + 1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	request->ranges = (uintptr_t)*out;
	err = call(domain->fd, IOMMUFD_IOVA_RANGES, request);
	if (!err && request->count > room)
		err = -EPROTO;
	if (err)
		free(*out);
	return err;
}

static int info(struct iommu_domain *domain)
{
	struct ioas_iova_ranges request;
	struct ioas_iova_range *ranges;
	int err = read_ranges(domain, &request, &ranges);

	if (err)
		return log_fail(err, "iommu", "the address space does not tell what it can do: %s",
				strerror(-err));
	struct range *usable = calloc(request.count + 1, sizeof(*usable));
	if (!usable) {
		free(ranges);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < request.count; i++)
		usable[i] = (struct range){ranges[i].start, ranges[i].last};
	free(ranges);
	qsort(usable, request.count, sizeof(*usable), by_start);
	free(domain->usable);
	domain->usable = usable;
	domain->usable_count = request.count;
	/* Only the smallest size is told; larger pages are the kernel's to find. */
	domain->page_sizes = request.out_alignment ? request.out_alignment : 4096;
	domain->maps_left = UINT32_MAX;
	return 0;
}

const struct iommu_backend_ops iommu_backend_iommufd = {
	.name = "iommufd",
	.handle = IOMMU_HANDLE_DEVICE,
	.attach = attach,
	.detach = detach,
	.map = map,
	.unmap = unmap,
	.info = info,
};
