/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_vhost_user: a vhost-user back-end: the other end of vdev/vhost_user.c, in a thread of its
 * own.
 *
 * It maps the memory that it is given and serves the rings in order: as a disk in memory, as a NIC
 * whose frames come back, or as one whose frames go to a tap. It can be told to misbehave at any
 * message. tests/tools/vu_net.c makes a program of it.
 */
#ifndef TESTS_FAKES_FAKE_VHOST_USER_H
#define TESTS_FAKES_FAKE_VHOST_USER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/fakes/fake_log.h"
#include "vdev/vhost_user_msg.h"
#include "vdev/virtq.h"

#define FAKE_VU_QUEUES	16
#define FAKE_VU_SECTORS 64

enum fake_vu_kind { FAKE_VU_BLK, FAKE_VU_ECHO, FAKE_VU_TAP };

enum fake_vu_fault {
	FAKE_VU_MUTE = 1, /* no answer */
	FAKE_VU_WRONG,	  /* the answer to another question */
	FAKE_VU_SHORT,	  /* half of an answer, then nothing */
	FAKE_VU_LONG,	  /* more than was asked for */
	FAKE_VU_FDS,	  /* descriptors that nobody wants */
	FAKE_VU_HANGUP,
	FAKE_VU_REFUSE, /* a nonzero REPLY_ACK */
};

struct fake_vu {
	/* set before fake_vu_start */
	char path[108];
	bool connects; /* to the front-end, which listens */
	enum fake_vu_kind kind;
	uint64_t features, protocol;
	unsigned queue_max;
	uint64_t sectors; /* what its configuration says */
	int tap;
	atomic_uint fault_at; /* a request; 0: none */
	enum fake_vu_fault fault;
	atomic_bool hold; /* requests are seen and not answered */

	/* what a test looks at; texts and numbers under `lock` */
	pthread_mutex_t lock;
	struct fake_log log; /* names of messages as they came */
	uint64_t set_features, set_protocol;
	unsigned regions, connections, served;
	bool enabled[FAKE_VU_QUEUES];
	uint32_t base[FAKE_VU_QUEUES]; /* as set */
	uint8_t wce;
	uint64_t mtu;
	unsigned notes; /* what the notes of an earlier back-end counted */
	uint8_t disk[FAKE_VU_SECTORS * 512];

	/* its own */
	struct hv_vm *vm; /* the memory that was given to it */
	struct vdev_virtq queue[FAKE_VU_QUEUES];
	struct vdev_vu_addr addr[FAKE_VU_QUEUES];
	bool running[FAKE_VU_QUEUES];
	int kick[FAKE_VU_QUEUES];
	struct vdev_vu_memory memory;
	struct vdev_vu_region slot[16]; /* told one by one */
	unsigned slots, slots_max;
	int sock, listener, stop;
	void *note_map;
	size_t note_size;
	bool threaded;
	pthread_t thread;
};

void fake_vu_init(struct fake_vu *vu, enum fake_vu_kind kind, const char *path);
void fake_vu_start(struct fake_vu *vu);
/* As a process that is killed: it hangs up and is gone. May be started again. */
void fake_vu_stop(struct fake_vu *vu);
/* What the thread does; until the stop eventfd counts. */
void fake_vu_run(struct fake_vu *vu);
/* Whether such a line came within two seconds. */
bool fake_vu_heard(struct fake_vu *vu, const char *line);
/* Waits as long until this many requests were answered. */
bool fake_vu_served(struct fake_vu *vu, unsigned count);

#endif
