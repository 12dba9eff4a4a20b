/* SPDX-License-Identifier: BSD-3-Clause */
/* host_file: see host_file.h. The shape of every section, and what must hold between them. */
#include "cli/host_file.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/util.h"
#include "cli/cli.h"
#include "cli/switch_rules.h"
#include "cli/vm_record.h"
#include "cli/vm_request.h"
#include "sriov/attr.h"

#define OPTIONS_MAX 64

struct host_file {
	struct yaml_file *yaml;
	struct host_vm *vms;
	size_t vm_count;
};

/* ---- texts that are looked at more closely ---- */

static int say(char why[YAML_WHY], const char *what)
{
	snprintf(why, YAML_WHY, "%s", what);
	return -EINVAL;
}

static int check_name(const char *text, char why[YAML_WHY])
{
	return vmm_name_valid(text)
		       ? 0
		       : say(why,
			     "a name is letters, digits, '.', '_' and '-', at most 31 of them, "
			     "and starts with a letter or digit");
}

static int check_path(const char *text, char why[YAML_WHY])
{
	return *text == '/' ? 0 : say(why, "a path from the root is wanted");
}

static int check_mac(const char *text, char why[YAML_WHY])
{
	uint8_t mac[6];

	return parse_mac(text, mac) ? say(why, "a station's address such as 02:00:00:00:00:01 is "
					       "wanted")
				    : 0;
}

static int check_vlan(const char *text, char why[YAML_WHY])
{
	struct nq_port_rules rules;

	nq_port_rules_init(&rules);
	return rules_vlan_parse(text, &rules.vlan)
		       ? say(why, "a VLAN is a number from 1 to 4094, all, trunk:LIST or tunnel:V")
		       : 0;
}

static int check_to(const char *text, char why[YAML_WHY])
{
	static const char *const kinds[] = {"vhost:", "tap:", "af_packet:", "pci:", "pcap:"};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strncmp(text, kinds[i], strlen(kinds[i])) && text[strlen(kinds[i])])
			return 0;
	return strcmp(text, "null") ? say(why, "a port leads to vhost:SOCKET, tap:INTERFACE, "
					       "af_packet:INTERFACE, pci:ADDRESS, pcap:IN,OUT or "
					       "null")
				    : 0;
}

static int check_memory(const char *text, char why[YAML_WHY])
{
	uint64_t ram, max;
	enum hv_pages pages = HV_PAGES_THP;
	bool share;

	return vm_request_memory(text, &ram, &max, &pages, &share, why);
}

static int check_cpus(const char *text, char why[YAML_WHY])
{
	unsigned cpus, max;

	return vm_request_cpus(text, &cpus, &max, why);
}

static int check_disk(const char *text, char why[YAML_WHY])
{
	struct disk_spec spec;
	int err = disk_spec_parse(text, &spec, why);

	return err ? err : check_path(spec.path, why);
}

static int check_net(const char *text, char why[YAML_WHY])
{
	struct net_spec spec;

	return net_spec_parse(text, &spec, why);
}

static int check_numa(const char *text, char why[YAML_WHY])
{
	struct numa_spec spec;

	return numa_spec_parse(text, &spec, why);
}

/* ---- shapes ---- */

static const struct yaml_shape pool_fields[] = {
	{.key = "name",
	 .kind = YAML_TEXT,
	 .check = check_name,
	 .required = true,
	 .help = "of the pool"},
	{.key = "pf", .kind = YAML_TEXT, .help = "its VFs are of this PF alone"},
	{.key = "driver", .kind = YAML_TEXT, .help = "of PFs with this driver"},
	{.key = "numa_node", .kind = YAML_NUMBER, .max = 1023, .help = "of PFs on this node"},
	{.key = "speed",
	 .kind = YAML_NUMBER,
	 .max = 10000000,
	 .help = "of PFs with a link of so many Mb/s at least"},
	{0}};

static const struct yaml_shape bridge_fields[] = {
	{.key = "name",
	 .kind = YAML_TEXT,
	 .check = check_name,
	 .required = true,
	 .help = "of the bridge"},
	{.key = "ageing",
	 .kind = YAML_NUMBER,
	 .max = 86400,
	 .help = "seconds that a learned address is kept"},
	{.key = "mac_limit",
	 .kind = YAML_NUMBER,
	 .max = 1u << 20,
	 .help = "addresses that are learned at most"},
	{0}};

static const struct yaml_shape storm_fields[] = {
	{.key = "broadcast", .kind = YAML_NUMBER, .max = UINT32_MAX, .help = "frames per second"},
	{.key = "multicast", .kind = YAML_NUMBER, .max = UINT32_MAX, .help = "frames per second"},
	{.key = "unknown", .kind = YAML_NUMBER, .max = UINT32_MAX, .help = "frames per second"},
	{0}};

