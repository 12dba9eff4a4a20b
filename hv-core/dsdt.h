/* SPDX-License-Identifier: BSD-3-Clause */
/* dsdt: the AML of a machine's ACPI namespace, without the table header. Pure. */
#ifndef HV_CORE_DSDT_H
#define HV_CORE_DSDT_H

#include "hv-core/acpi.h"

int hv_dsdt_build(const struct hv_acpi_input *input, uint8_t **out, size_t *len);

#endif
