/* SPDX-License-Identifier: BSD-3-Clause */
/* switch: what the control thread does: bridges, ports, addresses. See netqueue.h. */
#include "netqueue/switch.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_mbuf_pool_ops.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"
#include "netqueue/capture.h"
#include "netqueue/port_bond.h"
#include "netqueue/tunnel.h"

#define SUBJECT "sluice-switch"
#define BUFFERS 16384u
#define MACS	32768u
#define PRIVATE 16u /* of each buffer; for captures */

/* ---- time ---- */

uint64_t switch_now(const struct nq_switch *sw)
{
	if (sw->options.clock)
		return sw->options.clock(sw->options.clock_opaque);
	uint64_t ticks = rte_rdtsc() - sw->tsc_start;
	return (uint64_t)(((unsigned __int128)ticks * sw->ns_per_tick) >> 32);
}

static uint32_t now_s(const struct nq_switch *sw)
{
	return (uint32_t)(switch_now(sw) / 1000000000);
}

/* ---- making it ---- */

static int make_rcu(struct nq_switch *sw)
{
	size_t size = rte_rcu_qsbr_get_memsize(NQ_WORKERS);

	sw->rcu = rte_zmalloc(NULL, size, RTE_CACHE_LINE_SIZE);
	if (!sw->rcu)
		return -ENOMEM;
	return rte_rcu_qsbr_init(sw->rcu, NQ_WORKERS) ? -rte_errno : 0;
}

