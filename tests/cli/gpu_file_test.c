/* SPDX-License-Identifier: BSD-3-Clause */
/* GPUs in the wish file: out and in again is the same machine; what goes needs a word; what is
 * wrong changes nothing. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/gpu_file.h"
#include "tests/gpu/rig.h"

struct test {
	struct rig *rig;
	struct cli cli;
	json_t *rows;
};

static struct test start(void **state)
{
	struct rig *rig = *state;

	rig_mbochs(rig);
	return (struct test){
		.rig = rig,
		.cli = {.sriov = rig->sriov, .gpu = rig->gpu, .fs = {.root = -1}},
		.rows = json_array(),
	};
}

static int apply(struct test *t, const char *text, bool yes)
{
	json_t *root = json_loads(text, 0, NULL);

	assert_non_null(root);
	json_array_clear(t->rows);
	int err = gpu_file_plan(&t->cli, root, t->rows);
	if (!err && yes)
		err = gpu_file_apply(&t->cli, root);
	json_decref(root);
	return err;
}

static char *export_text(struct test *t)
{
	json_t *root = json_object();

	assert_int_equal(gpu_file_export(&t->cli, root), 0);
	char *text = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(root);
	return text;
}

#define TWO                                                                                     \
	"{\"gpu_pools\": [{\"name\": \"vdi\", \"policy\": \"spread\", \"gpus\": \"mbochs\"}],"  \
	" \"gpus\": [{\"gpu\": \"mbochs\", \"slices\": ["                                       \
	"{\"slice\": 0, \"mode\": \"mdev\", \"profile\": \"mbochs-small\", \"pool\": \"vdi\"}," \
	"{\"slice\": 1, \"mode\": \"mdev\", \"profile\": \"mbochs-large\"}]}]}"
#define ONE                                               \
	"{\"gpus\": [{\"gpu\": \"mbochs\", \"slices\": [" \
	"{\"slice\": 0, \"mode\": \"mdev\", \"profile\": \"mbochs-medium\", \"pool\": \"vdi\"}]}]}"

static void test_round_trip(void **state)
{
	struct test t = start(state);

	assert_int_equal(apply(&t, TWO, true), 0);
	assert_int_equal(json_array_size(t.rows), 2);
	assert_int_equal(rig_slices(t.rig), 2);
	assert_string_equal(rig_slice(t.rig, "mbochs/0").pool, "vdi");
	char *text = export_text(&t);
	assert_int_equal(apply(&t, text, true), 0); /* as it is: nothing to do */
	assert_int_equal(json_array_size(t.rows), 0);
	assert_int_equal(apply(&t, "{\"gpus\": [{\"gpu\": \"mbochs\", \"slices\": []}]}", true), 0);
	assert_int_equal(rig_slices(t.rig), 0);
	assert_int_equal(apply(&t, text, true), 0);
	char *again = export_text(&t);
	assert_string_equal(text, again);
	free(text);
	free(again);
	json_decref(t.rows);
}

static void test_consent(void **state)
{
	struct test t = start(state);

	assert_int_equal(apply(&t, TWO, true), 0);
	assert_int_equal(apply(&t, ONE, false), 0);   /* only planned */
	assert_int_equal(json_array_size(t.rows), 2); /* one changes, one goes: both are felt */
	for (size_t i = 0; i < 2; i++)
		assert_string_equal(
			json_string_value(json_object_get(json_array_get(t.rows, i), "effect")),
			"disruptive");
	assert_int_equal(rig_slices(t.rig), 2);
	assert_int_equal(apply(&t, ONE, true), 0);
	assert_int_equal(rig_slices(t.rig), 1);
	assert_string_equal(rig_slice(t.rig, "mbochs/0").profile, "mbochs-medium");
	assert_int_equal(rig_assert(t.rig), 0);
	json_decref(t.rows);
}

static void test_mistakes(void **state)
{
	static const char *const bad[] = {
		"{\"gpus\": [{\"slices\": []}]}",
		"{\"gpus\": [{\"gpu\": \"nosuch\", \"slices\": []}]}",
		"{\"gpus\": [{\"gpu\": \"mbochs\", \"slices\": [{\"slice\": 0, \"colour\": \"red\"}]}]}",
		"{\"gpus\": [{\"gpu\": \"mbochs\", \"slices\": [{\"slice\": 0, \"memory\": 5}]}]}",
		"{\"gpus\": [{\"gpu\": \"mbochs\", \"slices\": [{\"slice\": 0, \"profile\": \"a,b\"}]}]}",
		"{\"gpus\": [{\"gpu\": \"mbochs\", \"slices\": [{\"slice\": 0, \"profile\": \"huge\"}]}]}",
		"{\"gpu_pools\": [{\"policy\": \"spread\"}]}",
		"{\"gpu_pools\": [{\"name\": \"a b\"}]}",
		"{\"gpu_pools\": [{\"name\": \"vdi\", \"policy\": \"best\"}]}",
		"{\"gpu_pools\": [{\"name\": \"vdi\", \"gpus\": \"nosuch\"}]}",
	};
	struct test t = start(state);

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_true(apply(&t, bad[i], true) < 0);
	assert_int_equal(rig_slices(t.rig), 0);
	char *text = export_text(&t);
	assert_string_equal(text, "{}");
	free(text);
	json_decref(t.rows);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {T(test_round_trip), T(test_consent), T(test_mistakes)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
