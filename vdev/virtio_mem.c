/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio_mem: guest memory that comes and goes (virtio 1.2, 5.15).
 *
 * The host says how much the guest shall have (requested_size); the driver chooses blocks and asks
 * for each to be plugged or unplugged. A driver that asks for more than it shall have is refused;
 * to give back less than it should is its right, and seen in plugged_size. What is in is a memory
 * slot of the engine and, with devices of the host, a map of their domain: both follow each
 * request, before it is answered.
 *
 * That is the main loop's work, under the device lock, since slots and maps are changed there by
 * other devices too; the I/O thread only rings. A request takes as long as the host needs to pin
 * its blocks.
 */
#include "vdev/virtio_mem.h"

#include <errno.h>
#include <linux/virtio_mem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"

#define QUEUE_SIZE 64u
#define IOVS	   VDEV_VIRTQ_IOVS(QUEUE_SIZE)

/* Younger than some systems' <linux/virtio_mem.h>. */
#ifndef VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE
#define VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE 1
#endif

_Static_assert(sizeof(struct virtio_mem_req) == 24, "virtio 1.2, 5.15.6");
_Static_assert(sizeof(struct virtio_mem_resp) == 10, "virtio 1.2, 5.15.6");
_Static_assert(sizeof(struct virtio_mem_config) == 56, "virtio 1.2, 5.15.4");

struct vdev_mem {
	struct vdev_virtio virtio;
	struct hv_mem_growth all;
	struct iommu_domain *domain;
	uint64_t requested, plugged; /* bytes */
	uint64_t refused;	     /* requests that made no sense, or came to nothing */
	int bell;
	struct loop_source *source;
};

static struct vdev_mem *mem_of(struct vdev_virtio *dev)
{
	return container_of(dev, struct vdev_mem, virtio);
}

/* ---- blocks ---- */

static bool is_in(const struct vdev_mem *m, uint64_t gpa)
{
	return hv_mem_grown(m->virtio.vm, gpa, m->all.block) != 0;
}

static int map_block(struct vdev_mem *m, uint64_t gpa)
{
	void *hva = (uint8_t *)m->all.hva + (gpa - m->all.gpa);

	return iommu_map(m->domain, gpa, m->all.block, hva, IOMMU_READ | IOMMU_WRITE);
}

static void unmap_blocks(struct hv_vm *vm, struct iommu_domain *domain, struct range blocks,
			 uint64_t block)
{
	for (uint64_t at = blocks.start; domain && at < blocks.last; at += block)
		if (hv_mem_grown(vm, at, block))
			iommu_unmap(domain, at, block);
}

void vdev_mem_unmap(struct hv_vm *vm, struct iommu_domain *domain)
{
	struct hv_mem_growth all;

	if (hv_mem_growth(vm, &all))
		unmap_blocks(vm, domain, (struct range){all.gpa, all.gpa + all.size - 1},
			     all.block);
}

/* A device of the host may write to what it has, so that is taken from it first, given to it last.
 */
static int unplug(struct vdev_mem *m, uint64_t gpa, uint64_t len)
{
	if (hv_mem_grown(m->virtio.vm, gpa, len) != len)
		return -ENOENT;
	unmap_blocks(m->virtio.vm, m->domain, (struct range){gpa, gpa + len - 1}, m->all.block);
	int err = hv_mem_shrink(m->virtio.vm, gpa, len);
	if (!err)
		m->plugged -= len;
	return err;
}

static int plug(struct vdev_mem *m, uint64_t gpa, uint64_t len)
{
	int err = hv_mem_grow(m->virtio.vm, gpa, len);
	uint64_t at = gpa;

	for (; !err && m->domain && at < gpa + len; at += m->all.block) {
		err = map_block(m, at);
		if (err) {
			for (uint64_t done = gpa; done < at; done += m->all.block)
				iommu_unmap(m->domain, done, m->all.block);
			hv_mem_shrink(m->virtio.vm, gpa, len);
		}
	}
	if (!err)
		m->plugged += len;
	return err;
}

static void unplug_all(struct vdev_mem *m)
{
	for (uint64_t at = m->all.gpa; at < m->all.gpa + m->all.size; at += m->all.block)
		if (is_in(m, at))
			unplug(m, at, m->all.block);
}

/* ---- requests: 5.15.6 ---- */

/* The blocks of a request, which all lie in the region; false when they do not. */
static bool take_blocks(const struct vdev_mem *m, uint64_t gpa, uint16_t count, uint64_t *len)
{
	*len = count * m->all.block;
	return count && gpa >= m->all.gpa && gpa - m->all.gpa < m->all.size &&
	       *len <= m->all.size - (gpa - m->all.gpa) &&
	       IS_ALIGNED(gpa - m->all.gpa, m->all.block);
}

