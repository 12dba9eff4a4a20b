/* SPDX-License-Identifier: BSD-3-Clause */
/* switch_rules: see switch_rules.h. */
#include "cli/switch_rules.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/util.h"

#define VLAN_LAST 4094

/* ---- VLANs ---- */

static void allow(struct nq_vlan_rules *vlan, unsigned first, unsigned last)
{
	for (unsigned v = first; v <= last; v++)
		vlan->allowed[v / 64] |= UINT64_C(1) << (v % 64);
}

static bool is_allowed(const struct nq_vlan_rules *vlan, unsigned v)
{
	return vlan->allowed[v / 64] >> (v % 64) & 1;
}

static int parse_range(char *item, struct nq_vlan_rules *vlan)
{
	char *dash = strchr(item, '-');
	uint32_t first, last;

	if (dash)
		*dash = '\0';
	if (parse_u32(item, 1, VLAN_LAST, &first) ||
	    parse_u32(dash ? dash + 1 : item, first, VLAN_LAST, &last))
		return -EINVAL;
	allow(vlan, first, last);
	return 0;
}

static int parse_native(const char *text, struct nq_vlan_rules *vlan, bool tagged)
{
	uint32_t v;

	if (vlan->vlan || parse_u32(text, 1, VLAN_LAST, &v))
		return -EINVAL;
	vlan->vlan = (uint16_t)v;
	vlan->native_tagged = tagged;
	allow(vlan, v, v);
	return 0;
}

static int parse_trunk(const char *text, struct nq_vlan_rules *vlan)
{
	char copy[1024], *rest = copy, *item;
	int err = 0;

	if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
		return -EINVAL;
	while (!err && (item = strsep(&rest, ","))) {
		if (!strcmp(item, "all"))
			allow(vlan, 1, VLAN_LAST);
		else if (!strncmp(item, "native=", 7))
			err = parse_native(item + 7, vlan, false);
		else if (!strncmp(item, "native-tagged=", 14))
			err = parse_native(item + 14, vlan, true);
		else
			err = parse_range(item, vlan);
	}
	return err;
}

int rules_vlan_parse(const char *text, struct nq_vlan_rules *out)
{
	struct nq_vlan_rules vlan = {.mode = NQ_VLAN_TRUNK};
	bool tunnel = !strncmp(text, "tunnel:", 7);
	uint32_t v;

	if (!strcmp(text, "all")) {
		memset(vlan.allowed, 0xff, sizeof(vlan.allowed));
	} else if (!strncmp(text, "trunk:", 6)) {
		if (parse_trunk(text + 6, &vlan))
			return -EINVAL;
	} else {
		if (parse_u32(tunnel ? text + 7 : text, 1, VLAN_LAST, &v))
			return -EINVAL;
		vlan.mode = tunnel ? NQ_VLAN_TUNNEL : NQ_VLAN_ACCESS;
		vlan.vlan = (uint16_t)v;
	}
	*out = vlan;
	return 0;
}

struct writer {
	char *text;
	size_t used;
};

static void put(struct writer *w, const char *prefix, unsigned v)
{
	int n = snprintf(w->text + w->used, RULES_VLAN_TEXT - w->used, "%s%u", prefix, v);

	w->used = MIN(w->used + (size_t)MAX(n, 0), (size_t)RULES_VLAN_TEXT - 1);
}

static void format_trunk(const struct nq_vlan_rules *vlan, struct writer *w)
{
	const char *separator = "trunk:";

	for (unsigned v = 1, last; v <= VLAN_LAST; v = last + 1) {
		last = v;
		if (!is_allowed(vlan, v))
			continue;
		while (last < VLAN_LAST && is_allowed(vlan, last + 1))
			last++;
		put(w, separator, v);
		if (last > v)
			put(w, "-", last);
		separator = ",";
	}
	if (vlan->vlan)
		put(w, vlan->native_tagged ? ",native-tagged=" : ",native=", vlan->vlan);
	if (w->used == RULES_VLAN_TEXT - 1)
		strcpy(w->text + RULES_VLAN_TEXT - 4, "...");
}

char *rules_vlan_format(const struct nq_vlan_rules *vlan, char text[RULES_VLAN_TEXT])
{
	struct writer w = {.text = text};

	text[0] = '\0';
	if (vlan->mode == NQ_VLAN_ACCESS)
		put(&w, "", vlan->vlan);
	else if (vlan->mode == NQ_VLAN_TUNNEL)
		put(&w, "tunnel:", vlan->vlan);
	else if (is_allowed(vlan, 0) && !vlan->vlan)
		strcpy(text, "all");
	else
		format_trunk(vlan, &w);
	return text;
}

