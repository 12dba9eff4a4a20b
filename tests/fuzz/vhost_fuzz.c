/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A frontend of vhost-user gone wild: any message at any time, rings and descriptors written over,
 * queues turned on and off, with frames in both directions in between. Whatever it says, the switch
 * lives, gives back every buffer, and takes the next guest.
 *
 * Its memory is as large as it says: a frontend that cuts its own memory off kills any vhost-user
 * backend that maps it (SIGBUS), and is trusted not to.
 *
 * Input: a byte of options, then operations: a byte, and what it takes.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "netqueue/netqueue.h"
#include "tests/fakes/vhost_front.h"

#define STEPS	 64
/* Checksums and TCP segments, both ways (virtio 1.2 section 5.1.3). */
#define OFFLOADS ((uint64_t)(1 << 0 | 1 << 1 | 1 << 7 | 1 << 8 | 1 << 11 | 1 << 12))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct nq_switch *sw;
static char path[64];
static uint64_t messages, rings;

static void finish(void)
{
	printf("#: %llu wild messages, %llu rings written over or moved\n",
	       (unsigned long long)messages, (unsigned long long)rings);
	unlink(path);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct nq_eal_options eal = {.memory_mb = 64};
	struct nq_options options = {.buffers = 2047, .macs = 256};
	struct nq_bridge_config bridge = {.name = "br", .ageing_s = 10};
	struct nq_port_config ring = {.name = "ring", .bridge = "br", .kind = "ring"};
	struct nq_port_config guest = {.name = "guest",
				       .bridge = "br",
				       .kind = "vhost",
				       .where = path,
				       .server = true,
				       .queues = 2};

	(void)argc, (void)argv;
	snprintf(path, sizeof(path), "/tmp/sluice-fuzz-%d", (int)getpid());
	atexit(finish);
	nq_port_rules_init(&ring.rules);
	nq_port_rules_init(&guest.rules);
	if (nq_eal_start(&eal) || nq_switch_create(&options, &sw) || nq_bridge_add(sw, &bridge) ||
	    nq_port_add(sw, &ring) || nq_port_add(sw, &guest))
		abort();
	return 0;
}

struct input {
	const uint8_t *data;
	size_t size;
	uint64_t more;
};

/* A connection costs more than all that is said on it: where the input ends, it goes on with
 * numbers that are made of it (Marsaglia's xorshift). */
static uint8_t take(struct input *in)
{
	if (in->size) {
		in->size--;
		in->more = (in->more ^ *in->data) * UINT64_C(0x9e3779b97f4a7c15);
		return *in->data++;
	}
	in->more ^= in->more << 13;
	in->more ^= in->more >> 7;
	in->more ^= in->more << 17;
	return (uint8_t)(in->more >> 32);
}

static void take_bytes(struct input *in, void *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)out)[i] = take(in);
}

/* A message as it comes, but for the sizes of memory. Those of a ring come without a descriptor:
 * rte_vhost keeps one open for ever when there is no such ring, and has none left after thousands
 * of such connections. */
static int any_message(struct front *front, struct input *in)
{
	uint8_t request = take(in), payload[64] = {0}, flags = take(in);
	uint32_t len = flags % 65;
	const int fds[2] = {front->memfd, front->rings[0].kick};

	take_bytes(in, payload, len);
	request %= 25;
	bool of_ring = (request >= FRONT_SET_VRING_NUM && request <= FRONT_GET_VRING_BASE) ||
		       request == FRONT_SET_VRING_ENABLE;
	if (request == FRONT_SET_MEM_TABLE)
		return 0;
	int err = front_message(front, request, payload, len, fds + (flags >> 6 & 1),
				of_ring ? 0 : flags >> 7, NULL, 0);
	messages += !err;
	return err;
}

static void scribble(struct front *front, struct input *in)
{
	unsigned ring = take(in) % front->ring_count;
	size_t at = (size_t)take(in) << 6 | take(in) % 64u;
	uint8_t bytes[32];
	size_t len = take(in) % 33u;

	take_bytes(in, bytes, len);
	memcpy(front->rings[ring].desc + at % 0x3000, bytes, len);
	rings++;
}

