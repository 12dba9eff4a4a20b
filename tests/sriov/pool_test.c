/* SPDX-License-Identifier: BSD-3-Clause */
/* Pools: which VF a VM gets, and the words for it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/sriov/host.h"

struct pair {
	struct host *host;
	struct sriov_pf near, far; /* on nodes 0 and 1 */
};

static int setup(void **state)
{
	struct host *host;
	struct pair *pair = calloc(1, sizeof(*pair));

	host_setup(state);
	pair->host = host = *state;
	fake_pf(&host->sysfs.fs, FAKE_PF2, FAKE_IF2, 7);
	fake_put(&host->sysfs.fs, "0\n", "bus/pci/devices/" FAKE_PF "/numa_node");
	fake_put(&host->sysfs.fs, "1\n", "bus/pci/devices/" FAKE_PF2 "/numa_node");
	fake_put(&host->sysfs.fs, "1000\n", "bus/pci/devices/" FAKE_PF "/net/" FAKE_IF "/speed");
	fake_put(&host->sysfs.fs, "10000\n", "bus/pci/devices/" FAKE_PF2 "/net/" FAKE_IF2 "/speed");
	assert_int_equal(sriov_pf_find(host->ctx, FAKE_IF, &pair->near), 0);
	assert_int_equal(sriov_pf_find(host->ctx, FAKE_IF2, &pair->far), 0);
	assert_int_equal(sriov_vfs_create(host->ctx, &pair->near, 2, true), 0);
	assert_int_equal(sriov_vfs_create(host->ctx, &pair->far, 3, true), 0);
	*state = pair;
	return 0;
}

static int teardown(void **state)
{
	struct pair *pair = *state;
	void *host = pair->host;

	free(pair);
	return host_teardown(&host);
}

struct taken {
	struct bdf list[8];
	size_t count;
};

static bool is_taken(struct bdf bdf, void *opaque)
{
	const struct taken *taken = opaque;

	for (size_t i = 0; i < taken->count; i++)
		if (bdf_equal(taken->list[i], bdf))
			return true;
	return false;
}

static void make(struct pair *pair, const struct sriov_pool *pool)
{
	assert_int_equal(sriov_pool_set(pair->host->ctx, pool), 0);
}

/* Picks and keeps; "PF/N", or the errno. */
static const char *pick(struct pair *pair, const char *pool, int node, struct taken *taken,
			char why[SRIOV_WHY])
{
	static char name[48];
	struct sriov_vf vf;

	why[0] = '\0';
	int err = sriov_pool_pick(pair->host->ctx, pool, node, is_taken, taken, &vf, why);
	if (err) {
		snprintf(name, sizeof(name), "%d", err);
		return name;
	}
	taken->list[taken->count++] = vf.bdf;
	snprintf(name, sizeof(name), "%s/%u", vf.pf, vf.index);
	return name;
}

static void test_node(void **state)
{
	struct pair *pair = *state;
	struct taken taken = {0};
	char why[SRIOV_WHY];

	make(pair, &(struct sriov_pool){.name = "any", .numa_node = -1});
	assert_string_equal(pick(pair, "any", 0, &taken, why), FAKE_IF "/0");
	assert_string_equal(why, FAKE_IF "/0: on NUMA node 0, as the VM; 2 of 2 VFs of " FAKE_IF
					 " were free");
	assert_string_equal(pick(pair, "any", 0, &taken, why), FAKE_IF "/1");
	assert_string_equal(pick(pair, "any", 0, &taken, why), FAKE_IF2 "/0");
	assert_non_null(strstr(why, "on NUMA node 1, since none is free on node 0"));
	assert_string_equal(pick(pair, "any", -1, &taken, why), FAKE_IF2 "/1");
	assert_non_null(strstr(why, "most free"));
	assert_string_equal(pick(pair, "any", 0, &taken, why), FAKE_IF2 "/2");
	assert_int_equal(atoi(pick(pair, "any", 0, &taken, why)), -EBUSY);
}

