/* SPDX-License-Identifier: BSD-3-Clause */
/* iommu show, groups, explain: units, groups and the reasons for them. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/util.h"
#include "cli/cli.h"
#include "iommu/iommu.h"

/* ---- groups ---- */

static const struct cli_column columns[] = {
	{"GROUP", "group", CLI_SHOW_PLAIN},
	{"TYPE", "type", CLI_SHOW_PLAIN},
	{"ADDRESS", "address", CLI_SHOW_PLAIN},
	{"DRIVER", "driver", CLI_SHOW_PLAIN},
	{"STATE", "state", CLI_SHOW_PLAIN},
	{"WHY TOGETHER", "reason", CLI_SHOW_PLAIN},
	{0},
};

static const char *state_name(enum iommu_member_state state)
{
	static const char *const names[] = {
		[IOMMU_MEMBER_FREE] = "free",
		[IOMMU_MEMBER_VFIO] = "vfio",
		[IOMMU_MEMBER_BRIDGE] = "bridge",
		[IOMMU_MEMBER_HOST] = "host",
	};

	return names[state];
}

/* Why a member is in one group with the first one; silent where nothing can be read. */
static bool reason_of(const struct sysfs *fs, const struct iommu_group *group, struct bdf bdf,
		      char text[IOMMU_REASON_TEXT])
{
	struct iommu_hop a[IOMMU_HOPS_MAX], b[IOMMU_HOPS_MAX];
	struct bdf other = group->members[0].bdf;
	size_t a_count, b_count;

	if (group->count > 1 && bdf_equal(bdf, other))
		other = group->members[1].bdf;
	return !bdf_equal(bdf, other) && !iommu_hops_read(fs, bdf, a, &a_count) &&
	       !iommu_hops_read(fs, other, b, &b_count) &&
	       iommu_join_reason(a, a_count, b, b_count, text);
}

/* One row per member: tables and JSON are read line by line. */
static void append_group(const struct sysfs *fs, const struct iommu_group *group, json_t *rows)
{
	char bdf[BDF_TEXT], reason[IOMMU_REASON_TEXT];

	for (size_t i = 0; i < group->count; i++) {
		const struct iommu_member *m = &group->members[i];
		json_t *row = json_pack("{s:i,s:s,s:s,s:s,s:s}", "group", group->id, "type",
					group->type, "address", bdf_format(m->bdf, bdf), "driver",
					m->driver, "state", state_name(m->state));
		if (reason_of(fs, group, m->bdf, reason))
			json_object_set_new(row, "reason", json_string(reason));
		json_array_append_new(rows, row);
	}
}

static int append_of(const struct sysfs *fs, const char *address, json_t *rows)
{
	struct iommu_group *group = NULL;
	struct bdf bdf;
	int err = bdf_parse(address, &bdf);

	if (err)
		return log_fail(err, address, "not a PCI address such as 0000:01:10.0");
	err = iommu_group_read(fs, bdf, &group);
	if (!err)
		append_group(fs, group, rows);
	free(group);
	return err;
}

static int first_name(const char *name, void *opaque)
{
	snprintf(opaque, BDF_TEXT, "%s", name);
	return 1;
}

struct walk {
	const struct sysfs *fs;
	json_t *rows;
};

static int append_id(const char *id, void *opaque)
{
	struct walk *walk = opaque;
	char first[BDF_TEXT];
	struct bdf bdf;

	/* A group may hold what is no PCI device at all; it cannot be given to a VM. */
	if (sysfs_list(walk->fs, first_name, first, "kernel/iommu_groups/%s/devices", id) != 1 ||
	    bdf_parse(first, &bdf))
		return 0;
	return append_of(walk->fs, first, walk->rows);
}

static int append_all(const struct sysfs *fs, json_t *rows)
{
	struct walk walk = {.fs = fs, .rows = rows};
	int err = sysfs_list(fs, append_id, &walk, "kernel/iommu_groups");

	if (err == -ENOENT || (!err && !json_array_size(rows)))
		return log_fail(-ENOENT, "iommu",
				"no groups: there is no IOMMU, or it is off; turn VT-d on in the "
				"firmware and boot with intel_iommu=on");
	return err;
}

