/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host_metrics: a look at the host as Prometheus reads it (exposition format 0.0.4). One row of the
 * table is one family: the list that it walks, the value's key, and the labels, each a key.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "cli/host_look.h"

struct family {
	const char *name, *type, *help;
	const char *list;   /* of the look; "host": the one object */
	const char *value;  /* key; NULL: 1 */
	const char *labels; /* "LABEL=KEY …" */
};

static const struct family families[] = {
	{"host_info", "gauge", "version of Sluice and of the kernel", "host", NULL,
	 "version=version kernel=kernel"},
	{"host_cpus", "gauge", "processors online", "host", "cpus", ""},
	{"host_cpu_seconds_total", "counter", "time of all processors, idle or not", "host",
	 "cpu_seconds", ""},
	{"host_idle_seconds_total", "counter", "time in which processors had nothing to do", "host",
	 "idle_seconds", ""},
	{"host_memory_bytes", "gauge", "memory of the host", "host", "memory_total", ""},
	{"host_memory_available_bytes", "gauge", "memory that can be had without swapping", "host",
	 "memory_available", ""},
	{"host_hugepages", "gauge", "huge pages reserved", "hugepages", "total", "size=size"},
	{"host_hugepages_free", "gauge", "of them, those that nobody has", "hugepages", "free",
	 "size=size"},
	{"iommu_info", "gauge", "an IOMMU in use", "iommus", NULL, "unit=name"},
	{"iommu_fault_interrupts_total", "counter",
	 "times that the IOMMU told of accesses which it refused", "iommus", "faults", "unit=name"},
	{"pf_info", "gauge", "a function that can be divided", "pfs", NULL,
	 "pf=name address=address driver=driver"},
	{"pf_link_up", "gauge", "whether it has a link", "pfs", "link_up", "pf=name"},
	{"pf_vfs", "gauge", "VFs made", "pfs", "vfs", "pf=name"},
	{"pf_vfs_max", "gauge", "VFs that can be made", "pfs", "total_vfs", "pf=name"},
	{"pf_receive_packets_total", "counter", "frames received", "pfs", "rx_packets", "pf=name"},
	{"pf_receive_bytes_total", "counter", "bytes received", "pfs", "rx_bytes", "pf=name"},
	{"pf_receive_drops_total", "counter", "frames dropped on receive", "pfs", "rx_dropped",
	 "pf=name"},
	{"pf_receive_errors_total", "counter", "frames received in error", "pfs", "rx_errors",
	 "pf=name"},
	{"pf_transmit_packets_total", "counter", "frames sent", "pfs", "tx_packets", "pf=name"},
	{"pf_transmit_bytes_total", "counter", "bytes sent", "pfs", "tx_bytes", "pf=name"},
	{"pf_transmit_drops_total", "counter", "frames dropped on transmit", "pfs", "tx_dropped",
	 "pf=name"},
	{"pf_transmit_errors_total", "counter", "frames not sent for an error", "pfs", "tx_errors",
	 "pf=name"},
	{"vf_held", "gauge", "whether somebody has the VF", "vfs", "held",
	 "vf=name pf=pf state=state vm=owner"},
	{"vm_up", "gauge", "whether the VM runs and answers", "vms", "up", "vm=name state=state"},
	{"vm_resets_total", "counter", "restarts of the guest since the VM's start", "vms",
	 "resets", "vm=name"},
	{"vm_start_time_seconds", "gauge", "when the VM was started", "vms", "since", "vm=name"},
	{"vm_cpus", "gauge", "processors that the guest has", "vms", "cpus", "vm=name"},
	{"vm_cpu_seconds_total", "counter", "processor time of the VM", "vms", "cpu_seconds",
	 "vm=name"},
	{"vm_memory_bytes", "gauge", "memory that the guest has", "vms", "ram", "vm=name"},
	{"vm_resident_bytes", "gauge", "memory of the host that the VM takes", "vms", "resident",
	 "vm=name"},
	{"vm_events_missed_total", "counter", "events that a listener was too slow for", "vms",
	 "events_missed", "vm=name"},
	{"vm_kvm_exits_total", "counter", "exits, those included which the kernel handles", "vms",
	 "all", "vm=name"},
	{"vm_exits_total", "counter", "exits to sluice-vmm, by reason", "exits", "count",
	 "vm=vm reason=reason"},
	{"vm_disk_reads_total", "counter", "read requests", "disks", "reads", "vm=vm disk=disk"},
	{"vm_disk_read_bytes_total", "counter", "bytes read", "disks", "read_bytes",
	 "vm=vm disk=disk"},
	{"vm_disk_writes_total", "counter", "write requests", "disks", "writes", "vm=vm disk=disk"},
	{"vm_disk_write_bytes_total", "counter", "bytes written", "disks", "write_bytes",
	 "vm=vm disk=disk"},
	{"vm_disk_errors_total", "counter", "requests that failed", "disks", "errors",
	 "vm=vm disk=disk"},
	{"vm_net_up", "gauge", "whether the NIC has a link", "nets", "up", "vm=vm net=net"},
	{"vm_net_receive_packets_total", "counter", "frames to the guest", "nets",
	 "received_packets", "vm=vm net=net"},
	{"vm_net_receive_bytes_total", "counter", "bytes to the guest", "nets", "received_bytes",
	 "vm=vm net=net"},
	{"vm_net_receive_drops_total", "counter", "frames to the guest that were dropped", "nets",
	 "received_drops", "vm=vm net=net"},
	{"vm_net_transmit_packets_total", "counter", "frames of the guest's", "nets",
	 "sent_packets", "vm=vm net=net"},
	{"vm_net_transmit_bytes_total", "counter", "bytes of the guest's", "nets", "sent_bytes",
	 "vm=vm net=net"},
	{"vm_net_transmit_drops_total", "counter", "frames of the guest's that were dropped",
	 "nets", "sent_drops", "vm=vm net=net"},
};

