/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * forward: a burst of frames from one port to where they belong.
 *
 * Inside, a frame has no tag of the VLAN it travels in: that stands in the mbuf's vlan_tci
 * (priority and all), and is put in front again by ports that want it. First all frames of the
 * burst are looked at and their table lines fetched, then all are looked up; frames to one port
 * wait in its stage and leave together at the end of the burst.
 */
#include <string.h>

#include <rte_byteorder.h>
#include <rte_prefetch.h>

#include "base/util.h"
#include "netqueue/capture.h"
#include "netqueue/flow.h"
#include "netqueue/port_bond.h"
#include "netqueue/security.h"
#include "netqueue/switch.h"

#define ETHER	      14u
#define TAG	      4u
#define TYPE_VLAN     0x8100u
#define BROADCAST     UINT64_C(0xffffffffffff)
/* IEEE 802.1Q table 8-1: not forwarded by any bridge. */
#define RESERVED      UINT64_C(0x0180c2000000)
#define IS_GROUP(mac) ((mac) >> 40 & 1)
#define VID(tci)      ((uint16_t)((tci)&0xfff))

#define PASS (-1)

struct burst {
	unsigned count;
	struct rte_mbuf *frames[NQ_BURST];
	uint64_t source[NQ_BURST], target[NQ_BURST]; /* keys of the table */
	uint64_t bytes;
};

/* ---- tags ---- */

static uint16_t read16(const struct rte_mbuf *m, unsigned at)
{
	uint16_t value;

	memcpy(&value, rte_pktmbuf_mtod_offset(m, const char *, at), sizeof(value));
	return rte_be_to_cpu_16(value);
}

static void strip_tag(struct rte_mbuf *m)
{
	char *data = rte_pktmbuf_mtod(m, char *);

	memmove(data + TAG, data, 12);
	rte_pktmbuf_adj(m, TAG);
}

/* The frame must be ours alone. False: no room in front, which our own pool always leaves. */
static bool push_tag(struct rte_mbuf *m)
{
	char *data = rte_pktmbuf_prepend(m, TAG);

	if (!data)
		return false;
	memmove(data, data + TAG, 12);
	const uint16_t tag[2] = {rte_cpu_to_be_16(TYPE_VLAN), rte_cpu_to_be_16(m->vlan_tci)};
	memcpy(data + 12, tag, sizeof(tag));
	return true;
}

/* Which VLAN the frame belongs to, by IEEE 802.1Q clause 6.9: into vlan_tci, and the tag off. */
static int take_vlan(const struct nq_vlan_rules *rules, struct rte_mbuf *m)
{
	bool tagged = rules->mode != NQ_VLAN_TUNNEL && read16(m, 12) == TYPE_VLAN;
	uint16_t tci = 0;

	if (tagged) {
		if (m->data_len < ETHER + TAG)
			return NQ_DROP_RUNT;
		tci = read16(m, 14);
		if (VID(tci) && rules->mode == NQ_VLAN_ACCESS)
			return NQ_DROP_VLAN;
	}
	if (!VID(tci)) /* only a priority, or no tag at all */
		tci = (uint16_t)(tci | rules->vlan);
	if (!vlan_allowed(rules, VID(tci)))
		return NQ_DROP_VLAN;
	if (tagged)
		strip_tag(m);
	m->vlan_tci = tci;
	return PASS;
}

/* ---- copies for those who look ---- */

static void stage_frame(struct worker *w, const struct view *view, const struct view_port *out,
			struct rte_mbuf *m);

static void look(struct worker *w, const struct view *view, const struct view_port *at,
		 const struct rte_mbuf *m, bool outgoing)
{
	if (at->capture)
		capture_offer(at->capture, m, outgoing, w->now_ns);
	if (at->mirror == NQ_NO_PORT)
		return;
	struct rte_mbuf *copy = rte_pktmbuf_copy(m, at->port->pool, 0, UINT32_MAX);
	if (copy)
		stage_frame(w, view, view->ports[at->mirror], copy);
	else
		count_drop(&at->port->counters[w->index].stats, NQ_DROP_NO_BUFFER, 1);
}

static bool is_looked_at(const struct view_port *at)
{
	return at->capture || at->mirror != NQ_NO_PORT;
}

/* ---- out ---- */

/* A port with more queues than there are workers: each worker has those that are its own (its
 * number, and every so many on), and keeps the frames of a flow in one of them. */
