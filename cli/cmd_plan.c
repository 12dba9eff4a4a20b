/* SPDX-License-Identifier: BSD-3-Clause */
/* plan, apply, assert, export: the whole host at once. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/host_shape.h"
#include "cli/host_steps.h"
#include "cli/show_plan.h"
#include "cli/switch_dir.h"
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

/* ---- the host file ---- */

/* The file of --from, or (`whole`) the host's own; "" for none. */
static void host_file_path(const struct cli *cli, const struct cli_args *args, bool whole,
			   char path[CLI_PATH])
{
	const char *from = cli_text(args, "--from", NULL);

	snprintf(path, CLI_PATH, "%s%s", from ? "" : cli->root, from ? from : HOST_FILE);
	if (!from && (!whole || access(path, F_OK) < 0))
		path[0] = '\0';
}

/* Not of one PF, and not of one phase of the boot. */
static bool is_whole(const struct cli_args *args)
{
	return !cli_has(args, "--pf") && phase_of(args) == SRIOV_PHASE_ALL;
}

/* What the file asks for beside functions. */
static int plan_host(struct cli *cli, const struct host_file *file, struct host_steps *steps)
{
	int err = host_switch_steps(cli, host_file_switch(file), steps);

	return err ? err : host_vms_steps(cli, file, steps);
}