int cmd_iommu_groups(struct cli *cli, const struct cli_args *args)
{
	const struct sysfs *fs = cli_sysfs(cli);
	json_t *rows = json_array();
	int err = -EIO;

	if (fs && args->operand)
		err = append_of(fs, args->operand, rows);
	else if (fs)
		err = append_all(fs, rows);
	if (!err && cli->json)
		cli_print_json(stdout, rows);
	else if (!err)
		cli_print_table(stdout, columns, rows);
	json_decref(rows);
	return err ? CLI_FAILED : CLI_OK;
}

/* ---- show ---- */

static const struct cli_column table_columns[] = {
	{"STRUCTURE", "type", CLI_SHOW_PLAIN}, {"SEGMENT", "segment", CLI_SHOW_PLAIN},
	{"FIRST", "first", CLI_SHOW_HEX},      {"LAST", "last", CLI_SHOW_HEX},
	{"FOR", "devices", CLI_SHOW_PLAIN},    {0},
};

/* "bridge 0000:00:01.0", "I/O APIC 2"; what cannot be found now as firmware names it. */
static json_t *scope_text(const struct sysfs *fs, const struct dmar_entry *entry,
			  const struct dmar_scope *scope)
{
	const char *kind = dmar_scope_name(scope->type);
	char text[64], bdf[BDF_TEXT];
	struct bdf at;

	if (scope->type > DMAR_SCOPE_BRIDGE)
		snprintf(text, sizeof(text), "%s %u", kind, scope->id);
	else if (dmar_scope_resolve(fs, entry->segment, scope, &at) == 0)
		snprintf(text, sizeof(text), "%s %s", kind, bdf_format(at, bdf));
	else
		snprintf(text, sizeof(text), "%s below bus %02x (not there)", kind, scope->bus);
	return json_string(text);
}

static json_t *entry_row(const struct sysfs *fs, const struct dmar_entry *e)
{
	json_t *devices = json_array();
	json_t *row =
		json_pack("{s:s,s:i}", "type", dmar_type_name(e->type), "segment", (int)e->segment);

	if (e->range.start) {
		json_object_set_new(row, "first", json_integer((json_int_t)e->range.start));
		json_object_set_new(row, "last", json_integer((json_int_t)e->range.last));
	}
	if (e->all)
		json_array_append_new(devices, json_string("every other device"));
	if (e->name[0])
		json_array_append_new(devices, json_string(e->name));
	for (size_t i = 0; i < e->scope_count; i++)
		json_array_append_new(devices, scope_text(fs, e, &e->scopes[i]));
	json_object_set_new(row, "devices", devices);
	return row;
}

static json_t *dmar_json(const struct sysfs *fs, const struct dmar *dmar)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < dmar->count; i++)
		json_array_append_new(rows, entry_row(fs, &dmar->entries[i]));
	return json_pack("{s:i,s:b,s:b,s:o}", "address_bits", (int)dmar->host_width,
			 "interrupt_remapping", dmar->interrupt_remapping, "x2apic_opt_out",
			 dmar->x2apic_opt_out, "structures", rows);
}

int cmd_iommu_show(struct cli *cli, const struct cli_args *args)
{
	const struct sysfs *fs = cli_sysfs(cli);
	struct dmar *dmar;

	(void)args;
	if (!fs || dmar_read(fs, &dmar))
		return CLI_FAILED;
	json_t *json = dmar_json(fs, dmar);
	if (cli->json) {
		cli_print_json(stdout, json);
	} else {
		printf("VT-d by the firmware: %u address bits, interrupt remapping %s\n\n",
		       dmar->host_width, dmar->interrupt_remapping ? "supported" : "absent");
		cli_print_table(stdout, table_columns, json_object_get(json, "structures"));
	}
	json_decref(json);
	dmar_destroy(dmar);
	return CLI_OK;
}

/* ---- explain ---- */

__attribute__((format(printf, 2, 3))) static void say(json_t *lines, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	json_array_append_new(lines, json_string(text));
}

static void explain_way(const struct iommu_hop *hops, size_t count, json_t *lines)
{
	char bdf[BDF_TEXT], acs[IOMMU_REASON_TEXT];

	for (size_t i = 0; i < count; i++)
		say(lines, "%s %s: %s%s; %s", i ? "behind" : "function",
		    bdf_format(hops[i].bdf, bdf),
		    hops[i].virtual_function ? "virtual function, " : "",
		    iommu_hop_name(hops[i].kind),
		    iommu_hop_isolates(&hops[i])
			    ? (hops[i].has_acs ? iommu_acs_words(&hops[i], acs)
					       : "alone in its device, needs no ACS")
			    : iommu_acs_words(&hops[i], acs));
}