static void flush_by_flow(struct worker *w, const struct view_port *out, unsigned queues)
{
	struct stage *stage = &w->stages[out->id], part[NQ_QUEUES];
	unsigned step = MAX(w->sw->options.workers, 1u);
	struct port *port = out->port;

	for (unsigned i = 0; i < queues; i++)
		part[i].count = 0, part[i].bytes = 0;
	for (unsigned i = 0; i < stage->count; i++) {
		struct rte_mbuf *m = stage->frames[i];
		uint32_t hash = flow_hash(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len);
		struct stage *to = &part[hash % queues];

		to->frames[to->count++] = m;
		to->bytes += m->pkt_len;
	}
	for (unsigned i = 0; i < queues; i++)
		if (part[i].count)
			port->ops->tx(port, w->index + i * step, part[i].frames, part[i].count,
				      part[i].bytes, &port->counters[w->index].stats);
}

static void flush(struct worker *w, const struct view_port *out)
{
	unsigned workers = MAX(w->sw->options.workers, 1u);
	unsigned ours = (out->tx_queues + workers - 1 - w->index) / workers;
	struct stage *stage = &w->stages[out->id];
	struct port *port = out->port;

	if (ours > 1)
		flush_by_flow(w, out, ours);
	else
		port->ops->tx(port, w->index % out->tx_queues, stage->frames, stage->count,
			      stage->bytes, &port->counters[w->index].stats);
	stage->count = 0;
	stage->bytes = 0;
}

static void stage_frame(struct worker *w, const struct view *view, const struct view_port *out,
			struct rte_mbuf *m)
{
	struct stage *stage = &w->stages[out->id];

	if (!stage->count)
		w->dirty[w->dirty_count++] = out->id;
	stage->frames[stage->count++] = m;
	stage->bytes += m->pkt_len;
	if (unlikely(is_looked_at(out)) && out->bridge != VIEW_NO_BRIDGE)
		look(w, view, out, m, true);
	if (stage->count == NQ_BURST) {
		flush(w, out);
		unsigned i = 0;
		while (w->dirty[i] != out->id)
			i++;
		w->dirty[i] = w->dirty[--w->dirty_count];
	}
}

static void flush_all(struct worker *w, const struct view *view)
{
	for (unsigned i = 0; i < w->dirty_count; i++)
		flush(w, view->ports[w->dirty[i]]);
	w->dirty_count = 0;
}

/* To one port. */
static void unicast(struct worker *w, const struct view *view, const struct view_port *in,
		    const struct view_port *out, struct rte_mbuf *m, struct nq_stats *stats)
{
	enum nq_drop why = NQ_DROPS;

	if (out == in)
		why = NQ_DROP_HAIRPIN;
	else if (in->rules.isolated && out->rules.isolated)
		why = NQ_DROP_ISOLATED;
	else if (!vlan_allowed(&out->rules.vlan, VID(m->vlan_tci)))
		why = NQ_DROP_NOWHERE;
	else if (m->pkt_len > out->max_frame)
		why = NQ_DROP_OVERSIZE;
	else if (vlan_tagged(&out->rules.vlan, VID(m->vlan_tci)) && !push_tag(m))
		why = NQ_DROP_NO_BUFFER;
	if (likely(why == NQ_DROPS))
		stage_frame(w, view, out, m);
	else
		port_drop(&m, 1, stats, why);
}

struct flood {
	unsigned plain_count, tagged_count;
	uint16_t plain[NQ_PORTS], tagged[NQ_PORTS];
};

static void flood_targets(const struct view *view, const struct view_port *in,
			  const struct rte_mbuf *m, bool unknown, struct flood *flood)
{
	uint16_t vlan = VID(m->vlan_tci);
	const struct view_bridge *bridge = &view->bridges[in->bridge];

	for (unsigned i = 0; i < bridge->count; i++) {
		const struct view_port *out = view->ports[bridge->ports[i]];

		if (out == in || !vlan_allowed(&out->rules.vlan, vlan) ||
		    m->pkt_len > out->max_frame || (in->rules.isolated && out->rules.isolated) ||
		    (unknown && out->rules.no_unknown))
			continue;
		if (vlan_tagged(&out->rules.vlan, vlan))
			flood->tagged[flood->tagged_count++] = out->id;
		else
			flood->plain[flood->plain_count++] = out->id;
	}
}

/* One frame for many: each receiver gives back one reference. */
static void stage_shared(struct worker *w, const struct view *view, const uint16_t *targets,
			 unsigned count, struct rte_mbuf *m)
{
	if (count > 1)
		rte_pktmbuf_refcnt_update(m, (int16_t)(count - 1));
	for (unsigned i = 0; i < count; i++)
		stage_frame(w, view, view->ports[targets[i]], m);
}

/* To all ports of the VLAN. Where some want a tag and some do not, one copy serves the former. */
static void flood(struct worker *w, const struct view *view, const struct view_port *in,
		  struct rte_mbuf *m, bool unknown, struct nq_stats *stats)
{
	struct flood to;
	struct rte_mbuf *tagged = m;

