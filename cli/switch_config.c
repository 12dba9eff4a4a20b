/* SPDX-License-Identifier: BSD-3-Clause */
/* switch_config: see switch_config.h. */
#include "cli/switch_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/util.h"
#include "cli/switch_rules.h"

static int bad(char error[RPC_ERROR_TEXT], const char *what)
{
	snprintf(error, RPC_ERROR_TEXT, "%s", what);
	return -EINVAL;
}

/* ---- decoding ---- */

/* A name that may be missing only when `optional`; too long ones do not become others. */
static int get_name(const json_t *json, const char *key, char name[NQ_NAME],
		    char error[RPC_ERROR_TEXT])
{
	const char *text = json_string_value(json_object_get(json, key));

	if (text && strlen(text) < NQ_NAME) {
		strcpy(name, text);
		return 0;
	}
	snprintf(error, RPC_ERROR_TEXT, "%s: a name of at most %d characters is wanted", key,
		 NQ_NAME - 1);
	return -EINVAL;
}

static int get_number(const json_t *json, const char *key, unsigned max, unsigned *out,
		      char error[RPC_ERROR_TEXT])
{
	const json_t *value = json_object_get(json, key);
	json_int_t n = json_integer_value(value);

	if (!value)
		return 0;
	if (!json_is_integer(value) || n < 0 || n > max) {
		snprintf(error, RPC_ERROR_TEXT, "%s: a number from 0 to %u is wanted", key, max);
		return -EINVAL;
	}
	*out = (unsigned)n;
	return 0;
}

static int get_cpus(const json_t *list, struct nq_options *options, char error[RPC_ERROR_TEXT])
{
	size_t count = json_array_size(list);

	if (!json_is_array(list) || !count || count > NQ_WORKERS)
		return bad(error, "cpus: a list of 1 to 16 CPUs is wanted, one for each worker");
	for (size_t i = 0; i < count; i++) {
		const json_t *cpu = json_array_get(list, i);
		json_int_t n = json_integer_value(cpu);

		if (!json_is_integer(cpu) || n < -1 || n > 1023)
			return bad(error, "cpus: numbers of CPUs are wanted, or -1 for any");
		options->cpus[i] = (int)n;
	}
	options->workers = (unsigned)count;
	return 0;
}

int switch_start_decode(const json_t *start, struct nq_eal_options *eal, struct nq_options *options,
			char error[RPC_ERROR_TEXT])
{
	const json_t *cpus = json_object_get(start, "cpus");
	int err = start && !json_is_object(start) ? bad(error, "start: an object is wanted") : 0;

	*eal = (struct nq_eal_options){.memory_mb = 256};
	*options = (struct nq_options){.workers = 1, .cpus = {-1}, .sleep_max_us = 200};
	if (!err)
		err = get_number(start, "memory", 1u << 20, &eal->memory_mb, error);
	if (!err)
		err = get_number(start, "buffers", 1u << 24, &options->buffers, error);
	if (!err)
		err = get_number(start, "macs", 1u << 20, &options->macs, error);
	if (!err)
		err = get_number(start, "sleep_us", 10000, &options->sleep_max_us, error);
	eal->hugepages = json_is_true(json_object_get(start, "hugepages"));
	eal->pci = json_is_true(json_object_get(start, "pci"));
	return err || !cpus ? err : get_cpus(cpus, options, error);
}

int switch_bridge_decode(const json_t *json, struct nq_bridge_config *bridge,
			 char error[RPC_ERROR_TEXT])
{
	int err = get_name(json, "name", bridge->name, error);

	if (!err)
		err = get_number(json, "ageing", 86400, &bridge->ageing_s, error);
	return err ? err : get_number(json, "mac_limit", 1u << 20, &bridge->mac_limit, error);
}

int switch_port_decode(const json_t *json, struct nq_port_config *port, char error[RPC_ERROR_TEXT])
{
	char wrong[RULES_ERROR];

	memset(port, 0, sizeof(*port));
	nq_port_rules_init(&port->rules);
	port->kind = json_string_value(json_object_get(json, "kind"));
	port->where = json_string_value(json_object_get(json, "where"));
	port->server = json_is_true(json_object_get(json, "server"));
	int err = get_name(json, "name", port->name, error);
	if (!err && json_object_get(json, "bridge"))
		err = get_name(json, "bridge", port->bridge, error);
	if (!err && !port->kind)
		err = bad(
			error,
			"kind: vhost, tap, af_packet, af_xdp, memif, pci, bond, vtep, vxlan, pcap or null is wanted");
	if (!err)
		err = get_number(json, "queues", NQ_QUEUES, &port->queues, error);
	if (!err)
		err = get_number(json, "mtu", 9600, &port->mtu, error);
	if (!err)
		err = get_number(json, "size", 1518, &port->size, error);
	if (!err && rules_decode(json_object_get(json, "rules"), &port->rules, wrong))
		err = bad(error, wrong);
	return err;
}

