/* SPDX-License-Identifier: BSD-3-Clause */
/* acl: see acl.h. */
#include "netqueue/acl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_acl.h>
#include <rte_byteorder.h>
#include <rte_errno.h>

#include "base/log.h"
#include "base/util.h"
#include "netqueue/switch.h"

#define ETHER	   14u
#define TAG	   4u
#define TYPE_IP4   0x0800
#define TYPE_VLAN  0x8100
#define TYPE_QINQ  0x88a8
#define TYPE_IP6   0x86dd
#define IP4_LEN	   20u
#define IP6_LEN	   40u
#define TCP	   6
#define UDP	   17
#define SCTP	   132
#define EXT_MOST   8 /* extension headers that are looked behind */
#define TRIE_BYTES ((size_t)64 << 20)

/* The order is rte_acl's: a first byte, then fours. In network order. */
struct acl_key {
	uint8_t has; /* KEY_... */
	uint8_t pad[3];
	uint16_t type, vlan;
	uint8_t protocol, tcp_flags;
	uint16_t zero;
	uint16_t from_port, to_port;
	uint8_t from[16], to[16];
	uint8_t from_mac[6], to_mac[6];
};
_Static_assert(sizeof(struct acl_key) == 60, "one place after the other");

#define KEY_PORTS    1u
#define KEY_PROTOCOL 2u

enum {
	F_HAS,
	F_TYPE,
	F_VLAN,
	F_PROTOCOL,
	F_TCP_FLAGS,
	F_ZERO,
	F_FROM_PORT,
	F_TO_PORT,
	F_FROM, /* four each */
	F_TO = F_FROM + 4,
	F_MACS = F_TO + 4, /* 4, 2, 2, 4 */
	FIELDS = F_MACS + 4
};

RTE_ACL_RULE_DEF(acl_rule, FIELDS);

struct acl {
	struct nq_acl source;
	struct nq_acl_rule *rules;
	struct rte_acl_ctx *trie; /* NULL: there are no rules */
	uint64_t *hits[NQ_WORKERS];
};

/* ---- compiling ---- */

static bool has_ports(const uint16_t range[2])
{
	return range[0] || range[1] != UINT16_MAX;
}

static bool prefix_ok(const uint8_t *address, unsigned bits, unsigned most)
{
	for (unsigned i = bits; i < most; i++)
		if (address[i / 8] >> (7 - i % 8) & 1)
			return false;
	return bits <= most;
}

/* What is wrong with it, or NULL. */
static const char *check(const struct nq_acl_rule *r)
{
	bool ports = has_ports(r->from_port) || has_ports(r->to_port);
	unsigned most = r->family == 4 ? 32 : 128;

	if (r->vlan > 4094)
		return "VLANs go from 0 to 4094";
	if (r->family && r->family != 4 && r->family != 6)
		return "addresses are of IPv4 or IPv6";
	if (!r->family && (r->from_bits || r->to_bits))
		return "its addresses have no family";
	if (r->family &&
	    (!prefix_ok(r->from, r->from_bits, most) || !prefix_ok(r->to, r->to_bits, most)))
		return "a prefix has bits behind its length";
	if (r->from_port[0] > r->from_port[1] || r->to_port[0] > r->to_port[1])
		return "a range of ports ends before it begins";
	if (ports && r->has_protocol && r->protocol != TCP && r->protocol != UDP &&
	    r->protocol != SCTP)
		return "only TCP, UDP and SCTP have ports";
	if (r->tcp_mask && (!r->has_protocol || r->protocol != TCP))
		return "only TCP has its flags";
	if (r->family && r->type && r->type != (r->family == 4 ? TYPE_IP4 : TYPE_IP6))
		return "its type is not that of its addresses";
	return NULL;
}

static void set(struct acl_rule *to, unsigned field, uint32_t value, uint32_t mask)
{
	to->field[field].value.u32 = value;
	to->field[field].mask_range.u32 = mask;
}

