/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_def_plug: see vm_def_plug.h. */
#include "cli/vm_def_plug.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "cli/vm_claim.h"
#include "cli/vm_def.h"

/* ---- attach ---- */

static int add(const char *name, json_t *record, const struct vm_def_device *devices, size_t count)
{
	int err = 0;

	for (size_t i = 0; i < count && !err; i++)
		err = vm_def_add(record, devices[i].option, devices[i].value);
	return err ? err : vm_def_check(name, record);
}

int vm_def_check_attach(struct cli *cli, const char *name, const struct vm_def_device *devices,
			size_t count)
{
	json_t *record = vm_def_load(cli, name);
	int err = record ? add(name, record, devices, count) : -ENOENT;

	json_decref(record);
	return err;
}

int vm_def_attach(struct cli *cli, const char *name, const struct vm_def_device *devices,
		  size_t count)
{
	int lock = vm_def_lock(cli), err = lock < 0 ? lock : 0;
	json_t *record = err ? NULL : vm_def_load(cli, name);

	if (!err)
		err = record ? add(name, record, devices, count) : -ENOENT;
	if (!err)
		err = vm_def_store(cli, name, record);
	json_decref(record);
	io_close(&lock);
	return err;
}

/* Where the VM will be, as far as its definition says. */
static void take_place(const struct cli *cli, struct vm_request *r)
{
	json_t *record = vm_def_load(cli, r->name);
	struct vm_recorded recorded = {.argc = 0};
	struct vm_request defined;

	if (record && !vm_record_read(r->name, record, &recorded)) {
		recorded.args.operand = r->name;
		if (!vm_request_parse(&recorded.args, &defined)) {
			memcpy(r->pin, defined.pin, sizeof(r->pin));
			memcpy(r->numa, defined.numa, sizeof(r->numa));
			r->numa_count = defined.numa_count;
		}
	}
	vm_recorded_free(&recorded);
	json_decref(record);
}

void vm_def_foretell(struct cli *cli, struct vm_request *r)
{
	char name[VM_PICK_NAME];

	if (!r->pick_count)
		return;
	take_place(cli, r);
	r->foretell = true;
	if (vm_request_find(cli, r)) {
		log_warn(r->subject,
			 "is defined with it all the same: what is free is looked for when "
			 "it starts");
		return;
	}
	for (size_t i = 0; i < r->pick_count; i++)
		fprintf(stderr, "%s: would be given %s now\n", r->subject,
			vm_pick_name(&r->picks[i], name));
}

/* ---- detach ---- */

/* "--vf=ens1f0/2:vlan=100", "--vf=": what follows it, else NULL. */
static const char *value_of(const char *arg, const char *option)
{
	size_t len = strlen(option);

	return strncmp(arg, option, len) || arg[len] != '=' ? NULL : arg + len + 1;
}

/* One named by its PF, the other by its address? */
static bool same_function(struct cli *cli, const char *a, const char *b)
{
	const char *named = strchr(a, '/') ? a : b, *address = named == a ? b : a;
	struct sriov *sriov = cli_sriov(cli);
	struct bdf x, y;

	return sriov && strchr(named, '/') && !bdf_parse(address, &x) &&
	       !vm_find_function(sriov, named, &y) && bdf_equal(x, y);
}

static bool is_vf(struct cli *cli, const char *name, const char *value, const char *what)
{
	struct vf_spec spec;

	if (!strcmp(value, what))
		return true;
	return !vf_spec_parse(name, value, &spec) &&
	       (!strcmp(spec.vf, what) || same_function(cli, spec.vf, what));
}

static bool is_device(const char *value, const char *what)
{
	struct bdf a, b;

	return !bdf_parse(value, &a) && !bdf_parse(what, &b) && bdf_equal(a, b);
}

/* `cwd`: where names in the definition start from. */
static bool is_disk(const char *cwd, const char *value, const char *what)
{
	char why[DISK_SPEC_WHY], path[PATH_MAX], a[PATH_MAX], b[PATH_MAX];
	struct disk_spec spec;

	if (disk_spec_parse(value, &spec, why))
		return false;
	if (!strcmp(spec.path, what) || (spec.serial[0] && !strcmp(spec.serial, what)))
		return true;
	int len = spec.path[0] == '/' || !cwd
			  ? snprintf(path, sizeof(path), "%s", spec.path)
			  : snprintf(path, sizeof(path), "%s/%s", cwd, spec.path);
	return len < (int)sizeof(path) && realpath(path, a) && realpath(what, b) && !strcmp(a, b);
}

static bool is_meant(struct cli *cli, const char *name, const char *cwd, const char *arg,
		     const char *what)
{
	const char *value;

	if ((value = value_of(arg, "--vf")))
		return is_vf(cli, name, value, what);
	if ((value = value_of(arg, "--gpu")))
		return !strcmp(value, what);
	if ((value = value_of(arg, "--device")))
		return is_device(value, what);
	return (value = value_of(arg, "--disk")) && is_disk(cwd, value, what);
}

/* The last one, where several are called so: two VFs of one pool. */
static int drop(struct cli *cli, const char *name, json_t *record, const char *what)
{
	const char *cwd = json_string_value(json_object_get(record, "cwd"));
	json_t *args = json_object_get(record, "args");

	for (size_t i = json_array_size(args); i-- > 0;) {
		const char *arg = json_string_value(json_array_get(args, i));

		if (arg && is_meant(cli, name, cwd, arg, what))
			return json_array_remove(args, i);
	}
	return log_fail(-ENOENT, name, "is not defined with %s; see sluice vm show %s", what, name);
}

int vm_def_detach(struct cli *cli, const char *name, const char *what)
{
	int lock = vm_def_lock(cli), err = lock < 0 ? lock : 0;
	json_t *record = err ? NULL : vm_def_load(cli, name);

	if (!err)
		err = record ? drop(cli, name, record, what) : -ENOENT;
	if (!err && !cli->dry_run)
		err = vm_def_store(cli, name, record);
	json_decref(record);
	io_close(&lock);
	return err;
}
