/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * switch_ctl: see switch_ctl.h. Runs on the control thread; workers go on meanwhile. A change that
 * has been made is kept on disk before it is answered.
 */
#include "cli/switch_ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/util.h"
#include "cli/switch_config.h"
#include "cli/switch_rules.h"

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static const char *text_of(const json_t *params, const char *key)
{
	return json_string_value(json_object_get(params, key));
}

/* ---- keeping ---- */

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int err = fd < 0 ? -errno : io_write_full(fd, text, strlen(text));

	io_close(&fd);
	return err;
}

void switch_ctl_keep(const struct switch_ctl *ctl)
{
	char path[PATH_MAX];
	json_t *config = ctl->keep ? switch_config_encode(ctl->sw, ctl->start) : NULL;
	char *text = config ? json_dumps(config, JSON_INDENT(2)) : NULL;
	int err = text ? 0 : -ENOMEM;

	json_decref(config);
	if (!ctl->keep)
		return;
	snprintf(path, sizeof(path), "%s.new", ctl->keep);
	if (!err)
		err = write_file(path, text);
	if (!err && rename(path, ctl->keep) < 0)
		err = -errno;
	free(text);
	if (err)
		log_error(ctl->keep,
			  "not written: %s; after a restart the switch will be as before",
			  strerror(-err));
}

/* What the switch has logged is what its caller is told. */
static int finish(const struct switch_ctl *ctl, int err, char *error)
{
	if (err && log_last()[0] && !error[0])
		snprintf(error, RPC_ERROR_TEXT, "%.*s", RPC_ERROR_TEXT - 1, log_last());
	if (!err)
		switch_ctl_keep(ctl);
	return err;
}

/* ---- bridges ---- */

static int method_bridge_add(void *opaque, const json_t *params, json_t **result, char *error)
{
	struct switch_ctl *ctl = opaque;
	struct nq_bridge_config bridge = {0};
	int err = switch_bridge_decode(params, &bridge, error);

	(void)result;
	log_forget();
	return finish(ctl, err ? err : nq_bridge_add(ctl->sw, &bridge), error);
}

static int method_bridge_set(void *opaque, const json_t *params, json_t **result, char *error)
{
	struct switch_ctl *ctl = opaque;
	const char *name = text_of(params, "name");
	struct nq_bridge_config bridge = {0};
	const struct nq_bridge_config *b = NULL;

	(void)result;
	log_forget();
	while (name && (b = nq_bridge_next(ctl->sw, b)))
		if (!strcmp(b->name, name))
			bridge = *b; /* what is not named stays */
	int err = switch_bridge_decode(params, &bridge, error);
	return finish(ctl, err ? err : nq_bridge_set(ctl->sw, &bridge), error);
}

static int method_bridge_remove(void *opaque, const json_t *params, json_t **result, char *error)
{
	struct switch_ctl *ctl = opaque;
	const char *name = text_of(params, "name");

	(void)result;
	log_forget();
	return finish(ctl, name ? nq_bridge_remove(ctl->sw, name) : -EINVAL, error);
}

/* ---- ports ---- */

static int method_port_add(void *opaque, const json_t *params, json_t **result, char *error)
{
	struct switch_ctl *ctl = opaque;
	struct nq_port_config port;
	int err = switch_port_decode(params, &port, error);

	(void)result;
	log_forget();
	return finish(ctl, err ? err : nq_port_add(ctl->sw, &port), error);
}

static int method_port_remove(void *opaque, const json_t *params, json_t **result, char *error)
{
	struct switch_ctl *ctl = opaque;
	const char *name = text_of(params, "name");

	(void)result;
	log_forget();
	return finish(ctl, name ? nq_port_remove(ctl->sw, name) : -EINVAL, error);
}

static int method_port_set(void *opaque, const json_t *params, json_t **result, char *error)
{
	struct switch_ctl *ctl = opaque;
	const char *name = text_of(params, "name");
	const struct nq_port_config *port = name ? nq_port_find(ctl->sw, name) : NULL;
	struct nq_port_rules rules;

	(void)result;
	log_forget();
	if (!port) {
		snprintf(error, RPC_ERROR_TEXT, "no such port");
		return -ENOENT;
	}
	rules = port->rules;
	int err = rules_decode(json_object_get(params, "rules"), &rules, error);
	return finish(ctl, err ? err : nq_port_set(ctl->sw, name, &rules), error);
}

