/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * switch_restart: what guests lose when the switch is killed and started again.
 *
 *   switch_restart SOCKETS JSON PID COMMAND...
 *
 * Two guests (tests/fakes/vhost_front.h), which the switch calls, send to each other at a steady
 * rate. The switch with PID is killed (SIGKILL); COMMAND starts it again. It calls, and the guests'
 * VMM tells it where their rings are, as ours and QEMU do; the guests themselves do nothing. Frames
 * that were sent and did not arrive, divided by the rate, are the time for which it was not there.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/fakes/vhost_front.h"

#define RATE	  20000 /* frames a second, of both */
#define BEFORE_NS 500000000ull
#define AFTER_NS  1000000000ull /* from the first frame that comes again */
#define LIMIT_NS  60000000000ull

struct bench {
	int listeners[2];
	struct front guests[2];
	unsigned long sent, received;
};

static void die(const char *what)
{
	fprintf(stderr, "switch_restart: %s\n", what);
	exit(1);
}

static unsigned long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (unsigned long long)t.tv_sec * 1000000000ull + (unsigned long long)t.tv_nsec;
}

static bool calls(int listener, int ms)
{
	struct pollfd ready = {.fd = listener, .events = POLLIN};

	return poll(&ready, 1, ms) == 1;
}

static void open_guests(struct bench *b, const char *sockets)
{
	static const struct front_options options = {0};
	char path[108];

	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s%d", sockets, i);
		b->listeners[i] = front_listen(path);
		if (b->listeners[i] < 0)
			die("a socket cannot be listened on");
	}
	for (int i = 0; i < 2; i++)
		if (!calls(b->listeners[i], 30000) ||
		    front_accept(&b->guests[i], b->listeners[i], &options) ||
		    front_start(&b->guests[i]))
			die("the switch does not call");
}

/* A new connection, and the rings as they are. */
static void reconnect(struct bench *b, int i)
{
	close(b->guests[i].socket);
	b->guests[i].socket = accept(b->listeners[i], NULL, NULL);
	if (b->guests[i].socket < 0 || front_start(&b->guests[i]))
		die("the switch calls and does not listen");
}

static void exchange(struct bench *b, bool send)
{
	uint8_t frame[60] = {2, 0, 0, 0, 0, 0, 2}, got[2048];

	for (unsigned i = 0; i < 2; i++) {
		frame[5] = (uint8_t)(2 - i);
		frame[11] = (uint8_t)(1 + i);
		frame[12] = 0x88, frame[13] = 0xb5;
		front_sent(&b->guests[i], 0);
		/* What does not fit into the ring is lost: the guest has nowhere else for it. */
		if (send) {
			b->sent++;
			(void)front_send(&b->guests[i], 0, frame, sizeof(frame));
		}
		while (front_receive(&b->guests[i], 0, got, sizeof(got)))
			b->received++;
		front_post(&b->guests[i], 0);
	}
}

/* Until `ns` have passed. Where we were kept from our CPU, that time is left out. */
static void talk(struct bench *b, unsigned long long ns)
{
	const unsigned long long step = 2 * 1000000000ull / RATE;
	unsigned long long start = now_ns(), next = start;

	for (unsigned long long now = start; now - start < ns; now = now_ns()) {
		bool send = now >= next;

		if (now > next + 8 * step)
			next = now;
		next += send ? step : 0;
		exchange(b, send);
	}
}

/* The old one must be gone: its lock says that it lives. */
static pid_t start_again(pid_t old, char **command)
{
	struct pollfd gone = {.fd = (int)syscall(SYS_pidfd_open, old, 0), .events = POLLIN};
	pid_t pid;

	if (gone.fd < 0 || kill(old, SIGKILL) < 0)
		die("there is no switch");
	pid = fork();
	if (!pid) {
		poll(&gone, 1, -1);
		execvp(command[0], command);
		_exit(127);
	}
	return pid;
}

/* Returns when both guests are connected again and a frame has come. */
static unsigned long long come_back(struct bench *b)
{
	unsigned long long start = now_ns();
	unsigned long before = b->received;
	bool back[2] = {false, false};

	while (now_ns() - start < LIMIT_NS) {
		talk(b, 1000000);
		for (int i = 0; i < 2; i++)
			if (!back[i] && calls(b->listeners[i], 0)) {
				reconnect(b, i);
				back[i] = true;
			}
		if (!back[0] && !back[1])
			before = b->received; /* what was in the rings */
		else if (b->received > before)
			return now_ns() - start;
	}
	die("no frame comes again");
	return 0;
}

int main(int argc, char **argv)
{
	static struct bench b;

	if (argc < 5)
		die("see bench/switch.sh for its arguments");
	open_guests(&b, argv[1]);
	for (unsigned tries = 0; tries < 5000 && !b.received; tries++)
		talk(&b, 1000000);
	talk(&b, BEFORE_NS);
	b.sent = b.received = 0;
	unsigned long long begin = now_ns();
	talk(&b, BEFORE_NS);
	pid_t again = start_again((pid_t)atoi(argv[3]), argv + 4);
	double first = (double)come_back(&b) / 1e6;
	talk(&b, AFTER_NS);
	/* What was sent: less than RATE, when we were kept from our CPU. */
	double rate = (double)b.sent / ((double)(now_ns() - begin) / 1e9);
	double lost = b.sent > b.received ? (double)(b.sent - b.received) : 0;
	printf("%-16s %8.0f ms; %.0f of %lu frames lost; the first came again after %.0f ms\n",
	       "restart", lost / rate * 1000, lost, b.sent, first);
	FILE *json = fopen(argv[2], "ae");
	if (json) {
		fprintf(json,
			"{\"what\":\"restart\",\"rate\":%.0f,\"lost\":%.0f,\"sent\":%lu,"
			"\"blocked_ms\":%.1f,\"first_ms\":%.1f}\n",
			rate, lost, b.sent, lost / rate * 1000, first);
		fclose(json);
	}
	kill(again, SIGTERM);
	waitpid(again, NULL, 0);
	for (int i = 0; i < 2; i++)
		front_close(&b.guests[i]);
	return 0;
}
