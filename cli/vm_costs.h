/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm_costs: what the engine's bare numbers of a VM mean: exits by the processor's reasons, pages by
 * size, halt polling; and by which way a device's interrupts reach the guest. From JSON to JSON.
 */
#ifndef CLI_VM_COSTS_H
#define CLI_VM_COSTS_H

#include <jansson.h>
#include <stdbool.h>

#include "hv-core/hv.h"

/* The VM's numbers and the sum of its CPUs', of what method "stat" answers. A new reference. */
json_t *vm_costs_numbers(const json_t *stat);

/* [{"reason", "code", "number", "count", "note"?}], without zeros. A new reference. */
json_t *vm_costs_reasons(const json_t *numbers, enum hv_caps_kind kind);

/* {"4k", "2m", "1g"}: bytes that the engine maps by pages of that size. NULL where it does not
 * tell. */
json_t *vm_costs_pages(const json_t *numbers);

/* {"polls", "good", "good_ns", "vain_ns", "waited_ns"}: a CPU that halts is polled for a while
 * before it sleeps. NULL where the engine does not tell. */
json_t *vm_costs_polling(const json_t *numbers);

/* "emulated": through us; "remapped": through the IOMMU to the host, then to the guest; "host": the
 * same without remapping; "postable": no handler of the host's has taken one (`taken`) and the
 * IOMMU could put them into the guest's APIC, which only its table tells for sure; NULL: none yet.
 * `chip` is the host's name of the interrupt's chip. */
const char *vm_costs_irq_path(const char *mode, const char *chip, bool can_post, uint64_t taken);

#endif
