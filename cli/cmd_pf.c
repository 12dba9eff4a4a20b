/* SPDX-License-Identifier: BSD-3-Clause */
/* pf: list, show, set, alias: the devices that can be divided. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "cli/show_plan.h"
#include "iommu/iommu.h"

static const char *pf_name(const struct sriov_pf *pf, char bdf[BDF_TEXT])
{
	return pf->ifname[0] ? pf->ifname : bdf_format(pf->bdf, bdf);
}

/* Left out of JSON, and "-" in a table, when it is empty or unknown. */
static void put_text(json_t *object, const char *key, const char *text)
{
	if (text[0])
		json_object_set_new(object, key, json_string(text));
}

static void put_number(json_t *object, const char *key, json_int_t number, bool known)
{
	if (known)
		json_object_set_new(object, key, json_integer(number));
}

static json_t *encode(const struct sriov_pf *pf)
{
	char bdf[BDF_TEXT], mac[PARSE_MAC_TEXT], identity[SRIOV_IDENTITY];
	bool net = pf->ifname[0] != '\0';
	json_t *row = json_object();

	bdf_format(pf->bdf, bdf);
	json_object_set_new(row, "name", json_string(net ? pf->ifname : bdf));
	put_text(row, "alias", pf->alias);
	json_object_set_new(row, "address", json_string(bdf));
	json_object_set_new(row, "driver", json_string(pf->driver));
	put_number(row, "vfs", pf->num_vfs, true);
	put_number(row, "total_vfs", pf->total_vfs, true);
	if (net) {
		put_text(row, "link", pf->link_up ? "up" : "down");
		put_text(row, "mac", format_mac(pf->mac, mac));
	}
	put_number(row, "numa_node", pf->numa_node, pf->numa_node >= 0);
	put_number(row, "iommu_group", pf->iommu_group, pf->iommu_group >= 0);
	put_text(row, "device", pf->device);
	put_number(row, "vendor", pf->vendor, true);
	put_number(row, "device_id", pf->device_id, true);
	put_text(row, "identity", sriov_identity_format(&pf->identity, identity));
	return row;
}

/* ---- list ---- */

static const struct cli_column list_columns[] = {
	{"PF", "name", CLI_SHOW_PLAIN},		{"ALIAS", "alias", CLI_SHOW_PLAIN},
	{"ADDRESS", "address", CLI_SHOW_PLAIN}, {"DRIVER", "driver", CLI_SHOW_PLAIN},
	{"VFS", "vfs", CLI_SHOW_PLAIN},		{"MOST", "total_vfs", CLI_SHOW_PLAIN},
	{"LINK", "link", CLI_SHOW_PLAIN},	{"MAC", "mac", CLI_SHOW_PLAIN},
	{"NUMA", "numa_node", CLI_SHOW_PLAIN},	{"GROUP", "iommu_group", CLI_SHOW_PLAIN},
	{"DEVICE", "device", CLI_SHOW_PLAIN},	{0},
};

int cmd_pf_list(struct cli *cli, const struct cli_args *args)
{
	struct sriov *sriov = cli_sriov(cli);
	struct sriov_pf *pfs = NULL;
	size_t count;

	(void)args;
	if (!sriov || sriov_pf_list(sriov, &pfs, &count))
		return CLI_FAILED;
	json_t *rows = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(rows, encode(&pfs[i]));
	free(pfs);
	if (cli->json)
		cli_print_json(stdout, rows);
	else
		cli_print_table(stdout, list_columns, rows);
	json_decref(rows);
	return CLI_OK;
}

/* ---- show ---- */

static const struct cli_column show_columns[] = {
	{"PF", "name", CLI_SHOW_PLAIN},
	{"alias", "alias", CLI_SHOW_PLAIN},
	{"address", "address", CLI_SHOW_PLAIN},
	{"identity", "identity", CLI_SHOW_PLAIN},
	{"device", "device", CLI_SHOW_PLAIN},
	{"driver", "driver", CLI_SHOW_PLAIN},
	{"held by vm", "owner", CLI_SHOW_PLAIN},
	{"VFs", "vfs", CLI_SHOW_PLAIN},
	{"VFs at most", "total_vfs", CLI_SHOW_PLAIN},
	{"MAC", "mac", CLI_SHOW_PLAIN},
	{"link", "link", CLI_SHOW_PLAIN},
	{"speed, Mb/s", "speed", CLI_SHOW_PLAIN},
	{"PCIe link", "pcie", CLI_SHOW_PLAIN},
	{"NUMA node", "numa_node", CLI_SHOW_PLAIN},
	{"IOMMU group", "iommu_group", CLI_SHOW_PLAIN},
	{"group members", "group_members", CLI_SHOW_PLAIN},
	{"reset methods", "reset_methods", CLI_SHOW_PLAIN},
	{"ARI", "ari", CLI_SHOW_ON},
	{"MSI-X vectors", "msix", CLI_SHOW_PLAIN},
	{"for its VFs", "vf_msix", CLI_SHOW_PLAIN},
	{"devlink", "devlink", CLI_SHOW_PLAIN},
	{"switch mode", "eswitch", CLI_SHOW_PLAIN},
	{"NVMe queues for VFs", "nvme_queues", CLI_SHOW_PLAIN},
	{"free", "nvme_queues_free", CLI_SHOW_PLAIN},
	{"NVMe interrupts for VFs", "nvme_interrupts", CLI_SHOW_PLAIN},
	{"free", "nvme_interrupts_free", CLI_SHOW_PLAIN},
	{"settings of VFs", "settings", CLI_SHOW_PLAIN},
	{"not known now", "settings_unknown", CLI_SHOW_PLAIN},
	{"not possible", "settings_impossible", CLI_SHOW_PLAIN},
	{0},
};

