/* SPDX-License-Identifier: BSD-3-Clause */
/* switch_acl: see switch_acl.h. */
#include "cli/switch_acl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "base/util.h"

#define TEXT 96

struct reader {
	struct nq_acl_rule *rule;
	char *error;
	size_t index;
};

static int bad(const struct reader *r, const char *key, const char *wanted)
{
	snprintf(r->error, RPC_ERROR_TEXT, "rule %zu%s%s: %s: %s is wanted", r->index + 1,
		 r->rule->name[0] ? ", " : "", r->rule->name, key, wanted);
	return -EINVAL;
}

/* Splits "VALUE/MASK"; what is behind '/' is NULL when there is none. */
static int split(const json_t *value, char copy[TEXT], char **mask)
{
	const char *text = json_string_value(value);

	if (!text || strlen(text) >= TEXT)
		return -EINVAL;
	strcpy(copy, text);
	*mask = strchr(copy, '/');
	if (*mask)
		*(*mask)++ = '\0';
	return 0;
}

/* ---- words ---- */

static int read_name(struct reader *r, const json_t *value)
{
	const char *text = json_string_value(value);

	if (!text || strlen(text) >= NQ_NAME)
		return bad(r, "name", "a text of at most 31 characters");
	strcpy(r->rule->name, text);
	return 0;
}

static int read_action(struct reader *r, const json_t *value)
{
	const char *text = json_string_value(value);

	if (!text || (strcmp(text, "allow") && strcmp(text, "deny")))
		return bad(r, "action", "allow or deny");
	r->rule->deny = !strcmp(text, "deny");
	return 0;
}

static const struct {
	const char *name;
	uint8_t number;
} protocols[] = {{"icmp", 1}, {"igmp", 2},    {"tcp", 6},    {"udp", 17},  {"gre", 47},
		 {"esp", 50}, {"icmpv6", 58}, {"vrrp", 112}, {"sctp", 132}};

static int read_protocol(struct reader *r, const json_t *value)
{
	const char *text = json_string_value(value);
	json_int_t n = json_integer_value(value);

	r->rule->has_protocol = true;
	for (size_t i = 0; text && i < ARRAY_SIZE(protocols); i++)
		if (!strcmp(protocols[i].name, text)) {
			r->rule->protocol = protocols[i].number;
			return 0;
		}
	if (!json_is_integer(value) || n < 0 || n > 255)
		return bad(r, "protocol",
			   "tcp, udp, sctp, icmp, icmpv6, igmp, gre, esp, vrrp or 0 to 255");
	r->rule->protocol = (uint8_t)n;
	return 0;
}

static int read_type(struct reader *r, const json_t *value)
{
	const char *text = json_string_value(value);
	uint32_t type;

	if (!text || parse_u32(text, 0x600, UINT16_MAX, &type))
		return bad(r, "type", "an EtherType such as \"0x0806\"");
	r->rule->type = (uint16_t)type;
	return 0;
}

static int read_vlan(struct reader *r, const json_t *value)
{
	json_int_t n = json_integer_value(value);

	if (!json_is_integer(value) || n < 0 || n > 4094)
		return bad(r, "vlan", "a VLAN from 0 to 4094");
	r->rule->vlan = (uint16_t)n;
	r->rule->has_vlan = true;
	return 0;
}

/* ---- addresses and ports ---- */

static int set_family(struct reader *r, const char *key, uint8_t family)
{
	if (r->rule->family && r->rule->family != family)
		return bad(r, key, "an address of the same IP version as the others");
	r->rule->family = family;
	return 0;
}

static int read_ip(struct reader *r, const json_t *value)
{
	json_int_t n = json_integer_value(value);

	return n == 4 || n == 6 ? set_family(r, "ip", (uint8_t)n) : bad(r, "ip", "4 or 6");
}

static int read_address(struct reader *r, const char *key, const json_t *value, uint8_t address[16],
			uint8_t *bits)
{
	static const char wanted[] = "an address such as 10.0.0.0/8 or fd00::/64, without bits "
				     "behind the prefix,";
	char copy[TEXT], *mask;
	uint32_t n;

	if (split(value, copy, &mask))
		return bad(r, key, wanted);
	uint8_t family = strchr(copy, ':') ? 6 : 4;
	uint32_t most = family == 4 ? 32 : 128;
	if (inet_pton(family == 4 ? AF_INET : AF_INET6, copy, address) != 1 ||
	    (mask && parse_u32(mask, 0, most, &n)))
		return bad(r, key, wanted);
	*bits = (uint8_t)(mask ? n : most);
	for (uint32_t i = *bits; i < most; i++)
		if (address[i / 8] >> (7 - i % 8) & 1)
			return bad(r, key, wanted);
	return set_family(r, key, family);
}

