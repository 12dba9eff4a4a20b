/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * netqueue: a switch between virtual machines, and between them and the world, on DPDK.
 *
 * A *switch* has bridges, and a *bridge* joins ports: vhost-user sockets with guests behind them,
 * NIC queues, taps. *Workers*, one thread to a CPU, take bursts of frames from the ports that are
 * theirs, look the destination up and put them into the other ports, and never wait, lock or log
 * on the way. What they read (ports, VLANs, rules) is one immutable picture, the view; a change
 * builds another one, swaps a pointer and frees the old one when every worker has moved on (RCU).
 * MAC addresses are learned by workers in one table with lock-free readers (fdb.h).
 *
 * The functions here belong to one thread, the control thread. Frames that are not delivered are
 * counted by reason, at the port where they came in (enum nq_drop: what the switch decided) or
 * where they would have gone out (what the receiver was too slow or too small for). Guests are
 * hostile and slow: one that does not drain its ring loses its own frames, and nobody else's.
 *
 * No DPDK type is in here. DPDK itself (its EAL) is one per process: nq_eal_start comes first.
 */
#ifndef NETQUEUE_NETQUEUE_H
#define NETQUEUE_NETQUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NQ_NAME	   32 /* of a bridge or port, with its end */
#define NQ_PORTS   256
#define NQ_BRIDGES 16
#define NQ_WORKERS 16
#define NQ_QUEUES  16 /* queue pairs of a port */
#define NQ_VLANS   4096

struct nq_switch;

/* ---- DPDK ---- */

struct nq_eal_options {
	unsigned memory_mb; /* for frames and tables */
	bool hugepages;	    /* else plain memory: fine for guests, not for NICs */
	bool pci;	    /* look for NICs that are bound to vfio-pci */
};

/* Once in a process; -EALREADY after that. The thread that calls becomes the control thread and
 * keeps the CPUs it may run on. */
int nq_eal_start(const struct nq_eal_options *options);
void nq_eal_stop(void);

/* ---- the switch ---- */

struct nq_options {
	unsigned workers;      /* threads; 0: the caller polls (nq_switch_poll) */
	int cpus[NQ_WORKERS];  /* where worker N runs; -1: anywhere */
	unsigned buffers;      /* frames that may be inside at once; 0: 16384 */
	unsigned macs;	       /* what the MAC table holds; 0: 32768 */
	unsigned sleep_max_us; /* how long an idle worker may sleep; 0: it polls on */
	/* Nanoseconds; NULL: the processor's clock. For tests that make time pass. */
	uint64_t (*clock)(void *opaque);
	void *clock_opaque;
};

int nq_switch_create(const struct nq_options *options, struct nq_switch **out);
void nq_switch_destroy(struct nq_switch *sw);

/* Without workers: every queue once, on the calling thread. Returns how many frames came in. */
unsigned nq_switch_poll(struct nq_switch *sw);
/* To be called once a second: ages what was learned. */
void nq_switch_tick(struct nq_switch *sw);
/* To be called some ten times a second: looks at the links of bonds, and speaks for the switch. */
void nq_switch_attend(struct nq_switch *sw);
/* Readable when a guest has come, gone, or turned queues on or off; nq_switch_event then follows
 * it. */
int nq_switch_event_fd(const struct nq_switch *sw);
void nq_switch_event(struct nq_switch *sw);

struct nq_worker_info {
	int cpu; /* -1: anywhere */
	unsigned queues;
	uint64_t polls, empty; /* of queues */
	uint64_t sleeps;
};
unsigned nq_workers(const struct nq_switch *sw);
void nq_worker_info(const struct nq_switch *sw, unsigned worker, struct nq_worker_info *out);
/* Frames' buffers: how many there are, and how many are free. */
void nq_buffers(const struct nq_switch *sw, unsigned *count, unsigned *available);

/* ---- bridges ---- */

struct nq_bridge_config {
	char name[NQ_NAME];
	unsigned ageing_s;  /* an address not heard of for so long is forgotten */
	unsigned mac_limit; /* learned addresses; 0: as many as the table holds */
};

/* -EEXIST, -ENOSPC, -EINVAL (name); logged. */
int nq_bridge_add(struct nq_switch *sw, const struct nq_bridge_config *config);
/* -EBUSY while it has ports. */
int nq_bridge_remove(struct nq_switch *sw, const char *name);
int nq_bridge_set(struct nq_switch *sw, const struct nq_bridge_config *config);
/* The first (previous NULL) or next one in order; NULL behind the last. */
const struct nq_bridge_config *nq_bridge_next(const struct nq_switch *sw,
					      const struct nq_bridge_config *previous);

/* ---- ports ---- */

/* IEEE 802.1Q. Inside the switch every frame belongs to one VLAN; 0 is that of frames without a tag
 * on ports that name no other. */
