/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * acpi_numa: SRAT and SLIT, the tables that tell a guest its NUMA nodes (ACPI 6.5, 5.2.16 and
 * 5.2.17), without the header that all tables share. Pure. A node's number is its proximity domain.
 */
#ifndef HV_CORE_ACPI_NUMA_H
#define HV_CORE_ACPI_NUMA_H

#include "hv-core/acpi.h"

/* Writes at most HV_ACPI_SRAT_MAX bytes, and returns how many. */
#define HV_ACPI_SRAT_MAX (12 + 24 * HV_MAX_CPUS + 40 * (HV_MAX_NODES + 1))
size_t hv_acpi_srat(const struct hv_acpi_input *input, uint8_t *to);

#define HV_ACPI_SLIT_MAX (8 + HV_MAX_NODES * HV_MAX_NODES)
size_t hv_acpi_slit(const struct hv_acpi_input *input, uint8_t *to);

#endif
