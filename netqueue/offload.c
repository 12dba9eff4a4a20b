/* SPDX-License-Identifier: BSD-3-Clause */
/* offload: see offload.h. */
#include "netqueue/offload.h"

#include <string.h>

#include <rte_ip.h>
#include <rte_net.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "base/util.h"

#define HEAD_MOST  256u /* all headers; they must lie in one piece */
#define IP6_HEAD   40u
#define TCP_SHORT  20u
#define TCP_FIN	   0x01
#define TCP_PSH	   0x08
#define TCP_CWR	   0x80
#define PTYPES	   (RTE_PTYPE_L2_MASK | RTE_PTYPE_L3_MASK | RTE_PTYPE_L4_MASK)
#define IS_IP4(m)  ((m)->ol_flags & RTE_MBUF_F_TX_IPV4)
#define L4_AT(m)   ((uint32_t)((m)->l2_len + (m)->l3_len))
#define HEAD_OF(m) (L4_AT(m) + (m)->l4_len)

static void *at(const struct rte_mbuf *m, uint32_t offset)
{
	return rte_pktmbuf_mtod_offset(m, char *, offset);
}

/* ---- in ---- */

static uint64_t family_of(uint32_t ptype)
{
	switch (ptype & RTE_PTYPE_L3_MASK) {
	case RTE_PTYPE_L3_IPV4:
	case RTE_PTYPE_L3_IPV4_EXT:
	case RTE_PTYPE_L3_IPV4_EXT_UNKNOWN:
		return RTE_MBUF_F_TX_IPV4;
	case RTE_PTYPE_L3_IPV6:
	case RTE_PTYPE_L3_IPV6_EXT:
	case RTE_PTYPE_L3_IPV6_EXT_UNKNOWN:
		return RTE_MBUF_F_TX_IPV6;
	default:
		return 0;
	}
}

/* Bytes from the header of TCP or UDP on, as the IP header has it. */
static uint32_t l4_bytes(const struct rte_mbuf *m)
{
	if (IS_IP4(m)) {
		const struct rte_ipv4_hdr *ip = at(m, (uint32_t)m->l2_len);
		uint32_t total = rte_be_to_cpu_16(ip->total_length);

		return total > m->l3_len ? total - (uint32_t)m->l3_len : 0;
	}
	const struct rte_ipv6_hdr *ip = at(m, (uint32_t)m->l2_len);
	uint32_t total = rte_be_to_cpu_16(ip->payload_len) + IP6_HEAD;
	return total > m->l3_len ? total - (uint32_t)m->l3_len : 0;
}

static bool set_lengths(struct rte_mbuf *m, const struct rte_net_hdr_lens *lens, bool tcp)
{
	uint32_t head = (uint32_t)lens->l2_len + lens->l3_len + lens->l4_len;

	if (lens->l4_len < (tcp ? TCP_SHORT : sizeof(struct rte_udp_hdr)) || head > HEAD_MOST ||
	    head > m->data_len || m->pkt_len - lens->l2_len > UINT16_MAX)
		return false;
	m->l2_len = lens->l2_len & 0x7fu;
	m->l3_len = lens->l3_len & 0x1ffu;
	m->l4_len = lens->l4_len;
	return m->l2_len == lens->l2_len && m->l3_len == lens->l3_len;
}

static bool admit(struct rte_mbuf *m, bool segments)
{
	struct rte_net_hdr_lens lens = {0};
	uint32_t ptype = rte_net_get_ptype(m, &lens, PTYPES), l4 = ptype & RTE_PTYPE_L4_MASK;
	uint64_t family = family_of(ptype);
	uint16_t size = m->tso_segsz;
	bool tcp = l4 == RTE_PTYPE_L4_TCP;

	m->tx_offload = 0;
	if (!family || !(tcp || l4 == RTE_PTYPE_L4_UDP) || !set_lengths(m, &lens, tcp))
		return false;
	m->ol_flags |= family | (tcp ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM);
	if (!segments || m->pkt_len <= HEAD_OF(m) + size) /* one segment is none */
		return l4_bytes(m) >= m->l4_len && l4_bytes(m) <= m->pkt_len - L4_AT(m);
	m->tso_segsz = size;
	m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
	return tcp && size && offload_segments(m) <= OFFLOAD_SEGMENTS;
}

