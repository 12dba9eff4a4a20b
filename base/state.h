/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * state: what a part of a VM writes down so that it can be put back later.
 *
 * A state is a tree of named values. Whoever saves puts values into the object it is given, and
 * whoever loads takes them out by the same names:
 *
 *     save:  struct state *s = state_child(parent, "serial");
 *            state_put(s, "ier", ier);
 *     load:  struct state *s = state_open(parent, "serial");
 *            ier = state_take(s, "ier", 0x0f);
 *            return state_error(s);
 *
 * Errors stick to the tree, so a part asks once, at its end. A saved state is hostile input: a take
 * gives only what lies inside its bounds, and 0 otherwise; a part that failed must not be run.
 * Parts add values over time: state_has tells whether an older writer knew one.
 *
 * It becomes JSON on disk: numbers are decimal texts (64 bits do not fit a JSON number everywhere),
 * bytes are hexadecimal.
 */
#ifndef BASE_STATE_H
#define BASE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct state;

/* The root. NULL without memory, which everything below takes and passes on as an error. */
struct state *state_new(void);
/* Of the root only; accepts NULL. */
void state_free(struct state *root);

/* Allocated text, for free(); and back. -EINVAL with the reason logged under `subject`, as is what
 * the parts will refuse. */
char *state_text(const struct state *root);
int state_parse(const char *subject, const char *text, size_t len, struct state **out);

/* 0, or what went wrong first anywhere in the tree: -ENOMEM; -ENOENT a value is missing, -ERANGE it
 * is out of bounds, -EINVAL it has another type. Logged once, with its path ("cpu0/serial/ier"). */
int state_error(const struct state *s);
/* A part refuses what it took: the reason is logged under the part's path. */
void state_refuse(struct state *s, int err, const char *reason);

/* ---- saving ---- */

struct state *state_child(struct state *s, const char *name);
struct state *state_item(struct state *s, const char *name, size_t index); /* "name0", "name1", … */
void state_put(struct state *s, const char *name, uint64_t value);
void state_put_bytes(struct state *s, const char *name, const void *bytes, size_t len);
void state_put_text(struct state *s, const char *name, const char *text);

/* ---- loading ---- */

bool state_has(const struct state *s, const char *name);
struct state *state_open(struct state *s, const char *name);
struct state *state_open_item(struct state *s, const char *name, size_t index);
/* 0..max */
uint64_t state_take(struct state *s, const char *name, uint64_t max);
/* Exactly len bytes. */
void state_take_bytes(struct state *s, const char *name, void *bytes, size_t len);
/* Length in bytes of what state_put_bytes put there; 0 when it is missing or no bytes. */
size_t state_bytes(const struct state *s, const char *name);
/* Valid as long as the tree; "" on error. */
const char *state_take_text(struct state *s, const char *name);

#endif
