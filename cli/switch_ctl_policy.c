/* SPDX-License-Identifier: BSD-3-Clause */
/* switch_ctl_policy: what a switch's control socket offers about access lists, multicast groups,
 * queues, workers and traces. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/util.h"
#include "cli/switch_acl.h"
#include "cli/switch_config.h"
#include "cli/switch_ctl.h"

#define STEPS 256

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static const char *text_of(const json_t *params, const char *key)
{
	return json_string_value(json_object_get(params, key));
}

/* ---- access lists ---- */

int switch_ctl_acl_load(void *opaque, const json_t *params, json_t **result, char *error)
{
	struct switch_ctl *ctl = opaque;
	struct nq_acl acl;

	(void)result;
	log_forget();
	int err = switch_acl_decode(text_of(params, "name"), params, &acl, error);
	if (!err)
		err = nq_acl_load(ctl->sw, &acl);
	free((struct nq_acl_rule *)acl.rules);
	return switch_ctl_finish(ctl, err, error);
}

int switch_ctl_acl_remove(void *opaque, const json_t *params, json_t **result, char *error)
{
	struct switch_ctl *ctl = opaque;
	const char *name = text_of(params, "name");

	(void)result;
	log_forget();
	return switch_ctl_finish(ctl, name ? nq_acl_remove(ctl->sw, name) : -EINVAL, error);
}

static json_t *hits_of(const struct nq_switch *sw, const struct nq_acl *acl)
{
	uint64_t *hits = calloc(acl->count + 1u, sizeof(*hits));
	json_t *list = json_array();

	if (hits && !nq_acl_hits(sw, acl->name, hits))
		for (unsigned i = 0; i <= acl->count; i++)
			json_array_append_new(list, number(hits[i]));
	free(hits);
	return list;
}

int switch_ctl_acls(void *opaque, const json_t *params, json_t **result, char *error)
{
	const struct switch_ctl *ctl = opaque;
	const char *name = text_of(params, "name");
	const struct nq_acl *acl = NULL;

	*result = json_array();
	while ((acl = nq_acl_next(ctl->sw, acl))) {
		if (name && strcmp(name, acl->name))
			continue;
		json_t *json = name ? switch_acl_encode(acl)
				    : json_pack("{s:s,s:i,s:s}", "name", acl->name, "count",
						(int)acl->count, "rest",
						acl->deny_rest ? "deny" : "allow");
		if (name)
			json_object_set_new(json, "hits", hits_of(ctl->sw, acl));
		json_array_append_new(*result, json);
	}
	if (!name || json_array_size(*result))
		return 0;
	snprintf(error, RPC_ERROR_TEXT, "%.64s: no such access list", name);
	json_decref(*result);
	*result = NULL;
	return -ENOENT;
}

/* ---- multicast ---- */

static json_t *group_of(const struct nq_group *g)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	bool four = !memcmp(g->address, mapped, sizeof(mapped));
	char text[INET6_ADDRSTRLEN];

	inet_ntop(four ? AF_INET : AF_INET6, g->address + (four ? 12 : 0), text, sizeof(text));
	return json_pack("{s:s,s:i,s:s,s:s,s:b,s:i}", "bridge", g->bridge, "vlan", (int)g->vlan,
			 "group", g->is_router ? (four ? "routers, IPv4" : "routers, IPv6") : text,
			 "port", g->port, "router", g->is_router, "left", (int)g->left_s);
}

int switch_ctl_groups(void *opaque, const json_t *params, json_t **result, char *error)
{
	const struct switch_ctl *ctl = opaque;
	const char *bridge = text_of(params, "bridge");
	uint64_t refused, missed;
	struct nq_group *list;
	size_t count;

	(void)error;
	if (nq_group_list(ctl->sw, &list, &count))
		return -ENOMEM;
	json_t *groups = json_array();
	for (size_t i = 0; i < count; i++)
		if (!bridge || !strcmp(bridge, list[i].bridge))
			json_array_append_new(groups, group_of(&list[i]));
	free(list);
	nq_group_counts(ctl->sw, &refused, &missed);
	*result = json_pack("{s:o,s:o,s:o}", "groups", groups, "refused", number(refused), "missed",
			    number(missed));
	return *result ? 0 : -ENOMEM;
}

/* ---- queues and workers ---- */