static const struct yaml_shape port_fields[] = {
	{.key = "name",
	 .kind = YAML_TEXT,
	 .check = check_name,
	 .required = true,
	 .help = "of the port"},
	{.key = "bridge", .kind = YAML_TEXT, .required = true, .help = "where it is"},
	{.key = "to",
	 .kind = YAML_TEXT,
	 .check = check_to,
	 .required = true,
	 .help = "vhost:SOCKET, tap:INTERFACE, af_packet:INTERFACE, pci:ADDRESS, pcap:IN,OUT or null"},
	{.key = "server", .kind = YAML_BOOL, .help = "the switch listens at the socket"},
	{.key = "queues", .kind = YAML_NUMBER, .min = 1, .max = NQ_QUEUES, .help = "pairs"},
	{.key = "mtu", .kind = YAML_NUMBER, .min = 68, .max = 9600, .help = "bytes"},
	{.key = "vlan",
	 .kind = YAML_TEXT,
	 .check = check_vlan,
	 .help = "10, all, trunk:10,20-29,native=10 or tunnel:20"},
	{.key = "mac_limit",
	 .kind = YAML_NUMBER,
	 .max = 1u << 20,
	 .help = "addresses that are learned at most"},
	{.key = "isolated", .kind = YAML_BOOL, .help = "reaches no other isolated port"},
	{.key = "learn", .kind = YAML_BOOL, .help = "addresses are learned"},
	{.key = "unknown", .kind = YAML_BOOL, .help = "gets frames to addresses that nobody knows"},
	{.key = "storm", .kind = YAML_OBJECT, .fields = storm_fields, .help = "limits"},
	{.key = "rate", .kind = YAML_NUMBER, .help = "bytes per second"},
	{.key = "burst", .kind = YAML_NUMBER, .help = "bytes at once"},
	{.key = "macs",
	 .kind = YAML_TEXT,
	 .check = check_mac,
	 .many = true,
	 .help = "addresses that it may use"},
	{.key = "ips", .kind = YAML_TEXT, .many = true, .help = "addresses that it may use"},
	{0}};

static const struct yaml_shape mirror_fields[] = {
	{.key = "from", .kind = YAML_TEXT, .required = true, .help = "port"},
	{.key = "to", .kind = YAML_TEXT, .required = true, .help = "port"},
	{0}};

static const struct yaml_shape switch_fields[] = {
	{.key = "cpus",
	 .kind = YAML_NUMBER,
	 .max = 1023,
	 .many = true,
	 .help = "of the host, one for each worker"},
	{.key = "memory",
	 .kind = YAML_SIZE,
	 .min = 64 * MIB,
	 .max = 1024 * GIB,
	 .help = "for frames"},
	{.key = "hugepages", .kind = YAML_BOOL, .help = "for that memory"},
	{.key = "pci", .kind = YAML_BOOL, .help = "NICs by address may be ports"},
	{.key = "bridges", .kind = YAML_OBJECT, .fields = bridge_fields, .many = true, .help = ""},
	{.key = "ports", .kind = YAML_OBJECT, .fields = port_fields, .many = true, .help = ""},
	{.key = "mirrors", .kind = YAML_OBJECT, .fields = mirror_fields, .many = true, .help = ""},
	{0}};

/* When a VM runs; the rest of its keys are the options of vm run. */
static const struct yaml_shape vm_own[] = {
	{.key = "name",
	 .kind = YAML_TEXT,
	 .check = check_name,
	 .required = true,
	 .help = "of the VM"},
	{.key = "autostart", .kind = YAML_BOOL, .help = "starts with the host"},
	{.key = "restart",
	 .kind = YAML_WORD,
	 .words = "no|on-failure|always",
	 .help = "when it has ended (no)"},
	{.key = "order",
	 .kind = YAML_NUMBER,
	 .max = 1000,
	 .help = "smaller ones start first and end last (100)"},
	{.key = "stop-timeout",
	 .kind = YAML_NUMBER,
	 .min = 1,
	 .max = 3600,
	 .help = "seconds for an orderly end (60)"},
};

/* Options that ask for something else in a file. */
static const struct {
	const char *option;
	int (*check)(const char *text, char why[YAML_WHY]);
} vm_checks[] = {{"--memory", check_memory}, {"--cpus", check_cpus}, {"--disk", check_disk},
		 {"--net", check_net},	     {"--numa", check_numa}, {"--kernel", check_path},
		 {"--initrd", check_path}};

static const struct cli_command *vm_run(void)
{
	const struct cli_command *c = cli_commands;

	while (strcmp(c->noun, "vm") || strcmp(c->verb, "run"))
		c++;
	return c;
}

static struct yaml_shape shape_of_option(const struct cli_option *option)
{
	struct yaml_shape shape = {.key = option->name + 2,
				   .kind = YAML_TEXT,
				   .many = option->repeat,
				   .words = option->words,
				   .min = option->min,
				   .max = option->max,
				   .help = option->help};

