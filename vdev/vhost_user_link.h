/* SPDX-License-Identifier: BSD-3-Clause */
/* vhost_user_link: one connection to a back-end; private to vhost_user*.c. */
#ifndef VDEV_VHOST_USER_LINK_H
#define VDEV_VHOST_USER_LINK_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/loop.h"
#include "vdev/vhost_user.h"

struct vdev_vhost_user {
	struct vdev_vhost_user_config config;
	char *name, *path;
	struct vdev_iothread *thread;
	int cut;     /* eventfd: somebody with the device lock waits */
	int nowhere; /* eventfd, of queues without an interrupt */
	int sock;
	struct loop_source *source, *timer, *arriving;
	unsigned backoff;
	bool complained; /* of a connection that cannot be used, since the last good one */

	uint64_t offered, protocol; /* of the connection */
	unsigned queue_max;
	size_t slots; /* of memory that this connection was told of, one by one */
	bool known;   /* there was one; from then on these stay: */
	uint64_t first_offered;
	unsigned first_queues;

	struct vdev_virtio *dev; /* between start and stop, else NULL */
	unsigned queues, enabled;
	bool serving; /* this connection's end has the queues */
	bool missed;  /* one that had them went */
	bool unsure;  /* which requests are done: the driver must reset the device */
	int inflight; /* memory that the back-end keeps notes in; -1: none */
	struct vdev_vu_inflight notes;

	struct {
		bool set;
		size_t offset;
		uint8_t byte;
	} written; /* into the configuration */

	atomic_bool up;
	atomic_uint connections;
	pthread_mutex_t lock; /* of what follows */
	uint8_t bytes[VU_CONFIG_MAX];
};

bool vdev_vu_agreed(const struct vdev_vhost_user *vu, unsigned feature);
/* For a conversation that begins now. */
struct vdev_vu_wire vdev_vu_wire_of(const struct vdev_vhost_user *vu);

/* ---- vhost_user_queues.c; on the connection's thread, between start and stop ---- */

/* Sets everything up on this connection, of which somebody has the queues from then on, also when
 * it fails on the way (vu->serving). -EOPNOTSUPP, logged: the back-end lacks what the driver uses.
 */
int vdev_vu_hand_over(struct vdev_vhost_user *vu);
/* The counterpart: the positions are back, and nothing is under way. */
int vdev_vu_take_back(struct vdev_vhost_user *vu);
/* The same where there is nobody to ask: what guest memory tells; or vu->unsure. */
void vdev_vu_guess_positions(struct vdev_vhost_user *vu);
/* After vu->enabled, or a queue's interrupt, changed. */
int vdev_vu_tell_enabled(struct vdev_vhost_user *vu);
int vdev_vu_tell_call(struct vdev_vhost_user *vu, unsigned queue);

#endif
