/* SPDX-License-Identifier: BSD-3-Clause */
/* What a PF is known by: reading it, telling cards apart, and aliases that follow a card. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sriov/identity.h"
#include "tests/fakes/fake_card.h"
#include "tests/sriov/host.h"

static int setup(void **state)
{
	fake_card_reset();
	return host_setup(state);
}

static void put_bytes(const struct host *host, const char *dev, const char *file, const void *bytes,
		      size_t len)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/%s", host->sysfs.dir, dev, file);
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	assert_int_equal(fwrite(bytes, 1, len, out), len);
	assert_int_equal(fclose(out), 0);
}

/* With a Device Serial Number behind Advanced Error Reporting (PCIe 6.0, 7.9.3). */
static void put_serial(const struct host *host, const char *dev, uint8_t last)
{
	uint8_t space[4096] = {0};

	space[0x100] = 0x01;
	space[0x102] = 0x02;
	space[0x103] = 0x14; /* next at 0x140 */
	space[0x140] = 0x03;
	space[0x142] = 0x01;
	space[0x144] = last;
	space[0x14b] = 0xa0;
	put_bytes(host, dev, "config", space, sizeof(space));
}

static struct sriov_pf find(struct host *host, const char *name)
{
	struct sriov_pf pf;

	assert_int_equal(sriov_pf_find(host->ctx, name, &pf), 0);
	return pf;
}

static void test_serials(void **state)
{
	static const uint8_t vpd[] = {0x82, 3,	 0,   'N', 'I', 'C', 0x90, 14,
				      0,    'P', 'N', 2,   'X', 'Y', 'S',  'N',
				      6,    'A', ' ', '1', '/', '2', '3',  0x78};
	struct host *host = *state;
	const struct sysfs *fs = &host->sysfs.fs;
	char text[SRIOV_IDENTITY];

	struct sriov_pf pf = find(host, FAKE_IF);
	assert_string_equal(pf.identity.ids, "8086:10c9:0000:0000");
	assert_string_equal(pf.identity.serial, "mac:52:54:00:12:34:56");
	/* In a bond it has the bond's address; its own stays what it is known by. */
	fake_put(fs, "02:00:00:00:00:99\n", "bus/pci/devices/" FAKE_PF "/net/" FAKE_IF "/address");
	pf = find(host, FAKE_IF);
	assert_int_equal(pf.mac[5], 0x99);
	assert_string_equal(pf.identity.serial, "mac:52:54:00:12:34:56");
	/* No interface: Vital Product Data. A device may say anything. */
	fake_device(fs, "0000:05:00.0", 11, "");
	fake_put(fs, "4\n", "bus/pci/devices/0000:05:00.0/sriov_totalvfs");
	assert_string_equal(find(host, "05:00.0").identity.serial, "");
	put_bytes(host, "0000:05:00.0", "vpd", vpd, sizeof(vpd));
	assert_string_equal(find(host, "05:00.0").identity.serial, "vpd:A123");
	for (size_t cut = 0; cut < sizeof(vpd) - 1; cut++) {
		put_bytes(host, "0000:05:00.0", "vpd", vpd, cut);
		assert_string_equal(find(host, "05:00.0").identity.serial, "");
	}
	fake_put(fs, "S 1/2 \n", "bus/pci/devices/0000:05:00.0/nvme/nvme0/serial");
	assert_string_equal(find(host, "05:00.0").identity.serial, "nvme:S12");
	fake_put(fs, "0xa03c\n", "bus/pci/devices/" FAKE_PF "/subsystem_device");
	put_serial(host, FAKE_PF, 0x5c);
	pf = find(host, FAKE_IF);
	assert_string_equal(pf.identity.serial, "dsn:a00000000000005c");
	assert_string_equal(sriov_identity_format(&pf.identity, text),
			    FAKE_PF ",8086:10c9:0000:a03c,dsn:a00000000000005c");
	struct sriov_identity again;
	assert_int_equal(identity_parse(text, &again), 0);
	assert_string_equal(again.path, pf.identity.path);
	assert_string_equal(again.ids, pf.identity.ids);
	assert_string_equal(again.serial, pf.identity.serial);
	assert_int_equal(identity_parse("a,b", &again), -EINVAL);
	assert_int_equal(identity_parse("a,b,c,d", &again), -EINVAL);
	assert_int_equal(identity_parse(",,", &again), -EINVAL);
}

/* A capability list that runs in a circle, or out of the space. */
static void test_hostile_space(void **state)
{
	struct host *host = *state;
	uint8_t space[4096] = {0};

	for (unsigned i = 0x100; i < 4096; i += 4) {
		space[i] = 0x01;
		space[i + 2] = 0x01;
		space[i + 3] = 0x10; /* each points at the first */
	}
	put_bytes(host, FAKE_PF, "config", space, sizeof(space));
	assert_string_equal(find(host, FAKE_IF).identity.serial, "mac:52:54:00:12:34:56");
	memset(space + 0x100, 0xff, 4);
	put_bytes(host, FAKE_PF, "config", space, sizeof(space));
	assert_string_equal(find(host, FAKE_IF).identity.serial, "mac:52:54:00:12:34:56");
	memset(space, 0xff, sizeof(space)); /* a device that fell off the bus */
	put_bytes(host, FAKE_PF, "config", space, sizeof(space));
	assert_string_equal(find(host, FAKE_IF).identity.serial, "mac:52:54:00:12:34:56");
}

