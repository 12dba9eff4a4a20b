/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench_initrd: an initramfs with one program and a few modules.
 *
 * The archive is cpio's "newc" (Linux, driver-api/early-userspace/buffer-format.rst), not
 * compressed: emulated processors unpack slowly. What a module needs is told by modules.dep
 * (modules.dep(5)), in the order in which it has to go before.
 */
#include "cli/bench_initrd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"

#define FILE_MAX    (64 * MIB)
#define MODULES_MAX 64

struct archive {
	FILE *out;
	unsigned inode;
	char *packed[MODULES_MAX]; /* file names of modules that are in already */
	size_t count;
	char *order;
	size_t order_len;
	FILE *order_out;
};

/* ---- cpio ---- */

static void pad(FILE *out, size_t len)
{
	static const char zero[4];

	fwrite(zero, 1, -len & 3, out);
}

static void add(struct archive *a, const char *name, unsigned mode, const char *bytes, size_t len)
{
	size_t name_len = strlen(name) + 1;

	fprintf(a->out, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", ++a->inode,
		mode, 0u, 0u, 1u, 0u, (unsigned)len, 0u, 0u, 0u, 0u, (unsigned)name_len, 0u);
	fwrite(name, 1, name_len, a->out);
	pad(a->out, 110 + name_len);
	fwrite(bytes, 1, len, a->out);
	pad(a->out, len);
}

static int add_file(struct archive *a, const char *name, unsigned mode, const char *path)
{
	char *bytes;
	size_t len;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err = fd < 0 ? -errno : io_read_file(fd, FILE_MAX, &bytes, &len);

	io_close(&fd);
	if (err < 0)
		return log_fail(err, "bench", "%s not read: %s", path, strerror(-err));
	add(a, name, S_IFREG | mode, bytes, len);
	free(bytes);
	return 0;
}

/* ---- modules ---- */

/* "…/net/virtio_net.ko.xz" is virtio_net; - and _ are the same. */
static bool is_named(const char *path, size_t len, const char *name)
{
	const char *slash = memrchr(path, '/', len);
	const char *at = slash ? slash + 1 : path;

	for (; *name; name++, at++) {
		char a = *at == '-' ? '_' : *at, b = *name == '-' ? '_' : *name;

		if (a != b)
			return false;
	}
	return !strncmp(at, ".ko", 3);
}

static int pack_module(struct archive *a, const char *modules, const char *file, size_t len)
{
	char path[512], name[192];
	const char *slash = memrchr(file, '/', len);
	const char *base = slash ? slash + 1 : file;
	size_t base_len = len - (size_t)(base - file);

	for (size_t i = 0; i < a->count; i++)
		if (strlen(a->packed[i]) == base_len && !strncmp(a->packed[i], base, base_len))
			return 0;
	if (a->count == MODULES_MAX)
		return log_fail(-E2BIG, "bench", "its guests need more than %u modules",
				MODULES_MAX);
	snprintf(path, sizeof(path), "%s/%.*s", modules, (int)len, file);
	snprintf(name, sizeof(name), "modules/%.*s", (int)base_len, base);
	int err = add_file(a, name, 0644, path);
	if (err)
		return err;
	a->packed[a->count] = strndup(base, base_len);
	if (!a->packed[a->count++])
		return -ENOMEM;
	fprintf(a->order_out, "%.*s\n", (int)base_len, base);
	return 0;
}

/* One line of modules.dep: "FILE: NEEDS NEEDS …", what is needed first standing last. */
static int pack_line(struct archive *a, const char *modules, char *line)
{
	char *colon = strchr(line, ':'), *end = line + strlen(line);
	int err = 0;

	while (end > colon + 1 && !err) {
		char *start = end;

		while (start > colon + 1 && start[-1] != ' ')
			start--;
		if (end > start)
			err = pack_module(a, modules, start, (size_t)(end - start));
		end = start > colon + 1 ? start - 1 : start;
	}
	return err ? err : pack_module(a, modules, line, (size_t)(colon - line));
}

static int pack_named(struct archive *a, const char *modules, const char *dep, const char *name)
{
	const char *line = dep;

	while (line && *line) {
		const char *newline = strchr(line, '\n');
		size_t len = newline ? (size_t)(newline - line) : strlen(line);
		const char *colon = memchr(line, ':', len);

		if (colon && is_named(line, (size_t)(colon - line), name)) {
			char *copy = strndup(line, len);
			int err = copy ? pack_line(a, modules, copy) : -ENOMEM;

			free(copy);
			return err;
		}
		line = newline ? newline + 1 : NULL;
	}
	return 0; /* built in, or not there: then no NIC appears, and that is said */
}

static int pack_modules(struct archive *a, const char *modules, const char *const *names,
			size_t count)
{
	char path[512], *dep;
	size_t len;

	snprintf(path, sizeof(path), "%s/modules.dep", modules);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err = fd < 0 ? -errno : io_read_file(fd, FILE_MAX, &dep, &len);
	io_close(&fd);
	if (err < 0)
		return log_fail(err, "bench",
				"%s not read: %s; pass --modules with the folder of the kernel's",
				path, strerror(-err));
	for (size_t i = 0; i < count && !err; i++)
		err = pack_named(a, modules, dep, names[i]);
	free(dep);
	return err;
}

int bench_initrd_write(const char *path, const char *work, const char *modules,
		       const char *const *names, size_t count)
{
	struct archive a = {.out = fopen(path, "we")};
	int err;

	if (!a.out)
		return log_fail(-errno, "bench", "%s not made: %m", path);
	a.order_out = open_memstream(&a.order, &a.order_len);
	add(&a, "modules", S_IFDIR | 0755, "", 0);
	err = add_file(&a, "init", 0755, work);
	if (!err && a.order_out)
		err = pack_modules(&a, modules, names, count);
	if (a.order_out)
		fclose(a.order_out);
	add(&a, "modules/order", S_IFREG | 0644, a.order ? a.order : "", a.order_len);
	add(&a, "TRAILER!!!", 0, "", 0);
	if ((fclose(a.out) || !a.order_out) && !err)
		err = log_fail(-EIO, "bench", "%s not written", path);
	for (size_t i = 0; i < a.count; i++)
		free(a.packed[i]);
	free(a.order);
	return err;
}
