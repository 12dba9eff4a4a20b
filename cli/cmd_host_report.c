/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host report: what somebody needs who looks into a fault from afar, in one file. Reads only; all
 * text goes through redact.h, and what guests wrote to their consoles is not in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"
#include "cli/cli.h"
#include "cli/doctor.h"
#include "cli/host_look.h"
#include "cli/redact.h"
#include "cli/tar_gz.h"
#include "cli/vm_dir.h"

#define WAIT_MS	 2000
#define FILE_MAX (4u << 20)   /* of a file below /proc */
#define LOG_MAX	 (512u << 10) /* of a log: its end */
#define FOLDER	 "sluice-report/"

struct report {
	struct cli *cli;
	struct tar_gz *tar;
	unsigned files;
};

static int add_text(struct report *r, const char *name, const char *text)
{
	char full[100], *clean = redact(text);
	int err = clean ? 0 : -ENOMEM;

	if (!err && snprintf(full, sizeof(full), FOLDER "%s", name) >= (int)sizeof(full))
		err = -ENAMETOOLONG;
	if (!err)
		err = tar_gz_add(r->tar, full, clean, strlen(clean));
	free(clean);
	r->files += !err;
	return err;
}

static int add_json(struct report *r, const char *name, json_t *json)
{
	char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
	int err = text ? add_text(r, name, text) : 0;

	free(text);
	json_decref(json);
	return err;
}

/* Its last `max` bytes; one that is not there is left out. */
static int add_file(struct report *r, const char *name, const char *path, size_t max)
{
	char *text = NULL;
	size_t len = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	off_t size = lseek(fd, 0, SEEK_END); /* 0 below /proc */
	lseek(fd, size > (off_t)max ? size - (off_t)max : 0, SEEK_SET);
	int err = io_read_file(fd, max + 1, &text, &len);
	io_close(&fd);
	err = err ? 0
		  : add_text(r, name, text); /* what cannot be read is no reason to have nothing */
	free(text);
	return err;
}

/* ---- parts ---- */

static int add_machine(struct report *r)
{
	static const char *const files[] = {
		"proc/cmdline", "proc/version",	  "proc/meminfo",	 "proc/interrupts",
		"proc/modules", "proc/cpuinfo",	  "proc/iomem",		 "proc/bus/pci/devices",
		"proc/mounts",	"etc/os-release", "etc/sluice/host.yaml"};
	char path[CLI_PATH], name[64];
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(files) && !err; i++) {
		snprintf(path, sizeof(path), "%s/%s", strcmp(r->cli->root, "/") ? r->cli->root : "",
			 files[i]);
		snprintf(name, sizeof(name), "machine/%s", strrchr(files[i], '/') + 1);
		err = add_file(r, name, path, FILE_MAX);
	}
	return err;
}

/* SYSLOG_ACTION_READ_ALL; who may not read it has a report without. */
static int add_kernel_log(struct report *r)
{
	char *text = calloc(1, LOG_MAX + 1);
	int n = text ? klogctl(3, text, LOG_MAX) : -1;
	int err = n > 0 ? add_text(r, "machine/kernel.log", text) : 0;

	free(text);
	return err;
}

static int add_vm(struct report *r, const char *vm)
{
	static const char *const files[] = {VM_CONFIG, VM_LOG, VM_RESULT, VM_CPUS};
	char path[CLI_PATH], name[96], error[RPC_ERROR_TEXT];
	json_t *status = NULL;
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(files) && !err; i++) {
		snprintf(name, sizeof(name), "vm/%s/%s", vm, files[i]);
		if (!vm_path(r->cli, vm, files[i], path))
			err = add_file(r, name, path, LOG_MAX);
	}
	snprintf(name, sizeof(name), "vm/%s/status.json", vm);
	if (!err && !vm_try(r->cli, vm, "status", &status, error))
		err = add_json(r, name, status);
	snprintf(name, sizeof(name), "vm/%s/stat.json", vm);
	if (!err && !vm_try(r->cli, vm, "stat", &status, error))
		err = add_json(r, name, status);
	return err;
}

static int add_vms(struct report *r)
{
	json_t *names = vm_names(r->cli);
	int err = 0;

	for (size_t i = 0; i < json_array_size(names) && !err; i++)
		err = add_vm(r, json_string_value(json_array_get(names, i)));
	json_decref(names);
	return err;
}

static int add_sluice(struct report *r)
{
	json_t *look = host_look(r->cli, WAIT_MS), *doctor = json_array();
	char *metrics = look ? host_metrics(look) : NULL, path[CLI_PATH];
	enum doctor_state worst;
	int err = metrics ? add_text(r, "metrics.txt", metrics) : 0;

	free(metrics);
	if (!err)
		err = add_json(r, "look.json", look);
	else
		json_decref(look);
	if (!err && doctor_run(r->cli, doctor, &worst) == 0)
		err = add_json(r, "doctor.json", doctor);
	else
		json_decref(doctor);
	snprintf(path, sizeof(path), "%s/switch/config.json", r->cli->run_dir);
	if (!err)
		err = add_file(r, "switch/config.json", path, LOG_MAX);
	snprintf(path, sizeof(path), "%s/switch/switch.log", r->cli->run_dir);
	return err ? err : add_file(r, "switch/switch.log", path, LOG_MAX);
}

int cmd_host_report(struct cli *cli, const struct cli_args *args)
{
	struct report r = {.cli = cli};
	/* Nobody else reads along, and nothing that is there already is lost. */
	int fd = open(args->operand, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return log_fail(CLI_FAILED, args->operand, "not made: %m");
	int err = tar_gz_open(fd, &r.tar);
	if (!err)
		err = add_text(&r, "version.txt", "sluice " SLUICE_VERSION "\n");
	if (!err)
		err = add_sluice(&r);
	if (!err)
		err = add_machine(&r);
	if (!err)
		err = add_kernel_log(&r);
	if (!err)
		err = add_vms(&r);
	int end = r.tar ? tar_gz_close(r.tar) : 0;
	err = err ? err : end;
	if (err) {
		unlink(args->operand);
		return log_fail(CLI_FAILED, args->operand, "not written: %s", strerror(-err));
	}
	printf("%s: %u files; secrets are left out as far as their names tell: look before you send "
	       "it\n",
	       args->operand, r.files);
	return CLI_OK;
}