enum nq_vlan_mode {
	NQ_VLAN_TRUNK,	/* tags say it; frames without one belong to `vlan`, if allowed */
	NQ_VLAN_ACCESS, /* frames without a tag, all of them in `vlan` */
	NQ_VLAN_TUNNEL, /* whatever tags the frames have, they travel in `vlan` (QinQ) */
};

struct nq_vlan_rules {
	enum nq_vlan_mode mode;
	uint16_t vlan;			 /* 0..4094 */
	bool native_tagged;		 /* of a trunk: `vlan` leaves with its tag, too */
	uint64_t allowed[NQ_VLANS / 64]; /* of a trunk */
};

/* Frames per second of a kind that would be flooded, with bursts of a tenth of a second; 0: no
 * limit.
 */
struct nq_storm_rules {
	uint32_t broadcast, multicast, unknown;
};

#define NQ_SECURITY_ADDRESSES 8
/* What a guest may say that it is. Checked before anything is learned. */
struct nq_security_rules {
	unsigned mac_count;
	uint8_t macs[NQ_SECURITY_ADDRESSES][6]; /* sources of frames, ARP and neighbour discovery */
	unsigned ip4_count;
	uint32_t ip4[NQ_SECURITY_ADDRESSES]; /* host order; sources of IPv4, senders of ARP */
	unsigned ip6_count;
	uint8_t ip6[NQ_SECURITY_ADDRESSES][16];
};

struct nq_port_rules {
	struct nq_vlan_rules vlan;
	uint32_t mac_limit; /* learned addresses; 0: only the bridge's limit */
	bool isolated;	    /* talks only to ports that are not */
	bool no_learn;
	bool no_unknown; /* gets no frames whose destination nobody knows */
	struct nq_storm_rules storm;
	struct nq_security_rules security;
	uint64_t rate_bytes; /* what it may send per second; 0: no limit */
	uint64_t rate_burst; /* bytes at once; 0: 10 ms of rate_bytes, but 64 KiB at least */
};

/* A trunk of everything, without any limit. */
void nq_port_rules_init(struct nq_port_rules *rules);

struct nq_port_config {
	char name[NQ_NAME];
	char bridge[NQ_NAME]; /* "": none, for members of a bond */
	const char *kind;     /* one of nq_port_kinds */
	const char *where; /* socket, interface, PCI address or file; NULL where none is needed */
	bool server;	   /* vhost: we make the socket, and the guest's side comes and goes */
	unsigned queues;   /* pairs; 0: 1 */
	unsigned mtu;	   /* 0: 1500 */
	unsigned size;	   /* null: bytes of the frames it gives */
	struct nq_port_rules rules;
};

struct nq_port_kind {
	const char *name, *where, *summary; /* where: what `where` is, or NULL */
	bool upper; /* stands on other ports: made after them, and removed before */
};
extern const struct nq_port_kind nq_port_kinds[]; /* ends with a NULL name */

/* All under traffic. -EEXIST, -ENOENT (bridge), -ENOSPC, -EINVAL, or what the device says; logged.
 */
int nq_port_add(struct nq_switch *sw, const struct nq_port_config *config);
int nq_port_remove(struct nq_switch *sw, const char *name);
int nq_port_set(struct nq_switch *sw, const char *name, const struct nq_port_rules *rules);
/* Its config, with the rules that hold now; NULL. Valid until the port is set or removed. */
const struct nq_port_config *nq_port_find(const struct nq_switch *sw, const char *name);
const struct nq_port_config *nq_port_next(const struct nq_switch *sw,
					  const struct nq_port_config *previous);

struct nq_port_info {
	bool up;	   /* there is somebody at the other end */
	unsigned queues;   /* pairs in use */
	unsigned macs;	   /* learned */
	uint64_t features; /* vhost: negotiated */
	char text[64];	   /* in a few words */
};
int nq_port_info(const struct nq_switch *sw, const char *name, struct nq_port_info *out);

/* A port of kind "bond" is made of others; `where` names them, and the mode behind "mode=": lacp
 * (IEEE 802.1AX), hash (all that have a link, by flow) or backup (one that has). */
#define NQ_BOND_MEMBERS 8
#define NQ_MEMBER_TEXT	64
struct nq_member {
	char name[NQ_NAME];
	bool up, in_use; /* has a link; frames go out by it */
	char text[NQ_MEMBER_TEXT];
};
/* How many there are; -ENOENT: no such bond. */
int nq_bond_members(const struct nq_switch *sw, const char *name,
		    struct nq_member out[NQ_BOND_MEMBERS]);

