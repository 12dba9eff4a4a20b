/* SPDX-License-Identifier: BSD-3-Clause */
/* host_shape: see host_shape.h. */
#include "cli/host_shape.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "base/util.h"
#include "cli/cli.h"
#include "cli/host_file.h"
#include "cli/switch_rules.h"
#include "cli/vm_request.h"

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
	static const char *const kinds[] = {"vhost:", "tap:",  "af_packet:", "af_xdp:", "memif:",
					    "pci:",   "bond:", "vtep:",	     "vxlan:",	"pcap:"};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strncmp(text, kinds[i], strlen(kinds[i])) && text[strlen(kinds[i])])
			return 0;
	return strcmp(text, "null")
		       ? say(why, "a port leads to vhost:SOCKET, tap:INTERFACE, "
				  "af_packet:INTERFACE, pci:ADDRESS, bond:PORT,PORT or "
				  "another kind of docs/netqueue.md")
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

static const struct yaml_shape gpu_slice_fields[] = {
	{.key = "slice",
	 .kind = YAML_NUMBER,
	 .max = 4095,
	 .required = true,
	 .help = "its number on the GPU"},
	{.key = "mode",
	 .kind = YAML_WORD,
	 .words = "whole|vf|mdev|mig",
	 .required = true,
	 .help = "the way of dividing"},
	{.key = "profile", .kind = YAML_TEXT, .help = "what the driver makes (`gpu show`)"},
	{.key = "pool", .kind = YAML_TEXT, .help = "the pool that it belongs to"},
	{.key = "memory", .kind = YAML_TEXT, .help = "at least so much; of some drivers exactly"},
	{.key = "quantum", .kind = YAML_TEXT, .help = "milliseconds of a turn"},
	{.key = "preempt", .kind = YAML_TEXT, .help = "microseconds beyond it"},
	{.key = "priority", .kind = YAML_WORD, .words = "low|normal|high", .help = "among slices"},
	{.key = "policy", .kind = YAML_TEXT, .help = "the vendor's scheduling policy"},
	{.key = "params", .kind = YAML_TEXT, .help = "the vendor's parameters"},
	{.key = "place", .kind = YAML_TEXT, .help = "which part of the GPU"},
	{0}};

static const struct yaml_shape gpu_fields[] = {
	{.key = "gpu", .kind = YAML_TEXT, .required = true, .help = "address, or name in mdev_bus"},
	{.key = "slices",
	 .kind = YAML_OBJECT,
	 .fields = gpu_slice_fields,
	 .many = true,
	 .help = ""},
	{0}};

static const struct yaml_shape gpu_pool_fields[] = {
	{.key = "name",
	 .kind = YAML_TEXT,
	 .check = check_name,
	 .required = true,
	 .help = "of the pool"},
	{.key = "gpus", .kind = YAML_TEXT, .help = "names with commas between; all"},
	{.key = "policy",
	 .kind = YAML_WORD,
	 .words = "binpack|spread|numa|same-profile",
	 .help = "where a new slice goes (binpack)"},
	{.key = "mode",
	 .kind = YAML_WORD,
	 .words = "whole|vf|mdev",
	 .help = "the only way of dividing"},
	{.key = "profile", .kind = YAML_TEXT, .help = "for VMs that ask for nothing special"},
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
	{.key = "snooping", .kind = YAML_BOOL, .help = "multicast goes where it was asked for"},
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
	{.key = "bridge", .kind = YAML_TEXT, .help = "where it is; none: it is part of a bond"},
	{.key = "to",
	 .kind = YAML_TEXT,
	 .check = check_to,
	 .required = true,
	 .help = "vhost:SOCKET, tap:INTERFACE, pci:ADDRESS, bond:PORT,PORT,mode=lacp and the other kinds of docs/netqueue.md"},
	{.key = "offloads", .kind = YAML_BOOL, .help = "checksums and segmentation, for a guest"},
	{.key = "shape", .kind = YAML_NUMBER, .help = "bytes per second that leave; others wait"},
	{.key = "shape_burst", .kind = YAML_NUMBER, .help = "of those, bytes at once"},
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
	{.key = "buffers",
	 .kind = YAML_NUMBER,
	 .min = 1023,
	 .max = 1u << 24,
	 .help = "frames that it can hold"},
	{.key = "macs",
	 .kind = YAML_NUMBER,
	 .min = 1,
	 .max = 1u << 20,
	 .help = "addresses that it can learn"},
	{.key = "sleep_us",
	 .kind = YAML_NUMBER,
	 .max = 10000,
	 .help = "longest sleep of a worker that has nothing to do"},
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

static void vm_fields(struct yaml_shape fields[HOST_SHAPE_MAX])
{
	size_t count = ARRAY_SIZE(vm_own);

	memcpy(fields, vm_own, sizeof(vm_own));
	for (const struct cli_option *o = vm_run()->options; o->name; o++)
		if (strcmp(o->name, "--detach") != 0) {
			assert(count < HOST_SHAPE_MAX - 1);
			fields[count++] = shape_of_option(o);
		}
	fields[count] = (struct yaml_shape){0};
}

/* Of a VF: its number, its driver, and every setting that there is. */
static void vf_fields(struct yaml_shape fields[HOST_SHAPE_MAX])
{
	size_t rows, count = 0;
	const struct sriov_attr_info *table = sriov_attr_table(&rows);

	fields[count++] = (struct yaml_shape){.key = "vf",
					      .kind = YAML_NUMBER,
					      .max = UINT16_MAX,
					      .required = true,
					      .help = "its number"};
	fields[count++] = (struct yaml_shape){
		.key = "driver", .kind = YAML_TEXT, .help = "of the host, or none"};
	for (size_t i = 0; i < rows; i++) {
		assert(count < HOST_SHAPE_MAX - 1);
		fields[count++] = (struct yaml_shape){
			.key = table[i].name, .kind = YAML_TEXT, .help = table[i].help};
	}
	fields[count] = (struct yaml_shape){0};
}

bool host_shape_is_own(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(vm_own); i++)
		if (!strcmp(vm_own[i].key, key))
			return true;
	return false;
}

void host_shape_init(struct host_shape *s)
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
		{.key = "eswitch", .kind = YAML_TEXT, .help = "legacy or switchdev"},
		{.key = "nvme-keep",
		 .kind = YAML_TEXT,
		 .help = "queues and interrupts that an NVMe controller keeps"},
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
		{.key = "gpus",
		 .kind = YAML_OBJECT,
		 .fields = gpu_fields,
		 .many = true,
		 .help = ""},
		{.key = "gpu_pools",
		 .kind = YAML_OBJECT,
		 .fields = gpu_pool_fields,
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

void host_shape_describe(FILE *out)
{
	struct host_shape *shape = calloc(1, sizeof(*shape));

	if (!shape)
		return;
	host_shape_init(shape);
	describe(out, "The file", shape->root);
	free(shape);
}