static void explain_members(const struct sysfs *fs, const struct iommu_group *group,
			    struct bdf self, json_t *lines)
{
	struct iommu_hop a[IOMMU_HOPS_MAX], b[IOMMU_HOPS_MAX];
	size_t a_count, b_count;
	char bdf[BDF_TEXT], reason[IOMMU_REASON_TEXT];

	if (group->count == 1)
		say(lines, "group %d holds it alone: every hop above keeps its requests apart",
		    group->id);
	if (iommu_hops_read(fs, self, a, &a_count))
		return;
	for (size_t i = 0; i < group->count; i++) {
		const struct iommu_member *m = &group->members[i];
		if (bdf_equal(m->bdf, self) || iommu_hops_read(fs, m->bdf, b, &b_count))
			continue;
		say(lines, "group %d also holds %s (%s): %s", group->id, bdf_format(m->bdf, bdf),
		    m->driver[0] ? m->driver : "no driver",
		    iommu_join_reason(a, a_count, b, b_count, reason)
			    ? reason
			    : "by a rule of the kernel that configuration space does not show");
	}
}

static void explain_reach(const struct sysfs *fs, const struct iommu_group *group, struct bdf self,
			  json_t *lines)
{
	struct iommu_reserved *reserved = NULL;
	const struct iommu_member *blocker = iommu_group_blocker(group, self);
	size_t count = 0;
	char bdf[BDF_TEXT], driver[64];

	if (sysfs_link_name(fs, driver, sizeof(driver), "bus/pci/devices/%s/driver",
			    bdf_format(self, bdf)))
		driver[0] = '\0';
	if (strstr(driver, "vfio"))
		say(lines, "reaches what the program that opened it has mapped, and nothing "
			   "otherwise (sluice vm maps, sluice iommu audit)");
	else if (!strcmp(group->type, "identity"))
		say(lines, "reaches all of the host's memory: its group's type is identity");
	else
		say(lines, "reaches what its host driver%s%s maps for it: its group's type is %s",
		    driver[0] ? " " : "", driver, group->type[0] ? group->type : "not told");
	if (blocker)
		say(lines, "cannot be given to a VM now: %s is held by %s",
		    bdf_format(blocker->bdf, bdf), blocker->driver);
	if (iommu_group_reserved(fs, group->id, &reserved, &count))
		return;
	for (size_t i = 0; i < count; i++)
		say(lines, "reserved: 0x%" PRIx64 "-0x%" PRIx64 " (%s)", reserved[i].range.start,
		    reserved[i].range.last, reserved[i].type);
	free(reserved);
}

static int explain(const struct sysfs *fs, struct bdf bdf, json_t *lines)
{
	struct iommu_hop hops[IOMMU_HOPS_MAX];
	struct iommu_group *group = NULL;
	const struct dmar_entry *unit;
	struct dmar *dmar;
	size_t count;
	int err = iommu_hops_read(fs, bdf, hops, &count);

	if (!err)
		err = iommu_group_read(fs, bdf, &group);
	if (!err)
		err = dmar_read(fs, &dmar);
	if (!err) {
		explain_way(hops, count, lines);
		unit = dmar_unit_of(dmar, fs, bdf);
		if (unit)
			say(lines,
			    "the VT-d unit at 0x%" PRIx64 " stands before it, as firmware says%s",
			    unit->range.start, unit->all ? " of every other device" : "");
		else
			say(lines, "no VT-d unit stands before it");
		explain_members(fs, group, bdf, lines);
		explain_reach(fs, group, bdf, lines);
		dmar_destroy(dmar);
	}
	free(group);
	return err;
}

int cmd_iommu_explain(struct cli *cli, const struct cli_args *args)
{
	const struct sysfs *fs = cli_sysfs(cli);
	json_t *lines = json_array();
	struct bdf bdf;
	int err = bdf_parse(args->operand, &bdf);

	if (err)
		log_error(args->operand, "not a PCI address such as 0000:01:10.0");
	else
		err = fs ? explain(fs, bdf, lines) : -EIO;
	if (!err && cli->json)
		cli_print_json(stdout, lines);
	for (size_t i = 0; !err && !cli->json && i < json_array_size(lines); i++)
		puts(json_string_value(json_array_get(lines, i)));
	json_decref(lines);
	return err ? CLI_FAILED : CLI_OK;
}
