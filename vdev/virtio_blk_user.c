/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio_blk_user: a disk (virtio 1.2, 5.2) that another process serves, over vhost-user: a
 * storage engine that knows image formats or networks, such as qemu-storage-daemon.
 *
 * Registers and the copy of its configuration are here, requests pass by (vhost_user.c). So what
 * the engine does with an error of the host's is what the guest sees: a full disk too.
 */
#include "vdev/virtio_blk_user.h"

#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "vdev/vhost_user.h"
#include "vdev/virtio.h"

#define SECTOR	    512u
#define BLK_RING    256u
/* Up to the fields of discard and write-zeroes, which every engine has: 5.2.4. */
#define CONFIG_SIZE (offsetof(struct virtio_blk_config, unused1) + 3)
_Static_assert(CONFIG_SIZE == 60, "virtio 1.2, 5.2.4");

#define FEATURES                                                                      \
	(VDEV_FEATURE(VIRTIO_BLK_F_SIZE_MAX) | VDEV_FEATURE(VIRTIO_BLK_F_SEG_MAX) |   \
	 VDEV_FEATURE(VIRTIO_BLK_F_RO) | VDEV_FEATURE(VIRTIO_BLK_F_BLK_SIZE) |        \
	 VDEV_FEATURE(VIRTIO_BLK_F_FLUSH) | VDEV_FEATURE(VIRTIO_BLK_F_TOPOLOGY) |     \
	 VDEV_FEATURE(VIRTIO_BLK_F_CONFIG_WCE) | VDEV_FEATURE(VIRTIO_BLK_F_DISCARD) | \
	 VDEV_FEATURE(VIRTIO_BLK_F_WRITE_ZEROES))
/* Packed rings tell nothing of where a process that died has stopped. */
#define RING_FEATURES                                                                   \
	(VDEV_FEATURE(VIRTIO_F_VERSION_1) | VDEV_FEATURE(VIRTIO_RING_F_INDIRECT_DESC) | \
	 VDEV_FEATURE(VIRTIO_RING_F_EVENT_IDX))
#define OURS (VDEV_FEATURE(VIRTIO_F_ACCESS_PLATFORM) | VDEV_FEATURE(VIRTIO_F_RING_RESET))
#define PROTOCOL                                                                \
	(UINT64_C(1) << VU_PROTOCOL_MQ | UINT64_C(1) << VU_PROTOCOL_REPLY_ACK | \
	 UINT64_C(1) << VU_PROTOCOL_CONFIG | UINT64_C(1) << VU_PROTOCOL_INFLIGHT)

struct blk_user {
	struct vdev_virtio virtio;
	struct vdev_vhost_user *back;
	char *name, *serial;
	uint64_t size;	   /* as it was when the driver began */
	uint8_t wce;	   /* as the driver wants it: 1, until it says otherwise */
	atomic_bool ready; /* `virtio` may be told of changes */
};

static struct blk_user *blk_of(struct vdev_virtio *dev)
{
	return container_of(dev, struct blk_user, virtio);
}

static struct virtio_blk_config read_config(struct blk_user *blk)
{
	struct virtio_blk_config config = {0};

	vdev_vhost_user_config_read(blk->back, 0, &config, CONFIG_SIZE);
	config.num_queues = (uint16_t)blk->virtio.queues;
	config.wce = blk->wce;
	return config;
}

/* On the connection's thread: an engine that came back may have a disk that has grown. */
static void changed(void *opaque)
{
	struct blk_user *blk = opaque;

	if (atomic_load(&blk->ready))
		vdev_virtio_config_changed(&blk->virtio);
}

/* ---- the device, as virtio.c sees it ---- */

/* Engines begin in any mode. 5.2.5.2, 5.2.6.2: a driver without flushes gets writes that last. */
static void tell_cache_mode(struct blk_user *blk)
{
	const struct vdev_virtio *dev = &blk->virtio;
	bool writeback = vdev_virtio_has(dev, VIRTIO_BLK_F_CONFIG_WCE)
				 ? blk->wce
				 : vdev_virtio_has(dev, VIRTIO_BLK_F_FLUSH);

	if (dev->offered & VDEV_FEATURE(VIRTIO_BLK_F_CONFIG_WCE))
		vdev_vhost_user_config_write(blk->back, offsetof(struct virtio_blk_config, wce),
					     writeback);
}

static int start(struct vdev_virtio *dev)
{
	tell_cache_mode(blk_of(dev));
	vdev_vhost_user_start(blk_of(dev)->back, dev, dev->queues, dev->queues);
	return 0;
}

static void stop(struct vdev_virtio *dev)
{
	vdev_vhost_user_stop(blk_of(dev)->back);
}

static void reset(struct vdev_virtio *dev)
{
	vdev_vhost_user_forget(blk_of(dev)->back);
	blk_of(dev)->wce = 1;
}

static void call_changed(struct vdev_virtio *dev, unsigned queue)
{
	vdev_vhost_user_call_changed(blk_of(dev)->back, queue);
}

static void config_read(struct vdev_virtio *dev, unsigned offset, void *data, unsigned len)
{
	struct virtio_blk_config config = read_config(blk_of(dev));

	memcpy(data, (const uint8_t *)&config + offset, len);
}

