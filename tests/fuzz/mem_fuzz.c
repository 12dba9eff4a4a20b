/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any requests of a driver for memory that comes and goes, eight at a time, under a domain that
 * maps what is in. The fakes end the run when a block outside of the region is touched; afterwards
 * what is in, what the device says of it and what is mapped must be the same, and no more than was
 * allowed.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <linux/virtio_mem.h>

#include "base/util.h"
#include "tests/vdev/guest_virtio.h"
#include "vdev/virtio_mem.h"

#define REQUESTS 8u
#define SIZE	 24u
#define BLOCKS	 (FAKE_GROWTH / FAKE_BLOCK)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct vdev_mem *make(struct guest_virtio *g, struct iommu_domain *domain)
{
	struct vdev_iothread *thread;
	struct vdev_mem *mem;

	guest_virtio_init(g);
	fake_hv_add_growth(g->vm);
	domain->log = &g->vm->log;
	if (vdev_iothread_create(NULL, "fuzz", &thread) < 0 ||
	    vdev_mem_create(g->vm, g->loop, thread, &mem) < 0)
		abort();
	hv_device_lock(g->vm);
	if (vdev_mem_set_domain(mem, domain) < 0)
		abort();
	hv_device_unlock(g->vm);
	guest_virtio_attach(g, vdev_mem_function(mem));
	guest_bring_up(g, VDEV_FEATURE(VIRTIO_F_VERSION_1), 1);
	return mem;
}

/* Half of the time the address is one of a block, which few numbers are. */
static void shape(uint8_t *request)
{
	struct virtio_mem_req req;

	memcpy(&req, request, sizeof(req));
	req.type %= 6;
	if (req.padding[0] & 1)
		req.u.plug.addr = FAKE_GROWTH_GPA + req.u.plug.addr % (BLOCKS + 2) * FAKE_BLOCK;
	if (req.padding[0] & 2)
		req.u.plug.nb_blocks %= BLOCKS + 2;
	memcpy(request, &req, sizeof(req));
}

static void check(const struct guest_virtio *g, struct vdev_mem *mem,
		  const struct iommu_domain *domain)
{
	struct vdev_mem_stat stat;
	uint64_t in = 0, mapped = 0;

	hv_device_lock(g->vm);
	vdev_mem_fill_stat(mem, &stat);
	hv_device_unlock(g->vm);
	for (unsigned i = 0; i < BLOCKS; i++)
		in += g->vm->grown[i] ? FAKE_BLOCK : 0;
	for (unsigned i = 0; i < FAKE_SLOTS; i++)
		mapped += domain->map[i].used ? domain->map[i].size : 0;
	if (in != stat.plugged || in != mapped || in > stat.requested)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct iommu_domain domain;
	static struct guest_virtio g;
	static struct vdev_mem *mem;
	unsigned count = (unsigned)MIN(size / SIZE, (size_t)REQUESTS), back = 0;
	uint32_t written;

	if (!mem)
		mem = make(&g, &domain);
	/* What an earlier input left in stays, so the wish only grows to the whole. */
	hv_device_lock(g.vm);
	vdev_mem_aim(mem, FAKE_GROWTH);
	hv_device_unlock(g.vm);
	for (unsigned i = 0; i < count; i++) {
		struct guest_buf buf[2] = {{GUEST_DATA + i * 64, SIZE, false},
					   {GUEST_DATA + 0x1000 + i * 64, 16, true}};
		uint8_t *request = hv_mem_ptr(g.vm, buf[0].gpa, SIZE);

		memcpy(request, data + (size_t)i * SIZE, SIZE);
		shape(request);
		if (guest_ring_add(&g.ring[0], buf, 2, false) < 0)
			abort();
	}
	if (count)
		guest_kick(&g, 0);
	for (unsigned tries = 0; back < count && tries < 1000; tries++) {
		guest_spin(&g);
		while (guest_ring_get(&g.ring[0], &written) >= 0)
			back++;
	}
	if (back < count)
		abort();
	check(&g, mem, &domain);
	return 0;
}
