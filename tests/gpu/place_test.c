/* SPDX-License-Identifier: BSD-3-Clause */
/* Where a slice goes, by a table of GPUs, requests and policies. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "gpu/place.h"

#define M(n) ((uint64_t)(n) << 20)

static const struct gpu_profile types[] = {
	{.name = "large", .memory = M(64), .share = 50, .available = 4},
	{.name = "small", .memory = M(4), .share = 10, .available = 16},
	{.name = "medium", .memory = M(16), .share = 25, .available = 8},
};
static const struct gpu_profile used_up[] = {
	{.name = "large", .memory = M(64), .available = 0, .why_not = "its pool is used up"},
	{.name = "small", .memory = M(4), .available = 1},
};
static const struct gpu_profile any[] = {{.name = "default", .available = -1}};
/* Of a driver that lists only what can be made now. */
static const struct gpu_profile only[] = {{.name = "8Q", .memory = M(8192), .available = -1}};
static const char *const smalls[] = {"small", "small"};
static const char *const mediums[] = {"medium"};
static const char *const eights[] = {"8Q"};

#define SITE(n, node_, list, free_, used_)                                                     \
	{                                                                                      \
		.name = n, .node = node_, .mode = GPU_MDEV, .total = M(256), .free = M(free_), \
		.profiles = list, .profile_count = ARRAY_SIZE(list), .used = used_,            \
		.used_count = ARRAY_SIZE(used_), .slices = ARRAY_SIZE(used_)                   \
	}

static const struct place_site sites[] = {
	SITE("a", 0, types, 200, smalls),
	SITE("b", 1, types, 100, mediums),
	{.name = "c",
	 .node = 1,
	 .mode = GPU_MDEV,
	 .total = M(256),
	 .free = M(256),
	 .profiles = types,
	 .profile_count = 3},
};

static const char *choose(const struct gpu_request *r, enum gpu_policy policy, int node,
			  struct place_choice *out)
{
	assert_int_equal(place_slice(sites, ARRAY_SIZE(sites), r, policy, node, out), 0);
	return sites[out->site].name;
}

static void test_policies(void **state)
{
	struct gpu_request small = {.profile = "small", .mode = -1};
	struct gpu_request medium = {.profile = "medium", .mode = -1};
	struct gpu_request large = {.profile = "large", .mode = -1};
	struct place_choice c;

	(void)state;
	assert_string_equal(choose(&small, GPU_BINPACK, -1, &c), "b"); /* the fullest */
	assert_string_equal(choose(&small, GPU_SPREAD, -1, &c), "c");  /* the emptiest */
	assert_string_equal(choose(&small, GPU_NUMA, 0, &c), "a");
	assert_non_null(strstr(c.why, "a is near"));
	assert_string_equal(choose(&small, GPU_NUMA, 1, &c), "b"); /* of the near, the fullest */
	assert_string_equal(choose(&small, GPU_NUMA, 7, &c), "b");
	assert_non_null(strstr(c.why, "though on another NUMA node"));
	assert_string_equal(choose(&small, GPU_SAME_PROFILE, -1, &c), "a");
	assert_string_equal(choose(&medium, GPU_SAME_PROFILE, -1, &c), "b");
	assert_string_equal(choose(&large, GPU_SAME_PROFILE, -1, &c), "c");
	assert_non_null(strstr(c.why, "c is empty"));
}

static void test_smallest(void **state)
{
	static const struct {
		uint64_t memory;
		unsigned share;
		const char *profile;
	} table[] = {{0, 0, "small"},	  {M(4), 0, "small"}, {M(5), 0, "medium"},
		     {M(17), 0, "large"}, {0, 11, "medium"},  {0, 26, "large"},
		     {M(4), 50, "large"}};
	struct place_choice c;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct gpu_request r = {.memory = table[i].memory, .share = table[i].share};
		choose(&r, GPU_BINPACK, -1, &c);
		assert_string_equal(c.profile->name, table[i].profile);
	}
}

static void test_refusals(void **state)
{
	const struct place_site full = SITE("f", 0, used_up, 4, smalls);
	const struct place_site narrow = SITE("n", 0, only, 200, eights);
	struct place_site bytes = SITE("x", 0, any, 200, smalls);
	struct place_site both[2] = {full, full};
	struct gpu_request r = {.profile = "large"};
	struct place_choice c;

	(void)state;
	assert_int_equal(place_slice(&full, 1, &r, GPU_BINPACK, -1, &c), -ENOSPC);
	assert_string_equal(c.why, "f: no more 'large': its pool is used up");
	strcpy(r.profile, "48Q");
	assert_int_equal(place_slice(&narrow, 1, &r, GPU_BINPACK, -1, &c), -EXDEV);
	assert_string_equal(c.why, "n: '48Q' cannot be made beside its '8Q'");
	assert_int_equal(place_slice(&full, 1, &r, GPU_BINPACK, -1, &c), -ENOENT);
	r = (struct gpu_request){.memory = M(300)};
	assert_int_equal(place_slice(&full, 1, &r, GPU_BINPACK, -1, &c), -ENOENT);
	assert_string_equal(c.why, "f: has no profile so large");
	bytes.by_bytes = true;
	assert_int_equal(place_slice(&bytes, 1, &r, GPU_BINPACK, -1, &c), -ENOSPC);
	assert_string_equal(c.why, "x: 300 MiB asked for, 200 MiB left of its memory");
	bytes.full = true;
	assert_int_equal(place_slice(&bytes, 1, &r, GPU_BINPACK, -1, &c), -ENOSPC);
	assert_string_equal(c.why, "x: all its places have slices");
	/* Every site says why; room that comes again weighs more. */
	both[1] = narrow;
	strcpy(r.profile, "large");
	r.memory = 0;
	assert_int_equal(place_slice(both, 2, &r, GPU_BINPACK, -1, &c), -ENOSPC);
	assert_non_null(strstr(c.why, "; n: "));
	assert_int_equal(place_slice(NULL, 0, &r, GPU_BINPACK, -1, &c), -ENOENT);
}

static void test_fragmented(void **state)
{
	(void)state;
	assert_int_equal(place_fragmented(0, 0), 0);
	assert_int_equal(place_fragmented(M(64), M(64)), 0);
	assert_int_equal(place_fragmented(M(64), M(16)), 75);
	assert_int_equal(place_fragmented(M(64), 0), 100);
}

static void test_requests(void **state)
{
	static const char *const bad[] = {"memory",	"memory=",  "memory=much", "share=0%",
					  "share=200%", "mode=all", "colour=red",  "=1"};
	struct gpu_request r;

	(void)state;
	assert_int_equal(gpu_request_parse("t", "memory=8G,share=25%,profile=p,mode=vf", &r), 0);
	assert_true(r.memory == M(8192) && r.share == 25 && r.mode == GPU_VF);
	assert_string_equal(r.profile, "p");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(gpu_request_parse("t", bad[i], &r), -EINVAL);
	assert_int_equal(gpu_request_parse("t", "", &r), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policies), cmocka_unit_test(test_smallest),
		cmocka_unit_test(test_refusals), cmocka_unit_test(test_fragmented),
		cmocka_unit_test(test_requests),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
