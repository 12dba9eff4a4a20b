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
#include <rte_cycles.h>
#include <rte_prefetch.h>

#include "base/util.h"
#include "netqueue/acl.h"
#include "netqueue/capture.h"
#include "netqueue/flow.h"
#include "netqueue/offload.h"
#include "netqueue/port_bond.h"
#include "netqueue/security.h"
#include "netqueue/shaper.h"
#include "netqueue/snoop.h"
#include "netqueue/switch.h"
#include "netqueue/trace.h"

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
	if (unlikely(m->ol_flags & OFFLOAD_NEEDS))
		m->l2_len = (m->l2_len - TAG) & 0x7f;
}

/* The frame must be ours alone. False: no room in front, which our own pool always leaves. */
static bool push_tag(struct rte_mbuf *m)
{
	char *data = rte_pktmbuf_prepend(m, TAG);

	if (!data)
		return false;
	memmove(data, data + TAG, 12);
	if (unlikely(m->ol_flags & OFFLOAD_NEEDS))
		m->l2_len = (m->l2_len + TAG) & 0x7f;
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
		count_drop(port_tx_stats(at->port, w->index, 0), NQ_DROP_NO_BUFFER, 1);
}

static bool is_looked_at(const struct view_port *at)
{
	return at->capture || at->mirror != NQ_NO_PORT;
}

/* ---- out ---- */

static void tx(struct worker *w, const struct view_port *out, unsigned queue, struct stage *stage)
{
	struct port *port = out->port;

	port->ops->tx(port, queue, stage->frames, stage->count, stage->bytes,
		      port_tx_stats(port, w->index, MIN(queue, port->counted - 1)));
}

/* A port with more queues than there are workers: each worker has those that are its own (its
 * number, and every so many on), and keeps the frames of a flow in one of them. */
static void transmit_by_flow(struct worker *w, const struct view_port *out, unsigned queues,
			     unsigned step, const struct stage *stage)
{
	struct stage part[NQ_QUEUES];

	if (!queues) /* a port has at least one */
		return;
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
			tx(w, out, w->index % step + i * step, &part[i]);
}

void transmit(struct worker *w, const struct view *view, const struct view_port *out,
	      struct stage *stage)
{
	unsigned workers = view->workers, index = w->index % workers;
	unsigned ours = (out->tx_queues + workers - 1 - index) / workers;

	if (ours > 1)
		transmit_by_flow(w, out, ours, workers, stage);
	else
		tx(w, out, index % out->tx_queues, stage);
}

/* What the port's rules leave of the stage. */
static void filter_out(struct worker *w, const struct view_port *out, struct stage *stage)
{
	uint32_t denied = acl_denied(out->acl_out, w->index, stage->frames, stage->count);
	struct nq_stats *stats = port_tx_stats(out->port, w->index, 0);
	uint16_t count = 0;

	for (unsigned i = 0; i < stage->count; i++) {
		if (denied >> i & 1)
			stage->bytes -= port_drop(&stage->frames[i], 1, stats, NQ_DROP_ACL_OUT);
		else
			stage->frames[count++] = stage->frames[i];
	}
	stage->count = count;
}

static void send_stage(struct worker *w, const struct view *view, const struct view_port *out,
		       struct stage *stage)
{
	if (unlikely(out->shaped))
		shaper_stage(w, view, out, stage);
	else
		transmit(w, view, out, stage);
}

/* Frames that want more than a look at their addresses. */
static void send_special(struct worker *w, const struct view *view, const struct view_port *out,
			 struct stage *stage)
{
	const struct port *port = out->port;
	unsigned can = port->ops->offloads ? port->ops->offloads(port) : 0;

	for (unsigned i = 0; i < stage->count; i++)
		trace_step(w->sw->trace, stage->frames[i], out->id, NQ_STEP_OUT, 0, w->now_ns);
	offload_stage(w, view, out, stage, can, send_stage);
}

/* Ends a stage of a burst that is timed. */
static void clock_stage(struct worker *w, enum nq_stage stage)
{
	uint64_t now = rte_rdtsc();

	count_add(&w->cycles[stage], now - w->timed_at);
	w->timed_at = now;
}

