/* SPDX-License-Identifier: BSD-3-Clause */
/* unit: see unit.h. */
#include "cli/unit.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/vm_def.h"

#define TEMPLATE "/usr/lib/systemd/system/" UNIT_VM

/* ---- systemd ---- */

bool unit_known(const struct cli *cli, const char *unit)
{
	static const char *const folders[] = {"etc/systemd/system", "usr/lib/systemd/system",
					      "lib/systemd/system"};
	char path[CLI_PATH];

	snprintf(path, sizeof(path), "%s/run/systemd/system", cli->root);
	if (access(path, F_OK) < 0)
		return false;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s/%s", cli->root, folders[i], unit);
		if (access(path, F_OK) == 0)
			return true;
	}
	return false;
}

int unit_do(const char *verb, const char *unit)
{
	char *argv[] = {"systemctl", (char *)(uintptr_t)verb, (char *)(uintptr_t)unit, NULL};
	const char *about = unit ? unit : "systemd";
	int status = 0;
	pid_t pid;
	int err = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);

	if (err)
		return log_fail(-err, about, "systemctl not run: %s", strerror(err));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return log_fail(-EIO, about, "systemctl %s failed; see: journalctl -u %s", verb, about);
}

/* ---- the generator ---- */

static json_int_t number(const json_t *run, const char *key)
{
	return json_integer_value(json_object_get(run, key));
}

/* Names come from our own definitions, which hold nothing that a unit's name cannot. */
static int write_drop_in(const char *dir, const char *vm, const json_t *run, const char *after)
{
	char path[CLI_PATH];

	snprintf(path, sizeof(path), "%s/sluice-vm@%s.service.d", dir, vm);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return log_fail(-errno, path, "not made: %m");
	snprintf(path, sizeof(path), "%s/sluice-vm@%s.service.d/50-host.conf", dir, vm);
	FILE *out = fopen(path, "we");
	if (!out)
		return log_fail(-errno, path, "not written: %m");
	fprintf(out,
		"# Made by sluice host units, of the definition of %s.\n[Unit]\n%s%s%s\n[Service]\n"
		"Restart=%s\nEnvironment=STOP_TIMEOUT=%lld\nTimeoutStopSec=%lld\n",
		vm, *after ? "After=" : "", after, *after ? "\n" : "",
		json_string_value(json_object_get(run, "restart")),
		(long long)number(run, "stop_timeout"),
		(long long)number(run, "stop_timeout") + 30);
	return fclose(out) ? log_fail(-EIO, path, "not written: %m") : 0;
}

static int want(const char *dir, const char *vm)
{
	char path[CLI_PATH];

	snprintf(path, sizeof(path), "%s/sluice.target.wants", dir);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return log_fail(-errno, path, "not made: %m");
	snprintf(path, sizeof(path), "%s/sluice.target.wants/sluice-vm@%s.service", dir, vm);
	if (symlink(TEMPLATE, path) < 0 && errno != EEXIST)
		return log_fail(-errno, path, "not made: %m");
	return 0;
}

/* The units that start before: VMs of a smaller order. systemd stops in the reverse order by
 * itself. */
static char *before(const json_t *all, const json_t *run)
{
	char *text = NULL;
	size_t len, i;
	FILE *out = open_memstream(&text, &len);
	const json_t *vm;

	if (!out)
		return NULL;
	json_array_foreach (all, i, vm)
		if (number(json_object_get(vm, UNIT_RUN), "order") < number(run, "order"))
			fprintf(out, "sluice-vm@%s.service ",
				json_string_value(json_object_get(vm, "name")));
	fclose(out);
	return text;
}

/* {"name", "run"} of each VM that a host file defined. */
static json_t *of_host_files(const struct cli *cli)
{
	json_t *names = vm_def_names(cli), *all = json_array();
	const json_t *name;
	size_t i;

	json_array_foreach (names, i, name) {
		json_t *record = vm_def_load(cli, json_string_value(name));
		json_t *run = json_object_get(record, UNIT_RUN);
		if (run)
			json_array_append_new(all,
					      json_pack("{s:O,s:O}", "name", name, UNIT_RUN, run));
		json_decref(record);
	}
	json_decref(names);
	return all;
}

int unit_generate(const struct cli *cli, const char *dir)
{
	json_t *all = of_host_files(cli);
	const json_t *vm;
	int err = 0;
	size_t i;

	json_array_foreach (all, i, vm) {
		const char *name = json_string_value(json_object_get(vm, "name"));
		const json_t *run = json_object_get(vm, UNIT_RUN);
		char *after = before(all, run);
		int failed = after ? write_drop_in(dir, name, run, after) : -ENOMEM;

		if (!failed && json_is_true(json_object_get(run, "autostart")))
			failed = want(dir, name);
		err = err ? err : failed; /* one VM's trouble does not keep the others */
		free(after);
	}
	json_decref(all);
	return err;
}
