/* SPDX-License-Identifier: BSD-3-Clause */
/* bench_guest: see bench_guest.h; what is said between the two is in bench/guest/work.c. */
#include "cli/bench_guest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"

#define MARK	   "WORK: "
#define STOP_TRIES 150 /* tenths of a second for a machine to turn itself off */

static void become(char *const *argv, int in, int out, bool netns)
{
	sigset_t none;
	char go;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpgid(0, 0);
	if (netns && unshare(CLONE_NEWNET) < 0)
		_exit(126);
	/* The first byte says that the parent has given us what we shall have. */
	if (netns && (write(out, "WORK: netns {}\n", 15) != 15 || read(in, &go, 1) != 1))
		_exit(126);
	dup2(in, 0);
	dup2(out, 1);
	int null = open("/dev/null", O_WRONLY);
	if (null >= 0 && !getenv("SLUICE_BENCH_DEBUG"))
		dup2(null, 2);
	execvp(argv[0], argv);
	_exit(127);
}

int bench_guest_spawn(struct bench_guest *guest, char *const *argv, bool netns)
{
	int in[2], out[2];

	*guest = (struct bench_guest){.in = -1, .out = -1};
	if (pipe2(in, O_CLOEXEC) < 0)
		return log_fail(-errno, "bench", "no pipe: %m");
	if (pipe2(out, O_CLOEXEC) < 0) {
		close(in[0]);
		close(in[1]);
		return log_fail(-errno, "bench", "no pipe: %m");
	}
	guest->pid = fork();
	if (guest->pid == 0)
		become(argv, in[0], out[1], netns);
	close(in[0]);
	close(out[1]);
	guest->in = in[1];
	guest->out = out[0];
	if (guest->pid > 0)
		return 0;
	int err = -errno;
	guest->pid = 0;
	io_close(&guest->in);
	io_close(&guest->out);
	return log_fail(err, "bench", "no process for a path: %s", strerror(-err));
}

void bench_guest_go(struct bench_guest *guest)
{
	(void)!write(guest->in, "\n", 1);
}

/* ---- what it says ---- */

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* One more line into guest->line; the rest of what was read stays behind its end. */
static int next_line(struct bench_guest *guest, uint64_t end, int stop_fd, char *line, size_t size)
{
	for (;;) {
		char *newline = memchr(guest->line, '\n', guest->len);
		struct pollfd ask[2] = {{.fd = guest->out, .events = POLLIN},
					{.fd = stop_fd, .events = POLLIN}};
		uint64_t now = now_ms();

		if (newline || guest->len == sizeof(guest->line)) {
			size_t n = newline ? (size_t)(newline - guest->line) : guest->len;

			snprintf(line, size, "%.*s", (int)n, guest->line);
			line[strcspn(line, "\r")] = '\0';
			n += newline != NULL;
			memmove(guest->line, guest->line + n, guest->len - n);
			guest->len -= n;
			return 0;
		}
		if (now >= end)
			return -ETIMEDOUT;
		if (poll(ask, 2, (int)(end - now)) < 0 && errno != EINTR)
			return -errno;
		if (ask[1].revents)
			return -EINTR;
		if (!ask[0].revents)
			continue;
		ssize_t n = read(guest->out, guest->line + guest->len,
				 sizeof(guest->line) - guest->len);
		if (n <= 0)
			return -ECHILD;
		guest->len += (size_t)n;
	}
}

/* The line that begins with `id`, as JSON. */
static int hear(struct bench_guest *guest, const char *id, unsigned seconds, int stop_fd,
		json_t **result)
{
	uint64_t end = now_ms() + seconds * UINT64_C(1000);
	char line[sizeof(guest->line)];
	int err;

	while (!(err = next_line(guest, end, stop_fd, line, sizeof(line)))) {
		const char *at = strstr(line, MARK);
		size_t len = strlen(id);

		if (!at) {
			if (line[0])
				snprintf(guest->last, sizeof(guest->last), "%.120s", line);
			continue;
		}
		at += strlen(MARK);
		if (!strncmp(at, id, len) && at[len] == ' ') {
			*result = json_loads(at + len, 0, NULL);
			return *result ? 0 : -EIO;
		}
		snprintf(guest->last, sizeof(guest->last), "%.120s", at);
		if (at[0] == '-')
			return -EIO;
	}
	return err;
}

int bench_guest_ready(struct bench_guest *guest, unsigned seconds, int stop_fd)
{
	json_t *result = NULL;
	int err = hear(guest, "ready", seconds, stop_fd, &result);

	json_decref(result);
	return err;
}

int bench_guest_do(struct bench_guest *guest, const char *command, unsigned seconds, int stop_fd,
		   json_t **result)
{
	char line[256], id[16];
	int len;

	snprintf(id, sizeof(id), "%u", ++guest->id);
	len = snprintf(line, sizeof(line), "%s %s\n", id, command);
	if (write(guest->in, line, (size_t)len) != len)
		return -ECHILD;
	int err = hear(guest, id, seconds, stop_fd, result);
	if (err)
		return err;
	const char *why = json_string_value(json_object_get(*result, "error"));
	if (!why)
		return 0;
	snprintf(guest->last, sizeof(guest->last), "%.120s", why);
	json_decref(*result);
	*result = NULL;
	return -EIO;
}

void bench_guest_stop(struct bench_guest *guest)
{
	bool gone = guest->pid <= 0;

	if (gone)
		return;
	(void)!write(guest->in, "quit\n", 5);
	io_close(&guest->in);
	for (int i = 0; i < STOP_TRIES && !gone; i++) {
		char rest[4096];
		struct pollfd ask = {.fd = guest->out, .events = POLLIN};

		if (poll(&ask, 1, 100) > 0 && read(guest->out, rest, sizeof(rest)) <= 0)
			poll(NULL, 0, 20);
		gone = waitpid(guest->pid, NULL, WNOHANG) == guest->pid;
	}
	if (!gone) {
		kill(guest->pid, SIGTERM); /* sluice ends its VM, and gives back what it has */
		for (int i = 0; i < STOP_TRIES && !gone; i++) {
			poll(NULL, 0, 100);
			gone = waitpid(guest->pid, NULL, WNOHANG) == guest->pid;
		}
	}
	if (!gone) {
		kill(guest->pid, SIGKILL);
		waitpid(guest->pid, NULL, 0);
	}
	io_close(&guest->out);
	guest->pid = 0;
}