static void test_path(void **state)
{
	struct host *host = *state;
	const struct sysfs *fs = &host->sysfs.fs;

	/* The real /sys: devices are links into the tree of bridges. */
	fake_put(fs, "0x8086\n", "devices/pci0000:00/0000:00:02.1/0000:3a:00.0/vendor");
	fake_put(fs, "2\n", "devices/pci0000:00/0000:00:02.1/0000:3a:00.0/sriov_totalvfs");
	fake_link(fs, "../../../devices/pci0000:00/0000:00:02.1/0000:3a:00.0",
		  "bus/pci/devices/0000:3a:00.0");
	struct sriov_pf pf = find(host, "3a:00.0");
	assert_string_equal(pf.identity.path, "0000:00/02.1/00.0");
	assert_int_equal(find(host, "0000:00/02.1/00.0").bdf.bus, 0x3a);
	assert_int_equal(find(host, "0000:00/02.1/00.0,8086:0000:0000:0000,").bdf.bus, 0x3a);
}

static void test_match(void **state)
{
	static const struct {
		struct sriov_identity known, seen;
		enum identity_match match;
	} cases[] = {
		{{"a/00.0", "k", "s:1"}, {"a/00.0", "k", "s:1"}, IDENTITY_SAME},
		{{"a/00.0", "k", ""}, {"a/00.0", "k", "s:1"}, IDENTITY_SAME},
		{{"a/00.0", "k", "s:1"}, {"a/00.0", "k", ""}, IDENTITY_SAME},
		{{"a/00.0", "k", "s:1"}, {"b/00.0", "k", "s:1"}, IDENTITY_MOVED},
		{{"a/00.0", "k", "s:1"},
		 {"b/00.1", "k", "s:1"},
		 IDENTITY_OTHER}, /* its other port */
		{{"a/00.0", "k", "s:1"}, {"a/00.0", "k", "s:2"}, IDENTITY_REPLACED},
		{{"a/00.0", "k", "s:1"}, {"a/00.0", "l", "s:1"}, IDENTITY_REPLACED},
		{{"a/00.0", "k", "s:1"}, {"b/00.0", "k", "s:2"}, IDENTITY_OTHER},
		/* root and a user see different kinds; so do two drivers */
		{{"a/00.0", "k", "dsn:1"}, {"a/00.0", "k", "mac:2"}, IDENTITY_SAME},
		{{"a/00.0", "k", "dsn:1"}, {"b/00.0", "k", "mac:2"}, IDENTITY_OTHER},
		{{"a/00.0", "k", ""}, {"b/00.0", "k", ""}, IDENTITY_OTHER},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(identity_match(&cases[i].known, &cases[i].seen), cases[i].match);
}

static void test_alias(void **state)
{
	struct host *host = *state;
	const struct sysfs *fs = &host->sysfs.fs;
	struct sriov_pf pf, other;

	put_serial(host, FAKE_PF, 1);
	pf = find(host, FAKE_IF);
	assert_string_equal(pf.alias, "");
	assert_int_equal(sriov_pf_alias(host->ctx, &pf, "1st"), -EINVAL);
	assert_int_equal(sriov_pf_alias(host->ctx, &pf, "up/link"), -EINVAL);
	assert_int_equal(sriov_pf_alias(host->ctx, &pf, "a-name-that-is-too-long-for-an-alias"),
			 -EINVAL);
	assert_int_equal(sriov_pf_alias(host->ctx, &pf, "uplink"), 0);
	host_reopen(host);
	pf = find(host, "uplink");
	assert_string_equal(pf.alias, "uplink");
	assert_string_equal(pf.ifname, FAKE_IF);
	host_make_vfs(host, 2);
	struct sriov_vf vf;
	assert_int_equal(sriov_vf_find(host->ctx, "uplink/1", &vf), 0);
	/* Another PF: may not have that name, nor this one's interface. */
	fake_pf(fs, "0000:02:00.0", "ens2f0", 4);
	put_serial(host, "0000:02:00.0", 2);
	other = find(host, "ens2f0");
	assert_int_equal(sriov_pf_alias(host->ctx, &other, "uplink"), -EEXIST);
	assert_int_equal(sriov_pf_alias(host->ctx, &other, FAKE_IF), -EEXIST);
	assert_int_equal(sriov_pf_alias(host->ctx, &other, "storage"), 0);
	/* A new name takes the place of the old one. */
	assert_int_equal(sriov_pf_alias(host->ctx, &pf, "wan"), 0);
	assert_int_equal(sriov_pf_find(host->ctx, "uplink", &pf), -ENODEV);
	/* The card goes into the other slot: followed, and said. */
	put_serial(host, FAKE_PF, 9);
	put_serial(host, "0000:02:00.0", 1);
	pf = find(host, "wan");
	assert_string_equal(pf.ifname, "ens2f0");
	assert_string_equal(pf.alias, "wan");
	/* The one that was there is gone, and another is in its place: refused. */
	assert_int_equal(sriov_pf_find(host->ctx, "storage", &pf), -ESTALE);
	/* Nothing of it is there any more. */
	put_serial(host, "0000:02:00.0", 7);
	fake_put(fs, "0x1572\n", "bus/pci/devices/" FAKE_PF "/device");
	assert_int_equal(sriov_pf_find(host->ctx, "wan", &pf), -ESTALE);
	pf = find(host, "ens2f0");
	assert_string_equal(pf.alias, "");
	pf = find(host, FAKE_IF);
	assert_int_equal(sriov_pf_alias(host->ctx, &pf, "wan"), 0);
	pf = find(host, "wan");
	assert_int_equal(sriov_pf_alias(host->ctx, &pf, ""), 0);
	assert_int_equal(sriov_pf_find(host->ctx, "wan", &pf), -ENODEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_serials, setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_hostile_space, setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_path, setup, host_teardown),
		cmocka_unit_test(test_match),
		cmocka_unit_test_setup_teardown(test_alias, setup, host_teardown),
	};
	return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