static json_t *drops_of(const struct nq_stats *stats)
{
	json_t *drops = json_object();

	for (int i = 0; i < NQ_DROPS; i++)
		if (stats->drops[i])
			json_object_set_new(drops, nq_drop_name((enum nq_drop)i),
					    number(stats->drops[i]));
	return drops;
}

static json_t *stats_of(const struct nq_switch *sw, const char *name)
{
	struct nq_stats s;

	if (nq_port_stats(sw, name, &s))
		return NULL;
	uint64_t dropped = 0;
	for (int i = 0; i < NQ_DROPS; i++)
		dropped += s.drops[i];
	return json_pack("{s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "name", name,
			 "rx_packets", number(s.rx_packets), "rx_bytes", number(s.rx_bytes),
			 "tx_packets", number(s.tx_packets), "tx_bytes", number(s.tx_bytes),
			 "floods", number(s.floods), "copies", number(s.copies), "learned",
			 number(s.learned), "moved", number(s.moved), "learn_refused",
			 number(s.learn_refused), "dropped", number(dropped), "drops",
			 drops_of(&s));
}

/* NULL: no bond. */
static json_t *members_of(const struct nq_switch *sw, const char *name)
{
	struct nq_member members[NQ_BOND_MEMBERS];
	int count = nq_bond_members(sw, name, members);
	json_t *list = count >= 0 ? json_array() : NULL;

	for (int i = 0; i < count; i++)
		json_array_append_new(list, json_pack("{s:s,s:b,s:b,s:s}", "name", members[i].name,
						      "up", members[i].up, "in_use",
						      members[i].in_use, "text", members[i].text));
	return list;
}

static json_t *port_of(const struct nq_switch *sw, const struct nq_port_config *port)
{
	json_t *json = switch_port_encode(port);
	struct nq_port_info info;
	const char *mirror = nq_mirror_of(sw, port->name);

	if (nq_port_info(sw, port->name, &info))
		return json;
	json_object_set_new(json, "up", json_boolean(info.up));
	json_object_set_new(json, "queues_on", json_integer(info.queues));
	json_object_set_new(json, "addresses", json_integer(info.macs));
	json_object_set_new(json, "features", number(info.features));
	json_object_set_new(json, "text", json_string(info.text));
	json_object_set_new(json, "vlan",
			    json_incref(json_object_get(json_object_get(json, "rules"), "vlan")));
	json_object_set_new(json, "mirror", mirror ? json_string(mirror) : json_null());
	json_t *members = members_of(sw, port->name);
	if (members)
		json_object_set_new(json, "members", members);
	return json;
}

static json_t *each_port(const struct nq_switch *sw, bool stats)
{
	const struct nq_port_config *p = NULL;
	json_t *list = json_array();

	while ((p = nq_port_next(sw, p)))
		json_array_append_new(list, stats ? stats_of(sw, p->name) : port_of(sw, p));
	return list;
}

static int method_ports(void *opaque, const json_t *params, json_t **result, char *error)
{
	const struct switch_ctl *ctl = opaque;

	(void)params, (void)error;
	*result = each_port(ctl->sw, false);
	return 0;
}

static int method_stats(void *opaque, const json_t *params, json_t **result, char *error)
{
	const struct switch_ctl *ctl = opaque;

	(void)params, (void)error;
	*result = each_port(ctl->sw, true);
	return 0;
}

/* ---- the whole ---- */

static json_t *workers_of(const struct nq_switch *sw)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < nq_workers(sw); i++) {
		struct nq_worker_info w;

		nq_worker_info(sw, i, &w);
		json_array_append_new(list, json_pack("{s:i,s:i,s:i,s:o,s:o,s:o}", "worker", (int)i,
						      "cpu", w.cpu, "queues", (int)w.queues,
						      "polls", number(w.polls), "empty",
						      number(w.empty), "sleeps", number(w.sleeps)));
	}
	return list;
}

