/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Peers that are broken or hostile, and a host that lacks something: whatever it is, a clear line
 * says so, and everybody else is served as before. Two well-behaved guests talk past each of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/fakes/vhost_front.h"
#include "tests/netqueue/rig.h"

#define PATIENCE_MS 20000
#define F_NEXT	    1u
#define F_WRITE	    2u
#define F_INDIRECT  4u
#define F_AVAIL	    (1u << 7)

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t a, b; /* split: flags, next; packed: id, flags */
};

static struct rig rig;
static struct front good[2], bad;
static char folder[] = "/tmp/sluice-hostile-XXXXXX";
static const char *const good_names[2] = {"a", "b"};

static const char *path_of(const char *name)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static bool is_up(const char *port)
{
	struct nq_port_info info;

	assert_int_equal(nq_port_info(rig.sw, port, &info), 0);
	return info.up;
}

static void wait_until(const char *port, bool up)
{
	for (int ms = 0; ms < PATIENCE_MS; ms++) {
		nq_switch_event(rig.sw);
		rig_poll(&rig);
		if (is_up(port) == up)
			return;
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	fail_msg("%s: waited in vain", port);
}

static void add_port(const char *name)
{
	struct nq_port_config config = {
		.bridge = "br", .kind = "vhost", .where = path_of(name), .server = true};

	snprintf(config.name, sizeof(config.name), "%s", name);
	nq_port_rules_init(&config.rules);
	assert_int_equal(nq_port_add(rig.sw, &config), 0);
}

static void connect_guest(struct front *front, const char *name, struct front_options options)
{
	assert_int_equal(front_connect(front, path_of(name), &options), 0);
	assert_int_equal(front_start(front), 0);
	wait_until(name, true);
}

/* The two good ones reach each other, in both directions, without a frame lost. */
static void check_good_ones(void)
{
	static const char *const texts[2] = {"b a len=600", "a b len=90"};
	uint8_t frame[RIG_FRAME], got[RIG_FRAME];

	for (unsigned i = 0; i < 2; i++) { /* what was for all, before */
		while (front_receive(&good[i], 0, got, sizeof(got)))
			;
		front_post(&good[i], 0);
	}
	for (int round = 0; round < 100; round++)
		for (unsigned from = 0; from < 2; from++) {
			size_t len = rig_frame(texts[from], frame);

			assert_int_equal(front_send(&good[from], 0, frame, len), 0);
			/* A ring that never seems empty is a burst a round, not the end. */
			nq_switch_poll(rig.sw);
			nq_switch_poll(rig.sw);
			assert_int_equal(front_sent(&good[from], 0), 1);
			size_t n = front_receive(&good[1 - from], 0, got, sizeof(got));
			while (n && memcmp(got, frame, 12)) { /* what the bad one has sent to all */
				front_post(&good[1 - from], 0);
				n = front_receive(&good[1 - from], 0, got, sizeof(got));
			}
			assert_int_equal(n, len);
			assert_memory_equal(got, frame, len);
			front_post(&good[1 - from], 0);
			while (front_receive(&good[from], 0, got, sizeof(got)))
				;
			front_post(&good[from], 0);
		}
}

static int setup(void **state)
{
	(void)state;
	rig_open(&rig, 0);
	for (unsigned i = 0; i < 2; i++) {
		add_port(good_names[i]);
		connect_guest(&good[i], good_names[i], (struct front_options){.packed = i});
	}
	add_port("bad");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++)
		front_close(&good[i]);
	rig_close(&rig);
	return 0;
}

/* ---- rings ---- */

/* The whole table of both rings is `d`, for every index a guest may give. */
static void fill_tables(struct desc d, bool packed, uint16_t ahead)
{
	for (unsigned n = 0; n < 2; n++) {
		struct front_ring *r = &bad.rings[n];
		struct desc *table = (struct desc *)(void *)r->desc;
		uint16_t *avail = (uint16_t *)(void *)r->avail;
		const uint16_t *used = (const uint16_t *)(const void *)r->used;

		for (uint16_t i = 0; i < FRONT_SIZE; i++) {
			table[i] = d;
			if (packed) {
				table[i].b = (uint16_t)(d.a | F_AVAIL);
				table[i].a = i;
			} else {
				avail[2 + i] = i;
			}
		}
		if (!packed)
			__atomic_store_n(&avail[1], (uint16_t)(used[1] + ahead), __ATOMIC_RELEASE);
	}
}

