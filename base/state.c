/* SPDX-License-Identifier: BSD-3-Clause */
/* state: see state.h. A node is a JSON object beside its path; the nodes are the root's to free. */
#include "base/state.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"

#define PATH_MAX_TEXT 96

struct state {
	struct state *root;
	struct state *next; /* all nodes, newest first, in the root's list */
	json_t *object;	    /* borrowed, but for the root's */
	int err;	    /* the root's: what stuck */
	char *subject;	    /* the root's: whose state it is, for messages; may be NULL */
	char path[PATH_MAX_TEXT];
};

static void fail(struct state *s, int err, const char *name, const char *reason)
{
	if (!s || s->root->err)
		return;
	bool both = s->path[0] && name[0];

	s->root->err =
		log_fail(err, s->root->subject ? s->root->subject : "saved state", "%s%s%s%s%s",
			 s->path, both ? "/" : "", name, s->path[0] || name[0] ? ": " : "", reason);
}

static struct state *node(struct state *parent, const char *name, json_t *object)
{
	struct state *s = calloc(1, sizeof(*s));

	if (!s) {
		fail(parent, -ENOMEM, name, "no memory");
		return NULL;
	}
	s->object = object;
	s->root = parent ? parent->root : s;
	if (parent) {
		snprintf(s->path, sizeof(s->path), "%.46s%s%.46s", parent->path,
			 parent->path[0] ? "/" : "", name);
		s->next = s->root->next;
		s->root->next = s;
	}
	return s;
}

static struct state *root_of(json_t *object)
{
	struct state *s = object ? node(NULL, "", object) : NULL;

	if (!s)
		json_decref(object);
	return s;
}

struct state *state_new(void)
{
	return root_of(json_object());
}

void state_free(struct state *root)
{
	if (!root)
		return;
	json_decref(root->object);
	free(root->subject);
	while (root) {
		struct state *next = root->next;

		free(root);
		root = next;
	}
}

char *state_text(const struct state *root)
{
	return root ? json_dumps(root->object, JSON_COMPACT) : NULL;
}

int state_parse(const char *subject, const char *text, size_t len, struct state **out)
{
	json_error_t error;
	json_t *object = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);

	if (!json_is_object(object)) {
		json_decref(object);
		return log_fail(-EINVAL, subject, "the saved state is damaged: %s",
				object ? "not an object" : error.text);
	}
	*out = root_of(object);
	if (*out)
		(*out)->subject = strdup(subject);
	return *out ? 0 : -ENOMEM;
}

int state_error(const struct state *s)
{
	return s ? s->root->err : -ENOMEM;
}

void state_refuse(struct state *s, int err, const char *reason)
{
	fail(s, err, "", reason);
}

/* ---- saving ---- */

static void put(struct state *s, const char *name, json_t *value)
{
	if (!s)
		json_decref(value);
	else if (!value || json_object_set_new(s->object, name, value))
		fail(s, -ENOMEM, name, "no memory");
}

struct state *state_child(struct state *s, const char *name)
{
	if (!s)
		return NULL;
	put(s, name, json_object());
	json_t *object = json_object_get(s->object, name);
	return object ? node(s, name, object) : NULL;
}

static const char *item_name(char text[PATH_MAX_TEXT], const char *name, size_t index)
{
	snprintf(text, PATH_MAX_TEXT, "%s%zu", name, index);
	return text;
}

struct state *state_item(struct state *s, const char *name, size_t index)
{
	char text[PATH_MAX_TEXT];

	return state_child(s, item_name(text, name, index));
}

void state_put(struct state *s, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	put(s, name, json_string(text));
}

void state_put_bytes(struct state *s, const char *name, const void *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *in = bytes;
	char *text = malloc(2 * len + 1);

	for (size_t i = 0; text && i < len; i++) {
		text[2 * i] = digits[in[i] >> 4];
		text[2 * i + 1] = digits[in[i] & 15];
	}
	put(s, name, text ? json_stringn(text, 2 * len) : NULL);
	free(text);
}

void state_put_text(struct state *s, const char *name, const char *text)
{
	put(s, name, json_string(text));
}

/* ---- loading ---- */

bool state_has(const struct state *s, const char *name)
{
	return s && json_object_get(s->object, name);
}

struct state *state_open(struct state *s, const char *name)
{
	json_t *object = s ? json_object_get(s->object, name) : NULL;

	if (json_is_object(object))
		return node(s, name, object);
	fail(s, object ? -EINVAL : -ENOENT, name, object ? "not a part" : "missing");
	return NULL;
}

struct state *state_open_item(struct state *s, const char *name, size_t index)
{
	char text[PATH_MAX_TEXT];

	return state_open(s, item_name(text, name, index));
}

const char *state_take_text(struct state *s, const char *name)
{
	json_t *value = s ? json_object_get(s->object, name) : NULL;

	if (json_is_string(value))
		return json_string_value(value);
	fail(s, value ? -EINVAL : -ENOENT, name, value ? "not a text" : "missing");
	return "";
}

uint64_t state_take(struct state *s, const char *name, uint64_t max)
{
	const char *text = state_take_text(s, name);
	uint64_t value;

	if (!s || s->root->err)
		return 0;
	if (parse_u64(text, 0, max, &value) == 0)
		return value;
	fail(s, -ERANGE, name, "no number, or out of bounds");
	return 0;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void state_take_bytes(struct state *s, const char *name, void *bytes, size_t len)
{
	const char *text = state_take_text(s, name);
	uint8_t *out = bytes;

	memset(bytes, 0, len);
	if (!s || s->root->err)
		return;
	if (strlen(text) != 2 * len) {
		fail(s, -ERANGE, name, "another number of bytes");
		return;
	}
	for (size_t i = 0; i < len; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

		if (high < 0 || low < 0) {
			fail(s, -EINVAL, name, "not bytes");
			return;
		}
		out[i] = (uint8_t)(high << 4 | low);
	}
}

size_t state_bytes(const struct state *s, const char *name)
{
	json_t *value = s ? json_object_get(s->object, name) : NULL;

	return json_is_string(value) ? json_string_length(value) / 2 : 0;
}
