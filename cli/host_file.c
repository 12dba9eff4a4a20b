/* SPDX-License-Identifier: BSD-3-Clause */
/* host_file: see host_file.h. What must hold between its sections; each one's shape is in
 * host_shape.c. */
#include "cli/host_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "cli/host_shape.h"
#include "cli/vm_record.h"
#include "cli/vm_request.h"
#include "sriov/sriov.h"

struct host_file {
	struct yaml_file *yaml;
	struct host_vm *vms;
	size_t vm_count;
};

/* ---- what must hold between entries ---- */

#define AT(...) (snprintf(path, sizeof(path), __VA_ARGS__), path)

static const char *get(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* No two entries of a list with the same name. */
static void check_unique(struct yaml_file *yaml, const char *list_path, const json_t *list,
			 const char *key)
{
	char path[YAML_PATH_MAX];

	for (size_t i = 1; i < json_array_size(list); i++)
		for (size_t j = 0; j < i; j++)
			if (!strcmp(get(json_array_get(list, i), key),
				    get(json_array_get(list, j), key)))
				yaml_file_refuse(yaml, AT("%s/%zu/%s", list_path, i, key),
						 "'%s' stands there twice",
						 get(json_array_get(list, i), key));
}

static bool has_named(const json_t *list, const char *name)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!strcmp(get(json_array_get(list, i), "name"), name))
			return true;
	return false;
}

/* One wish, in the words of the command line. */
static void check_wish(struct yaml_file *yaml, const char *path, int vf, const char *name,
		       const char *value)
{
	struct sriov_wish wish = {.vf = vf};
	char where[YAML_WHERE];

	if (snprintf(wish.name, sizeof(wish.name), "%s", name) >= (int)sizeof(wish.name) ||
	    snprintf(wish.value, sizeof(wish.value), "%s", value) >= (int)sizeof(wish.value))
		yaml_file_refuse(yaml, path, "'%.20s…': too long", value);
	else if (sriov_wish_check(yaml_file_where(yaml, path, where), &wish))
		yaml_file_count(yaml);
}

static void check_vf(struct yaml_file *yaml, size_t pf, size_t i, const json_t *vf, uint64_t count)
{
	json_int_t index = json_integer_value(json_object_get(vf, "vf"));
	char path[YAML_PATH_MAX];
	const char *key;
	json_t *value;

	if ((uint64_t)index >= count)
		yaml_file_refuse(yaml, AT("pfs/%zu/vfs/%zu/vf", pf, i),
				 "there is no VF %lld: count says %llu", (long long)index,
				 (unsigned long long)count);
	json_object_foreach ((json_t *)(uintptr_t)vf, key, value)
		if (strcmp(key, "vf"))
			check_wish(yaml, AT("pfs/%zu/vfs/%zu/%s", pf, i, key), (int)index, key,
				   json_string_value(value));
}

static void check_twice(struct yaml_file *yaml, size_t pf, const json_t *vfs)
{
	char path[YAML_PATH_MAX];

	for (size_t a = 1; a < json_array_size(vfs); a++)
		for (size_t b = 0; b < a; b++)
			if (json_equal(json_object_get(json_array_get(vfs, a), "vf"),
				       json_object_get(json_array_get(vfs, b), "vf")))
				yaml_file_refuse(yaml, AT("pfs/%zu/vfs/%zu/vf", pf, a),
						 "this VF stands there twice");
}

static void check_pf(struct yaml_file *yaml, size_t i, const json_t *pf)
{
	const json_t *vf, *vfs = json_object_get(pf, "vfs");
	uint64_t count = UINT16_MAX + 1;
	char path[YAML_PATH_MAX];
	const char *key;
	json_t *value;
	size_t j;

	json_object_foreach ((json_t *)(uintptr_t)pf, key, value)
		if (strcmp(key, "pf") && strcmp(key, "address") && strcmp(key, "vfs"))
			check_wish(yaml, AT("pfs/%zu/%s", i, key), -1, key,
				   json_string_value(value));
	if (get(pf, "count"))
		parse_u64(get(pf, "count"), 0, UINT16_MAX, &count);
	json_array_foreach (vfs, j, vf) {
		check_vf(yaml, i, j, vf, count);
	}
	check_twice(yaml, i, vfs);
}

