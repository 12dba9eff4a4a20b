/* SPDX-License-Identifier: BSD-3-Clause */
/* output: see output.h. Widths count characters, not bytes: names may be UTF-8. */
#include "cli/output.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"

#define COLUMNS_MAX 24
#define CELL_MAX    256

static void format_cell(const json_t *value, enum cli_shows shows, char text[CELL_MAX]);

static void format_list(const json_t *list, enum cli_shows shows, char text[CELL_MAX])
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < json_array_size(list) && used < CELL_MAX; i++) {
		char item[CELL_MAX];
		format_cell(json_array_get(list, i), shows, item);
		int n = snprintf(text + used, CELL_MAX - used, "%s%s", i ? "," : "", item);
		used += n > 0 ? (size_t)n : 0;
	}
	if (!text[0])
		strcpy(text, "-");
}

static void format_cell(const json_t *value, enum cli_shows shows, char text[CELL_MAX])
{
	json_int_t n = json_integer_value(value);

	if (!value || json_is_null(value))
		strcpy(text, "-");
	else if (json_is_array(value))
		format_list(value, shows, text);
	else if (json_is_boolean(value) && shows == CLI_SHOW_ON)
		strcpy(text, json_is_true(value) ? "on" : "off");
	else if (json_is_boolean(value))
		strcpy(text, json_is_true(value) ? "yes" : "no");
	else if (json_is_integer(value) && shows == CLI_SHOW_SIZE)
		format_size((uint64_t)n, text);
	else if (json_is_integer(value))
		snprintf(text, CELL_MAX, shows == CLI_SHOW_HEX ? "0x%llx" : "%lld", n);
	else if (json_is_real(value))
		snprintf(text, CELL_MAX, "%.2f", json_real_value(value));
	else
		snprintf(text, CELL_MAX, "%s",
			 json_string_value(value) ? json_string_value(value) : "");
	if (!text[0])
		strcpy(text, "-");
}

static int characters(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80; /* not a UTF-8 continuation byte */
	return n;
}

static void print_padded(FILE *out, const char *text, int width, bool right, bool last)
{
	int pad = width - characters(text);

	if (right)
		fprintf(out, "%*s", pad, "");
	fputs(text, out);
	if (!right && !last)
		fprintf(out, "%*s", pad, "");
	fputs(last ? "\n" : "  ", out);
}

static bool is_number_column(const struct cli_column *column, const json_t *rows)
{
	bool any = false;

	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *value = json_object_get(json_array_get(rows, i), column->key);
		if (json_is_integer(value) || json_is_real(value))
			any = true;
		else if (value && !json_is_null(value))
			return false;
	}
	return any;
}

void cli_print_table(FILE *out, const struct cli_column *columns, const json_t *rows)
{
	int width[COLUMNS_MAX];
	bool right[COLUMNS_MAX];
	char text[CELL_MAX];
	size_t count = 0;

	for (; count < COLUMNS_MAX && columns[count].title; count++) {
		width[count] = characters(columns[count].title);
		right[count] = is_number_column(&columns[count], rows);
		for (size_t i = 0; i < json_array_size(rows); i++) {
			format_cell(json_object_get(json_array_get(rows, i), columns[count].key),
				    columns[count].shows, text);
			int n = characters(text);
			width[count] = n > width[count] ? n : width[count];
		}
	}
	for (size_t c = 0; c < count; c++)
		print_padded(out, columns[c].title, width[c], right[c], c + 1 == count);
	for (size_t i = 0; i < json_array_size(rows); i++) {
		for (size_t c = 0; c < count; c++) {
			format_cell(json_object_get(json_array_get(rows, i), columns[c].key),
				    columns[c].shows, text);
			print_padded(out, text, width[c], right[c], c + 1 == count);
		}
	}
}

void cli_print_fields(FILE *out, const struct cli_column *columns, const json_t *object)
{
	char text[CELL_MAX];
	int width = 0;

	for (const struct cli_column *c = columns; c->title; c++)
		if (json_object_get(object, c->key) && characters(c->title) > width)
			width = characters(c->title);
	for (const struct cli_column *c = columns; c->title; c++) {
		const json_t *value = json_object_get(object, c->key);
		if (!value)
			continue;
		format_cell(value, c->shows, text);
		fprintf(out, "%s%*s  %s\n", c->title, width - characters(c->title), "", text);
	}
}

void cli_print_json(FILE *out, const json_t *json)
{
	json_dumpf(json, out, JSON_INDENT(2));
	fputc('\n', out);
}
