/* SPDX-License-Identifier: BSD-3-Clause */
/* lacp: see lacp.h. Sections are those of IEEE 802.1AX-2014. */
#include "netqueue/lacp.h"

#include <errno.h>
#include <string.h>

/* 6.4.4 */
#define FAST_PERIODIC  LACP_SECOND
#define SLOW_PERIODIC  (30 * LACP_SECOND)
#define SHORT_TIMEOUT  (3 * LACP_SECOND)
#define LONG_TIMEOUT   (90 * LACP_SECOND)
#define AGGREGATE_WAIT (2 * LACP_SECOND)
#define SENT_MAX       3

#define SUBTYPE_LACP 1
#define VERSION	     1
#define TLV_ACTOR    1
#define TLV_PARTNER  2
#define TLV_COLLECT  3
#define END_LEN	     20
#define COLLECT_LEN  16
#define ACTOR_AT     2
#define PARTNER_AT   (ACTOR_AT + END_LEN)
#define COLLECT_AT   (PARTNER_AT + END_LEN)

_Static_assert(COLLECT_AT + COLLECT_LEN + 2 + 50 == LACP_PDU, "6.4.2.3: terminator and reserved");

/* ---- messages ---- */

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static struct lacp_end get_end(const uint8_t *tlv)
{
	struct lacp_end end = {.system_priority = get16(tlv + 2),
			       .key = get16(tlv + 10),
			       .port_priority = get16(tlv + 12),
			       .port = get16(tlv + 14),
			       .state = tlv[16]};

	memcpy(end.system, tlv + 4, 6);
	return end;
}

static void put_end(uint8_t *tlv, uint8_t type, const struct lacp_end *end)
{
	tlv[0] = type;
	tlv[1] = END_LEN;
	put16(tlv + 2, end->system_priority);
	memcpy(tlv + 4, end->system, 6);
	put16(tlv + 10, end->key);
	put16(tlv + 12, end->port_priority);
	put16(tlv + 14, end->port);
	tlv[16] = end->state;
}

/* The version is not looked at: later ones begin with what we know (6.4.2.4). */
static bool is_valid(const uint8_t *pdu, size_t len)
{
	return len >= COLLECT_AT && pdu[0] == SUBTYPE_LACP && pdu[ACTOR_AT] == TLV_ACTOR &&
	       pdu[ACTOR_AT + 1] == END_LEN && pdu[PARTNER_AT] == TLV_PARTNER &&
	       pdu[PARTNER_AT + 1] == END_LEN;
}

static bool same_system(const struct lacp_end *a, const struct lacp_end *b)
{
	return a->system_priority == b->system_priority && a->key == b->key &&
	       !memcmp(a->system, b->system, 6);
}

/* Who it is; and of the state the bits of `mask`. */
static bool same_end(const struct lacp_end *a, const struct lacp_end *b, uint8_t mask)
{
	return same_system(a, b) && a->port == b->port && a->port_priority == b->port_priority &&
	       !((a->state ^ b->state) & mask);
}

/* ---- mux machine, 6.4.15 (independent control: figure 6-22) ---- */

/* Where to go from here; the same: nowhere. */
static enum lacp_mux next_mux(const struct lacp_link *l, uint64_t now)
{
	bool in_sync = l->selected && l->partner.state & LACP_SYNC;

	switch (l->mux) {
	case LACP_DETACHED:
		return l->selected ? LACP_WAITING : LACP_DETACHED;
	case LACP_WAITING:
		if (!l->selected)
			return LACP_DETACHED;
		return now >= l->wait_until ? LACP_ATTACHED : LACP_WAITING;
	case LACP_ATTACHED:
		if (!l->selected)
			return LACP_DETACHED;
		return in_sync ? LACP_MUX_COLLECTING : LACP_ATTACHED;
	case LACP_MUX_COLLECTING:
		if (!in_sync)
			return LACP_ATTACHED;
		return l->partner.state & LACP_COLLECTING ? LACP_MUX_DISTRIBUTING
							  : LACP_MUX_COLLECTING;
	case LACP_MUX_DISTRIBUTING:
		return in_sync && l->partner.state & LACP_COLLECTING ? LACP_MUX_DISTRIBUTING
								     : LACP_MUX_COLLECTING;
	}
	return l->mux;
}

