/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_stat_net: paravirtual devices in `vm stat`: NICs and the balloon. */
#ifndef CLI_VM_STAT_NET_H
#define CLI_VM_STAT_NET_H

#include <jansson.h>

#include "base/sysfs.h"

/* Of a NIC that the kernel serves the VMM knows no numbers, its tap does: fills them in, as the
 * guest sees them, and adds what the tap dropped. */
void vm_stat_add_taps(const struct sysfs *fs, json_t *stat);
void vm_stat_show_nets(const json_t *stat);
void vm_stat_show_balloon(const json_t *stat);

#endif
