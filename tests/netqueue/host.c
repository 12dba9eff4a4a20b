/* SPDX-License-Identifier: BSD-3-Clause */
/* host: see host.h. */
#include "tests/netqueue/host.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define ETH_ALL 3

/* Neighbour discovery and the like would come between. */
static void stay_quiet(void)
{
	FILE *f = fopen("/proc/sys/net/ipv6/conf/default/disable_ipv6", "w");

	if (f) {
		fputs("1\n", f);
		fclose(f);
	}
}

bool host_alone(void)
{
	if (unshare(CLONE_NEWNET) < 0)
		return false;
	stay_quiet();
	return true;
}

void host_need(bool alone)
{
	if (alone)
		return;
	print_message("# skip: no network namespace of our own (not root?)\n");
	skip();
}

void host_ip(const char *words)
{
	char command[256];

	snprintf(command, sizeof(command), "ip %s", words);
	if (system(command))
		fail_msg("%s", command);
}

void host_make_veth(void)
{
	if (system("ip link add sw-veth type veth peer name sw-peer")) {
		print_message("# skip: this kernel has no veth\n");
		skip();
	}
	host_ip("link set sw-veth up");
	host_ip("link set sw-peer up");
}

int host_open(const char *interface)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_ALL));
	struct sockaddr_ll address = {.sll_family = AF_PACKET,
				      .sll_protocol = htons(ETH_ALL),
				      .sll_ifindex = (int)if_nametoindex(interface)};

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

void host_send(int fd, const char *text)
{
	uint8_t frame[RIG_FRAME];
	size_t len = rig_frame(text, frame);

	assert_int_equal(send(fd, frame, len, 0), len);
}

void host_expect(struct rig *rig, int fd, const char *text)
{
	uint8_t wanted[RIG_FRAME], got[RIG_FRAME];
	size_t len = rig_frame(text, wanted);

	for (int ms = 0; ms < HOST_PATIENCE_MS; ms++) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};

		rig_poll(rig);
		if (poll(&ready, 1, 1) <= 0)
			continue;
		ssize_t n = recv(fd, got, sizeof(got), 0);
		if (n == (ssize_t)len && !memcmp(got, wanted, len))
			return;
	}
	fail_msg("'%s' did not come out", text);
}

void host_expect_ring(struct rig *rig, const char *port, const char *text)
{
	uint8_t wanted[RIG_FRAME], got[RIG_FRAME];
	size_t len = rig_frame(text, wanted);

	for (int ms = 0; ms < HOST_PATIENCE_MS; ms++) {
		rig_poll(rig);
		if (nq_ring_receive(rig->sw, port, got, sizeof(got)) == (int)len &&
		    !memcmp(got, wanted, len))
			return;
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	fail_msg("%s: '%s' did not come", port, text);
}
