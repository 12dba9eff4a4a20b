/* SPDX-License-Identifier: BSD-3-Clause */
/* vm: pause, resume, reset, powerdown, save: the life of a running VM. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "cli/vm_dir.h"
#include "cli/vm_plug.h"
#include "cli/vmm_config.h"

#define GONE_S	 30
#define DETACH_S 30

/* ---- one call ---- */

static int one_call(struct cli *cli, const char *name, const char *method, const char *done)
{
	char text[64];

	if (!vm_known(cli, name))
		return log_fail(CLI_FAILED, name, "no such VM; see sluice vm list");
	if (cli->dry_run) {
		snprintf(text, sizeof(text), "would be %s", done);
		return vm_report(cli, name, text);
	}
	if (vm_tell(cli, name, method, NULL, NULL, 0, NULL))
		return CLI_FAILED;
	return vm_report(cli, name, done);
}

int cmd_vm_pause(struct cli *cli, const struct cli_args *args)
{
	return one_call(cli, args->operand, "pause", "paused");
}

int cmd_vm_resume(struct cli *cli, const struct cli_args *args)
{
	return one_call(cli, args->operand, "resume", "resumed");
}

int cmd_vm_reset(struct cli *cli, const struct cli_args *args)
{
	return one_call(cli, args->operand, "reset", "reset");
}

int cmd_vm_powerdown(struct cli *cli, const struct cli_args *args)
{
	return one_call(cli, args->operand, "power-button", "asked to power off");
}

/* ---- the file ---- */

/*
 * A file that has no name until it is whole (O_TMPFILE, open(2)), so that nothing is left behind
 * whoever dies; where the file system has no such thing, one with a name of its own.
 */
struct target {
	const char *path;
	char dir[PATH_MAX], temporary[PATH_MAX];
	int fd, dir_fd;
	bool named;
};

static int refuse_path(const struct target *t, int err)
{
	return log_fail(err, t->path, "not saved there: %s", strerror(-err));
}

static int open_target(struct target *t, const char *path)
{
	char copy[PATH_MAX];

	*t = (struct target){.path = path, .fd = -1, .dir_fd = -1};
	if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy))
		return refuse_path(t, -ENAMETOOLONG);
	snprintf(t->dir, sizeof(t->dir), "%s", dirname(copy));
	int len = snprintf(t->temporary, sizeof(t->temporary), "%s.%d.part", path, (int)getpid());
	if (len >= (int)sizeof(t->temporary))
		return refuse_path(t, -ENAMETOOLONG);
	t->dir_fd = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->dir_fd < 0)
		return refuse_path(t, -errno);
	t->fd = open(t->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (t->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
		t->named = true;
		t->fd = open(t->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	}
	return t->fd < 0 ? refuse_path(t, -errno) : 0;
}

/* The whole file gets its name, in one step, and the name reaches the disk. */
static int publish(struct target *t)
{
	char self[32];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", t->fd);
	if (!t->named && linkat(AT_FDCWD, self, AT_FDCWD, t->temporary, AT_SYMLINK_FOLLOW) < 0)
		return refuse_path(t, -errno);
	t->named = true;
	if (rename(t->temporary, t->path) < 0 || fsync(t->dir_fd) < 0)
		return refuse_path(t, -errno);
	t->named = false;
	return 0;
}

static void close_target(struct target *t)
{
	if (t->named && t->fd >= 0)
		unlink(t->temporary);
	io_close(&t->fd);
	io_close(&t->dir_fd);
}

/* ---- saving ---- */

static void show_progress(const json_t *status)
{
	char done[PARSE_SIZE_TEXT], total[PARSE_SIZE_TEXT];

	if (!isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r\033[Ksluice: saving memory: %s of %s",
		format_size((uint64_t)json_integer_value(json_object_get(status, "done")), done),
		format_size((uint64_t)json_integer_value(json_object_get(status, "total")), total));
}

/* Until the VM has written all of it, or says why not. */
static int wait_written(struct cli *cli, const char *name)
{
	const struct timespec tick = {.tv_nsec = 50000000};
	json_t *status = NULL;
	int err;

	for (;;) {
		err = vm_tell(cli, name, "save-status", NULL, NULL, 0, &status);
		const char *state = json_string_value(json_object_get(status, "state"));
		if (err || !state || strcmp(state, "writing") != 0)
			break;
		show_progress(status);
		json_decref(status);
		status = NULL;
		nanosleep(&tick, NULL);
	}
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	const char *state = json_string_value(json_object_get(status, "state"));
	const char *why = json_string_value(json_object_get(status, "error"));
	if (!err && (!state || strcmp(state, "done") != 0))
		err = log_fail(-EIO, name, "not saved: %s", why ? why : "it was not written");
	json_decref(status);
	return err;
}

/* The file is whole: the VM ends, and what it was becomes "suspended". */
static int suspend(struct cli *cli, const char *name, const char *path)
{
	char absolute[PATH_MAX];

	if (vm_tell(cli, name, "quit", json_pack("{s:b}", "saved", 1), NULL, 0, NULL))
		return CLI_FAILED;
	if (!vm_wait_gone(cli, name, GONE_S))
		return log_fail(CLI_FAILED, name, "saved in %s, but its process does not go away",
				path);
	json_t *result =
		json_pack("{s:s,s:s,s:I}", "end", "saved", "file",
			  realpath(path, absolute) ? absolute : path, "at", (json_int_t)time(NULL));
	if (vm_known(cli, name))
		vm_write_json(cli, name, VM_RESULT, result);
	json_decref(result);
	return vm_report(cli, name, "saved");
}

static int save(struct cli *cli, const char *name, const char *path, bool keep)
{
	char error[RPC_ERROR_TEXT];
	struct target target;
	json_t *started = NULL;
	int err = open_target(&target, path);

	if (!err)
		err = vm_tell(cli, name, "save", json_pack("{s:b}", "keep", keep), &target.fd, 1,
			      &started);
	bool ran = json_is_true(json_object_get(started, "ran"));
	json_decref(started);
	if (!err) {
		err = wait_written(cli, name);
		if (!err)
			err = publish(&target);
		if (err && ran) /* it stands still, and there is nothing to wait for */
			vm_try(cli, name, "resume", NULL, error);
	}
	close_target(&target);
	if (err)
		return CLI_FAILED;
	return keep ? vm_report(cli, name, "saved, and goes on") : suspend(cli, name, path);
}

/* Guided: the guest lets go of each, and it is given back to the host. */
static int detach_all(struct cli *cli, const char *name)
{
	json_t *status = vm_call(cli, name, "status");
	const json_t *devices = json_object_get(status, "devices");
	int err = status ? 0 : -EIO;

	for (size_t i = 0; !err && i < json_array_size(devices); i++) {
		const json_t *device = json_array_get(devices, i);
		const char *bdf = json_string_value(json_object_get(device, "bdf"));

		err = bdf ? vm_plug_detach(cli, name, bdf, DETACH_S) : -EPROTO;
	}
	json_decref(status);
	return err;
}

int cmd_vm_save(struct cli *cli, const struct cli_args *args)
{
	const char *name = args->operand;

	if (!cli_sriov(cli))
		return CLI_FAILED;
	if (!vm_known(cli, name))
		return log_fail(CLI_FAILED, name, "no such VM; see sluice vm list");
	if (cli->dry_run)
		return vm_report(cli, name, "would be saved");
	if (cli_has(args, "--detach-vfs") && detach_all(cli, name))
		return CLI_FAILED;
	return save(cli, name, args->more[0], cli_has(args, "--keep"));
}
