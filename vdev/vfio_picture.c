/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vfio_picture: what a passed-through display shows, for `vm screenshot`.
 *
 * A mediated device tells its plane (linux/vfio.h, VFIO_DEVICE_QUERY_GFX_PLANE): pixels in one of
 * its regions (mdpy), or in a buffer that can be mapped (mbochs, GVT-g). A whole card does not;
 * QEMU's and Bochs' display is read as its own driver sets it up: DISPI registers at 0x500 of BAR
 * 2, pixels in BAR 0 (QEMU docs/specs/standard-vga.rst). Sizes and offsets are the guest's to set,
 * so all of them are checked.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"
#include "vdev/vfio.h"

#define SIDE_MAX      16384u /* pixels */
#define PLANE_PRIMARY 1u     /* linux/drm_mode.h, DRM_PLANE_TYPE_PRIMARY */

/* linux/drm_fourcc.h: 32 bits a pixel, blue in the lowest byte. */
#define FORMAT_XRGB 0x34325258u /* "XR24" */
#define FORMAT_ARGB 0x34325241u /* "AR24" */

#define DISPI 0x500
enum {
	DISPI_XRES = 1,
	DISPI_YRES,
	DISPI_BPP,
	DISPI_ENABLE,
	DISPI_VIRT_WIDTH = 6,
	DISPI_X = 8,
	DISPI_Y
};

/* Rows of `stride` bytes at offset `start` of a region, or (region -1) of a mapped buffer. */
struct plane {
	struct vdev_picture picture;
	uint64_t start;
	uint32_t stride;
};

static int check(const struct vdev_vfio *dev, const struct plane *p, uint64_t size)
{
	uint64_t row = (uint64_t)p->picture.width * 4;
	uint64_t end = p->start + (uint64_t)p->stride * (p->picture.height - 1) + row;

	if (!p->picture.width || !p->picture.height || p->picture.width > SIDE_MAX ||
	    p->picture.height > SIDE_MAX || p->stride < row || p->start > size || end > size)
		return log_fail(-ENODATA, dev->name,
				"no picture: %ux%u, %u bytes a row, does not lie in its memory",
				p->picture.width, p->picture.height, p->stride);
	return 0;
}

static int check_format(const struct vdev_vfio *dev, uint32_t format)
{
	if (format == FORMAT_XRGB || format == FORMAT_ARGB)
		return 0;
	return log_fail(-ENOTSUP, dev->name, "no picture: its pixels are '%.4s', not XR24",
			(const char *)&format);
}

/* ---- by region ---- */

/* Through a mapping where there can be one: mdpy reads its first bytes, whatever is asked for. */
static int copy_mapped(const struct vdev_vfio *dev, const struct vdev_vfio_region *r,
		       const struct plane *p, int out)
{
	size_t size = (size_t)(p->start + (uint64_t)p->stride * p->picture.height);
	size_t row = (size_t)p->picture.width * 4;
	uint8_t *at =
		mmap(NULL, MIN(size, r->size), PROT_READ, MAP_SHARED, dev->fd, (off_t)r->fd_offset);
	int err = at == MAP_FAILED ? -errno : 0;

	for (uint32_t y = 0; y < p->picture.height && !err; y++)
		err = io_write_full(out, at + p->start + (uint64_t)y * p->stride, row);
	if (at != MAP_FAILED)
		munmap(at, MIN(size, r->size));
	return err;
}

static int copy_read(const struct vdev_vfio *dev, const struct vdev_vfio_region *r,
		     const struct plane *p, int out)
{
	size_t row = (size_t)p->picture.width * 4;
	uint8_t *pixels = malloc(row);
	int err = pixels ? 0 : -ENOMEM;

	for (uint32_t y = 0; y < p->picture.height && !err; y++) {
		off_t at = (off_t)(r->fd_offset + p->start + (uint64_t)y * p->stride);
		err = io_pread_full(dev->fd, pixels, row, at);
		if (!err)
			err = io_write_full(out, pixels, row);
	}
	free(pixels);
	return err;
}

static int copy_region(const struct vdev_vfio *dev, const struct vdev_vfio_region *r,
		       const struct plane *p, int out)
{
	int err = r->flags & VFIO_REGION_INFO_FLAG_MMAP ? copy_mapped(dev, r, p, out)
							: copy_read(dev, r, p, out);

	return err ? log_fail(err, dev->name, "no picture: its memory cannot be read: %s",
			      strerror(-err))
		   : 0;
}

/* ---- a plane that VFIO tells ---- */

