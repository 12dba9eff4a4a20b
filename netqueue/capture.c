/* SPDX-License-Identifier: BSD-3-Clause */
/* capture: see capture.h. */
#include "netqueue/capture.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <pcap/pcap.h>
#include <rte_ring.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"
#include "netqueue/switch.h"

#define RING	   1024u
#define MAX_BYTES  (UINT64_C(64) << 20)
#define IDLE_NS	   2000000L
#define FRAME_MOST 65600u /* a guest's, that is not cut yet */

/* Block types and options of pcapng. */
enum { SHB = 0x0a0d0d0a, IDB = 1, EPB = 6 };
enum { OPT_END = 0, IF_NAME = 2, IF_TSRESOL = 9, EPB_FLAGS = 2 };

/* In the private area of a copy. */
struct note {
	uint64_t time_ns;
	uint32_t len;
	uint32_t outgoing;
};

struct capture {
	struct nq_switch *sw;
	uint16_t port;
	struct nq_capture_options options;
	struct rte_mempool *pool;
	struct rte_ring *ring;
	struct bpf_program filter; /* without instructions: all pass */
	pthread_t thread;
	uint64_t wall_ns; /* of the switch's zero */
	_Atomic bool stop, full;
	_Atomic uint64_t packets, bytes, missed;
};

struct capture *capture_of(const struct nq_switch *sw, const struct port *port)
{
	return sw->capture && sw->capture->port == port->id ? sw->capture : NULL;
}

/* Of the part that lies in one piece; BPF has no loops, so it ends. */
static bool is_wanted(const struct capture *c, const struct rte_mbuf *frame)
{
	return !c->filter.bf_len ||
	       bpf_filter(c->filter.bf_insns, rte_pktmbuf_mtod(frame, const u_char *),
			  frame->pkt_len, frame->data_len);
}

void capture_offer(struct capture *c, const struct rte_mbuf *frame, bool outgoing, uint64_t now_ns)
{
	if (atomic_load_explicit(&c->full, memory_order_relaxed) || !is_wanted(c, frame))
		return;
	struct rte_mbuf *copy = rte_pktmbuf_copy(frame, c->pool, 0, c->options.snap);

	if (copy) {
		*(struct note *)rte_mbuf_to_priv(copy) = (struct note){
			.time_ns = now_ns, .len = frame->pkt_len, .outgoing = outgoing};
		if (!rte_ring_mp_enqueue(c->ring, copy))
			return;
		rte_pktmbuf_free(copy);
	}
	atomic_fetch_add_explicit(&c->missed, 1, memory_order_relaxed);
}

/* ---- the file ---- */

struct block {
	uint8_t bytes[FRAME_MOST + 256];
	size_t len;
};

static void put(struct block *b, const void *data, size_t len)
{
	if (len)
		memcpy(b->bytes + b->len, data, len);
	b->len += len;
	while (b->len % 4)
		b->bytes[b->len++] = 0;
}

static void put32(struct block *b, uint32_t value)
{
	put(b, &value, sizeof(value));
}

static void put_option(struct block *b, uint16_t code, const void *data, uint16_t len)
{
	put32(b, (uint32_t)len << 16 | code); /* little-endian: code first */
	put(b, data, len);
}

static void begin(struct block *b, uint32_t type)
{
	b->len = 0;
	put32(b, type);
	put32(b, 0); /* the length, by finish() */
}

static int finish(struct capture *c, struct block *b)
{
	uint32_t len = (uint32_t)b->len + 4;

	put32(b, len);
	memcpy(b->bytes + 4, &len, sizeof(len));
	int err = io_write_full(c->options.fd, b->bytes, b->len);
	if (!err)
		atomic_fetch_add(&c->bytes, b->len);
	return err;
}

static int write_head(struct capture *c, struct block *b)
{
	const char *name = c->sw->ports[c->port]->config.name;
	const uint8_t nanoseconds = 9;
	int err;

	begin(b, SHB);
	put32(b, 0x1a2b3c4d);
	put32(b, 1); /* version 1.0 */
	put32(b, UINT32_MAX);
	put32(b, UINT32_MAX); /* length of the section: not known */
	err = finish(c, b);
	if (err)
		return err;
	begin(b, IDB);
	put32(b, 1); /* LINKTYPE_ETHERNET */
	put32(b, c->options.snap == UINT32_MAX ? 0 : c->options.snap);
	put_option(b, IF_NAME, name, (uint16_t)strlen(name));
	put_option(b, IF_TSRESOL, &nanoseconds, 1);
	put_option(b, OPT_END, NULL, 0);
	return finish(c, b);
}

static int write_frame(struct capture *c, struct block *b, const struct rte_mbuf *m)
{
	const struct note *note = rte_mbuf_to_priv((struct rte_mbuf *)(uintptr_t)m);
	uint32_t len = MIN(m->pkt_len, FRAME_MOST), flags = note->outgoing ? 2 : 1;
	uint64_t time = c->wall_ns + note->time_ns;
	uint8_t linear[FRAME_MOST];

	begin(b, EPB);
	put32(b, 0); /* interface */
	put32(b, (uint32_t)(time >> 32));
	put32(b, (uint32_t)time);
	put32(b, len);
	put32(b, note->len);
	const void *data = rte_pktmbuf_read(m, 0, len, linear);
	put(b, data, len);
	put_option(b, EPB_FLAGS, &flags, sizeof(flags));
	put_option(b, OPT_END, NULL, 0);
	return finish(c, b);
}

