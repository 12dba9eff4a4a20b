/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fdb: which port a MAC address is behind.
 *
 * One table for all bridges. The key is one number, domain << 48 | MAC, where the *domain* is
 * bridge
 * << 12 | VLAN. It has two buckets of four entries, each bucket one cache line, and is in one of
 * them: a lookup reads one line when it hits and two when it does not, whatever an attacker fills
 * in.
 *
 * Readers take no lock. Writers hold one: the control thread waits for it, a worker that wants to
 * learn only tries, and learns from the next frame when somebody else is at it. An entry's value is
 * one word, so a reader sees it whole. It looks at the key again after it has read the value; an
 * entry that was given to another address and back in between yields one frame to a wrong port of
 * the table, and no worse, since nothing is reached by pointer.
 *
 * A value carries two sequence numbers, of its port and of its bridge. Flushing either is counting
 * it up: what was learned before no longer counts, and the sweep collects it later.
 */
#ifndef NETQUEUE_FDB_H
#define NETQUEUE_FDB_H

#include <stdatomic.h>

#include <rte_prefetch.h>
#include <rte_spinlock.h>

#include "netqueue/netqueue.h"

#define FDB_WAYS 4

struct fdb_slot {
	_Atomic uint64_t key; /* 0: free; no station has the address 0 */
	_Atomic uint64_t value;
};

struct fdb_bucket {
	struct fdb_slot slots[FDB_WAYS];
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct fdb_bucket) == 64, "one cache line");

/* value: port 16, bridge's sequence 8, port's sequence 8, flags 8, stamp 24 (seconds) */
#define FDB_STAMP_MASK	  0xffffffu
#define FDB_STATIC	  (UINT64_C(1) << 24)
#define FDB_USED	  (UINT64_C(1) << 25)
#define FDB_PORT(v)	  ((uint16_t)((v) >> 48))
#define FDB_BRIDGE_SEQ(v) ((uint8_t)((v) >> 40))
#define FDB_PORT_SEQ(v)	  ((uint8_t)((v) >> 32))
#define FDB_STAMP(v)	  ((uint32_t)(v)&FDB_STAMP_MASK)

#define FDB_KEY(domain, mac) ((uint64_t)(domain) << 48 | (mac))
#define FDB_BRIDGE(key)	     ((uint8_t)((key) >> 60))

struct fdb {
	struct fdb_bucket *buckets;
	uint64_t mask, secret[2];
	_Atomic uint8_t port_seq[NQ_PORTS], bridge_seq[NQ_BRIDGES];

	rte_spinlock_t lock; /* for all below, and for keys */
	uint32_t used, limit;
	_Atomic uint32_t port_count[NQ_PORTS]; /* learned; may be read without the lock */
	uint32_t bridge_count[NQ_BRIDGES];
	uint32_t bridge_limit[NQ_BRIDGES], ageing_s[NQ_BRIDGES];
	uint8_t port_bridge[NQ_PORTS];
	unsigned flushes;
};

enum fdb_learned { FDB_OLD, FDB_NEW, FDB_MOVED, FDB_REFUSED, FDB_LATER };

int fdb_init(struct fdb *fdb, unsigned macs);
void fdb_finish(struct fdb *fdb);

/* Where the two buckets are; the second differs from the first. */
static inline void fdb_places(const struct fdb *fdb, uint64_t key, uint64_t *a, uint64_t *b)
{
	uint64_t x = (key ^ fdb->secret[0]) * fdb->secret[1];

	x ^= x >> 32;
	x *= UINT64_C(0x9e3779b97f4a7c15);
	*a = (x >> 40) & fdb->mask;
	*b = (x >> 8) & fdb->mask;
	if (*a == *b)
		*b ^= 1;
}

static inline void fdb_prefetch(const struct fdb *fdb, uint64_t key)
{
	uint64_t a, b;

	fdb_places(fdb, key, &a, &b);
	rte_prefetch0(&fdb->buckets[a]);
}

/* Neither flushed away. */
static inline bool fdb_fresh(const struct fdb *fdb, uint64_t key, uint64_t value)
{
	if (value & FDB_STATIC)
		return true;
	return atomic_load_explicit(&fdb->port_seq[FDB_PORT(value)], memory_order_relaxed) ==
		       FDB_PORT_SEQ(value) &&
	       atomic_load_explicit(&fdb->bridge_seq[FDB_BRIDGE(key)], memory_order_relaxed) ==
		       FDB_BRIDGE_SEQ(value);
}

static inline struct fdb_slot *fdb_slot_in(struct fdb_bucket *bucket, uint64_t key)
{
	for (unsigned i = 0; i < FDB_WAYS; i++)
		if (atomic_load_explicit(&bucket->slots[i].key, memory_order_acquire) == key)
			return &bucket->slots[i];
	return NULL;
}

static inline struct fdb_slot *fdb_slot(const struct fdb *fdb, uint64_t key)
{
	uint64_t a, b;

	fdb_places(fdb, key, &a, &b);
	struct fdb_slot *slot = fdb_slot_in(&fdb->buckets[a], key);
	return slot ? slot : fdb_slot_in(&fdb->buckets[b], key);
}

/* The value, or 0. */
static inline uint64_t fdb_lookup(const struct fdb *fdb, uint64_t key)
{
	struct fdb_slot *slot = fdb_slot(fdb, key);

	if (!slot)
		return 0;
	/* Acquire: pairs with the writer's release of the key; the second look at the key comes
	 * after the value. */
	uint64_t value = atomic_load_explicit(&slot->value, memory_order_acquire);
	if (atomic_load_explicit(&slot->key, memory_order_relaxed) != key)
		return 0;
	return value && fdb_fresh(fdb, key, value) ? value : 0;
}

/* A worker has seen `key` come in by `port`. `limit`: learned addresses of the port, 0 for any. */
enum fdb_learned fdb_learn(struct fdb *fdb, uint64_t key, uint16_t port, uint32_t limit,
			   uint32_t now_s);

/* ---- the control thread ---- */

int fdb_add_static(struct fdb *fdb, uint64_t key, uint16_t port); /* -ENOSPC */
int fdb_remove(struct fdb *fdb, uint64_t key);			  /* -ENOENT */
void fdb_port_open(struct fdb *fdb, uint16_t port, uint8_t bridge);
/* Learned and static ones. */
void fdb_port_close(struct fdb *fdb, uint16_t port);
void fdb_bridge_set(struct fdb *fdb, uint8_t bridge, uint32_t limit, uint32_t ageing_s);
void fdb_flush_port(struct fdb *fdb, uint16_t port);
void fdb_flush_bridge(struct fdb *fdb, uint8_t bridge);
/* Forgets what is too old or was flushed. */
void fdb_sweep(struct fdb *fdb, uint32_t now_s);

static inline uint32_t fdb_age(uint64_t value, uint32_t now_s)
{
	return (now_s - FDB_STAMP(value)) & FDB_STAMP_MASK;
}

#endif
