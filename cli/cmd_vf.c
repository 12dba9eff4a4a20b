/* SPDX-License-Identifier: BSD-3-Clause */
/* vf: list, create, destroy, set, release. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "cli/show_plan.h"
#include "cli/vf_spec.h"
#include "cli/vm_claim.h"
#include "cli/vm_dir.h"

static int exit_code(int err)
{
	return err ? CLI_FAILED : CLI_OK;
}

/* ---- list ---- */

static const struct cli_column columns[] = {
	{"VF", "name", CLI_SHOW_PLAIN},
	{"ADDRESS", "address", CLI_SHOW_PLAIN},
	{"STATE", "state", CLI_SHOW_PLAIN},
	{"VM", "owner", CLI_SHOW_PLAIN},
	{"DRIVER", "driver", CLI_SHOW_PLAIN},
	{"MAC", "mac", CLI_SHOW_PLAIN},
	{"VLAN", "vlan", CLI_SHOW_PLAIN},
	{"QOS", "qos", CLI_SHOW_PLAIN},
	{"SPOOF", "spoof_check", CLI_SHOW_ON},
	{"TRUST", "trust", CLI_SHOW_ON},
	{"MAX-RATE", "max_rate", CLI_SHOW_PLAIN},
	{"GROUP", "iommu_group", CLI_SHOW_PLAIN},
	{0},
};

static const char *state_name(enum sriov_vf_state state)
{
	static const char *const names[] = {
		[SRIOV_VF_FREE] = "free",
		[SRIOV_VF_HELD] = "held",
		[SRIOV_VF_ORPHANED] = "orphaned",
		[SRIOV_VF_FOREIGN] = "foreign",
	};

	return names[state];
}

static json_t *encode(const struct sriov_vf *vf)
{
	json_t *row = vf_spec_encode(&vf->attrs);
	char bdf[BDF_TEXT], pf_bdf[BDF_TEXT], name[64];

	snprintf(name, sizeof(name), "%s/%u", vf->pf, vf->index);
	json_object_set_new(row, "name", json_string(name));
	json_object_set_new(row, "pf", json_string(vf->pf));
	json_object_set_new(row, "pf_address", json_string(bdf_format(vf->pf_bdf, pf_bdf)));
	json_object_set_new(row, "index", json_integer(vf->index));
	json_object_set_new(row, "address", json_string(bdf_format(vf->bdf, bdf)));
	json_object_set_new(row, "state", json_string(state_name(vf->state)));
	if (vf->owner[0])
		json_object_set_new(row, "owner", json_string(vf->owner));
	if (vf->pid > 0)
		json_object_set_new(row, "pid", json_integer(vf->pid));
	json_object_set_new(row, "driver", json_string(vf->driver));
	if (vf->ifname[0])
		json_object_set_new(row, "interface", json_string(vf->ifname));
	if (vf->iommu_group >= 0)
		json_object_set_new(row, "iommu_group", json_integer(vf->iommu_group));
	return row;
}

static int append_vfs(struct sriov *sriov, const struct sriov_pf *pf, json_t *rows, bool *orphans)
{
	struct sriov_vf *vfs = NULL;
	size_t count;
	int err = sriov_vf_list(sriov, pf, &vfs, &count);

	for (size_t i = 0; !err && i < count; i++) {
		json_array_append_new(rows, encode(&vfs[i]));
		*orphans |= vfs[i].state == SRIOV_VF_ORPHANED;
	}
	free(vfs);
	return err;
}

static int append_all(struct sriov *sriov, json_t *rows, bool *orphans)
{
	struct sriov_pf *pfs = NULL;
	size_t count;
	int err = sriov_pf_list(sriov, &pfs, &count);

	for (size_t i = 0; !err && i < count; i++)
		err = append_vfs(sriov, &pfs[i], rows, orphans);
	free(pfs);
	return err;
}

int cmd_vf_list(struct cli *cli, const struct cli_args *args)
{
	struct sriov *sriov = cli_sriov(cli);
	json_t *rows = json_array();
	struct sriov_pf pf;
	bool orphans = false;
	int err;

	if (!sriov)
		err = -EIO;
	else if (!args->operand)
		err = append_all(sriov, rows, &orphans);
	else if (!(err = sriov_pf_find(sriov, args->operand, &pf)))
		err = append_vfs(sriov, &pf, rows, &orphans);
	if (!err && cli->json)
		cli_print_json(stdout, rows);
	else if (!err)
		cli_print_table(stdout, columns, rows);
	if (!err && orphans && !cli->json)
		puts("\norphaned: the VM is gone without giving it back; "
		     "`sluice vf release PF/N` does, or the next start of that VM");
	json_decref(rows);
	return exit_code(err);
}

