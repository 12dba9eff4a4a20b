/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * domain: one I/O address space, over a backend.
 *
 * The kernel keeps maps as it is told them and can only take one back whole, so the domain keeps
 * the same list: it makes mapping idempotent, refuses overlaps by name, and shows what a device
 * can reach. What the hardware is asked is the backend's business (backend.h).
 */
#include "iommu/domain.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/util.h"

int iommu_domain_create(int fd, struct iommu_domain **out)
{
	struct iommu_domain *domain = calloc(1, sizeof(*domain));

	if (!domain)
		return -ENOMEM;
	domain->fd = fd;
	domain->ops = iommu_is_iommufd(fd) ? &iommu_backend_iommufd : &iommu_backend_type1;
	int err = domain->ops == &iommu_backend_type1 ? iommu_type1_check(fd) : 0;
	if (err)
		free(domain);
	else
		*out = domain;
	return err;
}

int iommu_domain_create_on(const struct iommu_backend_ops *ops, void *backend,
			   struct iommu_domain **out)
{
	struct iommu_domain *domain = calloc(1, sizeof(*domain));

	if (!domain)
		return -ENOMEM;
	domain->fd = -1;
	domain->ops = ops;
	domain->backend = backend;
	*out = domain;
	return 0;
}

void iommu_domain_destroy(struct iommu_domain *domain)
{
	if (!domain)
		return;
	while (domain->map_count) {
		const struct iommu_map_entry *m = &domain->maps[domain->map_count - 1];
		if (iommu_unmap(domain, m->iova, m->size) < 0)
			break; /* logged; the container's end takes the rest */
	}
	while (domain->group_count)
		iommu_domain_detach(domain, domain->groups[domain->group_count - 1]);
	free(domain->groups);
	free(domain->maps);
	free(domain->usable);
	free(domain);
}

/* ---- groups ---- */

bool iommu_domain_has_group(const struct iommu_domain *domain, int group_fd)
{
	for (size_t i = 0; i < domain->group_count; i++)
		if (domain->groups[i] == group_fd)
			return true;
	return false;
}

int iommu_domain_attach(struct iommu_domain *domain, int handle, const char *name)
{
	if (iommu_domain_has_group(domain, handle))
		return 0;
	int *groups = realloc(domain->groups, (domain->group_count + 1) * sizeof(*groups));
	if (!groups)
		return -ENOMEM;
	domain->groups = groups;
	int err = domain->ops->attach(domain, handle, name);
	if (err)
		return err;
	err = domain->ops->info(domain);
	if (err) {
		domain->ops->detach(domain, handle);
		return err;
	}
	domain->groups[domain->group_count++] = handle;
	return 0;
}

void iommu_domain_detach(struct iommu_domain *domain, int handle)
{
	size_t i = 0;

	while (i < domain->group_count && domain->groups[i] != handle)
		i++;
	if (i == domain->group_count)
		return;
	memmove(&domain->groups[i], &domain->groups[i + 1],
		(domain->group_count - i - 1) * sizeof(*domain->groups));
	domain->group_count--;
	domain->ops->detach(domain, handle);
	/* A backend drops its tables, and with them every map, together with the last device. */
	if (!domain->group_count)
		domain->map_count = 0;
}

/* ---- maps ---- */