static void enter_mux(struct lacp_link *l, enum lacp_mux mux, uint64_t now)
{
	static const uint8_t bits[] = {
		[LACP_DETACHED] = 0,
		[LACP_WAITING] = 0,
		[LACP_ATTACHED] = LACP_SYNC,
		[LACP_MUX_COLLECTING] = LACP_SYNC | LACP_COLLECTING,
		[LACP_MUX_DISTRIBUTING] = LACP_SYNC | LACP_COLLECTING | LACP_DISTRIBUTING,
	};

	if (mux == LACP_WAITING)
		l->wait_until = now + AGGREGATE_WAIT;
	else
		l->ntt = true;
	l->mux = mux;
	l->actor.state &= (uint8_t) ~(LACP_SYNC | LACP_COLLECTING | LACP_DISTRIBUTING);
	l->actor.state |= bits[mux];
}

static void run_mux(struct lacp_link *l, uint64_t now)
{
	enum lacp_mux next;

	while ((next = next_mux(l, now)) != l->mux)
		enter_mux(l, next, now);
}

/* ---- selection, 6.4.14, simplified ---- */

/* Somebody is there who can be bonded with, and is not we ourselves. */
static bool can_aggregate(const struct lacp_link *l)
{
	return l->up && (l->receive == LACP_CURRENT || l->receive == LACP_RX_EXPIRED) &&
	       !(l->actor.state & LACP_DEFAULTED) && l->partner.state & LACP_AGGREGATION &&
	       memcmp(l->partner.system, l->actor.system, 6) != 0;
}

/* The link whose partner most others have; of equals the one in use, then the first. */
static int lead(const struct lacp *lacp)
{
	int best = -1;
	unsigned most = 0;

	for (unsigned i = 0; i < lacp->count; i++) {
		const struct lacp_link *l = &lacp->links[i];
		unsigned votes = 0;

		for (unsigned j = 0; can_aggregate(l) && j < lacp->count; j++)
			if (can_aggregate(&lacp->links[j]) &&
			    same_system(&l->partner, &lacp->links[j].partner))
				votes += 2;
		votes += votes && l->selected;
		if (votes > most) {
			most = votes;
			best = (int)i;
		}
	}
	return best;
}

static void select_links(struct lacp *lacp, uint64_t now)
{
	int leader = lead(lacp);

	for (unsigned i = 0; i < lacp->count; i++) {
		struct lacp_link *l = &lacp->links[i];

		l->selected = leader >= 0 && can_aggregate(l) &&
			      same_system(&l->partner, &lacp->links[leader].partner);
		run_mux(l, now);
	}
}

/* ---- receive machine, 6.4.12 ---- */

static void unselect(struct lacp_link *l, uint64_t now)
{
	l->selected = false;
	run_mux(l, now);
}

static void enter_expired(struct lacp_link *l, uint64_t now)
{
	l->receive = LACP_RX_EXPIRED;
	l->partner.state &= (uint8_t)~LACP_SYNC;
	l->partner.state |= LACP_TIMEOUT; /* they are to hear from us soon */
	l->actor.state |= LACP_EXPIRED;
	l->current_until = now + SHORT_TIMEOUT;
	l->periodic_at = now;
}

static void enter_defaulted(struct lacp_link *l, uint64_t now)
{
	l->receive = LACP_RX_DEFAULTED;
	l->partner = (struct lacp_end){0};
	l->actor.state &= (uint8_t)~LACP_EXPIRED;
	l->actor.state |= LACP_DEFAULTED;
	unselect(l, now);
}

static void record(struct lacp_link *l, const struct lacp_end *sender, const struct lacp_end *us)
{
	bool matched =
		!(sender->state & LACP_AGGREGATION) || same_end(us, &l->actor, LACP_AGGREGATION);

	l->partner = *sender;
	if (!matched || !(sender->state & LACP_SYNC))
		l->partner.state &= (uint8_t)~LACP_SYNC;
	l->actor.state &= (uint8_t) ~(LACP_DEFAULTED | LACP_EXPIRED);
	/* update_NTT: what they think of us is not so any more. */
	if (!same_end(us, &l->actor, LACP_ACTIVITY | LACP_TIMEOUT | LACP_SYNC | LACP_AGGREGATION))
		l->ntt = true;
}

