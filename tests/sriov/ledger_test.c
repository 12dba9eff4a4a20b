/* SPDX-License-Identifier: BSD-3-Clause */
/* The ledger: rows outlive handles, versions are told apart, damage is said. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "sriov/ledger.h"

struct books {
	char dir[32];
	struct ledger *ledger;
};

static int setup(void **state)
{
	struct books *books = calloc(1, sizeof(*books));

	strcpy(books->dir, "/tmp/ledger_test.XXXXXX");
	assert_non_null(mkdtemp(books->dir));
	assert_int_equal(ledger_open(books->dir, &books->ledger), 0);
	*state = books;
	return 0;
}

static int teardown(void **state)
{
	struct books *books = *state;
	char command[64];

	ledger_close(books->ledger);
	snprintf(command, sizeof(command), "rm -rf %s", books->dir);
	free(books);
	return system(command);
}

static void reopen(struct books *books)
{
	ledger_close(books->ledger);
	assert_int_equal(ledger_open(books->dir, &books->ledger), 0);
}

static struct ledger_claim make(uint8_t fn, const char *owner)
{
	struct ledger_claim claim = {
		.bdf = {0, 1, 0x10, fn},
		.pf = {0, 1, 0, 0},
		.vf_index = fn,
		.generation = "0123456789abcdef0123456789abcdef",
		.boot = "6c8d4b1e-0000-4000-8000-000000000001",
		.previous_driver = "igbvf",
		.previous = {.set = SRIOV_MAC | SRIOV_TRUST | SRIOV_RATE | SRIOV_VLAN |
				    SRIOV_LINK_STATE | SRIOV_PORT_ADDR | SRIOV_MSIX | SRIOV_ROCE,
			     .vlan_proto = 0x88a8,
			     .link_state = SRIOV_LINK_DISABLE,
			     .port_addr = {2, 0, 0, 0, 1, 0},
			     .msix = 2048,
			     .roce = true,
			     .mac = {2, 0, 0, 0, 0, fn},
			     .vlan = 4094,
			     .qos = 7,
			     .trust = true,
			     .min_rate = 1,
			     .max_rate = UINT32_MAX},
		.since = INT64_C(1) << 40,
	};

	snprintf(claim.owner, sizeof(claim.owner), "%s", owner);
	return claim;
}

static void test_rows(void **state)
{
	struct books *books = *state;
	struct ledger_claim a = make(2, "web"), b = make(0, "db"), got, *list;
	size_t count;

	assert_int_equal(ledger_get(books->ledger, a.bdf, &got), 0);
	assert_int_equal(ledger_put(books->ledger, &a), 0);
	assert_int_equal(ledger_put(books->ledger, &b), 0);
	assert_int_equal(ledger_put(books->ledger, &a), -EEXIST);
	reopen(books);
	assert_int_equal(ledger_get(books->ledger, a.bdf, &got), 1);
	assert_memory_equal(&got, &a, sizeof(a)); /* every field came through */
	assert_int_equal(ledger_list(books->ledger, NULL, &list, &count), 0);
	assert_int_equal(count, 2);
	assert_string_equal(list[0].owner, "db"); /* by address */
	free(list);
	assert_int_equal(ledger_list(books->ledger, "web", &list, &count), 0);
	assert_int_equal(count, 1);
	assert_true(bdf_equal(list[0].bdf, a.bdf));
	free(list);
	assert_int_equal(ledger_drop(books->ledger, a.bdf), 0);
	assert_int_equal(ledger_drop(books->ledger, a.bdf), 0);
	reopen(books);
	assert_int_equal(ledger_get(books->ledger, a.bdf, &got), 0);
	assert_int_equal(ledger_get(books->ledger, b.bdf, &got), 1);
}

static void test_hostile_owner(void **state)
{
	struct books *books = *state;
	struct ledger_claim a = make(1, "x'; DROP TABLE claims; --"), got;

	assert_int_equal(ledger_put(books->ledger, &a), 0);
	assert_int_equal(ledger_get(books->ledger, a.bdf, &got), 1);
	assert_string_equal(got.owner, a.owner);
}

static void sql(const struct books *books, const char *text)
{
	char path[64];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/state.db", books->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void test_newer(void **state)
{
	struct books *books = *state;
	struct ledger *ledger;

	sql(books, "PRAGMA user_version = 1000");
	assert_int_equal(ledger_open(books->dir, &ledger), -ENOTSUP);
}

/* A row that nobody could have written. */
static void test_damaged_row(void **state)
{
	struct books *books = *state;
	struct ledger_claim a = make(1, "web"), got;

	assert_int_equal(ledger_put(books->ledger, &a), 0);
	sql(books, "UPDATE claims SET mac = x'00'");
	assert_int_equal(ledger_get(books->ledger, a.bdf, &got), -EUCLEAN);
	sql(books, "UPDATE claims SET mac = x'000000000000', pf = 'nonsense'");
	assert_int_equal(ledger_get(books->ledger, a.bdf, &got), -EUCLEAN);
}

static void test_no_database(void **state)
{
	struct books *books = *state;
	struct ledger *ledger;
	char path[64];

	assert_int_equal(ledger_open("/nonexistent/dir", &ledger), -EACCES);
	ledger_close(books->ledger);
	books->ledger = NULL;
	snprintf(path, sizeof(path), "%s/state.db", books->dir);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	for (int i = 0; i < 1000; i++)
		fputs("this is not a database ", file);
	fclose(file);
	assert_int_equal(ledger_open(books->dir, &ledger), -EUCLEAN);
}

/* Two commands at once. */
static void test_two_handles(void **state)
{
	struct books *books = *state;
	struct ledger_claim a = make(1, "web"), got;
	struct ledger *other;

	assert_int_equal(ledger_open(books->dir, &other), 0);
	assert_int_equal(ledger_put(books->ledger, &a), 0);
	assert_int_equal(ledger_get(other, a.bdf, &got), 1);
	assert_int_equal(ledger_put(other, &a), -EEXIST);
	assert_int_equal(ledger_drop(other, a.bdf), 0);
	assert_int_equal(ledger_get(books->ledger, a.bdf, &got), 0);
	ledger_close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_owner, setup, teardown),
		cmocka_unit_test_setup_teardown(test_newer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged_row, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_database, setup, teardown),
		cmocka_unit_test_setup_teardown(test_two_handles, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
