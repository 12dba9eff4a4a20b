/* SPDX-License-Identifier: BSD-3-Clause */
/* trace: see trace.h. */
#include "netqueue/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_mbuf_dyn.h>
#include <rte_spinlock.h>

#include "base/log.h"
#include "base/util.h"
#include "netqueue/switch.h"

#define STEPS 4096u
#define ETHER 14u

struct step {
	uint64_t time_ns;
	uint32_t frame;
	uint16_t port, len, vlan;
	uint8_t kind, detail;
	uint8_t head[ETHER];
};

struct trace {
	uint64_t flag;
	uint16_t port; /* whose frames */
	uint32_t every;
	_Atomic uint32_t seen, frames;
	_Atomic uint64_t missed;
	rte_spinlock_t lock; /* workers only try it */
	unsigned first, count;
	struct step steps[STEPS];
};

uint64_t trace_flag(void)
{
	static const struct rte_mbuf_dynflag wanted = {.name = "sluice_trace"};
	int bit = rte_mbuf_dynflag_register(&wanted);

	return bit < 0 ? 0 : UINT64_C(1) << bit;
}

uint32_t trace_every(const struct nq_switch *sw, const struct port *port)
{
	return sw->trace && sw->trace->port == port->id ? sw->trace->every : 0;
}

void trace_destroy(struct trace *trace)
{
	free(trace);
}

void trace_forget(struct trace *trace, uint16_t port)
{
	if (trace && trace->port == port)
		trace->port = NQ_NO_PORT;
}

/* ---- workers ---- */

static void note(struct trace *t, const struct step *step)
{
	if (!rte_spinlock_trylock(&t->lock)) {
		atomic_fetch_add(&t->missed, 1);
		return;
	}
	if (t->count < STEPS)
		t->steps[(t->first + t->count++) % STEPS] = *step;
	else
		atomic_fetch_add(&t->missed, 1);
	rte_spinlock_unlock(&t->lock);
}

void trace_step(struct trace *t, const struct rte_mbuf *m, uint16_t port, enum nq_step_kind kind,
		unsigned detail, uint64_t now_ns)
{
	if (!t || !(m->ol_flags & t->flag))
		return;
	struct step step = {.time_ns = now_ns,
			    .frame = m->hash.usr,
			    .port = port,
			    .len = (uint16_t)MIN(m->pkt_len, (uint32_t)UINT16_MAX),
			    .vlan = m->vlan_tci & 0xfff,
			    .kind = (uint8_t)kind,
			    .detail = (uint8_t)detail};

	memcpy(step.head, rte_pktmbuf_mtod(m, const void *), MIN(ETHER, m->data_len));
	note(t, &step);
}

void trace_begin(struct trace *t, const struct view_port *in, unsigned queue,
		 struct rte_mbuf **frames, unsigned count, uint64_t now_ns)
{
	for (unsigned i = 0; t && i < count; i++) {
		if (atomic_fetch_add(&t->seen, 1) % in->trace_every)
			continue;
		frames[i]->ol_flags |= t->flag;
		frames[i]->hash.usr = atomic_fetch_add(&t->frames, 1) + 1;
		frames[i]->vlan_tci = 0;
		trace_step(t, frames[i], in->id, NQ_STEP_IN, queue, now_ns);
	}
}

/* ---- the control thread ---- */

int nq_trace_set(struct nq_switch *sw, const char *name, unsigned every)
{
	struct port *port = switch_port(sw, name);

	if (!port)
		return log_fail(-ENOENT, name, "no such port; see sluice switch show");
	if (!sw->trace) {
		struct trace *t = calloc(1, sizeof(*t));

		if (!t)
			return log_fail(-ENOMEM, name, "not traced: no memory");
		t->flag = trace_flag();
		rte_spinlock_init(&t->lock);
		sw->trace = t; /* from here on until the switch ends */
	}
	sw->trace->port = every ? port->id : NQ_NO_PORT;
	sw->trace->every = every;
	return switch_publish(sw);
}

static void describe(const struct nq_switch *sw, const struct step *s, struct nq_step *out)
{
	memset(out, 0, sizeof(*out));
	out->frame = s->frame;
	out->time_ns = s->time_ns;
	out->kind = (enum nq_step_kind)s->kind;
	out->detail = s->detail;
	out->len = s->len;
	out->vlan = s->vlan;
	out->type = (uint16_t)(s->head[12] << 8 | s->head[13]);
	memcpy(out->to, s->head, 6);
	memcpy(out->from, s->head + 6, 6);
	if (sw->ports[s->port])
		strcpy(out->port, sw->ports[s->port]->config.name);
}

size_t nq_trace_take(struct nq_switch *sw, struct nq_step *steps, size_t size, uint64_t *missed)
{
	struct trace *t = sw->trace;
	size_t n = 0;

	*missed = t ? atomic_load(&t->missed) : 0;
	if (!t)
		return 0;
	rte_spinlock_lock(&t->lock);
	for (; n < size && t->count; n++, t->count--) {
		describe(sw, &t->steps[t->first], &steps[n]);
		t->first = (t->first + 1) % STEPS;
	}
	rte_spinlock_unlock(&t->lock);
	return n;
}
