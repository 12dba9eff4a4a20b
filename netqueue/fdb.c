/* SPDX-License-Identifier: BSD-3-Clause */
/* fdb: see fdb.h. This file is the writers' side. */
#include "netqueue/fdb.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_bitops.h> /* rte_align64pow2, in DPDK 24.11 */
#include <rte_common.h>
#include <rte_random.h>

#include "base/util.h"

/* Twice as many slots as addresses: with two places to choose from, hardly ever are both full. */
int fdb_init(struct fdb *fdb, unsigned macs)
{
	uint64_t buckets = rte_align64pow2(MAX(macs, 8u) * 2 / FDB_WAYS);

	memset(fdb, 0, sizeof(*fdb));
	rte_spinlock_init(&fdb->lock);
	fdb->buckets = aligned_alloc(64, buckets * sizeof(*fdb->buckets));
	if (!fdb->buckets)
		return -ENOMEM;
	memset(fdb->buckets, 0, buckets * sizeof(*fdb->buckets));
	fdb->mask = buckets - 1;
	fdb->limit = macs;
	fdb->secret[0] = rte_rand();
	fdb->secret[1] = rte_rand() | 1;
	return 0;
}

void fdb_finish(struct fdb *fdb)
{
	free(fdb->buckets);
	fdb->buckets = NULL;
}

static uint64_t value_of(const struct fdb *fdb, uint64_t key, uint16_t port, uint32_t now_s)
{
	return (uint64_t)port << 48 | (uint64_t)fdb->bridge_seq[FDB_BRIDGE(key)] << 40 |
	       (uint64_t)fdb->port_seq[port] << 32 | FDB_USED | (now_s & FDB_STAMP_MASK);
}

static bool is_learned(const struct fdb *fdb, uint64_t key, uint64_t value)
{
	return key && !(value & FDB_STATIC) && fdb_fresh(fdb, key, value);
}

/* What was flushed is no longer in the counts. */
static void count(struct fdb *fdb, uint64_t key, uint64_t value, uint32_t by)
{
	if (!is_learned(fdb, key, value))
		return;
	fdb->port_count[FDB_PORT(value)] += by;
	fdb->bridge_count[FDB_BRIDGE(key)] += by;
}

static void erase(struct fdb *fdb, struct fdb_slot *slot)
{
	uint64_t key = slot->key;

	if (!key)
		return;
	count(fdb, key, slot->value, UINT32_MAX);
	/* Readers that still hold the key find it gone at their second look. */
	atomic_store_explicit(&slot->key, 0, memory_order_release);
	atomic_store_explicit(&slot->value, 0, memory_order_release);
	fdb->used--;
}

static void put(struct fdb *fdb, struct fdb_slot *slot, uint64_t key, uint64_t value)
{
	atomic_store_explicit(&slot->value, value, memory_order_release);
	/* Release: who sees the key sees the value. */
	atomic_store_explicit(&slot->key, key, memory_order_release);
	fdb->used++;
	count(fdb, key, value, 1);
}

/* The free slot in the emptier bucket; a slot whose address was flushed is as good as free. */
static struct fdb_slot *room(struct fdb *fdb, uint64_t key)
{
	uint64_t places[2];
	struct fdb_slot *best = NULL;
	unsigned most = 0;

	fdb_places(fdb, key, &places[0], &places[1]);
	for (unsigned p = 0; p < 2; p++) {
		struct fdb_slot *slots = fdb->buckets[places[p]].slots, *empty = NULL;
		unsigned free_count = 0;

		for (unsigned i = 0; i < FDB_WAYS; i++) {
			if (slots[i].key && fdb_fresh(fdb, slots[i].key, slots[i].value))
				continue;
			free_count++;
			empty = &slots[i];
		}
		if (free_count > most) {
			most = free_count;
			best = empty;
		}
	}
	if (best)
		erase(fdb, best);
	return best;
}

/* Both buckets are full, or the table is: whoever has most makes room, if that is more than the
 * newcomer's port has. So a flood of addresses from one port pushes out its own. */