int lacp_receive(struct lacp *lacp, unsigned link, const uint8_t *pdu, size_t len, uint64_t now)
{
	struct lacp_link *l = &lacp->links[link];

	if (!is_valid(pdu, len)) {
		l->bad++;
		return -EINVAL;
	}
	l->received++;
	if (!l->up)
		return 0;
	struct lacp_end sender = get_end(pdu + ACTOR_AT), us = get_end(pdu + PARTNER_AT);
	if (!same_end(&sender, &l->partner, LACP_AGGREGATION))
		unselect(l, now); /* somebody else: from the beginning */
	record(l, &sender, &us);
	l->receive = LACP_CURRENT;
	l->current_until = now + (l->actor.state & LACP_TIMEOUT ? SHORT_TIMEOUT : LONG_TIMEOUT);
	run_mux(l, now);
	select_links(lacp, now);
	return 0;
}

void lacp_link_set(struct lacp *lacp, unsigned link, bool up, uint64_t now)
{
	struct lacp_link *l = &lacp->links[link];

	if (l->up == up)
		return;
	l->up = up;
	if (up) {
		enter_expired(l, now);
	} else {
		l->receive = LACP_DISABLED;
		l->partner.state &= (uint8_t)~LACP_SYNC;
		unselect(l, now);
	}
	select_links(lacp, now);
}

/* ---- time and sending, 6.4.13 and 6.4.16 ---- */

static uint64_t period(const struct lacp_link *l)
{
	return l->partner.state & LACP_TIMEOUT ? FAST_PERIODIC : SLOW_PERIODIC;
}

static void tick_link(struct lacp_link *l, uint64_t now)
{
	if (!l->up)
		return;
	if (now >= l->current_until && l->receive == LACP_CURRENT)
		enter_expired(l, now);
	else if (now >= l->current_until && l->receive == LACP_RX_EXPIRED)
		enter_defaulted(l, now);
	/* A period that has become shorter begins now. */
	if (now >= l->periodic_at || l->periodic_at - now > period(l)) {
		l->ntt = true;
		l->periodic_at = now + period(l);
	}
	run_mux(l, now);
}

void lacp_tick(struct lacp *lacp, uint64_t now)
{
	for (unsigned i = 0; i < lacp->count; i++)
		tick_link(&lacp->links[i], now);
	select_links(lacp, now);
}

static bool may_send(struct lacp_link *l, uint64_t now)
{
	if (now - l->window_at >= FAST_PERIODIC) {
		l->window_at = now;
		l->window_sent = 0;
	}
	return l->window_sent < SENT_MAX;
}

bool lacp_transmit(struct lacp *lacp, unsigned link, uint8_t pdu[LACP_PDU], uint64_t now)
{
	struct lacp_link *l = &lacp->links[link];

	if (!l->up || !l->ntt || !may_send(l, now))
		return false;
	memset(pdu, 0, LACP_PDU);
	pdu[0] = SUBTYPE_LACP;
	pdu[1] = VERSION;
	put_end(pdu + ACTOR_AT, TLV_ACTOR, &l->actor);
	put_end(pdu + PARTNER_AT, TLV_PARTNER, &l->partner);
	pdu[COLLECT_AT] = TLV_COLLECT;
	pdu[COLLECT_AT + 1] = COLLECT_LEN;
	l->ntt = false;
	l->window_sent++;
	l->sent++;
	return true;
}

void lacp_init(struct lacp *lacp, unsigned count, const uint8_t system[6], uint16_t key, bool fast)
{
	memset(lacp, 0, sizeof(*lacp));
	lacp->count = count;
	for (unsigned i = 0; i < count; i++) {
		struct lacp_end *actor = &lacp->links[i].actor;

		*actor = (struct lacp_end){.system_priority = 0xffff,
					   .key = key,
					   .port_priority = 0xff,
					   .port = (uint16_t)(i + 1),
					   .state = (uint8_t)(LACP_ACTIVITY | LACP_AGGREGATION |
							      (fast ? LACP_TIMEOUT : 0) |
							      LACP_DEFAULTED)};
		memcpy(actor->system, system, 6);
	}
}

const char *lacp_mux_name(enum lacp_mux mux)
{
	static const char *const names[] = {"detached", "waiting", "attached", "collecting",
					    "distributing"};

	return names[mux];
}
