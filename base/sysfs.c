/* SPDX-License-Identifier: BSD-3-Clause */
/* sysfs: see sysfs.h. */
#include "base/sysfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/parse.h"

int sysfs_open(struct sysfs *fs, const char *path)
{
	fs->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fs->root < 0 ? -errno : 0;
}

void sysfs_close(struct sysfs *fs)
{
	io_close(&fs->root);
}

static int make_path(char path[SYSFS_PATH], const char *fmt, va_list args)
{
	int n = vsnprintf(path, SYSFS_PATH, fmt, args);

	return n < 0 || n >= SYSFS_PATH ? -ENAMETOOLONG : 0;
}

/* Expands the caller's printf-like path into `path`, the result into `err`. */
#define MAKE_PATH(path, err, fmt)                        \
	do {                                             \
		va_list args_;                           \
		va_start(args_, fmt);                    \
		(err) = make_path((path), (fmt), args_); \
		va_end(args_);                           \
	} while (0)

bool sysfs_exists(const struct sysfs *fs, const char *fmt, ...)
{
	char path[SYSFS_PATH];
	int err;

	MAKE_PATH(path, err, fmt);
	return !err && !faccessat(fs->root, path, F_OK, AT_SYMLINK_NOFOLLOW);
}

/* How much of the file there is, up to `size`: one read, since sysfs gives all of a file at once.
 */
static ssize_t read_some(const struct sysfs *fs, const char *path, char *buf, size_t size)
{
	int fd = openat(fs->root, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	ssize_t n;
	do {
		n = read(fd, buf, size);
	} while (n < 0 && errno == EINTR);
	n = n < 0 ? -errno : n;
	io_close(&fd);
	return n;
}

static int read_line(const struct sysfs *fs, const char *path, char *buf, size_t size)
{
	ssize_t n = read_some(fs, path, buf, size);

	if (n < 0)
		return (int)n;
	char *end = memchr(buf, '\n', (size_t)n);
	if (!end && (size_t)n == size)
		return -E2BIG;
	*(end ? end : buf + n) = '\0';
	return 0;
}

int sysfs_read_text(const struct sysfs *fs, char *buf, size_t size, const char *fmt, ...)
{
	char path[SYSFS_PATH];
	int err;

	MAKE_PATH(path, err, fmt);
	ssize_t n = err ? err : read_some(fs, path, buf, size);
	if (n < 0)
		return (int)n;
	if ((size_t)n == size)
		return -E2BIG;
	buf[n] = '\0';
	return 0;
}

int sysfs_read(const struct sysfs *fs, char *buf, size_t size, const char *fmt, ...)
{
	char path[SYSFS_PATH];
	int err;

	MAKE_PATH(path, err, fmt);
	return err ? err : read_line(fs, path, buf, size);
}

int sysfs_read_u64(const struct sysfs *fs, uint64_t *out, const char *fmt, ...)
{
	char path[SYSFS_PATH], text[32];
	int err;

	MAKE_PATH(path, err, fmt);
	if (!err)
		err = read_line(fs, path, text, sizeof(text));
	return err ? err : parse_u64(text, 0, UINT64_MAX, out);
}

int sysfs_write(const struct sysfs *fs, const char *text, const char *fmt, ...)
{
	char path[SYSFS_PATH];
	int err;

	MAKE_PATH(path, err, fmt);
	if (err)
		return err;
	int fd = openat(fs->root, path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* One write: sysfs takes each write(2) as a whole new value. */
	ssize_t n = write(fd, text, strlen(text));
	err = n < 0 ? -errno : 0;
	io_close(&fd);
	return err;
}

int sysfs_link_name(const struct sysfs *fs, char *buf, size_t size, const char *fmt, ...)
{
	char path[SYSFS_PATH], target[SYSFS_PATH];
	int err;

	MAKE_PATH(path, err, fmt);
	if (err)
		return err;
	ssize_t n = readlinkat(fs->root, path, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	const char *slash = strrchr(target, '/');
	const char *name = slash ? slash + 1 : target;
	if (strlen(name) >= size)
		return -E2BIG;
	memcpy(buf, name, strlen(name) + 1);
	return 0;
}

static int not_dots(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
}

int sysfs_list(const struct sysfs *fs, int (*each)(const char *name, void *opaque), void *opaque,
	       const char *fmt, ...)
{
	char path[SYSFS_PATH];
	struct dirent **names;
	int err, result = 0;

	MAKE_PATH(path, err, fmt);
	if (err)
		return err;
	int count = scandirat(fs->root, path, &names, not_dots, versionsort);
	if (count < 0)
		return -errno;
	for (int i = 0; i < count; i++) {
		if (!result)
			result = each(names[i]->d_name, opaque);
		free(names[i]);
	}
	free(names);
	return result;
}
