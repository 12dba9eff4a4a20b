/* SPDX-License-Identifier: BSD-3-Clause */
/* yaml_file: see yaml_file.h. */
#include "cli/yaml_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/util.h"
#include "cli/args.h"

#define FILE_MAX  MIB
#define NODES_MAX 100000u
#define DEPTH_MAX 12u

struct yaml_file {
	char *name;
	yaml_document_t doc;
	bool has_doc;
	json_t *root;
	unsigned complaints;
	unsigned nodes; /* converted; aliases count each time */
};

/* ---- complaints ---- */

static void complain_at(struct yaml_file *file, yaml_mark_t mark, const char *path, const char *fmt,
			va_list args)
{
	char where[300], text[400];

	if (++file->complaints > YAML_COMPLAINTS)
		return;
	snprintf(where, sizeof(where), "%s:%zu:%zu", file->name, mark.line + 1, mark.column + 1);
	vsnprintf(text, sizeof(text), fmt, args);
	log_error(where, "%s%s%s", path, *path ? ": " : "", text);
}

__attribute__((format(printf, 4, 5))) static void complain(struct yaml_file *file, yaml_mark_t mark,
							   const char *path, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	complain_at(file, mark, path, fmt, args);
	va_end(args);
}

/* ---- the document ---- */

static yaml_node_t *node_of(struct yaml_file *file, int index)
{
	return yaml_document_get_node(&file->doc, index);
}

static const char *text_of(const yaml_node_t *node)
{
	return (const char *)node->data.scalar.value;
}

/* The value of a key, NULL for none. */
static yaml_node_t *find_key(struct yaml_file *file, const yaml_node_t *map, const char *key,
			     size_t len)
{
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top;
	     p++) {
		const yaml_node_t *name = node_of(file, p->key);
		if (name->type == YAML_SCALAR_NODE && strlen(text_of(name)) == len &&
		    !memcmp(text_of(name), key, len))
			return node_of(file, p->value);
	}
	return NULL;
}

static yaml_node_t *find_item(struct yaml_file *file, yaml_node_t *list, const char *number)
{
	size_t i = strtoul(number, NULL, 10);
	size_t count = (size_t)(list->data.sequence.items.top - list->data.sequence.items.start);

	return i < count ? node_of(file, list->data.sequence.items.start[i]) : NULL;
}

/* As far as the path goes. */
static yaml_mark_t mark_of(struct yaml_file *file, const char *path)
{
	yaml_node_t *at = yaml_document_get_root_node(&file->doc);

	while (*path) {
		size_t len = strcspn(path, "/");
		yaml_node_t *next = at->type == YAML_MAPPING_NODE    ? find_key(file, at, path, len)
				    : at->type == YAML_SEQUENCE_NODE ? find_item(file, at, path)
				    : len == 1 && *path == '0' ? at /* one alone is a list of one */
							       : NULL;
		if (!next)
			break;
		at = next;
		path += len + (path[len] == '/');
	}
	return at->start_mark;
}

const char *yaml_file_where(struct yaml_file *file, const char *path, char where[YAML_WHERE])
{
	yaml_mark_t mark = mark_of(file, path);

	snprintf(where, YAML_WHERE, "%s:%zu:%zu", file->name, mark.line + 1, mark.column + 1);
	return where;
}

int yaml_file_refuse(struct yaml_file *file, const char *path, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	complain_at(file, mark_of(file, path), path, fmt, args);
	va_end(args);
	return -EINVAL;
}

void yaml_file_count(struct yaml_file *file)
{
	file->complaints++;
}

unsigned yaml_file_complaints(const struct yaml_file *file)
{
	return file->complaints;
}

/* ---- values ---- */

/* What would be too long is cut: it is for people. */
__attribute__((format(printf, 2, 3))) static void path_below(char out[YAML_PATH_MAX],
							     const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(out, YAML_PATH_MAX, fmt, args);
	va_end(args);
}

static json_t *convert_object(struct yaml_file *file, yaml_node_t *node, const char *path,
			      const struct yaml_shape *fields, unsigned depth);

static int read_bool(const char *text)
{
	static const char *const yes[] = {"yes", "on", "true", "Yes", "On", "True"};
	static const char *const no[] = {"no", "off", "false", "No", "Off", "False"};

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		if (!strcmp(text, yes[i]))
			return 1;
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		if (!strcmp(text, no[i]))
			return 0;
	return -EINVAL;
}

