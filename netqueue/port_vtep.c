/* SPDX-License-Identifier: BSD-3-Clause */
/* port_vtep: where tunnels end; see tunnel.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ip.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/util.h"
#include "netqueue/switch.h"
#include "netqueue/tunnel.h"

#define ETHER	    14u
#define ARP_LEN	    28u
#define TYPE_ARP    0x0806
#define TYPE_IP4    0x0800
#define ARP_REQUEST 1
#define ARP_REPLY   2
#define PROTO_ICMP  1
#define PROTO_UDP   17
#define IP_LEN	    20u
#define VXLAN_VALID 0x08 /* RFC 7348 section 5: the I flag */

static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put32(uint8_t *at, uint32_t value)
{
	const uint32_t big = rte_cpu_to_be_32(value);

	memcpy(at, &big, sizeof(big));
}

static unsigned get16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

static void put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* ---- rings, and frames of our own ---- */

struct rte_ring *tunnel_ring(const struct port *port)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "%.16s-%ut", port->sw->text, port->id);
	struct rte_ring *ring = rte_ring_create(name, TUNNEL_RING, SOCKET_ID_ANY, 0);
	if (!ring)
		log_error(port->config.name, "no memory for its ring");
	return ring;
}

void tunnel_ring_free(struct rte_ring *ring)
{
	void *frame;

	while (ring && !rte_ring_dequeue(ring, &frame))
		rte_pktmbuf_free(frame);
	rte_ring_free(ring);
}

struct rte_mbuf *tunnel_own(struct port *port, struct rte_mbuf *m)
{
	if (rte_mbuf_refcnt_read(m) == 1)
		return m;
	struct rte_mbuf *copy = rte_pktmbuf_copy(m, port->pool, 0, UINT32_MAX);
	rte_pktmbuf_free(m);
	return copy;
}

/* ---- opening ---- */

static bool parse_ip(const char *text, uint32_t *out)
{
	struct in_addr address;

	if (inet_pton(AF_INET, text, &address) != 1)
		return false;
	*out = ntohl(address.s_addr);
	return *out && *out >> 28 < 14; /* one station's */
}

/* "10.0.0.1/24[,gateway=10.0.0.254]" */
static int parse(const struct port *port, struct vtep *v)
{
	char copy[96], *rest = copy;
	uint32_t bits = 0;
	bool ok = snprintf(copy, sizeof(copy), "%s", port->config.where) < (int)sizeof(copy);
	char *address = strsep(&rest, ","), *slash = strchr(address, '/');

	if (slash)
		*slash++ = '\0';
	ok = ok && slash && parse_ip(address, &v->address) && !parse_u32(slash, 1, 31, &bits);
	v->mask = bits ? ~UINT32_C(0) << (32 - bits) : 0;
	if (ok && rest)
		ok = !strncmp(rest, "gateway=", 8) && parse_ip(rest + 8, &v->gateway) &&
		     !((v->gateway ^ v->address) & v->mask);
	if (!ok)
		return log_fail(-EINVAL, port->config.name,
				"'%.64s': such as 10.0.0.1/24,gateway=10.0.0.254 is wanted (IPv4, "
				"the gateway within)",
				port->config.where);
	if (vtep_find(port->sw, NULL, v->address))
		return log_fail(-EEXIST, port->config.name, "%s is another vtep's address",
				address);
	return 0;
}

static int vtep_open(struct port *port)
{
	struct vtep *v = calloc(1, sizeof(*v));
	int err = v ? parse(port, v) : -ENOMEM;

	if (!err) {
		v->out = tunnel_ring(port);
		err = v->out ? 0 : -ENOMEM;
	}
	if (err) {
		free(v);
		return err;
	}
	v->mac[0] = 2; /* locally administered; the same after a restart */
	v->mac[1] = 0x76;
	put32(v->mac + 2, v->address);
	port->backend = v;
	return 0;
}

static void vtep_close(struct port *port)
{
	struct vtep *v = port->backend;

	tunnel_ring_free(v->out);
	free(v);
}

/* ---- what comes for it: on workers ---- */

static void learn(struct port *port, uint32_t address, const uint8_t *mac)
{
	struct vtep *v = port->backend;
	uint64_t hop = HOP_KNOWN;

	for (int i = 0; i < 6; i++)
		hop |= (uint64_t)mac[i] << (40 - 8 * i);
	for (unsigned i = 0; i < VTEP_TUNNELS; i++) {
		struct tunnel *t = atomic_load_explicit(&v->tunnels[i], memory_order_acquire);

		if (!t || t->next_hop != address)
			continue;
		atomic_store_explicit(&t->hop, hop, memory_order_relaxed);
		atomic_store_explicit(&t->heard_ns, switch_now(port->sw), memory_order_relaxed);
	}
}

