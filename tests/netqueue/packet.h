/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * packet: whole Ethernet frames with IPv4 or IPv6, for tests: UDP, TCP, and what hosts say of
 * multicast. Addresses are texts, and tell the version. Checksums are right. The destination is
 * 02:00:00:00:00:09, or the group's own; the source 02:00:00:00:00:01.
 */
#ifndef TESTS_NETQUEUE_PACKET_H
#define TESTS_NETQUEUE_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_LARGE 65550

struct packet {
	size_t len, l4; /* l4: where the header behind IP begins */
	uint8_t bytes[PACKET_LARGE];
};

/* All return their first argument. With ten bytes of payload. */
struct packet *packet_l4(struct packet *p, uint8_t protocol, const char *from, const char *to,
			 uint16_t from_port, uint16_t to_port);
struct packet *packet_udp(struct packet *p, const char *from, const char *to, uint16_t from_port,
			  uint16_t to_port);
struct packet *packet_tcp(struct packet *p, const char *from, const char *to, uint16_t from_port,
			  uint16_t to_port);
/* TCP with so many bytes of payload (which count), and the checksum of its pseudo header only, as a
 * guest leaves it for the device (virtio 1.2 section 5.1.6.2). */
struct packet *packet_unfinished(struct packet *p, const char *from, const char *to,
				 size_t payload);
/* Whether the checksums of IP and of TCP or UDP are right. */
bool packet_sound(const uint8_t *frame, size_t len);

/* IGMPv1 (0x12) and IGMPv2; version 3 with one record of so many sources. */
struct packet *packet_igmp(struct packet *p, uint8_t type, const char *from, const char *group);
struct packet *packet_igmp3(struct packet *p, uint8_t record, const char *from, const char *group,
			    unsigned sources);
struct packet *packet_mld(struct packet *p, uint8_t type, const char *from, const char *group);
struct packet *packet_mld2(struct packet *p, uint8_t record, const char *from, const char *group,
			   unsigned sources);

#endif