/* All that the file asks for, as rows. What of it cannot even be planned was logged; how many. */
static int plan_file(struct cli *cli, const char *path, json_t *rows)
{
	struct host_steps steps = {0};
	struct host_file *file;
	int err = host_file_read(path, &file);

	if (err)
		return err;
	int failed = wish_file_plan(cli, host_file_wishes(file), rows);
	err = plan_host(cli, file, &steps);
	for (size_t i = 0; i < steps.count; i++)
		json_array_append(rows, steps.list[i].row);
	host_steps_free(&steps);
	host_file_free(file);
	return err ? err : failed;
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

static bool names_pf(const json_t *rows, const char *pf)
{
	const json_t *row;
	size_t i;

	json_array_foreach (rows, i, row) {
		const char *name = json_string_value(json_object_get(row, "pf"));
		if (name && !strcmp(name, pf))
			return true;
	}
	return false;
}

/* What the file calls for, and what is missing of earlier wishes for PFs that it has nothing to say
 * about. */
static int plan_both(struct cli *cli, const struct cli_args *args, const char *path, json_t *rows)
{
	json_t *wished = json_array(), *row;
	size_t i;
	int failed = plan_file(cli, path, rows);
	int err = failed < 0 ? failed : plan_all(cli, args, wished);

	json_array_foreach (wished, i, row)
		if (!names_pf(rows, json_string_value(json_object_get(row, "pf"))))
			json_array_append(rows, row);
	json_decref(wished);
	return err ? err : failed;
}

int cmd_plan(struct cli *cli, const struct cli_args *args)
{
	json_t *rows = json_array();
	char path[CLI_PATH];

	host_file_path(cli, args, is_whole(args), path);
	int err = path[0] ? plan_both(cli, args, path, rows) : plan_all(cli, args, rows);
	if (err >= 0 && wants_gpus(args)) {
		int n = gpu_apply(cli->gpu, true, show_plan_gpu, rows);
		err = n < 0 ? n : err;
	}
	if (err >= 0)
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

/* Nothing of a file is done before all that would be felt was agreed to. */
static int check_rows(const struct cli_args *args, const char *path, const json_t *rows)
{
	const json_t *row;
	size_t i;

	if (cli_has(args, "--yes"))
		return 0;
	json_array_foreach (rows, i, row) {
		const char *effect = json_string_value(json_object_get(row, "effect"));
		if (strcmp(effect, show_plan_effect(SRIOV_SAFE)))
			return log_fail(-EPERM, path,
					"not applied: %s of %s is %s; look at `sluice plan`, then "
					"pass --yes",
					json_string_value(json_object_get(row, "what")),
					json_string_value(json_object_get(row, "name")), effect);
	}
	return 0;
}

static bool do_step(struct cli *cli, const struct host_step *step)
{
	/* A switch that did not start has said so once. */
	if (step->method && !switch_runs(cli))
		return false;
	if (!step->run(cli, step))
		return true;
	log_error(json_string_value(json_object_get(step->row, "name")),
		  "%s: not done, see above; the rest goes on",
		  json_string_value(json_object_get(step->row, "what")));
	return false;
}

/* The switch before the VMs that want its ports. */
static int do_steps(struct cli *cli, const struct host_file *file, struct tally *tally)
{
	struct host_steps steps = {0};
	int err = plan_host(cli, file, &steps);

	for (size_t i = 0; i < steps.count && !err; i++) {
		bool done = do_step(cli, &steps.list[i]);
		tally->failed += !done;
		tally->steps += done;
		tally->done += done;
	}
	host_steps_free(&steps);
	return err;
}

static int apply_file(struct cli *cli, const struct cli_args *args, const char *path,
		      struct tally *tally)
{
	struct host_file *file = NULL;
	int failed = plan_file(cli, path, tally->rows);
	int err = failed < 0 ? failed : cli->dry_run ? 0 : check_rows(args, path, tally->rows);

	if (!err && !cli->dry_run)
		err = host_file_read(path, &file);
	if (!err && file) {
		failed = wish_file_apply(cli, host_file_wishes(file));
		/* What it called for was planned above: those steps are done now. */
		const json_t *row;
		size_t i;
		json_array_foreach (tally->rows, i, row) {
			tally->steps += json_object_get(row, "pf") ||
					json_object_get(row, "pool") || json_object_get(row, "gpu");
		}
		tally->done += tally->steps > 0;
		err = failed < 0 ? failed : do_steps(cli, file, tally);
	}
	tally->failed += failed > 0 ? (unsigned)failed : 0;
	host_file_free(file);
	return err;
}

static void say_tally(const struct tally *tally)
{
	const char *s = tally->steps == 1 ? "" : "s";

	if (tally->failed)
		printf("%u step%s done; left, for reasons told above: %u\n", tally->steps, s,
		       tally->failed);
	else if (tally->waiting)
		printf("%u step%s done; %u wait for a link\n", tally->steps, s, tally->waiting);
	else if (tally->done)
		printf("all is as wished; %u step%s\n", tally->steps, s);
	else
		puts("all is as wished; nothing to do");
}

int cmd_apply(struct cli *cli, const struct cli_args *args)
{
	struct tally tally = {.rows = json_array()};
	char path[CLI_PATH];

	host_file_path(cli, args, is_whole(args), path);
	int err = path[0] ? apply_file(cli, args, path, &tally) : 0;
	if (!err && !(path[0] && cli->dry_run))
		err = apply_all(cli, args, &tally);
	if (cli->json || (!err && cli->dry_run))
		show_plan(cli, tally.rows);
	else if (!err)
		say_tally(&tally);
	json_decref(tally.rows);
	return err || tally.failed ? CLI_FAILED : CLI_OK;
}

/* ---- assert ---- */

static void tell(const char *subject, const char *text, void *opaque)
{
	json_array_append_new(opaque, json_pack("{s:s,s:s}", "name", subject, "what", text));
}

/* Each step that the host file still calls for is something that does not hold. */
static int assert_file(struct cli *cli, const struct cli_args *args, json_t *rows)
{
	json_t *steps = json_array();
	char path[CLI_PATH];
	const json_t *row;
	size_t i;

	host_file_path(cli, args, true, path);
	int failed = path[0] ? plan_file(cli, path, steps) : 0;
	json_array_foreach (steps, i, row) {
		const char *after = json_string_value(json_object_get(row, "after"));
		json_array_append_new(
			rows,
			json_pack("{s:O,s:o}", "name", json_object_get(row, "name"), "what",
				  json_sprintf("%s: is %s, shall be %s",
					       json_string_value(json_object_get(row, "what")),
					       json_object_get(row, "before")
						       ? json_string_value(
								 json_object_get(row, "before"))
						       : "not there",
					       after ? after : "there")));
	}
	int count = failed < 0 ? failed : failed + (int)json_array_size(steps);
	json_decref(steps);
	return count;
}

int cmd_assert(struct cli *cli, const struct cli_args *args)
{
	struct sriov *sriov = cli_sriov(cli);
	json_t *rows = json_array();
	int wrong = sriov ? sriov_assert(sriov, tell, rows) : -EIO;
	int unlike = wrong < 0 ? wrong : assert_file(cli, args, rows);
	int gpus = unlike < 0 ? unlike : gpu_assert(cli->gpu, tell, rows);

	wrong = gpus < 0 ? gpus : wrong + unlike + gpus;
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

/* All of the host, as a file for apply: what is wished, or (--found) what there is. */
int cmd_export(struct cli *cli, const struct cli_args *args)
{
	if (cli_has(args, "--schema")) {
		host_shape_describe(stdout);
		return CLI_OK;
	}
	json_t *wishes = NULL, *root = json_pack("{s:i}", "version", HOST_FILE_VERSION);
	int err = wish_file_export(cli, cli_has(args, "--found"), &wishes);
	json_t *sw = host_switch_export(cli), *vms = host_vms_export(cli);

	json_object_update(root, wishes);
	if (sw)
		json_object_set(root, "switch", sw);
	if (json_array_size(vms))
		json_object_set(root, "vms", vms);
	if (!err && cli->json)
		cli_print_json(stdout, root);
	else if (!err && yaml_write(stdout, root))
		err = log_fail(-EIO, "export", "not written");
	json_decref(sw);
	json_decref(vms);
	json_decref(wishes);
	json_decref(root);
	return err ? CLI_FAILED : CLI_OK;
}
