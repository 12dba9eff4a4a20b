/* SPDX-License-Identifier: BSD-3-Clause */
/* vmm_stat: the numbers of paravirtual devices, for `vm stat` (vmm_ctl.h). */
#ifndef CLI_VMM_STAT_H
#define CLI_VMM_STAT_H

#include "cli/vmm_machine.h"

/* Adds "nets" (an array) and, where there is one, "balloon". */
void vmm_stat_paravirtual(struct vmm_machine *machine, json_t *result);
/* {"size": bytes of RAM that the guest shall keep} */
int vmm_balloon(struct vmm_machine *machine, const json_t *params, json_t **result, char *error);
/* {"tap": its interface's name, "up": boolean} */
int vmm_link(struct vmm_machine *machine, const json_t *params, char *error);

#endif
