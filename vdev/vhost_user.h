/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vhost_user: virtqueues that another process serves, over a socket (QEMU,
 * docs/interop/vhost-user.rst; we are the front-end).
 *
 * The back-end maps the guest's memory, hears the guest's kicks and raises its interrupts itself;
 * what goes over the socket is set-up and stop. A device type (virtio_blk_user.c,
 * virtio_net_user.c) keeps registers and configuration, and hands its queues over:
 *
 *     open     connects; what the back-end offers is known from then on
 *     start    from type->start: the queues are set up, soon
 *     stop     from type->stop: their positions are back, nobody touches guest memory
 *     close    at the end of type->destroy
 *
 * A back-end may end and come back at any time. Requests then wait in the guest's rings. The
 * connection is tried again, ever more slowly up to once a second, and the queues are set up where
 * guest memory says that the last one ended. A disk's requests may be done in any order, so that
 * its position says too little where some were under way: either the back-end has kept a note in
 * memory that we hold for it (INFLIGHT_SHMFD), or the guest is told that the device needs a reset.
 *
 * All talk happens on a thread of the connection's own, which never takes the device lock. Each
 * conversation has a deadline of some seconds, and a start, a stop or the end of the VM cuts one
 * short, so that a back-end that does not answer holds nobody up. The only wait under the lock is
 * that of stop, for the back-end to let go.
 */
#ifndef VDEV_VHOST_USER_H
#define VDEV_VHOST_USER_H

#include "vdev/vdev.h"
#include "vdev/vhost_user_msg.h"
#include "vdev/virtio.h"

struct vdev_vhost_user;

struct vdev_vhost_user_config {
	const char *name; /* "disk web.qcow2": for messages; copied */
	struct hv_vm *vm;
	const char *path; /* of the back-end's socket; copied */
	struct vdev_dial dial;
	int listener;	    /* -1: we connect; else they do, at this socket; stays the caller's */
	uint64_t protocol;  /* wanted protocol features, a mask */
	size_t config_size; /* of the device's configuration; 0: it is not the back-end's */
	uint64_t ours; /* features that the device answers for, whether they offer them or not */
	uint16_t mtu;  /* told to a back-end that wants to know; 0: nothing to tell */
	bool ordered;  /* requests of a queue are done in order, or may be done again */
	/* The back-end came or went, or its configuration changed; on the connection's thread. */
	void (*changed)(void *opaque);
	void *opaque;
};

/* Connects, for at most some seconds. -ENOTCONN and others, logged. */
int vdev_vhost_user_open(const struct vdev_vhost_user_config *config, struct vdev_vhost_user **out);
/* After stop; accepts NULL. */
void vdev_vhost_user_close(struct vdev_vhost_user *vu);

/* What the first connection has offered; those that follow must offer as much as the driver took.
 */
uint64_t vdev_vhost_user_features(const struct vdev_vhost_user *vu);
unsigned vdev_vhost_user_queues(const struct vdev_vhost_user *vu);
/* Whether the connection is there now, and how many there were. */
bool vdev_vhost_user_up(const struct vdev_vhost_user *vu, unsigned *connections);
/* The device's configuration, as the back-end last told. */
void vdev_vhost_user_config_read(struct vdev_vhost_user *vu, size_t offset, void *data, size_t len);
/* One byte of it becomes another, here and there, and with each later back-end: there is one such
 * byte (5.2.5: writeback). */
void vdev_vhost_user_config_write(struct vdev_vhost_user *vu, size_t offset, uint8_t byte);

/* The first `queues` queues of `dev` are the back-end's, and `enabled` of them used (all but a
 * network device's spare ones). Device lock held. */
void vdev_vhost_user_start(struct vdev_vhost_user *vu, struct vdev_virtio *dev, unsigned queues,
			   unsigned enabled);
void vdev_vhost_user_stop(struct vdev_vhost_user *vu);
/* After stop: the driver has reset the device, and nothing is under way any more. */
void vdev_vhost_user_forget(struct vdev_vhost_user *vu);
/* A queue's interrupt changed, while it runs. Device lock held. */
void vdev_vhost_user_call_changed(struct vdev_vhost_user *vu, unsigned queue);
/* How many of its queues the driver uses, while it runs; on the connection's thread. */
void vdev_vhost_user_enable(struct vdev_vhost_user *vu, unsigned enabled);
/* The connection's thread, for the queue that the device serves itself. */
struct vdev_iothread *vdev_vhost_user_thread(struct vdev_vhost_user *vu);
/* After stop. Why its queues' positions cannot be trusted, or NULL. */
const char *vdev_vhost_user_unsavable(const struct vdev_vhost_user *vu);

#endif