static json_t *bridges_of(const struct nq_switch *sw)
{
	const struct nq_bridge_config *b = NULL;
	json_t *list = json_array();

	while ((b = nq_bridge_next(sw, b))) {
		const struct nq_port_config *p = NULL;
		int ports = 0;
		json_int_t macs = 0;

		while ((p = nq_port_next(sw, p))) {
			struct nq_port_info info;

			if (strcmp(p->bridge, b->name) || nq_port_info(sw, p->name, &info))
				continue;
			ports++;
			macs += info.macs;
		}
		json_array_append_new(list,
				      json_pack("{s:s,s:i,s:I,s:i,s:i}", "name", b->name, "ports",
						ports, "addresses", macs, "ageing",
						(int)b->ageing_s, "mac_limit", (int)b->mac_limit));
	}
	return list;
}

static int method_status(void *opaque, const json_t *params, json_t **result, char *error)
{
	const struct switch_ctl *ctl = opaque;
	unsigned count, available;

	(void)params, (void)error;
	nq_buffers(ctl->sw, &count, &available);
	*result = json_pack("{s:i,s:I,s:i,s:i,s:o,s:o,s:o}", "pid", (int)getpid(), "since",
			    (json_int_t)ctl->since, "buffers", (int)count, "buffers_free",
			    (int)available, "workers", workers_of(ctl->sw), "bridges",
			    bridges_of(ctl->sw), "ports", each_port(ctl->sw, false));
	return *result ? 0 : -ENOMEM;
}

static int method_config(void *opaque, const json_t *params, json_t **result, char *error)
{
	const struct switch_ctl *ctl = opaque;

	(void)params, (void)error;
	*result = switch_config_encode(ctl->sw, ctl->start);
	return *result ? 0 : -ENOMEM;
}

static int method_quit(void *opaque, const json_t *params, json_t **result, char *error)
{
	const struct switch_ctl *ctl = opaque;

	(void)params, (void)error, (void)result;
	loop_stop(ctl->loop, 0);
	return 0;
}

/* ---- addresses ---- */

static int method_fdb(void *opaque, const json_t *params, json_t **result, char *error)
{
	const struct switch_ctl *ctl = opaque;
	const char *bridge = text_of(params, "bridge");
	struct nq_mac *macs;
	size_t count;
	char text[PARSE_MAC_TEXT];

	(void)error;
	if (nq_mac_list(ctl->sw, &macs, &count))
		return -ENOMEM;
	*result = json_array();
	for (size_t i = 0; i < count; i++)
		if (!bridge || !strcmp(bridge, macs[i].bridge))
			json_array_append_new(
				*result,
				json_pack("{s:s,s:i,s:s,s:s,s:b,s:i}", "bridge", macs[i].bridge,
					  "vlan", (int)macs[i].vlan, "mac",
					  format_mac(macs[i].mac, text), "port", macs[i].port,
					  "static", macs[i].is_static, "age", (int)macs[i].age_s));
	free(macs);
	return 0;
}

static int method_fdb_add(void *opaque, const json_t *params, json_t **result, char *error)
{
	struct switch_ctl *ctl = opaque;
	const char *port = text_of(params, "port");
	struct nq_mac mac = {0};
	int err = switch_mac_decode(params, &mac, error);

	(void)result;
	log_forget();
	if (!err && (!port || strlen(port) >= NQ_NAME))
		err = -EINVAL;
	if (!err) {
		strcpy(mac.port, port);
		err = nq_mac_add(ctl->sw, &mac);
	}
	return finish(ctl, err, error);
}

static int method_fdb_remove(void *opaque, const json_t *params, json_t **result, char *error)
{
	struct switch_ctl *ctl = opaque;
	struct nq_mac mac = {0};
	int err = switch_mac_decode(params, &mac, error);

	(void)result;
	log_forget();
	return finish(ctl, err ? err : nq_mac_remove(ctl->sw, mac.bridge, mac.vlan, mac.mac),
		      error);
}

static int method_fdb_flush(void *opaque, const json_t *params, json_t **result, char *error)
{
	struct switch_ctl *ctl = opaque;
	const char *port = text_of(params, "port"), *bridge = text_of(params, "bridge");

	(void)result;
	log_forget();
	if (!port == !bridge) {
		snprintf(error, RPC_ERROR_TEXT, "either a port or a bridge is wanted");
		return -EINVAL;
	}
	return finish(
		ctl, port ? nq_mac_flush_port(ctl->sw, port) : nq_mac_flush_bridge(ctl->sw, bridge),
		error);
}