/* Whether one more may follow. */
static bool within(const struct capture *c, uint32_t len)
{
	return (!c->options.max_packets || c->packets < c->options.max_packets) &&
	       c->bytes + len + 64 <= c->options.max_bytes;
}

static void keep(struct capture *c, struct block *b, struct rte_mbuf *frame)
{
	if (!c->full && !within(c, frame->pkt_len))
		c->full = true;
	if (!c->full && write_frame(c, b, frame)) {
		log_error("capture", "ended: its file cannot be written: %m");
		c->full = true;
	}
	if (!c->full)
		atomic_fetch_add(&c->packets, 1);
	rte_pktmbuf_free(frame);
}

static void *thread(void *opaque)
{
	struct capture *c = opaque;
	struct block *b = malloc(sizeof(*b));
	struct timespec idle = {.tv_nsec = IDLE_NS};

	if (!b || write_head(c, b)) {
		log_error("capture", "ended: its file cannot be written: %m");
		c->full = true;
	}
	for (;;) {
		bool stop = c->stop; /* before the look: nothing comes after it */
		void *frame = NULL;

		rte_ring_sc_dequeue(c->ring, &frame);
		if (frame)
			keep(c, b, frame);
		else if (stop)
			break;
		else
			nanosleep(&idle, NULL);
	}
	free(b);
	return NULL;
}

/* ---- the control thread ---- */

static int compile_filter(struct capture *c, const char *text)
{
	pcap_t *pcap = text ? pcap_open_dead(DLT_EN10MB, FRAME_MOST) : NULL;

	if (!text)
		return 0;
	if (!pcap)
		return -ENOMEM;
	int err = pcap_compile(pcap, &c->filter, text, 1, PCAP_NETMASK_UNKNOWN)
			  ? log_fail(-EINVAL, "capture", "no filter: %.120s; see pcap-filter(7)",
				     pcap_geterr(pcap))
			  : 0;
	pcap_close(pcap);
	return err;
}

static int create(struct nq_switch *sw, const struct port *port,
		  const struct nq_capture_options *options, struct capture **out)
{
	struct capture *c = calloc(1, sizeof(*c));
	struct timespec now;
	char name[RTE_RING_NAMESIZE];

	if (!c)
		return -ENOMEM;
	clock_gettime(CLOCK_REALTIME, &now);
	c->sw = sw;
	c->port = port->id;
	c->pool = sw->pool;
	c->options = *options;
	c->options.snap = options->snap ? options->snap : UINT32_MAX;
	c->options.max_bytes = options->max_bytes ? options->max_bytes : MAX_BYTES;
	c->wall_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec - switch_now(sw);
	snprintf(name, sizeof(name), "%.16s-cap", sw->text);
	int err = compile_filter(c, options->filter);
	c->ring = err ? NULL : rte_ring_create(name, RING, SOCKET_ID_ANY, RING_F_SC_DEQ);
	if (!err)
		err = c->ring ? -pthread_create(&c->thread, NULL, thread, c) : -ENOMEM;
	if (err) {
		rte_ring_free(c->ring);
		pcap_freecode(&c->filter);
		free(c);
		return err;
	}
	*out = c;
	return 0;
}

/* What is still in the ring goes into the file. */
static void capture_finish(struct capture *c)
{
	if (atomic_exchange(&c->stop, true))
		return;
	pthread_join(c->thread, NULL);
	atomic_store(&c->full, true);
}

void capture_destroy(struct capture *c)
{
	if (!c)
		return;
	capture_finish(c);
	rte_ring_free(c->ring);
	close(c->options.fd);
	pcap_freecode(&c->filter);
	free(c);
}

int nq_capture_start(struct nq_switch *sw, const struct nq_capture_options *options)
{
	struct port *port = switch_port(sw, options->port);
	int err, fd = options->fd;

	if (!port)
		err = log_fail(-ENOENT, options->port, "no such port");
	else if (sw->capture && !sw->capture->full)
		err = log_fail(-EBUSY, options->port,
			       "not captured: another capture runs; stop it");
	else {
		err = sw->capture ? nq_capture_stop(sw, NULL) : 0;
		if (!err)
			err = create(sw, port, options, &sw->capture);
		if (!err && (err = switch_publish(sw))) {
			struct capture *c = sw->capture;

			sw->capture = NULL;
			capture_destroy(c);
			return err;
		}
	}
	if (err)
		io_close(&fd);
	return err;
}

static void tell(const struct capture *c, struct nq_capture_info *out)
{
	*out = (struct nq_capture_info){
		.packets = c->packets, .bytes = c->bytes, .missed = c->missed, .running = !c->full};
}

int nq_capture_info(const struct nq_switch *sw, struct nq_capture_info *out)
{
	if (!sw->capture)
		return -ENOENT;
	tell(sw->capture, out);
	return 0;
}

int nq_capture_stop(struct nq_switch *sw, struct nq_capture_info *last)
{
	struct capture *c = sw->capture;
	int err;

	if (!c)
		return -ENOENT;
	sw->capture = NULL;
	err = switch_publish(sw); /* from here on no worker knows it */
	if (err) {
		sw->capture = c;
		return err;
	}
	capture_finish(c);
	if (last)
		tell(c, last);
	capture_destroy(c);
	return 0;
}
