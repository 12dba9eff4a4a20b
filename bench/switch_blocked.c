/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * switch_blocked: how long a change stops the switch. Guests (switch_guests.h) send at a steady
 * rate of which nothing is lost; in the middle something is changed; the frames that are missing,
 * divided by the rate, are the time for which the switch was as good as not there.
 *
 *   switch_blocked CPU RATE PID SOCKETS CONTROL JSON < CHANGES
 *
 * Each line of CHANGES is "NAME METHOD PARAMS", PARAMS being JSON, sent to the socket CONTROL. All
 * are done one after the other, ROUNDS times. What this switch does not have is left out and named.
 * A trial during which the switch's CPU was taken from it for something else says nothing, and is
 * not counted.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <rte_eal.h>

#include "base/util.h"
#include "bench/switch_guests.h"

#define ROUNDS	7
#define CHANGES 16
#define WAITED	50000 /* ns that the switch may have waited for its CPU */

struct change {
	char name[32], method[32], params[512];
	bool missing;
	double blocked_ms[ROUNDS];
	unsigned count, disturbed;
};

struct bench {
	struct guests guests;
	double rate;
	pid_t pid, thread;
	const char *control;
	int fd;
	FILE *json;
	struct change changes[CHANGES], *now;
	unsigned count;
};

static void die(const char *what)
{
	fprintf(stderr, "switch_blocked: %s\n", what);
	exit(1);
}

static void read_changes(struct bench *b)
{
	char line[640];

	while (b->count < CHANGES && fgets(line, sizeof(line), stdin)) {
		struct change *c = &b->changes[b->count];

		if (sscanf(line, "%31s %31s %511[^\n]", c->name, c->method, c->params) != 3)
			die("a change is NAME METHOD PARAMS");
		b->count++;
	}
}

static int connect_control(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die("the switch's control socket does not answer");
	return fd;
}

/* In the middle of a trial: says it, and does not wait. */
static void make_change(void *opaque)
{
	struct bench *b = opaque;
	char text[640];

	int len = snprintf(text, sizeof(text),
			   "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}\n",
			   b->now->method, b->now->params);
	if (write(b->fd, text, (size_t)len) != len)
		die("the control socket takes nothing");
}

static void read_answer(struct bench *b)
{
	struct pollfd ready = {.fd = b->fd, .events = POLLIN};
	char text[4096];

	if (poll(&ready, 1, 10000) != 1)
		die("a change is not answered");
	ssize_t n = read(b->fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	if (strstr(text, "\"result\""))
		return;
	b->now->missing = true;
	text[strcspn(text, "\n")] = '\0';
	fprintf(stderr, "switch_blocked: %s: %s\n", b->now->name, text);
}

/* BENCH_FIRST: the switch's worker comes before all else on its CPU while a trial lasts. Its
 * control thread, which makes the change, does not. */
static void come_first(const struct bench *b, bool on)
{
	const struct sched_param param = {.sched_priority = on};

	if (!getenv("BENCH_FIRST"))
		return;
	sched_setscheduler(b->thread, on ? SCHED_FIFO : SCHED_OTHER, &param);
	if (!on)
		nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
}

static void try_change(struct bench *b, struct change *c)
{
	const struct load load = {
		.size = 60, .rate = b->rate, .seconds = 0.2, .half = make_change, .opaque = b};

	b->now = c;
	come_first(b, true);
	struct thread_time before = thread_time(b->pid, b->thread);
	struct outcome out = guests_run(&b->guests, &load, NULL);
	struct thread_time after = thread_time(b->pid, b->thread);
	come_first(b, false);
	read_answer(b);
	if (after.waited - before.waited > WAITED) {
		c->disturbed++;
		return;
	}
	double lost = out.offered > out.received ? (double)(out.offered - out.received) : 0;
	c->blocked_ms[c->count++] = lost / b->rate * 1000;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void tell(struct bench *b, struct change *c)
{
	if (c->missing) {
		printf("%-16s refused by this switch\n", c->name);
		return;
	}
	if (!c->count) {
		printf("%-16s disturbed each of %u times\n", c->name, c->disturbed);
		return;
	}
	qsort(c->blocked_ms, c->count, sizeof(double), by_value);
	printf("%-16s %8.3f ms (%.3f-%.3f) of %u, %u more disturbed\n", c->name,
	       c->blocked_ms[c->count / 2], c->blocked_ms[0], c->blocked_ms[c->count - 1], c->count,
	       c->disturbed);
	fprintf(b->json,
		"{\"what\":\"blocked\",\"change\":\"%s\",\"rate\":%.0f,\"median_ms\":%.4f,"
		"\"least_ms\":%.4f,\"most_ms\":%.4f,\"count\":%u,\"disturbed\":%u}\n",
		c->name, b->rate, c->blocked_ms[c->count / 2], c->blocked_ms[0],
		c->blocked_ms[c->count - 1], c->count, c->disturbed);
}

static int start_dpdk(const char *cpu)
{
	char lcores[32];
	const char *argv[] = {
		"switch_blocked",      "--no-huge", "--no-pci", "--no-telemetry", "--no-shconf",
		"--log-level=*:error", "-m",	    "128",	"--lcores",	  lcores};

	snprintf(lcores, sizeof(lcores), "0@%s", cpu);
	return rte_eal_init(ARRAY_SIZE(argv), (char **)argv);
}

int main(int argc, char **argv)
{
	static struct bench b;

	if (argc != 7)
		die("see bench/switch.sh for its arguments");
	b.rate = atof(argv[2]);
	b.pid = (pid_t)atoi(argv[3]);
	b.control = argv[5];
	b.json = fopen(argv[6], "ae");
	read_changes(&b);
	struct guests_options guests = {
		.sockets = argv[4], .name = "blocked", .ports = 2, .queues = 1};
	if (!b.json || start_dpdk(argv[1]) < 0)
		die("not started");
	if (guests_open(&b.guests, &guests))
		die("its guests do not come up");
	b.thread = moving_thread(b.pid);
	b.fd = connect_control(b.control);
	for (unsigned round = 0; round < ROUNDS; round++)
		for (unsigned i = 0; i < b.count; i++)
			if (!b.changes[i].missing)
				try_change(&b, &b.changes[i]);
	for (unsigned i = 0; i < b.count; i++)
		tell(&b, &b.changes[i]);
	guests_close(&b.guests);
	fclose(b.json);
	rte_eal_cleanup();
	return 0;
}
