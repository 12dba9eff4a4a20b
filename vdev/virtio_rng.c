/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio_rng: entropy from the host (virtio 1.2, 5.4). The smallest virtio device: one queue, no
 * features, no configuration; every buffer is filled with what getrandom(2) gives.
 *
 * A guest can ask without end. A chain gets at most RNG_CHAIN bytes and a kick is served for at
 * most one ring's worth of chains, so that the shared I/O thread stays everybody's.
 */
#include "vdev/virtio_rng.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "vdev/virtio.h"

#define RNG_RING  64u
#define RNG_CHAIN 4096u

struct rng {
	struct vdev_virtio virtio;
};

/* getrandom gives up to 256 bytes whole; more may be cut short by a signal, which is fine. */
static uint32_t fill(const struct vdev_virtq_chain *chain)
{
	uint32_t done = 0;

	for (unsigned i = 0; i < chain->ins && done < RNG_CHAIN; i++) {
		size_t want = MIN(chain->in[i].iov_len, (size_t)(RNG_CHAIN - done));
		ssize_t n = getrandom(chain->in[i].iov_base, want, 0);

		if (n > 0)
			done += (uint32_t)n;
		if (n != (ssize_t)want)
			break;
	}
	return done;
}

static void rng_kick(struct vdev_virtio *dev, unsigned index)
{
	struct vdev_virtq *q = &dev->queue[index].vq;
	struct iovec iov[VDEV_VIRTQ_IOVS(RNG_RING)];
	struct vdev_virtq_chain chain;
	unsigned budget = RNG_RING;

	vdev_virtq_kick_off(q);
	while (budget && vdev_virtq_pop(q, iov, ARRAY_SIZE(iov), &chain) > 0) {
		vdev_virtq_push(q, &chain, fill(&chain));
		budget--;
	}
	vdev_virtq_notify(q);
	if (vdev_virtq_kick_on(q))
		vdev_virtio_kick_self(dev, index);
}

static void rng_destroy(struct vdev_virtio *dev)
{
	struct rng *rng = container_of(dev, struct rng, virtio);

	vdev_virtio_finish(dev);
	free(rng);
}

static const struct vdev_virtio_type rng_type = {
	.name = "virtio-rng",
	.id = VIRTIO_ID_RNG,
	.class = 0x00ff00, /* no device class fits: PCI code and ID assignment, 1.1 */
	.kick = rng_kick,
	.destroy = rng_destroy,
};

int vdev_rng_create(struct hv_vm *vm, struct loop *loop, struct vdev_iothread *thread,
		    struct vdev_function **out)
{
	struct rng *rng = calloc(1, sizeof(*rng));
	const struct vdev_virtio_config config = {
		.type = &rng_type,
		.vm = vm,
		.loop = loop,
		.name = "rng",
		.queues = 1,
		.queue_max = RNG_RING,
		.thread = thread,
	};

	if (!rng)
		return log_fail(-ENOMEM, "rng", "no memory for it");
	int err = vdev_virtio_init(&rng->virtio, &config);
	if (err < 0) {
		free(rng);
		return err;
	}
	*out = &rng->virtio.fn;
	return 0;
}