static bool query(const struct vdev_vfio *dev, uint32_t flags,
		  struct vfio_device_gfx_plane_info *out)
{
	*out = (struct vfio_device_gfx_plane_info){.argsz = sizeof(*out),
						   .flags = VFIO_GFX_PLANE_TYPE_PROBE | flags,
						   .drm_plane_type = PLANE_PRIMARY};
	if (ioctl(dev->fd, VFIO_DEVICE_QUERY_GFX_PLANE, out))
		return false;
	out->flags = flags;
	return !ioctl(dev->fd, VFIO_DEVICE_QUERY_GFX_PLANE, out);
}

static void fill(const struct vfio_device_gfx_plane_info *info, struct plane *p)
{
	*p = (struct plane){.picture = {info->width, info->height}, .stride = info->stride};
}

static int from_region(struct vdev_vfio *dev, const struct vfio_device_gfx_plane_info *info,
		       int out, struct vdev_picture *picture)
{
	struct vdev_vfio_region region = {0};
	struct plane p;
	int err = check_format(dev, info->drm_format);

	fill(info, &p);
	if (!err)
		err = vdev_vfio_region_info(dev, info->region_index, &region);
	if (!err)
		err = check(dev, &p, MIN(region.size, (uint64_t)info->size));
	if (!err)
		err = copy_region(dev, &region, &p, out);
	*picture = p.picture;
	return err;
}

static int from_buffer(struct vdev_vfio *dev, const struct vfio_device_gfx_plane_info *info,
		       int out, struct vdev_picture *picture)
{
	uint32_t id = info->dmabuf_id;
	struct plane p;
	int err = check_format(dev, info->drm_format);

	fill(info, &p);
	if (!err)
		err = check(dev, &p, info->size);
	*picture = p.picture;
	if (err)
		return err;
	int fd = ioctl(dev->fd, VFIO_DEVICE_GET_GFX_DMABUF, &id);
	uint8_t *at = fd < 0 ? MAP_FAILED : mmap(NULL, info->size, PROT_READ, MAP_SHARED, fd, 0);
	err = at == MAP_FAILED
		      ? log_fail(-errno, dev->name, "no picture: its buffer was not mapped: %s",
				 strerror(errno))
		      : 0;
	for (uint32_t y = 0; y < p.picture.height && !err; y++)
		err = io_write_full(out, at + (size_t)y * p.stride, (size_t)p.picture.width * 4);
	if (at != MAP_FAILED)
		munmap(at, info->size);
	io_close(&fd);
	return err;
}

/* ---- QEMU's and Bochs' display ---- */

static uint32_t dispi(const struct vdev_vfio *dev, unsigned index)
{
	uint16_t value = 0;

	if (pread(dev->fd, &value, 2, (off_t)(dev->bar[2].fd_offset + DISPI + 2 * index)) != 2)
		return 0;
	return value;
}

static int from_bochs(const struct vdev_vfio *dev, int out, struct vdev_picture *picture)
{
	uint32_t width = dispi(dev, DISPI_VIRT_WIDTH);
	struct plane p = {.picture = {dispi(dev, DISPI_XRES), dispi(dev, DISPI_YRES)}};

	*picture = p.picture;
	if (!(dispi(dev, DISPI_ENABLE) & 1))
		return log_fail(-ENODATA, dev->name, "no picture: its guest has not turned it on");
	if (dispi(dev, DISPI_BPP) != 32)
		return log_fail(-ENOTSUP, dev->name, "no picture: %u bits a pixel, not 32",
				dispi(dev, DISPI_BPP));
	p.stride = MAX(width, p.picture.width) * 4;
	p.start = (uint64_t)dispi(dev, DISPI_Y) * p.stride + (uint64_t)dispi(dev, DISPI_X) * 4;
	int err = check(dev, &p, dev->bar[0].size);
	return err ? err : copy_region(dev, &dev->bar[0], &p, out);
}

int vdev_vfio_take_picture(struct vdev_vfio *dev, int out, struct vdev_picture *picture)
{
	struct vfio_device_gfx_plane_info info;
	uint32_t ids = vdev_config_get(&dev->fn.config, 0, 4);

	if (dev->fd < 0)
		return -ENODEV;
	if (query(dev, VFIO_GFX_PLANE_TYPE_REGION, &info))
		return from_region(dev, &info, out, picture);
	if (query(dev, VFIO_GFX_PLANE_TYPE_DMABUF, &info))
		return from_buffer(dev, &info, out, picture);
	if (ids == VDEV_VFIO_BOCHS && dev->bar[0].size && dev->bar[2].size)
		return from_bochs(dev, out, picture);
	return -ENOTTY;
}
