/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nic: what a guest without ethtool asks of its NIC's driver (linux/ethtool.h).
 *
 *     nic test IFACE        the driver's own self test, offline parts too: "NAME: RESULT" for each
 *     nic ring IFACE RX TX  other sizes of its rings
 *     nic restart IFACE     negotiates its link anew
 */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define TESTS 32

static int ask(const char *name, void *data)
{
	struct ifreq request = {.ifr_data = data};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, SIOCETHTOOL, &request) < 0) {
		printf("nic: %s: %s\n", name, strerror(errno));
		return 1;
	}
	return 0;
}

static int self_test(const char *name)
{
	struct {
		struct ethtool_sset_info info;
		__u32 count;
	} set = {.info = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1 << ETH_SS_TEST}};
	struct {
		struct ethtool_gstrings head;
		char text[TESTS][ETH_GSTRING_LEN];
	} *names = calloc(1, sizeof(*names));
	struct {
		struct ethtool_test head;
		__u64 result[TESTS];
	} *test = calloc(1, sizeof(*test));

	if (!names || !test || ask(name, &set))
		return 1;
	names->head = (struct ethtool_gstrings){
		.cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_TEST, .len = set.count};
	test->head = (struct ethtool_test){
		.cmd = ETHTOOL_TEST, .flags = ETH_TEST_FL_OFFLINE, .len = set.count};
	if (set.count > TESTS || ask(name, names) || ask(name, test))
		return 1;
	for (__u32 i = 0; i < set.count; i++)
		printf("%s: %llu\n", names->text[i], (unsigned long long)test->result[i]);
	printf("self test %s\n", test->head.flags & ETH_TEST_FL_FAILED ? "failed" : "passed");
	return test->head.flags & ETH_TEST_FL_FAILED ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct ethtool_ringparam ring = {.cmd = ETHTOOL_GRINGPARAM};
	struct ethtool_value restart = {.cmd = ETHTOOL_NWAY_RST};

	if (argc == 3 && !strcmp(argv[1], "test"))
		return self_test(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "restart"))
		return ask(argv[2], &restart);
	if (argc != 5 || strcmp(argv[1], "ring") != 0 || ask(argv[2], &ring))
		return 2;
	ring.cmd = ETHTOOL_SRINGPARAM;
	ring.rx_pending = (__u32)atoi(argv[3]);
	ring.tx_pending = (__u32)atoi(argv[4]);
	return ask(argv[2], &ring);
}
