/* SPDX-License-Identifier: BSD-3-Clause */
/* host_steps: the VMs'. A VM of the file is a definition (vm_def.h) that says when it runs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "cli/host_steps.h"
#include "cli/unit.h"
#include "cli/vm_def.h"
#include "cli/vmm_config.h"

static const char *const restarts[] = {
	[HOST_RESTART_NO] = "no",
	[HOST_RESTART_ON_FAILURE] = "on-failure",
	[HOST_RESTART_ALWAYS] = "always",
};

static json_t *definition(const struct host_vm *vm)
{
	return json_pack("{s:O,s:O,s:{s:b,s:s,s:i,s:i}}", "args",
			 json_object_get(vm->record, "args"), "cwd",
			 json_object_get(vm->record, "cwd"), UNIT_RUN, "autostart", vm->autostart,
			 "restart", restarts[vm->restart], "order", (int)vm->order, "stop_timeout",
			 (int)vm->stop_timeout);
}

static bool same(const json_t *wanted, const json_t *found)
{
	static const char *const keys[] = {"args", "cwd", UNIT_RUN};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!json_equal(json_object_get(wanted, keys[i]), json_object_get(found, keys[i])))
			return false;
	return true;
}

/* ---- the deeds ---- */

static const char *name_of(const struct host_step *step)
{
	return json_string_value(json_object_get(step->row, "vm"));
}

static int run_define(struct cli *cli, const struct host_step *step)
{
	int lock = vm_def_lock(cli);
	int err = lock < 0 ? lock : vm_def_store(cli, name_of(step), step->params);

	io_close(&lock);
	return err || !unit_known(cli, UNIT_VM) ? err : unit_do("daemon-reload", NULL);
}

static int run_forget(struct cli *cli, const struct host_step *step)
{
	int lock = vm_def_lock(cli);
	int err = lock < 0 ? lock : vm_def_forget(cli, name_of(step));

	io_close(&lock);
	return err || !unit_known(cli, UNIT_VM) ? err : unit_do("daemon-reload", NULL);
}

static int run_start(struct cli *cli, const struct host_step *step)
{
	char unit[VMM_NAME_MAX + 32];

	if (!unit_known(cli, UNIT_VM))
		return vm_def_start(cli, name_of(step), true) ? -EIO : 0;
	snprintf(unit, sizeof(unit), "sluice-vm@%s.service", name_of(step));
	return unit_do("start", unit);
}

/* ---- what differs ---- */

static int add(struct host_steps *steps, struct host_step step, const char *vm, const char *what,
	       const char *before, const char *after)
{
	char name[80];

	snprintf(name, sizeof(name), "vm %.60s", vm);
	int err = host_steps_add(steps, &step, name, what, before, after, SRIOV_SAFE);
	if (!err)
		json_object_set_new(steps->list[steps->count - 1].row, "vm", json_string(vm));
	return err;
}

static int vm_steps(struct cli *cli, const struct host_vm *vm, struct host_steps *steps)
{
	bool known = vm_def_known(cli, vm->name);
	bool runs = sriov_owner_alive(cli_sriov(cli), vm->name);
	json_t *wanted = definition(vm), *found = known ? vm_def_load(cli, vm->name) : NULL;
	int err = wanted ? 0 : -ENOMEM;

	/* A definition that cannot be read is made anew, and was logged. */
	if (!err && !same(wanted, found))
		err = add(steps,
			  (struct host_step){.run = run_define, .params = json_incref(wanted)},
			  vm->name, "definition", known ? "another" : NULL,
			  runs ? "as in the file, from its next start on" : "as in the file");
	if (!err && vm->autostart && !runs)
		err = add(steps, (struct host_step){.run = run_start}, vm->name, "state", "stopped",
			  "running");
	json_decref(wanted);
	json_decref(found);
	return err;
}

static bool in_file(const struct host_file *file, const char *name)
{
	size_t count;
	const struct host_vm *vms = host_file_vms(file, &count);

	for (size_t i = 0; i < count; i++)
		if (!strcmp(vms[i].name, name))
			return true;
	return false;
}

/* One that a file defined, and this one does not. If it runs, it does so to its end. */
static int forget_steps(struct cli *cli, const struct host_file *file, struct host_steps *steps)
{
	json_t *names = vm_def_names(cli);
	const json_t *name;
	int err = 0;
	size_t i;

	json_array_foreach (names, i, name) {
		const char *vm = json_string_value(name);
		json_t *found = err || in_file(file, vm) ? NULL : vm_def_load(cli, vm);
		if (json_object_get(found, UNIT_RUN))
			err = add(steps, (struct host_step){.run = run_forget}, vm, "definition",
				  "there", "none");
		json_decref(found);
	}
	json_decref(names);
	return err;
}

int host_vms_steps(struct cli *cli, const struct host_file *file, struct host_steps *steps)
{
	size_t count;
	const struct host_vm *vms = host_file_vms(file, &count);
	int err = !host_file_has_vms(file) ? 0
		  : cli_sriov(cli)	   ? forget_steps(cli, file, steps)
					   : -EIO;

	for (size_t i = 0; i < count && !err; i++)
		err = vm_steps(cli, &vms[i], steps);
	return err;
}

/* ---- the other way ---- */

/* A file's paths start from the root. */
static json_t *absolute(const char *option, const char *value, const char *cwd)
{
	static const char *const paths[] = {"--kernel=", "--initrd=", "--disk="};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (!strncmp(option, paths[i], strlen(paths[i])) && *value != '/' &&
		    strncmp(value, "vhost-user=", 11))
			return json_sprintf("%s/%s", cwd, value);
	return json_string(value);
}

/* "--disk=/a", "--disk=/b", "--rng": options that stand there more than once become lists. */
static void add_option(json_t *vm, const char *option, const char *cwd)
{
	const char *equals = strchr(option, '=');
	size_t len = equals ? (size_t)(equals - option) : strlen(option);
	char key[64];
	json_t *value = equals ? absolute(option, equals + 1, cwd) : json_true();

	snprintf(key, sizeof(key), "%.*s", (int)(len - 2), option + 2);
	json_t *there = json_object_get(vm, key);
	if (!there) {
		json_object_set_new(vm, key, value);
	} else if (json_is_array(there)) {
		json_array_append_new(there, value);
	} else {
		json_t *list = json_pack("[O,o]", there, value);
		json_object_set_new(vm, key, list);
	}
}

static json_t *vm_in_file(const char *name, const json_t *record)
{
	json_t *vm = json_pack("{s:s}", "name", name), *value;
	const json_t *run = json_object_get(record, UNIT_RUN), *option;
	const char *key;
	size_t i;

	json_array_foreach (json_object_get(record, "args"), i, option) {
		add_option(vm, json_string_value(option),
			   json_string_value(json_object_get(record, "cwd")));
	}
	json_object_foreach ((json_t *)(uintptr_t)run, key, value) {
		json_object_set(vm, strcmp(key, "stop_timeout") ? key : "stop-timeout", value);
	}
	return vm;
}

json_t *host_vms_export(const struct cli *cli)
{
	json_t *names = vm_def_names(cli), *out = json_array();
	const json_t *name;
	size_t i;

	json_array_foreach (names, i, name) {
		json_t *record = vm_def_load(cli, json_string_value(name));
		if (record)
			json_array_append_new(out, vm_in_file(json_string_value(name), record));
		json_decref(record);
	}
	json_decref(names);
	return out;
}
