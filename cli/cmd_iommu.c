/* SPDX-License-Identifier: BSD-3-Clause */
/* iommu show: groups, their members, and what keeps a group from being handed out. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/cli.h"
#include "iommu/iommu.h"

static const struct cli_column columns[] = {
	{"GROUP", "group", CLI_SHOW_PLAIN},	{"TYPE", "type", CLI_SHOW_PLAIN},
	{"ADDRESS", "address", CLI_SHOW_PLAIN}, {"DRIVER", "driver", CLI_SHOW_PLAIN},
	{"STATE", "state", CLI_SHOW_PLAIN},	{0},
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

/* One row per member: tables and JSON are read line by line. */
static void append_group(const struct iommu_group *group, json_t *rows)
{
	char bdf[BDF_TEXT];

	for (size_t i = 0; i < group->count; i++)
		json_array_append_new(rows, json_pack("{s:i,s:s,s:s,s:s,s:s}", "group", group->id,
						      "type", group->type, "address",
						      bdf_format(group->members[i].bdf, bdf),
						      "driver", group->members[i].driver, "state",
						      state_name(group->members[i].state)));
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
		append_group(group, rows);
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

int cmd_iommu_show(struct cli *cli, const struct cli_args *args)
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
