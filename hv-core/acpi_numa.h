/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * acpi_numa: SRAT and SLIT, the tables that tell a guest its NUMA nodes (ACPI 6.5, 5.2.16 and
 * 5.2.17), without the header that all tables share. Pure. A node's number is its proximity domain.
 *
 * SRAT is also where a guest learns, before any of it is there, up to which address memory may come
 * while it runs: by that it decides which of its devices need help to reach memory, and sizes its
 * tables. So a machine whose memory grows has one even without nodes.
 */
#ifndef HV_CORE_ACPI_NUMA_H
#define HV_CORE_ACPI_NUMA_H

#include "hv-core/acpi.h"

bool hv_acpi_has_srat(const struct hv_acpi_input *input);

/* Writes at most HV_ACPI_SRAT_MAX bytes, and returns how many. One node's memory may lie on both
 * sides of the hole below 4 GiB, and one piece may come. */
#define HV_ACPI_SRAT_MAX (12 + 24 * HV_MAX_CPUS + 40 * (HV_MAX_NODES + 2))
size_t hv_acpi_srat(const struct hv_acpi_input *input, uint8_t *to);

/* Only of a machine with nodes. */
#define HV_ACPI_SLIT_MAX (8 + HV_MAX_NODES * HV_MAX_NODES)
size_t hv_acpi_slit(const struct hv_acpi_input *input, uint8_t *to);

#endif
