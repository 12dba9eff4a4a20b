/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vector: eventfd → route → guest.
 *
 * The same eventfd is given to whoever raises the interrupt (VFIO) and to the engine: where the
 * hardware can post interrupts, KVM recognises the pair by it. A route is filled and committed
 * before its eventfd is attached, and the eventfd is detached before the route changes, because the
 * kernel derives the posted or remapped interrupt entry from both.
 */
#include "vdev/vector.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/io.h"
#include "base/log.h"

bool vdev_vector_reaches_cpu(const struct hv_msi *msi)
{
	return (msi->addr & UINT64_C(0xfffff00000)) == 0xfee00000;
}

int vdev_vector_open(struct hv_vm *vm, struct vdev_vector *v)
{
	if (v->eventfd < 0)
		v->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (v->eventfd < 0)
		return log_fail(-errno, hv_vm_name(vm),
				"no descriptor for an interrupt vector: %s; raise RLIMIT_NOFILE",
				strerror(errno));
	if (v->route < 0)
		v->route = hv_route_alloc(vm);
	return v->route < 0 ? v->route : 0;
}

int vdev_vector_attach(struct hv_vm *vm, struct vdev_vector *v)
{
	int err = v->attached ? 0 : hv_irqfd_attach(vm, v->route, v->eventfd);

	if (!err)
		v->attached = true;
	return err;
}

void vdev_vector_detach(struct hv_vm *vm, struct vdev_vector *v)
{
	if (v->attached)
		hv_irqfd_detach(vm, v->route, v->eventfd);
	v->attached = false;
}

bool vdev_vector_aim(struct hv_vm *vm, struct vdev_vector *v, const struct hv_msi *msi)
{
	if (v->aimed && v->msi.addr == msi->addr && v->msi.data == msi->data)
		return false;
	vdev_vector_detach(vm, v);
	v->msi = *msi;
	v->aimed = true;
	hv_route_set(vm, v->route, msi);
	return true;
}

void vdev_vector_close(struct hv_vm *vm, struct vdev_vector *v)
{
	vdev_vector_detach(vm, v);
	if (v->route >= 0)
		hv_route_free(vm, v->route);
	io_close(&v->eventfd);
	*v = VDEV_VECTOR_NONE;
}
