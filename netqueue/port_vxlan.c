/* SPDX-License-Identifier: BSD-3-Clause */
/* port_vxlan: one tunnel; see tunnel.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_udp.h>
#include <rte_vxlan.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/util.h"
#include "netqueue/flow.h"
#include "netqueue/switch.h"
#include "netqueue/tunnel.h"

#define ETHER	   14u
#define TTL	   64
#define ASK_NS	   UINT64_C(1000000000)	 /* between two questions */
#define REFRESH_NS UINT64_C(30000000000) /* when an answer is so old, ask again */
#define FORGET_NS  UINT64_C(60000000000) /* and then nobody is there */

struct headers {
	uint8_t ether[ETHER];
	struct rte_ipv4_hdr ip;
	struct rte_udp_hdr udp;
	struct rte_vxlan_hdr vxlan;
} __attribute__((packed, aligned(2)));
_Static_assert(sizeof(struct headers) == VXLAN_HEADERS, "RFC 7348 section 5");

/* ---- opening ---- */

struct spec {
	uint32_t remote, local, vni;
	const char *via;
	bool has_vni;
};

static bool parse_ip(const char *text, uint32_t *out)
{
	struct in_addr address;

	if (inet_pton(AF_INET, text, &address) != 1)
		return false;
	*out = ntohl(address.s_addr);
	return *out && *out >> 28 < 14; /* one station's */
}

static bool parse_word(const char *word, struct spec *spec)
{
	if (!strncmp(word, "vni=", 4)) {
		spec->has_vni = true;
		return !parse_u32(word + 4, 0, 0xffffff, &spec->vni);
	}
	if (!strncmp(word, "local=", 6))
		return parse_ip(word + 6, &spec->local);
	if (strncmp(word, "via=", 4) != 0)
		return false;
	spec->via = word + 4;
	return true;
}

/* "10.0.0.2,vni=42,local=10.0.0.1[,via=VTEP]"; `via` points into `copy`. */
static int parse(const struct port *port, char copy[128], struct spec *spec)
{
	char *rest = copy, *word;
	bool ok = snprintf(copy, 128, "%s", port->config.where) < 128;

	*spec = (struct spec){0};
	ok = ok && parse_ip(strsep(&rest, ","), &spec->remote);
	while (ok && (word = strsep(&rest, ",")))
		ok = parse_word(word, spec);
	if (ok && spec->has_vni && (spec->local || spec->via))
		return 0;
	return log_fail(-EINVAL, port->config.name,
			"'%.64s': such as 10.0.0.2,vni=42,local=10.0.0.1 is wanted (IPv4; or "
			"via=VTEP for local)",
			port->config.where);
}

static int join(struct port *port, struct tunnel *t)
{
	char copy[128];
	struct spec spec;
	int err = parse(port, copy, &spec);

	if (err)
		return err;
	struct port *vtep = vtep_find(port->sw, spec.via, spec.local);
	if (!vtep)
		return log_fail(-ENOENT, port->config.name,
				"no port of kind vtep has that address or name; add it first");
	if (!strcmp(vtep->config.bridge, port->config.bridge))
		return log_fail(
			-EINVAL, port->config.name,
			"bridge %s is what the tunnel goes through; it belongs into another",
			port->config.bridge);
	t->remote = spec.remote;
	t->vni = spec.vni;
	t->in = tunnel_ring(port);
	err = t->in ? vtep_join(vtep, t) : -ENOMEM;
	/* What is larger would be too large for the underlay. */
	if (!err)
		port->config.mtu = MIN(port->config.mtu, vtep->config.mtu - VXLAN_HEADERS);
	return err;
}

static int vxlan_open(struct port *port)
{
	struct tunnel *t = calloc(1, sizeof(*t));

	if (!t)
		return log_fail(-ENOMEM, port->config.name, "no memory");
	t->port = port;
	int err = join(port, t);
	if (err) {
		tunnel_ring_free(t->in);
		free(t);
		return err;
	}
	port->backend = t;
	return 0;
}

static void vxlan_close(struct port *port)
{
	struct tunnel *t = port->backend;

	vtep_leave(t);
	tunnel_ring_free(t->in);
	free(t);
}

/* ---- frames ---- */

static uint16_t vxlan_rx(struct port *port, unsigned queue, struct rte_mbuf **frames,
			 uint16_t count)
{
	const struct tunnel *t = port->backend;

	(void)queue;
	return (uint16_t)rte_ring_dequeue_burst(t->in, (void **)frames, count, NULL);
}

