/* SPDX-License-Identifier: BSD-3-Clause */
/* bench_nic: the work that is done over every path, trial by trial; see bench_nic.c. */
#ifndef CLI_BENCH_NIC_H
#define CLI_BENCH_NIC_H

#include "cli/bench_path.h"

#define BENCH_PATHS 16

struct bench_run {
	struct cli *cli;
	struct bench_settings settings;
	struct bench_path path[BENCH_PATHS];
	size_t paths;
	unsigned rounds, ms; /* of one trial */
	bool brief;	     /* fewer works, fixed rates instead of searches */
	int stop_fd;	     /* readable: end now, with what there is */
	json_t *report;
};

/* Fills run->report; 0 also when it was cut short. */
int bench_nic_run(struct bench_run *run);

#endif
