/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any words on any queue of a balloon: page numbers, idle blocks, statistics. What it discards lies
 * in RAM, whole pages, or the sanitizers see it; it goes on working.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <linux/virtio_balloon.h>

#include "base/util.h"
#include "tests/vdev/guest_virtio.h"
#include "vdev/virtio_balloon.h"

#define FEATURES                                                                      \
	(VDEV_FEATURE(VIRTIO_F_VERSION_1) | VDEV_FEATURE(VIRTIO_BALLOON_F_STATS_VQ) | \
	 VDEV_FEATURE(VIRTIO_BALLOON_F_FREE_PAGE_HINT) | VDEV_FEATURE(VIRTIO_BALLOON_F_REPORTING))
#define ROOM 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void bring_up(struct guest_virtio *g)
{
	guest_bring_up(g, FEATURES, 5);
	for (unsigned queue = 0; queue < 5; queue++)
		g->ring[queue].careless = true;
}

static struct vdev_balloon *make(struct guest_virtio *g)
{
	struct vdev_balloon *balloon;

	guest_virtio_init(g);
	if (vdev_balloon_create(g->vm, g->loop, &balloon) < 0)
		abort();
	guest_virtio_attach(g, vdev_balloon_function(balloon));
	bring_up(g);
	return balloon;
}

static void ask(struct guest_virtio *g, struct vdev_balloon *balloon)
{
	struct vdev_balloon_stat stat;

	hv_device_lock(g->vm);
	vdev_balloon_fill_stat(balloon, &stat);
	hv_device_unlock(g->vm);
}

/* Whether the chain came back. */
static bool say(struct guest_virtio *g, struct vdev_balloon *balloon, unsigned queue,
		const struct guest_buf *buf, unsigned tries)
{
	uint32_t written;

	if (guest_ring_add(&g->ring[queue], buf, 1, false) < 0)
		return false;
	guest_kick(g, queue);
	while (guest_ring_get(&g->ring[queue], &written) < 0 && --tries)
		ask(g, balloon); /* gives the buffer of the statistics back */
	return tries;
}

/* One device for all inputs: its thread would cost more than its work. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vdev_balloon *balloon;
	static struct guest_virtio g;

	if (!balloon)
		balloon = make(&g);
	if (size < 3)
		return 0;
	unsigned queue = data[0] % 5;
	uint32_t len = (uint32_t)MIN(size - 2, (size_t)ROOM);
	struct guest_buf buf = {GUEST_DATA + data[1] * 64u, len, queue == 4};

	memcpy(hv_mem_ptr(g.vm, buf.gpa, len), data + 2, len);
	if (say(&g, balloon, queue, &buf, 500))
		return 0;
	/* It gave its own rings away, and begins anew; that must do. */
	bring_up(&g);
	if (!say(&g, balloon, 1, &buf, 100000))
		abort();
	return 0;
}
