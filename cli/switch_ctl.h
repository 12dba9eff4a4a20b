/* SPDX-License-Identifier: BSD-3-Clause */
/* switch_ctl: what a switch's control socket offers: a table of methods (docs/netqueue.md lists
 * them). */
#ifndef CLI_SWITCH_CTL_H
#define CLI_SWITCH_CTL_H

#include "base/loop.h"
#include "base/rpc.h"
#include "netqueue/netqueue.h"

struct switch_ctl {
	struct nq_switch *sw;
	struct loop *loop;
	struct rpc_server *server;
	json_t *start;	  /* of the configuration */
	const char *keep; /* where the configuration is kept; NULL: nowhere */
	int64_t since;	  /* time(2) of the start */
};

extern const struct rpc_method switch_ctl_methods[];

/* Writes the configuration, whole or not at all; logs its failure. */
void switch_ctl_keep(const struct switch_ctl *ctl);
/* Ends a change: keeps the configuration, or tells why there is no change. */
int switch_ctl_finish(const struct switch_ctl *ctl, int err, char *error);
json_t *switch_ctl_drops(const struct nq_stats *stats);
/* Methods of switch_ctl_policy.c. */
int switch_ctl_acl_load(void *opaque, const json_t *params, json_t **result, char *error);
int switch_ctl_acl_remove(void *opaque, const json_t *params, json_t **result, char *error);
int switch_ctl_acls(void *opaque, const json_t *params, json_t **result, char *error);
int switch_ctl_groups(void *opaque, const json_t *params, json_t **result, char *error);
int switch_ctl_queues(void *opaque, const json_t *params, json_t **result, char *error);
int switch_ctl_workers_set(void *opaque, const json_t *params, json_t **result, char *error);
int switch_ctl_trace_set(void *opaque, const json_t *params, json_t **result, char *error);
int switch_ctl_trace(void *opaque, const json_t *params, json_t **result, char *error);
/* What `stats --prometheus` prints; allocated, or NULL. */
char *switch_ctl_metrics(const struct nq_switch *sw);

#endif