/* A guest with such tables, of both formats, merging buffers and not, sends and is sent to. */
static void with_tables(struct desc d, uint16_t ahead)
{
	for (unsigned kind = 0; kind < 4; kind++) {
		connect_guest(&bad, "bad",
			      (struct front_options){.packed = kind & 1, .mergeable = kind & 2});
		for (int round = 0; round < 20; round++) {
			fill_tables(d, kind & 1, ahead);
			front_send(&good[0], 0,
				   (uint8_t[60]){0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0,
						 'a'},
				   60);
			nq_switch_poll(rig.sw);
			assert_int_equal(front_sent(&good[0], 0), 1);
		}
		front_close(&bad);
		wait_until("bad", false);
		check_good_ones();
	}
}

static void test_tables_malformed(void **state)
{
	(void)state;
	with_tables((struct desc){.addr = 0, .len = 100, .a = F_WRITE}, 32);
	with_tables((struct desc){.addr = UINT64_MAX, .len = 100, .a = F_WRITE}, 32);
	with_tables((struct desc){.addr = FRONT_GPA + FRONT_MEMORY, .len = 100}, 32);
	with_tables((struct desc){.addr = FRONT_GPA, .len = 100, .a = F_NEXT, .b = 60000}, 32);
	with_tables((struct desc){.addr = FRONT_GPA + FRONT_MEMORY, .len = 64, .a = F_INDIRECT},
		    32);
	with_tables((struct desc){.addr = FRONT_GPA, .len = 64, .a = F_INDIRECT | F_NEXT}, 32);
}

static void test_rings_that_loop(void **state)
{
	(void)state;
	for (uint16_t next = 0; next < 3; next++)
		with_tables((struct desc){.addr = FRONT_GPA + 0x100000,
					  .len = 1,
					  .a = F_NEXT | F_WRITE,
					  .b = next},
			    32);
	with_tables((struct desc){.addr = FRONT_GPA, .len = 1024, .a = F_INDIRECT}, 32);
}

static void test_lengths_that_lie(void **state)
{
	static const uint32_t lengths[] = {0, 1, 11, 12, 13, 25, FRONT_MEMORY, UINT32_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
		with_tables((struct desc){.addr = FRONT_GPA + 0x100000,
					  .len = lengths[i],
					  .a = F_WRITE},
			    32);
}

/* More waits than the ring has entries, also in buffers of nothing: what made rte_vhost write past
 * its own array. */
static void test_index_that_lies(void **state)
{
	(void)state;
	for (uint32_t len = 0; len < 2; len++) {
		with_tables((struct desc){.addr = FRONT_GPA + 0x100000, .len = len, .a = F_WRITE},
			    40000);
		with_tables((struct desc){.addr = FRONT_GPA + 0x100000,
					  .len = 2000 * len,
					  .a = F_WRITE},
			    FRONT_SIZE + 1);
	}
}

static void test_small_ring(void **state)
{
	const uint32_t size[2] = {0, 8}, size1[2] = {1, 8};

	(void)state;
	connect_guest(&bad, "bad", (struct front_options){0});
	assert_int_equal(
		front_message(&bad, FRONT_SET_VRING_NUM, size, sizeof(size), NULL, 0, NULL, 0), 0);
	assert_int_equal(
		front_message(&bad, FRONT_SET_VRING_NUM, size1, sizeof(size1), NULL, 0, NULL, 0),
		0);
	for (int i = 0; i < 20; i++) {
		fill_tables((struct desc){.addr = FRONT_GPA + 0x100000, .len = 70, .a = F_WRITE},
			    false, 40000);
		for (int n = 0; n < 4; n++)
			nq_switch_poll(rig.sw);
	}
	front_close(&bad);
	wait_until("bad", false);
	check_good_ones();
}

/* ---- messages ---- */

static void test_features_changed_in_flight(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 64; bit++) {
		connect_guest(&bad, "bad", (struct front_options){0});
		uint64_t features = bad.features ^ UINT64_C(1) << bit;

		front_message(&bad, FRONT_SET_FEATURES, &features, sizeof(features), NULL, 0, NULL,
			      0);
		/* A guest of the former kind goes on meanwhile. */
		uint8_t frame[RIG_FRAME];
		size_t len = rig_frame("all x", frame);
		front_send(&bad, 0, frame, len);
		nq_switch_event(rig.sw);
		nq_switch_poll(rig.sw);
		front_close(&bad);
		wait_until("bad", false);
	}
	check_good_ones();
}

