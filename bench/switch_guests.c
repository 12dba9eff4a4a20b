/* SPDX-License-Identifier: BSD-3-Clause */
/* switch_guests: see switch_guests.h. */
#include "bench/switch_guests.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_udp.h>

#define BURST	32
#define BUFFERS 8191
#define FLOWS	64
#define LARGEST 1514
#define HEADERS \
	(sizeof(struct rte_ether_hdr) + sizeof(struct rte_ipv4_hdr) + sizeof(struct rte_udp_hdr))
#define DRAIN_MS    20
#define DRAIN_LOOKS 20000

/* ---- latencies ---- */

void histogram_add(struct histogram *h, uint64_t ticks)
{
	unsigned power = ticks < HISTOGRAM_STEPS ? 0 : 58 - (unsigned)__builtin_clzll(ticks);
	uint64_t step = power ? (ticks >> (power - 1)) - HISTOGRAM_STEPS : ticks;

	h->count[power * HISTOGRAM_STEPS + step]++;
	h->total++;
	h->most = ticks > h->most ? ticks : h->most;
}

uint64_t histogram_at(const struct histogram *h, double part)
{
	uint64_t wanted = (uint64_t)((double)h->total * part), sum = 0;

	for (unsigned i = 0; i < HISTOGRAM; i++) {
		unsigned power = i / HISTOGRAM_STEPS;
		uint64_t step = i % HISTOGRAM_STEPS;

		sum += h->count[i];
		if (sum > wanted)
			return power ? (step + HISTOGRAM_STEPS + 1) << (power - 1) : step;
	}
	return h->most;
}

/* ---- frames ---- */

struct port_frames {
	unsigned from, ports;
};

/* Of port 0, frame by frame to the others; of the others to it. */
static void write_frame(struct rte_mempool *pool, void *opaque, void *object, unsigned index)
{
	const struct port_frames *of = opaque;
	struct rte_mbuf *m = object;
	uint8_t *data = (uint8_t *)m->buf_addr + RTE_PKTMBUF_HEADROOM;
	unsigned to = of->from ? 0 : 1 + index % (of->ports - 1);
	struct rte_ether_hdr ether = {.dst_addr = {{2, 0, 0, 0, 1, (uint8_t)to}},
				      .src_addr = {{2, 0, 0, 0, 1, (uint8_t)of->from}},
				      .ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4)};
	struct rte_ipv4_hdr ip = {.version_ihl = 0x45,
				  .total_length = RTE_BE16(46),
				  .time_to_live = 64,
				  .next_proto_id = 17,
				  .src_addr = rte_cpu_to_be_32(0x0a000001 + of->from),
				  .dst_addr = rte_cpu_to_be_32(0x0a000001 + to)};
	struct rte_udp_hdr udp = {
		.src_port = rte_cpu_to_be_16((uint16_t)(1024 + index / of->ports % FLOWS)),
		.dst_port = RTE_BE16(9),
		.dgram_len = RTE_BE16(26)};

	(void)pool;
	ip.hdr_checksum = rte_ipv4_cksum(&ip);
	memset(data, 0, LARGEST);
	memcpy(data, &ether, sizeof(ether));
	memcpy(data + sizeof(ether), &ip, sizeof(ip));
	memcpy(data + sizeof(ether) + sizeof(ip), &udp, sizeof(udp));
}

static unsigned size_of(const struct load *load, uint64_t number)
{
	static const uint16_t mix[12] = {60, 594, 60, 60, 594, 60, 1514, 60, 594, 60, 594, 60};

	return load->size == GUESTS_IMIX ? mix[number % 12] : load->size;
}

/* ---- opening ---- */

