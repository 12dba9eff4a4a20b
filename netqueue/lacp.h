/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lacp: the Link Aggregation Control Protocol (IEEE 802.1AX-2014 clause 6), as state machines
 * without time, threads or sockets of their own: whoever calls says what time it is, what has come,
 * and takes what is to be sent.
 *
 * Both ends tell each other who they are (system, key, port) and how far they are, in a message a
 * second or every 30, or when something changes. Links whose other ends are the same system's, with
 * the same key, form the bond. A link carries frames once both ends have said that they agree.
 *
 * Selection (6.4.14) is simplified: all our links have one key and there is one aggregator, which
 * takes the other end that most links lead to. A link with nobody who talks is never used: what
 * bond it leads to is not known.
 */
#ifndef NETQUEUE_LACP_H
#define NETQUEUE_LACP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LACP_LINKS  8
#define LACP_PDU    110 /* behind the Ethernet header: 6.4.2.3 */
#define LACP_SECOND UINT64_C(1000000000)

/* State bits, 6.4.2.3 m) */
#define LACP_ACTIVITY	  0x01
#define LACP_TIMEOUT	  0x02 /* short */
#define LACP_AGGREGATION  0x04
#define LACP_SYNC	  0x08
#define LACP_COLLECTING	  0x10
#define LACP_DISTRIBUTING 0x20
#define LACP_DEFAULTED	  0x40
#define LACP_EXPIRED	  0x80

struct lacp_end {
	uint16_t system_priority;
	uint8_t system[6];
	uint16_t key, port_priority, port;
	uint8_t state;
};

enum lacp_receive { LACP_DISABLED, LACP_RX_EXPIRED, LACP_RX_DEFAULTED, LACP_CURRENT };
enum lacp_mux {
	LACP_DETACHED,
	LACP_WAITING,
	LACP_ATTACHED,
	LACP_MUX_COLLECTING,
	LACP_MUX_DISTRIBUTING,
};

struct lacp_link {
	bool up, selected, ntt; /* ntt: need to transmit */
	struct lacp_end actor, partner;
	enum lacp_receive receive;
	enum lacp_mux mux;
	uint64_t current_until, wait_until, periodic_at;
	uint64_t window_at; /* not more than three messages a second, 6.4.16 */
	unsigned window_sent;
	uint64_t received, sent, bad;
};

struct lacp {
	unsigned count;
	struct lacp_link links[LACP_LINKS];
};

/* `fast`: we want to hear every second, and give up after three; else 30 and 90. */
void lacp_init(struct lacp *lacp, unsigned count, const uint8_t system[6], uint16_t key, bool fast);
void lacp_link_set(struct lacp *lacp, unsigned link, bool up, uint64_t now_ns);
/* What came behind the Ethernet header. -EINVAL: no such message; nothing has changed. */
int lacp_receive(struct lacp *lacp, unsigned link, const uint8_t *pdu, size_t len, uint64_t now_ns);
/* To be called some times a second. */
void lacp_tick(struct lacp *lacp, uint64_t now_ns);
/* Whether there is a message to send by this link now; then it has been written. */
bool lacp_transmit(struct lacp *lacp, unsigned link, uint8_t pdu[LACP_PDU], uint64_t now_ns);

static inline bool lacp_collects(const struct lacp *lacp, unsigned link)
{
	return lacp->links[link].mux >= LACP_MUX_COLLECTING;
}

static inline bool lacp_distributes(const struct lacp *lacp, unsigned link)
{
	return lacp->links[link].mux == LACP_MUX_DISTRIBUTING;
}

const char *lacp_mux_name(enum lacp_mux mux);

#endif
