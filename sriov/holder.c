/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * holder: see holder.h.
 *
 * A process that drives a device through VFIO has /dev/vfio/GROUP open, or with iommufd
 * /dev/vfio/devices/vfioN (Documentation/driver-api/vfio.rst); there is no other trace of it, so
 * /proc/PID/fd of everybody is read. A process that may not be looked into makes the answer
 * incomplete, and whoever asks must then assume the worst.
 */
#include "sriov/holder.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"
#include "sriov/sriov.h"

static void read_comm(int proc, pid_t pid, char comm[16])
{
	char path[64];

	snprintf(path, sizeof(path), "%d/comm", (int)pid);
	memset(comm, 0, 16);
	int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	ssize_t n = read(fd, comm, 15);
	(void)n; /* an empty name will do */
	comm[strcspn(comm, "\n")] = '\0';
	io_close(&fd);
}

static int add(struct holders *out, int group, int proc, pid_t pid)
{
	struct holder *list = realloc(out->list, (out->count + 1) * sizeof(*list));

	if (!list)
		return -ENOMEM;
	out->list = list;
	struct holder *h = &list[out->count++];
	h->group = group;
	h->pid = pid;
	read_comm(proc, pid, h->comm);
	return 0;
}

#define NO_GROUP      (-1)
#define UNKNOWN_GROUP (-2)

/* Behind "/dev/vfio/devices/vfio3", as opened by who uses iommufd. */
static int group_of_device(const char *name)
{
	char path[128], target[256];
	uint32_t group;

	snprintf(path, sizeof(path), "/sys/class/vfio-dev/%.32s/device/iommu_group", name);
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	target[n < 0 ? 0 : n] = '\0';
	const char *last = strrchr(target, '/');
	return last && !parse_u32(last + 1, 0, INT32_MAX, &group) ? (int)group : UNKNOWN_GROUP;
}

/* The group behind "/dev/vfio/12"; NO_GROUP for anything else. */
static int group_of_link(const char *target)
{
	static const char dir[] = "/dev/vfio/", devices[] = "/dev/vfio/devices/";
	uint32_t group;

	if (!strncmp(target, devices, sizeof(devices) - 1))
		return group_of_device(target + sizeof(devices) - 1);
	if (strncmp(target, dir, sizeof(dir) - 1) ||
	    parse_u32(target + sizeof(dir) - 1, 0, INT32_MAX, &group))
		return NO_GROUP;
	return (int)group;
}

static int scan_process(int proc, pid_t pid, struct holders *out)
{
	char path[64], target[64];
	int err = 0;

	snprintf(path, sizeof(path), "%d/fd", (int)pid);
	int fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		/* ENOENT, ESRCH: it ended meanwhile. */
		if (errno != ENOENT && errno != ESRCH)
			out->complete = false;
		io_close(&fd);
		return 0;
	}
	for (struct dirent *e; !err && (e = readdir(dir));) {
		ssize_t n = readlinkat(fd, e->d_name, target, sizeof(target) - 1);
		if (n <= 0)
			continue; /* "." and "..", or closed meanwhile */
		target[n] = '\0';
		int group = group_of_link(target);
		if (group == UNKNOWN_GROUP)
			out->complete = false;
		if (group >= 0)
			err = add(out, group, proc, pid);
	}
	closedir(dir);
	return err;
}

int holders_scan(const char *proc, struct holders *out)
{
	int err = 0;

	*out = (struct holders){.complete = true};
	DIR *dir = opendir(proc);
	if (!dir)
		return log_fail(-errno, proc, "not read, so holders of devices are unknown: %m");
	for (struct dirent *e; !err && (e = readdir(dir));)
		if (isdigit((unsigned char)e->d_name[0]))
			err = scan_process(dirfd(dir), (pid_t)strtol(e->d_name, NULL, 10), out);
	closedir(dir);
	return err;
}

void holders_free(struct holders *holders)
{
	free(holders->list);
	*holders = (struct holders){0};
}

const struct holder *holders_find(const struct holders *holders, int group, pid_t except)
{
	for (size_t i = 0; i < holders->count; i++)
		if (holders->list[i].group == group && holders->list[i].pid != except)
			return &holders->list[i];
	return NULL;
}

char *holders_words(int group, char text[HOLDER_TEXT])
{
	struct holders holders;
	const struct holder *h = NULL;

	if (!holders_scan(HOLDER_PROC, &holders))
		h = holders_find(&holders, group, 0);
	if (h)
		snprintf(text, HOLDER_TEXT, "%s (pid %d)", h->comm, (int)h->pid);
	else
		snprintf(text, HOLDER_TEXT, "no process that can be seen");
	holders_free(&holders);
	return text;
}

bool sriov_group_holder(int group, char text[SRIOV_HOLDER_TEXT])
{
	struct holders holders;
	const struct holder *h = NULL;

	if (!holders_scan(HOLDER_PROC, &holders))
		h = holders_find(&holders, group, 0);
	if (h)
		snprintf(text, SRIOV_HOLDER_TEXT, "%s (pid %d)", h->comm, (int)h->pid);
	holders_free(&holders);
	return h != NULL;
}
