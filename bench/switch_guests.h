/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * switch_guests: the guests of `make bench-switch`: ports of DPDK's virtio-user, the one with which
 * testpmd plays a guest, in one thread on a CPU of their own.
 *
 * Port 0 sends to all others, and they to it. Frames are UDP in IPv4 of 64 flows, made once: a pool
 * for each port keeps them, since what is sent comes back from the switch as it was. A stamped
 * frame carries the time at which it was sent.
 */
#ifndef BENCH_SWITCH_GUESTS_H
#define BENCH_SWITCH_GUESTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <rte_mbuf.h>

#define GUEST_PORTS 5 /* one, and four that talk with it */
#define GUEST_RING  1024

/* Latencies in ticks: 64 steps to a power of two, so within 1.6 percent. */
#define HISTOGRAM_STEPS 64
#define HISTOGRAM	(59 * HISTOGRAM_STEPS)
struct histogram {
	uint64_t count[HISTOGRAM], total, most;
};
void histogram_add(struct histogram *h, uint64_t ticks);
/* The latency that `part` of all do not exceed. */
uint64_t histogram_at(const struct histogram *h, double part);

struct guests {
	unsigned ports, queues;
	uint16_t id[GUEST_PORTS];
	struct rte_mempool *pool[GUEST_PORTS];
};

struct guests_options {
	const char *sockets; /* a path, to which the port's number is added */
	const char *name;
	unsigned ports, queues;
	bool packed, mergeable;
};

/* One after the other connects to its socket, and says who it is so that the switch learns it;
 * negative errno. */
int guests_open(struct guests *g, const struct guests_options *options);
void guests_close(struct guests *g);

/* How long a thread has run, and how long it has waited for its CPU, in ns. */
struct thread_time {
	uint64_t ran, waited;
};
struct thread_time thread_time(pid_t process, pid_t thread);
/* The thread of `process` that moves frames, by its name; 0: there is none. */
pid_t moving_thread(pid_t process);

#define GUESTS_IMIX 0

struct load {
	unsigned size;	/* bytes without FCS, or GUESTS_IMIX: 7 of 60, 4 of 594, 1 of 1514 */
	double rate;	/* frames per second, of all ports together; 0: as fast as it goes */
	double seconds; /* of sending */
	/* In the middle of it: for what happens there. NULL: nothing. */
	void (*half)(void *opaque);
	void *opaque;
};

struct outcome {
	uint64_t offered; /* frames that were to be sent */
	uint64_t refused; /* of them, not taken because a ring was full */
	uint64_t in_time;
	uint64_t received, bytes; /* also of those that came at the end */
	double seconds;
};

/* Sends, receives, and with a rate waits at the end until nothing comes any more. `h`: latencies
 * are added to it; NULL: frames are not stamped. */
struct outcome guests_run(struct guests *g, const struct load *load, struct histogram *h);

#endif
