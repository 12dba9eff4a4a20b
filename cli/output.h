/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * output: one model for what a command shows: JSON values, printed as they are for --json, or as
 * a table for people. A column names the key it shows and how; so the two forms cannot drift
 * apart.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <jansson.h>
#include <stdio.h>

enum cli_shows {
	CLI_SHOW_PLAIN, /* text as it is, numbers right-aligned, lists joined by commas */
	CLI_SHOW_SIZE,	/* bytes as "512 MiB" */
	CLI_SHOW_HEX,
	CLI_SHOW_ON, /* true as "on", false as "off" */
};

struct cli_column {
	const char *title; /* "ADDRESS"; NULL ends the list */
	const char *key;
	enum cli_shows shows;
};

/* What is absent or null in a row shows as "-". An empty list prints only its titles. */
void cli_print_table(FILE *out, const struct cli_column *columns, const json_t *rows);
/* One object: a line "title   value" per column; what is absent is left out. */
void cli_print_fields(FILE *out, const struct cli_column *columns, const json_t *object);
/* Indented JSON and a newline. */
void cli_print_json(FILE *out, const json_t *json);

#endif
