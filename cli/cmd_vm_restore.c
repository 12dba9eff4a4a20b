/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm restore, vm clone: a VM that goes on where one was saved.
 *
 * The file is looked at before anything is started: that it is whole, and how its VM was made. From
 * there on it is `vm run` with the recorded options, and the file in place of a boot.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/vm_file.h"
#include "cli/vm_plug.h"
#include "cli/vm_record.h"
#include "cli/vm_request.h"

struct saved {
	char path[PATH_MAX]; /* absolute: the recorded folder is entered later */
	int fd;
	struct vm_file file;
	json_t *config;
	struct vm_recorded recorded;
};

static void close_saved(struct saved *s)
{
	vm_recorded_free(&s->recorded);
	json_decref(s->config);
	io_close(&s->fd);
}

static int read_saved(struct saved *s, bool verify)
{
	int err = vm_file_open(s->path, s->fd, &s->file);

	if (!err && verify)
		err = vm_file_verify(&s->file);
	if (!err)
		err = vm_file_config(&s->file, &s->config);
	if (!err)
		err = vm_record_read(s->path, json_object_get(s->config, "record"), &s->recorded);
	return err;
}

static int open_saved(const char *path, bool verify, struct saved *s)
{
	*s = (struct saved){.fd = -1};
	if (!realpath(path, s->path))
		return log_fail(-errno, path, "not restored: %m");
	s->fd = open(s->path, O_RDONLY | O_CLOEXEC);
	if (s->fd < 0)
		return log_fail(-errno, s->path, "not restored: %m");
	int err = read_saved(s, verify);
	if (err)
		close_saved(s);
	return err;
}

/* What cannot be saved was taken out before, and is put in again when the VM runs. */
static int attach_again(struct cli *cli, const struct vm_request *r, size_t count)
{
	struct vm_request devices = *r;

	devices.pick_count = count;
	if (!count || !vm_plug_attach(cli, &devices))
		return CLI_OK;
	return log_fail(CLI_FAILED, r->subject,
			"it runs, but without all of its devices; see sluice vm attach");
}

static int request_of(struct saved *s, const char *name, struct vm_request *r)
{
	const char *saved_as = json_string_value(json_object_get(s->config, "name"));
	int err = vm_request_parse(&s->recorded.args, r);

	if (err)
		return err;
	name = name ? name : saved_as;
	if (!name || !vmm_name_valid(name))
		return log_fail(-EINVAL, s->path, "'%s' is no name for a VM", name ? name : "");
	vm_request_set_name(r, name);
	r->saved = s->path;
	r->saved_fd = s->fd;
	r->record = json_object_get(s->config, "record");
	return 0;
}

/* Its supervisor comes back from vm_start too, when the VM has ended; hence a process for each. */
static int start_apart(struct cli *cli, struct vm_request *r, bool *child)
{
	int status = 0;
	pid_t pid = fork();

	if (pid < 0)
		return log_fail(CLI_FAILED, r->subject, "no process made: %m");
	*child = pid == 0;
	if (pid == 0)
		return vm_start(cli, r);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : CLI_FAILED;
}

int cmd_vm_restore(struct cli *cli, const struct cli_args *args)
{
	struct vm_request request;
	struct saved saved;
	int status = CLI_FAILED;

	if (open_saved(args->operand, cli_has(args, "--verify"), &saved))
		return CLI_FAILED;
	if (!request_of(&saved, cli_text(args, "--name", NULL), &request)) {
		size_t devices = request.pick_count;
		bool child = false;

		request.pick_count = 0;
		request.detach = cli_has(args, "--detach");
		vm_record_enter(request.record);
		if (devices && !request.detach)
			log_warn(request.subject,
				 "its devices were taken out before it was saved; "
				 "they come back with --detach, or sluice vm attach");
		status = request.detach && devices ? start_apart(cli, &request, &child)
						   : vm_start(cli, &request);
		if (request.detach && devices && !child && status == CLI_OK && !cli->dry_run)
			status = attach_again(cli, &request, devices);
	}
	close_saved(&saved);
	return status;
}

int cmd_vm_clone(struct cli *cli, const struct cli_args *args)
{
	struct vm_request request;
	struct saved saved;
	int status = CLI_OK;
	bool child = false;

	if (open_saved(args->operand, cli_has(args, "--verify"), &saved))
		return CLI_FAILED;
	vm_record_enter(json_object_get(saved.config, "record"));
	for (size_t i = 0; i < args->more_count && status == CLI_OK && !child; i++) {
		status = CLI_FAILED;
		if (request_of(&saved, args->more[i], &request))
			break;
		if (request.pick_count && i == 0)
			log_warn(saved.path,
				 "the clones do not get its devices; see sluice vm attach");
		request.pick_count = 0;
		for (size_t n = 0; n < request.net_count && !cli_has(args, "--keep-macs"); n++)
			request.nets[n].has_mac = false; /* made of its own name, then */
		request.detach = true;
		status = start_apart(cli, &request, &child);
	}
	close_saved(&saved);
	return status;
}
