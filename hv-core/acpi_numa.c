/* SPDX-License-Identifier: BSD-3-Clause */
/* acpi_numa: see acpi_numa.h. */
#include "hv-core/acpi_numa.h"

#include <string.h>

#include "base/util.h"
#include "hv-core/numa.h"

#define ENABLED	      1u
#define HOT_PLUGGABLE 2u   /* table 5.59: memory may come here */
#define LAPIC_MAX_ID  255u /* and above: x2APIC entries only */

/* 5.2.16.1, 5.2.16.3, 5.2.16.2 */
struct srat_lapic {
	uint8_t type, length, domain_low, apic_id;
	uint32_t flags;
	uint8_t sapic_eid, domain_high[3];
	uint32_t clock_domain;
} __attribute__((packed));

struct srat_x2apic {
	uint8_t type, length;
	uint16_t reserved0;
	uint32_t domain, apic_id, flags, clock_domain, reserved1;
} __attribute__((packed));

struct srat_memory {
	uint8_t type, length;
	uint32_t domain;
	uint16_t reserved0;
	uint64_t base, size;
	uint32_t reserved1, flags;
	uint64_t reserved2;
} __attribute__((packed));

/* 5.2.16: what stands between the header and the first entry */
struct srat_head {
	uint32_t one; /* "shall be 1", for compatibility */
	uint64_t reserved;
} __attribute__((packed));

_Static_assert(sizeof(struct srat_lapic) == 16, "ACPI 6.5, table 5.57");
_Static_assert(sizeof(struct srat_memory) == 40, "ACPI 6.5, table 5.58");
_Static_assert(sizeof(struct srat_x2apic) == 24, "ACPI 6.5, table 5.60");
_Static_assert(sizeof(struct srat_head) == 12, "ACPI 6.5, table 5.56");

static size_t put_cpu(uint8_t *to, uint8_t node, unsigned apic_id)
{
	if (apic_id < LAPIC_MAX_ID) {
		struct srat_lapic e = {0, sizeof(e), node, (uint8_t)apic_id, ENABLED, 0, {0}, 0};

		memcpy(to, &e, sizeof(e));
		return sizeof(e);
	}
	struct srat_x2apic e = {2, sizeof(e), 0, node, apic_id, ENABLED, 0, 0};

	memcpy(to, &e, sizeof(e));
	return sizeof(e);
}

static size_t put_memory(uint8_t *to, uint32_t node, uint64_t base, uint64_t size, uint32_t flags)
{
	struct srat_memory e = {1, sizeof(e), node, 0, base, size, 0, ENABLED | flags, 0};

	memcpy(to, &e, sizeof(e));
	return sizeof(e);
}

/* The part of a node's RAM that lies in `block`, whose first byte is RAM's byte `first`. */
static size_t put_part(uint8_t *to, uint32_t node, const struct hv_numa_node *n, struct range block,
		       uint64_t first)
{
	if (block.start > block.last)
		return 0;
	uint64_t begin = MAX(n->offset, first);
	uint64_t end = MIN(n->offset + n->ram, first + range_size(block));

	if (begin >= end)
		return 0;
	return put_memory(to, node, block.start + (begin - first), end - begin, 0);
}

static bool has_nodes(const struct hv_acpi_input *input)
{
	return input->numa && input->numa->count;
}

static bool may_grow(const struct hv_mem_layout *layout)
{
	return layout->grow.start < layout->grow.last;
}

bool hv_acpi_has_srat(const struct hv_acpi_input *input)
{
	return has_nodes(input) || may_grow(input->layout);
}

/* A machine that was given no nodes is one node. */
static void whole_machine(const struct hv_acpi_input *input, struct hv_numa *out)
{
	const struct hv_mem_layout *l = input->layout;

	*out = (struct hv_numa){.count = 1};
	out->node[0].cpus = UINT64_MAX;
	out->node[0].ram = range_size(l->low_ram);
	if (l->high_ram.start <= l->high_ram.last)
		out->node[0].ram += range_size(l->high_ram);
}

size_t hv_acpi_srat(const struct hv_acpi_input *input, uint8_t *to)
{
	const struct srat_head head = {.one = 1};
	const struct hv_mem_layout *l = input->layout;
	const struct hv_numa *numa = input->numa;
	struct hv_numa whole;
	size_t len = sizeof(head);

	if (!has_nodes(input)) {
		whole_machine(input, &whole);
		numa = &whole;
	}
	memcpy(to, &head, sizeof(head));
	for (unsigned cpu = 0; cpu < input->cpus; cpu++) {
		int node = hv_numa_of_cpu(numa, cpu);

		if (node >= 0)
			len += put_cpu(to + len, (uint8_t)node, input->apic_ids[cpu]);
	}
	for (uint32_t i = 0; i < numa->count; i++) {
		const struct hv_numa_node *n = &numa->node[i];

		len += put_part(to + len, i, n, l->low_ram, 0);
		len += put_part(to + len, i, n, l->high_ram, range_size(l->low_ram));
	}
	/* What the host gives it comes from anywhere (mem_grow.c); the guest has to call it
	 * something. */
	if (may_grow(l))
		len += put_memory(to + len, 0, l->grow.start, range_size(l->grow), HOT_PLUGGABLE);
	return len;
}

size_t hv_acpi_slit(const struct hv_acpi_input *input, uint8_t *to)
{
	uint64_t count = input->numa->count;
	size_t len = sizeof(count);

	memcpy(to, &count, sizeof(count));
	for (unsigned i = 0; i < count; i++) {
		memcpy(to + len, input->numa->distance[i], count);
		len += count;
	}
	return len;
}
