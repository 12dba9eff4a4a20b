/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rings gone wild: descriptor tables, chains, indirect tables and indices of guests whose messages
 * were all in order, split and packed, with mergeable buffers and without, written over again and
 * again while frames go both ways. A connection is made once, so an input costs a table and a poll
 * and not a negotiation (vhost_fuzz.c has the messages): millions of rings in an hour.
 *
 * What is written is made so that much of it gets past the first check: addresses in a buffer, at
 * an end of memory, in no memory; lengths of a frame, of nothing, of more than there is; chains
 * that loop, leave the table, turn from reading to writing. Whatever it is, the switch comes back
 * from it and gives back every buffer. Left out is the last page of memory: where the virtio header
 * lies in descriptors that are shorter than it, rte_vhost writes the frame behind their end.
 *
 * Input: a byte of options, then rings: a byte of which one, a byte of the index, 16 descriptors of
 * five bytes, repeated over the table, and four that are indirect.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "netqueue/netqueue.h"
#include "tests/fakes/vhost_front.h"

#define GUESTS	4
#define RINGS	8
#define PATTERN 16
#define TABLE	4 /* of an indirect descriptor */
#define MARGIN	4096

/* virtio 1.2 sections 2.7.5 and 2.8.1 */
#define F_NEXT	   1u
#define F_WRITE	   2u
#define F_INDIRECT 4u
#define F_AVAIL	   (1u << 7)
#define F_USED	   (1u << 15)

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t a, b; /* split: flags, next; packed: id, flags */
};

static const char *const names[GUESTS] = {"split", "mergeable", "packed", "both"};
static struct nq_switch *sw;
static struct front guests[GUESTS];
static char folder[] = "/tmp/sluice-rings-XXXXXX";
static uint64_t rings, frames_in, frames_out;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static const char *path_of(unsigned guest)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/%s", folder, names[guest]);
	return path;
}

static void finish(void)
{
	printf("#: %llu rings written over; %llu frames were still taken from them, %llu put in\n",
	       (unsigned long long)rings, (unsigned long long)frames_out,
	       (unsigned long long)frames_in);
	for (unsigned i = 0; i < GUESTS; i++)
		unlink(path_of(i));
	rmdir(folder);
}

