/* SPDX-License-Identifier: BSD-3-Clause */
/* mdevctl: see mdevctl.h. */
#include "gpu/mdevctl.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"

#define DIR_PATH "etc/mdevctl.d"

static json_t *load(const struct gpu *gpu, const char *parent, const char *uuid)
{
	char path[SYSFS_PATH];

	snprintf(path, sizeof(path), DIR_PATH "/%.200s/%.64s", parent, uuid);
	int fd = openat(gpu->root.root, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	json_t *json = json_loadfd(fd, 0, NULL);
	io_close(&fd);
	if (!json)
		log_warn(path, "is no JSON object; left alone");
	return json;
}

int mdevctl_type(const struct gpu *gpu, const char *parent, const char *uuid, char type[GPU_NAME])
{
	json_t *json = load(gpu, parent, uuid);
	const char *text = json_string_value(json_object_get(json, "mdev_type"));

	snprintf(type, GPU_NAME, "%s", text ? text : "");
	json_decref(json);
	return type[0] ? 0 : -ENOENT;
}

struct listing {
	const struct gpu *gpu;
	const char *parent;
	int (*each)(const char *uuid, const char *type, void *opaque);
	void *opaque;
};

static int take(const char *name, void *opaque)
{
	const struct listing *l = opaque;
	char type[GPU_NAME];

	if (strlen(name) != MDEV_UUID - 1 || mdevctl_type(l->gpu, l->parent, name, type))
		return 0;
	return l->each(name, type, l->opaque);
}

int mdevctl_list(const struct gpu *gpu, const char *parent,
		 int (*each)(const char *uuid, const char *type, void *opaque), void *opaque)
{
	struct listing l = {gpu, parent, each, opaque};
	int err = sysfs_list(&gpu->root, take, &l, DIR_PATH "/%s", parent);

	return err == -ENOENT ? 0 : err;
}

static int make_dirs(const struct gpu *gpu, const char *parent)
{
	char path[SYSFS_PATH];

	snprintf(path, sizeof(path), DIR_PATH "/%.200s", parent);
	for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdirat(gpu->root.root, path, 0755) < 0 && errno != EEXIST)
			return log_fail(-errno, path, "not made: %m");
		*slash = '/';
	}
	if (mkdirat(gpu->root.root, path, 0755) < 0 && errno != EEXIST)
		return log_fail(-errno, path, "not made: %m");
	return 0;
}

/* Under another name first: mdevctl ignores what is no UUID. */
static int write_file(const struct gpu *gpu, const char *path, const json_t *json)
{
	char temporary[SYSFS_PATH + 8];

	snprintf(temporary, sizeof(temporary), "%s.new", path);
	int fd = openat(gpu->root.root, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int err = fd < 0 ? -errno : 0;
	if (!err && (json_dumpfd(json, fd, JSON_INDENT(2)) < 0 || fsync(fd) < 0))
		err = errno ? -errno : -EIO;
	io_close(&fd);
	if (!err && renameat(gpu->root.root, temporary, gpu->root.root, path) < 0)
		err = -errno;
	return err ? log_fail(err, path, "not written: %s", strerror(-err)) : 0;
}

int mdevctl_put(const struct gpu *gpu, const char *parent, const char *uuid, const char *type)
{
	char path[SYSFS_PATH], now[GPU_NAME];
	int err = mdevctl_type(gpu, parent, uuid, now);

	if (!err && !strcmp(now, type))
		return 0;
	err = make_dirs(gpu, parent);
	if (err)
		return err;
	json_t *json = load(gpu, parent, uuid);
	if (!json)
		json = json_pack("{s:s,s:s,s:[]}", "mdev_type", type, "start", "auto", "attrs");
	json_object_set_new(json, "mdev_type", json_string(type));
	snprintf(path, sizeof(path), DIR_PATH "/%.200s/%.64s", parent, uuid);
	err = json ? write_file(gpu, path, json) : -ENOMEM;
	json_decref(json);
	return err;
}

int mdevctl_remove(const struct gpu *gpu, const char *parent, const char *uuid)
{
	char path[SYSFS_PATH];

	snprintf(path, sizeof(path), DIR_PATH "/%.200s/%.64s", parent, uuid);
	if (unlinkat(gpu->root.root, path, 0) < 0 && errno != ENOENT)
		return log_fail(-errno, path, "not removed: %m");
	return 0;
}
