/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench: work that is done over a network path, and what the numbers of it mean.
 *
 * A *flow* has two ends. The client decides what is done and measures it; the peer sends, swallows,
 * counts or echoes as it is told. Both are one piece of code, so that a guest (bench/guest/work.c,
 * a static program that is all of its user land), a host over the same VF, and the peer beside them
 * do the very same work. A *trial* is one flow for some time; a *series* of trials of one kind
 * becomes a median and a spread, and two series are told apart by rank, not by their means.
 *
 *     bench_peer_start                         the peer, a thread
 *     bench_flow_run("udp size=64 rate=…")     one trial; the result is one line of JSON
 *     bench_sample_*                           median, spread, Mann-Whitney's U
 *
 * Latencies are counted from the moment at which a request was due, not from that at which it was
 * sent: a path that stalls cannot hide by not being asked (coordinated omission).
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_PORT 7000u

/* ---- a histogram of times, of constant relative error ---- */

#define BENCH_HDR_SUB	  64u /* steps per doubling: an error below 1.6 % */
#define BENCH_HDR_BUCKETS (BENCH_HDR_SUB * 36u)

struct bench_hdr {
	uint64_t count, max, sum;
	uint32_t bucket[BENCH_HDR_BUCKETS];
};

void bench_hdr_add(struct bench_hdr *hdr, uint64_t ns);
/* The least time that `share` (0 to 1) of all do not exceed; 0 when there are none. */
uint64_t bench_hdr_at(const struct bench_hdr *hdr, double share);

/* ---- flows ---- */

struct bench_peer;

/* Listens at `address` and serves clients, each on its own thread. */
int bench_peer_start(struct in_addr address, struct bench_peer **out);
void bench_peer_stop(struct bench_peer *peer); /* accepts NULL */

/*
 * One trial against the peer at `address`:
 *
 *     up ms=N                       TCP to the peer
 *     down ms=N                     TCP from it
 *     udp ms=N size=BYTES rate=PPS  datagrams in frames of that size (0: IMIX) to the peer
 *     rr ms=N flight=K [rate=PPS]   a byte there and back over TCP, K under way
 *     conn ms=N                     connections, one after the other
 *
 * The result is one line of JSON: "value" in "unit", and what else was seen. -EINVAL for an
 * unknown command; otherwise the network's.
 */
#define BENCH_RESULT 4096u
int bench_flow_run(struct in_addr address, const char *command, char result[BENCH_RESULT]);

/* ---- samples ---- */

double bench_median(const double *values, size_t count);
/* Half the distance between the quartiles. */
double bench_spread(const double *values, size_t count);
/* Two-sided probability that two samples of one distribution differ so much in rank (Mann and
 * Whitney, 1947); exact for small samples without ties, else by the normal approximation. */
double bench_mann_whitney(const double *a, size_t a_count, const double *b, size_t b_count);

#endif
