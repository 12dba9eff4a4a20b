/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * owner: see owner.h.
 *
 * Open file description locks (fcntl(2), F_OFD_SETLK) belong to the descriptor, go with it through
 * fork and exec, and end with its last copy. Unlike flock(2) they can be asked about without
 * being taken, so a look never makes a start fail.
 */
#include "sriov/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"

int owner_check_name(const char *name)
{
	size_t n = strlen(name);

	if (!n || n > 63 || strchr(name, '/') || name[0] == '.' || name[0] == '-')
		return log_fail(-EINVAL, name,
				"no VM name: 1 to 63 characters without '/', not starting with '.' "
				"or '-'");
	return 0;
}

static bool lock_path(const struct sriov *ctx, const char *name, char path[4096])
{
	return snprintf(path, 4096, "%s/vm/%s/lock", ctx->run_dir, name) < 4096;
}

static int write_life(int fd)
{
	char text[64];
	uint64_t random[2];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -EIO;
	int n = snprintf(text, sizeof(text), "%d %016llx%016llx\n", (int)getpid(),
			 (unsigned long long)random[0], (unsigned long long)random[1]);
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n)
		return -errno;
	return 0;
}

/* The file may have been removed between open and lock; then the lock means nothing. */
static bool still_there(int fd, const char *path)
{
	struct stat mine, found;

	return !fstat(fd, &mine) && !stat(path, &found) && mine.st_ino == found.st_ino &&
	       mine.st_dev == found.st_dev;
}

/* The file at `path`, locked; -EEXIST when somebody else has the lock. */
static int take_lock(const char *path, const char *name)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return log_fail(-errno, path, "not opened: %m");
	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return fd;
	int err = -errno;
	io_close(&fd);
	if (err == -EAGAIN || err == -EACCES)
		return log_fail(-EEXIST, name,
				"a VM of this name runs already; stop it or choose another name");
	return log_fail(err, path, "not locked: %s", strerror(-err));
}

int sriov_owner_lock(struct sriov *ctx, const char *name)
{
	char path[4096], dir[4096];
	int fd = -1, err = owner_check_name(name);

	if (err)
		return err;
	if (!lock_path(ctx, name, path))
		return log_fail(-ENAMETOOLONG, name, "run directory too long");
	memcpy(dir, path, sizeof(dir));
	*strrchr(dir, '/') = '\0';
	do {
		io_close(&fd);
		err = context_make_dir(dir);
		if (err)
			return err;
		fd = take_lock(path, name);
		if (fd < 0)
			return fd;
	} while (!still_there(fd, path));
	err = write_life(fd);
	if (err) {
		io_close(&fd);
		return log_fail(err, path, "not written: %s", strerror(-err));
	}
	return fd;
}

bool owner_life(const struct sriov *ctx, const char *name, char generation[OWNER_GENERATION],
		pid_t *pid)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char path[4096], text[64] = "";
	int number = 0;

	generation[0] = '\0';
	*pid = 0;
	if (!lock_path(ctx, name, path))
		return false;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return errno != ENOENT; /* fail closed: what cannot be asked may live */
	bool alive = fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
	if (alive && pread(fd, text, sizeof(text) - 1, 0) > 0)
		sscanf(text, "%d %32[0-9a-f]", &number, generation);
	*pid = number;
	io_close(&fd);
	return alive;
}

bool owner_holds(const struct sriov *ctx, const struct ledger_claim *claim, pid_t *pid)
{
	char generation[OWNER_GENERATION] = "";

	*pid = 0;
	return owner_life(ctx, claim->owner, generation, pid) &&
	       (!generation[0] || !strcmp(generation, claim->generation));
}

bool sriov_owner_alive(struct sriov *ctx, const char *name)
{
	char generation[OWNER_GENERATION];
	pid_t pid;

	return owner_life(ctx, name, generation, &pid);
}
