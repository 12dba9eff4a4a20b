/* SPDX-License-Identifier: BSD-3-Clause */
/* snoop: see snoop.h. */
#include "netqueue/snoop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_hash_crc.h>
#include <rte_ip.h>
#include <rte_spinlock.h>

#include "base/util.h"
#include "netqueue/switch.h"

#define ETHER	 14u
#define TYPE_IP4 0x0800
#define TYPE_IP6 0x86dd
#define IP4_LEN	 20u
#define IP6_LEN	 40u
#define IGMP	 2
#define PIM	 103
#define ICMP6	 58
#define EVENTS	 1024u
#define RECORDS	 64u /* of one report that are believed; RFC 3376 section 4.2 */
#define BUCKETS	 1024u
#define NONE	 UINT16_MAX
#define WORDS	 (NQ_PORTS / 64)

static const uint8_t nobody[16];

/* IPv4 ones are mapped (RFC 4291 section 2.5.5.2), so that families never meet. That of address 0
 * has the routers. */
struct group {
	uint16_t domain; /* bridge << 12 | VLAN */
	uint8_t address[16];
};

enum heard { JOIN, LEAVE, ROUTER, QUERIER };

struct event {
	struct group group;
	uint16_t port;
	uint8_t what;
};

struct member {
	struct group group;
	uint16_t port; /* NQ_NO_PORT: there is a querier, but no router */
	uint16_t next; /* of the bucket, or of the free ones */
	bool used;
	uint32_t until_s;
};

struct snoop {
	struct nq_switch *sw;
	rte_spinlock_t lock; /* for the ring; workers only try it */
	struct event events[EVENTS];
	unsigned first, waiting;
	_Atomic bool told;
	_Atomic uint64_t missed;
	uint64_t refused;
	uint16_t buckets[BUCKETS], free;
	uint16_t per_port[NQ_PORTS];
	struct member members[SNOOP_MEMBERS];
};

struct place {
	struct group group;
	bool used;
	uint64_t ports[WORDS];
};

struct snoop_view {
	uint32_t mask;
	struct place places[];
};

/* ---- reading what is said, by workers ---- */

struct reader {
	struct snoop *snoop;
	struct port *in;
	uint16_t domain;
	unsigned address_len; /* 4, 16 */
	struct event events[RECORDS];
	unsigned count;
};

static unsigned be16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static struct group group_of(uint16_t domain, const uint8_t *address, unsigned len)
{
	struct group g = {.domain = domain};

	if (len == 4)
		g.address[10] = g.address[11] = 0xff;
	memcpy(g.address + 16 - len, address, len);
	return g;
}

static void hear(struct reader *r, enum heard what, const uint8_t *address)
{
	if (r->count == RECORDS)
		return;
	r->events[r->count++] =
		(struct event){.group = group_of(r->domain, address, r->address_len),
			       .port = what == QUERIER ? NQ_NO_PORT : r->in->id,
			       .what = (uint8_t)what};
}

/* 224.0.0.x is flooded whatever is said of it (RFC 4541 section 2.1.2), and ff02::1 and what does
 * not leave the link's node (RFC 3810 section 6). */
static bool is_kept(const uint8_t *a, unsigned len)
{
	if (len == 4)
		return (a[0] & 0xf0) == 0xe0 && (a[0] != 0xe0 || a[1] || a[2]);
	static const uint8_t all[16] = {0xff, 2, [15] = 1};
	return a[0] == 0xff && (a[1] & 15) > 1 && memcmp(a, all, sizeof(all));
}

static void hear_group(struct reader *r, bool join, const uint8_t *address)
{
	if (is_kept(address, r->address_len))
		hear(r, join ? JOIN : LEAVE, address);
}

/* Group records of IGMPv3 (RFC 3376 section 4.2.4) and MLDv2 (RFC 3810 section 5.2): whose sources
 * are not told apart, so that one without any includes nobody. */
static void read_records(struct reader *r, const uint8_t *at, size_t len, unsigned count)
{
	const unsigned address = r->address_len;

	for (unsigned i = 0; i < count && len >= 4 + address; i++) {
		unsigned type = at[0], sources = be16(at + 2);
		size_t size = 4 + address + (size_t)sources * address + at[1] * 4u;

		if (size > len)
			return;
		if (type == 2 || type == 4 || ((type == 1 || type == 3 || type == 5) && sources))
			hear_group(r, true, at + 4);
		else if ((type == 1 || type == 3) && !sources)
			hear_group(r, false, at + 4);
		at += size;
		len -= size;
	}
}

