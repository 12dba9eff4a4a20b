/* SPDX-License-Identifier: BSD-3-Clause */
/* port_bond: see port_bond.h. */
#include "netqueue/port_bond.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_hash_crc.h>
#include <rte_ring.h>

#include "base/log.h"
#include "base/util.h"
#include "netqueue/flow.h"
#include "netqueue/lacp.h"
#include "netqueue/switch.h"

#define RING	  1024u
#define ETHER	  14u
#define TYPE_SLOW 0x8809 /* IEEE 802.3 annex 57A */
#define TYPE_RARP 0x8035
#define ANNOUNCED 256u /* addresses, when another member takes over */

_Static_assert(NQ_BOND_MEMBERS == LACP_LINKS, "as many links as members");

enum mode { MODE_LACP, MODE_BACKUP, MODE_HASH };
static const char *const mode_names[] = {"lacp", "backup", "hash"};

struct bond {
	enum mode mode;
	unsigned count;
	struct port *members[NQ_BOND_MEMBERS]; /* for as long as the bond is there */
	/* Nibbles: how many members to send by, then which. */
	_Atomic uint64_t senders;
	_Atomic uint32_t receivers;   /* bits: whose frames count */
	struct rte_ring *say, *heard; /* what the control thread sends and gets */
	struct lacp lacp;
	bool up[NQ_BOND_MEMBERS];
};

static const uint8_t slow_address[6] = {0x01, 0x80, 0xc2, 0, 0, 2};

/* ---- opening ---- */

static int parse_mode(const struct port *port, const char *word, struct bond *bond)
{
	for (unsigned i = 0; i < ARRAY_SIZE(mode_names); i++)
		if (!strcmp(word, mode_names[i])) {
			bond->mode = (enum mode)i;
			return 0;
		}
	return log_fail(-EINVAL, port->config.name, "mode=%.16s: lacp, backup or hash is wanted",
			word);
}

static int add_member(const struct port *port, const char *name, struct bond *bond)
{
	struct port *member = switch_port(port->sw, name);
	const char *why = NULL;

	if (!member)
		return log_fail(-ENOENT, port->config.name, "there is no port %.31s", name);
	if (bond->count == NQ_BOND_MEMBERS)
		return log_fail(-EINVAL, port->config.name, "%d members are the most",
				NQ_BOND_MEMBERS);
	for (unsigned i = 0; i < bond->count; i++)
		if (bond->members[i] == member)
			why = "is named twice";
	if (member->ops->kind.upper)
		why = "stands on other ports itself";
	else if (member->bond != NQ_NO_PORT)
		why = "is in a bond already";
	else if (member->mirrors || member->mirror != NQ_NO_PORT)
		why = "is part of a mirror";
	if (why)
		return log_fail(-EBUSY, port->config.name, "port %s %s", name, why);
	bond->members[bond->count++] = member;
	return 0;
}

/* "up0,up1[,mode=lacp]" */
static int parse(const struct port *port, struct bond *bond)
{
	char copy[NQ_BOND_MEMBERS * NQ_NAME + 32], *rest = copy, *word;
	int err = 0;

	if (snprintf(copy, sizeof(copy), "%s", port->config.where) >= (int)sizeof(copy))
		return log_fail(-EINVAL, port->config.name, "too many members");
	while (!err && (word = strsep(&rest, ",")))
		err = !strncmp(word, "mode=", 5) ? parse_mode(port, word + 5, bond)
						 : add_member(port, word, bond);
	if (!err && !bond->count)
		err = log_fail(-EINVAL, port->config.name, "a bond needs members");
	return err;
}

static void ring_free(struct rte_ring *ring)
{
	void *frame;

	while (ring && !rte_ring_dequeue(ring, &frame))
		rte_pktmbuf_free(frame);
	rte_ring_free(ring);
}

static void bond_free(struct bond *bond)
{
	ring_free(bond->say);
	ring_free(bond->heard);
	free(bond);
}

static int open_rings(const struct port *port, struct bond *bond)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "%.16s-%us", port->sw->text, port->id);
	bond->say = rte_ring_create(name, RING, SOCKET_ID_ANY, 0);
	snprintf(name, sizeof(name), "%.16s-%uh", port->sw->text, port->id);
	bond->heard = rte_ring_create(name, RING, SOCKET_ID_ANY, 0);
	return bond->say && bond->heard
		       ? 0
		       : log_fail(-ENOMEM, port->config.name, "no memory for its rings");
}

