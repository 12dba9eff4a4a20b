/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of settings: names, texts and back, what is the same, what is refused and how. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "sriov/attr.h"

/* What sriov_attr_parse says on standard error. */
static int parse_said(const char *name, const char *value, struct sriov_attrs *out, char said[512])
{
	int memory = memfd_create("said", MFD_CLOEXEC), keep = dup(STDERR_FILENO);

	assert_true(memory >= 0 && keep >= 0);
	dup2(memory, STDERR_FILENO);
	int err = sriov_attr_parse("vf e/0", name, value, out);
	dup2(keep, STDERR_FILENO);
	ssize_t n = pread(memory, said, 511, 0);
	said[n < 0 ? 0 : n] = '\0';
	close(memory);
	close(keep);
	return err;
}

static void test_table(void **state)
{
	size_t count;
	const struct sriov_attr_info *table = sriov_attr_table(&count);
	unsigned all = 0;

	(void)state;
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(all & table[i].bit, 0);
		all |= table[i].bit;
		assert_ptr_equal(attr_info(table[i].bit), &table[i]);
		assert_true(table[i].name[0] && table[i].value[0] && table[i].help[0]);
		/* What is before the driver comes before what is not. */
		if (i)
			assert_true(table[i - 1].needs_unbound >= table[i].needs_unbound);
	}
	assert_int_equal(all, (SRIOV_NVME_INTERRUPTS << 1) - 1);
	assert_null(attr_info((enum sriov_attr)(SRIOV_NVME_INTERRUPTS << 1)));
	assert_null(attr_info(SRIOV_MAC | SRIOV_VLAN));
}

static const struct {
	const char *name, *value;
	enum sriov_attr bit;
} texts[] = {
	{"mac", "02:00:00:00:00:0a", SRIOV_MAC},
	{"vlan", "0", SRIOV_VLAN},
	{"vlan", "100", SRIOV_VLAN},
	{"vlan", "4094,qos=7", SRIOV_VLAN},
	{"vlan", "100,qos=3,proto=802.1ad", SRIOV_VLAN},
	{"vlan", "100,proto=802.1ad", SRIOV_VLAN},
	{"spoof-check", "off", SRIOV_SPOOF},
	{"trust", "on", SRIOV_TRUST},
	{"rate", "0", SRIOV_RATE},
	{"rate", "4294967295", SRIOV_RATE},
	{"rate", "10-1000", SRIOV_RATE},
	{"link-state", "auto", SRIOV_LINK_STATE},
	{"link-state", "enable", SRIOV_LINK_STATE},
	{"link-state", "disable", SRIOV_LINK_STATE},
	{"rss-query", "on", SRIOV_RSS_QUERY},
	{"msix", "2048", SRIOV_MSIX},
	{"port-addr", "02:00:00:00:00:0b", SRIOV_PORT_ADDR},
	{"roce", "off", SRIOV_ROCE},
	{"migratable", "on", SRIOV_MIGRATABLE},
	{"io-eqs", "32", SRIOV_IO_EQS},
	{"tx-share", "100", SRIOV_TX_SHARE},
	{"tx-max", "25000", SRIOV_TX_MAX},
	{"nvme-queues", "2", SRIOV_NVME_QUEUES},
	{"nvme-interrupts", "65535", SRIOV_NVME_INTERRUPTS},
};

static void test_round_trip(void **state)
{
	unsigned seen = 0;
	size_t count;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct sriov_attrs attrs = {0}, again = {0};
		char text[SRIOV_ATTR_TEXT];
		assert_int_equal(sriov_attr_parse("t", texts[i].name, texts[i].value, &attrs), 0);
		assert_int_equal(attrs.set, texts[i].bit);
		assert_string_equal(attr_info(texts[i].bit)->name, texts[i].name);
		assert_string_equal(sriov_attr_format(texts[i].bit, &attrs, text), texts[i].value);
		assert_int_equal(sriov_attr_parse("t", texts[i].name, text, &again), 0);
		assert_true(attr_same(texts[i].bit, &attrs, &again));
		assert_int_equal(sriov_attr_check("t", &attrs), 0);
		seen |= texts[i].bit;
	}
	for (const struct sriov_attr_info *row = sriov_attr_table(&count); count--; row++)
		assert_true(seen & row->bit);
}