/* False: it is no message that reports are. RFC 2236 section 2, RFC 3376 section 4 */
static bool read_igmp(struct reader *r, const uint8_t *m, size_t len, bool from_nobody)
{
	switch (m[0]) {
	case 0x11: /* query; a switch's own has no source and is no router's (RFC 4541 2.1.1) */
		hear(r, from_nobody ? QUERIER : ROUTER, nobody);
		return false;
	case 0x12:
	case 0x16:
		hear_group(r, true, m + 4);
		return true;
	case 0x17:
		hear_group(r, false, m + 4);
		return true;
	case 0x22:
		read_records(r, m + 8, len - 8, be16(m + 6));
		return true;
	default:
		return false;
	}
}

/* RFC 2710 section 3, RFC 3810 section 5 */
static bool read_mld(struct reader *r, const uint8_t *m, size_t len, bool from_nobody)
{
	switch (m[0]) {
	case 130:
		if (len >= 24)
			hear(r, from_nobody ? QUERIER : ROUTER, nobody);
		return false;
	case 131:
	case 132:
		if (len >= 24)
			hear_group(r, m[0] == 131, m + 8);
		return len >= 24;
	case 143:
		read_records(r, m + 8, len - 8, be16(m + 6));
		return true;
	default:
		return false;
	}
}

static bool read_ip4(struct reader *r, const uint8_t *ip, size_t len)
{
	size_t head = (size_t)(ip[0] & 15) * 4, total = be16(ip + 2);
	bool from_nobody = !(be16(ip + 12) | be16(ip + 14));

	if (head < IP4_LEN || total > len || total < head + 8 || (be16(ip + 6) & 0x3fff))
		return false;
	if (ip[9] == PIM) { /* RFC 7761 section 4.3.1: a router's hello */
		if (ip[head] == 0x20 && !from_nobody)
			hear(r, ROUTER, nobody);
		return false;
	}
	if (ip[9] != IGMP || ip[8] != 1 || rte_raw_cksum(ip + head, total - head) != 0xffff)
		return false;
	return read_igmp(r, ip + head, total - head, from_nobody);
}

/* MLD comes behind a hop-by-hop header with a router alert, from a link-local address. */
static bool read_ip6(struct reader *r, const uint8_t *ip, size_t len)
{
	size_t payload = be16(ip + 4), head;
	const uint8_t *at = ip + IP6_LEN;

	if (payload > len - IP6_LEN || payload < 16 || ip[6] != 0 || ip[7] != 1)
		return false;
	head = ((size_t)at[1] + 1) * 8;
	if (at[0] != ICMP6 || head + 8 > payload)
		return false;
	struct rte_ipv6_hdr pseudo;
	memcpy(&pseudo, ip, sizeof(pseudo));
	pseudo.proto = ICMP6;
	pseudo.payload_len = rte_cpu_to_be_16((uint16_t)(payload - head));
	uint32_t sum = (uint32_t)rte_raw_cksum(at + head, payload - head) +
		       rte_ipv6_phdr_cksum(&pseudo, 0);
	if ((sum & 0xffff) + (sum >> 16) != 0xffff)
		return false;
	return read_mld(r, at + head, payload - head, !memcmp(ip + 8, nobody, sizeof(nobody)));
}

/* The control thread is woken once for all that waits. */
static void tell(struct reader *r)
{
	struct snoop *s = r->snoop;

	if (!r->count)
		return;
	if (!rte_spinlock_trylock(&s->lock)) {
		atomic_fetch_add(&s->missed, r->count);
		return;
	}
	for (unsigned i = 0; i < r->count; i++) {
		if (s->waiting == EVENTS) {
			atomic_fetch_add(&s->missed, r->count - i);
			break;
		}
		s->events[(s->first + s->waiting++) % EVENTS] = r->events[i];
	}
	rte_spinlock_unlock(&s->lock);
	if (!atomic_exchange(&s->told, true))
		port_changed(r->in);
}

static uint32_t hash(const struct group *g)
{
	uint64_t a, b;

	memcpy(&a, g->address, 8);
	memcpy(&b, g->address + 8, 8);
	return rte_hash_crc_8byte(b, rte_hash_crc_8byte(a, g->domain));
}