static void write_arp(uint8_t *frame, const struct vtep *v, unsigned op, const uint8_t *to,
		      uint32_t address)
{
	static const uint8_t head[6] = {0, 1, 8, 0, 6, 4}; /* RFC 826: Ethernet, IPv4 */

	memcpy(frame, to, 6);
	memcpy(frame + 6, v->mac, 6);
	put16(frame + 12, TYPE_ARP);
	memcpy(frame + ETHER, head, sizeof(head));
	put16(frame + ETHER + 6, op);
	memcpy(frame + ETHER + 8, v->mac, 6);
	put32(frame + ETHER + 14, v->address);
	if (op == ARP_REQUEST)
		memset(frame + ETHER + 18, 0, 6);
	else
		memcpy(frame + ETHER + 18, to, 6);
	put32(frame + ETHER + 24, address);
}

/* True: it goes back as an answer. */
static bool take_arp(struct port *port, uint8_t *data, unsigned len)
{
	static const uint8_t head[6] = {0, 1, 8, 0, 6, 4};
	const struct vtep *v = port->backend;
	uint8_t *arp = data + ETHER, sender[6];

	if (len < ETHER + ARP_LEN || memcmp(arp, head, sizeof(head)) != 0 ||
	    get32(arp + 24) != v->address || arp[8] & 1)
		return false;
	uint32_t address = get32(arp + 14);
	learn(port, address, arp + 8);
	if (get16(arp + 6) != ARP_REQUEST)
		return false;
	memcpy(sender, arp + 8, 6);
	write_arp(data, v, ARP_REPLY, sender, address);
	return true;
}

/* True: it goes back as an answer. RFC 792: the type is 8 (echo), and becomes 0. */
static bool take_echo(const struct vtep *v, uint8_t *data, unsigned len)
{
	uint8_t *ip = data + ETHER, *icmp = ip + IP_LEN;

	if (len < ETHER + IP_LEN + 8 || icmp[0] != 8 || icmp[1] != 0)
		return false;
	uint32_t sum = get16(icmp + 2) + 0x800u;
	icmp[0] = 0;
	put16(icmp + 2, (sum & 0xffff) + (sum >> 16));
	memcpy(data, data + 6, 6);
	memcpy(data + 6, v->mac, 6);
	memcpy(ip + 16, ip + 12, 4);
	put32(ip + 12, v->address); /* both are in the header's sum as before */
	return true;
}

static struct tunnel *find_tunnel(const struct vtep *v, uint32_t remote, uint32_t vni)
{
	for (unsigned i = 0; i < VTEP_TUNNELS; i++) {
		struct tunnel *t = atomic_load_explicit(&v->tunnels[i], memory_order_acquire);

		if (t && t->remote == remote && t->vni == vni)
			return t;
	}
	return NULL;
}

/* Whole IPv4 packets without options, to us; what is behind them in the frame is cut off. */
static bool is_ours(const struct vtep *v, struct rte_mbuf *m)
{
	const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *), *ip = data + ETHER;

	if (m->data_len < ETHER + IP_LEN + 8 || memcmp(data, v->mac, 6) != 0 || ip[0] != 0x45 ||
	    get16(ip + 6) & 0x3fff || get32(ip + 16) != v->address)
		return false;
	unsigned total = get16(ip + 2);
	if (total < IP_LEN + 8 || total + ETHER > m->pkt_len ||
	    (uint16_t)rte_raw_cksum(ip, IP_LEN) != 0xffff)
		return false;
	unsigned behind = m->pkt_len - ETHER - total;
	return !behind || rte_pktmbuf_trim(m, (uint16_t)behind) == 0;
}

/* True: it is in the tunnel. RFC 7348 section 5. */
static bool take_vxlan(const struct vtep *v, struct rte_mbuf *m)
{
	const uint8_t *ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, ETHER);
	const uint8_t *udp = ip + IP_LEN, *vxlan = udp + 8;

	if (m->data_len < VXLAN_HEADERS + ETHER || get16(udp + 2) != VXLAN_PORT ||
	    get16(udp + 4) != m->pkt_len - ETHER - IP_LEN || !(vxlan[0] & VXLAN_VALID))
		return false;
	struct tunnel *t = find_tunnel(v, get32(ip + 12), get32(vxlan + 4) >> 8);
	if (!t || !rte_pktmbuf_adj(m, VXLAN_HEADERS))
		return false;
	m->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
	return rte_ring_enqueue(t->in, m) == 0;
}

