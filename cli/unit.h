/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * unit: systemd, where it looks after the switch and the VMs.
 *
 * With systemd as the host's first process and our units installed, what shall run beyond a command
 * is started by it: it restarts what died, ends guests in order before the host goes down, and
 * bounds what they use. Elsewhere (containers, the lab, a build tree) commands start it themselves.
 */
#ifndef CLI_UNIT_H
#define CLI_UNIT_H

#include "cli/cli.h"

#define UNIT_SWITCH "sluice-switch.service"
#define UNIT_VM	    "sluice-vm@.service"

/* systemd runs, and knows `unit`. */
bool unit_known(const struct cli *cli, const char *unit);
/* systemctl VERB UNIT: "start", "restart"; "daemon-reload" (NULL), which has the generator read the
 * definitions again. Logs. */
int unit_do(const char *verb, const char *unit);

/* A definition's part on when a VM runs: {"autostart", "restart", "order", "stop_timeout"}. */
#define UNIT_RUN "run"

/* The generator (systemd.generator(7)): below `dir`, what sluice.target wants, and of each VM that
 * a host file defined the order, the policy and the deadline. Logs. */
int unit_generate(const struct cli *cli, const char *dir);

#endif
