/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop: waits for many descriptors in one thread (epoll) and calls back.
 *
 * A source is added with its callback, and stays valid until it is removed; removing a source
 * from inside any callback is allowed, also its own. Callbacks run on the thread that calls
 * loop_run. Sources may be added and removed by any thread; where that is another one, a callback
 * that has begun may still run when loop_remove returns, so it must find out by its own lock.
 * loop_stop may be called from any thread and from a signal handler.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdint.h>

struct loop;
struct loop_source;

/* `events` are EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR as they were found. */
typedef void (*loop_fn)(void *opaque, uint32_t events);

int loop_create(struct loop **out);
void loop_destroy(struct loop *loop); /* also drops the sources that are left */

/* `fd` stays the caller's. */
int loop_add(struct loop *loop, int fd, uint32_t events, loop_fn fn, void *opaque,
	     struct loop_source **out);
int loop_modify(struct loop_source *source, uint32_t events);
void loop_remove(struct loop_source *source); /* accepts NULL */

/* One timer after `ms` milliseconds; removed by itself after it fired once. */
int loop_timer(struct loop *loop, unsigned ms, loop_fn fn, void *opaque, struct loop_source **out);

/* Until loop_stop; returns the value given to it, or a negative errno. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop, int value);

#endif