/* ---- show ---- */

static const struct cli_column show_columns[] = {
	{"VF", "name", CLI_SHOW_PLAIN},
	{"address", "address", CLI_SHOW_PLAIN},
	{"PF address", "pf_address", CLI_SHOW_PLAIN},
	{"state", "state", CLI_SHOW_PLAIN},
	{"vm", "owner", CLI_SHOW_PLAIN},
	{"process", "pid", CLI_SHOW_PLAIN},
	{"driver", "driver", CLI_SHOW_PLAIN},
	{"interface", "interface", CLI_SHOW_PLAIN},
	{"representor", "representor", CLI_SHOW_PLAIN},
	{"IOMMU group", "iommu_group", CLI_SHOW_PLAIN},
	{"NUMA node", "numa_node", CLI_SHOW_PLAIN},
	{"reset methods", "reset_methods", CLI_SHOW_PLAIN},
	{"MAC", "mac", CLI_SHOW_PLAIN},
	{"VLAN", "vlan", CLI_SHOW_PLAIN},
	{"VLAN priority", "qos", CLI_SHOW_PLAIN},
	{"VLAN protocol", "vlan_proto", CLI_SHOW_PLAIN},
	{"max rate, Mb/s", "max_rate", CLI_SHOW_PLAIN},
	{"min rate, Mb/s", "min_rate", CLI_SHOW_PLAIN},
	{"tx max, Mb/s", "tx_max", CLI_SHOW_PLAIN},
	{"tx share, Mb/s", "tx_share", CLI_SHOW_PLAIN},
	{"spoof check", "spoof_check", CLI_SHOW_ON},
	{"trust", "trust", CLI_SHOW_ON},
	{"link state", "link_state", CLI_SHOW_PLAIN},
	{"RSS query", "rss_query", CLI_SHOW_ON},
	{"MSI-X vectors", "msix", CLI_SHOW_PLAIN},
	{"port address", "port_addr", CLI_SHOW_PLAIN},
	{"RoCE", "roce", CLI_SHOW_ON},
	{"migratable", "migratable", CLI_SHOW_ON},
	{"event queues", "io_eqs", CLI_SHOW_PLAIN},
	{"NVMe queues", "nvme_queues", CLI_SHOW_PLAIN},
	{"NVMe interrupts", "nvme_interrupts", CLI_SHOW_PLAIN},
	{0},
};

static void add_sysfs(const struct sysfs *fs, struct bdf bdf, json_t *object)
{
	char dev[BDF_TEXT], text[96];

	bdf_format(bdf, dev);
	if (!sysfs_read(fs, text, sizeof(text), "bus/pci/devices/%s/numa_node", dev) &&
	    text[0] != '-')
		json_object_set_new(object, "numa_node", json_integer(strtol(text, NULL, 10)));
	if (sysfs_read(fs, text, sizeof(text), "bus/pci/devices/%s/reset_method", dev))
		strcpy(text, "none");
	json_object_set_new(object, "reset_methods", json_string(text));
}

int cmd_vf_show(struct cli *cli, const struct cli_args *args)
{
	const struct sysfs *fs = cli_sysfs(cli);
	struct sriov *sriov = cli_sriov(cli);
	char representor[SRIOV_NAME];
	struct sriov_vf vf;

	if (!fs || !sriov || sriov_vf_find(sriov, args->operand, &vf))
		return CLI_FAILED;
	json_t *object = encode(&vf);
	add_sysfs(fs, vf.bdf, object);
	sriov_vf_representor(sriov, &vf, representor);
	if (representor[0])
		json_object_set_new(object, "representor", json_string(representor));
	if (cli->json)
		cli_print_json(stdout, object);
	else
		cli_print_fields(stdout, show_columns, object);
	json_decref(object);
	return CLI_OK;
}

/* ---- create, destroy ---- */

static const char *pf_name(const struct sriov_pf *pf, char bdf[BDF_TEXT])
{
	return pf->ifname[0] ? pf->ifname : bdf_format(pf->bdf, bdf);
}

