/* SPDX-License-Identifier: BSD-3-Clause */
/* Ways to the root and reasons for groups, over configuration spaces made by hand. */
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "iommu/topology.h"
#include "tests/fakes/fake_sysfs.h"

#define ACS_ALL 0x1f

struct function {
	const char *bdf;
	int type; /* PCI_EXP_TYPE_…; -1: conventional */
	bool bridge, multi;
	uint8_t secondary, subordinate;
	int able, on; /* ACS; -1: no capability */
};

static void put_function(const struct sysfs *fs, const struct function *f, size_t len)
{
	uint8_t config[4096] = {0};
	char path[96];

	config[PCI_STATUS] = f->type >= 0 ? PCI_STATUS_CAP_LIST : 0;
	config[PCI_HEADER_TYPE] = (uint8_t)(f->bridge | f->multi << 7);
	config[PCI_SECONDARY_BUS] = f->secondary;
	config[PCI_SUBORDINATE_BUS] = f->subordinate;
	config[PCI_CAPABILITY_LIST] = 0x40;
	config[0x40] = PCI_CAP_ID_PM, config[0x41] = 0x50;
	config[0x50] = PCI_CAP_ID_EXP, config[0x52] = (uint8_t)((unsigned)f->type << 4);
	config[0x100] = PCI_EXT_CAP_ID_ERR, config[0x102] = 1, config[0x103] = 0x14; /* → 0x140 */
	if (f->able >= 0) {
		config[0x140] = PCI_EXT_CAP_ID_ACS, config[0x142] = 1;
		config[0x144] = (uint8_t)f->able, config[0x146] = (uint8_t)f->on;
	}
	fake_device(fs, f->bdf, -1, "");
	snprintf(path, sizeof(path), "bus/pci/devices/%s/config", f->bdf);
	int fd = openat(fs->root, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(write(fd, config, len), len);
	close(fd);
}

struct way {
	struct iommu_hop hops[IOMMU_HOPS_MAX];
	size_t count;
};

static void read_way(const struct sysfs *fs, const char *name, struct way *out)
{
	struct bdf bdf;

	assert_int_equal(bdf_parse(name, &bdf), 0);
	assert_int_equal(iommu_hops_read(fs, bdf, out->hops, &out->count), 0);
}

static bool join(const struct sysfs *fs, const char *a, const char *b, char *text)
{
	struct way x, y;

	read_way(fs, a, &x);
	read_way(fs, b, &y);
	bool joined = iommu_join_reason(x.hops, x.count, y.hops, y.count, text);
	if (joined)
		print_message("  %s and %s: %s\n", a, b, text);
	return joined;
}

static int setup(void **state)
{
	static const struct function functions[] = {
		/* a root port with ACS and one without */
		{"0000:00:01.0", PCI_EXP_TYPE_ROOT_PORT, true, false, 1, 2, ACS_ALL, ACS_ALL},
		{"0000:00:02.0", PCI_EXP_TYPE_ROOT_PORT, true, false, 3, 6, -1, 0},
		{"0000:01:00.0", PCI_EXP_TYPE_ENDPOINT, false, false, 0, 0, -1, 0},
		{"0000:02:10.0", PCI_EXP_TYPE_ENDPOINT, false, false, 0, 0, -1, 0}, /* a VF */
		/* a switch without ACS */
		{"0000:03:00.0", PCI_EXP_TYPE_UPSTREAM, true, false, 4, 6, -1, 0},
		{"0000:04:00.0", PCI_EXP_TYPE_DOWNSTREAM, true, true, 5, 5, -1, 0},
		{"0000:04:00.1", PCI_EXP_TYPE_DOWNSTREAM, true, true, 6, 6, -1, 0},
		{"0000:05:00.0", PCI_EXP_TYPE_ENDPOINT, false, false, 0, 0, -1, 0},
		{"0000:06:00.0", PCI_EXP_TYPE_ENDPOINT, false, false, 0, 0, -1, 0},
		/* two functions of one integrated device */
		{"0000:00:1f.0", PCI_EXP_TYPE_RC_END, false, true, 0, 0, -1, 0},
		{"0000:00:1f.2", PCI_EXP_TYPE_RC_END, false, true, 0, 0, -1, 0},
		/* a conventional bus */
		{"0000:00:1e.0", PCI_EXP_TYPE_PCI_BRIDGE, true, false, 9, 9, -1, 0},
		{"0000:09:01.0", -1, false, false, 0, 0, -1, 0},
		{"0000:09:02.0", -1, false, false, 0, 0, -1, 0},
		/* ACS able to redirect, and told not to */
		{"0000:00:03.0", PCI_EXP_TYPE_ROOT_PORT, true, false, 10, 10, ACS_ALL, 0x1d & ~0x4},
		{"0000:0a:00.0", PCI_EXP_TYPE_ENDPOINT, false, true, 0, 0, 0x0c, 0x0c},
		{"0000:0a:00.1", PCI_EXP_TYPE_ENDPOINT, false, true, 0, 0, 0x0c, 0x0c},
	};
	static struct fake_sysfs fake;

	fake_sysfs_make(&fake);
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		put_function(&fake.fs, &functions[i], 4096);
	fake_link(&fake.fs, "../0000:01:00.0", "bus/pci/devices/0000:02:10.0/physfn");
	*state = &fake;
	return 0;
}

static int teardown(void **state)
{
	fake_sysfs_remove(*state);
	return 0;
}

static void test_ways(void **state)
{
	struct fake_sysfs *fake = *state;
	struct way way;
	char text[IOMMU_REASON_TEXT];

	read_way(&fake->fs, "0000:02:10.0", &way); /* by its PF, which is on another bus */
	assert_int_equal(way.count, 2);
	assert_true(way.hops[0].virtual_function);
	assert_int_equal(way.hops[1].kind, IOMMU_HOP_ROOT_PORT);
	assert_string_equal(
		iommu_acs_words(&way.hops[1], text),
		"ACS source validation on, request redirect on, completion redirect on, "
		"upstream forwarding on");
	read_way(&fake->fs, "0000:06:00.0", &way);
	assert_int_equal(way.count, 4);
	assert_int_equal(way.hops[1].kind, IOMMU_HOP_DOWNSTREAM);
	assert_int_equal(way.hops[2].kind, IOMMU_HOP_UPSTREAM);
	assert_int_equal(way.hops[3].kind, IOMMU_HOP_ROOT_PORT);
	assert_string_equal(iommu_hop_name(way.hops[2].kind), "upstream port of a switch");
	assert_false(iommu_hop_isolates(&way.hops[3]));
	read_way(&fake->fs, "0000:0a:00.0", &way);
	assert_false(iommu_hop_isolates(&way.hops[1]));
	assert_non_null(strstr(iommu_acs_words(&way.hops[1], text), "request redirect OFF"));
	assert_true(iommu_hop_isolates(&way.hops[0])); /* all it can control is on */
}

static void test_reasons(void **state)
{
	struct fake_sysfs *fake = *state;
	const struct sysfs *fs = &fake->fs;
	char text[IOMMU_REASON_TEXT];

	assert_false(join(fs, "0000:01:00.0", "0000:02:10.0", text)); /* PF and VF */
	assert_false(join(fs, "0000:01:00.0", "0000:05:00.0", text));
	assert_true(join(fs, "0000:05:00.0", "0000:06:00.0", text));
	assert_non_null(strstr(text, "no ACS capability"));
	assert_true(join(fs, "0000:05:00.0", "0000:04:00.1", text));
	assert_true(join(fs, "0000:05:00.0", "0000:00:02.0", text)); /* the port itself */
	assert_non_null(strstr(text, "may pass requests on below the IOMMU"));
	assert_true(join(fs, "0000:00:1f.0", "0000:00:1f.2", text));
	assert_non_null(strstr(text, "may reach each other inside it"));
	assert_true(join(fs, "0000:09:01.0", "0000:09:02.0", text));
	assert_non_null(strstr(text, "the bridge's requester id"));
	assert_false(join(fs, "0000:09:01.0", "0000:00:1f.0", text));
	assert_true(join(fs, "0000:0a:00.0", "0000:0a:00.1", text)); /* by the port above */
	assert_non_null(strstr(text, "request redirect OFF"));
}

static void test_bad(void **state)
{
	struct fake_sysfs *fake = *state;
	const struct function ring = {
		"0000:0b:00.0", PCI_EXP_TYPE_ROOT_PORT, true, false, 11, 11, -1, 0};
	const struct function small = {
		"0000:00:04.0", PCI_EXP_TYPE_ENDPOINT, false, false, 0, 0, -1, 0};
	struct way way;
	char text[IOMMU_REASON_TEXT];

	assert_int_equal(
		iommu_hops_read(&fake->fs, (struct bdf){0, 0x55, 0, 0}, way.hops, &way.count),
		-ENODEV);
	put_function(&fake->fs, &ring, 4096);
	assert_int_equal(
		iommu_hops_read(&fake->fs, (struct bdf){0, 11, 0, 0}, way.hops, &way.count),
		-ELOOP);
	put_function(&fake->fs, &small, 64); /* what is not root sees */
	read_way(&fake->fs, "0000:00:04.0", &way);
	assert_false(way.hops[0].known);
	assert_non_null(strstr(iommu_acs_words(&way.hops[0], text), "not known"));
	put_function(&fake->fs, &small, 32);
	assert_int_equal(iommu_hops_read(&fake->fs, (struct bdf){0, 0, 4, 0}, way.hops, &way.count),
			 -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ways, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reasons, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