/* ---- from JSON ---- */

struct reader {
	struct nq_port_rules *rules;
	char *error;
};

static int bad(struct reader *r, const char *key, const char *wanted)
{
	snprintf(r->error, RULES_ERROR, "%.32s: %s is wanted", key, wanted);
	return -EINVAL;
}

static int read_number(struct reader *r, const char *key, const json_t *value, uint64_t max,
		       uint64_t *out)
{
	json_int_t n = json_integer_value(value);

	if (!json_is_integer(value) || n < 0 || (uint64_t)n > max)
		return bad(r, key, "a number, 0 for no limit,");
	*out = (uint64_t)n;
	return 0;
}

static int read_u32(struct reader *r, const char *key, const json_t *value, uint32_t *out)
{
	uint64_t n = 0;
	int err = read_number(r, key, value, UINT32_MAX, &n);

	if (!err)
		*out = (uint32_t)n;
	return err;
}

static int read_flag(struct reader *r, const char *key, const json_t *value, bool negate, bool *out)
{
	if (!json_is_boolean(value))
		return bad(r, key, "true or false");
	*out = json_is_true(value) != negate;
	return 0;
}

static int read_list_name(struct reader *r, const char *key, const json_t *value,
			  char name[NQ_NAME])
{
	const char *text = json_string_value(value);

	if (!text || strlen(text) >= NQ_NAME)
		return bad(r, key, "the name of an access list, or \"\" for none,");
	strcpy(name, text);
	return 0;
}

static int read_vlan(struct reader *r, const char *key, const json_t *value)
{
	const char *text = json_string_value(value);

	return text && !rules_vlan_parse(text, &r->rules->vlan)
		       ? 0
		       : bad(r, key, "all, a VLAN, trunk:LIST or tunnel:VLAN, of 1 to 4094,");
}

static int read_storm(struct reader *r, const char *key, const json_t *value)
{
	struct nq_storm_rules *storm = &r->rules->storm;
	const char *kind;
	json_t *limit;
	int err = json_is_object(value) ? 0 : bad(r, key, "an object");

	json_object_foreach ((json_t *)(uintptr_t)value, kind, limit) {
		uint32_t *out = !strcmp(kind, "broadcast")   ? &storm->broadcast
				: !strcmp(kind, "multicast") ? &storm->multicast
				: !strcmp(kind, "unknown")   ? &storm->unknown
							     : NULL;
		if (!err)
			err = out ? read_u32(r, kind, limit, out)
				  : bad(r, key, "broadcast, multicast or unknown");
	}
	return err;
}

static int read_macs(struct reader *r, const char *key, const json_t *value)
{
	struct nq_security_rules *s = &r->rules->security;
	size_t count = json_array_size(value);

	if (!json_is_array(value) || count > NQ_SECURITY_ADDRESSES)
		return bad(r, key, "a list of at most 8 MAC addresses");
	for (size_t i = 0; i < count; i++) {
		const char *text = json_string_value(json_array_get(value, i));

		if (!text || parse_mac(text, s->macs[i]))
			return bad(r, key, "a MAC address such as 02:00:00:00:00:01");
	}
	s->mac_count = (unsigned)count;
	return 0;
}

static int read_ips(struct reader *r, const char *key, const json_t *value)
{
	struct nq_security_rules *s = &r->rules->security;
	size_t count = json_array_size(value);
	struct in_addr ip4;

	s->ip4_count = s->ip6_count = 0;
	if (!json_is_array(value) || count > NQ_SECURITY_ADDRESSES)
		return bad(r, key, "a list of at most 8 IP addresses");
	for (size_t i = 0; i < count; i++) {
		const char *text = json_string_value(json_array_get(value, i));

		if (text && inet_pton(AF_INET, text, &ip4) == 1)
			s->ip4[s->ip4_count++] = ntohl(ip4.s_addr);
		else if (text && inet_pton(AF_INET6, text, s->ip6[s->ip6_count]) == 1)
			s->ip6_count++;
		else
			return bad(r, key, "an IPv4 or IPv6 address");
	}
	return 0;
}