/* ---- looking ---- */

static int method_mirror(void *opaque, const json_t *params, json_t **result, char *error)
{
	struct switch_ctl *ctl = opaque;
	const char *from = text_of(params, "from");

	(void)result;
	log_forget();
	return finish(ctl, from ? nq_mirror_set(ctl->sw, from, text_of(params, "to")) : -EINVAL,
		      error);
}

static uint64_t number_of(const json_t *params, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(params, key));

	return n > 0 ? (uint64_t)n : 0;
}

static int method_capture_start(void *opaque, const json_t *params, json_t **result, char *error)
{
	struct switch_ctl *ctl = opaque;
	struct nq_capture_options options = {
		.port = text_of(params, "port"),
		.fd = rpc_server_take_fd(ctl->server),
		.snap = (unsigned)MIN(number_of(params, "snap"), (uint64_t)UINT32_MAX),
		.max_packets = number_of(params, "packets"),
		.max_bytes = number_of(params, "bytes"),
	};

	(void)result;
	log_forget();
	if (options.fd < 0 || !options.port) {
		io_close(&options.fd);
		snprintf(error, RPC_ERROR_TEXT, "a port, and a descriptor of a file are wanted");
		return -EINVAL;
	}
	return finish(ctl, nq_capture_start(ctl->sw, &options), error);
}

static int capture_result(const struct nq_capture_info *info, int err, json_t **result, char *error)
{
	if (err) {
		snprintf(error, RPC_ERROR_TEXT, "%s",
			 err == -ENOENT ? "nothing is captured" : strerror(-err));
		return err;
	}
	*result = json_pack("{s:o,s:o,s:o,s:b}", "packets", number(info->packets), "bytes",
			    number(info->bytes), "missed", number(info->missed), "running",
			    info->running);
	return *result ? 0 : -ENOMEM;
}

static int method_capture(void *opaque, const json_t *params, json_t **result, char *error)
{
	const struct switch_ctl *ctl = opaque;
	struct nq_capture_info info = {0};

	(void)params;
	return capture_result(&info, nq_capture_info(ctl->sw, &info), result, error);
}

static int method_capture_stop(void *opaque, const json_t *params, json_t **result, char *error)
{
	struct switch_ctl *ctl = opaque;
	struct nq_capture_info info = {0};

	(void)params;
	return capture_result(&info, nq_capture_stop(ctl->sw, &info), result, error);
}

static int method_metrics(void *opaque, const json_t *params, json_t **result, char *error)
{
	const struct switch_ctl *ctl = opaque;
	char *text = switch_ctl_metrics(ctl->sw);

	(void)params, (void)error;
	*result = text ? json_string(text) : NULL;
	free(text);
	return *result ? 0 : -ENOMEM;
}

const struct rpc_method switch_ctl_methods[] = {
	{"status", method_status, ""},
	{"config", method_config, ""},
	{"quit", method_quit, ""},
	{"bridge-add", method_bridge_add, "name ageing? mac_limit?"},
	{"bridge-set", method_bridge_set, "name ageing? mac_limit?"},
	{"bridge-remove", method_bridge_remove, "name"},
	{"port-add", method_port_add, "name kind bridge? where? server? queues? mtu? size? rules?"},
	{"port-set", method_port_set, "name rules"},
	{"port-remove", method_port_remove, "name"},
	{"ports", method_ports, ""},
	{"stats", method_stats, ""},
	{"metrics", method_metrics, ""},
	{"fdb", method_fdb, "bridge?"},
	{"fdb-add", method_fdb_add, "bridge port mac vlan?"},
	{"fdb-remove", method_fdb_remove, "bridge mac vlan?"},
	{"fdb-flush", method_fdb_flush, "bridge? port?"},
	{"mirror", method_mirror, "from to?"},
	{"capture-start", method_capture_start, "port snap? packets? bytes?"},
	{"capture", method_capture, ""},
	{"capture-stop", method_capture_stop, ""},
	{0},
};