static void add_queues(const struct nq_switch *sw, const struct nq_port_config *p, json_t *list)
{
	struct nq_stats s;

	for (unsigned q = 0; !nq_queue_stats(sw, p->name, q, &s); q++)
		json_array_append_new(list,
				      json_pack("{s:s,s:i,s:o,s:o,s:o,s:o,s:o}", "name", p->name,
						"queue", (int)q, "rx_packets", number(s.rx_packets),
						"rx_bytes", number(s.rx_bytes), "tx_packets",
						number(s.tx_packets), "tx_bytes",
						number(s.tx_bytes), "drops", switch_ctl_drops(&s)));
}

int switch_ctl_queues(void *opaque, const json_t *params, json_t **result, char *error)
{
	const struct switch_ctl *ctl = opaque;
	const struct nq_port_config *p = NULL;

	(void)params, (void)error;
	*result = json_array();
	while ((p = nq_port_next(ctl->sw, p)))
		add_queues(ctl->sw, p, *result);
	return 0;
}

/* The CPUs of those that stay are those that were. */
static json_t *cpus_of(const struct nq_switch *sw)
{
	json_t *cpus = json_array();

	for (unsigned i = 0; i < nq_workers(sw); i++) {
		struct nq_worker_info info;

		nq_worker_info(sw, i, &info);
		json_array_append_new(cpus, json_integer(info.cpu));
	}
	return cpus;
}

int switch_ctl_workers_set(void *opaque, const json_t *params, json_t **result, char *error)
{
	struct switch_ctl *ctl = opaque;
	json_int_t count = json_integer_value(json_object_get(params, "count"));

	(void)result;
	log_forget();
	if (count < 1 || count > NQ_WORKERS) {
		snprintf(error, RPC_ERROR_TEXT, "count: 1 to %d workers there may be", NQ_WORKERS);
		return -EINVAL;
	}
	int err = nq_workers_set(ctl->sw, (unsigned)count, NULL);
	if (!err)
		json_object_set_new(ctl->start, "cpus", cpus_of(ctl->sw));
	return switch_ctl_finish(ctl, err, error);
}

/* ---- traces ---- */

int switch_ctl_trace_set(void *opaque, const json_t *params, json_t **result, char *error)
{
	struct switch_ctl *ctl = opaque;
	const char *port = text_of(params, "port");
	json_int_t every = json_integer_value(json_object_get(params, "every"));

	(void)result;
	log_forget();
	if (!port || every < 0 || every > UINT32_MAX) {
		snprintf(error, RPC_ERROR_TEXT, "a port, and of how many frames one is traced");
		return -EINVAL;
	}
	int err = nq_trace_set(ctl->sw, port, (unsigned)every);
	if (err)
		snprintf(error, RPC_ERROR_TEXT, "%s", log_last());
	return err;
}

static json_t *step_of(const struct nq_step *s)
{
	static const char *const kinds[] = {"in", "drop", "out"};
	char to[PARSE_MAC_TEXT], from[PARSE_MAC_TEXT];
	json_t *json = json_pack("{s:I,s:I,s:s,s:s,s:i,s:i,s:i,s:s,s:s}", "frame",
				 (json_int_t)s->frame, "time_ns", (json_int_t)s->time_ns, "step",
				 kinds[s->kind], "port", s->port, "length", (int)s->len, "vlan",
				 (int)s->vlan, "type", (int)s->type, "to", format_mac(s->to, to),
				 "from", format_mac(s->from, from));

	if (s->kind == NQ_STEP_DROP && s->detail < NQ_DROPS)
		json_object_set_new(json, "reason",
				    json_string(nq_drop_name((enum nq_drop)s->detail)));
	if (s->kind == NQ_STEP_IN)
		json_object_set_new(json, "queue", json_integer((json_int_t)s->detail));
	return json;
}

int switch_ctl_trace(void *opaque, const json_t *params, json_t **result, char *error)
{
	struct switch_ctl *ctl = opaque;
	struct nq_step steps[STEPS];
	json_t *list = json_array();
	uint64_t missed;

	(void)params, (void)error;
	size_t count = nq_trace_take(ctl->sw, steps, STEPS, &missed);
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, step_of(&steps[i]));
	*result = json_pack("{s:o,s:o}", "steps", list, "missed", number(missed));
	return *result ? 0 : -ENOMEM;
}