static bool is_word(const char *text, const char *words)
{
	size_t len = strlen(text);

	while (*words) {
		size_t n = strcspn(words, "|");
		if (n == len && !memcmp(words, text, n))
			return true;
		words += n + (words[n] == '|');
	}
	return false;
}

static json_t *number(struct yaml_file *file, const yaml_node_t *node, const char *path,
		      const struct yaml_shape *shape)
{
	const char *text = text_of(node);
	uint64_t value, max = shape->max ? shape->max : INT64_MAX;
	char low[PARSE_SIZE_TEXT], high[PARSE_SIZE_TEXT];
	bool size = shape->kind == YAML_SIZE;
	int err = size ? parse_size(text, shape->min, max, &value)
		       : parse_u64(text, shape->min, max, &value);

	if (!err)
		return json_integer((json_int_t)value);
	if (size)
		complain(file, node->start_mark, path,
			 "'%.40s': a size such as 512M is wanted, from %s to %s", text,
			 format_size(shape->min, low), format_size(max, high));
	else if (shape->max)
		complain(file, node->start_mark, path,
			 "'%.40s': a number from %" PRIu64 " to %" PRIu64 " is wanted", text,
			 shape->min, max);
	else
		complain(file, node->start_mark, path, "'%.40s': a number is wanted", text);
	return NULL;
}

static json_t *word(struct yaml_file *file, const yaml_node_t *node, const char *path,
		    const struct yaml_shape *shape)
{
	const char *text = text_of(node), *near;
	size_t len;

	if (is_word(text, shape->words))
		return json_string(text);
	near = cli_nearest(text, shape->words, &len);
	if (near)
		complain(file, node->start_mark, path, "'%.40s': did you mean '%.*s'?", text,
			 (int)len, near);
	else
		complain(file, node->start_mark, path, "'%.40s': one of %s is wanted", text,
			 shape->words);
	return NULL;
}

static json_t *text(struct yaml_file *file, const yaml_node_t *node, const char *path,
		    const struct yaml_shape *shape)
{
	char why[YAML_WHY];
	json_t *value;

	if (shape->check && shape->check(text_of(node), why)) {
		complain(file, node->start_mark, path, "%s", why);
		return NULL;
	}
	value = json_string(text_of(node));
	if (!value)
		complain(file, node->start_mark, path, "no UTF-8");
	return value;
}

static json_t *convert_scalar(struct yaml_file *file, const yaml_node_t *node, const char *path,
			      const struct yaml_shape *shape)
{
	int truth;

	switch (shape->kind) {
	case YAML_NUMBER:
	case YAML_SIZE:
		return number(file, node, path, shape);
	case YAML_WORD:
		return word(file, node, path, shape);
	case YAML_BOOL:
		truth = read_bool(text_of(node));
		if (truth < 0)
			complain(file, node->start_mark, path, "'%.40s': yes or no is wanted",
				 text_of(node));
		return truth < 0 ? NULL : json_boolean(truth);
	default:
		return text(file, node, path, shape);
	}
}

static json_t *convert_texts(struct yaml_file *file, yaml_node_t *node, const char *path)
{
	static const struct yaml_shape value = {.kind = YAML_TEXT};
	json_t *out = json_object();

	for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top;
	     p++) {
		const yaml_node_t *key = node_of(file, p->key), *at = node_of(file, p->value);

		if (key->type != YAML_SCALAR_NODE || at->type != YAML_SCALAR_NODE) {
			complain(file, key->start_mark, path,
				 "names with one text each are wanted");
			continue;
		}
		if (json_object_get(out, text_of(key))) {
			complain(file, key->start_mark, path, "'%.40s' stands there twice",
				 text_of(key));
			continue;
		}
		json_t *made = convert_scalar(file, at, path, &value);
		if (made)
			json_object_set_new(out, text_of(key), made);
	}
	return out;
}

