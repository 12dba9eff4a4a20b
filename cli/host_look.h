/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host_look: one look at the whole host, as figures: what `host metrics`, `host top` and `host
 * report` all show.
 *
 *     {"host": {"version", "kernel", "cpus", "cpu_seconds", "idle_seconds", "memory_total",
 *               "memory_available"},
 *      "hugepages": [{"size", "total", "free"}], "iommus": [{"name", "faults"}],
 *      "pfs": [{"name", "address", "driver", "link_up", "vfs", "total_vfs", "rx_packets", …}],
 *      "vfs": [{"name", "pf", "state", "owner", "held"}],
 *      "vms": [{"name", "state", "up", "resets", "cpu_seconds", "ram", "resident", "ours", …}],
 *      "exits": [{"vm", "reason", "count"}], "disks": […], "nets": […]}
 *
 * Counters only grow, until what they count is started anew.
 */
#ifndef CLI_HOST_LOOK_H
#define CLI_HOST_LOOK_H

#include <jansson.h>

#include "cli/cli.h"

/* A new reference, or NULL, logged. What cannot be read is absent; a VM that does not answer within
 * `wait_ms` is not up. */
json_t *host_look(struct cli *cli, unsigned wait_ms);

/* The same as text for Prometheus (exposition format 0.0.4), for the caller to free. */
char *host_metrics(const json_t *look);

/* What happened between two looks: rows for `host top`, {"vms": […], "pfs": […], "host": {…}}. */
json_t *host_rates(const json_t *before, const json_t *after, double seconds);

#endif
