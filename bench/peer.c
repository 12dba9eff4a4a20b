/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * peer: the end of a flow that does as it is told.
 *
 * A client connects, says one line, and the connection is then what the line asked for:
 *
 *     sink            swallowed; at its end the count of bytes comes back
 *     source MS       filled for so long
 *     echo            what comes goes back
 *     udp             a port comes back; datagrams there are counted until the client says
 *                     another line, whose answer is "packets bytes"
 *     hello           nothing: the connection was the work
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench/bench.h"

#define CHUNK	   65536u
#define LINE	   64u
#define STRAGGLERS 300 /* ms without a datagram, after which none is expected any more */
#define PATIENCE   120 /* s: a client that says nothing is gone */

struct bench_peer {
	pthread_t thread;
	int listener;
	struct in_addr address;
	atomic_bool stop;
	atomic_uint clients;
};

struct client {
	struct bench_peer *peer;
	int fd;
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int read_line(int fd, char line[LINE])
{
	size_t len = 0;

	while (len < LINE - 1 && recv(fd, line + len, 1, 0) == 1) {
		if (line[len] == '\n') {
			line[len] = '\0';
			return 0;
		}
		len++;
	}
	return -EIO;
}

static void answer(int fd, uint64_t a, uint64_t b)
{
	char line[LINE];
	int len = snprintf(line, sizeof(line), "%llu %llu\n", (unsigned long long)a,
			   (unsigned long long)b);

	send(fd, line, (size_t)len, MSG_NOSIGNAL);
}

static void sink(int fd)
{
	static _Thread_local char chunk[CHUNK];
	uint64_t bytes = 0;
	ssize_t n;

	while ((n = recv(fd, chunk, sizeof(chunk), 0)) > 0)
		bytes += (uint64_t)n;
	answer(fd, bytes, 0);
}

static void source(int fd, unsigned ms)
{
	static _Thread_local char chunk[CHUNK];
	uint64_t end = now_ms() + ms;

	while (now_ms() < end && send(fd, chunk, sizeof(chunk), MSG_NOSIGNAL) > 0)
		;
}

static void echo(int fd)
{
	char chunk[1024];
	ssize_t n;

	while ((n = recv(fd, chunk, sizeof(chunk), 0)) > 0)
		if (send(fd, chunk, (size_t)n, MSG_NOSIGNAL) != n)
			return;
}

/* Until the client asks, and after that until no more come. */
static void count(int fd, int udp)
{
	struct pollfd ask[2] = {{.fd = udp, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
	uint64_t packets = 0, bytes = 0;
	bool asked = false;
	char chunk[2048];

	for (;;) {
		if (poll(ask, asked ? 1 : 2, asked ? STRAGGLERS : PATIENCE * 1000) <= 0)
			break;
		if (ask[0].revents & POLLIN) {
			ssize_t n;

			while ((n = recv(udp, chunk, sizeof(chunk), MSG_DONTWAIT)) >= 0) {
				packets++;
				bytes += (uint64_t)n;
			}
		}
		if (!asked && ask[1].revents) {
			char line[LINE];

			if (read_line(fd, line) < 0)
				return;
			asked = true;
		}
	}
	answer(fd, packets, bytes);
}

static void serve_udp(const struct bench_peer *peer, int fd)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = peer->address};
	int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), room = 4 << 20;
	socklen_t len = sizeof(at);

	setsockopt(udp, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	if (udp >= 0 && !bind(udp, (struct sockaddr *)&at, sizeof(at)) &&
	    !getsockname(udp, (struct sockaddr *)&at, &len)) {
		answer(fd, ntohs(at.sin_port), 0);
		count(fd, udp);
	}
	if (udp >= 0)
		close(udp);
}

static void *serve(void *opaque)
{
	struct client *client = opaque;
	int fd = client->fd, on = 1;
	struct timeval patience = {.tv_sec = PATIENCE};
	char line[LINE];

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (!read_line(fd, line)) {
		if (!strcmp(line, "sink"))
			sink(fd);
		else if (!strncmp(line, "source ", 7))
			source(fd, (unsigned)strtoul(line + 7, NULL, 10));
		else if (!strcmp(line, "echo"))
			echo(fd);
		else if (!strcmp(line, "udp"))
			serve_udp(client->peer, fd);
	}
	close(fd);
	atomic_fetch_sub(&client->peer->clients, 1);
	free(client);
	return NULL;
}

static void take(struct bench_peer *peer)
{
	struct client *client = calloc(1, sizeof(*client));
	pthread_t thread;
	int fd = accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0 || !client) {
		free(client);
		if (fd >= 0)
			close(fd);
		return;
	}
	*client = (struct client){.peer = peer, .fd = fd};
	atomic_fetch_add(&peer->clients, 1);
	if (pthread_create(&thread, NULL, serve, client)) {
		atomic_fetch_sub(&peer->clients, 1);
		close(fd);
		free(client);
		return;
	}
	pthread_detach(thread);
}

static void *listen_on(void *opaque)
{
	struct bench_peer *peer = opaque;

	while (!atomic_load(&peer->stop)) {
		struct pollfd ask = {.fd = peer->listener, .events = POLLIN};

		if (poll(&ask, 1, 100) == 1)
			take(peer);
	}
	return NULL;
}

int bench_peer_start(struct in_addr address, struct bench_peer **out)
{
	struct bench_peer *peer = calloc(1, sizeof(*peer));
	struct sockaddr_in at = {
		.sin_family = AF_INET, .sin_addr = address, .sin_port = htons(BENCH_PORT)};
	int on = 1, err = 0;

	if (!peer)
		return -ENOMEM;
	peer->address = address;
	peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(peer->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (peer->listener < 0 || bind(peer->listener, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    listen(peer->listener, 128) < 0)
		err = -errno;
	if (!err)
		err = -pthread_create(&peer->thread, NULL, listen_on, peer);
	if (err) {
		if (peer->listener >= 0)
			close(peer->listener);
		free(peer);
		return err;
	}
	*out = peer;
	return 0;
}

void bench_peer_stop(struct bench_peer *peer)
{
	if (!peer)
		return;
	atomic_store(&peer->stop, true);
	pthread_join(peer->thread, NULL);
	close(peer->listener);
	/* A client that is still served keeps it: the process is about to end anyway. */
	if (!atomic_load(&peer->clients))
		free(peer);
}