static int open_port(struct guests *g, const struct guests_options *o, unsigned i)
{
	struct rte_eth_conf conf = {0};
	char args[256], name[64];

	snprintf(name, sizeof(name), "net_virtio_user_%s%u", o->name, i);
	snprintf(args, sizeof(args),
		 "%s,path=%s%u,queues=%u,queue_size=%d,packed_vq=%d,mrg_rxbuf=%d,"
		 "mac=02:00:00:00:01:0%u",
		 name, o->sockets, i, o->queues, GUEST_RING, o->packed, o->mergeable, i);
	if (rte_dev_probe(args) || rte_eth_dev_get_port_by_name(name, &g->id[i]))
		return -ECONNREFUSED;
	uint16_t queues = (uint16_t)o->queues;
	if (rte_eth_dev_configure(g->id[i], queues, queues, &conf))
		return -EIO;
	for (uint16_t q = 0; q < queues; q++)
		if (rte_eth_rx_queue_setup(g->id[i], q, GUEST_RING, 0, NULL, g->pool[i]) ||
		    rte_eth_tx_queue_setup(g->id[i], q, GUEST_RING, 0, NULL))
			return -EIO;
	return rte_eth_dev_start(g->id[i]) ? -EIO : 0;
}

/* Until frames go both ways: a switch learns, and takes its time over connections and queues. */
static int introduce(struct guests *g)
{
	const struct load hello = {.size = 60, .rate = 20000, .seconds = 0.02};

	for (unsigned tries = 0; tries < 150; tries++) {
		struct outcome o = guests_run(g, &hello, NULL);

		if (o.received == o.offered && o.offered)
			return 0;
		nanosleep(&(struct timespec){.tv_nsec = 30000000}, NULL);
	}
	return -ETIMEDOUT;
}

int guests_open(struct guests *g, const struct guests_options *o)
{
	char name[RTE_MEMPOOL_NAMESIZE];
	int err = 0;

	memset(g, 0, sizeof(*g));
	g->queues = o->queues;
	for (unsigned i = 0; i < o->ports && !err; i++) {
		struct port_frames frames = {i, o->ports};

		snprintf(name, sizeof(name), "%.12s%u", o->name, i);
		g->pool[i] = rte_pktmbuf_pool_create(name, BUFFERS, 256, 0,
						     RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
		if (!g->pool[i])
			return -ENOMEM;
		rte_mempool_obj_iter(g->pool[i], write_frame, &frames);
		err = open_port(g, o, i);
		g->ports += !err;
	}
	return err ? err : introduce(g);
}

void guests_close(struct guests *g)
{
	for (unsigned i = 0; i < GUEST_PORTS; i++) {
		if (i < g->ports) {
			rte_eth_dev_stop(g->id[i]);
			rte_eth_dev_close(g->id[i]);
		}
		rte_mempool_free(g->pool[i]);
	}
}

/* ---- threads ---- */

struct thread_time thread_time(pid_t process, pid_t thread)
{
	struct thread_time t = {0, 0};
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", (int)process, (int)thread);
	FILE *file = fopen(path, "re");
	if (!file)
		return t;
	if (fscanf(file, "%" SCNu64 " %" SCNu64, &t.ran, &t.waited) != 2)
		t.ran = t.waited = 0;
	fclose(file);
	return t;
}

pid_t moving_thread(pid_t process)
{
	static const char *const names[] = {"worker", "pmd-", "lcore-worker", "rte-worker",
					    "dpdk-worker"};
	char path[64], name[32];
	pid_t found = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)process);
	DIR *folder = opendir(path);
	const struct dirent *entry;
	while (folder && !found && (entry = readdir(folder))) {
		pid_t thread = (pid_t)atoi(entry->d_name);

		snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", (int)process, (int)thread);
		FILE *file = thread > 0 ? fopen(path, "re") : NULL;
		if (file && fgets(name, sizeof(name), file))
			for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
				if (!strncmp(name, names[i], strlen(names[i])))
					found = thread;
		if (file)
			fclose(file);
	}
	if (folder)
		closedir(folder);
	return found;
}

/* ---- running ---- */

struct run {
	struct guests *g;
	const struct load *load;
	struct histogram *h;
	struct outcome out;
	uint64_t number[GUEST_PORTS];
	unsigned queue[GUEST_PORTS];
};

