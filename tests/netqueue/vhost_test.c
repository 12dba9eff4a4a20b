/* SPDX-License-Identifier: BSD-3-Clause */
/* port_vhost: guests of both ring formats, behind servers and clients, well behaved and not. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/fakes/vhost_front.h"
#include "tests/netqueue/rig.h"

#define PATIENCE_MS 20000

static struct rig rig;
static char folder[] = "/tmp/sluice-vhost-XXXXXX";

static char *path_of(const char *name)
{
	static char paths[4][64];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

/* The library's thread answers in its own time: until `done`, with the switch running meanwhile. */
static void wait_until(bool (*done)(const char *port), const char *port)
{
	unsigned times = 0;

	for (int ms = 0; ms < PATIENCE_MS; ms++) {
		nq_switch_event(rig.sw);
		rig_poll(&rig);
		/* Twice: it may have become so after the event was looked at. */
		times = done(port) ? times + 1 : 0;
		if (times == 2)
			return;
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	fail_msg("%s: waited in vain", port);
}

static struct nq_port_info info_of(const char *port)
{
	struct nq_port_info info;

	assert_int_equal(nq_port_info(rig.sw, port, &info), 0);
	return info;
}

static bool is_up(const char *port)
{
	return info_of(port).up;
}

static bool is_down(const char *port)
{
	return !info_of(port).up;
}

static bool has_two_queues(const char *port)
{
	return info_of(port).queues == 2;
}

static bool has_one_queue(const char *port)
{
	return info_of(port).queues == 1;
}

static void add_port(const char *name, bool server, unsigned queues)
{
	struct nq_port_config config = {.bridge = "br",
					.kind = "vhost",
					.where = path_of(name),
					.server = server,
					.queues = queues};

	snprintf(config.name, sizeof(config.name), "%s", name);
	nq_port_rules_init(&config.rules);
	assert_int_equal(nq_port_add(rig.sw, &config), 0);
}

/* A guest whose driver runs, behind a port of its own. */
static void guest(struct front *front, const char *name, struct front_options options)
{
	add_port(name, true, options.queues);
	assert_int_equal(front_connect(front, path_of(name), &options), 0);
	assert_int_equal(front_start(front), 0);
	wait_until(is_up, name);
}

static void send_text(struct front *front, unsigned queue, const char *text)
{
	uint8_t frame[RIG_FRAME];
	size_t len = rig_frame(text, frame);

	assert_int_equal(front_send(front, queue, frame, len), 0);
}

static void expect_text(struct front *front, unsigned queue, const char *text)
{
	uint8_t got[RIG_FRAME], wanted[RIG_FRAME];
	size_t len = rig_frame(text, wanted);

	rig_poll(&rig);
	assert_int_equal(front_receive(front, queue, got, sizeof(got)), len);
	assert_memory_equal(got, wanted, len);
	front_post(front, queue);
}

static void expect_nothing(struct front *front, unsigned queue)
{
	uint8_t got[RIG_FRAME];

	rig_poll(&rig);
	assert_int_equal(front_receive(front, queue, got, sizeof(got)), 0);
}

static int setup(void **state)
{
	(void)state;
	rig_open(&rig, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_close(&rig);
	return 0;
}

/* ---- two guests talk ---- */

static void talk(const struct front_options *one, const struct front_options *two)
{
	struct front a, b;
	struct nq_stats stats;

	guest(&a, "a", *one);
	guest(&b, "b", *two);
	for (int round = 0; round < 200; round++) { /* several times round the rings */
		send_text(&a, 0, "b a");
		send_text(&a, 0, "b a len=1514");
		rig_poll(&rig);
		assert_int_equal(front_sent(&a, 0), 2);
		expect_text(&b, 0, "b a");
		expect_text(&b, 0, "b a len=1514");
		send_text(&b, 0, "a b len=333");
		expect_text(&a, 0, "a b len=333");
		assert_int_equal(front_sent(&b, 0), 1);
		expect_nothing(&a, 0);
		expect_nothing(&b, 0);
	}
	assert_int_equal(nq_port_stats(rig.sw, "a", &stats), 0);
	assert_int_equal(stats.rx_packets, 400);
	assert_int_equal(stats.tx_packets, 200);
	assert_int_equal(stats.tx_bytes, 200 * 333);
	front_close(&a);
	front_close(&b);
	wait_until(is_down, "a");
	wait_until(is_down, "b");
}

static void test_split(void **state)
{
	static const struct front_options one = {0}, two = {.mergeable = true};

	(void)state;
	talk(&one, &two);
}

static void test_packed(void **state)
{
	static const struct front_options one = {.packed = true},
					  two = {.packed = true, .mergeable = true};

	(void)state;
	talk(&one, &two);
}

static void test_both_formats(void **state)
{
	static const struct front_options one = {.packed = true}, two = {0};

	(void)state;
	talk(&one, &two);
}

static void test_small_buffers(void **state)
{
	static const struct front_options one = {.mergeable = true, .rx_buffer = 300},
					  two = {.packed = true,
						 .mergeable = true,
						 .rx_buffer = 128};

	(void)state;
	talk(&one, &two);
}

/* One frame, never copied inside, to guests of all sorts. */
static void test_flood(void **state)
{
	struct front a, b, c;
	struct nq_stats stats;

	(void)state;
	guest(&a, "a", (struct front_options){0});
	guest(&b, "b", (struct front_options){.packed = true});
	guest(&c, "c", (struct front_options){.mergeable = true});
	rig_port(&rig, "ring", NULL);
	for (int i = 0; i < 100; i++) {
		send_text(&a, 0, "all a len=700");
		expect_text(&b, 0, "all a len=700");
		expect_text(&c, 0, "all a len=700");
		rig_expect(&rig, "ring", "all a len=700");
		assert_int_equal(front_sent(&a, 0), 1);
	}
	assert_int_equal(nq_port_stats(rig.sw, "a", &stats), 0);
	assert_int_equal(stats.copies, 0);
	front_close(&a);
	front_close(&b);
	front_close(&c);
}

/* ---- coming and going ---- */

static void test_comes_back(void **state)
{
	struct front front;

	(void)state;
	rig_port(&rig, "ring", NULL);
	add_port("a", true, 1);
	for (int i = 0; i < 10; i++) {
		struct front_options options = {.packed = i % 2};

		rig_send(&rig, "ring", "all r");
		rig_poll(&rig);
		assert_int_equal(rig_drops(&rig, "a", NQ_DROP_DOWN), i + 1);
		assert_int_equal(front_connect(&front, path_of("a"), &options), 0);
		assert_int_equal(front_start(&front), 0);
		wait_until(is_up, "a");
		send_text(&front, 0, "all a");
		rig_expect(&rig, "ring", "all a");
		front_close(&front);
		wait_until(is_down, "a");
	}
}

/* A guest that reboots: its driver stops and starts, the connection stays. */
static void test_driver_restarts(void **state)
{
	struct front front;

	(void)state;
	rig_port(&rig, "ring", NULL);
	guest(&front, "a", (struct front_options){0});
	for (int i = 0; i < 5; i++) {
		send_text(&front, 0, "all a");
		rig_expect(&rig, "ring", "all a");
		assert_int_equal(front_stop(&front), 0);
		wait_until(is_down, "a");
		front_reset_rings(&front);
		assert_int_equal(front_start(&front), 0);
		wait_until(is_up, "a");
		rig_send(&rig, "ring", "all r");
		expect_text(&front, 0, "all r");
	}
	front_close(&front);
}

/* As client the switch comes by itself, also when the other side was away. */
static void test_client(void **state)
{
	struct front front;
	int listener = front_listen(path_of("c"));

	(void)state;
	assert_true(listener >= 0);
	rig_port(&rig, "ring", NULL);
	add_port("c", false, 1);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(front_accept(&front, listener, &(struct front_options){0}), 0);
		assert_int_equal(front_start(&front), 0);
		wait_until(is_up, "c");
		send_text(&front, 0, "all c");
		rig_expect(&rig, "ring", "all c");
		front_close(&front);
		wait_until(is_down, "c");
	}
	close(listener);
	unlink(path_of("c"));
}

/* A new switch at the old socket, and the rings go on where they were. */
static void test_switch_restarts(void **state)
{
	struct front front;

	(void)state;
	int listener = front_listen(path_of("d"));
	for (int i = 0; i < 2; i++) {
		add_port("d", false, 1);
		rig_port(&rig, "ring", NULL);
		if (i == 0) {
			assert_int_equal(front_accept(&front, listener, &(struct front_options){0}),
					 0);
		} else { /* the connection is new, the rings are not */
			close(front.socket);
			front.socket = accept(listener, NULL, NULL);
		}
		assert_int_equal(front_start(&front), 0);
		wait_until(is_up, "d");
		for (int n = 0; n < 100; n++) {
			send_text(&front, 0, "all d");
			rig_expect(&rig, "ring", "all d");
			rig_send(&rig, "ring", "d r");
			expect_text(&front, 0, "d r");
			assert_int_equal(front_sent(&front, 0), 1);
		}
		assert_int_equal(nq_port_remove(rig.sw, "d"), 0);
		assert_int_equal(nq_port_remove(rig.sw, "ring"), 0);
	}
	front_close(&front);
	close(listener);
	unlink(path_of("d"));
}

static void test_queues(void **state)
{
	struct front front;
	struct nq_worker_info info;

	(void)state;
	rig_port(&rig, "ring", NULL);
	guest(&front, "q", (struct front_options){.queues = 2});
	wait_until(has_two_queues, "q");
	send_text(&front, 0, "all a");
	rig_expect(&rig, "ring", "all a");
	send_text(&front, 1, "all b");
	rig_expect(&rig, "ring", "all b");
	nq_worker_info(rig.sw, 0, &info);
	assert_int_equal(info.queues, 3);
	assert_int_equal(front_enable(&front, 3, false), 0);
	wait_until(has_one_queue, "q");
	nq_worker_info(rig.sw, 0, &info);
	assert_int_equal(info.queues, 2); /* what is off is not asked */
	send_text(&front, 1, "all c");
	rig_expect_none(&rig, "ring");
	assert_int_equal(front_enable(&front, 3, true), 0);
	wait_until(has_two_queues, "q");
	rig_expect(&rig, "ring", "all c");
	front_close(&front);
}

/* Which of the guest's queues a UDP frame from `port` comes out of. */
static unsigned queue_of(struct front *front, uint8_t port)
{
	uint8_t frame[RIG_FRAME], got[RIG_FRAME];
	size_t len = rig_frame("a r type=0800", frame);

	memset(frame + 14, 0, 28);
	frame[14] = 0x45;
	frame[23] = 17;
	frame[35] = port;
	assert_int_equal(nq_ring_send(rig.sw, "ring", frame, len), 0);
	rig_poll(&rig);
	for (unsigned queue = 0; queue < 4; queue++)
		if (front_receive(front, queue, got, sizeof(got)) == len) {
			assert_memory_equal(frame, got, len);
			front_post(front, queue);
			return queue;
		}
	fail_msg("port %u: came out nowhere", port);
	return 4;
}

static bool has_four_queues(const char *port)
{
	return info_of(port).queues == 4;
}

/* One worker, four queues of the guest: flows are spread, and each stays where it is. */
static void test_flows(void **state)
{
	struct front front;
	unsigned used[4] = {0};

	(void)state;
	rig_port(&rig, "ring", NULL);
	guest(&front, "q", (struct front_options){.queues = 4});
	wait_until(has_four_queues, "q");
	send_text(&front, 3, "all a");
	rig_expect(&rig, "ring", "all a");
	for (unsigned port = 0; port < 200; port++) {
		unsigned queue = queue_of(&front, (uint8_t)port);

		assert_int_equal(queue_of(&front, (uint8_t)port), queue);
		used[queue]++;
	}
	for (unsigned queue = 0; queue < 4; queue++)
		assert_in_range(used[queue], 20, 100);
	front_close(&front);
}

/* ---- bad guests ---- */

/* One that takes nothing loses its own frames. */
static void test_never_drains(void **state)
{
	struct front a, b, c;
	uint8_t got[RIG_FRAME];
	struct nq_stats stats;
	unsigned received = 0;

	(void)state;
	guest(&a, "a", (struct front_options){0});
	guest(&b, "b", (struct front_options){0});
	guest(&c, "c", (struct front_options){0});
	for (int i = 0; i < 1000; i++) {
		send_text(&a, 0, "all a");
		rig_poll(&rig);
		assert_int_equal(front_sent(&a, 0), 1);
		while (front_receive(&c, 0, got, sizeof(got)))
			received++;
		front_post(&c, 0);
	}
	assert_int_equal(received, 1000);
	assert_int_equal(nq_port_stats(rig.sw, "b", &stats), 0);
	assert_int_equal(stats.tx_packets, FRONT_SIZE);
	assert_int_equal(stats.drops[NQ_DROP_FULL], 1000 - FRONT_SIZE);
	front_close(&a);
	front_close(&b);
	front_close(&c);
}

/* Buffers too small for one frame: that one is lost, those behind it are not. */
static void test_frame_too_large(void **state)
{
	struct front front;

	(void)state;
	rig_port(&rig, "ring", NULL);
	guest(&front, "a", (struct front_options){.rx_buffer = 512});
	rig_send(&rig, "ring", "all r len=100");
	rig_send(&rig, "ring", "all r len=1000");
	rig_send(&rig, "ring", "all r len=1000");
	rig_send(&rig, "ring", "all r len=400");
	rig_send(&rig, "ring", "all r len=1400");
	expect_text(&front, 0, "all r len=100");
	expect_text(&front, 0, "all r len=400");
	expect_nothing(&front, 0);
	assert_int_equal(rig_drops(&rig, "a", NQ_DROP_OVERSIZE), 2);
	assert_int_equal(rig_drops(&rig, "a", NQ_DROP_FULL), 1); /* the last: nothing tells why */
	rig_send(&rig, "ring", "all r len=60");
	expect_text(&front, 0, "all r len=60");
	front_close(&front);
}

/* Frames larger than it may send. */
static void test_guest_sends_too_much(void **state)
{
	struct front front;

	(void)state;
	rig_port(&rig, "ring", NULL);
	guest(&front, "a", (struct front_options){0});
	send_text(&front, 0, "all a len=1600");
	send_text(&front, 0, "all a len=1514");
	rig_expect(&rig, "ring", "all a len=1514");
	assert_int_equal(rig_drops(&rig, "a", NQ_DROP_OVERSIZE), 1);
	front_close(&front);
}

/* Removed with a guest at the other end, who is then told by the end of the connection. */
static void test_removed(void **state)
{
	struct front front;
	struct pollfd gone;

	(void)state;
	guest(&front, "a", (struct front_options){0});
	assert_int_equal(nq_port_remove(rig.sw, "a"), 0);
	gone = (struct pollfd){.fd = front.socket, .events = POLLIN};
	assert_int_equal(poll(&gone, 1, PATIENCE_MS), 1);
	assert_true(gone.revents & POLLHUP);
	front_close(&front);
}

static void test_refused(void **state)
{
	struct nq_port_config config = {.name = "x", .bridge = "br", .kind = "vhost"};

	(void)state;
	nq_port_rules_init(&config.rules);
	config.server = true;
	config.where = "relative";
	assert_int_equal(nq_port_add(rig.sw, &config), -EINVAL);
	config.where = "/tmp/no/such/folder/x";
	assert_int_equal(nq_port_add(rig.sw, &config), -EADDRNOTAVAIL);
	add_port("a", true, 1);
	config.where = path_of("a");
	assert_int_equal(nq_port_add(rig.sw, &config), -EADDRINUSE);
	/* A socket that somebody else listens on stays; one that was left behind does not. */
	int listener = front_listen(path_of("b"));
	assert_true(listener >= 0);
	config.where = path_of("b");
	assert_int_equal(nq_port_add(rig.sw, &config), -EADDRNOTAVAIL);
	close(listener);
	assert_int_equal(nq_port_add(rig.sw, &config), 0);
}

/* ---- with threads ---- */

static int setup_threads(void **state)
{
	(void)state;
	rig_open(&rig, 2);
	return 0;
}

/* Two guests talk while a third comes and goes; none of theirs is lost. */
static void test_threads(void **state)
{
	struct front a, b, c;
	uint8_t frame[RIG_FRAME], got[RIG_FRAME];
	size_t len = rig_frame("b a", frame);
	unsigned sent = 0, received = 0;

	(void)state;
	guest(&a, "a", (struct front_options){0});
	guest(&b, "b", (struct front_options){.packed = true});
	add_port("c", true, 1);
	send_text(&b, 0, "all b");
	while (!info_of("b").macs)
		nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(front_connect(&c, path_of("c"), &(struct front_options){0}), 0);
		assert_int_equal(front_start(&c), 0);
		for (unsigned n = 0; n < 100;) {
			nq_switch_event(rig.sw);
			/* Never more on the way than fit into b's ring. */
			if (sent - received < FRONT_SIZE / 2 && front_send(&a, 0, frame, len) == 0)
				sent++, n++;
			front_sent(&a, 0);
			while (front_receive(&b, 0, got, sizeof(got)) == len)
				received++;
			front_post(&b, 0);
		}
		front_close(&c);
	}
	while (received < sent) {
		received += front_receive(&b, 0, got, sizeof(got)) == len;
		nq_switch_event(rig.sw);
	}
	front_close(&a);
	front_close(&b);
}

#define CASE(test)	   cmocka_unit_test_setup_teardown(test, setup, teardown)
#define CASE_THREADS(test) cmocka_unit_test_setup_teardown(test, setup_threads, teardown)

static int start_group(void **state)
{
	return mkdtemp(folder) ? rig_eal_start(state) : -1;
}

static int stop_group(void **state)
{
	static const char *const names[] = {"a", "b", "c", "d", "q"};

	for (unsigned i = 0; i < 5; i++)
		unlink(path_of(names[i]));
	rmdir(folder);
	return rig_eal_stop(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_split),	    CASE(test_packed),
		CASE(test_both_formats),    CASE(test_small_buffers),
		CASE(test_flood),	    CASE(test_comes_back),
		CASE(test_driver_restarts), CASE(test_client),
		CASE(test_switch_restarts), CASE(test_queues),
		CASE(test_flows),	    CASE(test_never_drains),
		CASE(test_frame_too_large), CASE(test_guest_sends_too_much),
		CASE(test_removed),	    CASE(test_refused),
		CASE_THREADS(test_threads),
	};
	return cmocka_run_group_tests(tests, start_group, stop_group);
}