static int read_ports(struct reader *r, const char *key, const json_t *value, uint16_t range[2])
{
	const char *text = json_string_value(value);
	json_int_t n = json_integer_value(value);
	uint32_t first, last;
	char copy[TEXT];

	if (json_is_integer(value) && n >= 0 && n <= UINT16_MAX) {
		range[0] = range[1] = (uint16_t)n;
		return 0;
	}
	if (text && strlen(text) < TEXT) {
		strcpy(copy, text);
		char *dash = strchr(copy, '-');
		if (dash)
			*dash++ = '\0';
		if (!parse_u32(copy, 0, UINT16_MAX, &first) &&
		    !parse_u32(dash ? dash : copy, first, UINT16_MAX, &last)) {
			range[0] = (uint16_t)first;
			range[1] = (uint16_t)last;
			return 0;
		}
	}
	return bad(r, key, "a port, or a range such as \"1024-65535\",");
}

static int parse_six(const char *text, uint8_t out[6])
{
	unsigned part[6];
	char end;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &part[0], &part[1], &part[2], &part[3],
		   &part[4], &part[5], &end) != 6)
		return -EINVAL;
	for (int i = 0; i < 6; i++)
		out[i] = (uint8_t)part[i];
	return 0;
}

static int read_mac(struct reader *r, const char *key, const json_t *value, uint8_t mac[6],
		    uint8_t mask[6])
{
	char copy[TEXT], *rest;

	memset(mask, 0xff, 6);
	if (split(value, copy, &rest) || parse_six(copy, mac) || (rest && parse_six(rest, mask)))
		return bad(r, key, "an address such as 02:00:00:00:00:01, or with /MASK,");
	return 0;
}

static int read_flags(struct reader *r, const json_t *value)
{
	char copy[TEXT], *mask;
	uint32_t flags, bits;

	if (split(value, copy, &mask) || !mask || parse_u32(copy, 0, 255, &flags) ||
	    parse_u32(mask, 1, 255, &bits))
		return bad(r, "tcp_flags", "VALUE/MASK such as \"2/18\"");
	r->rule->tcp_flags = (uint8_t)flags;
	r->rule->tcp_mask = (uint8_t)bits;
	return 0;
}

/* ---- one rule, and all ---- */

static int read_one(struct reader *r, const char *key, const json_t *value)
{
	struct nq_acl_rule *rule = r->rule;

	if (!strcmp(key, "name"))
		return 0; /* has been read: errors tell it */
	if (!strcmp(key, "action"))
		return read_action(r, value);
	if (!strcmp(key, "protocol"))
		return read_protocol(r, value);
	if (!strcmp(key, "type"))
		return read_type(r, value);
	if (!strcmp(key, "vlan"))
		return read_vlan(r, value);
	if (!strcmp(key, "ip"))
		return read_ip(r, value);
	if (!strcmp(key, "from"))
		return read_address(r, key, value, rule->from, &rule->from_bits);
	if (!strcmp(key, "to"))
		return read_address(r, key, value, rule->to, &rule->to_bits);
	if (!strcmp(key, "from_port"))
		return read_ports(r, key, value, rule->from_port);
	if (!strcmp(key, "to_port"))
		return read_ports(r, key, value, rule->to_port);
	if (!strcmp(key, "from_mac"))
		return read_mac(r, key, value, rule->from_mac, rule->from_mac_mask);
	if (!strcmp(key, "to_mac"))
		return read_mac(r, key, value, rule->to_mac, rule->to_mac_mask);
	if (!strcmp(key, "tcp_flags"))
		return read_flags(r, value);
	return bad(r, key,
		   "no such field; name, action, ip, from, to, protocol, from_port, to_port, "
		   "tcp_flags, type, vlan, from_mac or to_mac");
}

static int read_rule(const json_t *json, size_t index, struct nq_acl_rule *rule, char *error)
{
	struct reader r = {.rule = rule, .error = error, .index = index};
	const char *key;
	json_t *value, *name = json_object_get(json, "name");

	nq_acl_rule_init(rule);
	if (!json_is_object(json))
		return bad(&r, "rule", "an object");
	int err = name ? read_name(&r, name) : 0;
	if (!err && !json_object_get(json, "action"))
		err = bad(&r, "action", "allow or deny");
	json_object_foreach ((json_t *)(uintptr_t)json, key, value) {
		if (!err)
			err = read_one(&r, key, value);
	}
	return err;
}