/* What the other end knows us by: the same after a restart, another for each host and bond. */
static void own_system(const struct port *port, uint8_t system[6])
{
	char host[64] = "", text[64 + NQ_NAME];
	FILE *f = fopen("/etc/machine-id", "re");

	if (f && !fgets(host, sizeof(host), f))
		host[0] = '\0';
	if (f)
		fclose(f);
	int len = snprintf(text, sizeof(text), "%s%s", host, port->config.name);
	uint32_t hash = rte_hash_crc(text, (uint32_t)len, 0);
	system[0] = 2; /* locally administered */
	system[1] = (uint8_t)len;
	memcpy(system + 2, &hash, 4);
}

static int bond_open(struct port *port)
{
	struct bond *bond = calloc(1, sizeof(*bond));
	uint8_t system[6];

	if (!bond)
		return log_fail(-ENOMEM, port->config.name, "no memory");
	int err = parse(port, bond);
	if (!err)
		err = open_rings(port, bond);
	if (err) {
		bond_free(bond);
		return err;
	}
	own_system(port, system);
	lacp_init(&bond->lacp, bond->count, system, (uint16_t)(port->id + 1), true);
	for (unsigned i = 0; i < bond->count; i++) {
		bond->members[i]->bond = port->id;
		bond->members[i]->bond_index = (uint8_t)i;
	}
	port->backend = bond;
	return 0;
}

static void bond_close(struct port *port)
{
	struct bond *bond = port->backend;

	for (unsigned i = 0; i < bond->count; i++)
		bond->members[i]->bond = NQ_NO_PORT;
	bond_free(bond);
}

/* ---- frames ---- */

static bool is_slow(const struct rte_mbuf *m)
{
	const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);

	return m->data_len > ETHER && !memcmp(data, slow_address, 6) &&
	       data[12] == TYPE_SLOW >> 8 && data[13] == (TYPE_SLOW & 0xff);
}

unsigned bond_take(struct port *port, struct port *member, struct rte_mbuf **frames, unsigned count,
		   struct nq_stats *stats)
{
	struct bond *bond = port->backend;
	uint32_t receivers = atomic_load_explicit(&bond->receivers, memory_order_relaxed);
	bool use = receivers >> member->bond_index & 1;
	unsigned left = 0;

	for (unsigned i = 0; i < count; i++) {
		struct rte_mbuf *m = frames[i];

		if (unlikely(is_slow(m))) {
			m->port = member->bond_index;
			if (bond->mode != MODE_LACP || rte_ring_enqueue(bond->heard, m))
				port_drop(&m, 1, stats, NQ_DROP_RESERVED);
		} else if (use) {
			frames[left++] = m;
		} else {
			port_drop(&m, 1, stats, NQ_DROP_INACTIVE);
		}
	}
	return left;
}

/* What the control thread says; m->port is the member to send it by. */
static uint16_t bond_rx(struct port *port, unsigned queue, struct rte_mbuf **frames, uint16_t count)
{
	struct bond *bond = port->backend;

	(void)queue;
	return (uint16_t)rte_ring_dequeue_burst(bond->say, (void **)frames, count, NULL);
}

/* `worker`: also the queue, see bond_tx_queues. */
static void send_by(struct port *member, unsigned worker, struct rte_mbuf **frames, uint16_t count,
		    uint64_t bytes)
{
	member->ops->tx(member, worker % member->ops->tx_queues(member), frames, count, bytes,
			&member->counters[worker].stats);
}

static void spread(const struct bond *bond, uint64_t senders, unsigned n, unsigned worker,
		   struct rte_mbuf **frames, uint16_t count)
{
	struct stage part[NQ_BOND_MEMBERS];

	for (unsigned i = 0; i < n; i++)
		part[i].count = 0, part[i].bytes = 0;
	for (unsigned i = 0; i < count; i++) {
		struct rte_mbuf *m = frames[i];
		uint32_t hash = flow_hash(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len);
		/* Of other bits than those that choose among a member's queues. */
		struct stage *to = &part[(hash >> 16) % n];

		to->frames[to->count++] = m;
		to->bytes += m->pkt_len;
	}
	for (unsigned i = 0; i < n; i++)
		if (part[i].count)
			send_by(bond->members[senders >> (4 * (i + 1)) & 15], worker,
				part[i].frames, part[i].count, part[i].bytes);
}

