/* SPDX-License-Identifier: BSD-3-Clause */
/* kernel_kind: tells the kinds of kernels apart by a file's first bytes. Private to hv-core. */
#ifndef HV_CORE_KERNEL_KIND_H
#define HV_CORE_KERNEL_KIND_H

#include "hv-core/hv.h"

#define HV_KERNEL_HEAD 8192u /* bytes of the file that tell, and that hold every kind's header */

enum hv_kernel_kind hv_kernel_kind_of(const void *head, size_t len);

#endif
