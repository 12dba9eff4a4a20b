/* SPDX-License-Identifier: BSD-3-Clause */
/* acpi_numa: see acpi_numa.h. */
#include "hv-core/acpi_numa.h"

#include <string.h>

#include "base/util.h"
#include "hv-core/numa.h"

#define ENABLED	     1u
#define LAPIC_MAX_ID 255u /* and above: x2APIC entries only */

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

/* The part of a node's RAM that lies in `block`, whose first byte is RAM's byte `first`. */
static size_t put_memory(uint8_t *to, uint32_t node, const struct hv_numa_node *n,
			 struct range block, uint64_t first)
{
	if (block.start > block.last)
		return 0;
	uint64_t begin = MAX(n->offset, first);
	uint64_t end = MIN(n->offset + n->ram, first + range_size(block));
	struct srat_memory e = {1, sizeof(e), node, 0, 0, 0, 0, ENABLED, 0};

	if (begin >= end)
		return 0;
	e.base = block.start + (begin - first);
	e.size = end - begin;
	memcpy(to, &e, sizeof(e));
	return sizeof(e);
}

size_t hv_acpi_srat(const struct hv_acpi_input *input, uint8_t *to)
{
	const struct srat_head head = {.one = 1};
	const struct hv_mem_layout *l = input->layout;
	size_t len = sizeof(head);

	memcpy(to, &head, sizeof(head));
	for (unsigned cpu = 0; cpu < input->cpus; cpu++) {
		int node = hv_numa_of_cpu(input->numa, cpu);

		if (node >= 0)
			len += put_cpu(to + len, (uint8_t)node, input->apic_ids[cpu]);
	}
	for (uint32_t i = 0; i < input->numa->count; i++) {
		const struct hv_numa_node *n = &input->numa->node[i];

		len += put_memory(to + len, i, n, l->low_ram, 0);
		len += put_memory(to + len, i, n, l->high_ram, range_size(l->low_ram));
	}
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
