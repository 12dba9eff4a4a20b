/* SPDX-License-Identifier: BSD-3-Clause */
/* tool: see tool.h. Vendors' tools hang when their driver does, so nobody waits for them for ever.
 */
#include "gpu/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"

#define NO_PROGRAM 127

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static _Noreturn void child(const char *program, const char *const args[TOOL_ARGS], int out)
{
	const char *argv[TOOL_ARGS + 2] = {program};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int i = 0; i < TOOL_ARGS && args[i]; i++)
		argv[i + 1] = args[i];
	setpgid(0, 0); /* with what it starts, it can be ended as one */
	dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	setenv("LC_ALL", "C", 1);
	execvp(program, (char *const *)(uintptr_t)argv);
	_exit(NO_PROGRAM);
}

/* Until its end of file; what does not fit is read and dropped. */
static int collect(int fd, unsigned ms, char out[TOOL_OUTPUT])
{
	int64_t deadline = now_ms() + ms;
	size_t used = 0;

	for (;;) {
		struct pollfd poller = {.fd = fd, .events = POLLIN};
		int64_t left = deadline - now_ms();
		char rest[1024];
		int n = left > 0 ? poll(&poller, 1, (int)left) : 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ETIMEDOUT;
		bool room = used < TOOL_OUTPUT - 1;
		ssize_t got = room ? read(fd, out + used, TOOL_OUTPUT - 1 - used)
				   : read(fd, rest, sizeof(rest));
		if (got <= 0)
			return got < 0 ? -errno : 0;
		used += room ? (size_t)got : 0;
		out[used] = '\0';
	}
}

int tool_run(const struct gpu *gpu, const char *program, const char *const args[TOOL_ARGS],
	     char out[TOOL_OUTPUT])
{
	int ends[2], status = 0;

	out[0] = '\0';
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	pid_t pid = fork();
	if (pid == 0)
		child(program, args, ends[1]);
	int err = pid < 0 ? -errno : 0;
	io_close(&ends[1]);
	if (!err)
		err = collect(ends[0], gpu->tool_ms, out);
	io_close(&ends[0]);
	if (pid < 0)
		return err;
	if (err)
		kill(-pid, SIGKILL);
	/* One that sits in the kernel cannot be ended, nor waited for. */
	while (waitpid(pid, &status, err ? WNOHANG : 0) < 0 && errno == EINTR)
		;
	if (err)
		return err;
	if (!WIFEXITED(status))
		return -EIO;
	return WEXITSTATUS(status) == NO_PROGRAM ? -ENOENT : WEXITSTATUS(status);
}

const char *tool_last(char out[TOOL_OUTPUT])
{
	size_t len = strlen(out);

	while (len && out[len - 1] == '\n')
		out[--len] = '\0';
	const char *line = strrchr(out, '\n');
	return line ? line + 1 : out;
}