static bool same(const struct group *a, const struct group *b)
{
	return a->domain == b->domain && !memcmp(a->address, b->address, sizeof(a->address));
}

static const uint64_t *look_up(const struct snoop_view *view, const struct group *g)
{
	for (uint32_t i = hash(g) & view->mask; view->places[i].used; i = (i + 1) & view->mask)
		if (same(&view->places[i].group, g))
			return view->places[i].ports;
	return NULL;
}

const uint64_t *snoop_frame(struct snoop *snoop, const struct snoop_view *view,
			    const struct view_port *in, const struct rte_mbuf *m,
			    uint64_t targets[WORDS])
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	struct reader r = {.snoop = snoop, .in = in->port, .count = 0};
	struct group routers, group;
	bool report;

	r.domain = (uint16_t)(in->bridge << 12 | (m->vlan_tci & 0xfff));
	if (be16(frame + 12) == TYPE_IP4 && m->data_len >= ETHER + IP4_LEN) {
		r.address_len = 4;
		report = read_ip4(&r, frame + ETHER, m->data_len - ETHER);
		group = group_of(r.domain, frame + ETHER + 16, 4);
		if (!report && !is_kept(group.address + 12, 4))
			group.address[0] = 1; /* nobody's */
	} else if (be16(frame + 12) == TYPE_IP6 && m->data_len >= ETHER + IP6_LEN) {
		r.address_len = 16;
		report = read_ip6(&r, frame + ETHER, m->data_len - ETHER);
		group = group_of(r.domain, frame + ETHER + 24, 16);
		if (!report && !is_kept(group.address, 16))
			group.address[0] = 1;
	} else {
		return NULL;
	}
	tell(&r);
	routers = group_of(r.domain, nobody, r.address_len);
	const uint64_t *to_routers = look_up(view, &routers);
	if (!to_routers)
		return NULL; /* nobody asks: nothing is known */
	if (report)
		return to_routers;
	const uint64_t *members = look_up(view, &group);
	for (unsigned i = 0; members && i < WORDS; i++)
		targets[i] = members[i] | to_routers[i];
	return members ? targets : NULL;
}

/* ---- the table, by the control thread ---- */

int snoop_create(struct nq_switch *sw, struct snoop **out)
{
	struct snoop *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->sw = sw;
	rte_spinlock_init(&s->lock);
	memset(s->buckets, 0xff, sizeof(s->buckets));
	for (uint16_t i = 0; i < SNOOP_MEMBERS; i++)
		s->members[i].next = i + 1u < SNOOP_MEMBERS ? (uint16_t)(i + 1) : NONE;
	*out = s;
	return 0;
}

void snoop_destroy(struct snoop *snoop)
{
	free(snoop);
}

static uint16_t *bucket_of(struct snoop *s, const struct group *g)
{
	return &s->buckets[hash(g) % BUCKETS];
}

static struct member *find(struct snoop *s, const struct group *g, uint16_t port)
{
	for (uint16_t i = *bucket_of(s, g); i != NONE; i = s->members[i].next)
		if (s->members[i].port == port && same(&s->members[i].group, g))
			return &s->members[i];
	return NULL;
}

static struct member *add(struct snoop *s, const struct group *g, uint16_t port)
{
	uint16_t index = s->free, *bucket = bucket_of(s, g);

	if (index == NONE || (port < NQ_PORTS && s->per_port[port] == SNOOP_PER_PORT)) {
		s->refused++;
		return NULL;
	}
	struct member *m = &s->members[index];
	s->free = m->next;
	*m = (struct member){.group = *g, .port = port, .next = *bucket, .used = true};
	*bucket = index;
	if (port < NQ_PORTS)
		s->per_port[port]++;
	return m;
}

static void drop(struct snoop *s, struct member *m)
{
	uint16_t index = (uint16_t)(m - s->members), *at = bucket_of(s, &m->group);

	while (*at != index)
		at = &s->members[*at].next;
	*at = m->next;
	if (m->port < NQ_PORTS)
		s->per_port[m->port]--;
	m->used = false;
	m->next = s->free;
	s->free = index;
}