/* Each message may be the one before which it goes. */
static void test_disconnects_at_every_message(void **state)
{
	unsigned last = 0;

	(void)state;
	for (unsigned n = 1;; n++) {
		struct front_options options = {.hang_up = n, .packed = n & 1};

		assert_int_equal(front_connect(&bad, path_of("bad"), &options), 0);
		bool whole = front_start(&bad) == 0;
		front_close(&bad);
		wait_until("bad", false);
		last = n;
		if (whole)
			break;
	}
	assert_in_range(last, 15, 60);
	check_good_ones();
	connect_guest(&bad, "bad", (struct front_options){0});
	front_close(&bad);
}

/* Queues on and off without end: one view for many of them, and nobody waits. */
static void test_turns_queues_on_and_off(void **state)
{
	uint64_t sink;

	(void)state;
	connect_guest(&bad, "bad", (struct front_options){0});
	for (int i = 0; i < 2000; i++)
		assert_int_equal(front_enable(&bad, 1, i & 1), 0);
	assert_int_equal(
		front_message(&bad, FRONT_GET_QUEUE_NUM, NULL, 0, NULL, 0, &sink, sizeof(sink)), 0);
	nq_switch_event(rig.sw);
	check_good_ones();
	front_close(&bad);
}

static void test_kicks_without_end(void **state)
{
	const uint64_t one = 1;
	uint8_t frame[RIG_FRAME];
	size_t len = rig_frame("nobody x", frame);

	(void)state;
	connect_guest(&bad, "bad", (struct front_options){0});
	for (int i = 0; i < 100000; i++)
		for (unsigned ring = 0; ring < 2; ring++)
			assert_int_equal(write(bad.rings[ring].kick, &one, sizeof(one)),
					 sizeof(one));
	check_good_ones();
	assert_int_equal(front_send(&bad, 0, frame, len), 0);
	nq_switch_poll(rig.sw);
	assert_int_equal(front_sent(&bad, 0), 1);
	front_close(&bad);
}

static void test_never_drains(void **state)
{
	uint8_t frame[RIG_FRAME];
	size_t len = rig_frame("all a", frame);
	struct nq_stats stats;

	(void)state;
	connect_guest(&bad, "bad", (struct front_options){.mergeable = true});
	for (int i = 0; i < 500; i++) {
		assert_int_equal(front_send(&good[0], 0, frame, len), 0);
		nq_switch_poll(rig.sw);
		assert_int_equal(front_sent(&good[0], 0), 1);
	}
	assert_int_equal(nq_port_stats(rig.sw, "bad", &stats), 0);
	assert_int_equal(stats.tx_packets, FRONT_SIZE);
	assert_int_equal(stats.drops[NQ_DROP_FULL], 500 - FRONT_SIZE);
	check_good_ones();
	front_close(&bad);
}

/* ---- the host ---- */

static void test_full_table(void **state)
{
	uint8_t frame[RIG_FRAME];
	size_t len = rig_frame("all x", frame);
	struct nq_stats stats;

	(void)state;
	check_good_ones(); /* they are known */
	rig_port(&rig, "ring", NULL);
	for (unsigned i = 0; i < 5000; i++) {
		frame[9] = 1;
		frame[10] = (uint8_t)(i >> 8);
		frame[11] = (uint8_t)i;
		assert_int_equal(nq_ring_send(rig.sw, "ring", frame, len), 0);
		nq_switch_poll(rig.sw);
	}
	assert_int_equal(nq_port_stats(rig.sw, "ring", &stats), 0);
	assert_int_equal(stats.rx_packets, 5000);
	assert_true(stats.learned >= 1024);
	check_good_ones();
}

