/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * doctor: looks for what will stand in the way of handing devices to VMs, before anybody tries.
 *
 * Reads only. Each finding says what is, why it matters, and what to do about it.
 */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include <jansson.h>

#include "cli/cli.h"

enum doctor_state {
	DOCTOR_GOOD,
	DOCTOR_WARNING, /* works, but not as well as it could, or not for everything */
	DOCTOR_BAD,	/* something that one would try will fail */
};

/* A row {"check", "about", "state", "finding", "why", "fix"} for each thing looked at; *worst is
 * the worst state. Logs failures to look. */
int doctor_run(struct cli *cli, json_t *rows, enum doctor_state *worst);

#endif
