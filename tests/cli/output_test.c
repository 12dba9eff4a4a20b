/* SPDX-License-Identifier: BSD-3-Clause */
/* output: the same rows as a table, as fields and as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/output.h"

static const struct cli_column columns[] = {
	{"NAME", "name", CLI_SHOW_PLAIN}, {"RAM", "ram", CLI_SHOW_SIZE},
	{"AT", "at", CLI_SHOW_HEX},	  {"SPOOF", "spoof", CLI_SHOW_ON},
	{"LIST", "list", CLI_SHOW_PLAIN}, {0},
};

static char *printed(void (*print)(FILE *, const struct cli_column *, const json_t *),
		     const json_t *json)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	print(out, columns, json);
	fclose(out);
	return text;
}

static json_t *rows(void)
{
	return json_pack("[{s:s,s:I,s:i,s:b,s:[s,s]},{s:s,s:I,s:n}]", "name", "web", "ram",
			 (json_int_t)536870912, "at", 4096, "spoof", 1, "list", "a", "b", "name",
			 "größe", "ram", (json_int_t)1 << 30, "at");
}

static void test_table(void **state)
{
	json_t *json = rows();
	char *text = printed(cli_print_table, json);

	(void)state;
	assert_string_equal(text, "NAME       RAM      AT  SPOOF  LIST\n"
				  "web    512 MiB  0x1000  on     a,b\n"
				  "größe    1 GiB       -  -      -\n");
	free(text);
	json_decref(json);
}

static void test_empty(void **state)
{
	json_t *json = json_array();
	char *text = printed(cli_print_table, json);

	(void)state;
	assert_string_equal(text, "NAME  RAM  AT  SPOOF  LIST\n");
	free(text);
	json_decref(json);
}

static void test_fields(void **state)
{
	json_t *json = json_pack("{s:s,s:b,s:[]}", "name", "web", "spoof", 0, "list");
	char *text = printed(cli_print_fields, json);

	(void)state;
	assert_string_equal(text, "NAME   web\nSPOOF  off\nLIST   -\n");
	free(text);
	json_decref(json);
}

/* A list longer than a cell is cut, not overrun. */
static void test_long(void **state)
{
	json_t *list = json_array(), *json;

	(void)state;
	for (int i = 0; i < 200; i++)
		json_array_append_new(list, json_string("0000:01:10.0"));
	json = json_pack("[{s:s,s:o}]", "name", "web", "list", list);
	char *text = printed(cli_print_table, json);
	assert_true(strlen(text) < 1024);
	free(text);
	json_decref(json);
}

static void test_json(void **state)
{
	json_t *json = rows(), *again;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	cli_print_json(out, json);
	fclose(out);
	again = json_loads(text, 0, NULL);
	assert_true(json_equal(json, again));
	assert_int_equal(text[size - 1], '\n');
	free(text);
	json_decref(again);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),  cmocka_unit_test(test_empty),
		cmocka_unit_test(test_fields), cmocka_unit_test(test_long),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests_name("output", tests, NULL, NULL);
}