/* For --dry-run. */
static int plan_count(struct cli *cli, const struct sriov_pf *pf, unsigned count, bool probe)
{
	struct sriov_wish *changes;
	size_t n;

	if (sriov_count_changes(cli->sriov, pf, count, probe, &changes, &n))
		return CLI_FAILED;
	int status = show_plan_changes(cli, pf, changes, n);
	free(changes);
	return status;
}

/* What the commands that change something say when they have done it. */
static void report(const struct cli *cli, const char *name, json_t *result, const char *text)
{
	json_object_set_new(result, "name", json_string(name));
	if (cli->json)
		cli_print_json(stdout, result);
	else
		printf("%s: %s\n", name, text);
	json_decref(result);
}

int cmd_vf_create(struct cli *cli, const struct cli_args *args)
{
	unsigned count = (unsigned)cli_number(args, "--count", 0);
	struct sriov *sriov = cli_sriov(cli);
	char bdf[BDF_TEXT], text[64];
	struct sriov_pf pf;

	if (!sriov || sriov_pf_find(sriov, args->operand, &pf))
		return CLI_FAILED;
	if (cli->dry_run)
		return plan_count(cli, &pf, count, cli_has(args, "--probe"));
	if (sriov_vfs_create(sriov, &pf, count, cli_has(args, "--probe")))
		return CLI_FAILED;
	snprintf(text, sizeof(text), "%u VFs; see sluice vf list", count);
	report(cli, pf_name(&pf, bdf), json_pack("{s:i}", "vfs", (int)count), text);
	return CLI_OK;
}

int cmd_vf_destroy(struct cli *cli, const struct cli_args *args)
{
	struct sriov *sriov = cli_sriov(cli);
	struct sriov_pf pf;
	char bdf[BDF_TEXT];

	if (!sriov || sriov_pf_find(sriov, args->operand, &pf))
		return CLI_FAILED;
	if (cli->dry_run)
		return plan_count(cli, &pf, 0, true);
	if (sriov_vfs_destroy(sriov, &pf))
		return CLI_FAILED;
	report(cli, pf_name(&pf, bdf), json_pack("{s:i}", "vfs", 0), "no VFs");
	return CLI_OK;
}

/* ---- set, release ---- */

/* Every option of the command but --driver is the name of a setting, or of a part of one. */
static int read_attrs(const struct cli_args *args, struct sriov_attrs *attrs)
{
	*attrs = (struct sriov_attrs){0};
	for (const struct cli_option *option = args->command->options; option->name; option++) {
		const char *value = cli_text(args, option->name, NULL);
		if (value && strcmp(option->name, "--driver") &&
		    sriov_attr_parse("vf set", option->name + 2, value, attrs))
			return -EINVAL;
	}
	if (!attrs->set && !cli_has(args, "--driver"))
		return log_fail(-EINVAL, "vf set", "nothing to set; for example: %s",
				args->command->examples[0]);
	return 0;
}

/* The kernel takes both rates in one message; the one not named stays. */
static void keep_other_rate(const struct cli_args *args, const struct sriov_vf *vf,
			    struct sriov_attrs *attrs)
{
	if (!(attrs->set & vf->attrs.set & SRIOV_RATE))
		return;
	if (!cli_has(args, "--max-rate"))
		attrs->max_rate = vf->attrs.max_rate;
	if (!cli_has(args, "--min-rate"))
		attrs->min_rate = vf->attrs.min_rate;
}

static int find_pf_of(struct sriov *sriov, const struct sriov_vf *vf, struct sriov_pf *out)
{
	char bdf[BDF_TEXT];

	return sriov_pf_find(sriov, bdf_format(vf->pf_bdf, bdf), out);
}

/* The driver too, as one change with the settings. */
static int set_all(struct cli *cli, const struct sriov_vf *vf, const struct sriov_attrs *attrs,
		   const char *driver)
{
	struct sriov_wish *changes;
	struct sriov_pf pf;
	size_t count;

	if (!driver && !cli->dry_run)
		return exit_code(sriov_vf_set(cli->sriov, vf, attrs));
	if (find_pf_of(cli->sriov, vf, &pf) ||
	    sriov_attr_changes(cli->sriov, vf, attrs, driver, &changes, &count))
		return CLI_FAILED;
	int status = cli->dry_run
			     ? show_plan_changes(cli, &pf, changes, count)
			     : exit_code(sriov_change(cli->sriov, &pf, changes, count, "vf set"));
	free(changes);
	return status;
}