/* "key:" with nothing behind it is a mistake more often than an empty text. */
static bool is_empty(const yaml_node_t *node)
{
	return node->type == YAML_SCALAR_NODE && !*text_of(node) &&
	       node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

/* One value, not a list. */
static json_t *convert_one(struct yaml_file *file, yaml_node_t *node, const char *path,
			   const struct yaml_shape *shape, unsigned depth)
{
	bool map = shape->kind == YAML_OBJECT || shape->kind == YAML_TEXTS;

	if (++file->nodes > NODES_MAX || depth > DEPTH_MAX) {
		if (file->complaints < YAML_COMPLAINTS)
			complain(file, node->start_mark, path, "too large or too deep");
		return NULL;
	}
	if (is_empty(node)) {
		complain(file, node->start_mark, path, "has no value");
		return NULL;
	}
	if (map != (node->type == YAML_MAPPING_NODE) || node->type == YAML_SEQUENCE_NODE) {
		complain(file, node->start_mark, path,
			 map ? "keys with values are wanted" : "one value is wanted");
		return NULL;
	}
	if (shape->kind == YAML_OBJECT)
		return convert_object(file, node, path, shape->fields, depth + 1);
	return map ? convert_texts(file, node, path) : convert_scalar(file, node, path, shape);
}

static json_t *convert_list(struct yaml_file *file, yaml_node_t *node, const char *path,
			    const struct yaml_shape *shape, unsigned depth)
{
	json_t *out = json_array();
	char below[YAML_PATH_MAX];
	size_t i = 0;

	if (node->type != YAML_SEQUENCE_NODE) {
		json_t *one = convert_one(file, node, path, shape, depth);
		if (one)
			json_array_append_new(out, one);
		return out;
	}
	for (int *item = node->data.sequence.items.start; item < node->data.sequence.items.top;
	     item++, i++) {
		path_below(below, "%s/%zu", path, i);
		json_t *one = convert_one(file, node_of(file, *item), below, shape, depth);
		if (one)
			json_array_append_new(out, one);
	}
	return out;
}

static const struct yaml_shape *find_shape(const struct yaml_shape *fields, const char *key)
{
	for (; fields->key; fields++)
		if (!strcmp(fields->key, key))
			return fields;
	return NULL;
}

static void refuse_key(struct yaml_file *file, const yaml_node_t *key, const char *path,
		       const struct yaml_shape *fields)
{
	char words[1024] = "";
	const char *near;
	size_t len;

	for (const struct yaml_shape *f = fields; f->key; f++) {
		size_t used = strlen(words);
		snprintf(words + used, sizeof(words) - used, "%s%s", used ? "|" : "", f->key);
	}
	near = cli_nearest(text_of(key), words, &len);
	if (near)
		complain(file, key->start_mark, path, "no key '%.40s'; did you mean '%.*s'?",
			 text_of(key), (int)len, near);
	else
		complain(file, key->start_mark, path, "no key '%.40s'; there are %s", text_of(key),
			 words);
}

static void convert_pair(struct yaml_file *file, const yaml_node_pair_t *pair, const char *path,
			 const struct yaml_shape *fields, unsigned depth, json_t *out)
{
	const yaml_node_t *key = node_of(file, pair->key);
	const struct yaml_shape *shape =
		key->type == YAML_SCALAR_NODE ? find_shape(fields, text_of(key)) : NULL;
	char below[YAML_PATH_MAX];

	if (key->type != YAML_SCALAR_NODE) {
		complain(file, key->start_mark, path, "a key is a name");
		return;
	}
	if (!shape) {
		refuse_key(file, key, path, fields);
		return;
	}
	if (json_object_get(out, shape->key)) {
		complain(file, key->start_mark, path, "'%s' stands there twice", shape->key);
		return;
	}
	path_below(below, "%s%s%s", path, *path ? "/" : "", shape->key);
	json_t *value =
		shape->many ? convert_list(file, node_of(file, pair->value), below, shape, depth)
			    : convert_one(file, node_of(file, pair->value), below, shape, depth);
	/* What was refused is there all the same, so that it is not reported as missing too. */
	json_object_set_new(out, shape->key, value ? value : json_null());
}

static json_t *convert_object(struct yaml_file *file, yaml_node_t *node, const char *path,
			      const struct yaml_shape *fields, unsigned depth)
{
	json_t *out = json_object();

	for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top;
	     p++)
		convert_pair(file, p, path, fields, depth, out);
	for (const struct yaml_shape *f = fields; f->key; f++)
		if (f->required && !json_object_get(out, f->key))
			complain(file, node->start_mark, path, "'%s' is missing", f->key);
	return out;
}

/* ---- reading ---- */

