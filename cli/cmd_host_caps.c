/* SPDX-License-Identifier: BSD-3-Clause */
/* host caps: what the processor offers to the engine, what is used of it, what is missing and what
 * that costs. Reads only. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "cli/cli.h"
#include "hv-core/hv.h"

#define MSR_DEVICE "/dev/cpu/0/msr"
#define TEXT_MAX   65536

/* ---- gathering ---- */

static int read_file(const char *path, struct hv_caps_raw *raw)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = NULL;
	size_t len;
	unsigned line = 0;
	int err = fd < 0 ? -errno : io_read_file(fd, TEXT_MAX, &text, &len);

	io_close(&fd);
	if (err)
		return log_fail(err, path, "not read: %s", strerror(-err));
	err = hv_caps_parse(text, raw, &line);
	free(text);
	return err ? log_fail(err, path,
			      "line %u is neither 'MSR VALUE' with an MSR from 0x480 to 0x493, nor "
			      "'svm EAX EBX EDX', all hexadecimal and of one vendor",
			      line)
		   : 0;
}

static int read_machine(struct hv_caps_raw *raw)
{
	hv_caps_read_cpuid(raw);
	if (raw->kind != HV_CAPS_VMX)
		return 0;
	int fd = open(MSR_DEVICE, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return log_fail(-errno, MSR_DEVICE,
				"not opened: %m; run as root, and load the module: modprobe msr");
	int err = hv_caps_read_msrs(fd, raw);
	io_close(&fd);
	return err ? log_fail(err, MSR_DEVICE,
			      "the VMX capability MSRs cannot be read: a hypervisor hides them, or "
			      "the firmware has locked VMX")
		   : 0;
}

struct module {
	const struct sysfs *fs;
	const char *name; /* "kvm_intel" */
	json_t *parameters;
};

static int parameter(void *opaque, const char *name)
{
	const struct module *m = opaque;
	char text[32];

	if (!m->fs ||
	    sysfs_read(m->fs, text, sizeof(text), "module/%s/parameters/%s", m->name, name))
		return -1;
	return strcmp(text, "N") != 0 && strcmp(text, "0") != 0;
}

static int add_parameter(const char *name, void *opaque)
{
	struct module *m = opaque;
	char text[64];

	if (!sysfs_read(m->fs, text, sizeof(text), "module/%s/parameters/%s", m->name, name))
		json_object_set_new(m->parameters, name, json_string(text));
	return 0;
}

static json_t *features(const struct hv_caps *caps)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < caps->count; i++) {
		const struct hv_cap *cap = &caps->cap[i];
		json_t *row = json_pack("{s:s,s:s,s:s,s:i}", "name", cap->name, "state",
					hv_cap_state_name(cap->state), "where", cap->where, "bit",
					(int)cap->bit);
		if (cap->parameter)
			json_object_set_new(row, "parameter", json_string(cap->parameter));
		if (cap->cost)
			json_object_set_new(row, "cost", json_string(cap->cost));
		json_array_append_new(rows, row);
	}
	return rows;
}

static json_t *describe(const struct hv_caps *caps, json_t *parameters)
{
	bool vmx = caps->kind == HV_CAPS_VMX;
	json_t *json = json_pack("{s:s,s:i,s:o,s:O}", "virtualization",
				 vmx			     ? "VMX"
				 : caps->kind == HV_CAPS_SVM ? "SVM"
							     : "none",
				 "revision", (int)caps->revision, "features", features(caps),
				 "parameters", parameters);

	if (vmx)
		json_object_set_new(json, "vmcs_bytes", json_integer(caps->vmcs_size));
	if (caps->ept_levels)
		json_object_set_new(json, "ept_levels", json_integer(caps->ept_levels));
	if (caps->preemption_shift >= 0)
		json_object_set_new(json, "preemption_timer_shift",
				    json_integer(caps->preemption_shift));
	if (caps->kind == HV_CAPS_SVM)
		json_object_set_new(json, "asids", json_integer(caps->asids));
	return json;
}

/* ---- showing ---- */

static const struct cli_column head_columns[] = {
	{"virtualization", "virtualization", CLI_SHOW_PLAIN},
	{"revision", "revision", CLI_SHOW_PLAIN},
	{"bytes of a VMCS", "vmcs_bytes", CLI_SHOW_PLAIN},
	{"levels of EPT", "ept_levels", CLI_SHOW_PLAIN},
	{"address-space IDs", "asids", CLI_SHOW_PLAIN},
	{"preemption timer: TSC >>", "preemption_timer_shift", CLI_SHOW_PLAIN},
	{0},
};

static const struct cli_column feature_columns[] = {
	{"FEATURE", "name", CLI_SHOW_PLAIN},
	{"STATE", "state", CLI_SHOW_PLAIN},
	{"WHERE", "where", CLI_SHOW_PLAIN},
	{"BIT", "bit", CLI_SHOW_PLAIN},
	{0},
};

/* One sentence for each thing that is not used and would be felt. */
static void show_costs(const json_t *json)
{
	const json_t *rows = json_object_get(json, "features");
	bool any = false;

	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);
		const char *state = json_string_value(json_object_get(row, "state"));
		const char *cost = json_string_value(json_object_get(row, "cost"));
		const char *by = json_string_value(json_object_get(row, "parameter"));

		if (!cost || (strcmp(state, "missing") != 0 && strcmp(state, "off") != 0))
			continue;
		puts(any ? "" : "\nwhat is not there, and what that costs");
		any = true;
		printf("  %s%s%s%s: %s", json_string_value(json_object_get(row, "name")),
		       strcmp(state, "off") ? "" : " (switched off by ",
		       strcmp(state, "off") ? "" : by, strcmp(state, "off") ? "" : ")", cost);
	}
	if (any)
		puts("");
}

static void show_parameters(const json_t *json, const char *module)
{
	json_t *parameters = json_object_get(json, "parameters");

	if (!json_object_size(parameters))
		return;
	printf("\nparameters of %s:", module);
	for (void *i = json_object_iter(parameters); i; i = json_object_iter_next(parameters, i))
		printf(" %s=%s", json_object_iter_key(i),
		       json_string_value(json_object_iter_value(i)));
	puts("");
}

int cmd_host_caps(struct cli *cli, const struct cli_args *args)
{
	const char *file = cli_text(args, "--from", NULL);
	struct module module = {.fs = file ? NULL : cli_sysfs(cli)};
	struct hv_caps_raw raw = {0};
	struct hv_caps caps;

	if (file ? read_file(file, &raw) : read_machine(&raw))
		return CLI_FAILED;
	module.name = raw.kind == HV_CAPS_SVM ? "kvm_amd" : "kvm_intel";
	module.parameters = json_object();
	hv_caps_decode(&raw, parameter, &module, &caps);
	if (module.fs)
		sysfs_list(module.fs, add_parameter, &module, "module/%s/parameters", module.name);
	json_t *json = describe(&caps, module.parameters);
	if (cli->json) {
		cli_print_json(stdout, json);
	} else if (raw.kind == HV_CAPS_NONE) {
		puts("this processor offers no virtualization, or a hypervisor hides it");
	} else {
		cli_print_fields(stdout, head_columns, json);
		puts("");
		cli_print_table(stdout, feature_columns, json_object_get(json, "features"));
		show_costs(json);
		show_parameters(json, module.name);
	}
	json_decref(json);
	json_decref(module.parameters);
	return CLI_OK;
}