static void bond_tx(struct port *port, unsigned queue, struct rte_mbuf **frames, uint16_t count,
		    uint64_t bytes, struct nq_stats *stats)
{
	struct bond *bond = port->backend;
	uint64_t senders = atomic_load_explicit(&bond->senders, memory_order_relaxed);
	unsigned n = senders & 15;

	if (!n) {
		port_drop(frames, count, stats, NQ_DROP_DOWN);
		return;
	}
	count_sent(stats, count, bytes); /* what a member drops, that member counts */
	if (n == 1)
		send_by(bond->members[senders >> 4 & 15], queue, frames, count, bytes);
	else
		spread(bond, senders, n, queue, frames, count);
}

/* One for each worker, so that the number of the queue tells the worker. */
static unsigned bond_tx_queues(const struct port *port)
{
	return MAX(port->sw->options.workers, 1u);
}

/* ---- the control thread ---- */

/* An Ethernet frame to be sent by `member`, of `len` bytes; NULL: there is no buffer. */
static struct rte_mbuf *new_frame(const struct port *port, unsigned member, uint16_t len)
{
	const struct bond *bond = port->backend;
	struct rte_mbuf *m = rte_pktmbuf_alloc(port->pool);

	if (!m)
		return NULL;
	memset(rte_pktmbuf_append(m, len), 0, len);
	m->port = bond->members[member]->id;
	return m;
}

static void say(struct bond *bond, struct rte_mbuf *m)
{
	if (rte_ring_enqueue(bond->say, m))
		rte_pktmbuf_free(m);
}

static void hear(struct port *port, struct rte_mbuf *m, uint64_t now)
{
	struct bond *bond = port->backend;
	const uint8_t *pdu = rte_pktmbuf_mtod_offset(m, const uint8_t *, ETHER);

	lacp_receive(&bond->lacp, m->port, pdu, m->data_len - ETHER, now);
	rte_pktmbuf_free(m);
}

/* The source is the member's own by the standard; we have none for a port, and the system's does
 * as well. */
static void speak(struct port *port, unsigned member, uint64_t now)
{
	struct bond *bond = port->backend;
	uint8_t pdu[LACP_PDU];

	if (!lacp_transmit(&bond->lacp, member, pdu, now))
		return;
	struct rte_mbuf *m = new_frame(port, member, ETHER + LACP_PDU);
	if (!m)
		return;
	uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);
	memcpy(data, slow_address, 6);
	memcpy(data + 6, bond->lacp.links[member].actor.system, 6);
	data[12] = TYPE_SLOW >> 8;
	data[13] = TYPE_SLOW & 0xff;
	memcpy(data + ETHER, pdu, LACP_PDU);
	say(bond, m);
}

static bool is_up(const struct port *member)
{
	struct nq_port_info info = {0};

	member->ops->info(member, &info);
	return info.up;
}

static bool may_send(const struct bond *bond, unsigned i)
{
	return bond->mode == MODE_LACP ? lacp_distributes(&bond->lacp, i) : bond->up[i];
}

/* Backup: the member in use stays so while it works. */
static uint64_t choose_one(const struct bond *bond, uint64_t senders)
{
	unsigned now = senders >> 4 & 15;

	if (senders & 15 && bond->up[now])
		return senders;
	for (unsigned i = 0; i < bond->count; i++)
		if (bond->up[i])
			return 1 | (uint64_t)i << 4;
	return 0;
}

static uint64_t choose(const struct bond *bond, uint64_t senders)
{
	uint64_t chosen = 0;
	unsigned n = 0;

	if (bond->mode == MODE_BACKUP)
		return choose_one(bond, senders);
	for (unsigned i = 0; i < bond->count; i++)
		if (may_send(bond, i))
			chosen |= (uint64_t)i << (4 * ++n);
	return chosen | n;
}

static uint32_t receivers_of(const struct bond *bond, uint64_t senders)
{
	uint32_t set = 0;

	for (unsigned i = 0; i < bond->count; i++) {
		bool use = bond->mode == MODE_LACP     ? lacp_collects(&bond->lacp, i)
			   : bond->mode == MODE_BACKUP ? senders & 15 && (senders >> 4 & 15) == i
						       : bond->up[i];
		set |= (uint32_t)use << i;
	}
	return set;
}

/* Reverse ARP from an address, which asks nothing and tells switches where it is now. */
static void announce_one(struct port *port, unsigned member, const struct nq_mac *mac)
{
	const struct nq_vlan_rules *vlan = &port->config.rules.vlan;
	static const uint8_t body[8] = {0, 1, 8, 0, 6, 4, 0, 3}; /* RFC 903 */
	struct rte_mbuf *m;
	size_t at = 12;

	if (!vlan_allowed(vlan, mac->vlan) || !(m = new_frame(port, member, 64)))
		return;
	uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);
	memset(data, 0xff, 6);
	memcpy(data + 6, mac->mac, 6);
	if (vlan_tagged(vlan, mac->vlan)) {
		data[at++] = 0x81;
		data[at++] = 0;
		data[at++] = (uint8_t)(mac->vlan >> 8);
		data[at++] = (uint8_t)mac->vlan;
	}
	data[at++] = TYPE_RARP >> 8;
	data[at++] = TYPE_RARP & 0xff;
	memcpy(data + at, body, sizeof(body));
	memcpy(data + at + 8, mac->mac, 6);
	memcpy(data + at + 18, mac->mac, 6);
	say(port->backend, m);
}

