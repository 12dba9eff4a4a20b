/* SPDX-License-Identifier: BSD-3-Clause */
/* fake_vfio: see fake_vfio.h. */
#include "tests/fakes/fake_vfio.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"

int __real_ioctl(int fd, unsigned long request, void *arg);
int __wrap_ioctl(int fd, unsigned long request, void *arg);

/* ioctl has nothing but the number of the descriptor to tell its device by. */
static struct fake_vfio *devices[1024];

static off_t region(unsigned index)
{
	return (off_t)index << 24;
}

uint32_t fake_vfio_config_get(const struct fake_vfio *v, unsigned offset, unsigned len)
{
	uint32_t value = 0;

	if (pread(v->fd, &value, len, region(VFIO_PCI_CONFIG_REGION_INDEX) + offset) != (int)len)
		abort();
	return value;
}

void fake_vfio_config_set(struct fake_vfio *v, unsigned offset, unsigned len, uint32_t value)
{
	if (pwrite(v->fd, &value, len, region(VFIO_PCI_CONFIG_REGION_INDEX) + offset) != (int)len)
		abort();
}

uint32_t fake_vfio_bar_get(const struct fake_vfio *v, unsigned bar, unsigned offset)
{
	uint32_t value = 0;

	if (pread(v->fd, &value, 4, region(bar) + offset) != 4)
		abort();
	return value;
}

void fake_vfio_bar_set(struct fake_vfio *v, unsigned bar, unsigned offset, uint32_t value)
{
	if (pwrite(v->fd, &value, 4, region(bar) + offset) != 4)
		abort();
}

static void cap(struct fake_vfio *v, unsigned at, uint8_t id, unsigned next)
{
	fake_vfio_config_set(v, at, 2, id | next << 8);
}

static void ext_cap(struct fake_vfio *v, unsigned at, unsigned id, unsigned next)
{
	fake_vfio_config_set(v, at, 4, id | 1u << 16 | next << 20);
	fake_vfio_config_set(v, at + 4, 4, 0xdeadbeef);
}

static void fill(struct fake_vfio *v, const struct fake_vfio_config *config)
{
	fake_vfio_config_set(v, PCI_VENDOR_ID, 4, 0x10ca8086);
	fake_vfio_config_set(v, PCI_STATUS, 2, PCI_STATUS_CAP_LIST);
	fake_vfio_config_set(v, PCI_CLASS_REVISION, 4, 0x02000001);
	fake_vfio_config_set(v, PCI_HEADER_TYPE, 1, config->header_type);
	fake_vfio_config_set(v, PCI_BASE_ADDRESS_0, 4, 0xfe00000c);
	fake_vfio_config_set(v, PCI_BASE_ADDRESS_3, 4, 0xfe00400c);
	fake_vfio_config_set(v, PCI_ROM_ADDRESS, 4, 0xfff00001);
	fake_vfio_config_set(v, PCI_CAPABILITY_LIST, 1, FAKE_PM);
	fake_vfio_config_set(v, PCI_INTERRUPT_PIN, 1, config->intx);
	cap(v, FAKE_PM, PCI_CAP_ID_PM, FAKE_MSI);
	fake_vfio_config_set(v, FAKE_PM + PCI_PM_PMC, 2, 0xc823);
	cap(v, FAKE_MSI, PCI_CAP_ID_MSI, FAKE_MSIX);
	fake_vfio_config_set(v, FAKE_MSI + PCI_MSI_FLAGS, 2,
			     PCI_MSI_FLAGS_64BIT | PCI_MSI_FLAGS_MASKBIT | 2 << 1);
	cap(v, FAKE_MSIX, PCI_CAP_ID_MSIX, 0x84);
	fake_vfio_config_set(v, FAKE_MSIX + PCI_MSIX_FLAGS, 2, config->vectors - 1);
	fake_vfio_config_set(v, FAKE_MSIX + PCI_MSIX_TABLE, 4, 3);
	fake_vfio_config_set(v, FAKE_MSIX + PCI_MSIX_PBA, 4, 0x2000 | 3);
	cap(v, 0x84, PCI_CAP_ID_EA, FAKE_EXP);
	fake_vfio_config_set(v, 0x88, 4, 0xdeadbeef);
	cap(v, FAKE_EXP, PCI_CAP_ID_EXP, FAKE_VNDR);
	fake_vfio_config_set(v, FAKE_EXP + PCI_EXP_FLAGS, 2, PCI_EXP_TYPE_RC_END << 4 | 2);
	fake_vfio_config_set(v, FAKE_EXP + PCI_EXP_DEVCAP, 4, PCI_EXP_DEVCAP_FLR);
	cap(v, FAKE_VNDR, PCI_CAP_ID_VNDR, 0);
	ext_cap(v, 0x100, PCI_EXT_CAP_ID_ARI, 0x140);
	ext_cap(v, 0x140, PCI_EXT_CAP_ID_ERR, 0x180);
	ext_cap(v, 0x180, PCI_EXT_CAP_ID_SRIOV, 0x200);
	ext_cap(v, 0x200, PCI_EXT_CAP_ID_ATS, 0x240);
	ext_cap(v, 0x240, PCI_EXT_CAP_ID_DSN, 0);
}

struct fake_vfio *fake_vfio_create(struct fake_log *log, const struct fake_vfio_config *config)
{
	struct fake_vfio *v = calloc(1, sizeof(*v));

