/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * net_spec: a paravirtual NIC as a user types it: "tap", "tap=tap0,mac=02:00:00:00:00:01,queues=2",
 * "tap,bridge=br0", or a port of a switch, "vhost-user=/run/switch/port0,queues=2". Nothing is
 * logged; `why` gets one line.
 */
#ifndef CLI_NET_SPEC_H
#define CLI_NET_SPEC_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#define NET_SPEC_WHY	    160
#define NET_SPEC_QUEUES_MAX 16u
#define NET_SPEC_SOCKET	    108u /* sun_path, with its end */
#define NET_SPEC_MTU_MIN    68u	 /* RFC 791: what every link must carry */
#define NET_SPEC_MTU_MAX    65521u
#define NET_SPEC_MTU_E1000E 9216u

enum net_backend {
	NET_BACKEND_ANY, /* vhost where the host has it, else user */
	NET_BACKEND_VHOST,
	NET_BACKEND_USER,
};

struct net_spec {
	char tap[IFNAMSIZ];    /* an interface that exists; "": one is made for the VM */
	char bridge[IFNAMSIZ]; /* joined by the one that is made; "": none */
	bool has_mac;
	uint8_t mac[6];
	unsigned queues; /* pairs of a receive and a transmit queue */
	unsigned mtu;	 /* 0: the interface's, or the bridge's */
	enum net_backend backend;
	bool standby;		      /* for the VF of the same address, while that is away */
	char socket[NET_SPEC_SOCKET]; /* of a switch's port; "": a tap */
	bool server;		      /* we listen there, and the switch calls */
	bool packed;		      /* rings, if the switch knows them */
	bool e1000e;		      /* an emulated Intel 82574 in place of virtio */
};

/* -EINVAL */
int net_spec_parse(const char *text, struct net_spec *spec, char why[NET_SPEC_WHY]);

/* What the NIC number `index` of a VM gets when nothing else was asked for: a locally administered
 * address, and the name of the tap made for it. Both depend on nothing but name and number. */
void net_spec_mac(const char *vm, unsigned index, uint8_t mac[6]);
void net_spec_tap(const char *vm, unsigned index, char name[IFNAMSIZ]);

#endif