static void announce(struct port *port, unsigned member)
{
	struct nq_mac *macs;
	size_t count;
	unsigned told = 0;

	if (nq_mac_list(port->sw, &macs, &count))
		return;
	for (size_t i = 0; i < count && told < ANNOUNCED; i++)
		if (!strcmp(macs[i].bridge, port->config.bridge) &&
		    strcmp(macs[i].port, port->config.name) != 0) {
			announce_one(port, member, &macs[i]);
			told++;
		}
	free(macs);
}

static void use(struct port *port)
{
	struct bond *bond = port->backend;
	uint64_t before = atomic_load(&bond->senders), now = choose(bond, before);

	atomic_store(&bond->receivers, receivers_of(bond, now));
	if (now == before)
		return;
	atomic_store(&bond->senders, now);
	log_info(port->config.name, "%u of %u members in use", (unsigned)(now & 15), bond->count);
	if (bond->mode == MODE_BACKUP && now)
		announce(port, now >> 4 & 15);
}

void bond_tick(struct port *port)
{
	struct bond *bond = port->backend;
	uint64_t now = switch_now(port->sw);
	void *frame;

	for (unsigned i = 0; i < bond->count; i++) {
		bond->up[i] = is_up(bond->members[i]);
		if (bond->mode == MODE_LACP)
			lacp_link_set(&bond->lacp, i, bond->up[i], now);
	}
	for (unsigned n = 0; n < RING && !rte_ring_dequeue(bond->heard, &frame); n++)
		hear(port, frame, now);
	if (bond->mode == MODE_LACP)
		lacp_tick(&bond->lacp, now);
	for (unsigned i = 0; i < bond->count; i++)
		speak(port, i, now);
	use(port);
}

static void bond_info(const struct port *port, struct nq_port_info *out)
{
	const struct bond *bond = port->backend;
	unsigned n = atomic_load(&bond->senders) & 15;

	out->up = n;
	out->queues = 1;
	snprintf(out->text, sizeof(out->text), "%s, %u of %u members in use",
		 mode_names[bond->mode], n, bond->count);
}

static void describe(const struct bond *bond, unsigned i, char text[NQ_MEMBER_TEXT])
{
	const struct lacp_link *l = &bond->lacp.links[i];
	const uint8_t *s = l->partner.system;

	if (bond->mode != MODE_LACP)
		text[0] = '\0';
	else if (l->actor.state & LACP_DEFAULTED)
		snprintf(text, NQ_MEMBER_TEXT, "%s, nobody speaks LACP there",
			 lacp_mux_name(l->mux));
	else
		snprintf(text, NQ_MEMBER_TEXT,
			 "%s, with %02x:%02x:%02x:%02x:%02x:%02x key %u port %u",
			 lacp_mux_name(l->mux), s[0], s[1], s[2], s[3], s[4], s[5], l->partner.key,
			 l->partner.port);
}

int nq_bond_members(const struct nq_switch *sw, const char *name,
		    struct nq_member out[NQ_BOND_MEMBERS])
{
	const struct port *port = switch_port(sw, name);

	if (!port || port->ops != &port_bond)
		return -ENOENT;
	const struct bond *bond = port->backend;
	uint64_t senders = atomic_load(&bond->senders);
	for (unsigned i = 0; i < bond->count; i++) {
		out[i] = (struct nq_member){.up = bond->up[i]};
		memcpy(out[i].name, bond->members[i]->config.name, NQ_NAME);
		for (unsigned n = 1; n <= (senders & 15); n++)
			out[i].in_use |= (senders >> (4 * n) & 15) == i;
		describe(bond, i, out[i].text);
	}
	return (int)bond->count;
}

const struct port_ops port_bond = {
	.kind = {.name = "bond", .where = "MEMBER,...", .upper = true},
	.open = bond_open,
	.close = bond_close,
	.rx = bond_rx,
	.tx = bond_tx,
	.tx_queues = bond_tx_queues,
	.info = bond_info,
};
