/* SPDX-License-Identifier: BSD-3-Clause */
/* packet: see packet.h. */
#include "tests/netqueue/packet.h"

#include <arpa/inet.h>
#include <string.h>

#define ETHER 14u

static void put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static unsigned be16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

/* RFC 1071, not complemented. */
static unsigned add_up(const uint8_t *at, size_t len, unsigned sum)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += be16(at + i);
	if (len % 2)
		sum += (unsigned)at[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static bool is_six(const uint8_t *frame)
{
	return be16(frame + 12) == 0x86dd;
}

/* RFC 9293 section 3.1, RFC 8200 section 8.1 */
static unsigned pseudo(const uint8_t *frame, uint8_t protocol, size_t len)
{
	const uint8_t *ip = frame + ETHER;
	unsigned sum = is_six(frame) ? add_up(ip + 8, 32, 0) : add_up(ip + 12, 8, 0);

	return add_up(NULL, 0, sum + protocol + (unsigned)len);
}

static void set_group_mac(struct packet *p, const uint8_t *to, bool six)
{
	if (six && to[0] == 0xff) {
		p->bytes[0] = p->bytes[1] = 0x33;
		memcpy(p->bytes + 2, to + 12, 4);
	} else if (!six && (to[0] & 0xf0) == 0xe0) {
		memcpy(p->bytes, "\x01\x00\x5e", 3);
		p->bytes[3] = to[1] & 0x7f;
		memcpy(p->bytes + 4, to + 2, 2);
	}
}

/* Ethernet and IP; `extra` bytes of header of IPv6 follow, `len` in all behind IP. */
static void begin(struct packet *p, uint8_t protocol, uint8_t ttl, const char *from, const char *to,
		  size_t len)
{
	static const uint8_t head[12] = {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1};
	bool six = strchr(from, ':');
	uint8_t *ip = p->bytes + ETHER;

	memset(p->bytes, 0, ETHER + 40 + len);
	memcpy(p->bytes, head, sizeof(head));
	put16(p->bytes + 12, six ? 0x86dd : 0x0800);
	p->l4 = ETHER + (six ? 40 : 20);
	p->len = p->l4 + len;
	if (six) {
		ip[0] = 0x60;
		put16(ip + 4, (unsigned)len);
		ip[6] = protocol;
		ip[7] = ttl;
		inet_pton(AF_INET6, from, ip + 8);
		inet_pton(AF_INET6, to, ip + 24);
	} else {
		ip[0] = 0x45;
		put16(ip + 2, (unsigned)(20 + len));
		put16(ip + 4, 0x1234);
		ip[8] = ttl;
		ip[9] = protocol;
		inet_pton(AF_INET, from, ip + 12);
		inet_pton(AF_INET, to, ip + 16);
		put16(ip + 10, ~add_up(ip, 20, 0) & 0xffff);
	}
	set_group_mac(p, six ? ip + 24 : ip + 16, six);
}

static void set_ports(struct packet *p, uint16_t from_port, uint16_t to_port)
{
	put16(p->bytes + p->l4, from_port);
	put16(p->bytes + p->l4 + 2, to_port);
}

struct packet *packet_l4(struct packet *p, uint8_t protocol, const char *from, const char *to,
			 uint16_t from_port, uint16_t to_port)
{
	const bool tcp = protocol == 6;
	size_t len = (tcp ? 20 : 8) + 10;

	begin(p, protocol, 64, from, to, len);
	set_ports(p, from_port, to_port);
	uint8_t *l4 = p->bytes + p->l4;
	if (tcp)
		l4[12] = 0x50;
	else
		put16(l4 + 4, (unsigned)len);
	put16(l4 + (tcp ? 16 : 6), ~add_up(l4, len, pseudo(p->bytes, protocol, len)) & 0xffff);
	return p;
}

struct packet *packet_udp(struct packet *p, const char *from, const char *to, uint16_t from_port,
			  uint16_t to_port)
{
	return packet_l4(p, 17, from, to, from_port, to_port);
}

struct packet *packet_tcp(struct packet *p, const char *from, const char *to, uint16_t from_port,
			  uint16_t to_port)
{
	return packet_l4(p, 6, from, to, from_port, to_port);
}

struct packet *packet_unfinished(struct packet *p, const char *from, const char *to, size_t payload)
{
	begin(p, 6, 64, from, to, 20 + payload);
	set_ports(p, 1000, 2000);
	uint8_t *l4 = p->bytes + p->l4;
	put16(l4 + 4, 0x0102); /* sequence number */
	l4[12] = 0x50;
	l4[13] = 0x19; /* ACK, PSH, FIN */
	for (size_t i = 0; i < payload; i++)
		l4[20 + i] = (uint8_t)(i * 31 + (i >> 8));
	put16(l4 + 16, pseudo(p->bytes, 6, 20 + payload));
	return p;
}

bool packet_sound(const uint8_t *frame, size_t len)
{
	const uint8_t *ip = frame + ETHER;
	bool six = is_six(frame);
	size_t head = six ? 40 : 20, l4 = six ? be16(ip + 4) : be16(ip + 2) - head;
	uint8_t protocol = six ? ip[6] : ip[9];

	if (len < ETHER + head + l4 || (!six && add_up(ip, 20, 0) != 0xffff))
		return false;
	return add_up(ip + head, l4, pseudo(frame, protocol, l4)) == 0xffff;
}

/* ---- multicast ---- */

/* Behind a hop-by-hop header with a router alert (RFC 2711), where it is IPv6. */
static uint8_t *begin_report(struct packet *p, const char *from, const char *to, size_t len)
{
	static const uint8_t alert[8] = {58, 0, 5, 2, 0, 0, 1, 0};

	if (!strchr(from, ':')) {
		begin(p, 2, 1, from, to, len);
		return p->bytes + p->l4;
	}
	begin(p, 0, 1, from, to, 8 + len);
	memcpy(p->bytes + p->l4, alert, sizeof(alert));
	p->l4 += 8;
	return p->bytes + p->l4;
}

static struct packet *end_report(struct packet *p)
{
	uint8_t *m = p->bytes + p->l4;
	size_t len = p->len - p->l4;

	put16(m + 2, ~add_up(m, len, is_six(p->bytes) ? pseudo(p->bytes, 58, len) : 0) & 0xffff);
	return p;
}

struct packet *packet_igmp(struct packet *p, uint8_t type, const char *from, const char *group)
{
	const char *to = type == 0x11 ? "224.0.0.1" : type == 0x17 ? "224.0.0.2" : group;
	uint8_t *m = begin_report(p, from, to, 8);

	m[0] = type;
	m[1] = type == 0x11 ? 100 : 0;
	inet_pton(AF_INET, group, m + 4);
	return end_report(p);
}

struct packet *packet_igmp3(struct packet *p, uint8_t record, const char *from, const char *group,
			    unsigned sources)
{
	/* Those beyond a hundred are only said to be there. */
	uint8_t *m = begin_report(p, from, "224.0.0.22", 16 + 4 * (sources > 100 ? 0 : sources));

	m[0] = 0x22;
	m[7] = 1;
	m[8] = record;
	put16(m + 10, sources);
	inet_pton(AF_INET, group, m + 12);
	return end_report(p);
}

struct packet *packet_mld(struct packet *p, uint8_t type, const char *from, const char *group)
{
	const char *to = type == 130 ? "ff02::1" : type == 132 ? "ff02::2" : group;
	uint8_t *m = begin_report(p, from, to, 24);

	m[0] = type;
	inet_pton(AF_INET6, group, m + 8);
	return end_report(p);
}

struct packet *packet_mld2(struct packet *p, uint8_t record, const char *from, const char *group,
			   unsigned sources)
{
	uint8_t *m = begin_report(p, from, "ff02::16", 28 + 16 * (size_t)sources);

	m[0] = 143;
	m[7] = 1;
	m[8] = record;
	put16(m + 10, sources);
	inet_pton(AF_INET6, group, m + 12);
	return end_report(p);
}