static void put_settings(json_t *object, const char *key, unsigned bits)
{
	json_t *names = json_array();
	size_t count;

	for (const struct sriov_attr_info *row = sriov_attr_table(&count); count--; row++)
		if (bits & row->bit)
			json_array_append_new(names, json_string(row->name));
	json_object_set_new(object, key, names);
}

static void put_group(struct cli *cli, json_t *object, const struct sriov_pf *pf)
{
	struct iommu_group *group;

	if (pf->iommu_group < 0 || iommu_group_read(&cli->fs, pf->bdf, &group))
		return;
	json_t *members = json_array();
	for (size_t i = 0; i < group->count; i++) {
		char bdf[BDF_TEXT];
		json_array_append_new(members, json_string(bdf_format(group->members[i].bdf, bdf)));
	}
	json_object_set_new(object, "group_members", members);
	free(group);
}

static void put_facts(json_t *object, const struct sriov_pf_facts *facts)
{
	static const char *const modes[] = {"", "legacy", "switchdev"};
	bool nvme = facts->nvme_queues || facts->nvme_interrupts;

	put_text(object, "owner", facts->owner);
	put_number(object, "speed", facts->link_mbps, facts->link_mbps);
	put_text(object, "pcie", facts->pcie);
	json_object_set_new(object, "reset_methods",
			    json_string(facts->resets[0] ? facts->resets : "none"));
	json_object_set_new(object, "ari", json_boolean(facts->ari));
	put_number(object, "msix", facts->msix, facts->msix);
	put_number(object, "vf_msix", facts->vf_msix, facts->vf_msix);
	put_text(object, "devlink", facts->card);
	put_text(object, "eswitch", modes[facts->eswitch]);
	put_number(object, "nvme_queues", facts->nvme_queues, nvme);
	put_number(object, "nvme_queues_free", facts->nvme_queues_free, nvme);
	put_number(object, "nvme_interrupts", facts->nvme_interrupts, nvme);
	put_number(object, "nvme_interrupts_free", facts->nvme_interrupts_free, nvme);
	put_settings(object, "settings", facts->can);
	put_settings(object, "settings_impossible", facts->cannot);
	put_settings(object, "settings_unknown", ~(facts->can | facts->cannot));
}

int cmd_pf_show(struct cli *cli, const struct cli_args *args)
{
	struct sriov *sriov = cli_sriov(cli);
	struct sriov_pf_facts facts;
	struct sriov_pf pf;

	if (!sriov || !cli_sysfs(cli) || sriov_pf_find(sriov, args->operand, &pf) ||
	    sriov_pf_facts(sriov, &pf, &facts))
		return CLI_FAILED;
	json_t *object = encode(&pf);
	put_group(cli, object, &pf);
	put_facts(object, &facts);
	if (cli->json)
		cli_print_json(stdout, object);
	else
		cli_print_fields(stdout, show_columns, object);
	json_decref(object);
	return CLI_OK;
}

/* ---- set, alias ---- */

static void report(const struct cli *cli, const char *name, const char *key, const char *value)
{
	if (cli->json) {
		json_t *object = json_pack("{s:s,s:s}", "name", name, key, value);
		cli_print_json(stdout, object);
		json_decref(object);
	} else {
		printf("%s: %s%s %s\n", name, cli->dry_run ? "would be set: " : "", key,
		       *value ? value : "none");
	}
}

static void add_wish(struct sriov_wish *wishes, size_t *count, const char *name, const char *value)
{
	struct sriov_wish *wish = &wishes[(*count)++];

	*wish = (struct sriov_wish){.vf = -1};
	snprintf(wish->name, sizeof(wish->name), "%s", name);
	snprintf(wish->value, sizeof(wish->value), "%s", strcmp(value, "any") ? value : "");
}

int cmd_pf_set(struct cli *cli, const struct cli_args *args)
{
	const char *mode = cli_text(args, "--eswitch", NULL), *keep;
	struct sriov_wish wishes[2];
	size_t count = 0;
	struct sriov *sriov;
	struct sriov_pf pf;
	char bdf[BDF_TEXT];

	keep = cli_text(args, "--nvme-keep", NULL);
	if (!mode && !keep) {
		log_error("pf set", "nothing to set; for example: %s", args->command->examples[0]);
		return CLI_USAGE;
	}
	if (mode)
		add_wish(wishes, &count, "eswitch", mode);
	if (keep)
		add_wish(wishes, &count, "nvme-keep", keep);
	for (size_t i = 0; i < count; i++)
		if (sriov_wish_check("pf set", &wishes[i]))
			return CLI_USAGE;
	sriov = cli_sriov(cli);
	if (!sriov || sriov_pf_find(sriov, args->operand, &pf))
		return CLI_FAILED;
	if (cli->dry_run)
		return show_plan_changes(cli, &pf, wishes, count);
	if (sriov_change(sriov, &pf, wishes, count, "pf set"))
		return CLI_FAILED;
	if (mode)
		report(cli, pf_name(&pf, bdf), "switch mode", mode);
	if (keep)
		report(cli, pf_name(&pf, bdf), "NVMe queues and interrupts kept", keep);
	return CLI_OK;
}

int cmd_pf_alias(struct cli *cli, const struct cli_args *args)
{
	const char *alias = args->more[0];
	struct sriov *sriov = cli_sriov(cli);
	struct sriov_pf pf;
	char bdf[BDF_TEXT];

	if (!strcmp(alias, "-"))
		alias = "";
	if (!sriov || sriov_pf_find(sriov, args->operand, &pf))
		return CLI_FAILED;
	if (!cli->dry_run && sriov_pf_alias(sriov, &pf, alias))
		return CLI_FAILED;
	report(cli, pf_name(&pf, bdf), "alias", alias);
	return CLI_OK;
}
