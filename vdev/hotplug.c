/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hotplug: see hotplug.h.
 *
 * A guest lets go of a function with a register write, on a vCPU's thread; closing the function may
 * take long and touches the event loop. So that write only rings a bell, and the loop's thread does
 * the rest. A guest has until its deadline to let go; then the wish is taken back, and the function
 * stays where it is.
 */
#include "vdev/hotplug.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"

struct slot {
	struct vdev_hotplug *hotplug;
	struct loop_source *deadline;
	enum vdev_slot_state state; /* of an occupied one */
};

struct vdev_hotplug {
	struct vdev_host *host;
	struct loop *loop;
	void (*ejected)(void *opaque, unsigned slot);
	void *opaque;
	int bell;
	struct loop_source *source;
	struct slot slot[VDEV_SLOTS];
};

static void ring(void *opaque)
{
	struct vdev_hotplug *h = opaque;

	eventfd_write(h->bell, 1);
}

/* Takes the function out of one slot, if the guest has let go of it. */
static bool eject_one(struct vdev_hotplug *h, unsigned slot)
{
	struct vdev_bridge *b = h->host->bridge[slot];

	hv_device_lock(h->host->vm);
	bool due = h->slot[slot].state == VDEV_SLOT_PENDING && vdev_slot_is_open(b);
	if (due) {
		struct vdev_function *child = vdev_slot_extract(b);

		loop_remove(h->slot[slot].deadline);
		h->slot[slot].deadline = NULL;
		h->slot[slot].state = VDEV_SLOT_EMPTY;
		child->ops->destroy(child);
	}
	hv_device_unlock(h->host->vm);
	return due;
}

static void on_bell(void *opaque, uint32_t events)
{
	struct vdev_hotplug *h = opaque;
	eventfd_t count;

	(void)events;
	eventfd_read(h->bell, &count);
	for (unsigned slot = 1; slot <= h->host->bridges; slot++)
		if (eject_one(h, slot) && h->ejected)
			h->ejected(h->opaque, slot);
}

static void on_deadline(void *opaque, uint32_t events)
{
	struct slot *s = opaque;
	struct vdev_host *host = s->hotplug->host;
	struct vdev_bridge *b = host->bridge[s - s->hotplug->slot];

	(void)events;
	s->deadline = NULL;
	hv_device_lock(host->vm);
	vdev_slot_keep(b);
	s->state = VDEV_SLOT_TIMED_OUT;
	log_warn(b->child->name, "not let go of by the guest in time; it stays");
	hv_vm_event(host->vm,
		    &(struct hv_event){.what = "eject-timed-out", .device = b->child->name});
	hv_device_unlock(host->vm);
}

int vdev_hotplug_create(struct vdev_host *host, struct loop *loop,
			void (*ejected)(void *opaque, unsigned slot), void *opaque,
			struct vdev_hotplug **out)
{
	struct vdev_hotplug *h = calloc(1, sizeof(*h));

	if (!h)
		return log_fail(-ENOMEM, hv_vm_name(host->vm), "no memory for its hot-plug slots");
	*h = (struct vdev_hotplug){
		.host = host, .loop = loop, .ejected = ejected, .opaque = opaque};
	for (unsigned i = 0; i < VDEV_SLOTS; i++)
		h->slot[i].hotplug = h;
	h->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int err = h->bell < 0 ? -errno : loop_add(loop, h->bell, EPOLLIN, on_bell, h, &h->source);
	if (err) {
		vdev_hotplug_destroy(h);
		return log_fail(err, hv_vm_name(host->vm), "no hot plug: %s", strerror(-err));
	}
	host->slot_open = ring;
	host->slot_opaque = h;
	*out = h;
	return 0;
}

void vdev_hotplug_destroy(struct vdev_hotplug *h)
{
	if (!h)
		return;
	h->host->slot_open = NULL;
	for (unsigned i = 0; i < VDEV_SLOTS; i++)
		loop_remove(h->slot[i].deadline);
	loop_remove(h->source);
	io_close(&h->bell);
	free(h);
}

/* A wish that stands already only gets a new deadline. */
int vdev_hotplug_eject(struct vdev_hotplug *h, unsigned slot, unsigned timeout_ms)
{
	struct vdev_bridge *b = slot && slot < VDEV_SLOTS ? h->host->bridge[slot] : NULL;
	struct loop_source *deadline;

	if (!b || !b->child)
		return -ENOENT;
	struct slot *s = &h->slot[slot];
	int err = loop_timer(h->loop, timeout_ms, on_deadline, s, &deadline);
	if (err)
		return log_fail(err, b->child->name, "not asked for: %s", strerror(-err));
	loop_remove(s->deadline);
	s->deadline = deadline;
	s->state = VDEV_SLOT_PENDING;
	vdev_slot_ask(b);
	return 0;
}

enum vdev_slot_state vdev_hotplug_state(const struct vdev_hotplug *h, unsigned slot)
{
	const struct vdev_bridge *b = slot < VDEV_SLOTS ? h->host->bridge[slot] : NULL;

	return b && b->child ? h->slot[slot].state : VDEV_SLOT_EMPTY;
}

void vdev_hotplug_filled(struct vdev_hotplug *h, unsigned slot)
{
	h->slot[slot].state = VDEV_SLOT_IN_USE;
}
