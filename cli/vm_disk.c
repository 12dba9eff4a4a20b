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
#include "cli/disk_engine.h"
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

/* "vm web", or that it is none of ours. `but`: a VM that it is not; may be NULL. */
static void find_holder(const struct cli *cli, const char *path, const char *but, char *text,
			size_t size)
{
	json_t *names = vm_names(cli);

	snprintf(text, size, "another program, or another --disk of this VM");
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *name = json_string_value(json_array_get(names, i));
		json_t *config = vm_read_json(cli, name, VM_CONFIG);

		if (has_disk(config, path) && (!but || strcmp(but, name) != 0))
			snprintf(text, size, "vm %s", name);
		json_decref(config);
	}
	json_decref(names);
}

/* QEMU, or an engine, that writes to the image has this byte locked, with a lock that ours for
 * reading would get along with (block/file-posix.c: RAW_LOCK_PERM_BASE, BLK_PERM_WRITE). */
#define QEMU_WRITES 101

static bool written_by_qemu(int fd)
{
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = QEMU_WRITES, .l_len = 1};

	return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK &&
	       lock.l_len != 0; /* ours are on all of it */
}

static int lock_image(const struct cli *cli, const char *subject, const struct disk_spec *spec,
		      const char *path, int fd)
{
	struct flock lock = {.l_type = spec->read_only ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};
	char holder[VMM_NAME_MAX + 64];

	if (spec->share)
		return 0;
	bool writer = spec->read_only && written_by_qemu(fd);
	if (!writer && fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	if (!writer && errno != EAGAIN && errno != EACCES)
		return log_fail(-errno, subject, "disk %s not locked: %m; add ,share to go without",
				spec->path);
	find_holder(cli, path, NULL, holder, sizeof(holder));
	return log_fail(-EBUSY, subject, "disk %s is in use by %s%s", spec->path, holder,
			spec->read_only ? ", which writes to it" : "");
}

/* The name of such a disk is its socket's: there is nothing else to know it by. */
static int find_socket(const char *subject, const struct disk_spec *spec, struct vmm_disk *disk)
{
	struct stat st;

	if (stat(spec->path, &st) < 0)
		return log_fail(-errno, subject,
				"vhost-user %s not found: %m; start what serves it", spec->path);
	if (!S_ISSOCK(st.st_mode))
		return log_fail(-EINVAL, subject, "vhost-user %s is no socket", spec->path);
	disk->file.name = realpath(spec->path, NULL);
	disk->socket = realpath(spec->path, NULL);
	disk->serial = strdup("");
	return disk->file.name && disk->socket && disk->serial
		       ? 0
		       : log_fail(-ENOMEM, subject, "no memory for disk %s", spec->path);
}

/* A guest may write anything into its raw disk, so this is no reason to refuse. */
static void warn_format(const char *subject, const struct disk_spec *spec, int fd)
{
	_Alignas(4096) char head[4096];

	if (pread(fd, head, sizeof(head), 0) >= 4 && !memcmp(head, "QFI\xfb", 4))
		log_warn(subject, "disk %s looks like qcow2 and is used as raw; add ,format=qcow2",
			 spec->path);
}

int vm_disk_open(const struct cli *cli, const char *subject, const struct disk_spec *spec,
		 unsigned cpus, struct vmm_disk *disk)
{
	*disk = (struct vmm_disk){
		.file.fd = -1,
		.life_fd = -1,
		.read_only = spec->read_only,
		.queues = spec->queues ? spec->queues : MIN(cpus, QUEUES_DEFAULT),
		.iops = spec->iops,
		.bps = spec->bps,
	};
	if (spec->vhost_user)
		return find_socket(subject, spec, disk);
	int err = open_image(subject, spec, &disk->file.fd);

	if (!err && !spec->format[0])
		err = check_size(subject, spec, disk->file.fd);
	if (err)
		return err;
	disk->file.name = realpath(spec->path, NULL);
	disk->serial = strdup(spec->serial);
	if (!disk->file.name || !disk->serial)
		return log_fail(-ENOMEM, subject, "no memory for disk %s", spec->path);
	err = lock_image(cli, subject, spec, disk->file.name, disk->file.fd);
	if (spec->format[0])
		io_close(&disk->file.fd); /* and the lock: the engine takes its own */
	else if (!err)
		warn_format(subject, spec, disk->file.fd);
	return err;
}

int vm_disk_serve(const struct cli *cli, const char *subject, const char *vm,
		  const struct disk_spec *spec, struct vmm_disk *disk)
{
	char why[DISK_ENGINE_WORDS], holder[VMM_NAME_MAX + 64];
	int err = disk_engine_start(cli, vm, spec, disk, why);

	if (!err)
		return 0;
	if (!strstr(why, " lock"))
		return log_fail(err, subject, "disk %s is not served: %s", spec->path, why);
	find_holder(cli, disk->file.name, vm, holder, sizeof(holder));
	return log_fail(-EBUSY, subject, "disk %s is in use by %s: %s", spec->path, holder, why);
}