/* True: it is somebody else's now. */
static bool take(struct port *port, struct rte_mbuf *m)
{
	struct vtep *v = port->backend;
	uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);

	if (m->data_len < ETHER)
		return false;
	if (get16(data + 12) == TYPE_ARP)
		return take_arp(port, data, m->data_len) && vtep_send(v, m);
	if (get16(data + 12) != TYPE_IP4 || !is_ours(v, m))
		return false;
	if (data[ETHER + 9] == PROTO_ICMP)
		return take_echo(v, data, m->data_len) && vtep_send(v, m);
	return data[ETHER + 9] == PROTO_UDP && take_vxlan(v, m);
}

static void vtep_tx(struct port *port, unsigned queue, struct rte_mbuf **frames, uint16_t count,
		    uint64_t bytes, struct nq_stats *stats)
{
	uint64_t sent = 0;

	(void)queue;
	for (unsigned i = 0; i < count; i++) {
		uint32_t len = frames[i]->pkt_len;
		struct rte_mbuf *m = tunnel_own(port, frames[i]);

		if (!m) {
			count_drop(stats, NQ_DROP_NO_BUFFER, 1);
			bytes -= len;
		} else if (take(port, m)) {
			sent++;
		} else {
			port_drop(&m, 1, stats, NQ_DROP_NOWHERE);
			bytes -= len;
		}
	}
	count_sent(stats, sent, bytes);
}

static uint16_t vtep_rx(struct port *port, unsigned queue, struct rte_mbuf **frames, uint16_t count)
{
	const struct vtep *v = port->backend;

	(void)queue;
	return (uint16_t)rte_ring_dequeue_burst(v->out, (void **)frames, count, NULL);
}

static unsigned vtep_tx_queues(const struct port *port)
{
	(void)port;
	return 1;
}

/* ---- the control thread ---- */

struct port *vtep_find(const struct nq_switch *sw, const char *name, uint32_t address)
{
	for (unsigned id = 0; id < NQ_PORTS; id++) {
		struct port *port = sw->ports[id];

		if (port && port->ops == &port_vtep &&
		    (name ? !strcmp(port->config.name, name)
			  : ((const struct vtep *)port->backend)->address == address))
			return port;
	}
	return NULL;
}

int vtep_join(struct port *port, struct tunnel *t)
{
	struct vtep *v = port->backend;
	const char *name = t->port->config.name;
	unsigned i = 0;

	if (find_tunnel(v, t->remote, t->vni))
		return log_fail(-EEXIST, name, "there is such a tunnel already");
	t->next_hop = (t->remote ^ v->address) & v->mask ? v->gateway : t->remote;
	if (!t->next_hop)
		return log_fail(-EHOSTUNREACH, name, "%s has no gateway to get there",
				port->config.name);
	while (i < VTEP_TUNNELS && atomic_load(&v->tunnels[i]))
		i++;
	if (i == VTEP_TUNNELS)
		return log_fail(-ENOSPC, name, "%d tunnels are the most of a vtep", VTEP_TUNNELS);
	t->vtep = port;
	port->tunnels++;
	/* Release: what workers find there is complete. */
	atomic_store_explicit(&v->tunnels[i], t, memory_order_release);
	return 0;
}

void vtep_leave(struct tunnel *t)
{
	struct vtep *v = t->vtep->backend;

	for (unsigned i = 0; i < VTEP_TUNNELS; i++)
		if (atomic_load(&v->tunnels[i]) == t)
			atomic_store(&v->tunnels[i], NULL);
	t->vtep->tunnels--;
	switch_wait(t->vtep->sw);
}

void vtep_ask(const struct tunnel *t)
{
	struct vtep *v = t->vtep->backend;
	struct rte_mbuf *m = rte_pktmbuf_alloc(t->vtep->pool);

	if (!m)
		return;
	uint8_t *data = (uint8_t *)rte_pktmbuf_append(m, 60);
	memset(data, 0, 60);
	write_arp(data, v, ARP_REQUEST, broadcast, t->next_hop);
	if (!vtep_send(v, m))
		rte_pktmbuf_free(m);
}

static void vtep_info(const struct port *port, struct nq_port_info *out)
{
	const struct vtep *v = port->backend;
	const uint8_t *m = v->mac;

	out->up = true;
	out->queues = 1;
	snprintf(out->text, sizeof(out->text), "%02x:%02x:%02x:%02x:%02x:%02x, %u tunnels", m[0],
		 m[1], m[2], m[3], m[4], m[5], port->tunnels);
}

const struct port_ops port_vtep = {
	.kind = {.name = "vtep", .where = "ADDRESS/BITS"},
	.open = vtep_open,
	.close = vtep_close,
	.rx = vtep_rx,
	.tx = vtep_tx,
	.tx_queues = vtep_tx_queues,
	.info = vtep_info,
};
