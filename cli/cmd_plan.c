/* SPDX-License-Identifier: BSD-3-Clause */
/* plan, apply, assert, export: the whole host at once. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/show_plan.h"
#include "cli/wish_file.h"

static enum sriov_phase phase_of(const struct cli_args *args)
{
	const char *phase = cli_text(args, "--phase", "all");

	return !strcmp(phase, "early")	? SRIOV_PHASE_EARLY
	       : !strcmp(phase, "late") ? SRIOV_PHASE_LATE
					: SRIOV_PHASE_ALL;
}

/* All PFs, or the one of --pf. */
static int find_pfs(struct cli *cli, const struct cli_args *args, struct sriov_pf **out,
		    size_t *count)
{
	const char *name = cli_text(args, "--pf", NULL);
	struct sriov *sriov = cli_sriov(cli);

	if (!sriov)
		return -EIO;
	if (!name)
		return sriov_pf_list(sriov, out, count);
	*out = calloc(1, sizeof(**out));
	*count = 1;
	return *out ? sriov_pf_find(sriov, name, *out) : -ENOMEM;
}

/* ---- plan ---- */

static int plan_all(struct cli *cli, const struct cli_args *args, json_t *rows)
{
	struct sriov_pf *pfs = NULL;
	size_t count = 0;
	int err = find_pfs(cli, args, &pfs, &count);

	for (size_t i = 0; i < count && !err; i++) {
		struct sriov_plan plan;
		err = sriov_plan(cli->sriov, &pfs[i], NULL, 0, phase_of(args), &plan);
		if (err)
			break;
		show_plan_add(rows, &plan);
		sriov_plan_free(&plan);
	}
	free(pfs);
	return err;
}

/* GPUs have no phases: what they need is there when their driver is. With --pf it is about that
 * one. */
static bool wants_gpus(const struct cli_args *args)
{
	return !cli_has(args, "--pf") && phase_of(args) != SRIOV_PHASE_EARLY;
}

int cmd_plan(struct cli *cli, const struct cli_args *args)
{
	json_t *rows = json_array();
	int err = plan_all(cli, args, rows);

	if (!err && wants_gpus(args)) {
		int n = gpu_apply(cli->gpu, true, show_plan_gpu, rows);
		err = n < 0 ? n : 0;
	}
	if (!err)
		show_plan(cli, rows);
	json_decref(rows);
	return err ? CLI_FAILED : CLI_OK;
}

/* ---- apply ---- */

struct tally {
	unsigned done, failed; /* PFs */
	unsigned steps, waiting;
	json_t *rows;
};

/* What somebody feels needs a word more. */
static int check_consent(const struct cli_args *args, const struct sriov_plan *plan)
{
	enum sriov_effect effect = sriov_plan_effect(plan);

	if (effect == SRIOV_SAFE || cli_has(args, "--yes"))
		return 0;
	return log_fail(-EPERM, plan->name,
			"not applied: the plan %s; look at `sluice plan`, then pass --yes",
			effect == SRIOV_DESTROYS_VF ? "takes VFs away and makes them anew"
						    : "is felt by who uses its VFs");
}

/* Makes the plan anew when it has waited. */
static int await_link(struct cli *cli, const struct cli_args *args, const struct sriov_pf *pf,
		      struct sriov_plan *plan)
{
	unsigned seconds = (unsigned)cli_number(args, "--await-link", 0);
	bool waits = false;

	for (size_t i = 0; i < plan->count; i++)
		waits |= plan->steps[i].waits;
	if (!waits || !seconds || cli->dry_run)
		return 0;
	int err = sriov_await_link(cli->sriov, pf, seconds * 1000);
	if (err)
		return err;
	sriov_plan_free(plan);
	return sriov_plan(cli->sriov, pf, NULL, 0, phase_of(args), plan);
}

static int apply_pf(struct cli *cli, const struct cli_args *args, const struct sriov_pf *pf,
		    struct tally *tally)
{
	struct sriov_plan plan;
	int repaired = cli->dry_run ? 0 : sriov_repair(cli->sriov, pf);

