/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * port_vhost: what only some frontends ask for: pages told that were written (for a guest that is
 * moved to another host), an announcement of where the guest is now, its MTU, and as many queues as
 * there can be. As QEMU's docs/interop/vhost-user.rst has it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tests/fakes/vhost_front.h"
#include "tests/netqueue/rig.h"

#define PATIENCE_MS 20000
#define PAGE	    4096u
#define F_MTU	    3
#define F_LOG_ALL   26
#define P_LOG_SHMFD 1
#define P_RARP	    2
#define P_NET_MTU   4
#define BIT(n)	    (UINT64_C(1) << (n))
#define LOG_BYTES   ((FRONT_GPA + FRONT_MEMORY) / PAGE / 8)

static struct rig rig;
static struct front front;
static char folder[] = "/tmp/sluice-move-XXXXXX", path[64];

static struct nq_port_info info(void)
{
	struct nq_port_info out;

	assert_int_equal(nq_port_info(rig.sw, "a", &out), 0);
	return out;
}

/* The library's thread answers in its own time. */
static void run_until_queues(unsigned queues)
{
	for (int ms = 0; ms < PATIENCE_MS; ms++) {
		nq_switch_event(rig.sw);
		rig_poll(&rig);
		if (info().up && info().queues == queues)
			return;
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	fail_msg("waited in vain for %u queues", queues);
}

static void open_guest(unsigned queues, uint64_t wanted, uint64_t protocol)
{
	const struct front_options options = {
		.queues = queues, .wanted = wanted, .protocol = protocol};
	struct nq_port_config config = {.name = "a",
					.bridge = "br",
					.kind = "vhost",
					.where = path,
					.server = true,
					.queues = queues};

	rig_open(&rig, 0);
	rig_port(&rig, "ring", NULL);
	nq_port_rules_init(&config.rules);
	assert_int_equal(nq_port_add(rig.sw, &config), 0);
	assert_int_equal(front_connect(&front, path, &options), 0);
	assert_int_equal(front_start(&front), 0);
	assert_int_equal(front.features & wanted, wanted); /* it was offered */
	assert_int_equal(front.protocol & protocol, protocol);
	run_until_queues(queues);
}

static void close_guest(void)
{
	front_close(&front);
	rig_close(&rig);
}

static void send_by(unsigned queue, const char *text)
{
	uint8_t frame[RIG_FRAME];
	size_t len = rig_frame(text, frame);

	assert_int_equal(front_send(&front, queue, frame, len), 0);
}

static size_t receive(unsigned queue)
{
	uint8_t frame[RIG_FRAME];

	rig_poll(&rig);
	size_t len = front_receive(&front, queue, frame, sizeof(frame));
	front_post(&front, queue);
	return len;
}

/* All that was said before has been read. */
static void settle(void)
{
	uint64_t sink;

	assert_int_equal(
		front_message(&front, FRONT_GET_QUEUE_NUM, NULL, 0, NULL, 0, &sink, sizeof(sink)),
		0);
}

/* ---- migration ---- */

static bool is_dirty(const uint8_t *log, const uint8_t *at)
{
	uint64_t page = (FRONT_GPA + (uint64_t)(at - front.memory)) / PAGE;

	return log[page / 8] >> (page % 8) & 1;
}

static unsigned count_dirty(const uint8_t *log)
{
	unsigned n = 0;

	for (size_t i = 0; i < LOG_BYTES; i++)
		n += (unsigned)__builtin_popcount(log[i]);
	return n;
}

static void start_log(int fd)
{
	const uint64_t base[2] = {LOG_BYTES, 0};
	uint64_t features = front.features | BIT(F_LOG_ALL);
	uint8_t nothing;

	/* Answered in any case, with an empty message. */
	assert_int_equal(
		front_message(&front, FRONT_SET_LOG_BASE, base, sizeof(base), &fd, 1, &nothing, 0),
		0);
	assert_int_equal(front_message(&front, FRONT_SET_FEATURES, &features, sizeof(features),
				       NULL, 0, NULL, 0),
			 0);
	for (uint32_t ring = 0; ring < 2; ring++) {
		const struct front_ring *r = &front.rings[ring];
		const struct {
			uint32_t index, flags;
			uint64_t desc, used, avail, log;
		} addr = {ring,
			  1, /* log what is written to the used ring, too */
			  (uintptr_t)r->desc,
			  (uintptr_t)r->used,
			  (uintptr_t)r->avail,
			  FRONT_GPA + (uint64_t)(r->used - front.memory)};

		assert_int_equal(front_message(&front, FRONT_SET_VRING_ADDR, &addr, sizeof(addr),
					       NULL, 0, NULL, 0),
				 0);
	}
	settle();
}

static void test_dirty_log(void **state)
{
	int fd = memfd_create("log", MFD_CLOEXEC);

	(void)state;
	open_guest(1, 0, BIT(P_LOG_SHMFD));
	assert_int_equal(ftruncate(fd, LOG_BYTES), 0);
	uint8_t *log = mmap(NULL, LOG_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(log != MAP_FAILED);

	rig_send(&rig, "ring", "all r");
	assert_int_equal(receive(0), 60);
	start_log(fd);
	assert_int_equal(count_dirty(log), 0); /* what was before does not count */
	const uint8_t *buffer = front.rings[0].buffers + FRONT_BUFFER; /* the second one */
	rig_send(&rig, "ring", "all r len=1514");
	assert_int_equal(receive(0), 1514);
	assert_true(is_dirty(log, buffer));
	assert_true(is_dirty(log, front.rings[0].used));
	assert_false(is_dirty(log, front.rings[0].buffers + 20 * FRONT_BUFFER));
	assert_in_range(count_dirty(log), 2, 3); /* these, and nothing else */
	/* Sending writes the used ring, and no buffer. */
	memset(log, 0, LOG_BYTES);
	send_by(0, "all a");
	rig_expect(&rig, "ring", "all a");
	assert_int_equal(front_sent(&front, 0), 1);
	assert_true(is_dirty(log, front.rings[1].used));
	assert_int_equal(count_dirty(log), 1);
	munmap(log, LOG_BYTES);
	close(fd);
	close_guest();
}

/* Come to another host: the switch says in the guest's name where it is now. */
static void test_rarp(void **state)
{
	const uint8_t mac[8] = {2, 0, 0, 0, 0, 'a', 0, 0};
	uint8_t got[RIG_FRAME];
	int len = 0;

	(void)state;
	open_guest(1, 0, BIT(P_RARP));
	assert_int_equal(front_message(&front, FRONT_SEND_RARP, mac, sizeof(mac), NULL, 0, NULL, 0),
			 0);
	settle();
	/* Now it is known here, without the guest having said a word. */
	for (int ms = 0; ms < PATIENCE_MS && !len; ms++) {
		rig_poll(&rig);
		len = nq_ring_receive(rig.sw, "ring", got, sizeof(got));
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	assert_true(len >= 42);
	assert_memory_equal(got,
			    "\xff\xff\xff\xff\xff\xff\x02\0\0\0\0"
			    "a\x80\x35",
			    14);
	assert_int_equal(info().macs, 1);
	rig_send(&rig, "ring", "a r");
	assert_int_equal(receive(0), 60);
	close_guest();
}

/* ---- MTU ---- */

static void test_mtu(void **state)
{
	const uint64_t mtu = 1400;

	(void)state;
	open_guest(1, BIT(F_MTU), BIT(P_NET_MTU));
	/* The port's own holds while the guest has said none. */
	rig_send(&rig, "ring", "all r len=1514");
	assert_int_equal(receive(0), 1514);
	assert_int_equal(front_message(&front, FRONT_SET_MTU, &mtu, sizeof(mtu), NULL, 0, NULL, 0),
			 0);
	/* It is looked at when the driver starts. */
	assert_int_equal(front_stop(&front), 0);
	front_reset_rings(&front);
	assert_int_equal(front_start(&front), 0);
	run_until_queues(1);
	nq_switch_event(rig.sw);
	rig_send(&rig, "ring", "all r len=1514");
	assert_int_equal(receive(0), 0);
	rig_send(&rig, "ring", "all r len=1414");
	assert_int_equal(receive(0), 1414);
	send_by(0, "all a len=1514");
	rig_expect_none(&rig, "ring");
	assert_int_equal(rig_drops(&rig, "a", NQ_DROP_OVERSIZE), 1);
	close_guest();
}

/* ---- queues ---- */

static void test_sixteen_queues(void **state)
{
	struct nq_worker_info worker;

	(void)state;
	open_guest(16, 0, 0);
	nq_worker_info(rig.sw, 0, &worker);
	assert_int_equal(worker.queues, 17); /* and the ring's */
	for (unsigned queue = 0; queue < 16; queue++) {
		send_by(queue, "all a len=99");
		rig_expect(&rig, "ring", "all a len=99");
		assert_int_equal(front_sent(&front, queue), 1);
	}
	/* Frames to it are spread by flow: here by their addresses. */
	unsigned used = 0, arrived = 0;
	for (int from = 'c'; from <= 'z'; from++) {
		char text[16];

		snprintf(text, sizeof(text), "a %c", from);
		rig_send(&rig, "ring", text);
	}
	for (unsigned queue = 0; queue < 16; queue++) {
		unsigned here = 0;

		while (receive(queue))
			here++;
		arrived += here;
		used += here > 0;
	}
	assert_int_equal(arrived, 'z' - 'c' + 1);
	assert_true(used > 4);
	close_guest();
}

static int start_group(void **state)
{
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/a", folder);
	return rig_eal_start(state);
}

static int stop_group(void **state)
{
	unlink(path);
	rmdir(folder);
	return rig_eal_stop(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dirty_log),
		cmocka_unit_test(test_rarp),
		cmocka_unit_test(test_mtu),
		cmocka_unit_test(test_sixteen_queues),
	};
	return cmocka_run_group_tests(tests, start_group, stop_group);
}