/* Whether the table has another member. */
static bool apply(struct snoop *s, const struct event *e, uint32_t now_s)
{
	uint32_t keep = e->what == ROUTER || e->what == QUERIER ? SNOOP_ROUTER_S : SNOOP_MEMBER_S;
	struct member *m = find(s, &e->group, e->port);
	bool is_new = !m;

	if (e->port != NQ_NO_PORT && !s->sw->ports[e->port])
		return false;	/* gone since */
	if (e->what == LEAVE) { /* others behind the port may say that they stay */
		if (m)
			m->until_s = MIN(m->until_s, now_s + SNOOP_LEAVING_S);
		return false;
	}
	if (!m)
		m = add(s, &e->group, e->port);
	if (m)
		m->until_s = now_s + keep;
	return m && is_new;
}

bool snoop_heard(struct snoop *s, uint32_t now_s)
{
	bool changed = false;

	atomic_store(&s->told, false);
	for (;;) {
		rte_spinlock_lock(&s->lock);
		bool any = s->waiting;
		struct event e = s->events[s->first];
		if (any) {
			s->first = (s->first + 1) % EVENTS;
			s->waiting--;
		}
		rte_spinlock_unlock(&s->lock);
		if (!any)
			return changed;
		changed |= apply(s, &e, now_s);
	}
}

bool snoop_sweep(struct snoop *s, uint32_t now_s)
{
	bool changed = false;

	for (unsigned i = 0; i < SNOOP_MEMBERS; i++) {
		struct member *m = &s->members[i];

		if (!m->used || (int32_t)(m->until_s - now_s) > 0)
			continue;
		drop(s, m);
		changed = true;
	}
	return changed;
}

void snoop_forget_port(struct snoop *s, uint16_t port)
{
	for (unsigned i = 0; i < SNOOP_MEMBERS; i++)
		if (s->members[i].used && s->members[i].port == port)
			drop(s, &s->members[i]);
}

void snoop_forget_bridge(struct snoop *s, uint8_t bridge)
{
	for (unsigned i = 0; i < SNOOP_MEMBERS; i++)
		if (s->members[i].used && s->members[i].group.domain >> 12 == bridge)
			drop(s, &s->members[i]);
}

/* ---- what workers read ---- */

static void put(struct snoop_view *view, const struct member *m)
{
	uint32_t i = hash(&m->group) & view->mask;

	while (view->places[i].used && !same(&view->places[i].group, &m->group))
		i = (i + 1) & view->mask;
	view->places[i].used = true;
	view->places[i].group = m->group;
	if (m->port != NQ_NO_PORT)
		view->places[i].ports[m->port / 64] |= UINT64_C(1) << (m->port % 64);
}

int snoop_view_build(const struct snoop *s, struct snoop_view **out)
{
	uint32_t count = 0, size = 16;

	for (unsigned i = 0; i < SNOOP_MEMBERS; i++)
		count += s->members[i].used;
	while (size < 2 * count)
		size *= 2;
	struct snoop_view *view = calloc(1, sizeof(*view) + size * sizeof(view->places[0]));
	if (!view)
		return -ENOMEM;
	view->mask = size - 1;
	for (unsigned i = 0; i < SNOOP_MEMBERS; i++)
		if (s->members[i].used)
			put(view, &s->members[i]);
	*out = view;
	return 0;
}

void snoop_view_free(struct snoop_view *view)
{
	free(view);
}

/* ---- for people ---- */

static void describe(const struct snoop *s, const struct member *m, uint32_t now_s,
		     struct nq_group *out)
{
	memset(out, 0, sizeof(*out));
	memcpy(out->address, m->group.address, sizeof(out->address));
	out->is_router =
		!memcmp(m->group.address, nobody, 10) && !memcmp(m->group.address + 12, nobody, 4);
	out->vlan = m->group.domain & 0xfff;
	out->left_s = m->until_s - now_s;
	strcpy(out->bridge, s->sw->bridges[m->group.domain >> 12].config.name);
	if (m->port != NQ_NO_PORT && s->sw->ports[m->port])
		strcpy(out->port, s->sw->ports[m->port]->config.name);
}

int snoop_list(const struct snoop *s, uint32_t now_s, struct nq_group **out, size_t *count)
{
	struct nq_group *list = malloc(SNOOP_MEMBERS * sizeof(*list));
	size_t n = 0;

	for (unsigned i = 0; list && i < SNOOP_MEMBERS; i++)
		if (s->members[i].used)
			describe(s, &s->members[i], now_s, &list[n++]);
	*out = list;
	*count = n;
	return list ? 0 : -ENOMEM;
}

void snoop_counts(const struct snoop *s, uint64_t *refused, uint64_t *missed)
{
	*refused = s->refused;
	*missed = atomic_load(&s->missed);
}