static int load(struct yaml_file *file, yaml_parser_t *parser)
{
	yaml_document_t more;
	yaml_node_t *root;

	if (!yaml_parser_load(parser, &file->doc)) {
		yaml_mark_t mark = parser->problem_mark;
		if (parser->error == YAML_READER_ERROR)
			mark = parser->mark;
		complain(file, mark, "", "%s%s%s", parser->context ? parser->context : "",
			 parser->context ? ": " : "",
			 parser->problem ? parser->problem : "no YAML");
		return -EINVAL;
	}
	file->has_doc = true;
	root = yaml_document_get_root_node(&file->doc);
	if (!root || root->type != YAML_MAPPING_NODE) {
		complain(file, file->doc.start_mark, "",
			 root ? "keys with values are wanted" : "the file is empty");
		return -EINVAL;
	}
	if (!yaml_parser_load(parser, &more)) {
		complain(file, parser->problem_mark, "", "%s", parser->problem);
		return -EINVAL;
	}
	if (yaml_document_get_root_node(&more))
		complain(file, more.start_mark, "", "a second document; one is wanted");
	yaml_document_delete(&more);
	return 0;
}

int yaml_text_read(const char *name, const char *text, size_t len, const struct yaml_shape *fields,
		   struct yaml_file **out)
{
	struct yaml_file *file = calloc(1, sizeof(*file));
	yaml_parser_t parser;

	*out = NULL;
	if (!file || !(file->name = strdup(name)) || !yaml_parser_initialize(&parser)) {
		yaml_file_free(file);
		return log_fail(-ENOMEM, name, "not read");
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	if (!load(file, &parser))
		file->root = convert_object(file, yaml_document_get_root_node(&file->doc), "",
					    fields, 1);
	yaml_parser_delete(&parser);
	if (file->complaints > YAML_COMPLAINTS)
		log_error(name, "and %u more", file->complaints - YAML_COMPLAINTS);
	if (file->complaints) {
		yaml_file_free(file);
		return -EINVAL;
	}
	*out = file;
	return 0;
}

int yaml_file_read(const char *path, const struct yaml_shape *fields, struct yaml_file **out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = fd < 0 ? -errno : 0;
	char *text = NULL;
	size_t len = 0;

	*out = NULL;
	if (!err)
		err = io_read_file(fd, FILE_MAX, &text, &len);
	if (fd >= 0)
		close(fd);
	if (err)
		return log_fail(err, path, "not read: %s",
				err == -EFBIG ? "more than 1 MiB" : strerror(-err));
	err = yaml_text_read(path, text, len, fields, out);
	free(text);
	return err;
}

json_t *yaml_file_root(const struct yaml_file *file)
{
	return file->root;
}

void yaml_file_free(struct yaml_file *file)
{
	if (!file)
		return;
	if (file->has_doc)
		yaml_document_delete(&file->doc);
	json_decref(file->root);
	free(file->name);
	free(file);
}

/* ---- writing ---- */

static int add_value(yaml_document_t *doc, const json_t *value)
{
	char number[32];
	const char *text = json_is_string(value)  ? json_string_value(value)
			   : json_is_true(value)  ? "yes"
			   : json_is_false(value) ? "no"
						  : number;
	const char *key;
	const json_t *below;
	size_t i;
	int node;

	if (json_is_object(value)) {
		node = yaml_document_add_mapping(doc, NULL, YAML_BLOCK_MAPPING_STYLE);
		json_object_foreach ((json_t *)(uintptr_t)value, key, below)
			if (!node ||
			    !yaml_document_append_mapping_pair(
				    doc, node,
				    yaml_document_add_scalar(doc, NULL, (const unsigned char *)key,
							     -1, YAML_ANY_SCALAR_STYLE),
				    add_value(doc, below)))
				return 0;
		return node;
	}
	if (json_is_array(value)) {
		node = yaml_document_add_sequence(doc, NULL, YAML_BLOCK_SEQUENCE_STYLE);
		json_array_foreach (value, i, below)
			if (!node ||
			    !yaml_document_append_sequence_item(doc, node, add_value(doc, below)))
				return 0;
		return node;
	}
	snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
	return yaml_document_add_scalar(doc, NULL, (const unsigned char *)text, -1,
					YAML_ANY_SCALAR_STYLE);
}

int yaml_write(FILE *out, const json_t *root)
{
	yaml_document_t doc;
	yaml_emitter_t emitter;
	bool good;

	if (!yaml_emitter_initialize(&emitter))
		return -ENOMEM;
	yaml_emitter_set_output_file(&emitter, out);
	yaml_emitter_set_unicode(&emitter, 1);
	good = yaml_document_initialize(&doc, NULL, NULL, NULL, 1, 1) && add_value(&doc, root) &&
	       yaml_emitter_open(&emitter) && yaml_emitter_dump(&emitter, &doc) &&
	       yaml_emitter_close(&emitter);
	yaml_emitter_delete(&emitter);
	return good ? 0 : -EIO;
}