/* A label's value: backslash, quotation mark and line feed are escaped. */
static void put_text(FILE *out, const char *text)
{
	for (const char *c = text ? text : ""; *c; c++) {
		if (*c == '\n')
			fputs("\\n", out);
		else if (*c == '\\' || *c == '"')
			fprintf(out, "\\%c", *c);
		else
			fputc(*c, out);
	}
}

static void put_labels(FILE *out, const char *labels, const json_t *row)
{
	const char *before = "{";

	for (const char *at = labels; *at;) {
		size_t label = strcspn(at, "="), all = strcspn(at, " ");
		const json_t *value = json_object_getn(row, at + label + 1, all - label - 1);

		fprintf(out, "%s%.*s=\"", before, (int)label, at);
		put_text(out, json_string_value(value));
		fputc('"', out);
		before = ",";
		at += all + (at[all] == ' ');
	}
	if (*labels)
		fputc('}', out);
}

static void put_row(FILE *out, const struct family *f, const json_t *row)
{
	const json_t *value = f->value ? json_object_get(row, f->value) : NULL;

	if (f->value && !json_is_number(value))
		return;
	fprintf(out, "sluice_%s", f->name);
	put_labels(out, f->labels, row);
	if (json_is_real(value))
		fprintf(out, " %.2f\n", json_real_value(value));
	else
		fprintf(out, " %lld\n", value ? (long long)json_integer_value(value) : 1LL);
}

char *host_metrics(const json_t *look)
{
	char *text = NULL;
	size_t len = 0, i;
	FILE *out = open_memstream(&text, &len);
	json_t *row;

	if (!out)
		return NULL;
	for (size_t f = 0; f < ARRAY_SIZE(families); f++) {
		const json_t *list = json_object_get(look, families[f].list);

		fprintf(out, "# HELP sluice_%s %s\n# TYPE sluice_%s %s\n", families[f].name,
			families[f].help, families[f].name, families[f].type);
		if (json_is_object(list))
			put_row(out, &families[f], list);
		json_array_foreach (list, i, row)
			put_row(out, &families[f], row);
	}
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}