/* Index of the first map whose last byte is at or above `iova`. */
static size_t find_map(const struct iommu_domain *domain, uint64_t iova)
{
	size_t low = 0, high = domain->map_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct iommu_map_entry *m = &domain->maps[mid];
		if (m->iova + (m->size - 1) < iova)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool is_usable(const struct iommu_domain *domain, uint64_t iova, uint64_t size)
{
	struct range wanted = {iova, iova + (size - 1)};

	for (size_t i = 0; i < domain->usable_count; i++)
		if (range_contains(domain->usable[i], wanted))
			return true;
	return !domain->usable_count; /* old kernels do not tell */
}

static int check_map(const struct iommu_domain *domain, uint64_t iova, uint64_t size,
		     const void *hva, unsigned prot)
{
	uint64_t page = domain->page_sizes & -domain->page_sizes;

	if (!domain->group_count)
		return log_fail(-EINVAL, "iommu", "nothing is attached, so nothing can be mapped");
	if (!size || !IS_ALIGNED(iova | size | (uintptr_t)hva, page) || iova + (size - 1) < iova ||
	    !prot || (prot & ~(IOMMU_READ | IOMMU_WRITE | IOMMU_PEER)))
		return log_fail(-EINVAL, "iommu", "no map: 0x%" PRIx64 "+0x%" PRIx64 " prot %u",
				iova, size, prot);
	if (is_usable(domain, iova, size))
		return 0;
	if (prot & IOMMU_PEER)
		return -EINVAL;
	return log_fail(-EINVAL, "iommu",
			"0x%" PRIx64 "+0x%" PRIx64 " is not mapped: the host reserves part of it "
			"(interrupt window, RMRR, or beyond the IOMMU's address width)",
			iova, size);
}

static int explain_map(const struct iommu_domain *domain, int err, uint64_t iova, uint64_t size)
{
	char limit_text[PARSE_SIZE_TEXT], need[PARSE_SIZE_TEXT];
	struct rlimit limit = {0};

	format_size(size, need);
	switch (err) {
	case -ENOMEM:
		getrlimit(RLIMIT_MEMLOCK, &limit);
		return log_fail(
			err, "iommu",
			"%s at 0x%" PRIx64 " not mapped: no memory, or the locked-memory limit "
			"(%s) is too low; raise it (ulimit -l) or run as root",
			need, iova,
			limit.rlim_cur == RLIM_INFINITY ? "unlimited"
							: format_size(limit.rlim_cur, limit_text));
	case -ENOSPC:
		return log_fail(err, "iommu",
				"%s at 0x%" PRIx64
				" not mapped: all map entries are in use (%zu here); "
				"raise vfio_iommu_type1.dma_entry_limit",
				need, iova, domain->map_count);
	case -EFAULT:
		return log_fail(err, "iommu",
				"%s at 0x%" PRIx64 " not mapped: that memory cannot be pinned",
				need, iova);
	default:
		return log_fail(err, "iommu", "%s at 0x%" PRIx64 " not mapped: %s", need, iova,
				strerror(-err));
	}
}

/* Room for one more, before the kernel is asked: what it has mapped must be remembered. */
static int make_room(struct iommu_domain *domain)
{
	if (domain->map_count < domain->map_room)
		return 0;
	size_t room = domain->map_room ? domain->map_room * 2 : 8;
	struct iommu_map_entry *maps = realloc(domain->maps, room * sizeof(*maps));
	if (!maps)
		return -ENOMEM;
	domain->maps = maps;
	domain->map_room = room;
	return 0;
}

int iommu_map(struct iommu_domain *domain, uint64_t iova, uint64_t size, void *hva, unsigned prot)
{
	struct iommu_map_entry entry = {iova, size, hva, prot};
	int err = check_map(domain, iova, size, hva, prot);

	if (err)
		return err;
	size_t at = find_map(domain, iova);
	if (at < domain->map_count && domain->maps[at].iova <= iova + (size - 1)) {
		const struct iommu_map_entry *m = &domain->maps[at];
		if (m->iova == iova && m->size == size && m->hva == hva && m->prot == prot)
			return 0;
		if (prot & IOMMU_PEER)
			return -EEXIST;
		return log_fail(-EEXIST, "iommu",
				"0x%" PRIx64 "+0x%" PRIx64 " overlaps the map at 0x%" PRIx64
				"+0x%" PRIx64,
				iova, size, m->iova, m->size);
	}
	err = make_room(domain);
	if (err)
		return err;
	err = domain->ops->map(domain, &entry);
	if (err)
		return prot & IOMMU_PEER ? err : explain_map(domain, err, iova, size);
	memmove(&domain->maps[at + 1], &domain->maps[at],
		(domain->map_count - at) * sizeof(*domain->maps));
	domain->maps[at] = entry;
	domain->map_count++;
	return 0;
}

int iommu_unmap(struct iommu_domain *domain, uint64_t iova, uint64_t size)
{
	size_t at = find_map(domain, iova);

	if (at == domain->map_count || domain->maps[at].iova != iova ||
	    domain->maps[at].size != size)
		return log_fail(-ENOENT, "iommu", "no map at 0x%" PRIx64 "+0x%" PRIx64, iova, size);
	int err = domain->ops->unmap(domain, &domain->maps[at]);
	if (err)
		return log_fail(err, "iommu", "0x%" PRIx64 "+0x%" PRIx64 " not unmapped: %s", iova,
				size, strerror(-err));
	domain->map_count--;
	memmove(&domain->maps[at], &domain->maps[at + 1],
		(domain->map_count - at) * sizeof(*domain->maps));
	return 0;
}

size_t iommu_domain_maps(const struct iommu_domain *domain, const struct iommu_map_entry **out)
{
	*out = domain->maps;
	return domain->map_count;
}

int iommu_domain_info(struct iommu_domain *domain, struct iommu_info *out)
{
	if (!domain->group_count)
		return log_fail(-EINVAL, "iommu", "nothing is attached, so nothing is known yet");
	int err = domain->ops->info(domain);
	if (err)
		return err;
	*out = (struct iommu_info){
		.usable = domain->usable,
		.usable_count = domain->usable_count,
		.page_sizes = domain->page_sizes,
		.maps_left = domain->maps_left,
	};
	return 0;
}

const char *iommu_domain_backend(const struct iommu_domain *domain)
{
	return domain->ops->name;
}
