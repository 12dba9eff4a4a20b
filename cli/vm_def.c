/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_def: see vm_def.h. */
#include "cli/vm_def.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "cli/vm_request.h"

#define LOCK	".lock"
#define SUFFIX	".json"
#define DEF_MAX (1u << 20)

/* ---- the folder ---- */

static int def_path(const struct cli *cli, const char *name, char path[CLI_PATH])
{
	int len = snprintf(path, CLI_PATH, "%s/vm/%s", cli->state_dir, name);

	return len < CLI_PATH
		       ? 0
		       : log_fail(-ENAMETOOLONG, cli->state_dir, "too long for a state directory");
}

static void file_name(const char *name, char file[VMM_NAME_MAX + sizeof(SUFFIX)])
{
	snprintf(file, VMM_NAME_MAX + sizeof(SUFFIX), "%s" SUFFIX, name);
}

/* Made where it is missing. A descriptor; logs. */
static int open_folder(const struct cli *cli)
{
	char path[CLI_PATH];
	int err = def_path(cli, "", path);

	if (err)
		return err;
	if ((mkdir(cli->state_dir, 0755) < 0 && errno != EEXIST) ||
	    (mkdir(path, 0700) < 0 && errno != EEXIST))
		return log_fail(-errno, path, "not made: %m");
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 ? fd : log_fail(-errno, path, "not opened: %m");
}

bool vm_def_known(const struct cli *cli, const char *name)
{
	char path[CLI_PATH], file[VMM_NAME_MAX + sizeof(SUFFIX)];

	if (!vmm_name_valid(name))
		return false;
	file_name(name, file);
	return !def_path(cli, file, path) && access(path, F_OK) == 0;
}

static int add_name(const char *file, void *opaque)
{
	char name[VMM_NAME_MAX];
	size_t len = strlen(file), end = strlen(SUFFIX);

	if (len <= end || len - end >= sizeof(name) || strcmp(file + len - end, SUFFIX) != 0)
		return 0;
	snprintf(name, sizeof(name), "%.*s", (int)(len - end), file);
	if (vmm_name_valid(name)) /* what is being written has a name that no VM can have */
		json_array_append_new(opaque, json_string(name));
	return 0;
}

json_t *vm_def_names(const struct cli *cli)
{
	json_t *names = json_array();
	struct sysfs state = {
		.root = -1}; /* a tree of small files below one root: the same needs */

	if (sysfs_open(&state, cli->state_dir) == 0)
		sysfs_list(&state, add_name, names, "vm");
	sysfs_close(&state);
	return names;
}