static struct fdb_slot *evict(struct fdb *fdb, uint64_t key, uint16_t port)
{
	uint64_t places[2];
	struct fdb_slot *victim = NULL;
	uint32_t most = fdb->port_count[port];

	fdb_places(fdb, key, &places[0], &places[1]);
	for (unsigned i = 0; i < 2 * FDB_WAYS; i++) {
		struct fdb_slot *slot = &fdb->buckets[places[i / FDB_WAYS]].slots[i % FDB_WAYS];
		uint64_t value = slot->value;

		if (!slot->key || value & FDB_STATIC)
			continue;
		if (fdb->port_count[FDB_PORT(value)] > most ||
		    (!victim && FDB_PORT(value) == port)) {
			most = fdb->port_count[FDB_PORT(value)];
			victim = slot;
		}
	}
	if (victim)
		erase(fdb, victim);
	return victim;
}

static enum fdb_learned insert(struct fdb *fdb, uint64_t key, uint16_t port, uint32_t limit,
			       uint32_t now_s)
{
	uint8_t bridge = FDB_BRIDGE(key);
	uint32_t most = fdb->bridge_limit[bridge];
	struct fdb_slot *slot = NULL;

	if ((limit && fdb->port_count[port] >= limit) ||
	    (most && fdb->bridge_count[bridge] >= most))
		return FDB_REFUSED;
	if (fdb->used < fdb->limit)
		slot = room(fdb, key);
	if (!slot)
		slot = evict(fdb, key, port);
	if (!slot)
		return FDB_REFUSED;
	put(fdb, slot, key, value_of(fdb, key, port, now_s));
	return FDB_NEW;
}

static enum fdb_learned move(struct fdb *fdb, struct fdb_slot *slot, uint64_t key, uint16_t port,
			     uint32_t limit, uint32_t now_s)
{
	bool fresh = fdb_fresh(fdb, key, slot->value);

	if (slot->value & FDB_STATIC)
		return FDB_OLD;
	if (limit && fdb->port_count[port] >= limit)
		return FDB_REFUSED;
	count(fdb, key, slot->value, UINT32_MAX);
	atomic_store_explicit(&slot->value, value_of(fdb, key, port, now_s), memory_order_release);
	count(fdb, key, slot->value, 1);
	return fresh ? FDB_MOVED : FDB_NEW;
}

enum fdb_learned fdb_learn(struct fdb *fdb, uint64_t key, uint16_t port, uint32_t limit,
			   uint32_t now_s)
{
	struct fdb_slot *slot = fdb_slot(fdb, key);
	uint64_t value = slot ? atomic_load_explicit(&slot->value, memory_order_acquire) : 0;

	if (value &&
	    (value & FDB_STATIC || (FDB_PORT(value) == port && fdb_fresh(fdb, key, value)))) {
		/* Its stamp, once a second at most. When the entry has changed meanwhile, the
		 * exchange fails, and the next frame tries again. */
		if (!(value & FDB_STATIC) && FDB_STAMP(value) != (now_s & FDB_STAMP_MASK))
			atomic_compare_exchange_strong(&slot->value, &value,
						       (value & ~(uint64_t)FDB_STAMP_MASK) |
							       (now_s & FDB_STAMP_MASK));
		return FDB_OLD;
	}
	if (!rte_spinlock_trylock(&fdb->lock))
		return FDB_LATER;
	slot = fdb_slot(fdb, key);
	enum fdb_learned what = slot ? move(fdb, slot, key, port, limit, now_s)
				     : insert(fdb, key, port, limit, now_s);
	rte_spinlock_unlock(&fdb->lock);
	return what;
}

/* ---- the control thread ---- */

int fdb_add_static(struct fdb *fdb, uint64_t key, uint16_t port)
{
	rte_spinlock_lock(&fdb->lock);
	uint64_t value = value_of(fdb, key, port, 0) | FDB_STATIC;
	struct fdb_slot *slot = fdb_slot(fdb, key);
	if (slot) {
		count(fdb, key, slot->value, UINT32_MAX);
		atomic_store_explicit(&slot->value, value, memory_order_release);
	} else {
		slot = room(fdb, key);
		if (!slot)
			slot = evict(fdb, key, port);
		if (slot)
			put(fdb, slot, key, value);
	}
	rte_spinlock_unlock(&fdb->lock);
	return slot ? 0 : -ENOSPC;
}