static uint16_t plug_request(struct vdev_mem *m, uint64_t gpa, uint16_t count)
{
	uint64_t len;

	if (!take_blocks(m, gpa, count, &len) || hv_mem_grown(m->virtio.vm, gpa, len))
		return VIRTIO_MEM_RESP_ERROR;
	if (m->requested <= m->plugged || len > m->requested - m->plugged)
		return VIRTIO_MEM_RESP_NACK;
	/* The host may have none to spare for now; it has told so in the log. */
	return plug(m, gpa, len) ? VIRTIO_MEM_RESP_BUSY : VIRTIO_MEM_RESP_ACK;
}

static uint16_t unplug_request(struct vdev_mem *m, uint64_t gpa, uint16_t count)
{
	uint64_t len;

	if (!take_blocks(m, gpa, count, &len) || unplug(m, gpa, len))
		return VIRTIO_MEM_RESP_ERROR;
	return VIRTIO_MEM_RESP_ACK;
}

static uint16_t state_request(struct vdev_mem *m, uint64_t gpa, uint16_t count, uint16_t *state)
{
	uint64_t len;

	if (!take_blocks(m, gpa, count, &len))
		return VIRTIO_MEM_RESP_ERROR;
	uint64_t in = hv_mem_grown(m->virtio.vm, gpa, len);
	*state = in == len ? VIRTIO_MEM_STATE_PLUGGED
		 : in	   ? VIRTIO_MEM_STATE_MIXED
			   : VIRTIO_MEM_STATE_UNPLUGGED;
	return VIRTIO_MEM_RESP_ACK;
}

static void answer(struct vdev_mem *m, const struct virtio_mem_req *req,
		   struct virtio_mem_resp *resp)
{
	switch (req->type) {
	case VIRTIO_MEM_REQ_PLUG:
		resp->type = plug_request(m, req->u.plug.addr, req->u.plug.nb_blocks);
		break;
	case VIRTIO_MEM_REQ_UNPLUG:
		resp->type = unplug_request(m, req->u.unplug.addr, req->u.unplug.nb_blocks);
		break;
	case VIRTIO_MEM_REQ_UNPLUG_ALL:
		unplug_all(m);
		resp->type = VIRTIO_MEM_RESP_ACK;
		break;
	case VIRTIO_MEM_REQ_STATE:
		resp->type = state_request(m, req->u.state.addr, req->u.state.nb_blocks,
					   &resp->u.state.state);
		break;
	default:
		resp->type = VIRTIO_MEM_RESP_ERROR;
	}
	m->refused += resp->type != VIRTIO_MEM_RESP_ACK;
}

static uint32_t serve_one(struct vdev_mem *m, const struct vdev_virtq_chain *c)
{
	struct virtio_mem_resp resp = {.type = VIRTIO_MEM_RESP_ERROR};
	struct virtio_mem_req req = {0};

	if (vdev_iov_read(c->out, c->outs, 0, &req, sizeof(req)) == sizeof(req))
		answer(m, &req, &resp);
	else
		m->refused++;
	return (uint32_t)vdev_iov_write(c->in, c->ins, 0, &resp, sizeof(resp));
}

static void serve(struct vdev_mem *m)
{
	struct vdev_virtq *q = &m->virtio.queue[0].vq;
	struct vdev_virtq_chain c;
	struct iovec iov[IOVS];

	do {
		vdev_virtq_kick_off(q);
		while (vdev_virtq_pop(q, iov, IOVS, &c) > 0)
			vdev_virtq_push(q, &c, serve_one(m, &c));
		vdev_virtq_notify(q);
	} while (vdev_virtq_kick_on(q));
}

static void on_bell(void *opaque, uint32_t events)
{
	struct vdev_mem *m = opaque;
	eventfd_t count;

	(void)events;
	eventfd_read(m->bell, &count);
	hv_device_lock(m->virtio.vm);
	if (m->virtio.running)
		serve(m);
	hv_device_unlock(m->virtio.vm);
}

/* ---- the device, as virtio.c sees it ---- */

static void kick(struct vdev_virtio *dev, unsigned queue)
{
	(void)queue;
	eventfd_write(mem_of(dev)->bell, 1);
}

static void config_read(struct vdev_virtio *dev, unsigned offset, void *data, unsigned len)
{
	const struct vdev_mem *m = mem_of(dev);
	const struct virtio_mem_config config = {
		.block_size = m->all.block,
		.addr = m->all.gpa,
		.region_size = m->all.size,
		.usable_region_size = m->all.size,
		.plugged_size = m->plugged,
		.requested_size = m->requested,
	};

	memcpy(data, (const uint8_t *)&config + offset, len);
}