static uint32_t be32_at(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void set_address(struct acl_rule *to, unsigned field, const uint8_t address[16],
			unsigned bits)
{
	for (unsigned i = 0; i < 4; i++) {
		set(to, field + i, be32_at(address + 4 * i), MIN(bits, 32u));
		bits -= MIN(bits, 32u);
	}
}

static void set_macs(struct acl_rule *to, const struct nq_acl_rule *r)
{
	uint8_t value[12], mask[12];

	memcpy(mask, r->from_mac_mask, 6);
	memcpy(mask + 6, r->to_mac_mask, 6);
	memcpy(value, r->from_mac, 6);
	memcpy(value + 6, r->to_mac, 6);
	for (unsigned i = 0; i < sizeof(value); i++)
		value[i] &= mask[i];
	set(to, F_MACS, be32_at(value), be32_at(mask));
	set(to, F_MACS + 1, be32_at(value + 4) >> 16, be32_at(mask + 4) >> 16);
	set(to, F_MACS + 2, be32_at(value + 6) >> 16, be32_at(mask + 6) >> 16);
	set(to, F_MACS + 3, be32_at(value + 8), be32_at(mask + 8));
}

static struct acl_rule translate(const struct nq_acl_rule *r, unsigned index)
{
	struct acl_rule to = {.data = {.category_mask = 1,
				       .priority = (int32_t)(RTE_ACL_MAX_PRIORITY - index),
				       .userdata = index + 1}};
	bool ports = has_ports(r->from_port) || has_ports(r->to_port);
	uint32_t has = (ports ? KEY_PORTS : 0) | (r->has_protocol ? KEY_PROTOCOL : 0);
	uint16_t type = r->family == 4 ? TYPE_IP4 : r->family == 6 ? TYPE_IP6 : r->type;

	set(&to, F_HAS, has, has);
	set(&to, F_TYPE, type, type ? UINT16_MAX : 0);
	set(&to, F_VLAN, r->vlan, r->has_vlan ? UINT16_MAX : 0);
	set(&to, F_PROTOCOL, r->protocol, r->has_protocol ? UINT8_MAX : 0);
	set(&to, F_TCP_FLAGS, r->tcp_flags & r->tcp_mask, r->tcp_mask);
	set(&to, F_FROM_PORT, r->from_port[0], r->from_port[1]);
	set(&to, F_TO_PORT, r->to_port[0], r->to_port[1]);
	set_address(&to, F_FROM, r->from, r->from_bits);
	set_address(&to, F_TO, r->to, r->to_bits);
	set_macs(&to, r);
	return to;
}

static void set_field(struct rte_acl_config *config, unsigned field, uint8_t type, uint8_t size,
		      uint8_t input, size_t offset)
{
	config->defs[field] = (struct rte_acl_field_def){.type = type,
							 .size = size,
							 .field_index = (uint8_t)field,
							 .input_index = input,
							 .offset = (uint32_t)offset};
}

static struct rte_acl_config layout(void)
{
	const uint8_t bits = RTE_ACL_FIELD_TYPE_BITMASK, range = RTE_ACL_FIELD_TYPE_RANGE;
	struct rte_acl_config c = {
		.num_categories = 1, .num_fields = FIELDS, .max_size = TRIE_BYTES};

	set_field(&c, F_HAS, bits, 1, 0, offsetof(struct acl_key, has));
	set_field(&c, F_TYPE, bits, 2, 1, offsetof(struct acl_key, type));
	set_field(&c, F_VLAN, bits, 2, 1, offsetof(struct acl_key, vlan));
	set_field(&c, F_PROTOCOL, bits, 1, 2, offsetof(struct acl_key, protocol));
	set_field(&c, F_TCP_FLAGS, bits, 1, 2, offsetof(struct acl_key, tcp_flags));
	set_field(&c, F_ZERO, bits, 2, 2, offsetof(struct acl_key, zero));
	set_field(&c, F_FROM_PORT, range, 2, 3, offsetof(struct acl_key, from_port));
	set_field(&c, F_TO_PORT, range, 2, 3, offsetof(struct acl_key, to_port));
	for (unsigned i = 0; i < 8; i++)
		set_field(&c, F_FROM + i, RTE_ACL_FIELD_TYPE_MASK, 4, (uint8_t)(4 + i),
			  offsetof(struct acl_key, from) + (size_t)4 * i);
	set_field(&c, F_MACS, bits, 4, 12, offsetof(struct acl_key, from_mac));
	set_field(&c, F_MACS + 1, bits, 2, 13, offsetof(struct acl_key, from_mac) + 4);
	set_field(&c, F_MACS + 2, bits, 2, 13, offsetof(struct acl_key, to_mac));
	set_field(&c, F_MACS + 3, bits, 4, 14, offsetof(struct acl_key, to_mac) + 2);
	return c;
}

static int compile(struct acl *acl, unsigned serial)
{
	struct rte_acl_config config = layout();
	unsigned count = acl->source.count;
	char name[RTE_ACL_NAMESIZE];
	struct rte_acl_param param = {.name = name,
				      .socket_id = SOCKET_ID_ANY,
				      .rule_size = RTE_ACL_RULE_SZ(FIELDS),
				      .max_rule_num = count};
	int err = 0;

	if (!count)
		return 0;
	snprintf(name, sizeof(name), "acl%u", serial);
	acl->trie = rte_acl_create(&param);
	if (!acl->trie)
		return rte_errno ? -rte_errno : -ENOMEM;
	for (unsigned i = 0; i < count && !err; i++) {
		struct acl_rule rule = translate(&acl->rules[i], i);

		err = rte_acl_add_rules(acl->trie, (const struct rte_acl_rule *)&rule, 1);
	}
	return err ? err : rte_acl_build(acl->trie, &config);
}

static int check_all(const struct nq_acl *from)
{
	for (unsigned i = 0; i < from->count; i++) {
		const struct nq_acl_rule *r = &from->rules[i];
		const char *wrong = check(r);

		for (unsigned j = 0; !wrong && r->name[0] && j < i; j++)
			if (!strcmp(from->rules[j].name, r->name))
				wrong = "an earlier one has its name";
		if (wrong)
			return log_fail(-EINVAL, from->name, "rule %u%s%.31s refused: %s", i + 1,
					r->name[0] ? ", " : "", r->name, wrong);
	}
	return 0;
}

static int fill(struct acl *acl, const struct nq_acl *from, unsigned serial)
{
	size_t places = from->count + 1u;

	acl->source = *from;
	acl->rules = malloc(places * sizeof(*acl->rules));
	for (unsigned i = 0; i < NQ_WORKERS; i++)
		acl->hits[i] = calloc(places, sizeof(uint64_t));
	for (unsigned i = 0; i < NQ_WORKERS; i++)
		if (!acl->hits[i])
			return -ENOMEM;
	if (!acl->rules)
		return -ENOMEM;
	if (from->count)
		memcpy(acl->rules, from->rules, from->count * sizeof(*acl->rules));
	acl->source.rules = acl->rules;
	return compile(acl, serial);
}

int acl_create(const struct nq_acl *from, unsigned serial, struct acl **out)
{
	int err = from->count > NQ_ACL_RULES
			  ? log_fail(-EINVAL, from->name, "%u rules; %d are the most", from->count,
				     NQ_ACL_RULES)
			  : check_all(from);
	struct acl *acl = err ? NULL : calloc(1, sizeof(*acl));

	if (err)
		return err;
	err = acl ? fill(acl, from, serial) : -ENOMEM;
	if (err) {
		acl_destroy(acl);
		return log_fail(err, from->name, "%u rules not compiled: %s", from->count,
				strerror(-err));
	}
	*out = acl;
	return 0;
}

void acl_destroy(struct acl *acl)
{
	if (!acl)
		return;
	rte_acl_free(acl->trie);
	for (unsigned i = 0; i < NQ_WORKERS; i++)
		free(acl->hits[i]);
	free(acl->rules);
	free(acl);
}

const struct nq_acl *acl_source(const struct acl *acl)
{
	return &acl->source;
}

void acl_hits(const struct acl *acl, uint64_t *hits)
{
	for (unsigned i = 0; i <= acl->source.count; i++) {
		hits[i] = 0;
		for (unsigned w = 0; w < NQ_WORKERS; w++)
			hits[i] += __atomic_load_n(&acl->hits[w][i], __ATOMIC_RELAXED);
	}
}

/* ---- looking ---- */

static void key_ports(struct acl_key *key, const uint8_t *l4, size_t len)
{
	if ((key->protocol == TCP || key->protocol == UDP || key->protocol == SCTP) && len >= 4) {
		memcpy(&key->from_port, l4, 2);
		memcpy(&key->to_port, l4 + 2, 2);
		key->has |= KEY_PORTS;
	}
	if (key->protocol == TCP && len >= 14)
		key->tcp_flags = l4[13];
}

/* RFC 791 section 3.1 */
static void key_ip4(struct acl_key *key, const uint8_t *ip, size_t len)
{
	size_t head = (size_t)(ip[0] & 15) * 4;

	memcpy(key->from, ip + 12, 4);
	memcpy(key->to, ip + 16, 4);
	key->protocol = ip[9];
	key->has |= KEY_PROTOCOL;
	if (!((ip[6] & 0x1f) | ip[7]) && head >= IP4_LEN && head <= len)
		key_ports(key, ip + head, len - head);
}

/* RFC 8200 section 4: hop-by-hop 0, routing 43, fragment 44, destination 60. */
static void key_ip6(struct acl_key *key, const uint8_t *ip, size_t len)
{
	size_t at = IP6_LEN;
	uint8_t next = ip[6];
	bool first = true;

	memcpy(key->from, ip + 8, 16);
	memcpy(key->to, ip + 24, 16);
	for (unsigned i = 0; i < EXT_MOST; i++) {
		if (next != 0 && next != 43 && next != 44 && next != 60) {
			key->protocol = next;
			key->has |= KEY_PROTOCOL;
			if (first)
				key_ports(key, ip + at, len - at);
			return;
		}
		if (at + 8 > len)
			return;
		size_t size = next == 44 ? 8 : ((size_t)ip[at + 1] + 1) * 8;
		if (next == 44)
			first = !(ip[at + 2] | (ip[at + 3] & 0xf8));
		next = ip[at];
		if (at + size > len)
			return;
		at += size;
	}
}

/* The frame has its addresses and type in one piece (forward.c has looked). */
static void make_key(struct acl_key *key, const struct rte_mbuf *m)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	size_t len = m->data_len, at = ETHER;
	uint16_t type;

	memset(key, 0, sizeof(*key));
	memcpy(key->from_mac, frame + 6, 6);
	memcpy(key->to_mac, frame, 6);
	key->vlan = rte_cpu_to_be_16(m->vlan_tci & 0xfff);
	memcpy(&type, frame + 12, 2);
	/* Tags that are still (or already) there are looked behind. */
	for (unsigned tags = 0;
	     tags < 2 && len >= at + TAG &&
	     (type == rte_cpu_to_be_16(TYPE_VLAN) || type == rte_cpu_to_be_16(TYPE_QINQ));
	     tags++) {
		memcpy(&type, frame + at + 2, 2);
		at += TAG;
	}
	key->type = type;
	if (type == rte_cpu_to_be_16(TYPE_IP4) && len >= at + IP4_LEN)
		key_ip4(key, frame + at, len - at);
	else if (type == rte_cpu_to_be_16(TYPE_IP6) && len >= at + IP6_LEN)
		key_ip6(key, frame + at, len - at);
}

uint32_t acl_denied(struct acl *acl, unsigned index, struct rte_mbuf *const *frames, unsigned count)
{
	struct acl_key keys[NQ_BURST];
	const uint8_t *data[NQ_BURST];
	uint32_t found[NQ_BURST] = {0}, denied = 0;

	for (unsigned i = 0; i < count; i++) {
		make_key(&keys[i], frames[i]);
		data[i] = (const uint8_t *)&keys[i];
	}
	if (acl->trie && count)
		rte_acl_classify(acl->trie, data, found, count, 1);
	for (unsigned i = 0; i < count; i++) {
		/* The rest is counted behind the rules. */
		unsigned rule = found[i] ? found[i] - 1 : acl->source.count;
		bool deny = found[i] ? acl->rules[rule].deny : acl->source.deny_rest;

		count_add(&acl->hits[index][rule], 1);
		denied |= (uint32_t)deny << i;
	}
	return denied;
}