static int read_rest(const json_t *json, bool *deny, char *error)
{
	const json_t *rest = json_object_get(json, "rest");
	const char *text = json_string_value(rest);

	*deny = text && !strcmp(text, "deny");
	if (!rest || *deny || (text && !strcmp(text, "allow")))
		return 0;
	snprintf(error, RPC_ERROR_TEXT, "rest: allow or deny is wanted");
	return -EINVAL;
}

static int check_keys(const json_t *json, char *error)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)json, key, value)
		if (strcmp(key, "name") && strcmp(key, "rest") && strcmp(key, "rules")) {
			snprintf(error, RPC_ERROR_TEXT, "%.64s: rest or rules is wanted", key);
			return -EINVAL;
		}
	return 0;
}

int switch_acl_decode(const char *name, const json_t *json, struct nq_acl *out,
		      char error[RPC_ERROR_TEXT])
{
	const json_t *list = json_object_get(json, "rules");
	size_t count = json_array_size(list);

	memset(out, 0, sizeof(*out));
	if (!name || strlen(name) >= NQ_NAME || !json_is_array(list) || count > NQ_ACL_RULES) {
		snprintf(error, RPC_ERROR_TEXT, "a name, and a list of at most %d rules are wanted",
			 NQ_ACL_RULES);
		return -EINVAL;
	}
	strcpy(out->name, name);
	out->count = (unsigned)count;
	int err = check_keys(json, error);
	if (!err)
		err = read_rest(json, &out->deny_rest, error);
	struct nq_acl_rule *rules = err ? NULL : calloc(count + 1, sizeof(*rules));
	if (!err && !rules)
		err = -ENOMEM;
	for (size_t i = 0; i < count && !err; i++)
		err = read_rule(json_array_get(list, i), i, &rules[i], error);
	if (err)
		free(rules);
	out->rules = err ? NULL : rules;
	return err;
}

/* ---- to JSON ---- */

static void put_address(json_t *json, const char *key, uint8_t family, const uint8_t address[16],
			unsigned bits)
{
	char text[INET6_ADDRSTRLEN];

	if (bits)
		json_object_set_new(json, key,
				    json_sprintf("%s/%u",
						 inet_ntop(family == 4 ? AF_INET : AF_INET6,
							   address, text, sizeof(text)),
						 bits));
}

static void put_ports(json_t *json, const char *key, const uint16_t range[2])
{
	if (range[0] || range[1] != UINT16_MAX)
		json_object_set_new(json, key, json_sprintf("%u-%u", range[0], range[1]));
}

static void put_mac(json_t *json, const char *key, const uint8_t mac[6], const uint8_t mask[6])
{
	char one[PARSE_MAC_TEXT], two[PARSE_MAC_TEXT];
	static const uint8_t none[6];

	if (memcmp(mask, none, sizeof(none)))
		json_object_set_new(
			json, key,
			json_sprintf("%s/%s", format_mac(mac, one), format_mac(mask, two)));
}

static json_t *encode_rule(const struct nq_acl_rule *r)
{
	json_t *json =
		json_pack("{s:s,s:s}", "name", r->name, "action", r->deny ? "deny" : "allow");

	if (r->family)
		json_object_set_new(json, "ip", json_integer(r->family));
	if (r->type)
		json_object_set_new(json, "type", json_sprintf("0x%04x", r->type));
	if (r->has_vlan)
		json_object_set_new(json, "vlan", json_integer(r->vlan));
	if (r->has_protocol)
		json_object_set_new(json, "protocol", json_integer(r->protocol));
	put_address(json, "from", r->family, r->from, r->from_bits);
	put_address(json, "to", r->family, r->to, r->to_bits);
	put_ports(json, "from_port", r->from_port);
	put_ports(json, "to_port", r->to_port);
	put_mac(json, "from_mac", r->from_mac, r->from_mac_mask);
	put_mac(json, "to_mac", r->to_mac, r->to_mac_mask);
	if (r->tcp_mask)
		json_object_set_new(json, "tcp_flags",
				    json_sprintf("%u/%u", r->tcp_flags, r->tcp_mask));
	return json;
}

json_t *switch_acl_encode(const struct nq_acl *acl)
{
	json_t *rules = json_array();

	for (unsigned i = 0; i < acl->count; i++)
		json_array_append_new(rules, encode_rule(&acl->rules[i]));
	return json_pack("{s:s,s:s,s:o}", "name", acl->name, "rest",
			 acl->deny_rest ? "deny" : "allow", "rules", rules);
}
