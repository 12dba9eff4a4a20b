/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * console: see console.h.
 *
 * Typed bytes wait in a small buffer when the guest does not take them; while it is full, nothing
 * is read from standard input. Files and /dev/null cannot be waited for with epoll, but never
 * block either: they are read whenever there is room.
 *
 * Input that ends (a pipe) is not yet the end: the answer comes after it. Nothing in a serial
 * line's output says where an answer ends, so silence does, as with socat(1).
 */
#include "cli/console.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/io.h"

struct console {
	struct console_config config;
	int sock;
	struct loop_source *sock_source, *in_source, *timer;
	bool in_open;  /* standard input has not ended */
	bool out_open; /* somebody still reads standard output */
	bool heard;    /* the guest has said something since the timer began */
	uint8_t typed[1024];
	size_t typed_len;
};

static void take(struct console *console, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!console->config.key || console->config.key(console->config.opaque, bytes[i]))
			console->typed[console->typed_len++] = bytes[i];
}

/* Reads what fits. */
static void read_in(struct console *console)
{
	uint8_t bytes[sizeof(console->typed)];
	ssize_t n = read(console->config.in, bytes, sizeof(bytes) - console->typed_len);

	if (n > 0)
		take(console, bytes, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		console->in_open = false;
}

static void flush_typed(struct console *console)
{
	ssize_t n = send(console->sock, console->typed, console->typed_len,
			 MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n <= 0)
		return; /* full: EPOLLOUT tells; gone: the socket's end is read */
	console->typed_len -= (size_t)n;
	memmove(console->typed, console->typed + n, console->typed_len);
}

static void timer_event(void *opaque, uint32_t events);

static void await_silence(struct console *console)
{
	console->heard = false;
	if (loop_timer(console->config.loop, console->config.patience_ms, timer_event, console,
		       &console->timer) < 0)
		console->timer = NULL; /* no descriptor to be had: it goes on until the VM ends */
}

static void timer_event(void *opaque, uint32_t events)
{
	struct console *console = opaque;

	(void)events;
	console->timer = NULL;
	if (console->heard)
		await_silence(console);
	else
		console->config.silent(console->config.opaque);
}

/* Moves on what can be moved, then waits for what holds the rest up. */
static void update(struct console *console)
{
	if (console->typed_len)
		flush_typed(console);
	while (console->in_open && !console->in_source && !console->typed_len) {
		read_in(console);
		flush_typed(console);
	}
	bool room = console->in_open && console->typed_len < sizeof(console->typed);
	if (console->in_source && !console->in_open) {
		loop_remove(console->in_source);
		console->in_source = NULL;
	} else if (console->in_source) {
		loop_modify(console->in_source, room ? EPOLLIN : 0);
	}
	if (console->sock_source)
		loop_modify(console->sock_source,
			    EPOLLIN | (console->typed_len ? (uint32_t)EPOLLOUT : 0));
	if (console->config.patience_ms && !console->in_open && !console->typed_len &&
	    !console->timer)
		await_silence(console);
}

static void in_event(void *opaque, uint32_t events)
{
	struct console *console = opaque;

	(void)events;
	if (console->typed_len < sizeof(console->typed))
		read_in(console);
	update(console);
}

/* Returns false at the end. */
static bool show(struct console *console, int flags)
{
	uint8_t bytes[4096];
	ssize_t n = recv(console->sock, bytes, sizeof(bytes), flags);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n > 0 && console->out_open && io_write_full(console->config.out, bytes, (size_t)n))
		console->out_open = false;
	console->heard = true;
	return n > 0;
}

static void sock_event(void *opaque, uint32_t events)
{
	struct console *console = opaque;

	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !show(console, MSG_DONTWAIT)) {
		loop_remove(console->sock_source);
		console->sock_source = NULL;
		if (console->config.closed)
			console->config.closed(console->config.opaque);
		return;
	}
	update(console);
}

int console_connect(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(addr.sun_path)) {
		io_close(&fd);
		return -ENAMETOOLONG;
	}
	strcpy(addr.sun_path, path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		int err = -errno;
		io_close(&fd);
		return err;
	}
	return fd;
}

int console_open(const struct console_config *config, struct console **out)
{
	struct console *console = calloc(1, sizeof(*console));

	if (!console) {
		int sock = config->sock;
		io_close(&sock);
		return -ENOMEM;
	}
	*console = (struct console){.config = *config,
				    .sock = config->sock,
				    .in_open = config->in >= 0,
				    .out_open = true};
	int err = loop_add(config->loop, console->sock, EPOLLIN, sock_event, console,
			   &console->sock_source);
	if (!err && console->in_open) {
		err = loop_add(config->loop, config->in, EPOLLIN, in_event, console,
			       &console->in_source);
		if (err == -EPERM || err == -EBADF) { /* a file; or closed */
			console->in_open = err == -EPERM;
			err = 0;
		}
	}
	if (err) {
		console_close(console);
		return err;
	}
	update(console);
	*out = console;
	return 0;
}

void console_type(struct console *console, uint8_t byte)
{
	if (console->typed_len < sizeof(console->typed))
		console->typed[console->typed_len++] = byte;
	update(console);
}

void console_drain(struct console *console)
{
	bool more = console->sock_source != NULL;

	/* The VM's process is gone, so everything that it sent is here, and then the end is. */
	while (more)
		more = show(console, 0);
}

void console_close(struct console *console)
{
	if (!console)
		return;
	loop_remove(console->sock_source);
	loop_remove(console->in_source);
	loop_remove(console->timer);
	io_close(&console->sock);
	free(console);
}