static void check_pfs(struct yaml_file *yaml, const json_t *pfs)
{
	const json_t *pf;
	size_t i;

	check_unique(yaml, "pfs", pfs, "pf");
	json_array_foreach (pfs, i, pf) {
		check_pf(yaml, i, pf);
	}
}

static void check_switch(struct yaml_file *yaml, const json_t *sw)
{
	const json_t *bridges = json_object_get(sw, "bridges"),
		     *ports = json_object_get(sw, "ports");
	const json_t *port, *mirror;
	char path[YAML_PATH_MAX];
	size_t i;

	check_unique(yaml, "switch/bridges", bridges, "name");
	check_unique(yaml, "switch/ports", ports, "name");
	json_array_foreach (ports, i, port) {
		if (get(port, "bridge") && !has_named(bridges, get(port, "bridge")))
			yaml_file_refuse(yaml, AT("switch/ports/%zu/bridge", i),
					 "no bridge '%s' among the bridges above",
					 get(port, "bridge"));
		for (size_t j = 0; j < i; j++)
			if (strcmp(get(port, "to"), "null") &&
			    !strcmp(get(port, "to"), get(json_array_get(ports, j), "to")))
				yaml_file_refuse(yaml, AT("switch/ports/%zu/to", i),
						 "port '%s' leads there too",
						 get(json_array_get(ports, j), "name"));
	}
	json_array_foreach (json_object_get(sw, "mirrors"), i, mirror)
		for (const char *end = "from"; end; end = !strcmp(end, "from") ? "to" : NULL)
			if (!has_named(ports, get(mirror, end)))
				yaml_file_refuse(yaml, AT("switch/mirrors/%zu/%s", i, end),
						 "no port '%s' among the ports above",
						 get(mirror, end));
}

/* ---- VMs ---- */

static json_t *option_text(const char *name, const json_t *value)
{
	if (json_is_integer(value))
		return json_sprintf("--%s=%lld", name, (long long)json_integer_value(value));
	return json_sprintf("--%s=%s", name, json_string_value(value));
}

/* The options of vm run, as vm_record has them. */
static json_t *record_of(const json_t *vm)
{
	json_t *args = json_array(), *value;
	const json_t *one;
	const char *key;
	size_t i;

	json_object_foreach ((json_t *)(uintptr_t)vm, key, value) {
		if (host_shape_is_own(key) || json_is_false(value))
			continue;
		if (json_is_true(value))
			json_array_append_new(args, json_sprintf("--%s", key));
		else if (!json_is_array(value))
			json_array_append_new(args, option_text(key, value));
		json_array_foreach (value, i, one) {
			json_array_append_new(args, option_text(key, one));
		}
	}
	return json_pack("{s:o,s:s}", "args", args, "cwd", "/");
}

/* As `vm run` would look at it: what options ask of each other. It complains under the VM's name,
 * and we say where. */
static void check_vm(struct yaml_file *yaml, size_t i, const json_t *vm, const json_t *record)
{
	struct vm_recorded recorded;
	struct vm_request *request = calloc(1, sizeof(*request));
	char path[YAML_PATH_MAX], subject[YAML_WHERE + 16];
	int err = request ? 0 : -ENOMEM;

	snprintf(subject, sizeof(subject), "vm %s", get(vm, "name"));
	if (!json_array_size(json_object_get(record, "args"))) {
		yaml_file_refuse(yaml, AT("vms/%zu", i),
				 "nothing to boot: firmware or kernel is wanted");
	} else if (!err) {
		err = vm_record_read(subject, record, &recorded);
		recorded.args.operand = get(vm, "name");
		if (!err)
			err = vm_request_parse(&recorded.args, request);
		vm_recorded_free(&recorded);
		if (err)
			yaml_file_refuse(yaml, AT("vms/%zu", i),
					 "this VM is not accepted: see above");
	}
	free(request);
}