/* Why a frame went nowhere. */
#define NQ_DROP_LIST(X)                                                                    \
	X(RUNT, "runt", "shorter than its headers")                                        \
	X(SOURCE, "source", "group or zero address as source")                             \
	X(VLAN, "vlan", "VLAN not allowed on the port it came from")                       \
	X(RESERVED, "reserved", "for the next bridge only (01:80:c2:00:00:0x)")            \
	X(SECURITY, "security", "a source that the port may not use")                      \
	X(RATE, "rate", "more than the port may send")                                     \
	X(STORM_BROADCAST, "storm-broadcast", "more broadcasts than allowed")              \
	X(STORM_MULTICAST, "storm-multicast", "more multicasts than allowed")              \
	X(STORM_UNKNOWN, "storm-unknown", "more frames to unknown addresses than allowed") \
	X(HAIRPIN, "hairpin", "to an address behind the port it came from")                \
	X(ISOLATED, "isolated", "between two isolated ports")                              \
	X(NOWHERE, "nowhere", "no other port to go to")                                    \
	X(INACTIVE, "inactive", "by a member of a bond that is not in use")                \
	X(UNRESOLVED, "unresolved", "into a tunnel whose next hop answers no ARP")         \
	X(NO_BUFFER, "no-buffer", "no memory for a copy")                                  \
	X(DOWN, "tx-down", "nobody at the other end of the port it should leave by")       \
	X(OVERSIZE, "oversize", "larger than the MTU, or than the receiver's buffers")     \
	X(FULL, "tx-full", "the receiver does not keep up")

enum nq_drop {
#define X(id, name, text) NQ_DROP_##id,
	NQ_DROP_LIST(X)
#undef X
		NQ_DROPS
};
const char *nq_drop_name(enum nq_drop reason);
const char *nq_drop_text(enum nq_drop reason);

struct nq_stats {
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
	uint64_t floods;	 /* frames that came in here and went to more than one port */
	uint64_t copies;	 /* of them, made because tags differ */
	uint64_t learned, moved; /* addresses; moved here from another port */
	uint64_t learn_refused;	 /* no room, or its share is used up */
	uint64_t drops[NQ_DROPS];
};
int nq_port_stats(const struct nq_switch *sw, const char *name, struct nq_stats *out);

/* ---- addresses ---- */

struct nq_mac {
	char bridge[NQ_NAME], port[NQ_NAME];
	uint8_t mac[6];
	uint16_t vlan;
	bool is_static;
	unsigned age_s;
};

/* Static ones are neither aged nor moved. `age_s` and `is_static` are not looked at. */
int nq_mac_add(struct nq_switch *sw, const struct nq_mac *mac);
int nq_mac_remove(struct nq_switch *sw, const char *bridge, uint16_t vlan, const uint8_t mac[6]);
/* Of a bridge, or of a port; what was learned, at once whatever their number. */
int nq_mac_flush_bridge(struct nq_switch *sw, const char *bridge);
int nq_mac_flush_port(struct nq_switch *sw, const char *port);
/* All that are known, in an array for free(). */
int nq_mac_list(const struct nq_switch *sw, struct nq_mac **out, size_t *count);

/* ---- looking ---- */

/* Copies of all frames that come in and go out by port `from`, to port `to` (which is then no part
 * of its bridge any more), from now on; `to` NULL: no longer. */
int nq_mirror_set(struct nq_switch *sw, const char *from, const char *to);
const char *nq_mirror_of(const struct nq_switch *sw, const char *from); /* or NULL */

struct nq_capture_options {
	const char *port;
	int fd;		      /* where the pcapng file goes; taken over, also on failure */
	unsigned snap;	      /* bytes of a frame; 0: all */
	uint64_t max_packets; /* 0: no limit */
	uint64_t max_bytes;   /* of the file; 0: 64 MiB */
};
struct nq_capture_info {
	uint64_t packets, bytes;
	uint64_t missed; /* came faster than they were written */
	bool running;
};
/* One at a time per switch: -EBUSY. It ends by itself at its limits, and by nq_capture_stop. */
int nq_capture_start(struct nq_switch *sw, const struct nq_capture_options *options);
int nq_capture_info(const struct nq_switch *sw, struct nq_capture_info *out); /* -ENOENT: none */
/* `last`: what came of it, or NULL; -ENOENT: there was none. */
int nq_capture_stop(struct nq_switch *sw, struct nq_capture_info *last);

/* ---- ports of kind "ring": their other end is the caller's ---- */

/* -ENOBUFS: the ring is full. */
int nq_ring_send(struct nq_switch *sw, const char *port, const void *frame, size_t len);
/* As if its cable was pulled; links are up at first. */
int nq_ring_link(struct nq_switch *sw, const char *port, bool up);
/* Length of the frame, 0 when there is none; -EMSGSIZE when it was larger than `size`, and is gone.
 */
int nq_ring_receive(struct nq_switch *sw, const char *port, void *frame, size_t size);

#endif