	if (option->kind == CLI_FLAG)
		shape.kind = YAML_BOOL;
	else if (option->kind == CLI_NUMBER)
		shape.kind = YAML_NUMBER;
	else if (option->kind == CLI_WORD)
		shape.kind = YAML_WORD;
	for (size_t i = 0; i < ARRAY_SIZE(vm_checks); i++)
		if (!strcmp(vm_checks[i].option, option->name))
			shape.check = vm_checks[i].check;
	return shape;
}

static void vm_fields(struct yaml_shape fields[OPTIONS_MAX])
{
	size_t count = ARRAY_SIZE(vm_own);

	memcpy(fields, vm_own, sizeof(vm_own));
	for (const struct cli_option *o = vm_run()->options; o->name; o++)
		if (strcmp(o->name, "--detach") != 0) {
			assert(count < OPTIONS_MAX - 1);
			fields[count++] = shape_of_option(o);
		}
	fields[count] = (struct yaml_shape){0};
}

/* Of a VF: its number, its driver, and every setting that there is. */
static void vf_fields(struct yaml_shape fields[OPTIONS_MAX])
{
	size_t rows, count = 0;
	const struct attr_info *table = attr_table(&rows);

	fields[count++] = (struct yaml_shape){.key = "vf",
					      .kind = YAML_NUMBER,
					      .max = UINT16_MAX,
					      .required = true,
					      .help = "its number"};
	fields[count++] = (struct yaml_shape){
		.key = "driver", .kind = YAML_TEXT, .help = "of the host, or none"};
	for (size_t i = 0; i < rows; i++) {
		assert(count < OPTIONS_MAX - 1);
		fields[count++] = (struct yaml_shape){
			.key = table[i].name, .kind = YAML_TEXT, .help = table[i].help};
	}
	fields[count] = (struct yaml_shape){0};
}

struct shapes {
	struct yaml_shape vf[OPTIONS_MAX], pf[8], vm[OPTIONS_MAX], root[8];
};

static void shapes_init(struct shapes *s)
{
	struct yaml_shape pf[] = {
		{.key = "pf",
		 .kind = YAML_TEXT,
		 .required = true,
		 .help = "alias, interface or address"},
		{.key = "address", .kind = YAML_TEXT, .help = "for the reader; pf decides"},
		{.key = "count", .kind = YAML_TEXT, .help = "VFs"},
		{.key = "probe",
		 .kind = YAML_TEXT,
		 .help = "on or off: the host's drivers take new VFs"},
		{.key = "vfs", .kind = YAML_OBJECT, .fields = s->vf, .many = true, .help = ""},
		{0}};
	struct yaml_shape root[] = {
		{.key = "version",
		 .kind = YAML_NUMBER,
		 .min = HOST_FILE_VERSION,
		 .max = HOST_FILE_VERSION,
		 .required = true,
		 .help = "of this schema: 1"},
		{.key = "pfs", .kind = YAML_OBJECT, .fields = s->pf, .many = true, .help = ""},
		{.key = "pools",
		 .kind = YAML_OBJECT,
		 .fields = pool_fields,
		 .many = true,
		 .help = ""},
		{.key = "switch", .kind = YAML_OBJECT, .fields = switch_fields, .help = ""},
		{.key = "vms", .kind = YAML_OBJECT, .fields = s->vm, .many = true, .help = ""},
		{0}};

	vf_fields(s->vf);
	vm_fields(s->vm);
	memcpy(s->pf, pf, sizeof(pf));
	memcpy(s->root, root, sizeof(root));
}

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

/* A count and values of settings, in the words of the command line. */
static void check_vf(struct yaml_file *yaml, size_t pf, size_t i, const json_t *vf, uint64_t count)
{
	json_int_t index = json_integer_value(json_object_get(vf, "vf"));
	struct sriov_attrs attrs = {0};
	char path[YAML_PATH_MAX], where[YAML_WHERE];
	const char *key;
	json_t *value;

	if ((uint64_t)index >= count)
		yaml_file_refuse(yaml, AT("pfs/%zu/vfs/%zu/vf", pf, i),
				 "there is no VF %lld: count says %llu", (long long)index,
				 (unsigned long long)count);
	json_object_foreach ((json_t *)(uintptr_t)vf, key, value) {
		if (!strcmp(key, "vf") || !strcmp(key, "driver"))
			continue;
		AT("pfs/%zu/vfs/%zu/%s", pf, i, key);
		if (attr_parse(yaml_file_where(yaml, path, where), key, json_string_value(value),
			       &attrs))
			yaml_file_count(yaml);
	}
}

