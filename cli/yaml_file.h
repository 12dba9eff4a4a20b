/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * yaml_file: a YAML file that has a shape.
 *
 * The shape is a table: which keys an object has, what each value is. Reading gives JSON that has
 * it, so that nobody behind this needs to look twice: numbers are within bounds, words are known,
 * what is required is there. What is wrong is told with file, line and column, all of it and not
 * only the first (up to YAML_COMPLAINTS); a key that does not exist is told with the nearest one
 * that does. JSON is YAML, so a JSON file will do as well.
 *
 * YAML's habit of guessing types does no harm: a value is what the shape says, so that a MAC
 * address is no number in base sixty and "no" is a text where a text is wanted. Anchors and aliases
 * work, within bounds; tags do not.
 */
#ifndef CLI_YAML_FILE_H
#define CLI_YAML_FILE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define YAML_WHY	160
#define YAML_COMPLAINTS 20
#define YAML_PATH_MAX	256
#define YAML_WHERE	300

enum yaml_kind {
	YAML_TEXT,   /* a JSON string; `check` looks closer */
	YAML_NUMBER, /* an integer within min..max */
	YAML_SIZE,   /* bytes: "512M"; an integer within min..max */
	YAML_BOOL,   /* yes, no, on, off, true, false */
	YAML_WORD,   /* one of `words`; a string */
	YAML_OBJECT, /* of `fields` */
	YAML_TEXTS,  /* an object whose keys are anything and values are texts */
};

/* One key of an object. Tables end with a NULL key. */
struct yaml_shape {
	const char *key;
	enum yaml_kind kind;
	bool required;
	bool many;	   /* a list of them; one alone is a list of one */
	uint64_t min, max; /* max 0: any */
	const char *words; /* separated by '|' */
	const struct yaml_shape *fields;
	/* -EINVAL with a line in `why`. */
	int (*check)(const char *text, char why[YAML_WHY]);
	const char *help; /* for the manual */
};

struct yaml_file;

/* `fields` are those of the whole file. -EINVAL: complaints were logged, and *out is NULL; -ENOENT
 * and others: not read, logged. */
int yaml_file_read(const char *path, const struct yaml_shape *fields, struct yaml_file **out);
/* The same of a text; `name` stands for it in messages. */
int yaml_text_read(const char *name, const char *text, size_t len, const struct yaml_shape *fields,
		   struct yaml_file **out);
void yaml_file_free(struct yaml_file *file);

/* Borrowed. */
json_t *yaml_file_root(const struct yaml_file *file);

/* Complains about the value at `path`, such as "vms/1/memory" (keys and numbers; what is missing at
 * its end is left off), with its line. Returns -EINVAL. */
int yaml_file_refuse(struct yaml_file *file, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* "FILE:LINE:COLUMN" of the same, for who complains himself. */
const char *yaml_file_where(struct yaml_file *file, const char *path, char where[YAML_WHERE]);
/* Somebody else complained, and logged it: it counts. */
void yaml_file_count(struct yaml_file *file);
unsigned yaml_file_complaints(const struct yaml_file *file);

/* JSON as YAML, block style; keys in their order. */
int yaml_write(FILE *out, const json_t *root);

#endif