static void send_burst(struct run *r, unsigned port, unsigned count)
{
	struct rte_mbuf *frames[BURST];
	struct guests *g = r->g;
	unsigned queue = r->queue[port]++ % g->queues;

	r->out.offered += count;
	if (rte_pktmbuf_alloc_bulk(g->pool[port], frames, count)) {
		r->out.refused += count;
		return;
	}
	uint64_t now = rte_rdtsc();
	for (unsigned i = 0; i < count; i++) {
		uint16_t size = (uint16_t)size_of(r->load, r->number[port]++);

		frames[i]->data_len = size;
		frames[i]->pkt_len = size;
		if (r->h)
			memcpy(rte_pktmbuf_mtod_offset(frames[i], char *, HEADERS), &now,
			       sizeof(now));
	}
	unsigned sent = rte_eth_tx_burst(g->id[port], (uint16_t)queue, frames, (uint16_t)count);
	r->out.refused += count - sent;
	if (sent < count)
		rte_pktmbuf_free_bulk(frames + sent, count - sent);
}

/* Returns how many came. */
static unsigned receive_all(struct run *r)
{
	struct rte_mbuf *frames[BURST];
	unsigned sum = 0;

	for (unsigned port = 0; port < r->g->ports; port++)
		for (unsigned q = 0; q < r->g->queues; q++) {
			unsigned n = rte_eth_rx_burst(r->g->id[port], (uint16_t)q, frames, BURST);
			uint64_t now = r->h && n ? rte_rdtsc() : 0, then;

			for (unsigned i = 0; i < n; i++) {
				r->out.bytes += frames[i]->pkt_len;
				if (!r->h)
					continue;
				memcpy(&then, rte_pktmbuf_mtod_offset(frames[i], char *, HEADERS),
				       sizeof(then));
				histogram_add(r->h, now - then);
			}
			rte_pktmbuf_free_bulk(frames, n);
			sum += n;
		}
	r->out.received += sum;
	return sum;
}

/* What is due from each port by now. Where we were kept from our CPU, that time is left out: a
 * burst in its place would be another load than the one that was asked for. */
static unsigned due(struct run *r, uint64_t *start, uint64_t now, uint64_t sent, double per_tick)
{
	double wanted = (double)(now - *start) * per_tick;

	if (r->load->rate == 0)
		return BURST;
	if (wanted - (double)sent > 2 * BURST) {
		*start += (uint64_t)((wanted - (double)sent - BURST) / per_tick);
		return BURST;
	}
	return wanted > (double)sent ? (unsigned)(wanted - (double)sent) : 0;
}

/* Until nothing comes any more: for a while, and often enough that the while was not one in which
 * we were kept from our CPU. */
static void drain(struct run *r)
{
	uint64_t quiet = rte_get_tsc_hz() / 1000 * DRAIN_MS, last = rte_rdtsc();
	unsigned looks = 0;

	while ((looks < DRAIN_LOOKS || rte_rdtsc() - last < quiet) &&
	       r->out.received < r->out.offered - r->out.refused) {
		looks++;
		if (receive_all(r)) {
			last = rte_rdtsc();
			looks = 0;
		}
	}
}

struct outcome guests_run(struct guests *g, const struct load *load, struct histogram *h)
{
	struct run r = {.g = g, .load = load, .h = h};
	const double hz = (double)rte_get_tsc_hz(),
		     per_tick = load->rate / hz / (2 * (g->ports - 1));
	const uint64_t begin = rte_rdtsc(), end = begin + (uint64_t)(load->seconds * hz);
	uint64_t start = begin, now = begin, sent = 0;
	bool half = !load->half;

	/* Port 0 sends as much as all others together, as they do. */
	while (now < end) {
		unsigned n = due(&r, &start, now, sent, per_tick);

		n = n > BURST ? BURST : n;
		for (unsigned port = 1; port < g->ports && n; port++) {
			send_burst(&r, 0, n);
			send_burst(&r, port, n);
		}
		sent += n;
		receive_all(&r);
		now = rte_rdtsc();
		if (!half && now - begin > (end - begin) / 2) {
			half = true;
			load->half(load->opaque);
		}
	}
	r.out.seconds = (double)(now - begin) / hz;
	r.out.in_time = r.out.received;
	drain(&r);
	return r.out;
}