int cmd_vf_set(struct cli *cli, const struct cli_args *args)
{
	const char *driver = cli_text(args, "--driver", NULL);
	struct sriov_attrs attrs;
	struct sriov *sriov;
	struct sriov_vf vf;
	char name[64];

	if (read_attrs(args, &attrs))
		return CLI_USAGE;
	sriov = cli_sriov(cli);
	if (!sriov || sriov_vf_find(sriov, args->operand, &vf))
		return CLI_FAILED;
	keep_other_rate(args, &vf, &attrs);
	snprintf(name, sizeof(name), "vf %s/%u", vf.pf, vf.index);
	int status = set_all(cli, &vf, &attrs, driver);
	if (status || cli->dry_run)
		return status;
	json_t *result = vf_spec_encode(&attrs);
	if (driver)
		json_object_set_new(result, "driver", json_string(driver));
	report(cli, name, result, "set");
	return CLI_OK;
}

int cmd_vf_adopt(struct cli *cli, const struct cli_args *args)
{
	struct sriov *sriov = cli_sriov(cli);
	struct sriov_vf vf;
	char name[64];

	if (!sriov || sriov_vf_find(sriov, args->operand, &vf))
		return CLI_FAILED;
	if (!cli->dry_run && sriov_adopt(sriov, &vf))
		return CLI_FAILED;
	snprintf(name, sizeof(name), "vf %s/%u", vf.pf, vf.index);
	report(cli, name,
	       json_pack("{s:b,s:s}", "adopted", !cli->dry_run, "driver",
			 vf.driver[0] ? vf.driver : "none"),
	       cli->dry_run ? "would be taken in, as it is" : "taken in, as it is");
	return CLI_OK;
}

static int find_claim(struct sriov *sriov, struct bdf bdf, struct sriov_claim *out)
{
	struct sriov_claim *claims = NULL;
	size_t count;
	int err = sriov_claims(sriov, &claims, &count);

	*out = (struct sriov_claim){.bdf = bdf};
	for (size_t i = 0; !err && i < count; i++)
		if (bdf_equal(claims[i].bdf, bdf))
			*out = claims[i];
	free(claims);
	return err;
}

/* The traces of a dead VM go with the last thing that it held. */
static void forget_owner(struct cli *cli, const char *owner)
{
	struct sriov_claim *claims = NULL;
	size_t count;

	if (sriov_owner_alive(cli->sriov, owner) || sriov_claims(cli->sriov, &claims, &count))
		return;
	bool more = false;
	for (size_t i = 0; i < count; i++)
		more |= !strcmp(claims[i].owner, owner);
	free(claims);
	if (!more && vm_known(cli, owner))
		vm_dir_remove(cli, owner);
}

int cmd_vf_release(struct cli *cli, const struct cli_args *args)
{
	struct sriov *sriov = cli_sriov(cli);
	struct sriov_claim claim;
	struct bdf bdf;
	char text[192];

	if (!sriov || vm_find_function(sriov, args->operand, &bdf) ||
	    find_claim(sriov, bdf, &claim))
		return CLI_FAILED;
	if (!claim.owner[0]) {
		report(cli, args->operand, json_pack("{s:b}", "released", 0),
		       "not held by any VM; nothing to do");
		return CLI_OK;
	}
	if (cli->dry_run && !claim.orphaned)
		return exit_code(log_fail(-EBUSY, args->operand,
					  "not released: vm %s lives and has it", claim.owner));
	if (!cli->dry_run && sriov_release(sriov, bdf, NULL))
		return CLI_FAILED;
	if (!cli->dry_run)
		forget_owner(cli, claim.owner);
	snprintf(text, sizeof(text), "%s from vm %s, driver %s",
		 cli->dry_run ? "would be taken back" : "taken back", claim.owner,
		 claim.previous_driver[0] ? claim.previous_driver : "none, as before");
	report(cli, args->operand,
	       json_pack("{s:b,s:s,s:s}", "released", !cli->dry_run, "vm", claim.owner, "driver",
			 claim.previous_driver),
	       text);
	return CLI_OK;
}