static void test_parts(void **state)
{
	struct sriov_attrs attrs = {0};

	(void)state;
	assert_int_equal(sriov_attr_parse("t", "qos", "5", &attrs), 0);
	assert_int_equal(sriov_attr_parse("t", "vlan", "100", &attrs), 0);
	assert_int_equal(sriov_attr_parse("t", "vlan-proto", "802.1AD", &attrs), 0);
	assert_int_equal(sriov_attr_parse("t", "max-rate", "1000", &attrs), 0);
	assert_int_equal(sriov_attr_parse("t", "min-rate", "10", &attrs), 0);
	assert_int_equal(attrs.set, SRIOV_VLAN | SRIOV_RATE);
	assert_int_equal(attrs.vlan, 100);
	assert_int_equal(attrs.qos, 5);
	assert_int_equal(attrs.vlan_proto, 0x88a8);
	assert_int_equal(attrs.min_rate, 10);
	assert_int_equal(attrs.max_rate, 1000);
}

static void test_same(void **state)
{
	struct sriov_attrs a = {.vlan = 100, .vlan_proto = 0}, b = {.vlan = 100};

	(void)state;
	b.vlan_proto = 0x8100;
	assert_true(attr_same(SRIOV_VLAN, &a, &b));
	b.vlan_proto = 0x88a8;
	assert_false(attr_same(SRIOV_VLAN, &a, &b));
	a.vlan = b.vlan = 0;
	assert_true(attr_same(SRIOV_VLAN, &a, &b)); /* none is none */
	b.qos = 1;
	assert_false(attr_same(SRIOV_VLAN, &a, &b));
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) { /* each looks at its own field */
		struct sriov_attrs set = {0}, zero = {0};
		assert_int_equal(sriov_attr_parse("t", texts[i].name, texts[i].value, &set), 0);
		size_t count;
		for (const struct sriov_attr_info *row = sriov_attr_table(&count); count--; row++)
			if (row->bit != texts[i].bit)
				assert_true(attr_same(row->bit, &set, &zero));
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *name, *value, *said;
	} bad[] = {
		{"mac", "02:00:00", "02:00:00:00:00:01"},
		{"mac", "01:00:5e:00:00:01", "multicast"},
		{"port-addr", "00:00:00:00:00:00", "nor zero"},
		{"vlan", "4095", "1 to 4094"},
		{"vlan", "ten", "1 to 4094"},
		{"vlan", "", "1 to 4094"},
		{"vlan", "1,qos=8", "qos '8'"},
		{"vlan", "1,prio=1", "may follow"},
		{"vlan", "1,proto=802.1x", "neither 802.1q nor 802.1ad"},
		{"vlan", "1,", "may follow"},
		{"qos", "8", "0 to 7"},
		{"spoof-check", "maybe", "neither on nor off"},
		{"trust", "1", "neither on nor off"},
		{"rate", "fast", "Mb/s"},
		{"rate", "10-", "Mb/s"},
		{"rate", "-10", "Mb/s"},
		{"max-rate", "4294967296", "Mb/s"},
		{"link-state", "up", "auto, enable, disable"},
		{"msix", "2049", "0 to 2048"},
		{"io-eqs", "-1", "0 to 65535"},
		{"nvme-queues", "65536", "0 to 65535"},
		{"colour", "red", "nvme-queues, msix"},
		{"vlan", "1,qos=1,qos=1,qos=1,qos=1,qos=1,qos=1,qos=1,qos=1,qos=1", "vlan"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct sriov_attrs attrs = {.vlan = 7, .max_rate = 9}, before = attrs;
		char said[512];
		assert_int_equal(parse_said(bad[i].name, bad[i].value, &attrs, said), -EINVAL);
		assert_memory_equal(&attrs, &before, sizeof(attrs));
		if (!strstr(said, bad[i].said) || !strstr(said, "vf e/0: "))
			fail_msg("%s=%s: %s", bad[i].name, bad[i].value, said);
	}
}

static void test_senseless(void **state)
{
	static const struct sriov_attrs bad[] = {
		{.set = SRIOV_MAC, .mac = {1, 0, 0, 0, 0, 1}},
		{.set = SRIOV_PORT_ADDR},
		{.set = SRIOV_VLAN, .vlan = 4095},
		{.set = SRIOV_VLAN, .vlan = 1, .qos = 8},
		{.set = SRIOV_VLAN, .qos = 1},
		{.set = SRIOV_VLAN, .vlan = 1, .vlan_proto = 0x0800},
		{.set = SRIOV_RATE, .min_rate = 2, .max_rate = 1},
		{.set = SRIOV_TX_SHARE | SRIOV_TX_MAX, .tx_share = 2, .tx_max = 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(sriov_attr_check("t", &bad[i]), -EINVAL);
	struct sriov_attrs no_maximum = {.set = SRIOV_RATE, .min_rate = 2};
	assert_int_equal(sriov_attr_check("t", &no_maximum), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),	cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_parts),	cmocka_unit_test(test_same),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_senseless),
	};
	return cmocka_run_group_tests_name("attr", tests, NULL, NULL);
}