static void save(struct vdev_virtio *dev, struct state *s)
{
	const struct vdev_mem *m = mem_of(dev);
	uint8_t in[256] = {0};
	size_t blocks = m->all.size / m->all.block;

	for (size_t i = 0; i < blocks; i++)
		in[i] = is_in(m, m->all.gpa + i * m->all.block);
	state_put(s, "requested", m->requested);
	state_put_bytes(s, "in", in, blocks);
}

/* The contents are there again already. */
static void load(struct vdev_virtio *dev, struct state *s)
{
	struct vdev_mem *m = mem_of(dev);
	uint8_t in[256] = {0};
	size_t blocks = m->all.size / m->all.block;

	m->requested = ALIGN_DOWN(state_take(s, "requested", m->all.size), m->all.block);
	state_take_bytes(s, "in", in, blocks);
	for (size_t i = 0; i < blocks && !state_error(s); i++)
		if (in[i] && plug(m, m->all.gpa + i * m->all.block, m->all.block))
			state_refuse(s, -ENOMEM, "a block of its memory cannot be put in");
}

static void destroy(struct vdev_virtio *dev)
{
	vdev_mem_destroy(mem_of(dev));
}

static const struct vdev_virtio_type mem_type = {
	.name = "virtio-mem",
	.id = VIRTIO_ID_MEM,
	.class = 0x00ff00,
	.config_size = sizeof(struct virtio_mem_config),
	.config_read = config_read,
	.kick = kick,
	.save = save,
	.load = load,
	.destroy = destroy,
};

/* ---- its life ---- */

int vdev_mem_create(struct hv_vm *vm, struct loop *loop, struct vdev_iothread *thread,
		    struct vdev_mem **out)
{
	struct vdev_mem *m = calloc(1, sizeof(*m));
	struct vdev_virtio_config config = {
		.type = &mem_type,
		.vm = vm,
		.loop = loop,
		.name = "memory",
		.features = VDEV_FEATURE(VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE),
		.queues = 1,
		.queue_max = QUEUE_SIZE,
		.thread = thread,
	};

	if (!m)
		return log_fail(-ENOMEM, hv_vm_name(vm), "no memory for its memory device");
	m->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int err = m->bell < 0 ? -errno : 0;
	if (!err && !hv_mem_growth(vm, &m->all))
		err = -ENOTSUP;
	if (!err)
		err = loop_add(loop, m->bell, EPOLLIN, on_bell, m, &m->source);
	if (err)
		log_fail(err, hv_vm_name(vm), "its memory does not grow: %s", strerror(-err));
	else
		err = vdev_virtio_init(&m->virtio, &config);
	if (err) {
		vdev_mem_destroy(m);
		return err;
	}
	*out = m;
	return 0;
}

/* It goes with the machine: what is in stays the engine's and the domain's, until they go. */
void vdev_mem_destroy(struct vdev_mem *m)
{
	if (!m)
		return;
	vdev_virtio_finish(&m->virtio);
	loop_remove(m->source);
	io_close(&m->bell);
	free(m);
}

struct vdev_function *vdev_mem_function(struct vdev_mem *m)
{
	return &m->virtio.fn;
}

struct vdev_mem *vdev_mem_of(struct vdev_function *fn)
{
	struct vdev_virtio *dev = fn ? vdev_virtio_of(fn) : NULL;

	return dev && dev->type == &mem_type ? mem_of(dev) : NULL;
}

int vdev_mem_set_domain(struct vdev_mem *m, struct iommu_domain *domain)
{
	uint64_t at = m->all.gpa, end = m->all.gpa + m->all.size;
	int err = 0;

	vdev_mem_unmap(m->virtio.vm, m->domain);
	m->domain = domain;
	for (; domain && !err && at < end; at += m->all.block)
		err = is_in(m, at) ? map_block(m, at) : 0;
	if (!err)
		return 0;
	at -= m->all.block; /* the one that was not mapped */
	if (at > m->all.gpa)
		unmap_blocks(m->virtio.vm, domain, (struct range){m->all.gpa, at - 1},
			     m->all.block);
	m->domain = NULL;
	return err;
}

int vdev_mem_aim(struct vdev_mem *m, uint64_t bytes)
{
	if (bytes > m->all.size)
		return -EINVAL;
	m->requested = ALIGN_DOWN(bytes, m->all.block);
	vdev_virtio_config_changed(&m->virtio);
	return 0;
}

void vdev_mem_fill_stat(const struct vdev_mem *m, struct vdev_mem_stat *out)
{
	*out = (struct vdev_mem_stat){
		.driver = m->virtio.running,
		.max = m->all.size,
		.block = m->all.block,
		.requested = m->requested,
		.plugged = m->plugged,
		.refused = m->refused,
	};
}