static int make_pool(struct nq_switch *sw)
{
	unsigned count = sw->options.buffers;

	snprintf(sw->text, sizeof(sw->text), "sw%lx", (unsigned long)(uintptr_t)sw & 0xffffffffff);
	sw->pool = rte_pktmbuf_pool_create(sw->text, count, count >= 4096 ? 256 : 0, PRIVATE,
					   RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (sw->pool)
		return 0;
	return log_fail(rte_errno ? -rte_errno : -ENOMEM, SUBJECT,
			"no memory for %u frames (%u MiB); ask for fewer, or give it more memory",
			count, (unsigned)(count * UINT64_C(2432) / MIB));
}

static int make_workers(struct nq_switch *sw)
{
	unsigned count = MAX(sw->options.workers, 1u);

	sw->workers = aligned_alloc(64, ALIGN_UP(count * sizeof(*sw->workers), (size_t)64));
	if (!sw->workers)
		return -ENOMEM;
	memset(sw->workers, 0, count * sizeof(*sw->workers));
	for (unsigned i = 0; i < count; i++) {
		sw->workers[i].sw = sw;
		sw->workers[i].index = i;
		sw->workers[i].cpu = sw->options.workers ? sw->options.cpus[i] : -1;
	}
	if (!sw->options.workers) /* the caller of nq_switch_poll stands in for one */
		return rte_rcu_qsbr_thread_register(sw->rcu, 0) ? -EIO : 0;
	return workers_start(sw);
}

static int make(struct nq_switch *sw)
{
	int err = make_rcu(sw);

	if (!err)
		err = make_pool(sw);
	if (!err)
		err = fdb_init(&sw->fdb, sw->options.macs);
	if (!err)
		err = switch_publish(sw);
	return err ? err : make_workers(sw);
}

int nq_switch_create(const struct nq_options *options, struct nq_switch **out)
{
	struct nq_switch *sw;
	int err;

	if (options->workers > NQ_WORKERS)
		return log_fail(-EINVAL, SUBJECT, "%u workers asked for; %u are the most",
				options->workers, NQ_WORKERS);
	sw = calloc(1, sizeof(*sw));
	if (!sw)
		return -ENOMEM;
	sw->options = *options;
	sw->options.buffers = options->buffers ? options->buffers : BUFFERS;
	sw->options.macs = options->macs ? options->macs : MACS;
	sw->tsc_start = rte_rdtsc();
	sw->ns_per_tick = (UINT64_C(1000000000) << 32) / rte_get_tsc_hz();
	sw->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = sw->event_fd < 0 ? -errno : make(sw);
	if (err) {
		nq_switch_destroy(sw);
		return err;
	}
	*out = sw;
	return 0;
}

void nq_switch_destroy(struct nq_switch *sw)
{
	if (!sw)
		return;
	workers_stop(sw);
	for (int upper = 1; upper >= 0; upper--) /* ports that stand on others first */
		for (unsigned id = 0; id < NQ_PORTS; id++)
			if (sw->ports[id] && sw->ports[id]->ops->kind.upper == upper) {
				port_destroy(sw->ports[id]);
				sw->ports[id] = NULL;
			}
	capture_destroy(sw->capture);
	view_free(atomic_load(&sw->view));
	fdb_finish(&sw->fdb);
	rte_mempool_free(sw->pool);
	rte_free(sw->rcu);
	free(sw->workers);
	io_close(&sw->event_fd);
	free(sw);
}

/* ---- running it ---- */

void switch_wait(struct nq_switch *sw)
{
	uint64_t token = rte_rcu_qsbr_start(sw->rcu);

	while (!rte_rcu_qsbr_check(sw->rcu, token, false))
		sched_yield(); /* a worker may be waiting for this very CPU */
}

int switch_publish(struct nq_switch *sw)
{
	struct view *view, *old;
	int err = view_build(sw, &view);

	if (err)
		return log_fail(err, SUBJECT, "nothing changed: %s", strerror(-err));
	/* Release: pairs with the acquire of worker_round. */
	old = atomic_exchange_explicit(&sw->view, view, memory_order_acq_rel);
	switch_wait(sw);
	view_free(old);
	return 0;
}

unsigned nq_switch_poll(struct nq_switch *sw)
{
	if (sw->options.workers)
		return 0;
	rte_rcu_qsbr_thread_online(sw->rcu, 0);
	unsigned count = worker_round(&sw->workers[0]);
	rte_rcu_qsbr_thread_offline(sw->rcu, 0);
	return count;
}

void nq_switch_tick(struct nq_switch *sw)
{
	fdb_sweep(&sw->fdb, now_s(sw));
}

void nq_switch_attend(struct nq_switch *sw)
{
	for (unsigned id = 0; id < NQ_PORTS; id++)
		if (sw->ports[id] && sw->ports[id]->ops == &port_bond)
			bond_tick(sw->ports[id]);
		else if (sw->ports[id] && sw->ports[id]->ops == &port_vxlan)
			vxlan_tick(sw->ports[id]);
}

int nq_switch_event_fd(const struct nq_switch *sw)
{
	return sw->event_fd;
}

void nq_switch_event(struct nq_switch *sw)
{
	uint64_t count;

	if (read(sw->event_fd, &count, sizeof(count)) < 0)
		return;
	for (unsigned id = 0; id < NQ_PORTS; id++)
		if (sw->ports[id] && sw->ports[id]->ops->event)
			sw->ports[id]->ops->event(sw->ports[id]);
	switch_publish(sw);
}

unsigned nq_workers(const struct nq_switch *sw)
{
	return sw->options.workers;
}

void nq_worker_info(const struct nq_switch *sw, unsigned worker, struct nq_worker_info *out)
{
	const struct worker *w = &sw->workers[worker];

	*out = (struct nq_worker_info){
		.cpu = w->cpu,
		.queues = atomic_load(&sw->view)->poll_count[worker],
		.polls = __atomic_load_n(&w->polls, __ATOMIC_RELAXED),
		.empty = __atomic_load_n(&w->empty, __ATOMIC_RELAXED),
		.sleeps = __atomic_load_n(&w->sleeps, __ATOMIC_RELAXED),
	};
}

void nq_buffers(const struct nq_switch *sw, unsigned *count, unsigned *available)
{
	*count = sw->options.buffers;
	*available = rte_mempool_avail_count(sw->pool);
}

/* ---- bridges ---- */

bool switch_name_ok(const char *name)
{
	size_t len = strnlen(name, NQ_NAME);

	return len && len < NQ_NAME && name[0] != '-' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
		       len;
}

static int check_name(const char *what, const char *name)
{
	return switch_name_ok(name)
		       ? 0
		       : log_fail(-EINVAL, what,
				  "'%.32s' is no name: 1 to %d letters, digits, '-', '_' or '.'",
				  name, NQ_NAME - 1);
}

int switch_bridge(const struct nq_switch *sw, const char *name)
{
	for (int i = 0; i < NQ_BRIDGES; i++)
		if (sw->bridges[i].used && !strcmp(sw->bridges[i].config.name, name))
			return i;
	return -ENOENT;
}

static int need_bridge(const struct nq_switch *sw, const char *name)
{
	int index = switch_bridge(sw, name);

	return index >= 0 ? index
			  : log_fail(-ENOENT, name, "no such bridge; see sluice switch show");
}

static void apply_bridge(struct nq_switch *sw, int index, const struct nq_bridge_config *config)
{
	struct bridge *b = &sw->bridges[index];

	b->config = *config;
	b->used = true;
	if (!b->config.ageing_s)
		b->config.ageing_s = 300;
	fdb_bridge_set(&sw->fdb, (uint8_t)index, b->config.mac_limit, b->config.ageing_s);
}

int nq_bridge_add(struct nq_switch *sw, const struct nq_bridge_config *config)
{
	int err = check_name("bridge", config->name);

	if (err)
		return err;
	if (switch_bridge(sw, config->name) >= 0)
		return log_fail(-EEXIST, config->name, "there is such a bridge already");
	for (int i = 0; i < NQ_BRIDGES; i++)
		if (!sw->bridges[i].used) {
			apply_bridge(sw, i, config);
			return 0;
		}
	return log_fail(-ENOSPC, config->name, "not added: %d bridges are the most", NQ_BRIDGES);
}

int nq_bridge_remove(struct nq_switch *sw, const char *name)
{
	int index = need_bridge(sw, name);

	if (index < 0)
		return index;
	for (unsigned id = 0; id < NQ_PORTS; id++)
		if (sw->ports[id] && sw->ports[id]->bridge == index)
			return log_fail(-EBUSY, name, "not removed: port %s is in it",
					sw->ports[id]->config.name);
	sw->bridges[index].used = false;
	return 0;
}

int nq_bridge_set(struct nq_switch *sw, const struct nq_bridge_config *config)
{
	int index = need_bridge(sw, config->name);

	if (index < 0)
		return index;
	apply_bridge(sw, index, config);
	return 0;
}

const struct nq_bridge_config *nq_bridge_next(const struct nq_switch *sw,
					      const struct nq_bridge_config *previous)
{
	int i = previous ? switch_bridge(sw, previous->name) + 1 : 0;

	for (; i < NQ_BRIDGES; i++)
		if (sw->bridges[i].used)
			return &sw->bridges[i].config;
	return NULL;
}

/* ---- ports ---- */

struct port *switch_port(const struct nq_switch *sw, const char *name)
{
	for (unsigned id = 0; id < NQ_PORTS; id++)
		if (sw->ports[id] && !strcmp(sw->ports[id]->config.name, name))
			return sw->ports[id];
	return NULL;
}

static struct port *need_port(const struct nq_switch *sw, const char *name)
{
	struct port *port = switch_port(sw, name);

	if (!port)
		log_error(name, "no such port; see sluice switch show");
	return port;
}

static int free_id(const struct nq_switch *sw)
{
	for (int id = 0; id < NQ_PORTS; id++)
		if (!sw->ports[id])
			return id;
	return -ENOSPC;
}

int nq_port_add(struct nq_switch *sw, const struct nq_port_config *config)
{
	int err = check_name("port", config->name), id = free_id(sw), bridge;
	struct port *port;

	if (err)
		return err;
	if (switch_port(sw, config->name))
		return log_fail(-EEXIST, config->name, "there is such a port already");
	if (id < 0)
		return log_fail(id, config->name, "not added: %d ports are the most", NQ_PORTS);
	bridge = config->bridge[0] ? need_bridge(sw, config->bridge) : VIEW_NO_BRIDGE;
	if (bridge < 0)
		return bridge;
	err = port_create(sw, sw->pool, (uint16_t)id, config, &port);
	if (err)
		return err;
	port->bridge = (uint8_t)bridge;
	fdb_port_open(&sw->fdb, port->id, config->bridge[0] ? port->bridge : 0);
	sw->ports[id] = port;
	err = switch_publish(sw);
	if (err) {
		sw->ports[id] = NULL;
		port_destroy(port);
		return err;
	}
	for (unsigned i = 0; i < NQ_PORTS; i++) /* its members are no longer where they were */
		if (sw->ports[i] && sw->ports[i]->bond == port->id)
			fdb_flush_port(&sw->fdb, (uint16_t)i);
	return 0;
}

static void end_mirror(struct nq_switch *sw, struct port *port)
{
	if (port->mirror != NQ_NO_PORT)
		sw->ports[port->mirror]->mirrors--;
	port->mirror = NQ_NO_PORT;
}

int nq_port_remove(struct nq_switch *sw, const char *name)
{
	struct port *port = need_port(sw, name);
	int err;

	if (!port)
		return -ENOENT;
	if (port->mirrors)
		return log_fail(-EBUSY, name, "not removed: it is what a port is mirrored to");
	if (port->bond != NQ_NO_PORT)
		return log_fail(-EBUSY, name, "not removed: it is a member of %s",
				sw->ports[port->bond]->config.name);
	if (port->tunnels)
		return log_fail(-EBUSY, name, "not removed: %u tunnels end there", port->tunnels);
	if (sw->capture && capture_of(sw, port))
		nq_capture_stop(sw, NULL);
	sw->ports[port->id] = NULL;
	err = switch_publish(sw); /* from here on no worker knows it */
	if (err) {
		sw->ports[port->id] = port;
		return err;
	}
	if (port->mirror != NQ_NO_PORT) {
		end_mirror(sw, port);
		switch_publish(sw);
	}
	fdb_port_close(&sw->fdb, port->id);
	port_destroy(port);
	return 0;
}

static bool same_vlan(const struct nq_vlan_rules *a, const struct nq_vlan_rules *b)
{
	return a->mode == b->mode && a->vlan == b->vlan && a->native_tagged == b->native_tagged &&
	       !memcmp(a->allowed, b->allowed, sizeof(a->allowed));
}

int nq_port_set(struct nq_switch *sw, const char *name, const struct nq_port_rules *rules)
{
	struct port *port = need_port(sw, name);

	if (!port)
		return -ENOENT;
	struct nq_port_rules old = port->config.rules;
	if (rules->vlan.vlan > 4094 || (rules->vlan.mode != NQ_VLAN_TRUNK && !rules->vlan.vlan))
		return log_fail(-EINVAL, name, "VLAN %u is not one of 1 to 4094", rules->vlan.vlan);
	port->config.rules = *rules;
	int err = switch_publish(sw);
	if (err)
		port->config.rules = old;
	else if (!same_vlan(&old.vlan, &rules->vlan))
		fdb_flush_port(&sw->fdb, port->id); /* where it no longer is */
	return err;
}

const struct nq_port_config *nq_port_find(const struct nq_switch *sw, const char *name)
{
	const struct port *port = switch_port(sw, name);

	return port ? &port->config : NULL;
}

const struct nq_port_config *nq_port_next(const struct nq_switch *sw,
					  const struct nq_port_config *previous)
{
	const struct port *before = previous ? switch_port(sw, previous->name) : NULL;

	for (unsigned id = before ? before->id + 1u : 0; id < NQ_PORTS; id++)
		if (sw->ports[id])
			return &sw->ports[id]->config;
	return NULL;
}

int nq_port_info(const struct nq_switch *sw, const char *name, struct nq_port_info *out)
{
	const struct port *port = switch_port(sw, name);

	if (!port)
		return -ENOENT;
	memset(out, 0, sizeof(*out));
	out->macs = sw->fdb.port_count[port->id];
	port->ops->info(port, out);
	return 0;
}

int nq_port_stats(const struct nq_switch *sw, const char *name, struct nq_stats *out)
{
	const struct port *port = switch_port(sw, name);
	uint64_t *sum = (uint64_t *)out;

	if (!port)
		return -ENOENT;
	memset(out, 0, sizeof(*out));
	for (unsigned w = 0; w < NQ_WORKERS; w++) {
		const uint64_t *part = (const uint64_t *)&port->counters[w].stats;

		for (size_t i = 0; i < sizeof(*out) / sizeof(*sum); i++)
			sum[i] += __atomic_load_n(&part[i], __ATOMIC_RELAXED);
	}
	return 0;
}
_Static_assert(sizeof(struct nq_stats) % sizeof(uint64_t) == 0, "counters only");

/* ---- mirrors ---- */

int nq_mirror_set(struct nq_switch *sw, const char *from, const char *to)
{
	struct port *port = need_port(sw, from), *target = to ? need_port(sw, to) : NULL;

	if (!port || (to && !target))
		return -ENOENT;
	if (target && (target == port || target->mirror != NQ_NO_PORT || port->mirrors))
		return log_fail(-EINVAL, from, "not mirrored: mirrors do not follow each other");
	if (target && (port->bond != NQ_NO_PORT || target->bond != NQ_NO_PORT))
		return log_fail(-EINVAL, from,
				"not mirrored: members of a bond are not; the bond "
				"can be");
	uint16_t old = port->mirror;
	end_mirror(sw, port);
	if (target) {
		port->mirror = target->id;
		target->mirrors++;
	}
	int err = switch_publish(sw);
	if (err) {
		end_mirror(sw, port);
		port->mirror = old;
		if (old != NQ_NO_PORT)
			sw->ports[old]->mirrors++;
	} else if (target) {
		fdb_flush_port(&sw->fdb, target->id);
	}
	return err;
}

const char *nq_mirror_of(const struct nq_switch *sw, const char *from)
{
	const struct port *port = switch_port(sw, from);

	return port && port->mirror != NQ_NO_PORT ? sw->ports[port->mirror]->config.name : NULL;
}

/* ---- addresses ---- */

static uint64_t mac_number(const uint8_t mac[6])
{
	uint64_t number = 0;

	for (int i = 0; i < 6; i++)
		number = number << 8 | mac[i];
	return number;
}

static uint64_t mac_key(int bridge, uint16_t vlan, const uint8_t mac[6])
{
	return FDB_KEY((uint64_t)bridge << 12 | vlan, mac_number(mac));
}

int nq_mac_add(struct nq_switch *sw, const struct nq_mac *mac)
{
	int bridge = need_bridge(sw, mac->bridge);

	if (bridge < 0)
		return bridge;
	struct port *port = need_port(sw, mac->port);
	if (!port)
		return -ENOENT;
	if (port->bridge != bridge)
		return log_fail(-EINVAL, mac->port, "is in another bridge than %s", mac->bridge);
	if (mac->vlan > 4094 || mac->mac[0] & 1 || !mac_number(mac->mac))
		return log_fail(-EINVAL, mac->bridge,
				"no static address: a station's own, in VLAN "
				"0 to 4094, is wanted");
	int err = fdb_add_static(&sw->fdb, mac_key(bridge, mac->vlan, mac->mac), port->id);
	return err ? log_fail(err, mac->bridge,
			      "no static address: its places in the table are "
			      "all taken by static ones")
		   : 0;
}

int nq_mac_remove(struct nq_switch *sw, const char *name, uint16_t vlan, const uint8_t mac[6])
{
	int bridge = need_bridge(sw, name);

	if (bridge < 0)
		return bridge;
	int err = vlan > 4094 ? -ENOENT : fdb_remove(&sw->fdb, mac_key(bridge, vlan, mac));
	return err ? log_fail(err, name, "no such address; see sluice switch fdb") : 0;
}

int nq_mac_flush_bridge(struct nq_switch *sw, const char *name)
{
	int bridge = need_bridge(sw, name);

	if (bridge < 0)
		return bridge;
	fdb_flush_bridge(&sw->fdb, (uint8_t)bridge);
	return 0;
}

int nq_mac_flush_port(struct nq_switch *sw, const char *name)
{
	struct port *port = need_port(sw, name);

	if (!port)
		return -ENOENT;
	fdb_flush_port(&sw->fdb, port->id);
	return 0;
}

static bool describe_mac(const struct nq_switch *sw, uint64_t key, uint64_t value,
			 struct nq_mac *out)
{
	const struct port *port = sw->ports[FDB_PORT(value)];

	if (!key || !port || !fdb_fresh(&sw->fdb, key, value))
		return false;
	memset(out, 0, sizeof(*out));
	strcpy(out->bridge, sw->bridges[FDB_BRIDGE(key)].config.name);
	strcpy(out->port, port->config.name);
	for (int i = 0; i < 6; i++)
		out->mac[i] = (uint8_t)(key >> (40 - 8 * i));
	out->vlan = (uint16_t)(key >> 48 & 0xfff);
	out->is_static = value & FDB_STATIC;
	out->age_s = out->is_static ? 0 : fdb_age(value, now_s(sw));
	return true;
}

int nq_mac_list(const struct nq_switch *sw, struct nq_mac **out, size_t *count)
{
	const struct fdb *fdb = &sw->fdb;
	size_t most = (fdb->mask + 1) * FDB_WAYS, n = 0, room = 64;
	struct nq_mac *list = malloc(room * sizeof(*list));

	for (size_t i = 0; list && i < most; i++) {
		const struct fdb_slot *slot = &fdb->buckets[i / FDB_WAYS].slots[i % FDB_WAYS];

		if (n == room) {
			struct nq_mac *more = realloc(list, (room *= 2) * sizeof(*list));

			if (!more)
				free(list);
			list = more;
		}
		if (list && describe_mac(sw, slot->key, slot->value, &list[n]))
			n++;
	}
	*out = list;
	*count = n;
	return list ? 0 : -ENOMEM;
}