static void check_vf_texts(struct yaml_file *yaml, size_t i, const json_t *vm)
{
	char path[YAML_PATH_MAX], where[YAML_WHERE];
	const json_t *vf;
	size_t j;

	json_array_foreach (json_object_get(vm, "vf"), j, vf) {
		struct vf_spec spec;
		AT("vms/%zu/vf/%zu", i, j);
		if (vf_spec_parse(yaml_file_where(yaml, path, where), json_string_value(vf), &spec))
			yaml_file_count(yaml);
	}
}

static int compare_order(const void *a, const void *b)
{
	const struct host_vm *x = a, *y = b;

	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return strcmp(x->name, y->name);
}

static enum host_restart restart_of(const char *word)
{
	if (!word || !strcmp(word, "no"))
		return HOST_RESTART_NO;
	return strcmp(word, "always") ? HOST_RESTART_ON_FAILURE : HOST_RESTART_ALWAYS;
}

static unsigned number_of(const json_t *vm, const char *key, unsigned fallback)
{
	const json_t *value = json_object_get(vm, key);

	return value ? (unsigned)json_integer_value(value) : fallback;
}

static int read_vms(struct host_file *file, const json_t *vms)
{
	char path[YAML_PATH_MAX], where[YAML_WHERE];
	const json_t *vm;
	size_t i;

	check_unique(file->yaml, "vms", vms, "name");
	file->vms = calloc(json_array_size(vms) + 1, sizeof(*file->vms));
	if (!file->vms)
		return -ENOMEM;
	json_array_foreach (vms, i, vm) {
		struct host_vm *out = &file->vms[file->vm_count++];
		*out = (struct host_vm){
			.name = get(vm, "name"),
			.where = strdup(yaml_file_where(file->yaml, AT("vms/%zu", i), where)),
			.record = record_of(vm),
			.autostart = json_is_true(json_object_get(vm, "autostart")),
			.restart = restart_of(get(vm, "restart")),
			.order = number_of(vm, "order", 100),
			.stop_timeout = number_of(vm, "stop-timeout", 60)};
		if (!out->where || !out->record)
			return -ENOMEM;
		check_vf_texts(file->yaml, i, vm);
		if (!yaml_file_complaints(file->yaml))
			check_vm(file->yaml, i, vm, out->record);
	}
	qsort(file->vms, file->vm_count, sizeof(*file->vms), compare_order);
	return 0;
}

/* ---- the whole ---- */

static json_t *section(const struct host_file *file, const char *key)
{
	return json_object_get(yaml_file_root(file->yaml), key);
}

static int read_yaml(const char *path, struct yaml_file **out)
{
	struct host_shape *shape = calloc(1, sizeof(*shape));

	if (!shape)
		return log_fail(-ENOMEM, path, "not read");
	host_shape_init(shape);
	int err = yaml_file_read(path, shape->root, out);
	free(shape);
	return err;
}

static int check_sections(struct host_file *file)
{
	check_pfs(file->yaml, section(file, "pfs"));
	check_unique(file->yaml, "pools", section(file, "pools"), "name");
	check_switch(file->yaml, section(file, "switch"));
	int err = read_vms(file, section(file, "vms"));
	return !err && yaml_file_complaints(file->yaml) ? -EINVAL : err;
}

int host_file_read(const char *path, struct host_file **out)
{
	struct host_file *file = calloc(1, sizeof(*file));

	*out = NULL;
	if (!file)
		return log_fail(-ENOMEM, path, "not read");
	int err = read_yaml(path, &file->yaml);
	if (!err)
		err = check_sections(file);
	if (err)
		host_file_free(file);
	else
		*out = file;
	return err;
}

const json_t *host_file_wishes(const struct host_file *file)
{
	return yaml_file_root(file->yaml);
}

const json_t *host_file_switch(const struct host_file *file)
{
	return section(file, "switch");
}

bool host_file_has_vms(const struct host_file *file)
{
	return section(file, "vms") != NULL;
}

const struct host_vm *host_file_vms(const struct host_file *file, size_t *count)
{
	*count = file->vm_count;
	return file->vms;
}

void host_file_free(struct host_file *file)
{
	if (!file)
		return;
	for (size_t i = 0; i < file->vm_count; i++) {
		json_decref(file->vms[i].record);
		free((char *)(uintptr_t)file->vms[i].where);
	}
	free(file->vms);
	yaml_file_free(file->yaml);
	free(file);
}
