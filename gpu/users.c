/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * users: which processes of the host use a GPU: those that have one of its device files open, as
 * /proc/PID/fd shows, and how much of its memory, as their fdinfo says (Documentation/gpu/
 * drm-usage-stats.rst).
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/parse.h"
#include "gpu/context.h"

#define FILES 8

struct scan {
	const struct gpu *gpu;
	const struct gpu_device *dev;
	char file[FILES][32]; /* "dri/card0" */
	size_t files;
	pid_t pid;
	struct gpu_user *list;
	size_t count;
	bool complete;
};

static int add_file(const char *name, void *opaque)
{
	struct scan *s = opaque;

	if (s->files < FILES && (!strncmp(name, "card", 4) || !strncmp(name, "renderD", 7)) &&
	    !strchr(name, '-'))
		snprintf(s->file[s->files++], sizeof(s->file[0]), "dri/%.24s", name);
	return 0;
}

/* /proc/driver/nvidia/gpus/BDF/information: "Device Minor: 	 0" */
static void add_nvidia(struct scan *s)
{
	char text[2048];
	unsigned minor;

	if (sysfs_read_text(&s->gpu->root, text, sizeof(text),
			    "proc/driver/nvidia/gpus/%s/information", s->dev->name))
		return;
	const char *at = strstr(text, "Device Minor:");
	if (at && s->files < FILES && sscanf(at + 13, " %u", &minor) == 1)
		snprintf(s->file[s->files++], sizeof(s->file[0]), "nvidia%u", minor);
}

/* The largest of the "drm-…-vram0:	4096 KiB" lines. */
static int64_t read_memory(const struct scan *s, const char *fd)
{
	char text[4096], *save = NULL;
	int64_t most = -1;

	if (sysfs_read_text(&s->gpu->root, text, sizeof(text), "proc/%d/fdinfo/%s", (int)s->pid,
			    fd))
		return -1;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		unsigned long long n;
		char unit[8] = "";
		const char *colon = strchr(line, ':');
		if (!colon || strncmp(line, "drm-", 4) != 0 || !strstr(line, "vram") ||
		    sscanf(colon + 1, " %llu %7s", &n, unit) < 1)
			continue;
		int64_t bytes = (int64_t)n << (*unit == 'K' ? 10 : *unit == 'M' ? 20 : 0);
		most = bytes > most ? bytes : most;
	}
	return most;
}

static int add_user(struct scan *s, const char *file, const char *fd)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->list[i].pid == s->pid)
			return 0;
	struct gpu_user *grown = realloc(s->list, (s->count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	s->list = grown;
	struct gpu_user *u = &grown[s->count++];
	*u = (struct gpu_user){.pid = s->pid, .memory = read_memory(s, fd)};
	snprintf(u->file, sizeof(u->file), "%s", file);
	sysfs_read(&s->gpu->root, u->comm, sizeof(u->comm), "proc/%d/comm", (int)s->pid);
	return 0;
}

static int look_at_fd(const char *fd, void *opaque)
{
	struct scan *s = opaque;
	char path[64], target[128];

	snprintf(path, sizeof(path), "proc/%d/fd/%.16s", (int)s->pid, fd);
	ssize_t n = readlinkat(s->gpu->root.root, path, target, sizeof(target) - 1);
	target[n < 0 ? 0 : n] = '\0';
	if (strncmp(target, "/dev/", 5) != 0)
		return 0;
	for (size_t i = 0; i < s->files; i++)
		if (!strcmp(target + 5, s->file[i]))
			return add_user(s, s->file[i], fd);
	return 0;
}

static int look_at_process(const char *name, void *opaque)
{
	struct scan *s = opaque;

	if (!isdigit((unsigned char)*name))
		return 0;
	s->pid = (pid_t)strtol(name, NULL, 10);
	int err = sysfs_list(&s->gpu->root, look_at_fd, s, "proc/%s/fd", name);
	s->complete &= err != -EACCES && err != -EPERM;
	return err == -ENOMEM ? err : 0;
}

int gpu_users(struct gpu *gpu, const struct gpu_device *device, struct gpu_user **out,
	      size_t *count, bool *complete)
{
	struct scan s = {.gpu = gpu, .dev = device, .complete = true};
	int err = 0;

	if (!bdf_is_stand_in(device->bdf)) {
		sysfs_list(&gpu->fs, add_file, &s, "bus/pci/devices/%s/drm", device->name);
		add_nvidia(&s);
	}
	if (s.files)
		err = sysfs_list(&gpu->root, look_at_process, &s, "proc");
	*out = s.list;
	*count = s.count;
	*complete = s.complete;
	return err;
}
