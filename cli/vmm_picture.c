/* SPDX-License-Identifier: BSD-3-Clause */
/* vmm_picture: see vmm_picture.h. On the loop's thread: a picture is a few megabytes. */
#include "cli/vmm_picture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"

static bool is_meant(struct vmm_machine *m, size_t index, const char *bdf)
{
	struct vdev_vfio_stat stat;
	char own[BDF_TEXT];

	return !bdf || (!vdev_vfio_stat(m->devices, index, &stat) &&
			!strcmp(bdf_format(stat.host, own), bdf));
}

/* The first that shows anything; else why the last display does not. */
static int take(struct vmm_machine *m, const char *bdf, int fd, struct vdev_picture *picture,
		size_t *index)
{
	int err = -ENOTTY;

	for (size_t i = 0; i < vdev_vfio_count(m->devices); i++) {
		if (!is_meant(m, i, bdf))
			continue;
		int now = vdev_vfio_picture(m->devices, i, fd, picture);
		*index = i;
		if (!now)
			return 0;
		err = now == -ENOTTY ? err : now;
	}
	return err;
}

int vmm_picture(struct vmm_machine *machine, struct rpc_server *server, const json_t *params,
		json_t **result, char error[RPC_ERROR_TEXT])
{
	const char *bdf = json_string_value(json_object_get(params, "bdf"));
	struct vdev_vfio_stat stat = {0};
	struct vdev_picture picture;
	int fd = rpc_server_take_fd(server);
	size_t index = 0;

	if (fd < 0)
		return -EINVAL;
	log_forget();
	int err = take(machine, bdf, fd, &picture, &index);
	io_close(&fd);
	if (err) {
		snprintf(
			error, RPC_ERROR_TEXT, "%s",
			err == -ENOTTY
				? "it has no display that can be read: a picture comes of mediated "
				  "devices with a plane, and of QEMU's display"
			: *log_last() ? log_last()
				      : strerror(-err));
		return err;
	}
	vdev_vfio_stat(machine->devices, index, &stat);
	*result = json_pack("{s:s,s:i,s:i}", "name", stat.name, "width", (int)picture.width,
			    "height", (int)picture.height);
	return *result ? 0 : -ENOMEM;
}