/* Every buffer is in somebody's hands: the guests' frames wait, and go on when one comes back. */
static void test_full_pool(void **state)
{
	uint8_t frame[RIG_FRAME], got[RIG_FRAME];
	size_t len = rig_frame("b a", frame);
	unsigned count, available;

	(void)state;
	check_good_ones();
	for (unsigned i = 0; i < 5; i++) {
		char name[8];

		snprintf(name, sizeof(name), "r%u", i);
		rig_port(&rig, name, NULL);
		while (nq_ring_send(rig.sw, name, frame, len) == 0)
			;
	}
	nq_buffers(rig.sw, &count, &available);
	assert_int_equal(available, 0);
	/* Only the last of the rings is looked at by nobody: its frames stay. */
	assert_int_equal(nq_ring_send(rig.sw, "r0", frame, len), -ENOBUFS);
	rig_poll(&rig);
	while (front_receive(&good[1], 0, got, sizeof(got)))
		;
	front_post(&good[1], 0);
	check_good_ones();
}

/* What `call` logs, for as long as it takes. */
static int logged(int (*call)(void), const char *text)
{
	char said[4096] = "";
	FILE *file = tmpfile();
	int stderr_fd = dup(2);

	assert_non_null(file);
	dup2(fileno(file), 2);
	int err = call();
	dup2(stderr_fd, 2);
	close(stderr_fd);
	rewind(file);
	said[fread(said, 1, sizeof(said) - 1, file)] = '\0';
	fclose(file);
	if (!strstr(said, text))
		fail_msg("no '%s' in: %s", text, said);
	return err;
}

static int wrong_core(void)
{
	struct nq_options options = {.workers = 1, .cpus = {900}, .buffers = 1023, .macs = 256};
	struct nq_switch *sw;

	return nq_switch_create(&options, &sw);
}

static void test_wrong_core_list(void **state)
{
	(void)state;
	assert_int_equal(logged(wrong_core, "worker 0 not started on CPU 900"), -EINVAL);
	check_good_ones();
}

static int no_such_nic(void)
{
	struct nq_port_config config = {
		.name = "nic", .bridge = "br", .kind = "pci", .where = "0000:ff:1f.7"};

	nq_port_rules_init(&config.rules);
	return nq_port_add(rig.sw, &config);
}

static void test_busy_nic(void **state)
{
	(void)state;
	assert_true(logged(no_such_nic, "nic: ") < 0);
	check_good_ones();
}

static int with_hugepages(void)
{
	struct nq_eal_options options = {.memory_mb = 64, .hugepages = true};

	return nq_eal_start(&options);
}

/* In a process of its own, since DPDK starts once; before it was started here. */
static int check_missing_hugepages(void)
{
	pid_t child = fork();
	int status;

	if (!child)
		_exit(logged(with_hugepages, "vm.nr_hugepages") < 0 ? 0 : 1);
	return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int hugepages_result = -1;

static bool has_hugepages(void)
{
	char line[128];
	unsigned long count = 0;
	FILE *file = fopen("/proc/meminfo", "re");

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "HugePages_Free: %lu", &count) == 1)
			break;
	if (file)
		fclose(file);
	return count > 0;
}

static void test_missing_hugepages(void **state)
{
	(void)state;
	if (has_hugepages())
		skip();
	assert_int_equal(hugepages_result, 0);
	check_good_ones();
}

static int start_group(void **state)
{
	if (!has_hugepages())
		hugepages_result = check_missing_hugepages();
	return mkdtemp(folder) ? rig_eal_start(state) : -1;
}

static int stop_group(void **state)
{
	static const char *const names[] = {"a", "b", "bad"};

	for (unsigned i = 0; i < 3; i++)
		unlink(path_of(names[i]));
	rmdir(folder);
	return rig_eal_stop(state);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_tables_malformed),
		CASE(test_rings_that_loop),
		CASE(test_lengths_that_lie),
		CASE(test_index_that_lies),
		CASE(test_small_ring),
		CASE(test_features_changed_in_flight),
		CASE(test_disconnects_at_every_message),
		CASE(test_turns_queues_on_and_off),
		CASE(test_kicks_without_end),
		CASE(test_never_drains),
		CASE(test_full_table),
		CASE(test_full_pool),
		CASE(test_wrong_core_list),
		CASE(test_busy_nic),
		CASE(test_missing_hugepages),
	};
	return cmocka_run_group_tests(tests, start_group, stop_group);
}
