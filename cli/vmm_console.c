/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmm_console: see vmm_console.h.
 *
 * A guest writes its serial port byte by byte. To wake the loop's thread for each would cost more
 * than the bytes; so the first byte arms a timer of a few milliseconds, and what has gathered
 * when it fires goes out in one piece.
 */
#include "cli/vmm_console.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/util.h"

#define GATHER_NS 3000000L

struct client {
	struct vmm_console *console; /* NULL: this place is free */
	struct loop_source *source;
	int fd;
	uint64_t seen; /* bytes of the guest's output that this client has */
	uint8_t typed[256];
	size_t typed_len;
	bool blocked; /* its socket is full */
	bool half;    /* it will type no more, but still listens */
};

struct vmm_console {
	struct loop *loop;
	struct loop_source *listener, *timer_source;
	int listen_fd, timer;
	vmm_console_in in;
	void *in_opaque;
	struct client clients[VMM_CONSOLE_CLIENTS];

	pthread_mutex_t lock; /* guards the rest */
	bool armed;
	uint64_t total; /* bytes ever written */
	uint8_t *ring;	/* byte n is at n % VMM_CONSOLE_RING */
};

static void wake(struct vmm_console *console)
{
	const struct itimerspec soon = {.it_value.tv_nsec = GATHER_NS};

	if (!console->armed)
		timerfd_settime(console->timer, 0, &soon, NULL);
	console->armed = true;
}

void vmm_console_out(void *opaque, const uint8_t *bytes, size_t len)
{
	struct vmm_console *console = opaque;

	pthread_mutex_lock(&console->lock);
	for (size_t i = 0; i < len; i++)
		console->ring[console->total++ % VMM_CONSOLE_RING] = bytes[i];
	wake(console);
	pthread_mutex_unlock(&console->lock);
}

void vmm_console_room(void *opaque)
{
	struct vmm_console *console = opaque;

	pthread_mutex_lock(&console->lock);
	wake(console);
	pthread_mutex_unlock(&console->lock);
}

/* ---- one client ---- */

static void client_close(struct client *client)
{
	loop_remove(client->source);
	io_close(&client->fd);
	*client = (struct client){.fd = -1};
}

/* Copies what the client has not seen, and moves it on past what is lost. */
static size_t client_next(struct client *client, uint8_t *bytes, size_t size, uint64_t *lost)
{
	struct vmm_console *console = client->console;

	pthread_mutex_lock(&console->lock);
	uint64_t oldest = console->total > VMM_CONSOLE_RING ? console->total - VMM_CONSOLE_RING : 0;
	*lost = client->seen < oldest ? oldest - client->seen : 0;
	client->seen += *lost;
	size_t len = (size_t)MIN(console->total - client->seen, (uint64_t)size);
	for (size_t i = 0; i < len; i++)
		bytes[i] = console->ring[(client->seen + i) % VMM_CONSOLE_RING];
	pthread_mutex_unlock(&console->lock);
	return len;
}

static void client_say_lost(const struct client *client, uint64_t lost)
{
	char note[64];
	int n = snprintf(note, sizeof(note), "\r\n[%llu bytes lost]\r\n", (unsigned long long)lost);

	/* Should it not fit, the gap shows without it. */
	ssize_t sent = send(client->fd, note, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)sent;
}