static void config_write(struct vdev_virtio *dev, unsigned offset, const void *data, unsigned len)
{
	if (offset != offsetof(struct virtio_blk_config, wce) || len != 1 ||
	    !vdev_virtio_has(dev, VIRTIO_BLK_F_CONFIG_WCE))
		return;
	blk_of(dev)->wce = *(const uint8_t *)data & 1;
	tell_cache_mode(blk_of(dev));
}

static const char *unsavable(const struct vdev_virtio *dev)
{
	return vdev_vhost_user_unsavable(container_of(dev, const struct blk_user, virtio)->back);
}

static void save(struct vdev_virtio *dev, struct state *s)
{
	struct virtio_blk_config config = read_config(blk_of(dev));

	state_put(s, "sectors", config.capacity);
	state_put(s, "wce", config.wce);
}

static void load(struct vdev_virtio *dev, struct state *s)
{
	struct blk_user *blk = blk_of(dev);
	uint64_t sectors = state_take(s, "sectors", UINT64_MAX);

	blk->wce = (uint8_t)state_take(s, "wce", 1);
	if (!state_error(s) && sectors != read_config(blk).capacity)
		state_refuse(s, -EINVAL, "the disk has another size than the saved one");
}

static void destroy(struct vdev_virtio *dev)
{
	struct blk_user *blk = blk_of(dev);

	vdev_vhost_user_close(blk->back);
	vdev_virtio_finish(dev);
	free(blk->name);
	free(blk->serial);
	free(blk);
}

static const struct vdev_virtio_type blk_user_type = {
	.name = "virtio-blk",
	.id = VIRTIO_ID_BLOCK,
	.class = 0x010000,
	.config_size = CONFIG_SIZE,
	.config_read = config_read,
	.config_write = config_write,
	.start = start,
	.stop = stop,
	.reset = reset,
	.call_changed = call_changed,
	.unsavable = unsavable,
	.save = save,
	.load = load,
	.destroy = destroy,
};

/* ---- life ---- */

static int open_back(struct blk_user *blk, struct hv_vm *vm, const struct vdev_disk_config *config)
{
	const struct vdev_vhost_user_config back = {
		.name = blk->name,
		.vm = vm,
		.path = config->socket,
		.dial = config->dial,
		.listener = -1,
		.protocol = PROTOCOL,
		.config_size = CONFIG_SIZE,
		.changed = changed,
		.opaque = blk,
	};

	return vdev_vhost_user_open(&back, &blk->back);
}

static unsigned choose_queues(struct blk_user *blk, unsigned wanted)
{
	struct virtio_blk_config config = {0};
	bool many = vdev_vhost_user_features(blk->back) & VDEV_FEATURE(VIRTIO_BLK_F_MQ);
	unsigned most = vdev_vhost_user_queues(blk->back);

	vdev_vhost_user_config_read(blk->back, 0, &config, CONFIG_SIZE);
	return !many ? 1
		     : MAX(MIN(MIN(wanted, most), MIN(config.num_queues, VDEV_VIRTIO_QUEUES)), 1u);
}

static int attach(struct blk_user *blk, struct hv_vm *vm, struct loop *loop, unsigned queues)
{
	uint64_t theirs = vdev_vhost_user_features(blk->back);
	struct virtio_blk_config config;
	const struct vdev_virtio_config virtio = {
		.type = &blk_user_type,
		.vm = vm,
		.loop = loop,
		.name = blk->name,
		.features = theirs & FEATURES,
		.queues = choose_queues(blk, MAX(queues, 1u)),
		.queue_max = BLK_RING,
	};
	int err = vdev_virtio_init(&blk->virtio, &virtio);

	if (err)
		return err;
	blk->virtio.offered &= (theirs & (FEATURES | RING_FEATURES)) | OURS;
	if (blk->virtio.queues > 1)
		blk->virtio.offered |= VDEV_FEATURE(VIRTIO_BLK_F_MQ);
	config = read_config(blk);
	blk->size = config.capacity * SECTOR;
	return 0;
}

int vdev_blk_user_create(struct hv_vm *vm, struct loop *loop, const struct vdev_disk_config *config,
			 struct vdev_function **out)
{
	struct blk_user *blk = calloc(1, sizeof(*blk));

	if (!blk)
		return log_fail(-ENOMEM, config->name, "no memory for it");
	blk->wce = 1;
	blk->name = strdup(config->name);
	blk->serial = strdup(config->serial ? config->serial : "");
	int err = blk->name && blk->serial ? open_back(blk, vm, config)
					   : log_fail(-ENOMEM, config->name, "no memory for it");
	if (!err)
		err = attach(blk, vm, loop, config->queues);
	if (err) {
		destroy(&blk->virtio);
		return err;
	}
	atomic_store(&blk->ready, true);
	*out = &blk->virtio.fn;
	return 0;
}

bool vdev_blk_user_stat(struct vdev_function *fn, struct vdev_disk_stat *out)
{
	struct vdev_virtio *dev = vdev_virtio_of(fn);

	if (!dev || dev->type != &blk_user_type)
		return false;
	struct blk_user *blk = blk_of(dev);
	unsigned connections;
	*out = (struct vdev_disk_stat){
		.name = blk->name,
		.serial = blk->serial,
		.size = blk->size,
		.queues = dev->queues,
		.read_only = dev->offered & VDEV_FEATURE(VIRTIO_BLK_F_RO),
		.running = dev->running,
		.elsewhere = true,
		.away = !vdev_vhost_user_up(blk->back, &connections),
		.guest_bus = vdev_bridge_secondary(fn->bridge),
	};
	out->connections = connections;
	return true;
}