	if (!v)
		abort();
	v->log = log;
	v->no_reset = config->no_reset;
	v->noresize = config->noresize;
	v->intx = config->intx;
	v->fd = memfd_create("vfio", MFD_CLOEXEC);
	if (v->fd < 0 || v->fd >= (int)ARRAY_SIZE(devices) ||
	    ftruncate(v->fd, region(VFIO_PCI_NUM_REGIONS)) < 0)
		abort();
	memset(v->eventfd, 0xff, sizeof(v->eventfd));
	fill(v, config);
	/* the code under test owns and closes one; this one is for looking at the registers */
	v->given = v->fd;
	v->fd = dup(v->given);
	devices[v->given] = v;
	fake_log_clear(log);
	return v;
}

void fake_vfio_destroy(struct fake_vfio *v)
{
	for (unsigned i = 0; i < ARRAY_SIZE(devices); i++)
		if (devices[i] == v)
			devices[i] = NULL;
	close(v->fd);
	free(v);
}

void fake_vfio_raise(struct fake_vfio *v, unsigned index, unsigned vector)
{
	if (v->eventfd[index][vector] < 0 || eventfd_write(v->eventfd[index][vector], 1) < 0)
		abort();
}

/* ---- the kernel's answers ---- */

static int region_info(struct vfio_region_info *info)
{
	info->flags = 0;
	info->size = 0;
	info->offset = (uint64_t)region(info->index);
	if (info->index == 0 || info->index == 3) {
		info->size = FAKE_BAR_SIZE;
		info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE |
			      VFIO_REGION_INFO_FLAG_MMAP;
	} else if (info->index == VFIO_PCI_CONFIG_REGION_INDEX) {
		info->size = 4096;
		info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	}
	return 0;
}

static int irq_info(const struct fake_vfio *v, struct vfio_irq_info *info)
{
	unsigned vectors = (fake_vfio_config_get(v, FAKE_MSIX + PCI_MSIX_FLAGS, 2) & 0x7ff) + 1;
	const unsigned count[] = {v->intx, 4, vectors, 1, 1};

	info->count = count[info->index];
	info->flags = VFIO_IRQ_INFO_EVENTFD;
	if (info->index == VFIO_PCI_MSI_IRQ_INDEX ||
	    (info->index == VFIO_PCI_MSIX_IRQ_INDEX && v->noresize))
		info->flags |= VFIO_IRQ_INFO_NORESIZE;
	return 0;
}

static int set_irqs(struct fake_vfio *v, const struct vfio_irq_set *set)
{
	const int32_t *fds = (const void *)set->data;
	unsigned top = set->start + set->count;

	if (set->flags & VFIO_IRQ_SET_ACTION_UNMASK) {
		fake_log_add(v->log, "vfio unmask %u%s", set->index,
			     set->flags & VFIO_IRQ_SET_DATA_EVENTFD ? " by eventfd" : "");
		return 0;
	}
	if (!set->count) {
		v->enabled[set->index] = 0;
		memset(v->eventfd[set->index], 0xff, sizeof(v->eventfd[0]));
		fake_log_add(v->log, "vfio off %u", set->index);
		return 0;
	}
	if (top > FAKE_VECTORS ||
	    (v->enabled[set->index] && top > v->enabled[set->index] && v->noresize)) {
		errno = EINVAL;
		return -1;
	}
	for (unsigned i = 0; i < set->count; i++)
		v->eventfd[set->index][set->start + i] = fds[i];
	v->enabled[set->index] = MAX(v->enabled[set->index], top);
	fake_log_add(v->log, "vfio set %u %u+%u", set->index, set->start, set->count);
	return 0;
}

static int query_plane(const struct fake_vfio *v, struct vfio_device_gfx_plane_info *info)
{
	uint32_t way = v->plane_fd ? VFIO_GFX_PLANE_TYPE_DMABUF : VFIO_GFX_PLANE_TYPE_REGION;

	if (!v->plane.size ||
	    (info->flags | VFIO_GFX_PLANE_TYPE_PROBE) != (way | VFIO_GFX_PLANE_TYPE_PROBE)) {
		errno = ENOTTY;
		return -1;
	}
	if (!(info->flags & VFIO_GFX_PLANE_TYPE_PROBE))
		*info = v->plane;
	return 0;
}

int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
	struct fake_vfio *v = fd >= 0 && fd < (int)ARRAY_SIZE(devices) ? devices[fd] : NULL;

	if (!v)
		return __real_ioctl(fd, request, arg);
	if (request == VFIO_DEVICE_GET_INFO) {
		struct vfio_device_info *info = arg;

		info->flags = VFIO_DEVICE_FLAGS_PCI | (v->no_reset ? 0 : VFIO_DEVICE_FLAGS_RESET);
		info->num_regions = VFIO_PCI_NUM_REGIONS;
		info->num_irqs = VFIO_PCI_NUM_IRQS;
		return 0;
	}
	if (request == VFIO_DEVICE_GET_REGION_INFO)
		return region_info(arg);
	if (request == VFIO_DEVICE_GET_IRQ_INFO)
		return irq_info(v, arg);
	if (request == VFIO_DEVICE_QUERY_GFX_PLANE)
		return query_plane(v, arg);
	if (request == VFIO_DEVICE_GET_GFX_DMABUF)
		return fcntl(v->plane_fd, F_DUPFD_CLOEXEC, 3);
	if (request == VFIO_DEVICE_SET_IRQS)
		return set_irqs(v, arg);
	if (request == VFIO_DEVICE_RESET) {
		v->resets++;
		fake_log_add(v->log, "vfio reset");
		return 0;
	}
	errno = ENOTTY;
	return -1;
}
