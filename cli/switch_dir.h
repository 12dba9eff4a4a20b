/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * switch_dir: the folder of the switch, RUN_DIR/switch: its control socket, its lock, what it keeps
 * of its configuration (switch_main.c) and its log.
 */
#ifndef CLI_SWITCH_DIR_H
#define CLI_SWITCH_DIR_H

#include <jansson.h>

#include "cli/cli.h"

#define SWITCH_CTL    "ctl.sock"
#define SWITCH_LOCK   "lock"
#define SWITCH_CONFIG "config.json"
#define SWITCH_LOG    "switch.log"

int switch_path(const struct cli *cli, const char *file, char path[CLI_PATH]);
/* Whether a switch runs: its lock is held. */
bool switch_runs(const struct cli *cli);

/* Starts it with a configuration (switch_config.h; borrowed), and waits until it answers; or stops
 * it, and waits until it is gone. Negative errnos, logged. (cmd_switch.c) */
int switch_start(const struct cli *cli, const json_t *config);
int switch_stop(const struct cli *cli);

/* One call; `params` are taken over, `result` may be NULL. Failures are logged; exit codes of
 * cli.h. With --dry-run nothing is called, and what would be done is told by switch_report. */
int switch_tell(const struct cli *cli, const char *method, json_t *params, json_t **result);
int switch_tell_fd(const struct cli *cli, const char *method, json_t *params, int fd,
		   json_t **result);
/* "SUBJECT: TEXT", or {"name", "result"} as JSON; CLI_OK. */
int switch_report(const struct cli *cli, const char *subject, const char *text);
/* A change: told, and reported as `done` (with --dry-run: as "would be DONE"). */
int switch_change(const struct cli *cli, const char *subject, const char *method, json_t *params,
		  const char *done);

#endif
