/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cli: what every command of sluice gets: where the machine is, and how the user wants the answer.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>

#include "base/sysfs.h"
#include "cli/args.h"
#include "cli/output.h"
#include "sriov/sriov.h"

/* Exit codes. */
enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_NO_STATUS = 4 };

struct cli {
	const char *state_dir; /* SLUICE_STATE_DIR, /var/lib/sluice */
	const char *run_dir;   /* SLUICE_RUN_DIR, /run/sluice */
	const char *sysfs;     /* SLUICE_SYSFS, /sys */
	const char *root;      /* SLUICE_ROOT, /: where other programs keep their files */
	bool json;	       /* --json */
	bool dry_run;	       /* --dry-run */
	struct sysfs fs;       /* opened with the first use of cli_sysfs */
	struct sriov *sriov;   /* opened with the first use of cli_sriov */
};

/* Both log their failure and return NULL. */
const struct sysfs *cli_sysfs(struct cli *cli);
struct sriov *cli_sriov(struct cli *cli);
/* The ledger's connection must not cross a fork(2); the next cli_sriov opens it again. */
void cli_sriov_close(struct cli *cli);

/* "STATE_DIR/…" and "RUN_DIR/…". */
#define CLI_PATH 512
int cli_run_path(const struct cli *cli, char path[CLI_PATH], const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- the commands; each returns an exit code ---- */

int cmd_host_show(struct cli *cli, const struct cli_args *args);
int cmd_host_caps(struct cli *cli, const struct cli_args *args);
int cmd_host_doctor(struct cli *cli, const struct cli_args *args);
int cmd_host_metrics(struct cli *cli, const struct cli_args *args);
int cmd_host_top(struct cli *cli, const struct cli_args *args);
int cmd_host_report(struct cli *cli, const struct cli_args *args);
int cmd_host_tune(struct cli *cli, const struct cli_args *args);
int cmd_pf_list(struct cli *cli, const struct cli_args *args);
int cmd_pf_show(struct cli *cli, const struct cli_args *args);
int cmd_pf_set(struct cli *cli, const struct cli_args *args);
int cmd_pf_alias(struct cli *cli, const struct cli_args *args);
int cmd_vf_list(struct cli *cli, const struct cli_args *args);
int cmd_vf_show(struct cli *cli, const struct cli_args *args);
int cmd_vf_create(struct cli *cli, const struct cli_args *args);
int cmd_vf_destroy(struct cli *cli, const struct cli_args *args);
int cmd_vf_set(struct cli *cli, const struct cli_args *args);
int cmd_vf_release(struct cli *cli, const struct cli_args *args);
int cmd_vf_adopt(struct cli *cli, const struct cli_args *args);
int cmd_pool_list(struct cli *cli, const struct cli_args *args);
int cmd_pool_set(struct cli *cli, const struct cli_args *args);
int cmd_pool_remove(struct cli *cli, const struct cli_args *args);
int cmd_plan(struct cli *cli, const struct cli_args *args);
int cmd_apply(struct cli *cli, const struct cli_args *args);
int cmd_assert(struct cli *cli, const struct cli_args *args);
int cmd_export(struct cli *cli, const struct cli_args *args);
int cmd_iommu_show(struct cli *cli, const struct cli_args *args);
int cmd_iommu_groups(struct cli *cli, const struct cli_args *args);
int cmd_iommu_explain(struct cli *cli, const struct cli_args *args);
int cmd_iommu_irqs(struct cli *cli, const struct cli_args *args);
int cmd_vm_irqs(struct cli *cli, const struct cli_args *args);
int cmd_iommu_audit(struct cli *cli, const struct cli_args *args);
int cmd_iommu_dump(struct cli *cli, const struct cli_args *args);
int cmd_iommu_walk(struct cli *cli, const struct cli_args *args);
int cmd_iommu_release(struct cli *cli, const struct cli_args *args);
int cmd_iommu_guard(struct cli *cli, const struct cli_args *args);
int cmd_vm_run(struct cli *cli, const struct cli_args *args);
int cmd_vm_define(struct cli *cli, const struct cli_args *args);
int cmd_vm_undefine(struct cli *cli, const struct cli_args *args);
int cmd_vm_start(struct cli *cli, const struct cli_args *args);
int cmd_vm_list(struct cli *cli, const struct cli_args *args);
int cmd_vm_show(struct cli *cli, const struct cli_args *args);
int cmd_vm_top(struct cli *cli, const struct cli_args *args);
int cmd_vm_trace(struct cli *cli, const struct cli_args *args);
int cmd_vm_stat(struct cli *cli, const struct cli_args *args);
int cmd_vm_maps(struct cli *cli, const struct cli_args *args);
int cmd_vm_restore(struct cli *cli, const struct cli_args *args);
int cmd_vm_clone(struct cli *cli, const struct cli_args *args);
int cmd_vm_pause(struct cli *cli, const struct cli_args *args);
int cmd_vm_resume(struct cli *cli, const struct cli_args *args);
int cmd_vm_reset(struct cli *cli, const struct cli_args *args);
int cmd_vm_powerdown(struct cli *cli, const struct cli_args *args);
int cmd_vm_kill(struct cli *cli, const struct cli_args *args);
int cmd_vm_save(struct cli *cli, const struct cli_args *args);
int cmd_vm_events(struct cli *cli, const struct cli_args *args);
int cmd_vm_balloon(struct cli *cli, const struct cli_args *args);
int cmd_vm_link(struct cli *cli, const struct cli_args *args);
int cmd_vm_stop(struct cli *cli, const struct cli_args *args);
int cmd_vm_console(struct cli *cli, const struct cli_args *args);
int cmd_vm_attach(struct cli *cli, const struct cli_args *args);
int cmd_vm_cpus(struct cli *cli, const struct cli_args *args);
int cmd_vm_memory(struct cli *cli, const struct cli_args *args);
int cmd_vm_detach(struct cli *cli, const struct cli_args *args);
int cmd_vf_attach(struct cli *cli, const struct cli_args *args);
int cmd_vf_detach(struct cli *cli, const struct cli_args *args);
int cmd_switch_start(struct cli *cli, const struct cli_args *args);
int cmd_switch_stop(struct cli *cli, const struct cli_args *args);
int cmd_switch_show(struct cli *cli, const struct cli_args *args);
int cmd_switch_bond(struct cli *cli, const struct cli_args *args);
int cmd_switch_bridge(struct cli *cli, const struct cli_args *args);
int cmd_switch_port(struct cli *cli, const struct cli_args *args);
int cmd_switch_set(struct cli *cli, const struct cli_args *args);
int cmd_switch_fdb(struct cli *cli, const struct cli_args *args);
int cmd_switch_stats(struct cli *cli, const struct cli_args *args);
int cmd_switch_mirror(struct cli *cli, const struct cli_args *args);
int cmd_switch_capture(struct cli *cli, const struct cli_args *args);
int cmd_bench_nic(struct cli *cli, const struct cli_args *args);
int cmd_bench_compare(struct cli *cli, const struct cli_args *args);
int cmd_completion_bash(struct cli *cli, const struct cli_args *args);

#endif