	to.plain_count = to.tagged_count = 0;
	flood_targets(view, in, m, unknown, &to);
	if (!to.plain_count && !to.tagged_count) {
		port_drop(&m, 1, stats, NQ_DROP_NOWHERE);
		return;
	}
	if (to.plain_count + to.tagged_count > 1)
		count_add(&stats->floods, 1);
	if (to.plain_count && to.tagged_count) {
		tagged = rte_pktmbuf_copy(m, in->port->pool, 0, UINT32_MAX);
		if (tagged) {
			tagged->vlan_tci = m->vlan_tci;
			count_add(&stats->copies, 1);
		}
	}
	if (to.tagged_count && (!tagged || !push_tag(tagged))) {
		count_drop(stats, NQ_DROP_NO_BUFFER, to.tagged_count);
		rte_pktmbuf_free(tagged);
		to.tagged_count = 0;
	}
	if (to.tagged_count)
		stage_shared(w, view, to.tagged, to.tagged_count, tagged);
	if (to.plain_count)
		stage_shared(w, view, to.plain, to.plain_count, m);
}

/* ---- in ---- */

/* Reads two bytes more than an address has. */
static uint64_t mac_at(const struct rte_mbuf *m, unsigned at)
{
	uint64_t value;

	memcpy(&value, rte_pktmbuf_mtod_offset(m, const char *, at), sizeof(value));
	return rte_be_to_cpu_64(value) >> 16;
}

static int slow_checks(struct worker *w, const struct view_port *in, const struct rte_mbuf *m,
		       uint64_t target)
{
	struct limit_clock *clocks = in->port->clocks;
	const struct limit *limits = in->limits;

	if (!security_allows(&in->rules.security, rte_pktmbuf_mtod(m, const uint8_t *),
			     m->data_len))
		return NQ_DROP_SECURITY;
	if (target == BROADCAST) {
		if (limits[LIMIT_BROADCAST].cost &&
		    !limit_pass(&limits[LIMIT_BROADCAST], &clocks[LIMIT_BROADCAST], w->now_ns, 1))
			return NQ_DROP_STORM_BROADCAST;
	} else if (IS_GROUP(target) && limits[LIMIT_MULTICAST].cost &&
		   !limit_pass(&limits[LIMIT_MULTICAST], &clocks[LIMIT_MULTICAST], w->now_ns, 1)) {
		return NQ_DROP_STORM_MULTICAST;
	}
	if (limits[LIMIT_RATE].cost &&
	    !limit_pass(&limits[LIMIT_RATE], &clocks[LIMIT_RATE], w->now_ns, m->pkt_len))
		return NQ_DROP_RATE;
	return PASS;
}

/* PASS, or why the frame goes no further. */
static int admit(struct worker *w, const struct view_port *in, struct rte_mbuf *m,
		 uint64_t *source_key, uint64_t *target_key)
{
	if (unlikely(m->data_len < ETHER))
		return NQ_DROP_RUNT;
	if (unlikely(m->pkt_len > in->max_frame))
		return NQ_DROP_OVERSIZE;
	uint64_t target = mac_at(m, 0);
	/* Eight bytes from the source on: with the type they are 14, which there are. */
	uint64_t source = mac_at(m, 6);

	if (unlikely(IS_GROUP(source) || !source))
		return NQ_DROP_SOURCE;
	if (unlikely((target & ~UINT64_C(15)) == RESERVED))
		return NQ_DROP_RESERVED;
	int why = take_vlan(&in->rules.vlan, m);
	if (why == PASS && unlikely(in->checks))
		why = slow_checks(w, in, m, target);
	if (unlikely(why != PASS))
		return why;
	uint64_t domain = (uint64_t)in->bridge << 12 | VID(m->vlan_tci);
	*source_key = FDB_KEY(domain, source);
	*target_key = FDB_KEY(domain, target);
	return PASS;
}

static void take_in(struct worker *w, const struct view_port *in, struct rte_mbuf **frames,
		    unsigned count, struct burst *burst, struct nq_stats *stats)
{
	for (unsigned i = 0; i < count; i++)
		rte_prefetch0(rte_pktmbuf_mtod(frames[i], void *));
	for (unsigned i = 0; i < count; i++) {
		unsigned n = burst->count;

		burst->bytes += frames[i]->pkt_len;
		int why = admit(w, in, frames[i], &burst->source[n], &burst->target[n]);
		if (unlikely(why != PASS)) {
			port_drop(&frames[i], 1, stats, (enum nq_drop)why);
			continue;
		}
		burst->frames[n] = frames[i];
		if (!n || burst->target[n] != burst->target[n - 1])
			fdb_prefetch(&w->sw->fdb, burst->target[n]);
		burst->count++;
	}
}

