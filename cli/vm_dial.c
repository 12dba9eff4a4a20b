/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_dial: see vm_dial.h; the supervisor's side. */
#include "cli/vm_dial.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "cli/vm_dial_wire.h"

/* ---- the list ---- */

static int open_list(const struct cli *cli, const char *name, int flags)
{
	char path[CLI_PATH];
	int err = vm_path(cli, name, VM_DIAL, path);

	if (err)
		return err;
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
	return fd >= 0 ? fd : log_fail(-errno, path, "not opened: %m");
}

int vm_dial_begin(const struct cli *cli, const char *name)
{
	int fd = open_list(cli, name, O_TRUNC), err = fd < 0 ? fd : 0;

	io_close(&fd);
	return err;
}

int vm_dial_allow(const struct cli *cli, const char *name, const char *path)
{
	char line[VM_DIAL_PATH + 1];

	if (strlen(path) >= VM_DIAL_PATH || strchr(path, '\n'))
		return log_fail(-EINVAL, path, "is no path that a socket can have");
	int fd = open_list(cli, name, O_APPEND);
	if (fd < 0)
		return fd;
	snprintf(line, sizeof(line), "%s\n", path);
	int err = io_write_full(fd, line, strlen(line)); /* one write: lines do not mix */
	io_close(&fd);
	return err ? log_fail(err, path, "not noted for %s: %s", name, strerror(-err)) : 0;
}

static bool allowed(const struct cli *cli, const char *name, const char *wanted)
{
	char path[CLI_PATH], line[VM_DIAL_PATH + 1];
	bool found = false;

	if (vm_path(cli, name, VM_DIAL, path))
		return false;
	FILE *in = fopen(path, "re");
	while (in && !found && fgets(line, sizeof(line), in)) {
		line[strcspn(line, "\n")] = '\0';
		found = !strcmp(line, wanted);
	}
	if (in)
		fclose(in);
	return found;
}

/* ---- one request ---- */

/* Nobody is waited for: a server whose backlog is full is called again later. */
static int dial(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(to.sun_path))
		return -ENAMETOOLONG;
	strcpy(to.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
		return fd < 0 ? -errno : fd;
	int err = -errno;
	io_close(&fd);
	return err;
}

int vm_dial_serve(const struct cli *cli, const char *name, int fd)
{
	char path[VM_DIAL_PATH] = "";
	int reply = -1;
	ssize_t n = vm_dial_receive(fd, MSG_DONTWAIT, path, sizeof(path) - 1, &reply);

	if (n < 0)
		return n == -EAGAIN || n == -EINTR ? 0 : (int)n;
	if (n == 0 && reply < 0) /* an empty question still brings something to answer at */
		return -ECONNRESET;
	bool known = memchr(path, '\0', (size_t)n) == NULL && allowed(cli, name, path);
	if (!known)
		log_warn(name,
			 "sluice-vmm asked to be connected with what is not its own; refused");
	int peer = known ? dial(path) : -EACCES;
	int32_t status = peer < 0 ? peer : 0;
	if (reply >= 0) /* whether it still listens is its own affair */
		vm_dial_send(reply, &status, sizeof(status), peer);
	io_close(&peer);
	io_close(&reply);
	return 0;
}
