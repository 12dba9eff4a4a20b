/* SPDX-License-Identifier: BSD-3-Clause */
/* switch: what the files of this folder know of a switch. See netqueue.h for the threads. */
#ifndef NETQUEUE_SWITCH_H
#define NETQUEUE_SWITCH_H

#include <pthread.h>
#include <stdatomic.h>

#include <rte_rcu_qsbr.h>

#include "netqueue/fdb.h"
#include "netqueue/place.h"
#include "netqueue/view.h"

#define NQ_NODES 8

struct stage {
	uint16_t count;
	uint64_t bytes;
	uint64_t flags; /* of all its frames */
	struct rte_mbuf *frames[NQ_BURST];
};

struct worker {
	struct nq_switch *sw;
	unsigned index;
	int cpu;
	pthread_t thread;
	bool started;
	_Atomic int failed; /* why it did not start; 1 while that is open */
	_Atomic bool stop;
	uint64_t now_ns; /* when this round began */
	uint64_t polls, empty, sleeps, dozes, kicks;
	struct doze *doze;
	uint64_t cycles[NQ_STAGES], timed_frames; /* of bursts that were timed */
	uint64_t timed_at;			  /* TSC; 0: this burst is not */
	unsigned bursts;
	unsigned dirty_count;
	uint16_t dirty[NQ_PORTS]; /* stages that hold something */
	unsigned shaped_count;
	uint16_t shaped[NQ_PORTS]; /* shapers of ours that hold something */
	struct stage stages[NQ_PORTS];
};

struct bridge {
	struct nq_bridge_config config;
	bool used;
};

struct nq_switch {
	struct nq_options options;
	char text[NQ_NAME]; /* of the pool, and in the log */
	uint64_t tsc_start;
	uint64_t ns_per_tick;			   /* << 32 */
	struct rte_mempool *pool, *near[NQ_NODES]; /* of NUMA nodes where ports are */
	struct fdb fdb;
	struct bridge bridges[NQ_BRIDGES];
	struct port *ports[NQ_PORTS];
	struct capture *capture;
	struct acl *acls[NQ_ACLS];
	unsigned acl_serial;
	struct snoop *snoop;
	struct trace *trace;
	struct place_state place;
	uint64_t special; /* flags of frames that leave in another way than others */
	uint64_t serial;  /* of the view */
	_Atomic(struct view *) view;
	struct rte_rcu_qsbr *rcu;
	struct worker *workers; /* NQ_WORKERS */
	int event_fd;
};

/* Since the switch was made. */
uint64_t switch_now(const struct nq_switch *sw);
/* The same, of a TSC that was read. */
uint64_t switch_time(const struct nq_switch *sw, uint64_t tsc);
/* Makes what the control thread has changed the workers' view. -ENOMEM: all is as before. */
int switch_publish(struct nq_switch *sw);
/* From any thread but a worker: until every worker has held nothing, once. */
void switch_wait(struct nq_switch *sw);
/* By the control thread: buffers of NUMA node `node`, made when they are first asked for; the
 * common ones where there is one node only, or no memory. */
struct rte_mempool *switch_pool(struct nq_switch *sw, int node);
struct port *switch_port(const struct nq_switch *sw, const char *name); /* or NULL */
int switch_bridge(const struct nq_switch *sw, const char *name);	/* its index, or -ENOENT */
struct acl *switch_acl(const struct nq_switch *sw, const char *name);	/* or NULL */
/* Whether it can name a bridge or a port: letters, digits, '-', '_', '.', not empty. */
bool switch_name_ok(const char *name);

/* ---- workers (worker.c) ---- */

/* Those from `first` on. What has started stays so when another one fails. */
int workers_start(struct nq_switch *sw, unsigned first);
void workers_stop(struct nq_switch *sw, unsigned first);
/* From the control thread: those that sleep look at the view. */
void workers_wake(struct nq_switch *sw);
/* Every queue of worker `w` once. Returns how many frames came in. */
unsigned worker_round(struct worker *w);

/* ---- frames (forward.c) ---- */

/* Takes the frames over. They came in by `queue` of `in` in one burst. */
void forward(struct worker *w, const struct view *view, const struct view_port *in, unsigned queue,
	     struct rte_mbuf **frames, unsigned count);
/* To the port's other end, now. Takes the stage's frames over. */
void transmit(struct worker *w, const struct view *view, const struct view_port *out,
	      struct stage *stage);

#endif
