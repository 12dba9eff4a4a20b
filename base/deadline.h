/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * deadline: a moment of the monotonic clock at which a function is called, on the loop's thread.
 *
 * One object, moved as often as its owner likes and from any thread; a device model sets it from
 * a guest's register write. It fires once and is then unset. Destroy it on the loop's thread.
 */
#ifndef BASE_DEADLINE_H
#define BASE_DEADLINE_H

#include <stdint.h>

#include "base/loop.h"

struct deadline;

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t deadline_now(void);

int deadline_create(struct loop *loop, void (*fn)(void *opaque), void *opaque,
		    struct deadline **out);
void deadline_destroy(struct deadline *deadline); /* accepts NULL */
/* One in the past fires at once; 0 unsets. */
void deadline_set(struct deadline *deadline, uint64_t at);

#endif