int switch_mac_decode(const json_t *json, struct nq_mac *mac, char error[RPC_ERROR_TEXT])
{
	const char *text = json_string_value(json_object_get(json, "mac"));
	unsigned vlan = 0;
	int err = get_name(json, "bridge", mac->bridge, error);

	if (!err && (!text || parse_mac(text, mac->mac)))
		err = bad(error, "mac: a station's address such as 02:00:00:00:00:01 is wanted");
	if (!err)
		err = get_number(json, "vlan", 4094, &vlan, error);
	mac->vlan = (uint16_t)vlan;
	return err;
}

/* ---- a whole one ---- */

static int add_bridge(struct nq_switch *sw, const json_t *json, char *error)
{
	struct nq_bridge_config bridge = {0};
	int err = switch_bridge_decode(json, &bridge, error);

	return err ? err : nq_bridge_add(sw, &bridge);
}

static int add_port(struct nq_switch *sw, const json_t *json, char *error)
{
	struct nq_port_config port;
	int err = switch_port_decode(json, &port, error);

	return err ? err : nq_port_add(sw, &port);
}

static int add_mac(struct nq_switch *sw, const json_t *json, char *error)
{
	struct nq_mac mac = {0};
	int err = switch_mac_decode(json, &mac, error);

	if (!err)
		err = get_name(json, "port", mac.port, error);
	return err ? err : nq_mac_add(sw, &mac);
}

static int add_mirror(struct nq_switch *sw, const json_t *json, char *error)
{
	char from[NQ_NAME], to[NQ_NAME];
	int err = get_name(json, "from", from, error);

	if (!err)
		err = get_name(json, "to", to, error);
	return err ? err : nq_mirror_set(sw, from, to);
}

unsigned switch_config_apply(struct nq_switch *sw, const json_t *config)
{
	static const struct {
		const char *key;
		int (*add)(struct nq_switch *sw, const json_t *json, char *error);
	} parts[] = {{"bridges", add_bridge},
		     {"ports", add_port},
		     {"addresses", add_mac},
		     {"mirrors", add_mirror}};
	unsigned failed = 0;

	for (size_t p = 0; p < ARRAY_SIZE(parts); p++) {
		const json_t *list = json_object_get(config, parts[p].key);

		for (size_t i = 0; i < json_array_size(list); i++) {
			char error[RPC_ERROR_TEXT] = "";

			if (!parts[p].add(sw, json_array_get(list, i), error))
				continue;
			if (error[0]) /* else it was logged where it was born */
				log_error("sluice-switch", "%s, number %zu: %s", parts[p].key,
					  i + 1, error);
			failed++;
		}
	}
	return failed;
}

json_t *switch_port_encode(const struct nq_port_config *port)
{
	json_t *json = json_pack("{s:s,s:s,s:s,s:b,s:i,s:i,s:i,s:o}", "name", port->name, "bridge",
				 port->bridge, "kind", port->kind, "server", port->server, "queues",
				 (int)port->queues, "mtu", (int)port->mtu, "size", (int)port->size,
				 "rules", rules_encode(&port->rules));

	if (port->where)
		json_object_set_new(json, "where", json_string(port->where));
	return json;
}

static json_t *encode_macs(const struct nq_switch *sw)
{
	json_t *list = json_array();
	struct nq_mac *macs = NULL;
	size_t count = 0;
	char text[PARSE_MAC_TEXT];

	if (nq_mac_list(sw, &macs, &count))
		return list;
	for (size_t i = 0; i < count; i++)
		if (macs[i].is_static)
			json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:i}", "bridge",
							      macs[i].bridge, "port", macs[i].port,
							      "mac", format_mac(macs[i].mac, text),
							      "vlan", (int)macs[i].vlan));
	free(macs);
	return list;
}

static bool is_upper(const char *kind)
{
	const struct nq_port_kind *k = nq_port_kinds;

	while (strcmp(k->name, kind))
		k++;
	return k->upper;
}

json_t *switch_config_encode(const struct nq_switch *sw, const json_t *start)
{
	json_t *bridges = json_array(), *ports = json_array(), *mirrors = json_array();
	const struct nq_bridge_config *b = NULL;
	const struct nq_port_config *p = NULL;

	while ((b = nq_bridge_next(sw, b)))
		json_array_append_new(bridges,
				      json_pack("{s:s,s:i,s:i}", "name", b->name, "ageing",
						(int)b->ageing_s, "mac_limit", (int)b->mac_limit));
	/* Ports that stand on others behind all that do not. */
	for (int upper = 0; upper <= 1; upper++)
		while ((p = nq_port_next(sw, p)))
			if (is_upper(p->kind) == upper)
				json_array_append_new(ports, switch_port_encode(p));
	while ((p = nq_port_next(sw, p))) {
		if (nq_mirror_of(sw, p->name))
			json_array_append_new(mirrors, json_pack("{s:s,s:s}", "from", p->name, "to",
								 nq_mirror_of(sw, p->name)));
	}
	return json_pack("{s:O,s:o,s:o,s:o,s:o}", "start", start, "bridges", bridges, "ports",
			 ports, "addresses", encode_macs(sw), "mirrors", mirrors);
}
