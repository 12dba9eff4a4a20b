/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_dir: see vm_dir.h. */
#include "cli/vm_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"
#include "cli/disk_engine.h"
#include "cli/vm_threads.h"
#include "cli/vmm_config.h"

int vm_path(const struct cli *cli, const char *name, const char *file, char path[CLI_PATH])
{
	int err = cli_run_path(cli, path, "vm/%s/%s", name, file);

	return err ? log_fail(err, cli->run_dir, "too long for a run directory") : 0;
}

bool vm_known(const struct cli *cli, const char *name)
{
	char path[CLI_PATH];

	return vmm_name_valid(name) && !vm_path(cli, name, "", path) && access(path, F_OK) == 0;
}

static int add_name(const char *name, void *opaque)
{
	if (vmm_name_valid(name))
		json_array_append_new(opaque, json_string(name));
	return 0;
}

json_t *vm_names(const struct cli *cli)
{
	json_t *names = json_array();
	struct sysfs run = {.root = -1}; /* a tree of small files below one root: the same needs */

	if (sysfs_open(&run, cli->run_dir) == 0)
		sysfs_list(&run, add_name, names, "vm");
	sysfs_close(&run);
	return names;
}

static void remove_files(const struct cli *cli, const char *name, const char *const *files,
			 size_t count)
{
	char path[CLI_PATH];

	for (size_t i = 0; i < count; i++)
		if (!vm_path(cli, name, files[i], path) && unlink(path) < 0 && errno != ENOENT)
			log_error(path, "not removed: %m");
}

void vm_dir_remove(const struct cli *cli, const char *name)
{
	static const char *const files[] = {VM_CTL,  VM_CONSOLE, VM_CONFIG, VM_LOG, VM_RESULT,
					    VM_PLUG, VM_CPUS,	 VM_DIAL,   VM_LOCK};
	char path[CLI_PATH];

	disk_engine_wait(cli, name); /* their sockets are in it */
	remove_files(cli, name, files, ARRAY_SIZE(files));
	if (!vm_path(cli, name, "", path) && rmdir(path) < 0 && errno != ENOENT)
		log_error(path, "not removed: %m");
}

void vm_dir_silence(const struct cli *cli, const char *name)
{
	static const char *const files[] = {VM_CTL, VM_CONSOLE};

	disk_engine_wait(cli, name);
	remove_files(cli, name, files, ARRAY_SIZE(files));
}

int vm_write_json(const struct cli *cli, const char *name, const char *file, const json_t *json)
{
	char path[CLI_PATH];
	int err = vm_path(cli, name, file, path);

	if (err)
		return err;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return log_fail(-errno, path, "not written: %m");
	if (json_dumpfd(json, fd, JSON_INDENT(2)) < 0)
		err = log_fail(-EIO, path, "not written: is the disk full?");
	io_close(&fd);
	return err;
}

json_t *vm_read_json(const struct cli *cli, const char *name, const char *file)
{
	char path[CLI_PATH];

	return vm_path(cli, name, file, path) ? NULL : json_load_file(path, 0, NULL);
}

int vm_try(const struct cli *cli, const char *name, const char *method, json_t **result,
	   char error[RPC_ERROR_TEXT])
{
	char path[CLI_PATH];
	json_t *answer = NULL;
	int err = vm_path(cli, name, VM_CTL, path);

	error[0] = '\0';
	if (!err)
		err = rpc_call(path, method, NULL, VM_CALL_MS, &answer, error);
	vm_threads_translate("/proc", answer);
	if (result)
		*result = answer;
	else
		json_decref(answer);
	return err;
}

static void log_call(const struct cli *cli, const char *name, const char *method, int err,
		     const char *error)
{
	char subject[VMM_NAME_MAX + 4];

	snprintf(subject, sizeof(subject), "vm %s", name);
	if (err == -ENOENT || err == -ECONNREFUSED)
		log_error(subject, "%s",
			  vm_known(cli, name) ? "does not run any more; see sluice vm list"
					      : "no such VM; see sluice vm list");
	else if (err == -ETIMEDOUT)
		log_error(subject, "does not answer: it is starting, or its process is stuck");
	else if (err)
		log_error(subject, "%s: %s", method, error);
}

json_t *vm_call(const struct cli *cli, const char *name, const char *method)
{
	char error[RPC_ERROR_TEXT];
	json_t *result = NULL;
	int err = vm_try(cli, name, method, &result, error);

	log_call(cli, name, method, err, error);
	return result;
}

int vm_tell(const struct cli *cli, const char *name, const char *method, json_t *params,
	    const int *fds, size_t count, json_t **result)
{
	char path[CLI_PATH], error[RPC_ERROR_TEXT];
	json_t *answer = NULL;
	int err = vm_path(cli, name, VM_CTL, path);

	if (err) {
		json_decref(params);
		return err;
	}
	err = rpc_call_fds(path, method, params, fds, count, VM_CALL_MS, &answer, error);
	log_call(cli, name, method, err, error);
	if (result)
		*result = answer;
	else
		json_decref(answer);
	return err;
}