/* A ring somewhere else in memory, or nowhere. */
static void move_ring(struct front *front, struct input *in)
{
	struct {
		uint32_t index, flags;
		uint64_t part[4];
	} addr = {take(in) % 5u, take(in) & 1u, {0}};

	for (int i = 0; i < 4; i++) {
		uint16_t offset = 0;

		take_bytes(in, &offset, sizeof(offset));
		addr.part[i] = (uintptr_t)front->memory + offset * UINT64_C(64);
	}
	front_message(front, FRONT_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0, NULL, 0);
	rings++;
}

/* A frame of TCP that is left unfinished, with headers that may be anything. */
static void unfinished(struct front *front, struct input *in)
{
	static uint8_t frame[FRONT_LARGE] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2,   0,
					     0,	   0,	 0,    1,    8,	   0,	 0x45};
	struct front_header header = {0};
	uint16_t len = 0;

	take_bytes(in, &header, sizeof(header));
	take_bytes(in, &len, sizeof(len));
	frame[14 + 9] = 6;
	frame[14 + 20 + 12] = 0x50;
	take_bytes(in, frame + 12, take(in) % 80u);
	front_send_large(front, take(in) % front->options.queues, &header, frame, 14u + len);
}

static void frames(struct front *front, struct input *in)
{
	uint8_t frame[1600] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1};
	size_t len = 14 + take(in) * 6u;

	front_send(front, take(in) % front->options.queues, frame, len);
	frame[11] = 2;
	nq_ring_send(sw, "ring", frame, len);
}

static void poll_all(void)
{
	uint8_t frame[4096];

	for (int i = 0; i < 4; i++)
		nq_switch_poll(sw);
	while (nq_ring_receive(sw, "ring", frame, sizeof(frame)))
		;
}

/* What was said is understood, or the connection is over. */
static int settle(struct front *front)
{
	uint64_t features;
	int err = -ETIMEDOUT;

	/* Minutes, since a long run is to give way to all else. */
	for (int i = 0; i < 10 && err == -ETIMEDOUT; i++)
		err = front_message(front, FRONT_GET_FEATURES, NULL, 0, NULL, 0, &features,
				    sizeof(features));
	if (err == -ETIMEDOUT)
		abort(); /* it hangs */
	nq_switch_event(sw);
	poll_all();
	return err;
}

static int step(struct front *front, struct input *in)
{
	switch (take(in) % 10) {
	case 0:
		return any_message(front, in);
	case 1:
		scribble(front, in);
		return 0;
	case 2:
		move_ring(front, in);
		return 0;
	case 3:
		front_enable(front, take(in) % front->ring_count, take(in) & 1);
		return 0;
	case 4:
		return settle(front);
	case 5:
		front_receive(front, take(in) % front->options.queues, (uint8_t[2048]){0}, 2048);
		front_sent(front, 0);
		return 0;
	case 6:
	case 7:
		unfinished(front, in);
		poll_all();
		return 0;
	default:
		frames(front, in);
		poll_all();
		return 0;
	}
}

static void wait_until_down(void)
{
	struct nq_port_info info;

	for (int n = 0;; n++) {
		nq_switch_event(sw);
		nq_port_info(sw, "guest", &info);
		if (!info.up)
			return;
		if (n > 10000000)
			abort();
		nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size, 1};
	uint8_t flags = take(&in);
	struct front_options options = {.packed = flags & 1,
					.mergeable = flags & 2,
					.queues = flags & 4 ? 2 : 1,
					.wanted = flags & 32 ? OFFLOADS : 0,
					.rx_buffer = flags & 8 ? 100 : 0};
	struct front front;
	unsigned count, available;

	if (front_connect(&front, path, &options))
		abort();
	if ((flags & 16) || front_start(&front) == 0)
		for (int i = 0; i < STEPS && step(&front, &in) == 0; i++)
			;
	settle(&front);
	front_close(&front);
	wait_until_down();
	poll_all();
	nq_buffers(sw, &count, &available);
	if (count != available)
		abort();
	return 0;
}
