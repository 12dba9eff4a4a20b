/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * slow: see slow.h.
 *
 * Unbinding a device that a process has open, or removing VFs below it, sleeps in the kernel
 * until that process lets go (Documentation/driver-api/vfio.rst: the request interrupt), and not
 * even SIGKILL wakes it. So a child process does the write and tells the errno through a pipe; a
 * parent that hears nothing goes on and can say who is in the way. The child keeps the PF's
 * lock (flock belongs to the open file that it inherits) as long as the kernel is at it.
 */
#include "sriov/slow.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"

/* Closes all descriptors but three. What the child kept could be what the kernel waits for (the
 * device itself), keep a dead VM's lock, or a pipeline open. */
static void close_others(const int keep[3])
{
	unsigned next = 0;

	for (;;) {
		int lowest = INT_MAX;
		for (unsigned i = 0; i < 3; i++)
			if (keep[i] >= (int)next && keep[i] < lowest)
				lowest = keep[i];
		if (lowest == INT_MAX)
			break;
		if (lowest > (int)next)
			close_range(next, (unsigned)lowest - 1, 0);
		next = (unsigned)lowest + 1;
	}
	close_range(next, UINT_MAX, 0);
}

static _Noreturn void child(const struct sriov *ctx, int answer, const char *text, const char *path)
{
	const int keep[3] = {ctx->fs.root, ctx->lock, answer};

	close_others(keep);
	int err = sysfs_write(&ctx->fs, text, "%s", path);
	io_write_full(answer, &err, sizeof(err));
	_exit(0);
}

/* The child's answer; 1 when there is none in time. */
static int await(int fd, unsigned ms, int *result)
{
	struct pollfd poller = {.fd = fd, .events = POLLIN};
	int n;

	do {
		n = poll(&poller, 1, (int)ms);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return 1;
	if (n < 0)
		return -errno;
	return io_read_full(fd, result, sizeof(*result));
}

int slow_write(const struct sriov *ctx, const char *text, const char *fmt, ...)
{
	char path[SYSFS_PATH];
	int ends[2], result = -EIO;
	va_list args;

	va_start(args, fmt);
	int n = vsnprintf(path, sizeof(path), fmt, args);
	va_end(args);
	if (n < 0 || n >= SYSFS_PATH)
		return -ENAMETOOLONG;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	pid_t pid = fork();
	if (pid == 0)
		child(ctx, ends[1], text, path);
	int err = pid < 0 ? -errno : 0;
	io_close(&ends[1]);
	if (!err)
		err = await(ends[0], ctx->slow_ms, &result);
	io_close(&ends[0]);
	if (err == 1) {
		kill(pid, SIGKILL); /* ends it as soon as the kernel lets go */
		return -ETIMEDOUT;
	}
	if (pid > 0)
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	return err ? err : result;
}