static int read_one(struct reader *r, const char *key, const json_t *value)
{
	struct nq_port_rules *rules = r->rules;

	if (!strcmp(key, "vlan"))
		return read_vlan(r, key, value);
	if (!strcmp(key, "mac_limit"))
		return read_u32(r, key, value, &rules->mac_limit);
	if (!strcmp(key, "isolated"))
		return read_flag(r, key, value, false, &rules->isolated);
	if (!strcmp(key, "learn"))
		return read_flag(r, key, value, true, &rules->no_learn);
	if (!strcmp(key, "unknown"))
		return read_flag(r, key, value, true, &rules->no_unknown);
	if (!strcmp(key, "storm"))
		return read_storm(r, key, value);
	if (!strcmp(key, "rate"))
		return read_number(r, key, value, UINT64_C(1) << 40, &rules->rate_bytes);
	if (!strcmp(key, "burst"))
		return read_number(r, key, value, UINT64_C(1) << 32, &rules->rate_burst);
	if (!strcmp(key, "shape"))
		return read_number(r, key, value, UINT64_C(1) << 40, &rules->shape_bytes);
	if (!strcmp(key, "shape_burst"))
		return read_number(r, key, value, UINT64_C(1) << 32, &rules->shape_burst);
	if (!strcmp(key, "acl_in"))
		return read_list_name(r, key, value, rules->acl_in);
	if (!strcmp(key, "acl_out"))
		return read_list_name(r, key, value, rules->acl_out);
	if (!strcmp(key, "macs"))
		return read_macs(r, key, value);
	if (!strcmp(key, "ips"))
		return read_ips(r, key, value);
	return bad(r, key,
		   "no such rule; vlan, mac_limit, isolated, learn, unknown, storm, rate, "
		   "burst, shape, shape_burst, acl_in, acl_out, macs or ips");
}

int rules_decode(const json_t *json, struct nq_port_rules *rules, char error[RULES_ERROR])
{
	struct reader r = {rules, error};
	const char *key;
	json_t *value;
	int err = !json || json_is_object(json) ? 0 : bad(&r, "rules", "an object");

	json_object_foreach ((json_t *)(uintptr_t)json, key, value) {
		if (!err)
			err = read_one(&r, key, value);
	}
	return err;
}

/* ---- to JSON ---- */

static json_t *encode_macs(const struct nq_security_rules *s)
{
	json_t *list = json_array();
	char text[PARSE_MAC_TEXT];

	for (unsigned i = 0; i < s->mac_count; i++)
		json_array_append_new(list, json_string(format_mac(s->macs[i], text)));
	return list;
}

static json_t *encode_ips(const struct nq_security_rules *s)
{
	json_t *list = json_array();
	char text[INET6_ADDRSTRLEN];

	for (unsigned i = 0; i < s->ip4_count; i++) {
		struct in_addr ip = {htonl(s->ip4[i])};

		inet_ntop(AF_INET, &ip, text, sizeof(text));
		json_array_append_new(list, json_string(text));
	}
	for (unsigned i = 0; i < s->ip6_count; i++) {
		inet_ntop(AF_INET6, s->ip6[i], text, sizeof(text));
		json_array_append_new(list, json_string(text));
	}
	return list;
}

json_t *rules_encode(const struct nq_port_rules *rules)
{
	const struct nq_storm_rules *storm = &rules->storm;
	char vlan[RULES_VLAN_TEXT];

	return json_pack(
		"{s:s,s:I,s:b,s:b,s:b,s:{s:I,s:I,s:I},s:I,s:I,s:I,s:I,s:s,s:s,s:o,s:o}", "vlan",
		rules_vlan_format(&rules->vlan, vlan), "mac_limit", (json_int_t)rules->mac_limit,
		"isolated", rules->isolated, "learn", !rules->no_learn, "unknown",
		!rules->no_unknown, "storm", "broadcast", (json_int_t)storm->broadcast, "multicast",
		(json_int_t)storm->multicast, "unknown", (json_int_t)storm->unknown, "rate",
		(json_int_t)rules->rate_bytes, "burst", (json_int_t)rules->rate_burst, "shape",
		(json_int_t)rules->shape_bytes, "shape_burst", (json_int_t)rules->shape_burst,
		"acl_in", rules->acl_in, "acl_out", rules->acl_out, "macs",
		encode_macs(&rules->security), "ips", encode_ips(&rules->security));
}