static void learn(struct worker *w, const struct view_port *in, const struct burst *burst,
		  struct nq_stats *stats)
{
	uint32_t now_s = (uint32_t)(w->now_ns / 1000000000);
	uint64_t last = 0;

	for (unsigned i = 0; i < burst->count; i++) {
		if (burst->source[i] == last)
			continue;
		last = burst->source[i];
		switch (fdb_learn(&w->sw->fdb, last, in->id, in->rules.mac_limit, now_s)) {
		case FDB_NEW:
			count_add(&stats->learned, 1);
			break;
		case FDB_MOVED:
			count_add(&stats->moved, 1);
			break;
		case FDB_REFUSED:
			count_add(&stats->learn_refused, 1);
			break;
		case FDB_OLD:
		case FDB_LATER:
			break;
		}
	}
}

static void unknown_unicast(struct worker *w, const struct view *view, const struct view_port *in,
			    struct rte_mbuf *m, struct nq_stats *stats)
{
	if (in->limits[LIMIT_UNKNOWN].cost &&
	    !limit_pass(&in->limits[LIMIT_UNKNOWN], &in->port->clocks[LIMIT_UNKNOWN], w->now_ns, 1))
		port_drop(&m, 1, stats, NQ_DROP_STORM_UNKNOWN);
	else
		flood(w, view, in, m, true, stats);
}

static void send_out(struct worker *w, const struct view *view, const struct view_port *in,
		     const struct burst *burst, struct nq_stats *stats)
{
	const struct view_port *out = NULL;
	uint64_t last = 0;

	for (unsigned i = 0; i < burst->count; i++) {
		uint64_t key = burst->target[i];
		struct rte_mbuf *m = burst->frames[i];

		if (IS_GROUP(key & BROADCAST)) {
			flood(w, view, in, m, false, stats);
			continue;
		}
		if (key != last) {
			uint64_t value = fdb_lookup(&w->sw->fdb, key);

			out = value ? view->ports[FDB_PORT(value)] : NULL;
			if (out && unlikely(out->bridge != in->bridge))
				out = NULL;
			last = key;
		}
		if (likely(out != NULL))
			unicast(w, view, in, out, m, stats);
		else
			unknown_unicast(w, view, in, m, stats);
	}
}

/* From a port that is in no bridge, or is a bond: the port that the frames count as come in by,
 * with what is left of them, or NULL. */
static const struct view_port *aside(struct worker *w, const struct view *view,
				     const struct view_port *in, struct rte_mbuf **frames,
				     unsigned *count)
{
	struct nq_stats *stats = &in->port->counters[w->index].stats;
	uint64_t bytes = 0;

	if (in->port->ops == &port_bond) { /* its own words, each by a member */
		for (unsigned i = 0; i < *count; i++)
			if (view->ports[frames[i]->port])
				stage_frame(w, view, view->ports[frames[i]->port], frames[i]);
			else
				port_drop(&frames[i], 1, stats, NQ_DROP_DOWN);
		flush_all(w, view);
		return NULL;
	}
	if (in->bond == NQ_NO_PORT) {
		count_add(&stats->rx_bytes, port_drop(frames, *count, stats, NQ_DROP_NOWHERE));
		return NULL;
	}
	const struct view_port *bond = view->ports[in->bond];
	for (unsigned i = 0; i < *count; i++)
		bytes += frames[i]->pkt_len;
	count_add(&stats->rx_bytes, bytes);
	*count = bond_take(bond->port, in->port, frames, *count, stats);
	if (bond->bridge != VIEW_NO_BRIDGE)
		return bond;
	port_drop(frames, *count, stats, NQ_DROP_NOWHERE);
	return NULL;
}

void forward(struct worker *w, const struct view *view, const struct view_port *in,
	     struct rte_mbuf **frames, unsigned count)
{
	struct nq_stats *stats = &in->port->counters[w->index].stats;
	struct burst burst;

	burst.count = 0;
	burst.bytes = 0;
	count_add(&stats->rx_packets, count);
	if (unlikely(in->aside)) {
		in = aside(w, view, in, frames, &count);
		if (!in)
			return;
		stats = &in->port->counters[w->index].stats;
		count_add(&stats->rx_packets, count);
	}
	if (unlikely(is_looked_at(in)))
		for (unsigned i = 0; i < count; i++)
			look(w, view, in, frames[i], false);
	take_in(w, in, frames, count, &burst, stats);
	count_add(&stats->rx_bytes, burst.bytes);
	if (likely(!in->rules.no_learn))
		learn(w, in, &burst, stats);
	send_out(w, view, in, &burst, stats);
	flush_all(w, view);
}
