/* SPDX-License-Identifier: BSD-3-Clause */
/* lock: see lock.h. The kernel drops the lock with the process, so no kill leaves one behind. */
#include "sriov/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <time.h>

#include "base/io.h"
#include "base/log.h"

#define WAIT_MS 60000
#define STEP_MS 20

static int open_lock(struct sriov *ctx, const char *dev)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/lock", ctx->run_dir);
	int err = context_make_dir(path);
	if (err)
		return err;
	snprintf(path, sizeof(path), "%s/lock/%s", ctx->run_dir, dev);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return fd < 0 ? log_fail(-errno, path, "not opened: %m") : fd;
}

static int take(struct sriov *ctx, struct bdf bdf, unsigned wait_ms)
{
	char dev[BDF_TEXT];
	int fd = open_lock(ctx, bdf_format(bdf, dev));

	if (fd < 0)
		return fd;
	for (unsigned ms = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; ms += STEP_MS) {
		if (errno != EWOULDBLOCK || ms >= wait_ms) {
			int err = -errno;
			io_close(&fd);
			return err;
		}
		if (ms == 1000)
			log_warn(dev, "another sluice command is changing it; waiting");
		nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000L}, NULL);
	}
	return fd;
}

int lock_take(struct sriov *ctx, struct bdf bdf)
{
	char dev[BDF_TEXT];
	int fd = take(ctx, bdf, WAIT_MS);

	if (fd == -EAGAIN)
		return log_fail(-EBUSY, bdf_format(bdf, dev),
				"another sluice command has been changing it for a minute, or the "
				"kernel still blocks in one; see `ps` and dmesg");
	if (fd < 0)
		return fd;
	ctx->lock = fd;
	return 0;
}

void lock_drop(struct sriov *ctx)
{
	io_close(&ctx->lock);
}

int lock_try(struct sriov *ctx, struct bdf bdf)
{
	return take(ctx, bdf, 0);
}
