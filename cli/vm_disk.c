/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_disk: see vm_disk.h. */
#include "cli/vm_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"
#include "cli/vm_dir.h"

#define SECTOR	       512
#define QUEUES_DEFAULT 8u

static const char *open_hint(int err, const struct disk_spec *spec)
{
	switch (err) {
	case EACCES:
	case EROFS:
	case EPERM:
		return spec->read_only ? "" : "; to only read it, add ,ro";
	case EINVAL:
		return spec->direct ? "; its file system may know no O_DIRECT: leave ,direct out"
				    : "";
	case EBUSY:
		return "; the host uses it: unmount it first, or add ,ro or ,share";
	default:
		return "";
	}
}

/* A disk of the host that is mounted, or part of something that is, answers EBUSY to O_EXCL. */
static int open_image(const char *subject, const struct disk_spec *spec, int *fd)
{
	int flags = (spec->read_only ? O_RDONLY : O_RDWR) | (spec->direct ? O_DIRECT : 0);
	struct stat st;

	if (stat(spec->path, &st) < 0)
		return log_fail(-errno, subject, "disk %s not opened: %m", spec->path);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return log_fail(-EINVAL, subject, "disk %s is neither a file nor a block device",
				spec->path);
	if (S_ISBLK(st.st_mode) && !spec->read_only && !spec->share)
		flags |= O_EXCL;
	*fd = open(spec->path, flags | O_CLOEXEC);
	if (*fd < 0)
		return log_fail(-errno, subject, "disk %s not opened: %m%s", spec->path,
				open_hint(errno, spec));
	return 0;
}

static int check_size(const char *subject, const struct disk_spec *spec, int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);

	if (size > 0 && size % SECTOR == 0)
		return 0;
	if (size <= 0)
		return log_fail(-EINVAL, subject, "disk %s is empty; make one with truncate -s 10G",
				spec->path);
	return log_fail(-EINVAL, subject,
			"disk %s has %lld bytes, which is no multiple of %d: is it a raw image?",
			spec->path, (long long)size, SECTOR);
}

/* ---- locks ---- */

static bool has_disk(const json_t *config, const char *path)
{
	const json_t *disks = json_object_get(config, "disks");

	for (size_t i = 0; i < json_array_size(disks); i++) {
		const char *other =
			json_string_value(json_object_get(json_array_get(disks, i), "name"));

		if (other && !strcmp(other, path))
			return true;
	}
	return false;
}

/* "vm web", or that it is none of ours. */
static void find_holder(const struct cli *cli, const char *path, char *text, size_t size)
{
	json_t *names = vm_names(cli);

	snprintf(text, size, "another program, or another --disk of this VM");
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *name = json_string_value(json_array_get(names, i));
		json_t *config = vm_read_json(cli, name, VM_CONFIG);

		if (has_disk(config, path))
			snprintf(text, size, "vm %s", name);
		json_decref(config);
	}
	json_decref(names);
}

static int lock_image(const struct cli *cli, const char *subject, const struct disk_spec *spec,
		      const char *path, int fd)
{
	struct flock lock = {.l_type = spec->read_only ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};
	char holder[VMM_NAME_MAX + 64];

	if (spec->share || fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	if (errno != EAGAIN && errno != EACCES)
		return log_fail(-errno, subject, "disk %s not locked: %m; add ,share to go without",
				spec->path);
	find_holder(cli, path, holder, sizeof(holder));
	return log_fail(-EBUSY, subject, "disk %s is in use by %s%s", spec->path, holder,
			spec->read_only ? ", which writes to it" : "");
}

int vm_disk_open(const struct cli *cli, const char *subject, const struct disk_spec *spec,
		 unsigned cpus, struct vmm_disk *disk)
{
	*disk = (struct vmm_disk){
		.file.fd = -1,
		.read_only = spec->read_only,
		.queues = spec->queues ? spec->queues : MIN(cpus, QUEUES_DEFAULT),
		.iops = spec->iops,
		.bps = spec->bps,
	};
	int err = open_image(subject, spec, &disk->file.fd);

	if (!err)
		err = check_size(subject, spec, disk->file.fd);
	if (err)
		return err;
	disk->file.name = realpath(spec->path, NULL);
	disk->serial = strdup(spec->serial);
	if (!disk->file.name || !disk->serial)
		return log_fail(-ENOMEM, subject, "no memory for disk %s", spec->path);
	return lock_image(cli, subject, spec, disk->file.name, disk->file.fd);
}