static void check_pfs(struct yaml_file *yaml, const json_t *pfs)
{
	char path[YAML_PATH_MAX];
	const json_t *pf, *vf;
	size_t i, j;

	check_unique(yaml, "pfs", pfs, "pf");
	json_array_foreach (pfs, i, pf) {
		const char *text = get(pf, "count"), *probe = get(pf, "probe");
		const json_t *vfs = json_object_get(pf, "vfs");
		uint64_t count = UINT16_MAX + 1;

		if (text && parse_u64(text, 0, UINT16_MAX, &count))
			yaml_file_refuse(yaml, AT("pfs/%zu/count", i),
					 "'%.40s': a number from 0 to 65535 is wanted", text);
		if (probe && strcmp(probe, "on") && strcmp(probe, "off"))
			yaml_file_refuse(yaml, AT("pfs/%zu/probe", i),
					 "'%.40s': on or off is wanted", probe);
		json_array_foreach (vfs, j, vf)
			check_vf(yaml, i, j, vf, count);
		for (size_t a = 1; a < json_array_size(vfs); a++)
			for (size_t b = 0; b < a; b++)
				if (json_equal(json_object_get(json_array_get(vfs, a), "vf"),
					       json_object_get(json_array_get(vfs, b), "vf")))
					yaml_file_refuse(yaml, AT("pfs/%zu/vfs/%zu/vf", i, a),
							 "this VF stands there twice");
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
		if (!has_named(bridges, get(port, "bridge")))
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
		bool own = false;
		for (size_t o = 0; o < ARRAY_SIZE(vm_own); o++)
			own |= !strcmp(vm_own[o].key, key);
		if (own || json_is_false(value))
			continue;
		if (json_is_true(value))
			json_array_append_new(args, json_sprintf("--%s", key));
		else if (!json_is_array(value))
			json_array_append_new(args, option_text(key, value));
		json_array_foreach (value, i, one)
			json_array_append_new(args, option_text(key, one));
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

int host_file_read(const char *path, struct host_file **out)
{
	struct shapes *shapes = calloc(1, sizeof(*shapes));
	struct host_file *file = calloc(1, sizeof(*file));
	int err = shapes && file ? 0 : log_fail(-ENOMEM, path, "not read");

	*out = NULL;
	if (!err) {
		shapes_init(shapes);
		err = yaml_file_read(path, shapes->root, &file->yaml);
	}
	free(shapes);
	if (!err) {
		check_pfs(file->yaml, section(file, "pfs"));
		check_unique(file->yaml, "pools", section(file, "pools"), "name");
		check_switch(file->yaml, section(file, "switch"));
		err = read_vms(file, section(file, "vms"));
	}
	if (!err && yaml_file_complaints(file->yaml))
		err = -EINVAL;
	if (err) {
		host_file_free(file);
		return err;
	}
	*out = file;
	return 0;
}

const json_t *host_file_wishes(const struct host_file *file)
{
	return yaml_file_root(file->yaml);
}

const json_t *host_file_switch(const struct host_file *file)
{
	return section(file, "switch");
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

/* ---- for people ---- */

static void describe_value(FILE *out, const struct yaml_shape *s)
{
	static const char *const kinds[] = {[YAML_TEXT] = "text",
					    [YAML_NUMBER] = "number",
					    [YAML_SIZE] = "size",
					    [YAML_BOOL] = "yes, no",
					    [YAML_WORD] = "word",
					    [YAML_OBJECT] = "keys",
					    [YAML_TEXTS] = "names and texts"};

	if (s->kind == YAML_WORD)
		for (const char *c = s->words; *c; c++)
			fprintf(out, *c == '|' ? ", " : "%c", *c);
	else if (s->kind == YAML_NUMBER && s->max && s->max < UINT32_MAX)
		fprintf(out, "%llu to %llu", (unsigned long long)s->min,
			(unsigned long long)s->max);
	else
		fputs(kinds[s->kind], out);
	if (s->many)
		fputs(", or a list", out);
}

static void describe(FILE *out, const char *name, const struct yaml_shape *fields)
{
	fprintf(out, "\n## %s\n\n| key | value | |\n|---|---|---|\n", name);
	for (const struct yaml_shape *s = fields; s->key; s++) {
		fprintf(out, "| `%s`%s | ", s->key, s->required ? ", needed" : "");
		describe_value(out, s);
		fprintf(out, " | ");
		for (const char *c = s->help; *c; c++)
			fprintf(out, *c == '|' ? "\\|" : "%c", *c);
		fputs(" |\n", out);
	}
	for (const struct yaml_shape *s = fields; s->key; s++)
		if (s->kind == YAML_OBJECT)
			describe(out, s->key, s->fields);
}

void host_file_describe(FILE *out)
{
	struct shapes *shapes = calloc(1, sizeof(*shapes));

	if (!shapes)
		return;
	shapes_init(shapes);
	describe(out, "The file", shapes->root);
	free(shapes);
}
