/* SPDX-License-Identifier: BSD-3-Clause */
/* module: asking for a kernel module. */
#ifndef SRIOV_MODULE_H
#define SRIOV_MODULE_H

/* modprobe, by name or alias. Whether it helped shows in sysfs; nothing is logged. */
void module_load(const char *name);

#endif
