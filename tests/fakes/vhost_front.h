/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vhost_front: the guest's side of vhost-user, in this process: memory in a memfd, rings in it
 * (split or packed, virtio 1.2 sections 2.7 and 2.8), and the messages of the protocol (QEMU's
 * docs/interop/vhost-user.rst). Well behaved by itself; every message, ring and buffer is within
 * reach of tests that are not.
 */
#ifndef TESTS_FAKES_VHOST_FRONT_H
#define TESTS_FAKES_VHOST_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRONT_RINGS  32 /* sixteen queue pairs */
#define FRONT_SIZE   64 /* entries of a ring; a power of two */
#define FRONT_BUFFER 2048
#define FRONT_GPA    UINT64_C(0x40000000)
#define FRONT_MEMORY (8u << 20)

enum front_request {
	FRONT_GET_FEATURES = 1,
	FRONT_SET_FEATURES = 2,
	FRONT_SET_OWNER = 3,
	FRONT_RESET_OWNER = 4,
	FRONT_SET_MEM_TABLE = 5,
	FRONT_SET_LOG_BASE = 6,
	FRONT_SET_VRING_NUM = 8,
	FRONT_SET_VRING_ADDR = 9,
	FRONT_SET_VRING_BASE = 10,
	FRONT_GET_VRING_BASE = 11,
	FRONT_SET_VRING_KICK = 12,
	FRONT_SET_VRING_CALL = 13,
	FRONT_GET_PROTOCOL_FEATURES = 15,
	FRONT_SET_PROTOCOL_FEATURES = 16,
	FRONT_GET_QUEUE_NUM = 17,
	FRONT_SET_VRING_ENABLE = 18,
	FRONT_SEND_RARP = 19,
	FRONT_SET_MTU = 20,
};

#define FRONT_F_MRG_RXBUF   15
#define FRONT_F_MQ	    22
#define FRONT_F_PROTOCOL    30
#define FRONT_F_VERSION_1   32
#define FRONT_F_RING_PACKED 34

struct front_options {
	bool packed, mergeable;
	unsigned queues;     /* pairs; 0: 1 */
	unsigned rx_buffer;  /* bytes of each buffer to receive into; 0: FRONT_BUFFER */
	uint64_t not_wanted; /* features */
	uint64_t wanted;     /* beside those that the rest asks for */
	uint64_t protocol;   /* features of the protocol, beside MQ */
	unsigned hang_up;    /* before the message of this number; 0: never */
};

/* virtio 1.2 section 5.1.6: in front of each frame */
struct front_header {
	uint8_t flags, gso_type;
	uint16_t hdr_len, gso_size, csum_start, csum_offset, buffers;
};
#define FRONT_HDR_NEEDS_CSUM 1
#define FRONT_GSO_TCPV4	     1
#define FRONT_GSO_TCPV6	     4

struct front_ring {
	uint8_t *desc, *avail, *used; /* of a packed ring: ring, driver's area, device's area */
	uint8_t *buffers;
	uint16_t next, last_used, pending; /* pending: added and not yet used */
	bool wrap, used_wrap;
	int kick, call;
};

struct front {
	struct front_options options;
	int socket, memfd;
	uint8_t *memory;
	uint64_t features, protocol;
	unsigned ring_count, messages;
	struct front_ring rings[FRONT_RINGS]; /* even: to receive by */
	struct front_header last;	      /* of what was received last */
	uint32_t barrier;
};

/* Connects to a server at `path`; negative errno. */
int front_connect(struct front *front, const char *path, const struct front_options *options);
/* Listens at `path`, and front_accept waits for the switch to come. */
int front_listen(const char *path);
int front_accept(struct front *front, int listener, const struct front_options *options);
void front_close(struct front *front);

/* Everything that a driver's start says, up to rings that are on. */
int front_start(struct front *front);
int front_enable(struct front *front, unsigned ring, bool on);
/* As a driver that stops: GET_VRING_BASE of all rings. */
int front_stop(struct front *front);
/* Makes all rings new, as after a reset. */
void front_reset_rings(struct front *front);

/* A frame of the guest's; -ENOSPC: the ring is full. */
int front_send(struct front *front, unsigned queue, const void *frame, size_t len);
/* With a header of its own, and of up to FRONT_LARGE bytes: nothing else may be on its way by that
 * queue (-EBUSY), whose buffers it takes. */
#define FRONT_LARGE 66000
int front_send_large(struct front *front, unsigned queue, const struct front_header *header,
		     const void *frame, size_t len);
/* Lets the device know that there is something to send. */
void front_kick(struct front *front, unsigned queue);
/* Whether the device wants to be told (split rings, without event index). */
bool front_wants_kick(struct front *front, unsigned queue);
/* How many of those sent have been taken. */
unsigned front_sent(struct front *front, unsigned queue);
/* Puts empty buffers where there are none. */
void front_post(struct front *front, unsigned queue);
/* The next frame; 0: there is none (yet). */
size_t front_receive(struct front *front, unsigned queue, void *frame, size_t size);

/* One message. An answer of `size` bytes is waited for when `answer` is not NULL. */
int front_message(struct front *front, uint32_t request, const void *payload, uint32_t len,
		  const int *fds, unsigned fd_count, void *answer, uint32_t size);

#endif