/* Sends all that the socket takes; negative when the client is gone. */
static int client_send(struct client *client)
{
	uint8_t bytes[2048];
	uint64_t lost;
	size_t len;

	client->blocked = false;
	while ((len = client_next(client, bytes, sizeof(bytes), &lost)) > 0) {
		if (lost)
			client_say_lost(client, lost);
		ssize_t n = send(client->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		client->seen += n > 0 ? (uint64_t)n : 0;
		if (n < (ssize_t)len) {
			client->blocked = true;
			return 0;
		}
	}
	return 0;
}

/* Hands typed bytes to the guest. */
static void client_type(struct client *client)
{
	struct vmm_console *console = client->console;

	if (!client->typed_len || !console->in)
		return;
	size_t taken = console->in(console->in_opaque, client->typed, client->typed_len);
	client->typed_len -= taken;
	memmove(client->typed, client->typed + taken, client->typed_len);
}

static int client_receive(struct client *client)
{
	ssize_t n = recv(client->fd, client->typed + client->typed_len,
			 sizeof(client->typed) - client->typed_len, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	client->typed_len += (size_t)n;
	client->half = n == 0;
	return 0;
}

/* Moves bytes in both directions and decides what to wait for. */
static void client_pump(struct client *client)
{
	client_type(client);
	if (client_send(client) < 0) {
		client_close(client);
		return;
	}
	bool room = client->typed_len < sizeof(client->typed) && !client->half;
	loop_modify(client->source,
		    (room ? (uint32_t)EPOLLIN : 0) | (client->blocked ? (uint32_t)EPOLLOUT : 0));
}

static void client_event(void *opaque, uint32_t events)
{
	struct client *client = opaque;
	int err = 0;

	if (events & (EPOLLHUP | EPOLLERR))
		err = -EPIPE;
	else if (events & EPOLLIN)
		err = client_receive(client);
	if (err)
		client_close(client);
	else
		client_pump(client);
}

/* ---- all of them ---- */

/* Returns false when nobody waits. */
static bool accept_client(struct vmm_console *console)
{
	struct client *client = console->clients;
	int fd = accept4(console->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return false;
	while (client < console->clients + VMM_CONSOLE_CLIENTS && client->console)
		client++;
	if (client == console->clients + VMM_CONSOLE_CLIENTS ||
	    loop_add(console->loop, fd, EPOLLIN, client_event, client, &client->source)) {
		io_close(&fd);
		return true;
	}
	client->console = console;
	client->fd = fd;
	/* Not `lost`: the ring simply does not reach further back. */
	pthread_mutex_lock(&console->lock);
	client->seen = console->total > VMM_CONSOLE_RING ? console->total - VMM_CONSOLE_RING : 0;
	pthread_mutex_unlock(&console->lock);
	client_pump(client);
	return true;
}

static void listener_event(void *opaque, uint32_t events)
{
	(void)events;
	accept_client(opaque);
}

static void timer_event(void *opaque, uint32_t events)
{
	struct vmm_console *console = opaque;
	uint64_t count;

	(void)events;
	if (read(console->timer, &count, sizeof(count)) < 0)
		return;
	pthread_mutex_lock(&console->lock);
	console->armed = false;
	pthread_mutex_unlock(&console->lock);
	for (unsigned i = 0; i < VMM_CONSOLE_CLIENTS; i++)
		if (console->clients[i].console)
			client_pump(&console->clients[i]);
}

void vmm_console_connect(struct vmm_console *console, vmm_console_in in, void *opaque)
{
	console->in = in;
	console->in_opaque = opaque;
	if (in)
		vmm_console_room(console); /* what was typed before there was a machine */
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Sends to everyone; tells how many clients still lack something, and lists them in `waits`. */
static unsigned drain_once(struct vmm_console *console, struct pollfd *waits)
{
	unsigned behind = 0;

	for (unsigned i = 0; i < VMM_CONSOLE_CLIENTS; i++) {
		struct client *client = &console->clients[i];
		if (!client->console)
			continue;
		if (client_send(client) < 0)
			client_close(client);
		else if (client->blocked)
			waits[behind++] = (struct pollfd){.fd = client->fd, .events = POLLOUT};
	}
	return behind;
}

void vmm_console_drain(struct vmm_console *console, unsigned ms)
{
	struct pollfd waits[VMM_CONSOLE_CLIENTS];
	int64_t deadline = now_ms() + ms;

	/* A guest may be over before the loop has met those who connected meanwhile. */
	while (accept_client(console))
		;
	for (;;) {
		unsigned behind = drain_once(console, waits);
		int64_t left = deadline - now_ms();
		if (!behind || left <= 0)
			return;
		poll(waits, behind, (int)left);
	}
}

int vmm_console_create(struct loop *loop, int listen_fd, struct vmm_console **out)
{
	struct vmm_console *console = calloc(1, sizeof(*console));

	if (!console)
		return -ENOMEM;
	console->loop = loop;
	console->listen_fd = listen_fd;
	for (unsigned i = 0; i < VMM_CONSOLE_CLIENTS; i++)
		console->clients[i].fd = -1;
	pthread_mutex_init(&console->lock, NULL);
	/* Only what a guest really wrote becomes resident. */
	console->ring = malloc(VMM_CONSOLE_RING);
	console->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	int err = !console->ring ? -ENOMEM : console->timer < 0 ? -errno : 0;
	if (!err)
		err = io_set_nonblock(listen_fd, 1);
	if (!err)
		err = loop_add(loop, listen_fd, EPOLLIN, listener_event, console,
			       &console->listener);
	if (!err)
		err = loop_add(loop, console->timer, EPOLLIN, timer_event, console,
			       &console->timer_source);
	if (err) {
		vmm_console_destroy(console);
		return err;
	}
	*out = console;
	return 0;
}

void vmm_console_destroy(struct vmm_console *console)
{
	if (!console)
		return;
	for (unsigned i = 0; i < VMM_CONSOLE_CLIENTS; i++)
		if (console->clients[i].console)
			client_close(&console->clients[i]);
	loop_remove(console->listener);
	loop_remove(console->timer_source);
	io_close(&console->timer);
	pthread_mutex_destroy(&console->lock);
	free(console->ring);
	free(console);
}