static void flush(struct worker *w, const struct view *view, const struct view_port *out)
{
	struct stage *stage = &w->stages[out->id];

	if (unlikely(w->timed_at))
		clock_stage(w, NQ_STAGE_LOOKUP);
	if (unlikely(out->acl_out != NULL))
		filter_out(w, out, stage);
	if (unlikely(stage->flags & w->sw->special))
		send_special(w, view, out, stage);
	else
		send_stage(w, view, out, stage);
	if (unlikely(w->timed_at))
		clock_stage(w, NQ_STAGE_TX);
	stage->count = 0;
	stage->bytes = 0;
	stage->flags = 0;
}

static void stage_frame(struct worker *w, const struct view *view, const struct view_port *out,
			struct rte_mbuf *m)
{
	struct stage *stage = &w->stages[out->id];

	if (!stage->count)
		w->dirty[w->dirty_count++] = out->id;
	stage->frames[stage->count++] = m;
	stage->bytes += m->pkt_len;
	stage->flags |= m->ol_flags;
	if (unlikely(is_looked_at(out)) && out->bridge != VIEW_NO_BRIDGE)
		look(w, view, out, m, true);
	if (stage->count == NQ_BURST) {
		flush(w, view, out);
		unsigned i = 0;
		while (w->dirty[i] != out->id)
			i++;
		w->dirty[i] = w->dirty[--w->dirty_count];
	}
}

static void flush_all(struct worker *w, const struct view *view)
{
	for (unsigned i = 0; i < w->dirty_count; i++)
		flush(w, view, view->ports[w->dirty[i]]);
	w->dirty_count = 0;
}

static void drop(struct worker *w, const struct view_port *in, struct rte_mbuf *m,
		 struct nq_stats *stats, enum nq_drop why)
{
	if (unlikely(m->ol_flags & w->sw->special))
		trace_step(w->sw->trace, m, in->id, NQ_STEP_DROP, why, w->now_ns);
	port_drop(&m, 1, stats, why);
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
	else if (unlikely(m->pkt_len > out->max_frame) && offload_wire_len(m) > out->max_frame)
		why = NQ_DROP_OVERSIZE;
	else if (vlan_tagged(&out->rules.vlan, VID(m->vlan_tci)) && !push_tag(m))
		why = NQ_DROP_NO_BUFFER;
	if (likely(why == NQ_DROPS))
		stage_frame(w, view, out, m);
	else
		drop(w, in, m, stats, why);
}

struct flood {
	unsigned plain_count, tagged_count;
	uint16_t plain[NQ_PORTS], tagged[NQ_PORTS];
};

static void flood_targets(const struct view *view, const struct view_port *in,
			  const struct rte_mbuf *m, bool unknown, const uint64_t *only,
			  struct flood *flood)
{
	uint16_t vlan = VID(m->vlan_tci);
	const struct view_bridge *bridge = &view->bridges[in->bridge];

