/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * trace: what became of a frame, step by step, for one of so many that come in by a port.
 *
 * A frame that is traced carries a flag of its own among the mbuf's, so others pay nothing. Steps
 * go into a ring, which drops what has no room, and whoever asks takes them out.
 */
#ifndef NETQUEUE_TRACE_H
#define NETQUEUE_TRACE_H

#include "netqueue/port.h"

struct trace;
struct view_port;

/* The flag; the same for all switches of a process. 0: there is none left. */
uint64_t trace_flag(void);
/* Of so many frames of `port` one is traced; 0: none. */
uint32_t trace_every(const struct nq_switch *sw, const struct port *port);
void trace_destroy(struct trace *trace); /* accepts NULL */
void trace_forget(struct trace *trace, uint16_t port);

/* By workers: frames that came in, of which some get the flag. */
void trace_begin(struct trace *trace, const struct view_port *in, unsigned queue,
		 struct rte_mbuf **frames, unsigned count, uint64_t now_ns);
/* A step of a frame, if it has the flag. */
void trace_step(struct trace *trace, const struct rte_mbuf *m, uint16_t port,
		enum nq_step_kind kind, unsigned detail, uint64_t now_ns);

#endif
