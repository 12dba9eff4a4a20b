/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * switch_metrics: counters as text that Prometheus reads (its exposition format, version 0.0.4):
 * one family after the other, each with its ports or workers.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/util.h"
#include "cli/switch_ctl.h"

static void family(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP sluice_switch_%s %s\n# TYPE sluice_switch_%s %s\n", name, help, name,
		type);
}

/* One number of nq_stats for every port; names hold no character that would need escaping. */
static void per_port(FILE *out, const struct nq_switch *sw, const char *name, size_t offset,
		     const char *help)
{
	const struct nq_port_config *p = NULL;
	struct nq_stats stats;

	family(out, name, "counter", help);
	while ((p = nq_port_next(sw, p)))
		if (!nq_port_stats(sw, p->name, &stats))
			fprintf(out, "sluice_switch_%s{port=\"%s\",bridge=\"%s\"} %llu\n", name,
				p->name, p->bridge,
				(unsigned long long)*(uint64_t *)(void *)((char *)&stats + offset));
}

static void drops(FILE *out, const struct nq_switch *sw)
{
	const struct nq_port_config *p = NULL;
	struct nq_stats stats;

	family(out, "dropped_packets_total", "counter", "frames that went nowhere, by reason");
	while ((p = nq_port_next(sw, p))) {
		if (nq_port_stats(sw, p->name, &stats))
			continue;
		for (int i = 0; i < NQ_DROPS; i++)
			fprintf(out,
				"sluice_switch_dropped_packets_total{port=\"%s\",reason=\"%s\"} "
				"%llu\n",
				p->name, nq_drop_name((enum nq_drop)i),
				(unsigned long long)stats.drops[i]);
	}
}

static void gauges(FILE *out, const struct nq_switch *sw)
{
	const struct nq_port_config *p = NULL;
	struct nq_port_info info;
	unsigned count, available;

	family(out, "port_up", "gauge", "whether there is somebody at the other end");
	while ((p = nq_port_next(sw, p)))
		if (!nq_port_info(sw, p->name, &info))
			fprintf(out, "sluice_switch_port_up{port=\"%s\"} %d\n", p->name, info.up);
	family(out, "port_addresses", "gauge", "addresses learned");
	while ((p = nq_port_next(sw, p)))
		if (!nq_port_info(sw, p->name, &info))
			fprintf(out, "sluice_switch_port_addresses{port=\"%s\"} %u\n", p->name,
				info.macs);
	nq_buffers(sw, &count, &available);
	family(out, "buffers_free", "gauge", "frames that there is still room for");
	fprintf(out, "sluice_switch_buffers_free %u\n", available);
}

/* Those of a port's queues, where it has more than one. */
static void queues(FILE *out, const struct nq_switch *sw)
{
	const struct nq_port_config *p = NULL;
	struct nq_stats stats;

	family(out, "queue_dropped_packets_total", "counter",
	       "frames that went nowhere, by queue and reason");
	while ((p = nq_port_next(sw, p)))
		for (unsigned q = 0; !nq_queue_stats(sw, p->name, q, &stats); q++)
			for (int i = 0; i < NQ_DROPS; i++)
				if (stats.drops[i])
					fprintf(out,
						"sluice_switch_queue_dropped_packets_total{port="
						"\"%s\",queue=\"%u\",reason=\"%s\"} %llu\n",
						p->name, q, nq_drop_name((enum nq_drop)i),
						(unsigned long long)stats.drops[i]);
}

static void per_worker(FILE *out, const struct nq_switch *sw, const char *name, size_t offset,
		       const char *help)
{
	struct nq_worker_info w;

	family(out, name, "counter", help);
	for (unsigned i = 0; i < nq_workers(sw); i++) {
		nq_worker_info(sw, i, &w);
		fprintf(out, "sluice_switch_%s{worker=\"%u\"} %llu\n", name, i,
			(unsigned long long)*(uint64_t *)(void *)((char *)&w + offset));
	}
}

/* Cycles by stage, and the frames that they are of: one burst in 64 is timed. */
static void stages(FILE *out, const struct nq_switch *sw)
{
	struct nq_worker_info w;

	family(out, "stage_cycles_total", "counter", "cycles of frames that were timed");
	for (unsigned i = 0; i < nq_workers(sw); i++) {
		nq_worker_info(sw, i, &w);
		for (int s = 0; s < NQ_STAGES; s++)
			fprintf(out,
				"sluice_switch_stage_cycles_total{worker=\"%u\",stage=\"%s\"} "
				"%llu\n",
				i, nq_stage_name((enum nq_stage)s),
				(unsigned long long)w.cycles[s]);
	}
}

static void workers(FILE *out, const struct nq_switch *sw)
{
	struct nq_worker_info w;

	per_worker(out, sw, "worker_dozes_total", offsetof(struct nq_worker_info, dozes),
		   "times that it slept until a kick");
	per_worker(out, sw, "timed_packets_total", offsetof(struct nq_worker_info, timed_frames),
		   "frames that were timed");
	stages(out, sw);
	family(out, "rebalances_total", "counter", "queues that went to a less busy worker");
	fprintf(out, "sluice_switch_rebalances_total %llu\n",
		(unsigned long long)nq_rebalances(sw));

	family(out, "worker_polls_total", "counter", "looks into a queue, empty or not");
	for (unsigned i = 0; i < nq_workers(sw); i++) {
		nq_worker_info(sw, i, &w);
		fprintf(out, "sluice_switch_worker_polls_total{worker=\"%u\"} %llu\n", i,
			(unsigned long long)w.polls);
	}
	family(out, "worker_empty_polls_total", "counter", "looks into a queue that was empty");
	for (unsigned i = 0; i < nq_workers(sw); i++) {
		nq_worker_info(sw, i, &w);
		fprintf(out, "sluice_switch_worker_empty_polls_total{worker=\"%u\"} %llu\n", i,
			(unsigned long long)w.empty);
	}
}

char *switch_ctl_metrics(const struct nq_switch *sw)
{
	static const struct {
		const char *name;
		size_t offset;
		const char *help;
	} counters[] = {
		{"rx_packets_total", offsetof(struct nq_stats, rx_packets), "frames that came in"},
		{"rx_bytes_total", offsetof(struct nq_stats, rx_bytes), "bytes that came in"},
		{"tx_packets_total", offsetof(struct nq_stats, tx_packets), "frames that went out"},
		{"tx_bytes_total", offsetof(struct nq_stats, tx_bytes), "bytes that went out"},
		{"flooded_packets_total", offsetof(struct nq_stats, floods),
		 "frames that came in and went to more than one port"},
		{"segmented_packets_total", offsetof(struct nq_stats, segmented),
		 "large frames that were cut for who gets them"},
		{"checksummed_packets_total", offsetof(struct nq_stats, checksummed),
		 "frames whose checksum was computed for who gets them"},
		{"learned_total", offsetof(struct nq_stats, learned), "addresses learned"},
		{"moved_total", offsetof(struct nq_stats, moved),
		 "addresses that came from another port"},
	};
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
		per_port(out, sw, counters[i].name, counters[i].offset, counters[i].help);
	drops(out, sw);
	queues(out, sw);
	gauges(out, sw);
	workers(out, sw);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}