	for (unsigned i = 0; i < bridge->count; i++) {
		const struct view_port *out = view->ports[bridge->ports[i]];

		if (out == in || !vlan_allowed(&out->rules.vlan, vlan) ||
		    (only && !(only[out->id / 64] >> (out->id % 64) & 1)) ||
		    (m->pkt_len > out->max_frame && offload_wire_len(m) > out->max_frame) ||
		    (in->rules.isolated && out->rules.isolated) ||
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

/* To all ports of the VLAN, or to `only` some of them. Where some want a tag and some do not, one
 * copy serves the former. */
static void flood(struct worker *w, const struct view *view, const struct view_port *in,
		  struct rte_mbuf *m, bool unknown, const uint64_t *only, struct nq_stats *stats)
{
	struct flood to;
	struct rte_mbuf *tagged = m;

	to.plain_count = to.tagged_count = 0;
	flood_targets(view, in, m, unknown, only, &to);
	if (!to.plain_count && !to.tagged_count) {
		drop(w, in, m, stats, NQ_DROP_NOWHERE);
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
	if (unlikely(m->pkt_len > in->max_frame) && offload_wire_len(m) > in->max_frame)
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
			drop(w, in, frames[i], stats, (enum nq_drop)why);
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
		drop(w, in, m, stats, NQ_DROP_STORM_UNKNOWN);
	else
		flood(w, view, in, m, true, NULL, stats);
}

static void to_group(struct worker *w, const struct view *view, const struct view_port *in,
		     struct rte_mbuf *m, uint64_t target, struct nq_stats *stats)
{
	uint64_t some[NQ_PORTS / 64];
	const uint64_t *only = NULL;

	if (target != BROADCAST && view->bridges[in->bridge].snoops)
		only = snoop_frame(w->sw->snoop, view->groups, in, m, some);
	flood(w, view, in, m, false, only, stats);
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
			to_group(w, view, in, m, key & BROADCAST, stats);
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

/* By the rules of the port. */
static void filter_in(struct worker *w, const struct view_port *in, struct burst *burst,
		      struct nq_stats *stats)
{
	uint32_t denied = acl_denied(in->acl_in, w->index, burst->frames, burst->count);
	unsigned count = 0;

	for (unsigned i = 0; i < burst->count; i++) {
		if (denied >> i & 1) {
			drop(w, in, burst->frames[i], stats, NQ_DROP_ACL);
			continue;
		}
		burst->frames[count] = burst->frames[i];
		burst->source[count] = burst->source[i];
		burst->target[count++] = burst->target[i];
	}
	burst->count = count;
}

/* What the other end has left to be done, where it may. Returns how many frames are left. */
static unsigned take_unfinished(struct worker *w, const struct view_port *in,
				struct rte_mbuf **frames, unsigned count, struct nq_stats *stats)
{
	unsigned left = 0;

	if (!(in->port->ops->offloads(in->port) & OFFLOAD_FROM))
		return count;
	for (unsigned i = 0; i < count; i++) {
		if (likely(!frames[i]->ol_flags) || offload_admit(frames[i]))
			frames[left++] = frames[i];
		else
			drop(w, in, frames[i], stats, NQ_DROP_OFFLOAD);
	}
	return left;
}

static void look_at_all(struct worker *w, const struct view *view, const struct view_port *in,
			unsigned queue, struct rte_mbuf **frames, unsigned count)
{
	if (in->trace_every)
		trace_begin(w->sw->trace, in, queue, frames, count, w->now_ns);
	if (is_looked_at(in))
		for (unsigned i = 0; i < count; i++)
			look(w, view, in, frames[i], false);
}

/* From a port that is in no bridge, or is a bond: the port that the frames count as come in by,
 * with what is left of them, or NULL. */
static const struct view_port *aside(struct worker *w, const struct view *view,
				     const struct view_port *in, struct rte_mbuf **frames,
				     unsigned *count)
{
	struct nq_stats *stats = port_tx_stats(in->port, w->index, 0);
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

void forward(struct worker *w, const struct view *view, const struct view_port *in, unsigned queue,
	     struct rte_mbuf **frames, unsigned count)
{
	struct nq_stats *stats = port_rx_stats(in->port, queue);
	struct burst burst;

	burst.count = 0;
	burst.bytes = 0;
	count_add(&stats->rx_packets, count);
	if (in->port->ops->offloads)
		count = take_unfinished(w, in, frames, count, stats);
	if (unlikely(in->aside)) {
		in = aside(w, view, in, frames, &count);
		if (!in)
			return;
		/* Members of a bond are polled by several workers. */
		stats = port_tx_stats(in->port, w->index, 0);
		count_add(&stats->rx_packets, count);
	}
	if (unlikely(in->looked_at))
		look_at_all(w, view, in, queue, frames, count);
	take_in(w, in, frames, count, &burst, stats);
	count_add(&stats->rx_bytes, burst.bytes);
	if (unlikely(in->acl_in != NULL))
		filter_in(w, in, &burst, stats);
	if (unlikely(w->timed_at))
		clock_stage(w, NQ_STAGE_ADMIT);
	if (likely(!in->rules.no_learn))
		learn(w, in, &burst, stats);
	if (unlikely(w->timed_at))
		clock_stage(w, NQ_STAGE_LEARN);
	send_out(w, view, in, &burst, stats);
	if (unlikely(w->timed_at))
		clock_stage(w, NQ_STAGE_LOOKUP);
	flush_all(w, view);
}
