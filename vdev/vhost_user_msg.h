/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vhost_user_msg: what a vhost-user front-end and its back-end say to each other, and how it gets
 * over the socket (QEMU, docs/interop/vhost-user.rst, "Message Specification").
 *
 * A message is a header, a payload of at most some hundred bytes, and descriptors beside it. We ask
 * and the back-end answers, in order, so that a conversation is a sequence of calls. The back-end
 * is another program that may be broken or worse: an answer is taken only if it is the one that was
 * asked for, of the size that it must have, with as many descriptors; every wait has an end, a
 * deadline that the caller sets, and can be cut short by an eventfd.
 *
 * Nothing is logged: the connection's owner knows what it wanted.
 */
#ifndef VDEV_VHOST_USER_MSG_H
#define VDEV_VHOST_USER_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum vdev_vu_request {
	VU_GET_FEATURES = 1,
	VU_SET_FEATURES = 2,
	VU_SET_OWNER = 3,
	VU_SET_MEM_TABLE = 5,
	VU_SET_VRING_NUM = 8,
	VU_SET_VRING_ADDR = 9,
	VU_SET_VRING_BASE = 10,
	VU_GET_VRING_BASE = 11,
	VU_SET_VRING_KICK = 12,
	VU_SET_VRING_CALL = 13,
	VU_GET_PROTOCOL_FEATURES = 15,
	VU_SET_PROTOCOL_FEATURES = 16,
	VU_GET_QUEUE_NUM = 17,
	VU_SET_VRING_ENABLE = 18,
	VU_NET_SET_MTU = 20,
	VU_GET_CONFIG = 24,
	VU_SET_CONFIG = 25,
	VU_GET_INFLIGHT_FD = 31,
	VU_SET_INFLIGHT_FD = 32,
	VU_GET_MAX_MEM_SLOTS = 36,
	VU_ADD_MEM_REG = 37,
};

/* Among the device's features, the one that says that there are protocol features. */
#define VU_F_PROTOCOL_FEATURES 30u

/* Protocol features, by number. */
#define VU_PROTOCOL_MQ	      0u
#define VU_PROTOCOL_REPLY_ACK 3u
#define VU_PROTOCOL_MTU	      4u
#define VU_PROTOCOL_CONFIG    9u
#define VU_PROTOCOL_INFLIGHT  12u
#define VU_PROTOCOL_SLOTS     15u /* CONFIGURE_MEM_SLOTS */

#define VU_VERSION    0x1u /* bits 0 and 1 of the flags */
#define VU_REPLY      0x4u
#define VU_NEED_REPLY 0x8u

#define VU_REGIONS     8u /* of a memory table, without CONFIGURE_MEM_SLOTS */
#define VU_CONFIG_MAX  256u
#define VU_PAYLOAD_MAX (12u + VU_CONFIG_MAX)

struct vdev_vu_header {
	uint32_t request, flags, size;
};

struct vdev_vu_state {
	uint32_t index, num;
};

struct vdev_vu_addr {
	uint32_t index, flags;
	uint64_t desc, used, avail, log; /* addresses of ours, but for `log` */
};

struct vdev_vu_region {
	uint64_t gpa, size, address, offset;
};

struct vdev_vu_memory {
	uint32_t count, padding;
	struct vdev_vu_region region[VU_REGIONS];
};

struct vdev_vu_slot {
	uint64_t padding;
	struct vdev_vu_region region;
};

struct vdev_vu_config {
	uint32_t offset, size, flags;
	uint8_t bytes[VU_CONFIG_MAX];
};

struct vdev_vu_inflight {
	uint64_t size, offset;
	uint16_t queues, queue_size;
};
#define VU_INFLIGHT_MIN 20u /* some send it without the padding at its end */

_Static_assert(sizeof(struct vdev_vu_header) == 12, "vhost-user: Header");
_Static_assert(sizeof(struct vdev_vu_state) == 8, "vhost-user: A vring state description");
_Static_assert(sizeof(struct vdev_vu_addr) == 40, "vhost-user: A vring address description");
_Static_assert(sizeof(struct vdev_vu_region) == 32, "vhost-user: Memory region description");
_Static_assert(sizeof(struct vdev_vu_slot) == 40, "vhost-user: Single memory region description");
_Static_assert(offsetof(struct vdev_vu_memory, region) == 8, "vhost-user: Multiple regions");
_Static_assert(offsetof(struct vdev_vu_config, bytes) == 12, "vhost-user: Virtio device config");
_Static_assert(offsetof(struct vdev_vu_inflight, queue_size) == 18, "vhost-user: Inflight");

struct vdev_vu_wire {
	int sock;	   /* nonblocking */
	int cut;	   /* eventfd: once it counts, waits end with -ECANCELED; -1: none */
	uint64_t deadline; /* nanoseconds, CLOCK_MONOTONIC: then with -ETIMEDOUT */
};

/* Sends one message. -EPIPE, -ECONNRESET: nobody is there. */
int vdev_vu_send(const struct vdev_vu_wire *wire, enum vdev_vu_request request, uint32_t flags,
		 const void *payload, size_t size, const int *fds, size_t count);
/* Takes the answer to `request`. Its payload has `min` to `max` bytes, at most VU_PAYLOAD_MAX; *got
 * says how many (may be NULL). *fd: the one descriptor that came with it, or -1; with NULL none
 * may. -EPROTO: it is something else, -ECONNRESET: they hung up. */
int vdev_vu_receive(const struct vdev_vu_wire *wire, enum vdev_vu_request request, void *payload,
		    size_t min, size_t max, size_t *got, int *fd);

/* The three usual shapes: a number asked for; a number told; a message that REPLY_ACK confirms
 * where `ack` says that it was agreed on (-EREMOTEIO: they say that it failed). */
int vdev_vu_ask(const struct vdev_vu_wire *wire, enum vdev_vu_request request, uint64_t *out);
int vdev_vu_tell(const struct vdev_vu_wire *wire, enum vdev_vu_request request, uint64_t value);
int vdev_vu_confirmed(const struct vdev_vu_wire *wire, enum vdev_vu_request request, bool ack,
		      const void *payload, size_t size, const int *fds, size_t count);

#endif