int fdb_remove(struct fdb *fdb, uint64_t key)
{
	rte_spinlock_lock(&fdb->lock);
	struct fdb_slot *slot = fdb_slot(fdb, key);
	bool there = slot && fdb_fresh(fdb, key, slot->value);
	if (slot)
		erase(fdb, slot);
	rte_spinlock_unlock(&fdb->lock);
	return there ? 0 : -ENOENT;
}

static void each_slot(struct fdb *fdb,
		      bool (*gone)(const struct fdb *fdb, uint64_t key, uint64_t value,
				   uint32_t with),
		      uint32_t with)
{
	for (uint64_t b = 0; b <= fdb->mask; b++)
		for (unsigned i = 0; i < FDB_WAYS; i++) {
			struct fdb_slot *slot = &fdb->buckets[b].slots[i];

			if (slot->key && gone(fdb, slot->key, slot->value, with))
				erase(fdb, slot);
		}
}

static bool gone_by_age(const struct fdb *fdb, uint64_t key, uint64_t value, uint32_t now_s)
{
	if (value & FDB_STATIC)
		return false;
	return !fdb_fresh(fdb, key, value) ||
	       fdb_age(value, now_s) > fdb->ageing_s[FDB_BRIDGE(key)];
}

static bool gone_by_flush(const struct fdb *fdb, uint64_t key, uint64_t value, uint32_t with)
{
	(void)with;
	return !fdb_fresh(fdb, key, value);
}

static bool gone_by_port(const struct fdb *fdb, uint64_t key, uint64_t value, uint32_t port)
{
	(void)fdb, (void)key;
	return FDB_PORT(value) == port;
}

/* Sequence numbers have eight bits: before one comes round, nothing may be left that carries it. */
static void flushed(struct fdb *fdb)
{
	if (++fdb->flushes % 128 == 0)
		each_slot(fdb, gone_by_flush, 0);
}

void fdb_port_open(struct fdb *fdb, uint16_t port, uint8_t bridge)
{
	rte_spinlock_lock(&fdb->lock);
	fdb->port_bridge[port] = bridge;
	fdb->port_count[port] = 0;
	rte_spinlock_unlock(&fdb->lock);
}

void fdb_port_close(struct fdb *fdb, uint16_t port)
{
	rte_spinlock_lock(&fdb->lock);
	each_slot(fdb, gone_by_port, port);
	rte_spinlock_unlock(&fdb->lock);
}

void fdb_bridge_set(struct fdb *fdb, uint8_t bridge, uint32_t limit, uint32_t ageing_s)
{
	rte_spinlock_lock(&fdb->lock);
	fdb->bridge_limit[bridge] = limit;
	fdb->ageing_s[bridge] = ageing_s;
	rte_spinlock_unlock(&fdb->lock);
}

void fdb_flush_port(struct fdb *fdb, uint16_t port)
{
	rte_spinlock_lock(&fdb->lock);
	fdb->bridge_count[fdb->port_bridge[port]] -= fdb->port_count[port];
	fdb->port_count[port] = 0;
	fdb->port_seq[port]++;
	flushed(fdb);
	rte_spinlock_unlock(&fdb->lock);
}

void fdb_flush_bridge(struct fdb *fdb, uint8_t bridge)
{
	rte_spinlock_lock(&fdb->lock);
	for (unsigned port = 0; port < NQ_PORTS; port++)
		if (fdb->port_bridge[port] == bridge)
			fdb->port_count[port] = 0;
	fdb->bridge_count[bridge] = 0;
	fdb->bridge_seq[bridge]++;
	flushed(fdb);
	rte_spinlock_unlock(&fdb->lock);
}

void fdb_sweep(struct fdb *fdb, uint32_t now_s)
{
	rte_spinlock_lock(&fdb->lock);
	each_slot(fdb, gone_by_age, now_s);
	rte_spinlock_unlock(&fdb->lock);
}