bool offload_admit(struct rte_mbuf *m)
{
	const uint64_t noted = RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_MASK;
	bool segments = m->ol_flags & RTE_MBUF_F_RX_LRO;
	bool checksum = (m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_NONE;

	m->ol_flags &= ~(noted | OFFLOAD_NEEDS);
	return !(segments || checksum) || admit(m, segments);
}

/* ---- out ---- */

void offload_finish(struct rte_mbuf *m)
{
	uint32_t l4 = L4_AT(m);
	uint16_t sum = 0, *field;
	bool tcp = (m->ol_flags & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_TCP_CKSUM;
	uint16_t pseudo = IS_IP4(m) ? rte_ipv4_phdr_cksum(at(m, (uint32_t)m->l2_len), 0)
				    : rte_ipv6_phdr_cksum(at(m, (uint32_t)m->l2_len), 0);

	field = at(m, l4 + (uint32_t)(tcp ? offsetof(struct rte_tcp_hdr, cksum)
					  : offsetof(struct rte_udp_hdr, dgram_cksum)));
	*field = 0;
	rte_raw_cksum_mbuf(m, l4, l4_bytes(m), &sum);
	uint32_t both = (uint32_t)sum + pseudo;
	sum = (uint16_t) ~((both & 0xffff) + (both >> 16));
	*field = sum || tcp ? sum : 0xffff; /* RFC 768: 0 would say that there is none */
	m->ol_flags &= ~OFFLOAD_NEEDS;
}

unsigned offload_segments(const struct rte_mbuf *m)
{
	uint32_t payload = m->pkt_len - HEAD_OF(m), size = m->tso_segsz;

	return size ? (payload + size - 1) / size : UINT32_MAX;
}

/* RFC 791 section 3.1, RFC 8200 section 3, RFC 9293 section 3.1 */
static void set_headers(struct rte_mbuf *m, const struct rte_mbuf *from, unsigned index, bool last)
{
	struct rte_tcp_hdr *tcp = at(m, L4_AT(from));
	uint16_t l3 = (uint16_t)(m->pkt_len - from->l2_len);

	if (IS_IP4(from)) {
		struct rte_ipv4_hdr *ip = at(m, (uint32_t)from->l2_len);

		ip->total_length = rte_cpu_to_be_16(l3);
		ip->packet_id =
			rte_cpu_to_be_16((uint16_t)(rte_be_to_cpu_16(ip->packet_id) + index));
		ip->hdr_checksum = 0;
		ip->hdr_checksum = (uint16_t)~rte_raw_cksum(ip, from->l3_len);
	} else {
		struct rte_ipv6_hdr *ip = at(m, (uint32_t)from->l2_len);

		ip->payload_len = rte_cpu_to_be_16((uint16_t)(l3 - IP6_HEAD));
	}
	tcp->sent_seq = rte_cpu_to_be_32(rte_be_to_cpu_32(tcp->sent_seq) + index * from->tso_segsz);
	if (!last)
		tcp->tcp_flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	if (index) /* RFC 3168 section 6.1.2: said once */
		tcp->tcp_flags &= (uint8_t)~TCP_CWR;
}

/* `len` bytes of `from`, from `offset` on, behind what `to` has. */
static bool append(struct rte_mbuf *to, const struct rte_mbuf *from, struct rte_mempool *pool,
		   uint32_t offset, uint32_t len)
{
	uint32_t first = MIN(len, (uint32_t)rte_pktmbuf_tailroom(to));
	char *room = rte_pktmbuf_append(to, (uint16_t)first);
	const void *data = rte_pktmbuf_read(from, offset, first, room);

	if (!data)
		return false;
	if (data != room)
		memcpy(room, data, first);
	if (first == len)
		return true;
	struct rte_mbuf *rest = rte_pktmbuf_copy(from, pool, offset + first, len - first);
	if (rest && !rte_pktmbuf_chain(to, rest))
		return true;
	rte_pktmbuf_free(rest);
	return false;
}

struct rte_mbuf *offload_segment(const struct rte_mbuf *m, struct rte_mempool *pool, unsigned index)
{
	uint32_t head = HEAD_OF(m), begin = head + index * m->tso_segsz;
	uint32_t len = MIN((uint32_t)m->tso_segsz, m->pkt_len - begin);
	struct rte_mbuf *s = rte_pktmbuf_alloc(pool);

	if (!s || !append(s, m, pool, 0, head) || !append(s, m, pool, begin, len)) {
		rte_pktmbuf_free(s);
		return NULL;
	}
	s->vlan_tci = m->vlan_tci;
	s->ol_flags |=
		m->ol_flags & ~(RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL);
	s->tx_offload = m->tx_offload;
	s->tso_segsz = 0;
	set_headers(s, m, index, begin + len == m->pkt_len);
	return s;
}

struct fitting {
	struct worker *w;
	const struct view *view;
	const struct view_port *out;
	struct stage part;
	unsigned can;
	offload_send send;
};

static void give(struct fitting *f, struct rte_mbuf *m)
{
	struct stage *part = &f->part;

	part->frames[part->count++] = m;
	part->bytes += m->pkt_len;
	part->flags |= m->ol_flags;
	if (part->count < NQ_BURST)
		return;
	f->send(f->w, f->view, f->out, part);
	part->count = 0, part->bytes = 0, part->flags = 0;
}

/* A frame that others hold, too, is not written to. */
static struct rte_mbuf *finished(const struct fitting *f, struct rte_mbuf *m)
{
	if (rte_mbuf_refcnt_read(m) > 1) {
		struct rte_mbuf *copy = rte_pktmbuf_copy(m, f->out->port->pool, 0, UINT32_MAX);

		rte_pktmbuf_free(m);
		m = copy;
	}
	if (m)
		offload_finish(m);
	return m;
}

static void count_lost(const struct fitting *f, uint64_t by)
{
	count_drop(port_tx_stats(f->out->port, f->w->index, 0), NQ_DROP_NO_BUFFER, by);
}

static void give_segments(struct fitting *f, struct rte_mbuf *m)
{
	unsigned count = offload_segments(m);

	for (unsigned i = 0; i < count; i++) {
		struct rte_mbuf *s = offload_segment(m, f->out->port->pool, i);

		if (s && !(f->can & OFFLOAD_CSUM))
			offload_finish(s);
		if (s)
			give(f, s);
		else
			count_lost(f, 1);
	}
	count_add(&port_tx_stats(f->out->port, f->w->index, 0)->segmented, 1);
	rte_pktmbuf_free(m);
}

static void fit(struct fitting *f, struct rte_mbuf *m)
{
	unsigned whole = IS_IP4(m) ? OFFLOAD_TSO4 : OFFLOAD_TSO6;

	if ((m->ol_flags & RTE_MBUF_F_TX_TCP_SEG) && !(f->can & whole)) {
		give_segments(f, m);
	} else if ((m->ol_flags & OFFLOAD_NEEDS) && !(f->can & OFFLOAD_CSUM)) {
		m = finished(f, m);
		if (m) {
			count_add(&port_tx_stats(f->out->port, f->w->index, 0)->checksummed, 1);
			give(f, m);
		} else {
			count_lost(f, 1);
		}
	} else {
		give(f, m);
	}
}

void offload_stage(struct worker *w, const struct view *view, const struct view_port *out,
		   struct stage *stage, unsigned can, offload_send send)
{
	struct fitting f = {.w = w, .view = view, .out = out, .can = can, .send = send};

	for (unsigned i = 0; i < stage->count; i++)
		fit(&f, stage->frames[i]);
	if (f.part.count)
		send(w, view, out, &f.part);
}