int vm_def_lock(const struct cli *cli)
{
	int folder = open_folder(cli);

	if (folder < 0)
		return folder;
	int fd = openat(folder, LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int err = fd < 0 ? -errno : 0;
	while (!err && flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			err = -errno;
	if (err) {
		log_error(cli->state_dir, "definitions not locked: %s", strerror(-err));
		io_close(&fd);
	}
	io_close(&folder);
	return err ? err : fd;
}

/* ---- one file ---- */

static json_t *read_file(const char *path, const char *subject)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = fd < 0 ? -errno : 0;
	json_error_t error = {.text = ""};
	json_t *record = NULL;
	char *text = NULL;
	size_t len = 0;

	if (!err)
		err = io_read_file(fd, DEF_MAX, &text, &len);
	io_close(&fd);
	if (err == -ENOENT)
		log_error(subject, "not defined; see sluice vm list");
	else if (err)
		log_error(path, "not read: %s", strerror(-err));
	else if (!(record = json_loadb(text, len, 0, &error)))
		log_error(path, "line %d: %s; define the VM again", error.line, error.text);
	free(text);
	return record;
}

json_t *vm_def_load(const struct cli *cli, const char *name)
{
	char path[CLI_PATH], file[VMM_NAME_MAX + sizeof(SUFFIX)];

	if (!vmm_name_valid(name)) {
		log_error(name, "no name for a VM");
		return NULL;
	}
	file_name(name, file);
	json_t *record = def_path(cli, file, path) ? NULL : read_file(path, name);
	json_int_t version = json_integer_value(json_object_get(record, "version"));
	if (record && version != VM_DEF_VERSION) {
		log_error(path, "of version %lld, this sluice knows %d; define the VM again",
			  (long long)version, VM_DEF_VERSION);
		json_decref(record);
		return NULL;
	}
	return record;
}

/* Under another name first, which no VM can have; whoever dies leaves that, and the next one
 * begins it anew. */
static int write_whole(int folder, const char *file, const char *text)
{
	char temporary[VMM_NAME_MAX + sizeof(SUFFIX) + 1];

	snprintf(temporary, sizeof(temporary), ".%s", file);
	int fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int err = fd < 0 ? -errno : io_write_full(fd, text, strlen(text));
	if (!err && fsync(fd) < 0)
		err = -errno;
	io_close(&fd);
	if (!err && (renameat(folder, temporary, folder, file) < 0 || fsync(folder) < 0))
		err = -errno;
	if (err)
		unlinkat(folder, temporary, 0);
	return err;
}

int vm_def_store(const struct cli *cli, const char *name, json_t *record)
{
	char file[VMM_NAME_MAX + sizeof(SUFFIX)];
	int folder = vmm_name_valid(name) ? open_folder(cli)
					  : log_fail(-EINVAL, name, "no name for a VM");

	if (folder < 0)
		return folder;
	file_name(name, file);
	json_object_set_new(record, "version", json_integer(VM_DEF_VERSION));
	char *text = json_dumps(record, JSON_INDENT(2));
	int err = text ? write_whole(folder, file, text) : -EILSEQ;
	if (err == -EILSEQ)
		log_error(name, "not defined: an option is not UTF-8");
	else if (err)
		log_error(name, "not defined: %s; what was defined before stays", strerror(-err));
	free(text);
	io_close(&folder);
	return err;
}

int vm_def_forget(const struct cli *cli, const char *name)
{
	char file[VMM_NAME_MAX + sizeof(SUFFIX)];
	int err = 0;

	if (!vm_def_known(cli, name))
		return log_fail(-ENOENT, name, "not defined; see sluice vm list");
	int folder = open_folder(cli);
	if (folder < 0)
		return folder;
	file_name(name, file);
	if (unlinkat(folder, file, 0) < 0 || fsync(folder) < 0)
		err = log_fail(-errno, name, "definition not removed: %m");
	io_close(&folder);
	return err;
}

/* ---- what is in it ---- */

int vm_def_check(const char *name, const json_t *record)
{
	struct vm_request request;
	struct vm_recorded recorded;

	if (!json_array_size(json_object_get(record, "args")))
		return log_fail(-EINVAL, name,
				"nothing to boot: pass --kernel FILE, or --firmware uefi");
	int err = vm_record_read(name, record, &recorded);
	recorded.args.operand = name;
	if (!err)
		err = vm_request_parse(&recorded.args, &request);
	vm_recorded_free(&recorded);
	return err;
}

/* "data.img,ro", "vhost-user=disk.sock": the part before the path, and whether that starts here. */
static size_t before_path(const char *disk, bool *relative)
{
	size_t before = strncmp(disk, "vhost-user=", 11) ? 0 : 11;

	*relative = disk[before] != '/';
	return before;
}

int vm_def_add(json_t *record, const char *option, const char *value)
{
	json_t *list = json_object_get(record, "args");
	bool relative = false;
	char cwd[PATH_MAX];
	size_t before = value && !strcmp(option, "--disk") ? before_path(value, &relative) : 0;
	json_t *text;

	if (!value)
		text = json_string(option);
	else if (!relative || !getcwd(cwd, sizeof(cwd)))
		text = json_sprintf("%s=%s", option, value);
	else
		text = json_sprintf("%s=%.*s%s/%s", option, (int)before, value, cwd,
				    value + before);
	return json_array_append_new(list, text) ? -EINVAL : 0;
}

/* ---- showing ---- */

static void describe_request(const struct vm_request *r, json_t *row)
{
	json_t *devices = json_array(), *disks = json_array();
	char bdf[BDF_TEXT];

	for (size_t i = 0; i < r->pick_count; i++)
		json_array_append_new(
			devices, r->picks[i].is_vf ? json_string(r->picks[i].spec.vf)
						   : json_string(bdf_format(r->picks[i].bdf, bdf)));
	for (size_t i = 0; i < r->disk_count; i++)
		json_array_append_new(disks, json_string(r->disks[i].path));
	json_object_set_new(row, "cpus", json_integer(r->cpus));
	json_object_set_new(row, "ram", json_integer((json_int_t)r->ram));
	json_object_set_new(row, "devices", devices);
	json_object_set_new(row, "disks", disks);
}

void vm_def_describe(const struct cli *cli, const char *name, json_t *row)
{
	json_t *record = vm_def_load(cli, name);
	struct vm_recorded recorded = {.argc = 0};
	struct vm_request request;

	json_object_set_new(row, "state", json_string("inactive"));
	if (record && !vm_record_read(name, record, &recorded)) {
		recorded.args.operand = name;
		if (!vm_request_parse(&recorded.args, &request))
			describe_request(&request, row);
	}
	vm_recorded_free(&recorded);
	json_decref(record);
}

/* One word as a shell takes it. */
static void put_word(FILE *out, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "-_=+:,./@%";

	if (*word && strspn(word, plain) == strlen(word)) {
		fprintf(out, " %s", word);
		return;
	}
	fputs(" '", out);
	for (; *word; word++)
		fputs(*word == '\'' ? "'\\''" : (char[]){*word, '\0'}, out);
	fputc('\'', out);
}

/* "sluice vm define web --kernel=vmlinuz" */
static json_t *as_command(const char *name, const json_t *args)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	fprintf(out, "sluice vm define %s", name);
	for (size_t i = 0; i < json_array_size(args); i++)
		put_word(out, json_string_value(json_array_get(args, i)));
	fclose(out);
	json_t *command = json_string(text);
	free(text);
	return command;
}

void vm_def_show(const struct cli *cli, const char *name, json_t *row)
{
	json_t *record = vm_def_load(cli, name);
	json_t *args = json_object_get(record, "args");

	json_object_set_new(row, "definition",
			    cli->json ? json_incref(args) : as_command(name, args));
	json_object_set(row, "cwd", json_object_get(record, "cwd"));
	json_decref(record);
}

/* ---- starting ---- */

static int start(struct cli *cli, json_t *record, const struct cli_args *args, bool detach)
{
	struct vm_request request;

	vm_record_enter(record);
	if (vm_request_parse(args, &request))
		return CLI_FAILED;
	request.detach = detach;
	request.record = record;
	return vm_start(cli, &request);
}

int vm_def_start(struct cli *cli, const char *name, bool detach)
{
	struct sriov *sriov = cli_sriov(cli);
	struct vm_recorded recorded;
	int status = CLI_FAILED;

	if (!sriov)
		return CLI_FAILED;
	if (sriov_owner_alive(sriov, name))
		return log_fail(CLI_FAILED, name, "runs already");
	json_t *record = vm_def_load(cli, name);
	if (!record)
		return CLI_FAILED;
	if (!vm_record_read(name, record, &recorded)) {
		recorded.args.operand = name;
		status = start(cli, record, &recorded.args, detach);
	}
	vm_recorded_free(&recorded);
	json_decref(record);
	return status;
}
