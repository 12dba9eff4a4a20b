/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any sequence of accesses to a virtio disk: configuration space, BAR wherever it is, RAM with its
 * rings; quiesced, saved and loaded in between. The file below it is four sectors long.
 */
#include <fcntl.h>
#include <linux/virtio_pci.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"
#include "tests/vdev/guest_virtio.h"
#include "vdev/virtio.h"
#include "vdev/virtio_blk.h"

/* One access each: what, where, how much, value. */
struct step {
	uint8_t kind, len;
	uint16_t offset;
	uint32_t value;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void stand_still(struct guest_virtio *g, struct vdev_function *fn, bool load)
{
	struct state *s = state_new();

	hv_device_lock(g->vm);
	fn->ops->quiesce(fn);
	fn->ops->save(fn, s);
	if (load)
		fn->ops->load(fn, s);
	fn->ops->resume(fn);
	hv_device_unlock(g->vm);
	state_free(s);
}

static void take_step(struct guest_virtio *g, struct vdev_function *fn, const struct step *step)
{
	unsigned len = 1u << (step->len & 3);
	uint64_t bar = fn->bar[0].gpa;

	switch (step->kind & 15) {
	case 0:
	case 1:
	case 2:
	case 3:
		fake_hv_write(g->vm, HV_MMIO, bar + step->offset % 0x4000,
			      step->value | (uint64_t)step->value << 32, len);
		break;
	case 4:
	case 5:
		fake_hv_read(g->vm, HV_MMIO, bar + step->offset % 0x4000, len);
		break;
	case 6:
		guest_config_set(g, step->offset % 256 & ~3u, 4, step->value);
		break;
	case 7:
		guest_config(g, step->offset % 4096 & ~3u, 4);
		break;
	case 8: /* up by the book, to get far, unless a step before has put its registers out of
		   reach */
		if (guest_common(g, VIRTIO_PCI_COMMON_STATUS, 1) != 0xff)
			guest_bring_up(g, g->features, 2);
		break;
	case 9:
		guest_kick(g, step->offset & 1);
		break;
	case 10:
		guest_spin(g);
		break;
	case 11:
		stand_still(g, fn, step->value & 1);
		break;
	default:
		memcpy(hv_mem_ptr(g->vm, FAKE_RAM_GPA + step->offset, 4), &step->value, 4);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vdev_disk_config config = {
		.name = "fuzz", .fd = memfd_create("disk", MFD_CLOEXEC), .queues = 2};
	struct vdev_function *fn;
	struct guest_virtio g;

	if (size < sizeof(struct step) || size > 512 || ftruncate(config.fd, 2048)) {
		close(config.fd);
		return 0;
	}
	guest_virtio_init(&g);
	if (vdev_blk_create(g.vm, g.loop, &config, &fn) < 0)
		abort();
	guest_virtio_attach(&g, fn);
	g.features = VDEV_FEATURE(VIRTIO_F_VERSION_1) |
		     (data[0] & 16 ? VDEV_FEATURE(VIRTIO_F_RING_PACKED) : 0);
	for (; size >= sizeof(struct step); size -= sizeof(struct step)) {
		struct step step;

		memcpy(&step, data, sizeof(step));
		data += sizeof(step);
		take_step(&g, fn, &step);
	}
	guest_virtio_finish(&g);
	return 0;
}