static void wait_until_up(unsigned guest)
{
	struct nq_port_info info = {0};

	for (int ms = 0; ms < 20000; ms++) {
		nq_switch_event(sw);
		nq_port_info(sw, names[guest], &info);
		if (info.up && info.queues)
			return;
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	abort();
}

static void open_guest(unsigned guest)
{
	const struct front_options options = {.packed = guest & 2, .mergeable = guest & 1};
	struct nq_port_config port = {
		.bridge = "br", .kind = "vhost", .where = path_of(guest), .server = true};

	nq_port_rules_init(&port.rules);
	snprintf(port.name, sizeof(port.name), "%s", names[guest]);
	if (nq_port_add(sw, &port) || front_connect(&guests[guest], port.where, &options) ||
	    front_start(&guests[guest]))
		abort();
	wait_until_up(guest);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct nq_eal_options eal = {.memory_mb = 64};
	struct nq_options options = {.buffers = 2047, .macs = 256};
	struct nq_bridge_config bridge = {.name = "br", .ageing_s = 10};
	struct nq_port_config ring = {.name = "ring", .bridge = "br", .kind = "ring"};

	(void)argc, (void)argv;
	nq_port_rules_init(&ring.rules);
	if (!mkdtemp(folder) || nq_eal_start(&eal) || nq_switch_create(&options, &sw) ||
	    nq_bridge_add(sw, &bridge) || nq_port_add(sw, &ring))
		abort();
	for (unsigned i = 0; i < GUESTS; i++)
		open_guest(i);
	atexit(finish);
	return 0;
}

/* ---- what is written ---- */

struct input {
	const uint8_t *data;
	size_t size;
	uint64_t more;
};

/* Where the input ends, it goes on with numbers that are made of it (Marsaglia's xorshift). */
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

static uint64_t address(const struct front *front, const struct front_ring *r, uint8_t kind,
			uint8_t detail)
{
	const uint64_t buffers = FRONT_GPA + (uint64_t)(r->buffers - front->memory);
	const uint64_t table = FRONT_GPA + (uint64_t)(r->desc - front->memory);

	switch (kind & 15) {
	case 8:
		return FRONT_GPA + FRONT_MEMORY - MARGIN - detail;
	case 9:
		return FRONT_GPA - detail;
	case 10:
		return UINT64_MAX - detail;
	case 11:
		return detail;
	case 12:
		return table + detail; /* over the ring itself */
	default:
		return buffers + (detail & 63u) * FRONT_BUFFER + (kind & 7u) * 4;
	}
}

static uint32_t length(uint8_t kind, uint8_t detail)
{
	static const uint32_t odd[] = {0,
				       1,
				       11,
				       12,
				       13,
				       FRONT_BUFFER,
				       0x10000,
				       FRONT_MEMORY,
				       1u << 31,
				       UINT32_MAX,
				       UINT32_MAX - 11,
				       26};

	return kind < 16 ? odd[kind % ARRAY_SIZE(odd)] : 12u + detail * 6u;
}

static struct desc any_desc(const struct front *front, const struct front_ring *r, unsigned at,
			    const uint8_t bytes[5])
{
	uint16_t flags = bytes[4] & (F_NEXT | F_WRITE | F_INDIRECT);
	struct desc d = {.addr = address(front, r, bytes[0], bytes[1]),
			 .len = length(bytes[2], bytes[3])};

	if (!front->options.packed) {
		d.a = flags;
		/* Onward, to itself or before, beyond the table. */
		d.b = (uint16_t)(bytes[4] & 0x80 ? bytes[3] : at + 1 + (bytes[4] >> 4 & 1));
		return d;
	}
	d.a = bytes[4] & 0x80 ? (uint16_t)(bytes[3] << 4) : (uint16_t)at;
	/* As made available in this turn of the ring, in the next, or in neither. */
	bool wrap = bytes[4] >> 3 & 1;
	d.b = (uint16_t)(flags | (wrap ? F_AVAIL : F_USED) |
			 ((bytes[4] & 0x70) == 0x70 ? F_AVAIL | F_USED : 0));
	return d;
}

static void write_table(const struct front *front, const struct front_ring *r, void *to,
			unsigned count, const uint8_t (*pattern)[5], unsigned pattern_size)
{
	struct desc *table = to;

	for (unsigned i = 0; i < count; i++)
		table[i] = any_desc(front, r, i, pattern[i % pattern_size]);
}

/* The heads of all chains, and how many are new. */
static void write_avail(const struct front_ring *r, uint8_t ahead, uint8_t stride)
{
	const uint16_t *used = (const uint16_t *)(const void *)r->used;
	uint16_t *avail = (uint16_t *)(void *)r->avail;

	for (unsigned i = 0; i < FRONT_SIZE; i++)
		avail[2 + i] =
			(uint16_t)(i * (stride | 1u)) % (stride & 2 ? UINT16_MAX : FRONT_SIZE);
	__atomic_store_n(&avail[1], (uint16_t)(used[1] + (ahead == 255 ? 40000 : ahead % 72)),
			 __ATOMIC_RELEASE); /* pairs with the device's read */
}

static void write_ring(struct front *front, struct input *in)
{
	uint8_t which = take(in), index = take(in), bytes[PATTERN + TABLE][5];
	struct front_ring *r = &front->rings[which & 1];

	for (unsigned i = 0; i < PATTERN + TABLE; i++)
		for (unsigned b = 0; b < 5; b++)
			bytes[i][b] = take(in);
	/* What an indirect descriptor may point to: the first two of its buffers. */
	write_table(front, r, r->buffers, TABLE, bytes + PATTERN, TABLE);
	write_table(front, r, r->buffers + FRONT_BUFFER, TABLE, bytes + PATTERN, TABLE);
	write_table(front, r, r->desc, FRONT_SIZE, bytes, PATTERN);
	if (!front->options.packed)
		write_avail(r, index, which);
	rings++;
}

/* ---- frames ---- */

static void drain(void)
{
	uint8_t frame[4096];

	while (nq_ring_receive(sw, "ring", frame, sizeof(frame)))
		frames_out++;
}

static void exchange(uint8_t len)
{
	uint8_t frame[1600] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 9};

	for (unsigned i = 0; i < 3; i++)
		frames_in += nq_ring_send(sw, "ring", frame, 14 + len * 6u) == 0;
	/* A ring that is never at its end is a burst each time, and no more. */
	for (unsigned i = 0; i < 2; i++)
		nq_switch_poll(sw);
	drain();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size, 1};
	uint8_t options = take(&in);
	struct front *front = &guests[options % GUESTS];
	unsigned count, available;

	for (unsigned i = 0; i < RINGS; i++) {
		write_ring(front, &in);
		exchange(options);
	}
	nq_buffers(sw, &count, &available);
	if (count != available)
		abort();
	return 0;
}