static void test_spread(void **state)
{
	struct pair *pair = *state;
	struct taken taken = {0};
	char why[SRIOV_WHY];

	make(pair, &(struct sriov_pool){.name = "any", .numa_node = -1});
	assert_string_equal(pick(pair, "any", -1, &taken, why), FAKE_IF2 "/0"); /* 3 free */
	assert_string_equal(pick(pair, "any", -1, &taken, why), FAKE_IF "/0");	/* 2 and 2 */
	assert_string_equal(pick(pair, "any", -1, &taken, why), FAKE_IF2 "/1");
	/* Without a link a card is the last choice. */
	fake_put(&pair->host->sysfs.fs, "0\n",
		 "bus/pci/devices/" FAKE_PF "/net/" FAKE_IF "/carrier");
	assert_string_equal(pick(pair, "any", -1, &taken, why), FAKE_IF2 "/2");
	assert_string_equal(pick(pair, "any", -1, &taken, why), FAKE_IF "/1");
	assert_non_null(strstr(why, "it has no link"));
}

static void test_conditions(void **state)
{
	struct pair *pair = *state;
	struct taken taken = {0};
	char why[SRIOV_WHY];

	make(pair, &(struct sriov_pool){.name = "fast", .numa_node = -1, .speed = 10000});
	make(pair, &(struct sriov_pool){.name = "near", .numa_node = 0});
	make(pair, &(struct sriov_pool){.name = "one", .numa_node = -1, .pf = FAKE_IF});
	make(pair, &(struct sriov_pool){.name = "ice", .numa_node = -1, .driver = "ice"});
	assert_string_equal(pick(pair, "fast", 0, &taken, why), FAKE_IF2 "/0");
	assert_string_equal(pick(pair, "near", 1, &taken, why), FAKE_IF "/0");
	assert_string_equal(pick(pair, "one", 1, &taken, why), FAKE_IF "/1");
	assert_int_equal(atoi(pick(pair, "one", 1, &taken, why)), -EBUSY);
	assert_int_equal(atoi(pick(pair, "ice", 1, &taken, why)), -EBUSY);
	assert_int_equal(atoi(pick(pair, "none", 1, &taken, why)), -ENOENT);
}

/* VFs that VMs have, or that are not ours, are no choice. */
static void test_held(void **state)
{
	struct pair *pair = *state;
	struct host *host = pair->host;
	struct taken taken = {0};
	char why[SRIOV_WHY];
	struct sriov_vf vf = host_vf(host, 0);

	make(pair, &(struct sriov_pool){.name = "one", .numa_node = -1, .pf = FAKE_IF});
	int lock = sriov_owner_lock(host->ctx, "web");
	assert_int_equal(sriov_claim_vf(host->ctx, &vf, NULL, "web"), 0);
	assert_string_equal(pick(pair, "one", -1, &taken, why), FAKE_IF "/1");
	taken.count = 0;
	assert_int_equal(sriov_bind(host->ctx, host_vf(host, 1).bdf, "vfio-pci", NULL), 0);
	assert_int_equal(atoi(pick(pair, "one", -1, &taken, why)), -EBUSY);
	assert_int_equal(sriov_release(host->ctx, vf.bdf, "web"), 0);
	assert_string_equal(pick(pair, "one", -1, &taken, why), FAKE_IF "/0");
	close(lock);
}

static void test_list(void **state)
{
	struct pair *pair = *state;
	struct sriov *ctx = pair->host->ctx;
	struct sriov_pool *list;
	size_t count;

	make(pair, &(struct sriov_pool){.name = "b", .numa_node = 1, .driver = "ice", .speed = 7});
	make(pair, &(struct sriov_pool){.name = "a", .numa_node = -1, .pf = "x"});
	make(pair, &(struct sriov_pool){.name = "a", .numa_node = -1, .pf = FAKE_IF});
	assert_int_equal(sriov_pool_list(ctx, &list, &count), 0);
	assert_int_equal(count, 2);
	assert_string_equal(list[0].pf, FAKE_IF);
	assert_int_equal(list[1].numa_node, 1);
	assert_string_equal(list[1].driver, "ice");
	assert_int_equal(list[1].speed, 7);
	free(list);
	assert_int_equal(sriov_pool_drop(ctx, "a"), 0);
	assert_int_equal(sriov_pool_drop(ctx, "a"), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_node, setup, teardown),
		cmocka_unit_test_setup_teardown(test_spread, setup, teardown),
		cmocka_unit_test_setup_teardown(test_conditions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_held, setup, teardown),
		cmocka_unit_test_setup_teardown(test_list, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
