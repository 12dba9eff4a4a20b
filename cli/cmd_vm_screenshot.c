/* SPDX-License-Identifier: BSD-3-Clause */
/* vm screenshot: the VMM gives the pixels, and they become a PNG here, outside of what a guest can
 * break. */
#include <errno.h>
#include <fcntl.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/rpc.h"
#include "cli/cli.h"
#include "cli/vm_claim.h"
#include "cli/vm_dir.h"

#define PICTURE_MS 60000
#define SIDE_MAX   16384

struct shot {
	char subject[80];
	int fd;
	unsigned width, height;
};

static int ask(struct cli *cli, const char *name, const char *device, struct shot *s,
	       json_t **result)
{
	char path[CLI_PATH], text[BDF_TEXT], error[RPC_ERROR_TEXT] = "";
	json_t *params = json_object();
	struct bdf bdf;
	int err = vm_path(cli, name, VM_CTL, path);

	if (!err && device) {
		int found = vm_find_slice(cli, device, &bdf);
		err = found < 0 ? found
		      : found	? 0
				: vm_find_function(cli_sriov(cli), device, &bdf);
		if (!err)
			json_object_set_new(params, "bdf", json_string(bdf_format(bdf, text)));
	}
	if (err) {
		json_decref(params);
		return err;
	}
	err = rpc_call_fds(path, "screenshot", params, &s->fd, 1, PICTURE_MS, result, error);
	if (err)
		return log_fail(err, s->subject, "no picture: %s",
				error[0] ? error : strerror(-err));
	s->width = (unsigned)json_integer_value(json_object_get(*result, "width"));
	s->height = (unsigned)json_integer_value(json_object_get(*result, "height"));
	return s->width && s->height && s->width <= SIDE_MAX && s->height <= SIDE_MAX
		       ? 0
		       : log_fail(-EPROTO, s->subject, "no picture: its size makes no sense");
}

/* Whole or not at all. */
static int write_png(const struct shot *s, const char *file)
{
	png_image image = {.version = PNG_IMAGE_VERSION,
			   .width = s->width,
			   .height = s->height,
			   .format = PNG_FORMAT_BGR};
	size_t count = (size_t)s->width * s->height;
	uint8_t *pixels = count ? malloc(count * 4) : NULL;
	char temporary[4096];
	int err = pixels ? io_pread_full(s->fd, pixels, count * 4, 0) : -ENOMEM;

	for (size_t i = 0; i < count && !err; i++) /* the fourth byte means nothing */
		memmove(pixels + 3 * i, pixels + 4 * i, 3);
	if (!err &&
	    snprintf(temporary, sizeof(temporary), "%s.part", file) >= (int)sizeof(temporary))
		err = -ENAMETOOLONG;
	if (!err && !png_image_write_to_file(&image, temporary, 0, pixels, 0, NULL))
		err = log_fail(-EIO, file, "not written: %s", image.message);
	else if (!err && rename(temporary, file) < 0)
		err = log_fail(-errno, file, "not written: %m");
	else if (err)
		log_error(file, "not written: %s", strerror(-err));
	free(pixels);
	return err;
}

int cmd_vm_screenshot(struct cli *cli, const struct cli_args *args)
{
	const char *name = args->operand, *file = args->more[0];
	struct shot s = {.fd = memfd_create("picture", MFD_CLOEXEC)};
	json_t *result = NULL;

	snprintf(s.subject, sizeof(s.subject), "vm %.60s", name);
	int err = s.fd < 0 ? log_fail(-errno, s.subject, "no memory for a picture: %m") : 0;
	if (!err && (!cli_sriov(cli) || !vm_known(cli, name)))
		err = log_fail(-ENOENT, s.subject, "does not run; see sluice vm list");
	if (!err)
		err = ask(cli, name, cli_text(args, "--device", NULL), &s, &result);
	if (!err)
		err = write_png(&s, file);
	if (!err && cli->json) {
		json_object_set_new(result, "file", json_string(file));
		cli_print_json(stdout, result);
	} else if (!err) {
		printf("%s: %s: %ux%u pixels of %s\n", s.subject, file, s.width, s.height,
		       json_string_value(json_object_get(result, "name")));
	}
	json_decref(result);
	io_close(&s.fd);
	return err ? CLI_FAILED : CLI_OK;
}