	if (repaired < 0)
		return repaired;
	int err = sriov_plan(cli->sriov, pf, NULL, 0, phase_of(args), &plan);
	if (err)
		return err;
	err = await_link(cli, args, pf, &plan);
	show_plan_add(tally->rows, &plan);
	if (!err && plan.count && !cli->dry_run)
		err = check_consent(args, &plan);
	if (plan.count && !cli->dry_run && !err)
		err = sriov_apply(cli->sriov, &plan, phase_of(args));
	if (!err) {
		tally->done += plan.count || repaired;
		for (size_t i = 0; i < plan.count; i++)
			*(plan.steps[i].waits ? &tally->waiting : &tally->steps) += 1;
	}
	sriov_plan_free(&plan);
	return err;
}

/* One PF that cannot be had does not keep the others. */
static int apply_all(struct cli *cli, const struct cli_args *args, struct tally *tally)
{
	struct sriov_pf *pfs = NULL;
	size_t count = 0;
	int err = find_pfs(cli, args, &pfs, &count);

	for (size_t i = 0; !err && i < count; i++)
		tally->failed += apply_pf(cli, args, &pfs[i], tally) != 0;
	free(pfs);
	if (!err && wants_gpus(args)) {
		size_t before = json_array_size(tally->rows);
		int n = gpu_apply(cli->gpu, cli->dry_run, show_plan_gpu, tally->rows);
		tally->failed += n < 0;
		tally->done += n > 0;
		tally->steps += (unsigned)(json_array_size(tally->rows) - before);
	}
	return err;
}

int cmd_apply(struct cli *cli, const struct cli_args *args)
{
	struct tally tally = {.rows = json_array()};
	const char *from = cli_text(args, "--from", NULL);
	int err = from ? wish_file_apply(cli, from, cli_has(args, "--yes"), tally.rows) : 0;

	if (!err && !(from && cli->dry_run))
		err = apply_all(cli, args, &tally);
	bool failed = err || tally.failed;
	if (cli->json || (!failed && cli->dry_run))
		show_plan(cli, tally.rows);
	else if (!failed && tally.waiting)
		printf("%u steps done; %u wait for a link\n", tally.steps, tally.waiting);
	else if (!failed && tally.done)
		printf("all is as wished; %u steps\n", tally.steps);
	else if (!failed)
		puts("all is as wished; nothing to do");
	json_decref(tally.rows);
	return failed ? CLI_FAILED : CLI_OK;
}

/* ---- assert ---- */

static void tell(const char *subject, const char *text, void *opaque)
{
	json_array_append_new(opaque, json_pack("{s:s,s:s}", "name", subject, "what", text));
}

int cmd_assert(struct cli *cli, const struct cli_args *args)
{
	struct sriov *sriov = cli_sriov(cli);
	json_t *rows = json_array();
	int wrong = sriov ? sriov_assert(sriov, tell, rows) : -EIO;
	int more = wrong < 0 ? wrong : gpu_assert(cli->gpu, tell, rows);

	(void)args;
	wrong = more < 0 ? more : wrong + more;
	if (wrong >= 0 && cli->json)
		cli_print_json(stdout, rows);
	for (size_t i = 0; wrong > 0 && !cli->json && i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);
		printf("%s: %s\n", json_string_value(json_object_get(row, "name")),
		       json_string_value(json_object_get(row, "what")));
	}
	if (wrong == 0 && !cli->json)
		puts("all is as wished");
	json_decref(rows);
	return wrong ? CLI_FAILED : CLI_OK;
}

/* ---- export ---- */

int cmd_export(struct cli *cli, const struct cli_args *args)
{
	json_t *root = NULL;
	int err = wish_file_export(cli, cli_has(args, "--found"), &root);

	if (!err)
		cli_print_json(stdout, root);
	json_decref(root);
	return err ? CLI_FAILED : CLI_OK;
}