static void write_ip(struct rte_ipv4_hdr *ip, const struct tunnel *t, const struct vtep *v,
		     uint32_t length)
{
	*ip = (struct rte_ipv4_hdr){
		.version_ihl = 0x45,
		.total_length = rte_cpu_to_be_16((uint16_t)length),
		.fragment_offset = rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG), /* section 4.3 */
		.time_to_live = TTL,
		.next_proto_id = 17,
		.src_addr = rte_cpu_to_be_32(v->address),
		.dst_addr = rte_cpu_to_be_32(t->remote),
	};
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

/* False: no room in front. */
static bool wrap(const struct tunnel *t, struct rte_mbuf *m, uint64_t hop)
{
	const struct vtep *v = t->vtep->backend;
	uint32_t flow = flow_hash(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len);
	struct headers *h = (struct headers *)rte_pktmbuf_prepend(m, VXLAN_HEADERS);

	if (!h)
		return false;
	for (int i = 0; i < 6; i++)
		h->ether[i] = (uint8_t)(hop >> (40 - 8 * i));
	memcpy(h->ether + 6, v->mac, 6);
	h->ether[12] = 8;
	h->ether[13] = 0;
	struct rte_ipv4_hdr ip;
	write_ip(&ip, t, v, m->pkt_len - ETHER);
	memcpy(&h->ip, &ip, sizeof(ip));
	/* Section 5: the source port tells flows apart, from the dynamic range; no checksum. */
	h->udp = (struct rte_udp_hdr){
		.src_port = rte_cpu_to_be_16((uint16_t)(49152 | (flow & 0x3fff))),
		.dst_port = rte_cpu_to_be_16(VXLAN_PORT),
		.dgram_len = rte_cpu_to_be_16((uint16_t)(m->pkt_len - ETHER - sizeof(h->ip))),
	};
	h->vxlan.vx_flags = rte_cpu_to_be_32(0x08000000);
	h->vxlan.vx_vni = rte_cpu_to_be_32(t->vni << 8);
	return true;
}

static void vxlan_tx(struct port *port, unsigned queue, struct rte_mbuf **frames, uint16_t count,
		     uint64_t bytes, struct nq_stats *stats)
{
	struct tunnel *t = port->backend;
	uint64_t hop = atomic_load_explicit(&t->hop, memory_order_relaxed), sent = 0;

	(void)queue;
	if (!hop) {
		port_drop(frames, count, stats, NQ_DROP_UNRESOLVED);
		return;
	}
	for (unsigned i = 0; i < count; i++) {
		uint32_t len = frames[i]->pkt_len;
		struct rte_mbuf *m = tunnel_own(port, frames[i]);

		if (m && wrap(t, m, hop) && vtep_send(t->vtep->backend, m)) {
			sent++;
			continue;
		}
		bytes -= len;
		if (m)
			port_drop(&m, 1, stats, NQ_DROP_FULL);
		else
			count_drop(stats, NQ_DROP_NO_BUFFER, 1);
	}
	count_sent(stats, sent, bytes);
}

static unsigned vxlan_tx_queues(const struct port *port)
{
	(void)port;
	return 1;
}

/* ---- the control thread ---- */

void vxlan_tick(struct port *port)
{
	struct tunnel *t = port->backend;
	uint64_t now = switch_now(port->sw), heard = atomic_load(&t->heard_ns);
	uint64_t age = now > heard ? now - heard : 0;
	bool known = atomic_load(&t->hop);

	if (known && age > FORGET_NS)
		atomic_store(&t->hop, 0);
	if ((known && age < REFRESH_NS) || (t->asked_ns && now - t->asked_ns < ASK_NS))
		return;
	t->asked_ns = now;
	vtep_ask(t);
}

static void vxlan_info(const struct port *port, struct nq_port_info *out)
{
	const struct tunnel *t = port->backend;
	uint64_t hop = atomic_load(&t->hop);
	const struct in_addr next = {htonl(t->next_hop)};
	char text[INET_ADDRSTRLEN];

	out->up = hop;
	out->queues = 1;
	inet_ntop(AF_INET, &next, text, sizeof(text));
	if (hop)
		snprintf(out->text, sizeof(out->text), "vni %u, by %s at %012llx", t->vni, text,
			 (unsigned long long)(hop & ~HOP_KNOWN));
	else
		snprintf(out->text, sizeof(out->text), "vni %u, %s does not answer", t->vni, text);
}

const struct port_ops port_vxlan = {
	.kind = {.name = "vxlan", .where = "REMOTE,vni=N,local=ADDRESS", .upper = true},
	.open = vxlan_open,
	.close = vxlan_close,
	.rx = vxlan_rx,
	.tx = vxlan_tx,
	.tx_queues = vxlan_tx_queues,
	.info = vxlan_info,
};
